// Package inventorytest makes images for the tests of packages that read them: written
// to a layout and read back as any image is.
package inventorytest

import (
	"archive/tar"
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
)

// File is a path of a layer. One that ends in a slash is a directory.
type File struct {
	Path     string
	Mode     int64 // 0 is 0644, of a directory 0755
	UID, GID int
	Content  string
	Symlink  string // target
	Hardlink string // path
}

// Image is an image to be.
type Image struct {
	Architecture string // default amd64
	Config       v1.Config
	Layers       [][]File
	CreatedBy    []string // by layer
	Record       *record.Record
}

// Read writes the image and reads it.
func (i Image) Read(t testing.TB) *facts.Image {
	t.Helper()
	read := i.Open(t)
	img, err := facts.Read(t.Context(), read)
	must(t, err)
	return img
}

// Open writes the image and opens it.
func (i Image) Open(t testing.TB) *oci.Image {
	t.Helper()
	img := empty.Image
	for n, files := range i.Layers {
		content := archive(t, files)
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
		must(t, err)
		add := mutate.Addendum{Layer: layer}
		if n < len(i.CreatedBy) {
			add.History.CreatedBy = i.CreatedBy[n]
		}
		img, err = mutate.Append(img, add)
		must(t, err)
	}
	config, err := img.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", i.Architecture, i.Config
	config.Created = v1.Time{Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	if config.Architecture == "" {
		config.Architecture = "amd64"
	}
	img, err = mutate.ConfigFile(img, config)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "layout")
	path, err := layout.Write(dir, empty.Index)
	must(t, err)
	must(t, path.AppendImage(img))
	src, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
	must(t, err)
	t.Cleanup(func() { src.Close() })
	read := src.Images[0]
	if i.Record != nil {
		i.Record.Format = record.Format
		read.Config.Record, err = i.Record.Encode()
		must(t, err)
	}
	return read
}

func archive(t testing.TB, files []File) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Mode: f.Mode, Uid: f.UID, Gid: f.GID, Typeflag: tar.TypeReg, Size: int64(len(f.Content))}
		switch {
		case strings.HasSuffix(f.Path, "/"):
			h.Typeflag = tar.TypeDir
		case f.Symlink != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Symlink
		case f.Hardlink != "":
			h.Typeflag, h.Linkname = tar.TypeLink, strings.TrimPrefix(f.Hardlink, "/")
		}
		if f.Mode == 0 && h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		} else if f.Mode == 0 {
			h.Mode = 0o644
		}
		must(t, w.WriteHeader(h))
		_, err := io.WriteString(w, f.Content)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
