//go:build !linux

package sandbox

import (
	"archive/tar"
	"context"
	"io"
	"runtime"
)

// Init does nothing on this system.
func Init() {}

// A Space is a directory of snapshots.
type Space struct{}

func unsupported(doing string) error {
	return &Error{Doing: doing, Err: ErrUnsupported, Help: "build stages need Linux, this is " + runtime.GOOS + "; a Linux virtual machine or container will do"}
}

// Open fails with [ErrUnsupported] on this system.
func Open(dir string) (*Space, error) { return nil, unsupported("cannot open " + dir) }

// Runs fails with [ErrUnsupported] on this system.
func Runs(arch string) error { return unsupported("cannot run programs of " + arch) }

// Has reports whether there is a snapshot under key.
func (*Space) Has(key string) bool { return false }

// Remove fails with [ErrUnsupported] on this system.
func (*Space) Remove(context.Context, ...string) error {
	return unsupported("cannot remove snapshots")
}

// Unpack fails with [ErrUnsupported] on this system.
func (*Space) Unpack(context.Context, string, []Layer) error {
	return unsupported("cannot unpack layers")
}

// Add fails with [ErrUnsupported] on this system.
func (*Space) Add(context.Context, string, []string, func(*tar.Writer) error) error {
	return unsupported("cannot add files")
}

// RemoveAll fails with [ErrUnsupported] on this system.
func (*Space) RemoveAll(context.Context) error { return unsupported("cannot remove snapshots") }

// ExportCache fails with [ErrUnsupported] on this system.
func (*Space) ExportCache(context.Context, string, func(*tar.Header, io.Reader) error) error {
	return unsupported("cannot export a cache")
}

// Sync fails with [ErrUnsupported] on this system.
func (*Space) Sync(context.Context) error { return unsupported("cannot make snapshots durable") }

// Run fails with [ErrUnsupported] on this system.
func (*Space) Run(context.Context, Step) (*Result, error) { return nil, unsupported("cannot run") }

// Changes fails with [ErrUnsupported] on this system.
func (*Space) Changes(context.Context, string) ([]Change, error) {
	return nil, unsupported("cannot list changes")
}

// Export fails with [ErrUnsupported] on this system.
func (*Space) Export(context.Context, []string, []string, func(*tar.Header, io.Reader) error) error {
	return unsupported("cannot export files")
}

// RemoveCaches fails with [ErrUnsupported] on this system.
func (*Space) RemoveCaches(context.Context, ...string) error {
	return unsupported("cannot remove caches")
}
