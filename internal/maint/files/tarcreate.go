package files

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// create makes an archive.
func (a *archiver) create(ctx context.Context, file string) error {
	if len(a.given) == 0 {
		a.status = 2
		return a.usage("Cowardly refusing to create an empty archive")
	}
	for _, o := range []string{"owner", "group", "mode", "mtime", "xz", "bzip2", "zstd"} {
		if a.Has(o) {
			return shell.Unsupported("tar: -c with option --%s", o)
		}
	}
	var out bytes.Buffer
	w := io.Writer(&out)
	var zip *gzip.Writer
	if a.Has("gzip") || a.Has("auto-compress") && (strings.HasSuffix(file, ".gz") || strings.HasSuffix(file, ".tgz")) {
		zip = gzip.NewWriter(&out)
		w = zip
	}
	archive := tar.NewWriter(w)
	for _, name := range a.given {
		err := a.walk(ctx, name, noLinks, func(name string, n *tree.Node) (bool, error) {
			if !a.kept(name) {
				return false, nil
			}
			return !a.Has("no-recursion"), a.pack(archive, name, n)
		})
		if missingFile(err) {
			a.status = 2
			err = a.usage("%s: Cannot stat: No such file or directory", name)
			a.status = 2
		}
		if err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if zip != nil {
		if err := zip.Close(); err != nil {
			return err
		}
	}
	if file == "" {
		_, err := a.Stdout.Write(out.Bytes())
		return err
	}
	a.origin(a.given...)
	return a.FS.WriteFile(file, out.Bytes(), 0o666&^a.Umask)
}

// kept reports whether --exclude leaves a file in.
func (a *archiver) kept(name string) bool {
	for _, skip := range a.skips {
		if skip(name) || skip(base(name)) {
			return false
		}
	}
	return true
}

// maxPacked bounds what one archive is made from, bytes.
const maxPacked = 256 << 20

// pack adds one file.
func (a *archiver) pack(w *tar.Writer, name string, n *tree.Node) error {
	member := strings.TrimLeft(name, "/")
	if a.Has("absolute-names") {
		member = name
	}
	if member == "" {
		return nil
	}
	h := &tar.Header{
		Name: member, Mode: int64(n.Mode), Uid: int(n.UID), Gid: int(n.GID), Uname: a.nameOf(a.names.UserName(n.UID)), Gname: a.nameOf(a.names.GroupName(n.GID)),
		ModTime: time.Unix(n.ModTime, 0), Format: tar.FormatGNU,
	}
	var content []byte
	switch n.Type {
	case tree.Dir:
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(member, "/")+"/"
	case tree.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, n.Link
	default:
		if a.packed += n.Size; a.packed > maxPacked {
			return shell.Unsupported("tar: an archive of more than %d MB", maxPacked>>20)
		}
		var err error
		if content, err = a.FS.ReadFile(abs(n)); err != nil {
			return err
		}
		h.Typeflag, h.Size = tar.TypeReg, int64(len(content))
	}
	if a.Has("verbose") {
		out := a.Stdout
		if !a.Has("file") || a.Value("file") == "-" {
			out = a.Stderr
		}
		if _, err := io.WriteString(out, h.Name+"\n"); err != nil {
			return err
		}
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// nameOf returns an owner's name for a header: none where it is a number.
func (a *archiver) nameOf(name string) string {
	if a.Has("numeric-owner") || name != "" && isDigit(name[0]) {
		return ""
	}
	return name
}
