package services

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// temporary is one call of systemd-tmpfiles(8).
type temporary struct {
	*shell.Proc
}

// The statuses of systemd-tmpfiles for lines that are wrong and for what cannot be
// made.
const (
	dataError    = 65
	cannotCreate = 73
)

func tmpfiles(_ context.Context, p *shell.Proc) (int, error) {
	t := &temporary{Proc: p}
	create, boot := false, false
	var names, prefixes, excluded []string
	for _, a := range p.Args[1:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "--create":
			create = true
		case "--boot":
			boot = true
		case "--graceful", "--no-pager":
		case "--prefix":
			prefixes = append(prefixes, value)
		case "--exclude-prefix":
			excluded = append(excluded, value)
		case "-E":
			excluded = append(excluded, "/dev", "/proc", "/run", "/sys")
		case "--root":
			if value != "/" && value != "" {
				return 0, shell.Unsupported("systemd-tmpfiles %s", a)
			}
		default:
			if strings.HasPrefix(a, "-") {
				return 0, shell.Unsupported("systemd-tmpfiles %s", a)
			}
			names = append(names, a)
		}
	}
	if !create {
		return 0, shell.Unsupported("systemd-tmpfiles without --create")
	}
	below := func(name string, dirs []string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return name == d || strings.HasPrefix(name, strings.TrimSuffix(d, "/")+"/") })
	}
	status := 0
	var items []item
	for _, file := range t.files(names, &status) {
		items = append(items, t.read(file, &status)...)
	}
	owned := map[string]bool{}
	for _, it := range items {
		if strings.IndexByte("fdDvqQpLcbCwerRxX", it.kind) >= 0 {
			if owned[it.path] {
				say(p.Stderr, "Duplicate line for path \"%s\", ignoring.", it.path)
				continue
			}
			owned[it.path] = true
		}
		if it.boot && !boot || len(prefixes) > 0 && !below(it.path, prefixes) || below(it.path, excluded) {
			continue
		}
		if err := t.create(it); err != nil {
			if _, ok := errors.AsType[*fs.PathError](err); !ok {
				return 0, err
			}
			if _, err := t.Fail(err); err != nil {
				return 0, err
			}
			if !it.may && status == 0 {
				status = cannotCreate
			}
		}
	}
	return status, nil
}

// create does what a line asks for.
func (t *temporary) create(it item) error {
	switch it.kind {
	case 'd', 'D', 'v', 'q', 'Q':
		return t.directory(it)
	case 'f':
		return t.file(it)
	case 'w':
		return t.each(it, func(name string) error { return t.write(it, name) })
	case 'L':
		return t.symlink(it)
	case 'C':
		return t.copy(it)
	case 'e':
		return t.each(it, func(name string) error {
			if n, err := t.FS.Lstat(name); err != nil || n.Type != tree.Dir {
				return nil
			}
			return t.adjust(it, name, false)
		})
	case 'z', 'Z', 'm':
		return t.each(it, func(name string) error { return t.adjustAll(it, name) })
	case 'x', 'X', 'r', 'R', 't', 'T', 'h', 'H', 'a', 'A', 'c', 'b':
		return nil // nothing to make, or what an image cannot hold
	case 'p':
		return shell.Unsupported("a named pipe, which systemd-tmpfiles makes at %s,", it.path)
	}
	return nil
}

func (t *temporary) directory(it item) error {
	n, err := t.FS.Lstat(it.path)
	if err == nil && n.Type != tree.Dir {
		if !it.replace {
			return &fs.PathError{Op: "mkdir", Path: it.path, Err: fs.ErrExist}
		}
		if err := t.FS.RemoveAll(it.path); err != nil {
			return err
		}
		n = nil
	}
	if err != nil || n == nil {
		if err := t.FS.MkdirAll(it.path, 0o755); err != nil {
			return err
		}
		return t.adjust(it, it.path, true)
	}
	return t.adjust(it, it.path, false)
}

func (t *temporary) file(it item) error {
	n, err := t.FS.Lstat(it.path)
	made := err != nil
	if err == nil && n.Type != tree.File {
		return &fs.PathError{Op: "open", Path: it.path, Err: fs.ErrExist}
	}
	if made || it.force {
		if err := t.FS.MkdirAll(path.Dir(it.path), 0o755); err != nil {
			return err
		}
		if err := t.FS.WriteFile(it.path, []byte(unescape(it.argument)), 0o644); err != nil {
			return err
		}
	}
	return t.adjust(it, it.path, made)
}

// unescape expands the escapes of C in what is written to a file.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	if v, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(s, `\"`, `"`), `"`, `\"`) + `"`); err == nil {
		return v
	}
	return s
}

func (t *temporary) write(it item, name string) error {
	old := ""
	if it.force {
		b, err := t.FS.ReadFile(name)
		if err != nil {
			return err
		}
		old = string(b)
	}
	return t.FS.WriteFile(name, []byte(old+unescape(it.argument)), 0o644)
}

func (t *temporary) symlink(it item) error {
	to := it.argument
	if to == "" {
		to = "/usr/share/factory" + it.path
	}
	if it.given {
		at := to
		if !strings.HasPrefix(to, "/") {
			at = path.Join(path.Dir(it.path), to)
		}
		if !t.FS.Exists(at) {
			return nil
		}
	}
	n, err := t.FS.Lstat(it.path)
	if err == nil {
		if n.Type == tree.Symlink && n.Link == to || !it.force && (n.Type == tree.Symlink || !it.replace) {
			return nil
		}
		if err := t.FS.RemoveAll(it.path); err != nil {
			return err
		}
	}
	if err := t.FS.MkdirAll(path.Dir(it.path), 0o755); err != nil {
		return err
	}
	return t.FS.Symlink(to, it.path)
}

// copy copies a file or a directory to where nothing is, or an empty directory.
func (t *temporary) copy(it item) error {
	from := it.argument
	if from == "" {
		from = "/usr/share/factory" + it.path
	}
	if !t.FS.Exists(from) {
		return nil
	}
	if n, err := t.FS.Lstat(it.path); err == nil {
		names, _ := t.FS.ReadDir(it.path) // a file has none
		if n.Type != tree.Dir || len(names) > 0 && !it.force {
			return t.adjust(it, it.path, false)
		}
	}
	if err := t.FS.MkdirAll(path.Dir(it.path), 0o755); err != nil {
		return err
	}
	if err := copyTree(t.FS, from, it.path); err != nil {
		return err
	}
	return t.adjust(it, it.path, true)
}

func copyTree(f *rootfs.FS, from, to string) error {
	n, err := f.Lstat(from)
	if err != nil {
		return err
	}
	switch n.Type {
	case tree.Symlink:
		if _, err := f.Lstat(to); err == nil {
			return nil
		}
		return f.Symlink(n.Link, to)
	case tree.Dir:
		if err := f.MkdirAll(to, 0o755); err != nil {
			return err
		}
		names, err := f.ReadDir(from)
		if err != nil {
			return err
		}
		for _, name := range slices.Clone(names) {
			if err := copyTree(f, from+"/"+name, to+"/"+name); err != nil {
				return err
			}
		}
	default:
		b, err := f.ReadFile(from)
		if err != nil {
			return err
		}
		if err := f.WriteFile(to, b, 0o644); err != nil {
			return err
		}
	}
	if err := f.Chown(to, n.UID, n.GID, true); err != nil {
		return err
	}
	return f.Chmod(to, n.Mode)
}

// each does something for each path that a line's pattern matches.
func (t *temporary) each(it item, do func(string) error) error {
	for _, name := range expandGlob(t.FS, it.path) {
		if err := do(name); err != nil {
			return err
		}
	}
	return nil
}

// expandGlob returns the paths that match a pattern of glob(7), sorted.
func expandGlob(f *rootfs.FS, pattern string) []string {
	found := []string{"/"}
	for part := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			if !strings.ContainsAny(part, "*?[") {
				if _, err := f.Lstat(path.Join(dir, part)); err == nil {
					next = append(next, path.Join(dir, part))
				}
				continue
			}
			names, err := f.ReadDir(dir)
			if err != nil {
				continue
			}
			re := globs(part)
			for _, name := range names {
				if re.MatchString(name) && (name[0] != '.' || part[0] == '.') {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		found = next
	}
	return found
}

func (t *temporary) adjustAll(it item, name string) error {
	if err := t.adjust(it, name, false); err != nil || !it.recursive {
		return err
	}
	n, err := t.FS.Lstat(name)
	if err != nil || n.Type != tree.Dir {
		return err
	}
	names, err := t.FS.ReadDir(name)
	if err != nil {
		return err
	}
	for _, child := range slices.Clone(names) {
		if err := t.adjustAll(it, name+"/"+child); err != nil {
			return err
		}
	}
	return nil
}

// adjust gives a path the owner and mode of a line. made says that it was made
// just now.
func (t *temporary) adjust(it item, name string, made bool) error {
	n, err := t.FS.Lstat(name)
	if err != nil {
		return err
	}
	uid, gid := uint32(rootfs.Owner), uint32(rootfs.Owner)
	if it.uid != nil && (made || !it.ownerNew) {
		uid = *it.uid
	}
	if it.gid != nil && (made || !it.ownerNew) {
		gid = *it.gid
	}
	mode := n.Mode
	if err := t.FS.Chown(name, uid, gid, false); err != nil {
		return err
	}
	if n.Type == tree.Symlink {
		return nil
	}
	if it.mode != nil && (made || !it.modeNew) {
		old := mode
		mode = *it.mode
		if it.masked {
			for _, bits := range []uint32{0o111, 0o222, 0o444} {
				if old&bits == 0 {
					mode &^= bits
				}
			}
			if n.Type != tree.Dir {
				mode &^= 0o7000
			}
		}
	}
	return t.FS.Chmod(name, mode)
}
