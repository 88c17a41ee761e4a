package accounts

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var (
	usermod = tool("a|append b|badnames|badname c|comment= d|home= e|expiredate= f|inactive= g|gid= G|groups= l|login= L|lock m|move-home o|non-unique "+
		"p|password= r|remove s|shell= u|uid= U|unlock v|add-subuids= V|del-subuids= w|add-subgids= W|del-subgids= Z|selinux-user="+rootOptions, badUsage, (*job).usermod)
	userdel = tool("f|force r|remove Z|selinux-user"+rootOptions, badUsage, (*job).userdel)
)

// change is what usermod does to one user.
type change struct {
	name          string
	passwd        []string
	shadow        []string // nil where there is none
	oldUID, uid   uint32
	oldGID, gid   uint32
	oldHome, home string
	dirty, aged   bool // passwd, shadow are written
}

// usermod is usermod(8).
func (j *job) usermod(context.Context) error {
	name, ok := j.one()
	if !ok {
		return nil
	}
	c := &change{name: name, passwd: j.passwd.get(name), shadow: j.shadow.get(name)}
	if c.passwd == nil {
		return j.refuse(notThere, "user '%s' does not exist", name)
	}
	if len(j.Options) == 0 {
		j.warn("usermod: no options")
		return nil
	}
	c.oldUID, _ = number(c.passwd[2])
	c.oldGID, _ = number(c.passwd[3])
	c.uid, c.gid, c.oldHome, c.home = c.oldUID, c.oldGID, c.passwd[5], c.passwd[5]
	for _, read := range []func(*change) (bool, error){j.changeFields, j.changeIDs, j.changePassword} {
		if ok, err := read(c); !ok || err != nil {
			return err
		}
	}
	groups, ok, err := j.namedGroups()
	if !ok || err != nil {
		return err
	}
	if !c.dirty && !c.aged && !j.Has("groups") && j.Last("add-subuids", "del-subuids", "add-subgids", "del-subgids") == "" {
		return j.say("usermod: no changes")
	}
	if err := lock(j.FS); err != nil {
		return err
	}
	if err := j.changeSubordinate(c); err != nil {
		return err
	}
	j.store(c)
	if j.Has("groups") {
		j.changeGroups(c, groups)
	}
	if c.home != c.oldHome && j.Has("move-home") {
		if err := j.moveHome(c); err != nil || j.status != 0 {
			return err
		}
	}
	if c.uid != c.oldUID || c.gid != c.oldGID {
		return chownTree(j.FS, c.home, ownerIDs{c.oldUID, c.oldGID}, ownerIDs{c.uid, c.gid})
	}
	return nil
}

// changeFields reads the options for the text fields and the name.
func (j *job) changeFields(c *change) (bool, error) {
	set := func(option string, field int, valid func(string) bool, what string) (bool, error) {
		v := j.Value(option)
		if !j.Has(option) || v == c.passwd[field] {
			return true, nil
		}
		if strings.ContainsAny(v, ":\n") || !valid(v) {
			return false, j.refuse(badArgument, "%s", strings.ReplaceAll(what, "%s", v))
		}
		c.passwd[field], c.dirty = v, true
		return true, nil
	}
	any := func(string) bool { return true }
	absolute := func(s string) bool { return s == "" || strings.HasPrefix(s, "/") }
	for _, f := range []struct {
		option string
		field  int
		valid  func(string) bool
		what   string
	}{{"comment", 4, any, "invalid field '%s'"}, {"home", 5, absolute, "homedir must be an absolute path"}, {"shell", 6, absolute, "invalid shell '%s'"}} {
		if ok, err := set(f.option, f.field, f.valid, f.what); !ok || err != nil {
			return false, err
		}
	}
	c.home = c.passwd[5]
	if login := j.Value("login"); j.Has("login") && login != c.name {
		switch {
		case !validUser(login) && !j.Has("badname"):
			return false, j.refuse(badArgument, "invalid user name '%s': use --badname to ignore", login)
		case j.passwd.get(login) != nil:
			return false, j.refuse(nameInUse, "user '%s' already exists", login)
		}
		c.passwd[0], c.dirty = login, true
	}
	return true, nil
}

// changeIDs reads -u and -g.
func (j *job) changeIDs(c *change) (bool, error) {
	if j.Has("uid") {
		uid, ok := number(j.Value("uid"))
		if !ok {
			return false, j.refuse(badArgument, "invalid user ID '%s'", j.Value("uid"))
		}
		if uid != c.oldUID {
			if j.passwd.byID(uid) != nil && !j.Has("non-unique") {
				return false, j.refuse(idInUse, "UID '%d' already exists", uid)
			}
			c.uid, c.passwd[2], c.dirty = uid, strconv.FormatUint(uint64(uid), 10), true
		}
	}
	if j.Has("gid") {
		g := j.groupOf(j.Value("gid"))
		if g == nil {
			return false, j.refuse(groupMissing, "group '%s' does not exist", j.Value("gid"))
		}
		if gid, ok := number(g[2]); ok && gid != c.oldGID {
			c.gid, c.passwd[3], c.dirty = gid, g[2], true
		}
	}
	return true, nil
}

// changePassword reads -p, -L, -U, -e and -f.
func (j *job) changePassword(c *change) (bool, error) {
	v := c.shadow
	field := 1
	if v == nil {
		v = c.passwd
	}
	old := v[field]
	if strings.ContainsAny(j.Value("password"), ":\n") {
		return false, j.refuse(badArgument, "invalid field '%s'", j.Value("password"))
	}
	switch j.Last("password", "lock", "unlock") {
	case "password":
		v[field] = j.Value("password")
	case "lock":
		if !strings.HasPrefix(old, "!") {
			v[field] = "!" + old
		}
	case "unlock":
		if rest, locked := strings.CutPrefix(old, "!"); locked && rest == "" {
			j.warn("usermod: unlocking the user's password would result in a passwordless account.\nYou should set a password with usermod -p to unlock this user's password.")
		} else if locked {
			v[field] = rest
		}
	}
	if j.Last("password", "lock", "unlock") != "" {
		c.dirty, c.aged = true, true
	}
	if v[field] != old && c.shadow != nil && j.Has("password") {
		c.shadow[2] = j.day()
	}
	if c.shadow == nil {
		return true, nil
	}
	if j.Has("expiredate") {
		e, ok := expiry(j.Value("expiredate"))
		if !ok {
			return false, j.refuse(badArgument, "invalid date '%s'", j.Value("expiredate"))
		}
		c.aged = c.aged || c.shadow[7] != e
		c.shadow[7] = e
	}
	if j.Has("inactive") {
		days, ok := dayCount(j.Value("inactive"))
		if !ok {
			return false, j.refuse(badArgument, "invalid numeric argument '%s'", j.Value("inactive"))
		}
		c.aged = c.aged || c.shadow[6] != days
		c.shadow[6] = days
	}
	return true, nil
}

// namedGroups reads -G.
func (j *job) namedGroups() (groups []string, ok bool, err error) {
	for _, s := range list(j.Value("groups")) {
		g := j.groupOf(s)
		if g == nil {
			return nil, false, j.refuse(groupMissing, "group '%s' does not exist", s)
		}
		groups = append(groups, g[0])
	}
	return groups, true, nil
}

// store writes the lines of the user. With another name they come last, and every
// group gets to know it.
func (j *job) store(c *change) {
	name := c.passwd[0]
	if name == c.name {
		if c.dirty {
			j.passwd.put(c.passwd)
		}
		if c.aged && c.shadow != nil {
			j.shadow.put(c.shadow)
		}
		return
	}
	j.passwd.rename(c.name, c.passwd)
	if c.shadow != nil {
		c.shadow[0] = name
		j.shadow.rename(c.name, c.shadow)
	}
	for _, g := range j.group.entries() {
		j.setMembers(g[0], func(m []string) []string {
			if i := slices.Index(m, c.name); i >= 0 {
				m[i] = name
			}
			return m
		})
	}
}

// changeGroups makes the user a member of these groups, and of no other unless -a or
// -r says so.
func (j *job) changeGroups(c *change, groups []string) {
	name := c.passwd[0]
	for _, g := range j.group.entries() {
		switch listed := slices.Contains(groups, g[0]); {
		case j.Has("remove"):
			if listed {
				j.setMembers(g[0], without(name))
			}
		case listed:
			j.setMembers(g[0], with(name))
		case !j.Has("append"):
			j.setMembers(g[0], without(name))
		}
	}
}

func (j *job) moveHome(c *change) error {
	if !j.FS.IsDir(c.oldHome) {
		j.warn("usermod: The previous home directory (%s) does not exist or is inaccessible. Move cannot be completed.", c.oldHome)
		return nil
	}
	if j.FS.Exists(c.home) {
		return j.refuse(12, "directory %s exists", c.home)
	}
	if err := j.FS.Rename(c.oldHome, c.home); err != nil {
		return j.refuse(12, "cannot rename directory %s to %s", c.oldHome, c.home)
	}
	return nil
}

// changeSubordinate adds and removes ranges "FIRST-LAST" of subordinate ids.
func (j *job) changeSubordinate(c *change) error {
	for _, o := range j.Options {
		t := j.subuid
		switch o.Name {
		case "add-subuids", "del-subuids":
		case "add-subgids", "del-subgids":
			t = j.subgid
		default:
			continue
		}
		first, last, ok := strings.Cut(o.Value, "-")
		from, ok1 := number(first)
		to, ok2 := number(last)
		if !ok || !ok1 || !ok2 || to < from {
			return j.refuse(badArgument, "invalid subordinate range '%s'", o.Value)
		}
		line := c.name + ":" + first + ":" + strconv.FormatUint(uint64(to-from)+1, 10)
		i := slices.Index(t.lines, line)
		switch {
		case strings.HasPrefix(o.Name, "add") && i < 0:
			t.lines, t.changed = append(t.lines, line), true
		case strings.HasPrefix(o.Name, "del") && i >= 0:
			t.lines, t.changed = slices.Delete(t.lines, i, i+1), true
		case strings.HasPrefix(o.Name, "del"):
			return shell.Unsupported("usermod: removing a part of a range of subordinate ids")
		}
	}
	return nil
}

// userdel is userdel(8).
func (j *job) userdel(context.Context) error {
	name, ok := j.one()
	if !ok {
		return nil
	}
	u := j.passwd.get(name)
	if u == nil {
		return j.refuse(notThere, "user '%s' does not exist", name)
	}
	if err := lock(j.FS); err != nil {
		return err
	}
	for _, t := range []*table{j.passwd, j.shadow} {
		t.drop(name)
	}
	for _, t := range []*table{j.subuid, j.subgid} {
		for t.index(name) >= 0 {
			t.drop(name)
		}
	}
	for _, g := range j.group.entries() {
		j.setMembers(g[0], without(name))
	}
	j.dropOwnGroup(name, u[3])
	if !j.Has("remove") {
		return nil
	}
	if mail := "/var/mail/" + name; j.FS.Exists(mail) {
		if err := j.FS.RemoveAll(mail); err != nil {
			return err
		}
	} else {
		j.warn("userdel: %s mail spool (%s) not found", name, mail)
	}
	if n, err := j.FS.Stat(u[5]); err != nil {
		j.warn("userdel: %s home directory (%s) not found", name, u[5])
		return nil
	} else if uid, _ := number(u[2]); n.UID != uid && !j.Has("force") {
		j.warn("userdel: %s not owned by %s, not removing", u[5], name)
		j.status = 12
		return j.write()
	}
	return j.FS.RemoveAll(u[5])
}

// dropOwnGroup removes the group of a user's name, where nobody else is in it.
func (j *job) dropOwnGroup(name, gid string) {
	g := j.group.get(name)
	if g == nil || !j.defs.yes("USERGROUPS_ENAB") || g[2] != gid && len(members(g)) > 0 {
		return
	}
	if len(members(g)) > 0 {
		j.warn("userdel: group %s not removed because it has other members.", name)
		return
	}
	if g[2] != gid {
		j.warn("userdel: group %s not removed because it is not the primary group of user %s.", name, name)
		return
	}
	if other := j.primaryUser(gid); other != "" && !j.Has("force") {
		j.warn("userdel: group %s is the primary group of another user and is not removed.", name)
		return
	}
	j.group.drop(name)
	j.gshadow.drop(name)
}
