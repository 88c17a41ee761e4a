package oci

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/store"
)

const (
	layoutFile        = "oci-layout"
	layoutContent     = `{"imageLayoutVersion":"1.0.0"}`
	layoutBlobs       = "blobs/sha256"
	indexFile         = "index.json"
	annotationRefName = "org.opencontainers.image.ref.name"

	copyBuffer = 256 << 10
)

// LayoutOptions say how an image layout is written.
type LayoutOptions struct {
	RefName string // annotation org.opencontainers.image.ref.name, such as a tag; none by default
	Jobs    int    // blobs written at a time; 0 is one per CPU, at least 8

	// Artifacts about the index or its images are written with it, see [Source.Attach].
	Artifacts []*Artifact

	Ahead *Ahead // of this layout, with layers that are written already; nil for none
}

// WriteLayout writes x as the OCI image layout in dir (OCI image spec,
// image-layout.md), whose index.json has the one descriptor of x.
//
// A layout is the output of one build. Where dir is a layout already, blobs that
// it has are kept if their content is right, index.json is replaced whole, and
// blobs it no longer leads to are removed after that; at each moment the layout is
// the old image or the new one. Writers of one layout take turns. A directory that
// does not exist appears under its name when it is complete; an empty one is
// filled, index.json last. A directory in use for something else is refused with
// an error that wraps [ErrNotLayout], and a layout of several images, each with a name,
// with one that names them.
func WriteLayout(ctx context.Context, dir string, x *Index, o LayoutOptions) error {
	if err := writeLayout(ctx, filepath.Clean(dir), x, o); err != nil {
		return fmt.Errorf("cannot write OCI layout %s: %w", dir, err)
	}
	return nil
}

func writeLayout(ctx context.Context, dir string, x *Index, o LayoutOptions) error {
	if err := validateRefName(o.RefName); err != nil {
		return err
	}
	blobs, err := x.blobs()
	if err != nil {
		return err
	}
	o.Artifacts = lastOfEach(o.Artifacts)
	w := &layoutWriter{blobs: blobs, jobs: o.Jobs, ahead: o.Ahead}
	if w.jobs <= 0 {
		w.jobs = max(8, runtime.GOMAXPROCS(0)) // most of the time each waits for the disk
	}
	if w.index, err = layoutIndexOf(x, o); err != nil {
		return err
	}
	for _, a := range o.Artifacts {
		w.blobs = append(w.blobs, a.blobs()...)
	}
	err = checkTarget(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = w.create(ctx, dir); errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
			return w.update(ctx, dir) // another writer was first
		}
		return err
	}
	if err != nil {
		return err
	}
	return w.update(ctx, dir)
}

// layoutIndexOf returns index.json for x.
func layoutIndexOf(x *Index, o LayoutOptions) ([]byte, error) {
	doc := indexDoc{SchemaVersion: 2, MediaType: mediaIndex, Manifests: []descriptor{x.descriptor(o.RefName)}}
	if len(o.Artifacts) > 0 {
		if doc.Manifests[0].Annotations == nil {
			doc.Manifests[0].Annotations = map[string]string{}
		}
		doc.Manifests[0].Annotations[annotationKind] = kindOf(x.MediaType)
	}
	var about []descriptor
	for _, a := range o.Artifacts {
		about = append(about, a.entry())
	}
	slices.SortStableFunc(about, func(a, b descriptor) int { return compareEntries(a, b, x.Digest) })
	doc.Manifests = append(doc.Manifests, about...)
	return encode(doc)
}

// refNameForm is the grammar of the annotation (OCI image spec, annotations.md).
var refNameForm = regexp.MustCompile(`^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$`)

func validateRefName(s string) error {
	if s != "" && !refNameForm.MatchString(s) {
		return fmt.Errorf("reference name %q: expected letters and digits with single separators, such as 3.13 or example/python:3.13", s)
	}
	return nil
}

type layoutWriter struct {
	root  *os.Root
	blobs []blob
	index []byte // the content of index.json
	jobs  int
	ahead *Ahead

	// amend, unless nil, makes index and used out of the layout as it is. It is called
	// with the layout's lock.
	amend func(dir string) error
	used  map[string]bool // names of the blobs that index leads to beside blobs; nil with amend is all

	mu    sync.Mutex
	added []string // blobs that this writer put there, by name
}

// create makes a layout where there is nothing. The error is that of a rename onto
// a directory that is not empty where another writer was first.
func (w *layoutWriter) create(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return err
	}
	f, err := createPartial(dir, true)
	if err != nil {
		return err
	}
	defer f.Close() // gives the lock back when the layout has its name
	defer func() {
		if err != nil {
			os.RemoveAll(f.Name())
		}
	}()
	if err := w.fill(ctx, f.Name()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// update writes into a directory that exists.
func (w *layoutWriter) update(ctx context.Context, dir string) error {
	f, locked, err := lockDir(ctx, dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkLayoutDir(dir); err != nil {
		return err
	}
	if locked {
		w.sweep(dir)
	}
	if w.amend != nil {
		if err := w.amend(dir); err != nil {
			return err
		}
	}
	if err := w.fill(ctx, dir); err != nil {
		return err
	}
	if w.amend != nil && w.used == nil {
		return nil
	}
	if !locked {
		return nil // another writer's blobs may be waiting for its index.json
	}
	return w.collect(dir)
}

// fill writes the layout into dir: what makes it one first, index.json last.
func (w *layoutWriter) fill(ctx context.Context, dir string) (err error) {
	if w.root, err = os.OpenRoot(dir); err != nil {
		return err
	}
	defer w.root.Close()
	if _, err := w.root.Stat(layoutFile); err != nil {
		if err := w.put(layoutFile, strings.NewReader(layoutContent)); err != nil {
			return err
		}
	}
	if err := w.root.MkdirAll(layoutBlobs, 0o777); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.jobs)
	for _, b := range w.blobs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return w.putBlob(b)
		})
	}
	if err := group.Wait(); err != nil {
		w.withdraw()
		return err
	}
	if old, err := w.root.ReadFile(indexFile); err == nil && string(old) == string(w.index) && len(w.added) == 0 {
		return nil // and who wrote it made the blobs durable before
	}
	for _, sub := range []string{layoutBlobs, "blobs"} {
		if err := w.syncDir(sub); err != nil {
			return err
		}
	}
	if err := w.put(indexFile, strings.NewReader(string(w.index))); err != nil {
		w.withdraw()
		return err
	}
	return w.syncDir(".")
}

func (w *layoutWriter) putBlob(b blob) error {
	name := layoutBlobs + "/" + b.digest.Hex()
	if w.hasBlob(name, b) {
		return nil
	}
	if !w.ahead.take(b.digest, filepath.Join(w.root.Name(), name)) {
		r, err := b.open()
		if err != nil {
			return fmt.Errorf("blob %s: %w", b.digest, err)
		}
		defer r.Close()
		if err := w.put(name, sized(r, b)); err != nil {
			return fmt.Errorf("blob %s: %w", b.digest, err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.added = append(w.added, name)
	return nil
}

// withdraw removes what this writer put there, which nothing leads to yet.
func (w *layoutWriter) withdraw() {
	for _, name := range w.added {
		w.root.Remove(name)
	}
}

// hasBlob reports whether the layout has b with the right content.
func (w *layoutWriter) hasBlob(name string, b blob) bool {
	f, err := w.root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != b.size {
		return false
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, copyBuffer)); err != nil {
		return false
	}
	return digestOf(h) == b.digest
}

// put makes the file name, below the root, out of r: whole or not at all.
func (w *layoutWriter) put(name string, r io.Reader) (err error) {
	partial := partialMark + rand.Text()[:12]
	f, err := w.root.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			w.root.Remove(partial)
		}
	}()
	// Wrapped, or File.ReadFrom would copy with a small buffer of its own.
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{r}, make([]byte, copyBuffer)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return w.root.Rename(partial, name)
}

func (w *layoutWriter) syncDir(name string) error {
	d, err := w.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return ignoreUnsupported(d.Sync())
}

// sweep removes what a killed writer left. The caller has the layout's lock.
func (w *layoutWriter) sweep(dir string) {
	names, _ := filepath.Glob(filepath.Join(escapeGlob(dir), partialMark+"*"))
	for _, name := range names {
		os.Remove(name)
	}
}

func escapeGlob(s string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(s, `\$0`)
}

// collect removes the blobs that index.json does not lead to. The caller has the
// layout's lock. Files that are not named like a blob stay.
func (w *layoutWriter) collect(dir string) error {
	used := map[string]bool{}
	maps.Copy(used, w.used)
	for _, b := range w.blobs {
		used[b.digest.Hex()] = true
	}
	entries, err := os.ReadDir(filepath.Join(dir, layoutBlobs))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := store.FromHex(e.Name()); err != nil || used[e.Name()] || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, layoutBlobs, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the image is written; cannot remove an old blob: %w", err)
		}
	}
	return nil
}

// sized returns a reader of b that fails, rather than end, at another size than
// the one stated. The digest is checked by what b.open returned.
func sized(r io.Reader, b blob) io.Reader { return &sizedReader{r: r, left: b.size, blob: b} }

type sizedReader struct {
	r    io.Reader
	left int64
	blob blob
}

func (s *sizedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.left -= int64(n)
	if s.left < 0 || err == io.EOF && s.left > 0 {
		return n, fmt.Errorf("%w: %d bytes are stated, the content has %+d", ErrMismatch, s.blob.size, -s.left)
	}
	return n, err
}
