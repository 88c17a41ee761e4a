package services

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// item is one line of a tmpfiles.d file (tmpfiles.d(5)).
type item struct {
	kind      byte
	force     bool // +
	boot      bool // !
	may       bool // -: errors do not count
	replace   bool // =
	given     bool // ?: only where the target is there
	path      string
	mode      *uint32
	modeNew   bool // the mode is for what is made only
	masked    bool // the mode is masked by what is there
	uid, gid  *uint32
	ownerNew  bool
	argument  string
	recursive bool
}

// temporary is one call of systemd-tmpfiles(8).
type temporary struct {
	*shell.Proc
	failed bool
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

// confDirs are where tmpfiles.d files are, the most important first.
var confDirs = []string{"/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"}

// files returns the paths of the files that names mean, or of all.
func (t *temporary) files(names []string, status *int) []string {
	var files []string
	if len(names) == 0 {
		at := map[string]string{}
		for _, dir := range slices.Backward(confDirs) {
			inside, err := t.FS.ReadDir(dir)
			if err != nil {
				continue
			}
			for _, name := range inside {
				if strings.HasSuffix(name, ".conf") {
					at[name] = dir + "/" + name
				}
			}
		}
		for name := range at {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			files = append(files, at[name])
		}
		return files
	}
	for _, name := range names {
		found := ""
		if strings.HasPrefix(name, "/") {
			found = name
		}
		for _, dir := range confDirs {
			if found == "" && t.FS.Exists(dir+"/"+name) {
				found = dir + "/" + name
			}
		}
		if found == "" || !t.FS.Exists(found) {
			say(t.Stderr, "Failed to open '%s': No such file or directory", name)
			*status = 1
			continue
		}
		files = append(files, found)
	}
	return files
}

// read reads the lines of one file. Wrong ones are left out.
func (t *temporary) read(file string, status *int) []item {
	b, err := t.FS.ReadFile(file)
	if err != nil {
		*status = 1
		return nil
	}
	var items []item
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		it, use, err := t.parse(line)
		if err != nil {
			say(t.Stderr, "%s:%d: %v", file, number, err)
			*status = dataError
			continue
		}
		if use {
			items = append(items, it)
		}
	}
	return items
}

// words splits a line as extract_many_words does: quotes and the escapes of C
// count in the first six words; the rest is the argument.
func words(line string) (list []string, rest string) {
	for len(list) < 6 {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return list, ""
		}
		var w strings.Builder
		quote := byte(0)
		i := 0
		for ; i < len(line); i++ {
			c := line[i]
			switch {
			case quote == 0 && (c == ' ' || c == '\t'):
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
				continue
			case quote != 0 && c == quote:
				quote = 0
				continue
			default:
				w.WriteByte(c)
				continue
			}
			break
		}
		list, line = append(list, w.String()), line[i:]
	}
	return list, strings.TrimSpace(line)
}

// parse reads one line; use is false where it is for another machine.
func (t *temporary) parse(line string) (it item, use bool, err error) {
	w, argument := words(line)
	if len(w) < 2 {
		return it, false, errors.New("syntax error")
	}
	it = item{kind: w[0][0], argument: unquote(argument)}
	coded := false
	for _, m := range w[0][1:] {
		switch m {
		case '+':
			it.force = true
		case '!':
			it.boot = true
		case '-':
			it.may = true
		case '=':
			it.replace = true
		case '?':
			it.given = true
		case '~':
			coded = true
		case '$':
		case '^':
			return it, false, nil // a credential, of which there is none
		default:
			return it, false, fmt.Errorf("unknown modifier '%c'", m)
		}
	}
	if it.kind == 'F' {
		it.kind, it.force = 'f', true
	}
	if it.path, use = t.expand(w[1]); !use {
		return it, false, nil
	}
	if !strings.HasPrefix(it.path, "/") {
		return it, false, fmt.Errorf("path '%s' not absolute", it.path)
	}
	it.path = path.Clean(it.path)
	field := func(i int) string {
		if i < len(w) && w[i] != "-" {
			return w[i]
		}
		return ""
	}
	if m := field(2); m != "" {
		for m != "" && (m[0] == ':' || m[0] == '~') {
			it.modeNew, it.masked = it.modeNew || m[0] == ':', it.masked || m[0] == '~'
			m = m[1:]
		}
		n, err := strconv.ParseUint(m, 8, 12)
		if err != nil {
			return it, false, fmt.Errorf("invalid mode '%s'", w[2])
		}
		mode := uint32(n)
		it.mode = &mode
	}
	for i, file := range []string{"/etc/passwd", "/etc/group"} {
		name := field(3 + i)
		if name == "" {
			continue
		}
		if strings.HasPrefix(name, ":") {
			it.ownerNew, name = true, name[1:]
		}
		id, ok := t.id(name, file)
		if !ok {
			return it, false, fmt.Errorf("failed to resolve '%s'", name)
		}
		if i == 0 {
			it.uid = &id
		} else {
			it.gid = &id
		}
	}
	if it.argument == "-" {
		it.argument = ""
	}
	if coded {
		b, err := base64.StdEncoding.DecodeString(it.argument)
		if err != nil {
			return it, false, errors.New("argument is not in base64")
		}
		it.argument = string(b)
	} else if it.argument, use = t.expand(it.argument); !use {
		return it, false, nil
	}
	it.recursive = it.kind == 'Z'
	return it, true, nil
}

func (t *temporary) id(name, file string) (uint32, bool) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), true
	}
	b, err := t.FS.ReadFile(file)
	if err != nil {
		return 0, name == "root"
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[0] == name {
			n, err := strconv.ParseUint(strings.TrimSpace(f[2]), 10, 32)
			return uint32(n), err == nil
		}
	}
	return 0, name == "root"
}

// expand expands specifiers. Those of the machine or the boot are not known: ok is
// false, and the line is for another day.
func (t *temporary) expand(s string) (out string, ok bool) {
	known := map[byte]string{
		't': "/run", 'S': "/var/lib", 'C': "/var/cache", 'L': "/var/log", 'T': "/tmp", 'V': "/var/tmp",
		'h': "/root", 'u': "root", 'U': "0", 'g': "root", 'G': "0", '%': "%",
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		v, ok := known[s[i]]
		if !ok {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
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
