package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxEntries bounds the entries of an archive: an image of 4096 layers as old
// Docker wrote it has four for each.
const maxEntries = 1 << 16

// openArchive opens an archive file. prefix says of which kind it must be.
func openArchive(ctx context.Context, file, choice, prefix string, o OpenOptions) (*Source, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	s, err := readArchive(ctx, f, choice, prefix, o)
	if err != nil {
		f.Close()
	}
	return s, err
}

func readArchive(ctx context.Context, f *os.File, choice, prefix string, o OpenOptions) (*Source, error) {
	files, err := scanTar(f)
	if err != nil {
		return nil, err
	}
	_, isLayout := files.entries[layoutFile]
	_, isSaved := files.entries[savedManifest]
	switch {
	case prefix == prefixArchive, prefix == "" && isLayout:
		// What `docker save` wrote may lack the platforms that were not pulled.
		l := o.loader(nil)
		l.sparse = isSaved
		return readLayout(ctx, files, choice, l)
	case prefix == prefixDockerArchive, isSaved:
		return readSaved(ctx, files, choice, o)
	}
	return nil, fmt.Errorf("%w: the archive has neither %s nor %s", ErrInvalid, layoutFile, savedManifest)
}

// tarFiles are the files of a tar that is not compressed, read where they lie.
type tarFiles struct {
	file    *os.File
	entries map[string]tarEntry
}

type tarEntry struct {
	offset, size int64
	link         string // the entry it links to, or ""
}

func (t *tarFiles) Close() error { return t.file.Close() }

// scanTar notes where each file of the tar lies. Nothing is unpacked. It refuses
// what no writer of images has: names and links that lead out of the archive, two
// files of one name, devices, sparse files.
func scanTar(f *os.File) (*tarFiles, error) {
	if err := checkUncompressed(f); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	t := &tarFiles{file: f, entries: map[string]tarEntry{}}
	r := tar.NewReader(f)
	for count := 0; ; count++ {
		h, err := r.Next()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d of the archive: %w", ErrInvalid, count+1, err)
		}
		if count >= maxEntries {
			return nil, fmt.Errorf("%w: the archive has more than %d entries", ErrInvalid, maxEntries)
		}
		// The reader has no buffer: the file now stands at the content.
		offset, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if err := t.add(h, offset, info.Size()); err != nil {
			return nil, fmt.Errorf("%w: archive entry %.100q %w", ErrInvalid, h.Name, err)
		}
	}
}

func (t *tarFiles) add(h *tar.Header, offset, fileSize int64) error {
	name := strings.TrimPrefix(strings.TrimSuffix(h.Name, "/"), "./")
	if !fs.ValidPath(name) {
		return errors.New("has a name that is not a clean relative path")
	}
	e := tarEntry{offset: offset, size: h.Size}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg:
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return errors.New("is a sparse file")
			}
		}
		if offset+h.Size > fileSize || offset+h.Size < offset {
			return fmt.Errorf("has %d bytes, the archive ends before that", h.Size)
		}
	case tar.TypeSymlink:
		e.link = path.Join(path.Dir(name), h.Linkname)
	case tar.TypeLink:
		e.link = path.Clean(h.Linkname)
	default:
		return fmt.Errorf("is of type %q, which is neither file nor directory nor link", h.Typeflag)
	}
	if e.link != "" && (path.IsAbs(h.Linkname) || !fs.ValidPath(e.link)) {
		return errors.New("links out of the archive")
	}
	if _, ok := t.entries[name]; ok {
		return errors.New("occurs twice")
	}
	t.entries[name] = e
	return nil
}

// lookup finds a file, through links.
func (t *tarFiles) lookup(name string) (tarEntry, error) {
	at := name
	for range 8 {
		e, ok := t.entries[at]
		if !ok {
			return e, fmt.Errorf("the archive has no file %.200q: %w", at, fs.ErrNotExist)
		}
		if e.link == "" {
			return e, nil
		}
		at = e.link
	}
	return tarEntry{}, fmt.Errorf("%w: archive entry %.200q links in a circle", ErrInvalid, name)
}

func (t *tarFiles) size(name string) (int64, error) {
	e, err := t.lookup(name)
	return e.size, err
}

func (t *tarFiles) open(name string) (io.ReadCloser, error) {
	e, err := t.lookup(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(t.file, e.offset, e.size)), nil
}

// checkUncompressed reports a compressed archive, in which nothing can be read
// where it lies.
func checkUncompressed(f *os.File) error {
	head := make([]byte, 6)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if tool := compressedBy(head[:n]); tool != "" {
		return withHint(fmt.Errorf("%w: the archive is compressed", ErrInvalid), "unpack it first with "+tool+" -d")
	}
	return nil
}

// compressedBy names the compression that content begins with, or returns "".
func compressedBy(head []byte) string {
	for _, m := range []struct{ magic, tool string }{
		{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd7zXZ\x00", "xz"}, {"BZh", "bzip2"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.tool
		}
	}
	return ""
}
