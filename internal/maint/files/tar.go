package files

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/xz"
)

const tarOptions = "x|get|extract c|create t|list f|file= C|directory= z|gunzip|gzip J|xz j|bzip2 zstd a|auto-compress v|verbose p|preserve-permissions|same-permissions " +
	"same-owner o|no-same-owner no-same-permissions numeric-owner m|touch k|keep-old-files skip-old-files overwrite no-overwrite-dir strip-components= " +
	"exclude= wildcards no-wildcards wildcards-match-slash anchored no-anchored O|to-stdout P|absolute-names h|dereference owner= group= mode= mtime= sort= " +
	"xattrs no-xattrs acls no-acls selinux no-selinux T|files-from= keep-directory-symlink warning= U|unlink-first recursion no-recursion one-file-system b|blocking-factor= format="

// archiver is one call of tar(1).
type archiver struct {
	*job
	names  *accounts.Database
	strip  int
	given  []string // members that are meant, all where none is
	skips  []func(string) bool
	seen   map[string]bool
	packed int64
	dirsAt []dirStatus // directories that get their status when all is in them
}

type dirStatus struct {
	name   string
	header *tar.Header
}

func tarCommand(ctx context.Context, p *shell.Proc) (int, error) {
	q := *p
	q.Args = tarArguments(p.Args)
	c, err := getopt.Parse(&q, tarOptions)
	if bad, ok := errors.AsType[*getopt.UsageError](err); ok {
		_, err := p.Errorf("%s", bad.Text)
		return 2, err
	}
	if err != nil {
		return 0, err
	}
	a := &archiver{job: &job{Call: c}, names: accounts.Names(p.FS), given: c.Operands, seen: map[string]bool{}}
	err = a.run(ctx)
	if why := reason(err); why != "" {
		_, err = p.Errorf("%v: %s", c.Value("file"), why)
		return 2, err
	}
	return a.status, err
}

// tarArguments gives the letters of the old form, "tar xzf FILE", their dashes.
func tarArguments(args []string) []string {
	if len(args) < 2 || strings.HasPrefix(args[1], "-") {
		return args
	}
	out, rest := []string{args[0]}, args[2:]
	for _, letter := range args[1] {
		out = append(out, "-"+string(letter))
		if strings.ContainsRune("fCbT", letter) && len(rest) > 0 {
			out, rest = append(out, rest[0]), rest[1:]
		}
	}
	return append(out, rest...)
}

func (a *archiver) run(ctx context.Context) error {
	if a.Has("files-from") || a.Has("dereference") {
		return shell.Unsupported("tar: options -T and -h")
	}
	for _, o := range a.Options {
		switch o.Name {
		case "strip-components":
			n, err := strconv.Atoi(o.Value)
			if err != nil || n < 0 {
				return a.usage("Invalid number of elements: %s", o.Value)
			}
			a.strip = n
		case "exclude":
			matches, err := glob(o.Value, false)
			if err != nil {
				return err
			}
			a.skips = append(a.skips, matches)
		}
	}
	file := a.Path(a.Value("file"))
	if a.Value("file") == "-" || !a.Has("file") {
		file = ""
	}
	if a.Has("directory") {
		a.Dir = a.Path(a.Value("directory"))
		if !a.FS.IsDir(a.Dir) {
			a.status = 2
			return a.usage("%s: Cannot open: No such file or directory", a.Value("directory"))
		}
	}
	switch a.Last("extract", "create", "list") {
	case "create":
		return a.create(ctx, file)
	case "":
		a.status = 2
		return a.usage("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options")
	}
	return a.read(ctx, file)
}

// maxArchive bounds what is read out of one archive, bytes.
const maxArchive = 4 << 30

// open returns the archive, uncompressed.
func (a *archiver) open(file string) (io.Reader, error) {
	r := a.Stdin
	if file != "" {
		b, err := a.FS.ReadFile(file)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	head := make([]byte, 6)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, err
	}
	r = io.MultiReader(bytes.NewReader(head[:n]), r)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		if r, err = gzip.NewReader(r); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(head, []byte("\xfd7zXZ")):
		if r, err = xz.NewReader(r); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(head, []byte("BZh")):
		r = bzip2.NewReader(r)
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return nil, shell.Unsupported("tar: an archive that zstd has compressed")
	}
	return io.LimitReader(r, maxArchive), nil
}

// read extracts or lists an archive.
func (a *archiver) read(ctx context.Context, file string) error {
	r, err := a.open(file)
	if err != nil {
		return err
	}
	if file != "" {
		a.origin(file)
	}
	archive := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			a.status = 2
			return a.usage("%v", err)
		}
		if err := a.member(h, archive); err != nil {
			return err
		}
	}
	for i := len(a.dirsAt) - 1; i >= 0; i-- {
		if err := a.restore(a.dirsAt[i].name, a.dirsAt[i].header); err != nil {
			return err
		}
	}
	for _, name := range a.given {
		if !a.seen[name] {
			a.status = 2
			fmt.Fprintf(a.Stderr, "tar: %s: Not found in archive\n", name)
		}
	}
	return nil
}

// wanted reports whether a member is one of those that the call means.
func (a *archiver) wanted(name string) bool {
	trimmed := strings.TrimSuffix(name, "/")
	for _, skip := range a.skips {
		for part := trimmed; ; {
			if skip(part) || skip(base(part)) {
				return false
			}
			i := strings.LastIndexByte(part, '/')
			if i <= 0 {
				break
			}
			part = part[:i]
		}
	}
	if len(a.given) == 0 {
		return true
	}
	ok := false
	for _, g := range a.given {
		want := strings.TrimSuffix(g, "/")
		matches := func(s string) bool { return s == want }
		if a.Has("wildcards") {
			if m, err := glob(want, false); err == nil {
				matches = m
			}
		}
		for part := trimmed; part != ""; part = part[:max(0, strings.LastIndexByte(part, '/'))] {
			if matches(part) {
				a.seen[g], ok = true, true
			}
		}
	}
	return ok
}

func (a *archiver) member(h *tar.Header, r io.Reader) error {
	if !a.wanted(h.Name) {
		return nil
	}
	if a.Has("list") {
		if a.Has("verbose") {
			return shell.Unsupported("tar: listing with -v")
		}
		return a.say("%s", h.Name)
	}
	name := a.target(h.Name)
	if name == "" {
		return nil
	}
	if a.Has("verbose") {
		if err := a.say("%s", h.Name); err != nil {
			return err
		}
	}
	if a.Has("to-stdout") {
		if h.Typeflag == tar.TypeReg {
			_, err := io.Copy(a.Stdout, r)
			return err
		}
		return nil
	}
	err := a.extract(name, h, r)
	if why := reason(err); why != "" {
		a.status = 2
		return a.usage("%s: Cannot open: %s", h.Name, why)
	}
	return err
}

// target returns where a member goes, "" for nowhere: without what is stripped, and
// never above the directory.
func (a *archiver) target(name string) string {
	parts := strings.FieldsFunc(name, isSlash)
	for _, p := range parts {
		if p == ".." && !a.Has("absolute-names") {
			a.status = 2
			fmt.Fprintf(a.Stderr, "tar: %s: Member name contains '..'\n", name)
			return ""
		}
	}
	if len(parts) <= a.strip {
		return ""
	}
	to := strings.Join(parts[a.strip:], "/")
	if strings.HasPrefix(name, "/") && a.Has("absolute-names") {
		return "/" + to
	}
	return to
}

func (a *archiver) extract(name string, h *tar.Header, r io.Reader) error {
	at := a.Path(name)
	n, err := a.FS.Lstat(at)
	if err == nil && n.Type == tree.Dir && h.Typeflag == tar.TypeDir {
		if !a.Has("no-overwrite-dir") {
			a.dirsAt = append(a.dirsAt, dirStatus{name, h})
		}
		return nil
	}
	if err == nil {
		if a.Has("keep-old-files") || a.Has("skip-old-files") {
			if a.Has("keep-old-files") {
				a.status = 2
				fmt.Fprintf(a.Stderr, "tar: %s: Cannot open: File exists\n", name)
			}
			return nil
		}
		if err := a.FS.Remove(at); err != nil {
			return err
		}
	} else if err := a.FS.MkdirAll(path.Dir(clean(at)), 0o777&^a.Umask); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		a.dirsAt = append(a.dirsAt, dirStatus{name, h})
		return a.FS.Mkdir(at, 0o755)
	case tar.TypeSymlink:
		if err := a.FS.Symlink(h.Linkname, at); err != nil {
			return err
		}
	case tar.TypeLink:
		return a.FS.Link(a.Path(a.target(h.Linkname)), at)
	case tar.TypeReg:
		w, err := a.FS.Create(at, 0o600)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	default:
		return shell.Unsupported("tar: a member that is no file, directory or link, which an image cannot hold,")
	}
	return a.restore(name, h)
}

// restore gives what was extracted the owner, the mode and the time of the archive.
func (a *archiver) restore(name string, h *tar.Header) error {
	at, link := a.Path(name), h.Typeflag == tar.TypeSymlink
	if !a.Has("no-same-owner") {
		uid, gid := uint32(h.Uid), uint32(h.Gid)
		if !a.Has("numeric-owner") {
			if u, ok := a.names.User(h.Uname); ok {
				uid = u.UID
			}
			if g, ok := a.names.Group(h.Gname); ok {
				gid = g.GID
			}
		}
		if err := a.FS.Chown(at, uid, gid, !link); err != nil {
			return err
		}
	}
	if !link {
		perm := uint32(h.Mode) & allBits
		if a.Has("no-same-permissions") {
			perm &^= a.Umask
		}
		if err := a.FS.Chmod(at, perm); err != nil {
			return err
		}
	}
	if a.Has("touch") {
		return nil
	}
	return a.FS.Touch(at, h.ModTime.Unix(), !link)
}
