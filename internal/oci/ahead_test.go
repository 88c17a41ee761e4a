package oci_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
)

// A layout takes what was written ahead of it. Whatever became of that, the layout is
// the same, and nothing is beside it afterwards.
func TestAhead(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x, other := buildIndex(t, st, linuxAMD64), otherIndex(t, st)
	for _, e := range []struct {
		name  string
		ahead func(*oci.Ahead)
	}{
		{"nothing", func(*oci.Ahead) {}},
		{"all", func(a *oci.Ahead) { putAll(a, x) }},
		{"twice", func(a *oci.Ahead) { putAll(a, x); putAll(a, x) }},
		{"too much", func(a *oci.Ahead) { putAll(a, other); putAll(a, x) }},
		{"a layer that cannot be read", func(a *oci.Ahead) {
			l := x.Images[0].Layers[0]
			l.Open = func() (io.ReadCloser, error) { return nil, errors.New("cannot be read") }
			a.Put(l)
		}},
		{"a layer that is too short", func(a *oci.Ahead) {
			l := x.Images[0].Layers[0]
			l.Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("short")), nil }
			a.Put(l)
		}},
	} {
		t.Run(e.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "a", "dist")
			for range 2 { // into nothing, then into a layout
				a, err := oci.NewAhead(dir)
				check(t, err)
				e.ahead(a)
				check(t, oci.WriteLayout(t.Context(), dir, x, oci.LayoutOptions{RefName: "3.13", Ahead: a}))
				a.Close()
				if got, want := names(t, dir), layoutNames(blobsOf(t, x)); got != want {
					t.Errorf("files\n%s\nwant\n%s", got, want)
				}
				check(t, readEverything(t, dir, oci.OpenOptions{}))
				if got := names(t, parent); strings.Contains(got, "partial") {
					t.Errorf("left behind: %s", got)
				}
			}
		})
	}
}

// A layer that the layout took is the file that was written ahead.
func TestAheadIsTaken(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "dist")
	x := buildIndex(t, openStore(t), linuxAMD64)
	a, err := oci.NewAhead(dir)
	check(t, err)
	defer a.Close()
	opened := 0
	l := x.Images[0].Layers[0]
	open := l.Open
	x.Images[0].Layers[0].Open = func() (io.ReadCloser, error) { opened++; return open() }
	a.Put(l)
	writeAhead := func() error {
		return oci.WriteLayout(t.Context(), dir, x, oci.LayoutOptions{RefName: "3.13", Ahead: a})
	}
	check(t, writeAhead())
	if opened != 0 {
		t.Errorf("the layer was read %d times more", opened)
	}
	check(t, readEverything(t, dir, oci.OpenOptions{}))
}

// Where no layout is written, nothing is left: neither layers nor directories.
func TestAheadWithoutLayout(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	a, err := oci.NewAhead(filepath.Join(parent, "a", "b", "dist"))
	check(t, err)
	putAll(a, buildIndex(t, openStore(t), linuxAMD64))
	a.Close()
	if got, err := os.ReadDir(parent); err != nil || len(got) > 0 {
		t.Errorf("left behind: %v, %v", got, err)
	}
	file := filepath.Join(parent, "file")
	check(t, os.WriteFile(file, nil, 0o644))
	if _, err := oci.NewAhead(filepath.Join(file, "dist")); err == nil {
		t.Error("no error below a file")
	}
}

func putAll(a *oci.Ahead, x *oci.Index) {
	for _, img := range x.Images {
		for _, l := range img.Layers {
			a.Put(l)
		}
	}
}
