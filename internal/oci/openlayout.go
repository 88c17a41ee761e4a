package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/store"
)

// blobFiles are the files of an image layout, in a directory or in a tar.
type blobFiles interface {
	// size returns the size of a regular file; a missing one is an error that wraps
	// fs.ErrNotExist.
	size(name string) (int64, error)
	open(name string) (io.ReadCloser, error)
	io.Closer
}

// dirFiles reads from a directory without following links out of it.
type dirFiles struct{ root *os.Root }

func (d dirFiles) Close() error { return d.root.Close() }

func (d dirFiles) size(name string) (int64, error) {
	info, err := d.root.Stat(name)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%w: %s is not a regular file", ErrInvalid, name)
	}
	return info.Size(), nil
}

func (d dirFiles) open(name string) (io.ReadCloser, error) {
	if _, err := d.size(name); err != nil { // opening a FIFO would wait for ever
		return nil, err
	}
	return d.root.Open(name)
}

// readSmall reads a whole file of at most MaxDocument bytes.
func readSmall(files blobFiles, name string) ([]byte, error) {
	size, err := files.size(name)
	if err != nil {
		return nil, err
	}
	if size > MaxDocument {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are read", ErrTooLarge, name, size, MaxDocument)
	}
	r, err := files.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// layoutBackend reads the blobs of an image layout.
type layoutBackend struct{ files blobFiles }

func blobName(d store.Digest) string { return layoutBlobs + "/" + d.Hex() }

func (b layoutBackend) manifest(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	return b.blob(ctx, d)
}

func (b layoutBackend) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.stat(d); err != nil {
		return nil, err
	}
	return b.files.open(blobName(d.Digest))
}

func (b layoutBackend) stat(d descriptor) error {
	size, err := b.files.size(blobName(d.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return missingBlob(d.Digest)
	}
	if err != nil {
		return err
	}
	if size != d.Size {
		return fmt.Errorf("%w: blob %s has %d bytes, stated are %d", ErrMismatch, d.Digest, size, d.Size)
	}
	return nil
}

func openLayout(ctx context.Context, dir, choice string, o OpenOptions) (*Source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s, err := readLayout(ctx, dirFiles{root}, choice, o.loader(nil))
	if err != nil {
		root.Close()
		return nil, err
	}
	s.place = layoutPlace{dir, dirFiles{root}}
	return s, nil
}

// readLayout reads the image of a layout that choice names.
func readLayout(ctx context.Context, files blobFiles, choice string, l *loader) (*Source, error) {
	mark, err := readSmall(files, layoutFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has no file %s", ErrNotLayout, layoutFile)
	}
	if err != nil {
		return nil, err
	}
	if err := checkLayoutFile(mark); err != nil {
		return nil, err
	}
	raw, err := readSmall(files, indexFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", indexFile, err)
	}
	_, doc, err := parseDocument(raw, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	if doc == nil {
		return nil, fmt.Errorf("%s: %w: expected an image index", indexFile, ErrInvalid)
	}
	l.backend = layoutBackend{files}
	d, err := l.chooseEntry(doc.Manifests, choice, files)
	if err != nil {
		return nil, err
	}
	if d == nil { // index.json is the image's index itself
		own := descriptor{MediaType: mediaIndex, Digest: store.DigestOf(raw), Size: int64(len(raw))}
		l.backend = &rootedBackend{backend: l.backend, digest: own.Digest, content: raw}
		d = &own
	}
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	s, err := loadSource(ctx, l, *d, files)
	if err == nil {
		s.place = layoutPlace{files: files}
	}
	return s, err
}

// chooseEntry returns the entry of index.json that choice names, or nil where
// there is no choice and the entries are the platforms of one image.
func (l *loader) chooseEntry(entries []descriptor, choice string, files blobFiles) (*descriptor, error) {
	entries = slices.DeleteFunc(slices.Clone(entries), isArtifact)
	if len(entries) > 1 {
		known := map[string]bool{} // by digest and name: one manifest may be listed many times
		entries = slices.DeleteFunc(entries, func(d descriptor) bool {
			key := string(d.Digest) + d.Annotations[annotationRefName]
			if _, ok := known[key]; !ok {
				known[key] = isReferrer(d, files)
			}
			return known[key]
		})
	}
	var found, plain []descriptor
	var names []string
	name, byName := strings.CutPrefix(choice, ":")
	digest, byDigest := strings.CutPrefix(choice, "@")
	for _, e := range entries {
		plain = append(plain, e)
		names = append(names, entryNames(e)...)
		if byName && slices.ContainsFunc(entryNames(e), func(n string) bool { return sameName(n, name) }) || byDigest && string(e.Digest) == digest || choice == "" {
			if !slices.ContainsFunc(found, func(f descriptor) bool { return f.Digest == e.Digest }) {
				found = append(found, e)
			}
		}
	}
	switch {
	case len(found) == 1:
		return &found[0], nil
	case len(entries) == 0:
		return nil, fmt.Errorf("%w: %s lists no image", ErrInvalid, indexFile)
	case byDigest:
		d := descriptor{Digest: store.Digest(digest)}
		if err := d.validate(); err != nil {
			return nil, err
		}
		var err error
		if d.Size, err = files.size(blobName(d.Digest)); err != nil {
			return nil, fmt.Errorf("manifest %s is missing: %w", digest, fs.ErrNotExist)
		}
		return &d, nil
	case byName && len(found) == 0:
		return nil, fmt.Errorf("%w: it has no image %q, it has %s", fs.ErrNotExist, name, quoteList(names))
	case choice == "" && arePlatforms(plain):
		return nil, nil
	}
	return nil, withHint(fmt.Errorf("%w: it has %d images, %s", ErrInvalid, len(found), quoteList(names)),
		"choose one by adding :NAME or @DIGEST to the path")
}

// entryNames returns the names that an entry of index.json goes by; containerd and
// Docker have an annotation of their own for the full one.
func entryNames(d descriptor) []string {
	var names []string
	for _, key := range []string{annotationRefName, "io.containerd.image.name"} {
		if n := d.Annotations[key]; n != "" {
			names = append(names, n)
		}
	}
	return names
}

// arePlatforms reports whether entries, which are several, are one image's
// manifests by platform: each has a platform and none a name.
func arePlatforms(entries []descriptor) bool {
	return !slices.ContainsFunc(entries, func(d descriptor) bool { return d.Platform == nil || len(entryNames(d)) > 0 })
}

func quoteList(names []string) string {
	if len(names) == 0 {
		return "none with a name"
	}
	slices.Sort(names)
	if len(names) > 20 {
		names = append(names[:20], "...")
	}
	return strings.Join(names, ", ")
}
