package accounts

import (
	"context"
	"fmt"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var updatePasswd = tool("p|passwd-master= g|group-master= P|passwd= S|shadow= G|group= s|sanity-check v|verbose n|dry-run L|no-locking", 1, (*job).updatePasswd)

// updatePasswd is update-passwd(8): it brings the accounts of base-passwd's master
// files, ids 0 to 99 and 65534, into the files, and removes others of that range.
func (j *job) updatePasswd(context.Context) error {
	if j.Last("passwd", "shadow", "group", "sanity-check") != "" {
		return shell.Unsupported("update-passwd: options -P, -S, -G and -s")
	}
	u := &updater{job: j}
	passwd, err := readTable(j.FS, orElse(j.Value("passwd-master"), "/usr/share/base-passwd/passwd.master"), 7, 0, 0)
	if err != nil {
		return err
	}
	group, err := readTable(j.FS, orElse(j.Value("group-master"), "/usr/share/base-passwd/group.master"), 4, 0, 0)
	if err != nil {
		return err
	}
	if !passwd.exists || !group.exists {
		return j.refuse(2, "Error opening master file: No such file or directory")
	}
	if err := lock(j.FS); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return u.addMissing("group", j.group, group) }, func() error { return u.removeOld("group", j.group, group) },
		func() error { return u.changeGroups(group) },
		func() error { return u.addMissing("user", j.passwd, passwd) }, func() error { return u.removeOld("user", j.passwd, passwd) },
		func() error { return u.changeUsers(passwd) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return u.finish()
}

// updater is one run of update-passwd.
type updater struct {
	*job
	changes int
}

// did counts a change and says it.
func (u *updater) did(format string, args ...any) error {
	u.changes++
	if !u.Has("verbose") && !u.Has("dry-run") {
		return nil
	}
	return u.say(format, args...)
}

// ofBase reports whether an id is one of those that base-passwd deals with.
func ofBase(id string) bool {
	n, ok := number(id)
	return ok && (n < 100 || n >= 60000 && n < 65000)
}

func (u *updater) addMissing(kind string, t, master *table) error {
	for _, m := range master.entries() {
		if t.get(m[0]) != nil {
			continue
		}
		t.put(m)
		if err := u.did("Adding %s \"%s\" (%s)", kind, m[0], m[2]); err != nil {
			return err
		}
	}
	return nil
}

func (u *updater) removeOld(kind string, t, master *table) error {
	for _, v := range t.entries() {
		if !ofBase(v[2]) || master.get(v[0]) != nil {
			continue
		}
		t.drop(v[0])
		if kind == "user" {
			u.shadow.drop(v[0])
		}
		if err := u.did("Removing %s \"%s\" (%s)", kind, v[0], v[2]); err != nil {
			return err
		}
	}
	return nil
}

func (u *updater) changeGroups(master *table) error {
	for _, m := range master.entries() {
		if v := u.group.get(m[0]); v[2] != m[2] {
			if err := u.did("Changing gid of %s from %s to %s", m[0], v[2], m[2]); err != nil {
				return err
			}
			v[2] = m[2]
			u.group.put(v)
		}
	}
	return nil
}

// userFields are what may change of a user, in the order in which it is looked at.
var userFields = []struct {
	field int
	text  string
}{
	{2, "uid"}, {3, "gid"}, {4, "GECOS"}, {5, "home-directory"}, {6, "shell"},
}

func (u *updater) changeUsers(master *table) error {
	for _, m := range master.entries() {
		v := u.passwd.get(m[0])
		for _, f := range userFields {
			if v[f.field] == m[f.field] || m[0] == "root" && f.field > 3 {
				continue // root's own taste stays
			}
			if err := u.did("Changing %s of %s from %s to %s", f.text, m[0], v[f.field], m[f.field]); err != nil {
				return err
			}
			v[f.field] = m[f.field]
			u.passwd.put(v)
		}
	}
	return nil
}

// finish writes the files; unlike the tools of shadow(5) without a backup.
func (u *updater) finish() error {
	if u.Has("dry-run") {
		for _, t := range []*table{u.passwd, u.group, u.shadow} {
			t.changed = false
		}
		u.status = u.changes
		if u.changes == 0 {
			return u.say("No changes needed")
		}
		return u.say("Would make %d changes", u.changes)
	}
	if u.changes == 0 {
		if u.Has("verbose") {
			return u.say("No changes needed")
		}
		return nil
	}
	if u.Has("verbose") {
		if err := u.say("%d changes have been made, rewriting files", u.changes); err != nil {
			return err
		}
	}
	for _, t := range []struct {
		*table
		what string
	}{{u.passwd, "passwd"}, {u.shadow, "shadow"}, {u.group, "group"}} {
		if !t.exists {
			t.changed = false
			continue
		}
		if u.Has("verbose") {
			if _, err := fmt.Fprintf(u.Stdout, "Writing %s-file to %s\n", t.what, t.name); err != nil {
				return err
			}
		}
		if err := t.replace(u.FS); err != nil {
			return err
		}
	}
	return nil
}
