package sandbox

import (
	"archive/tar"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The tests write trees and layers as text, one entry a line:
//
//	dir   NAME MODE [UID:GID]
//	file  NAME MODE [UID:GID] CONTENT...
//	link  NAME TARGET      a symbolic link
//	hard  NAME TARGET      a hard link
//	fifo  NAME MODE
//	char  NAME             a device
//	dev   the same
var treeTime = time.Unix(1_000_000_000, 0)

func tree(text string) []entry {
	var all []entry
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 {
			all = append(all, parseEntry(f))
		}
	}
	return all
}

type entry struct {
	tar.Header
	content string
}

func parseEntry(f []string) entry {
	e := entry{Header: tar.Header{Name: unquote(f[1]), ModTime: treeTime, Mode: 0o644}}
	rest := f[2:]
	mode := func() {
		e.Mode, _ = strconv.ParseInt(rest[0], 8, 64)
		rest = rest[1:]
		if len(rest) > 0 {
			if _, err := fmt.Sscanf(rest[0], "%d:%d", &e.Uid, &e.Gid); err == nil {
				rest = rest[1:]
			}
		}
	}
	switch f[0] {
	case "dir":
		e.Typeflag = tar.TypeDir
		mode()
	case "file":
		e.Typeflag = tar.TypeReg
		mode()
		e.content = strings.Join(rest, " ")
		e.Size = int64(len(e.content))
	case "link":
		e.Typeflag, e.Linkname, e.Mode = tar.TypeSymlink, rest[0], 0o777
	case "hard":
		e.Typeflag, e.Linkname = tar.TypeLink, rest[0]
	case "fifo":
		e.Typeflag = tar.TypeFifo
		mode()
	case "char":
		e.Typeflag, e.Devmajor, e.Devminor = tar.TypeChar, 1, 3
	default:
		panic("no kind " + f[0])
	}
	return e
}

// unquote lets a name hold what a field cannot.
func unquote(s string) string {
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return s
}

func put(w *tar.Writer, entries []entry) error {
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			return err
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			return err
		}
	}
	return nil
}

// layer is an uncompressed layer with these entries.
func layer(text string) Layer {
	var b strings.Builder
	w := tar.NewWriter(&b)
	if err := put(w, tree(text)); err != nil {
		panic(err)
	}
	w.Close()
	return Layer{Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(b.String())), nil }}
}

// dump exports paths of a stack as such text.
func dump(t testing.TB, s *Space, on []string, paths ...string) string {
	t.Helper()
	var b strings.Builder
	err := s.Export(t.Context(), on, paths, func(h *tar.Header, r io.Reader) error {
		b.WriteString(describe(h, r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func describe(h *tar.Header, r io.Reader) string {
	name := h.Name
	if name == "" || strings.ContainsAny(name, " \n\"") {
		name = strconv.Quote(name)
	}
	owner := ""
	if h.Uid != 0 || h.Gid != 0 {
		owner = fmt.Sprintf(" %d:%d", h.Uid, h.Gid)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return fmt.Sprintf("dir %s %o%s\n", name, h.Mode, owner)
	case tar.TypeReg:
		b, _ := io.ReadAll(r)
		return strings.TrimRight(fmt.Sprintf("file %s %o%s %s", name, h.Mode, owner, b), " ") + "\n"
	case tar.TypeSymlink:
		return fmt.Sprintf("link %s %s%s\n", name, h.Linkname, owner)
	case tar.TypeLink:
		return fmt.Sprintf("hard %s %s\n", name, h.Linkname)
	case tar.TypeFifo:
		return fmt.Sprintf("fifo %s %o%s\n", name, h.Mode, owner)
	case TypeSocket:
		return fmt.Sprintf("socket %s %o%s\n", name, h.Mode, owner)
	}
	return fmt.Sprintf("%c %s\n", h.Typeflag, name)
}

// lines makes a text comparable: without the indentation it has in the source.
func lines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
