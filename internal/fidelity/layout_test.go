//go:build linux

package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestManifestOfLayers(t *testing.T) {
	tests := map[string]struct {
		layers []string
		want   string
	}{
		"every type": {
			layers: []string{`
				dir  bin 0755 0:0
				dir  tmp 1777 0:0
				file bin/sh 4755 0:5 shell
				link bin/dash 1:2 sh
				hard bin/ash bin/sh
				char bin/null 0666 0:0 1:3`},
			want: `
				/bin: dir 0755 0:0
				/bin/ash: file 4755 0:5 5 bytes ce635c4eabff linked with bin/ash
				/bin/dash: link 1:2 -> sh
				/bin/null: device 0666 0:0 c 1:3
				/bin/sh: file 4755 0:5 5 bytes ce635c4eabff linked with bin/ash
				/tmp: dir 1777 0:0
				`,
		},
		"an upper layer gives a directory its mode, and replaces one name of two": {
			layers: []string{`
				dir  a 0700 0:0
				file a/one 0644 0:0 same
				hard a/two a/one`, `
				dir  a 0755 0:0
				file a/two 0644 0:0 same`},
			want: `
				/a: dir 0755 0:0
				/a/one: file 0644 0:0 4 bytes 0967115f2813
				/a/two: file 0644 0:0 4 bytes 0967115f2813
				`,
		},
		"a hard link into a lower layer": {
			layers: []string{"file one 0644 0:0 same", "hard two one"},
			want: `
				/one: file 0644 0:0 4 bytes 0967115f2813 linked with one
				/two: file 0644 0:0 4 bytes 0967115f2813 linked with one
				`,
		},
		"file capabilities": {
			layers: []string{"file ping 0755 0:0 capabilities x"},
			want:   "/ping: file 0755 0:0 14 bytes 50a58d433502 capabilities 78\n",
		},
		"names with dots and slashes": {
			layers: []string{"dir ./a/ 0755 0:0\nfile ./a//b 0644 0:0"},
			want: `
				/a: dir 0755 0:0
				/a/b: file 0644 0:0 0 bytes e3b0c44298fc
				`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, want := dump(merged(t, tt.layers...)), unindent(tt.want); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestBadLayers holds what an image of hardpan never has: reading it as if it
// were nothing would compare a tree that no runtime shows.
func TestBadLayers(t *testing.T) {
	tests := map[string]struct {
		layers []string
		want   string
	}{
		"a whiteout":               {[]string{"file a 0644 0:0", "file .wh.a 0644 0:0"}, "found a whiteout"},
		"a link that is a parent":  {[]string{"dir usr 0755 0:0\nlink lib 0:0 usr\nfile lib/x 0644 0:0"}, `lib/x: its parent is "link", expected a directory`},
		"a parent that is missing": {[]string{"file a/b 0644 0:0"}, `a/b: its parent is "", expected a directory`},
		"a hard link to nothing":   {[]string{"hard a b"}, "a: hard link to b, which is no file"},
		"a file over a directory":  {[]string{"dir a 0755 0:0", "file a 0644 0:0"}, "a: a file stands over a directory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := openLayout(writeLayout(t, tt.layers...))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.manifest(""); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestChangedBlobsAreFound(t *testing.T) {
	dir := writeLayout(t, "file a 0644 0:0 text")
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil || len(blobs) != 4 {
		t.Fatal(blobs, err)
	}
	for _, blob := range blobs {
		whole, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		put(t, blob, string(whole)+" ")
		l, err := openLayout(dir)
		if err == nil {
			_, err = l.manifest("")
		}
		if err == nil {
			t.Errorf("%s: was read with a byte more", blob)
		}
		put(t, blob, string(whole))
	}
}

func TestLayersAreRemembered(t *testing.T) {
	dir, cache := writeLayout(t, "dir d 0755 0:0\nfile d/a 0644 0:0 text\nhard d/b d/a"), t.TempDir()
	l, err := openLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := l.manifest(cache)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	second, err := l.manifest(cache)
	if err != nil {
		t.Fatal(err)
	}
	if dump(first) != dump(second) {
		t.Errorf("got\n%swant\n%s", dump(second), dump(first))
	}
}

func TestTextsComeFromTheUppermostLayer(t *testing.T) {
	l, err := openLayout(writeLayout(t, "file a 0644 0:0 old\nfile b 0644 0:0 below", "file a 0644 0:0 new\nfile binary 0644 0:0 \x00"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.texts([]string{"a", "b", "binary", "missing"})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": "new", "b": "below"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", slices.Collect(maps.Keys(got)), want)
	}
}
