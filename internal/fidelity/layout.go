//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/record"
)

// layout is an image of one platform in an OCI layout (OCI image spec,
// image-layout.md). It is read without the code that wrote it, so that a mistake
// in writing cannot hide behind the same mistake in reading.
type layout struct {
	dir    string
	layers []descriptor
	record *record.Record // says which script made a path; nil where the image has none
}

type descriptor struct {
	MediaType, Digest string
	Size              int64
}

// openLayout reads the documents of the layout's only image.
func openLayout(dir string) (*layout, error) {
	l := &layout{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return nil, err
	}
	var doc struct {
		Manifests, Layers []descriptor
		Config            descriptor
	}
	for depth := 0; ; depth++ {
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		if len(doc.Manifests) == 0 {
			break
		}
		if len(doc.Manifests) != 1 || depth > 2 {
			return nil, fmt.Errorf("%s: found %d images, expected one", dir, len(doc.Manifests))
		}
		d := doc.Manifests[0]
		doc.Manifests = nil
		if b, err = l.blob(d); err != nil {
			return nil, err
		}
	}
	l.layers = doc.Layers
	if b, err = l.blob(doc.Config); err != nil {
		return nil, err
	}
	var config struct {
		Record []byte `json:"dev.hardpan.record.v1"`
	}
	if err := json.Unmarshal(b, &config); err != nil {
		return nil, fmt.Errorf("%s: config: %w", dir, err)
	}
	if len(config.Record) > 0 {
		l.record, err = record.Decode(config.Record)
	}
	return l, err
}

func (l *layout) path(d descriptor) string {
	return filepath.Join(l.dir, "blobs", strings.ReplaceAll(d.Digest, ":", "/"))
}

// blob reads a document and verifies it.
func (l *layout) blob(d descriptor) ([]byte, error) {
	b, err := os.ReadFile(l.path(d))
	if err != nil {
		return nil, err
	}
	if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(b)); sum != d.Digest {
		return nil, fmt.Errorf("%s: blob has the digest %s, expected %s", l.dir, sum, d.Digest)
	}
	return b, nil
}

// layerEntry is one member of a layer's archive.
type layerEntry struct {
	Path string `json:"p"`
	entry
	HardLink string `json:"to,omitempty"` // path of the file that this is another name of
}

// manifest merges the layers. What the same layer had before is taken from dir,
// which may be empty, as many images share the layers of a package.
func (l *layout) manifest(cache string) (*manifest, error) {
	m := &manifest{Paths: map[string]entry{}}
	inode := map[string]string{}
	for i, d := range l.layers {
		entries, err := l.layer(d, cache)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", d.Digest, err)
		}
		for j, e := range entries {
			if err := m.add(e, inode, fmt.Sprintf("%d.%d", i, j)); err != nil {
				return nil, fmt.Errorf("layer %s: %w", d.Digest, err)
			}
		}
	}
	for p := range m.Paths {
		if parent := path.Dir(p); parent != "." && m.Paths[parent].Type != dir {
			return nil, fmt.Errorf("%s: its parent is %q, expected a directory", p, m.Paths[parent].Type)
		}
	}
	m.linkGroups(inode)
	return m, nil
}

// add lays one member over what the layers below have (OCI image spec, layer.md).
func (m *manifest) add(e layerEntry, inode map[string]string, id string) error {
	if strings.HasPrefix(path.Base(e.Path), ".wh.") {
		return fmt.Errorf("%s: found a whiteout, expected none in an image of hardpan", e.Path)
	}
	if e.HardLink != "" {
		target, ok := m.Paths[e.HardLink]
		if !ok || target.Type != file {
			return fmt.Errorf("%s: hard link to %s, which is no file", e.Path, e.HardLink)
		}
		e.entry, id = target, inode[e.HardLink]
	}
	if old, ok := m.Paths[e.Path]; ok && old.Type == dir && e.Type != dir {
		return fmt.Errorf("%s: a %s stands over a directory", e.Path, e.Type)
	}
	delete(inode, e.Path)
	if e.Type == file {
		inode[e.Path] = id
	}
	m.Paths[e.Path] = e.entry
	return nil
}

// layer returns the members of a layer, in order.
func (l *layout) layer(d descriptor, cache string) ([]layerEntry, error) {
	kept := filepath.Join(cache, strings.TrimPrefix(d.Digest, "sha256:")+".json.zst")
	var entries []layerEntry
	if cache != "" && readJSON(kept, &entries) == nil {
		return entries, nil
	}
	err := l.eachMember(d, func(h *tar.Header, content io.Reader) error {
		p := strings.Trim(path.Clean("/"+h.Name), "/")
		if p == "" {
			return nil
		}
		e, err := memberEntry(h, content)
		e.Path = p
		entries = append(entries, e)
		return err
	})
	if err != nil || cache == "" {
		return entries, err
	}
	return entries, writeJSON(kept, entries)
}

// eachMember reads a layer from end to end and verifies its digest.
func (l *layout) eachMember(d descriptor, visit func(*tar.Header, io.Reader) error) error {
	f, err := os.Open(l.path(d))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	verified := io.TeeReader(f, sum)
	plain, err := decompress(d.MediaType, verified)
	if err != nil {
		return err
	}
	defer plain.Close()
	for in := tar.NewReader(plain); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if err := visit(h, in); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, verified); err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != d.Digest {
		return fmt.Errorf("blob has the digest %s, expected %s", got, d.Digest)
	}
	return nil
}

func decompress(mediaType string, r io.Reader) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(mediaType, "+gzip"):
		return gzip.NewReader(r)
	case strings.HasSuffix(mediaType, "+zstd"):
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case strings.HasSuffix(mediaType, ".tar"):
		return io.NopCloser(r), nil
	}
	return nil, fmt.Errorf("media type %q is no layer's", mediaType)
}

// memberEntry reads one member of an archive.
func memberEntry(h *tar.Header, content io.Reader) (layerEntry, error) {
	e := layerEntry{entry: entry{Mode: uint32(h.Mode & 0o7777), UID: h.Uid, GID: h.Gid}}
	if caps := h.PAXRecords["SCHILY.xattr.security.capability"]; caps != "" {
		e.Caps = hex.EncodeToString([]byte(caps))
	}
	switch h.Typeflag {
	case tar.TypeReg:
		sum := sha256.New()
		n, err := io.Copy(sum, content)
		if err != nil {
			return e, err
		}
		e.Type, e.Size, e.SHA256 = file, n, hex.EncodeToString(sum.Sum(nil))
	case tar.TypeDir:
		e.Type = dir
	case tar.TypeSymlink:
		e.Type, e.Mode, e.Target = link, 0, h.Linkname
	case tar.TypeLink:
		e.HardLink = strings.Trim(path.Clean("/"+h.Linkname), "/")
	case tar.TypeFifo:
		e.Type = fifo
	case tar.TypeChar, tar.TypeBlock:
		e.Type, e.Target = device, fmt.Sprintf("%c %d:%d", map[byte]rune{tar.TypeChar: 'c', tar.TypeBlock: 'b'}[h.Typeflag], h.Devmajor, h.Devminor)
	default:
		return e, fmt.Errorf("%s: type %q is not known", h.Name, h.Typeflag)
	}
	return e, nil
}

// texts returns the content of those of the files that are text, from the
// uppermost layer that has them.
func (l *layout) texts(paths []string) (map[string]string, error) {
	wanted, found := map[string]bool{}, map[string]string{}
	for _, p := range paths {
		wanted[p] = true
	}
	for _, d := range slices.Backward(l.layers) {
		inLayer := map[string]string{}
		err := l.eachMember(d, func(h *tar.Header, content io.Reader) error {
			p := strings.Trim(path.Clean("/"+h.Name), "/")
			if !wanted[p] || h.Typeflag != tar.TypeReg || h.Size > maxText {
				return nil
			}
			var b bytes.Buffer
			_, err := b.ReadFrom(content)
			if isText(b.Bytes()) {
				inLayer[p] = b.String()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for p := range inLayer {
			delete(wanted, p)
		}
		maps.Copy(found, inLayer)
		if len(wanted) == 0 {
			break
		}
	}
	return found, nil
}

// origin returns the package whose script made a path, by the image's record.
func (l *layout) origin(p string) string {
	if l.record == nil {
		return ""
	}
	if row, ok := l.record.Lookup(p); ok && row.Origin != nil {
		return row.Origin.Package
	}
	return ""
}
