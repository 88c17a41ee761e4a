package sandbox

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// cachePrefix is what the name of the directory of a cache begins with; none of a
// snapshot's does, not being hexadecimal.
const cachePrefix = "cache-"

func cacheName(name string) string { return cachePrefix + snapName(name) }

// ExportCache calls each for everything in a cache, as [Space.Export] does for a
// stack. A cache that nobody has used is empty. One that is in use may be exported:
// what changes meanwhile is seen as it was before, after or in between.
func (s *Space) ExportCache(ctx context.Context, cache string, each func(h *tar.Header, r io.Reader) error) error {
	return s.export(ctx, &request{Verb: verbExport, Cache: cache, Paths: []string{"/"}}, each)
}

// openCaches takes copies of the mounts of the caches that a step asks for.
func (in *inner) openCaches(src *sources) error {
	for i, m := range in.req.Step.Mounts {
		if m.Source != "" || m.Cache == "" {
			continue
		}
		name, err := in.holdCache(m.Cache)
		if err != nil {
			return fmt.Errorf("cannot mount cache %s: %w", m.Cache, err)
		}
		if src.mounts[i], err = openTree("space/" + name + "/fs"); err != nil {
			return fmt.Errorf("cannot mount cache %s: %w", m.Cache, err)
		}
	}
	return nil
}

// holdCache makes a cache where there is none, and keeps it from being removed
// while this child lives.
func (in *inner) holdCache(cache string) (string, error) {
	name := cacheName(cache)
	for {
		for _, dir := range []string{name, name + "/fs"} {
			err := unix.Mkdirat(in.space, dir, 0o755)
			if err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) {
				return "", err
			}
		}
		err := in.hold([]string{name})
		if err == nil {
			var st unix.Stat_t
			err = unix.Fstatat(in.space, name+"/fs", &st, unix.AT_SYMLINK_NOFOLLOW)
		}
		// Who removes it may come between.
		if !errors.Is(err, ErrNoSnapshot) && !errors.Is(err, unix.ENOENT) {
			return name, err
		}
	}
}

// exported opens the tree that is asked for.
func (in *inner) exported() (root int, err error) {
	if in.req.Cache == "" {
		return in.stackOf(in.req.On)
	}
	name := cacheName(in.req.Cache)
	err = in.hold([]string{name})
	if err == nil {
		return openIn(in.space, name+"/fs", unix.O_RDONLY|unix.O_DIRECTORY)
	}
	if errors.Is(err, ErrNoSnapshot) {
		return unix.Open("empty", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	return -1, err
}

// gone is the error of a file that was there a moment ago: none, where others may
// take it away.
func (x *exporter) gone(err error) error {
	if x.live && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)) {
		return nil
	}
	return err
}

// zeros is what is read where a file was cut short.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// RemoveCaches removes caches, as [Space.Remove] does snapshots.
func (s *Space) RemoveCaches(ctx context.Context, caches ...string) error {
	names := make([]string, len(caches))
	for i, c := range caches {
		names[i] = cacheName(c)
	}
	if err := s.call(ctx, &request{Verb: verbRemove, Names: names}, nil, nil); err != nil {
		return fmt.Errorf("cannot remove caches: %w", err)
	}
	return nil
}
