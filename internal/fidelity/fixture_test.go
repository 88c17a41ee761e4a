//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// members reads the members of an archive off lines such as
//
//	dir  etc 0755 0:0
//	file etc/motd 0644 0:0 Welcome
//	link etc/mtab 0:0 /proc/mounts
//	hard etc/issue etc/motd
func members(t *testing.T, text string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		h, content := &tar.Header{Name: f[1]}, ""
		switch f[0] {
		case "dir":
			h.Typeflag = tar.TypeDir
			scan(t, f[2]+" "+f[3], "%o %d:%d", &h.Mode, &h.Uid, &h.Gid)
		case "file":
			h.Typeflag = tar.TypeReg
			scan(t, f[2]+" "+f[3], "%o %d:%d", &h.Mode, &h.Uid, &h.Gid)
			if content = strings.Join(f[4:], " "); strings.HasPrefix(content, "capabilities ") {
				h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": strings.TrimPrefix(content, "capabilities ")}
			}
			h.Size = int64(len(content))
		case "link":
			h.Typeflag, h.Mode, h.Linkname = tar.TypeSymlink, 0o777, f[3]
			scan(t, f[2], "%d:%d", &h.Uid, &h.Gid)
		case "hard":
			h.Typeflag, h.Linkname = tar.TypeLink, f[2]
		case "char":
			h.Typeflag = tar.TypeChar
			scan(t, f[2]+" "+f[3]+" "+f[4], "%o %d:%d %d:%d", &h.Mode, &h.Uid, &h.Gid, &h.Devmajor, &h.Devminor)
		default:
			t.Fatalf("%q: unknown type", line)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func scan(t *testing.T, s, format string, into ...any) {
	t.Helper()
	if _, err := fmt.Sscanf(s, format, into...); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
}

// writeLayout writes an OCI layout of one image with these layers and returns its
// directory.
func writeLayout(t *testing.T, layers ...string) string {
	dir := t.TempDir()
	var list []map[string]any
	for _, text := range layers {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(members(t, text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		list = append(list, writeBlob(t, dir, "application/vnd.oci.image.layer.v1.tar+gzip", b.Bytes()))
	}
	config := writeBlob(t, dir, "application/vnd.oci.image.config.v1+json", []byte("{}"))
	image := writeBlob(t, dir, "application/vnd.oci.image.manifest.v1+json", encode(t, map[string]any{"config": config, "layers": list}))
	index := writeBlob(t, dir, "application/vnd.oci.image.index.v1+json", encode(t, map[string]any{"manifests": []any{image}}))
	put(t, filepath.Join(dir, "index.json"), string(encode(t, map[string]any{"manifests": []any{index}})))
	return dir
}

func encode(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeBlob(t *testing.T, dir, mediaType string, b []byte) map[string]any {
	sum := fmt.Sprintf("%x", sha256.Sum256(b))
	put(t, filepath.Join(dir, "blobs", "sha256", sum), string(b))
	return map[string]any{"mediaType": mediaType, "digest": "sha256:" + sum, "size": len(b)}
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// merged returns what an image with these layers is.
func merged(t *testing.T, layers ...string) *manifest {
	l, err := openLayout(writeLayout(t, layers...))
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.manifest("")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// dump writes a manifest as one line for each path.
func dump(m *manifest) string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(m.Paths)) {
		fmt.Fprintf(&b, "/%s: %s\n", p, m.Paths[p])
	}
	return b.String()
}

// unindent takes the tabs of a test's source off an expectation.
func unindent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimPrefix(s, "\n")) {
		if line = strings.TrimLeft(line, "\t"); line != "" {
			b.WriteString(line)
		}
	}
	return b.String()
}
