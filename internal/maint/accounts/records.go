package accounts

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
)

// table is one of the account files as the tools of shadow(5) change it: a line that
// is not touched stays as it is, also where it is no entry at all.
type table struct {
	name    string // "/etc/passwd"
	fields  int    // of an entry
	perm    uint32 // of the file where there is none yet
	gid     uint32
	lines   []string
	exists  bool
	changed bool
}

// read returns a table with the lines of a file.
func readTable(f *rootfs.FS, name string, fields int, perm, gid uint32) (*table, error) {
	t := &table{name: name, fields: fields, perm: perm, gid: gid}
	b, err := f.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	t.exists = true
	if text := strings.TrimSuffix(string(b), "\n"); text != "" || len(b) > 0 {
		t.lines = strings.Split(text, "\n")
	}
	return t, nil
}

// entry returns the fields of a line, nil where it is none of the file's entries.
func (t *table) entry(line string) []string {
	if isNIS(line) || line == "" {
		return nil
	}
	v := strings.Split(line, ":")
	if len(v) != t.fields && !(t.fields == 9 && len(v) == 8) || v[0] == "" {
		return nil
	}
	return v
}

// isNIS reports whether a line refers to another source of entries (nsswitch.conf(5),
// compat).
func isNIS(line string) bool { return strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") }

// entries returns the fields of all entries, in the order of the file.
func (t *table) entries() [][]string {
	var out [][]string
	for _, line := range t.lines {
		if v := t.entry(line); v != nil {
			out = append(out, v)
		}
	}
	return out
}

func (t *table) index(name string) int {
	return slices.IndexFunc(t.lines, func(line string) bool {
		v := t.entry(line)
		return v != nil && v[0] == name
	})
}

// get returns the fields of the entry of that name, nil where there is none.
func (t *table) get(name string) []string {
	if i := t.index(name); i >= 0 {
		v := t.entry(t.lines[i])
		for len(v) < t.fields {
			v = append(v, "")
		}
		return v
	}
	return nil
}

// put replaces the entry of that name, or adds it: after all others, but before what
// refers to another source.
func (t *table) put(v []string) {
	line := strings.Join(v, ":")
	t.changed = true
	if i := t.index(v[0]); i >= 0 {
		t.lines[i] = line
		return
	}
	at := slices.IndexFunc(t.lines, isNIS)
	if at < 0 {
		at = len(t.lines)
	}
	t.lines = slices.Insert(t.lines, at, line)
}

// rename gives an entry a new name; it comes after all others then.
func (t *table) rename(old string, v []string) {
	t.drop(old)
	t.put(v)
}

func (t *table) drop(name string) {
	if i := t.index(name); i >= 0 {
		t.lines = slices.Delete(t.lines, i, i+1)
		t.changed = true
	}
}

// number is a field that is a number, and whether it is one.
func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// byID returns the entry whose id, in the third field, is that; nil for none.
func (t *table) byID(id uint32) []string {
	for _, v := range t.entries() {
		if n, ok := number(v[2]); ok && n == id {
			return v
		}
	}
	return nil
}

// ids returns the ids of all entries.
func (t *table) ids() map[uint32]bool {
	ids := map[uint32]bool{}
	for _, v := range t.entries() {
		if n, ok := number(v[2]); ok {
			ids[n] = true
		}
	}
	return ids
}

// write brings a changed table into the tree. What was there becomes the backup,
// "passwd-", with its mode, owner and time.
func (t *table) write(f *rootfs.FS) error {
	if !t.changed {
		return nil
	}
	if t.exists {
		if err := backUp(f, t.name); err != nil {
			return err
		}
	}
	return t.replace(f)
}

// replace is write without a backup.
func (t *table) replace(f *rootfs.FS) error {
	t.changed = false
	text := strings.Join(t.lines, "\n")
	if len(t.lines) > 0 {
		text += "\n"
	}
	if err := f.WriteFile(t.name, []byte(text), t.perm); err != nil {
		return err
	}
	if t.exists {
		return nil
	}
	t.exists = true
	return f.Chown(t.name, 0, t.gid, true)
}

// backUp copies a file to its name with a dash.
func backUp(f *rootfs.FS, name string) error {
	n, err := f.Stat(name)
	if err != nil {
		return err
	}
	was := *n
	to := name + "-"
	if err := f.RemoveAll(to); err != nil {
		return err
	}
	return errors.Join(f.Copy(name, to, was.Mode), f.Chown(to, was.UID, was.GID, true), f.Chmod(to, was.Mode), f.Touch(to, was.ModTime, true))
}

// records is the account files of an image while one command works on them.
type records struct {
	fs                                             *rootfs.FS
	passwd, group, shadow, gshadow, subuid, subgid *table
}

// lockFile is what lckpwdf(3) locks, and leaves behind.
const lockFile = "/etc/.pwd.lock"

// load reads the account files.
func load(f *rootfs.FS) (*records, error) {
	a := &records{fs: f}
	for _, t := range []struct {
		to        **table
		name      string
		fields    int
		perm, gid uint32
	}{
		{&a.passwd, "/etc/passwd", 7, 0o644, 0}, {&a.group, "/etc/group", 4, 0o644, 0},
		{&a.shadow, "/etc/shadow", 9, 0o440, shadowGID}, {&a.gshadow, "/etc/gshadow", 4, 0o440, shadowGID},
		{&a.subuid, "/etc/subuid", 3, 0o644, 0}, {&a.subgid, "/etc/subgid", 3, 0o644, 0},
	} {
		var err error
		if *t.to, err = readTable(f, t.name, t.fields, t.perm, t.gid); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// lock leaves the lock file, as every command does that may change an account.
func lock(f *rootfs.FS) error {
	if _, err := f.Lstat(lockFile); err == nil {
		return nil
	}
	return f.WriteFile(lockFile, nil, 0o600)
}

// write brings what changed into the tree.
func (a *records) write() error {
	for _, t := range []*table{a.passwd, a.shadow, a.group, a.gshadow, a.subuid, a.subgid} {
		if err := t.write(a.fs); err != nil {
			return err
		}
	}
	return nil
}

// day is the image's time in days since 1970, as shadow(5) counts.
func (a *records) day() string { return strconv.FormatInt(a.fs.Time/86400, 10) }

// members returns the list in the fourth field of a group.
func members(v []string) []string { return list(v[3]) }

// setMembers changes the members of a group, and of its entry in gshadow.
func (a *records) setMembers(name string, change func([]string) []string) {
	for _, t := range []*table{a.group, a.gshadow} {
		v := t.get(name)
		if v == nil {
			continue
		}
		old := members(v)
		now := change(slices.Clone(old))
		if !slices.Equal(old, now) {
			v[3] = strings.Join(now, ",")
			t.put(v)
		}
	}
}

// with adds a member at the end, unless it is there.
func with(name string) func([]string) []string {
	return func(m []string) []string {
		if slices.Contains(m, name) {
			return m
		}
		return append(m, name)
	}
}

// without removes a member.
func without(name string) func([]string) []string {
	return func(m []string) []string {
		return slices.DeleteFunc(m, func(s string) bool { return s == name })
	}
}

// groupOf returns the entry of a group that is named or numbered, nil for none.
func (a *records) groupOf(s string) []string {
	if v := a.group.get(s); v != nil {
		return v
	}
	if id, ok := number(s); ok {
		return a.group.byID(id)
	}
	return nil
}

// addGroup appends a group. field is its password in /etc/group where there is no
// /etc/gshadow.
func (a *records) addGroup(name string, gid uint32, password, field string, members []string) {
	if a.gshadow.exists {
		a.gshadow.put([]string{name, password, "", strings.Join(members, ",")})
		field = shadowed
	}
	a.group.put([]string{name, field, strconv.FormatUint(uint64(gid), 10), strings.Join(members, ",")})
}
