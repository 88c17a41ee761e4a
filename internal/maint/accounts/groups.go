package accounts

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// toolNameRE is the names that useradd and groupadd of shadow 4.17 take.
var toolNameRE = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*\$?$`)

// maxGroupName is the length of a group's name, bytes; a user's may be longer.
const (
	maxGroupName = 32
	maxUserName  = 255
)

func validGroup(name string) bool { return toolNameRE.MatchString(name) && len(name) <= maxGroupName }

func validUser(name string) bool {
	return toolNameRE.MatchString(name) && len(name) <= maxUserName && strings.Trim(name, "0123456789") != "" && name != "." && name != ".."
}

const rootOptions = " R|root= P|prefix="

var (
	groupadd = tool("f|force g|gid= K|key= o|non-unique p|password= r|system U|users="+rootOptions, badUsage, (*job).groupadd)
	groupdel = tool("f|force"+rootOptions, badUsage, (*job).groupdel)
	groupmod = tool("a|append g|gid= n|new-name= o|non-unique p|password= U|users="+rootOptions, badUsage, (*job).groupmod)
	gpasswd  = tool("a|add= d|delete= M|members= A|administrators= r|remove-password R|restrict Q|root=", badUsage, (*job).gpasswd)
)

// groupadd is groupadd(8).
func (j *job) groupadd(context.Context) error {
	name, ok := j.one()
	if !ok {
		return nil
	}
	if !validGroup(name) {
		return j.refuse(badArgument, "'%s' is not a valid group name", name)
	}
	if strings.ContainsAny(j.Value("password"), ":\n") {
		return j.refuse(badArgument, "invalid field '%s'", j.Value("password"))
	}
	var gid uint32
	if j.Has("gid") {
		if gid, ok = number(j.Value("gid")); !ok {
			return j.refuse(badArgument, "invalid group ID '%s'", j.Value("gid"))
		}
	}
	var users []string
	if j.Has("users") {
		for _, u := range list(j.Value("users")) {
			if j.passwd.get(u) == nil {
				j.warn("Invalid member username %s", u)
				j.status = noGroups
				return lock(j.FS)
			}
			users = append(users, u)
		}
	}
	if j.group.get(name) != nil {
		if j.Has("force") {
			return nil
		}
		return j.refuse(nameInUse, "group '%s' already exists", name)
	}
	given := j.Has("gid")
	if given && j.group.byID(gid) != nil && !j.Has("non-unique") {
		if !j.Has("force") {
			return j.refuse(idInUse, "GID '%d' already exists", gid)
		}
		given = false
	}
	if !given {
		if gid, ok = j.freeGID(j.Has("system")); !ok {
			return j.refuse(idInUse, "Can't get unique GID (no more available GIDs)")
		}
	}
	password, field := "!", shadowed
	if j.Has("password") {
		password, field = j.Value("password"), j.Value("password")
	}
	j.addGroup(name, gid, password, field, users)
	return lock(j.FS)
}

func (j *job) freeGID(system bool) (uint32, bool) {
	lowest, highest := j.defs.idRange("GID", system)
	return freeID(j.group.ids(), lowest, highest, system)
}

// groupdel is groupdel(8).
func (j *job) groupdel(context.Context) error {
	name, ok := j.one()
	if !ok {
		return nil
	}
	g := j.group.get(name)
	if g == nil {
		return j.refuse(notThere, "group '%s' does not exist", name)
	}
	if u := j.primaryUser(g[2]); u != "" && !j.Has("force") {
		return j.refuse(primaryGroup, "cannot remove the primary group of user '%s'", u)
	}
	j.group.drop(name)
	j.gshadow.drop(name)
	return lock(j.FS)
}

// primaryUser returns the first user whose primary group is that, "" for none.
func (j *job) primaryUser(gid string) string {
	for _, v := range j.passwd.entries() {
		if v[3] == gid {
			return v[0]
		}
	}
	return ""
}

// groupmod is groupmod(8).
func (j *job) groupmod(context.Context) error {
	name, ok := j.one()
	if !ok {
		return nil
	}
	g, s := j.group.get(name), j.gshadow.get(name)
	if g == nil {
		return j.refuse(notThere, "group '%s' does not exist", name)
	}
	if j.Has("users") {
		return shell.Unsupported("groupmod: option -U")
	}
	if j.Has("gid") {
		gid, ok := number(j.Value("gid"))
		if !ok {
			return j.refuse(badArgument, "invalid group ID '%s'", j.Value("gid"))
		}
		if other := j.group.byID(gid); other != nil && other[0] != name && !j.Has("non-unique") {
			return j.refuse(idInUse, "GID '%d' already exists", gid)
		}
		j.movePrimary(g[2], strconv.FormatUint(uint64(gid), 10))
		g[2] = strconv.FormatUint(uint64(gid), 10)
	}
	if strings.ContainsAny(j.Value("password"), ":\n") {
		return j.refuse(badArgument, "invalid field '%s'", j.Value("password"))
	}
	if j.Has("password") {
		if s != nil {
			s[1] = j.Value("password")
		} else {
			g[1] = j.Value("password")
		}
	}
	if err := lock(j.FS); err != nil || !j.Has("new-name") || j.Value("new-name") == name {
		j.group.put(g)
		if s != nil && j.Has("password") {
			j.gshadow.put(s)
		}
		return err
	}
	return j.renameGroup(name, g, s)
}

func (j *job) renameGroup(name string, g, s []string) error {
	to := j.Value("new-name")
	if !validGroup(to) {
		return j.refuse(badArgument, "invalid group name '%s'", to)
	}
	if j.group.get(to) != nil {
		return j.refuse(nameInUse, "group '%s' already exists", to)
	}
	g[0] = to
	j.group.rename(name, g)
	if s != nil {
		s[0] = to
		j.gshadow.rename(name, s)
	}
	return nil
}

// movePrimary gives the users of one primary group another.
func (j *job) movePrimary(from, to string) {
	for _, v := range j.passwd.entries() {
		if v[3] == from && from != to {
			v[3] = to
			j.passwd.put(v)
		}
	}
}

// gpasswd is gpasswd(1), without the question for a password.
func (j *job) gpasswd(context.Context) error {
	name, ok := j.one()
	if !ok {
		return nil
	}
	g := j.group.get(name)
	if g == nil {
		return j.refuse(badArgument, "group '%s' does not exist in /etc/group", name)
	}
	if len(j.Options) == 0 {
		return shell.Unsupported("gpasswd: asking for a password")
	}
	for _, o := range []string{"add", "members", "administrators"} {
		for _, u := range list(j.Value(o)) {
			if j.passwd.get(u) == nil {
				return j.refuse(badArgument, "user '%s' does not exist", u)
			}
		}
	}
	switch {
	case j.Has("add"):
		if err := j.say("Adding user %s to group %s", j.Value("add"), name); err != nil {
			return err
		}
		j.setMembers(name, with(j.Value("add")))
	case j.Has("delete"):
		if err := j.say("Removing user %s from group %s", j.Value("delete"), name); err != nil {
			return err
		}
		if !slices.Contains(members(g), j.Value("delete")) {
			return j.refuse(badArgument, "user '%s' is not a member of '%s'", j.Value("delete"), name)
		}
		j.setMembers(name, without(j.Value("delete")))
	}
	if j.Has("members") {
		j.setMembers(name, func([]string) []string { return list(j.Value("members")) })
	}
	if s := j.gshadow.get(name); s != nil {
		if j.Has("administrators") {
			s[2] = j.Value("administrators")
		}
		if j.Has("remove-password") {
			s[1] = ""
		}
		if j.Has("restrict") {
			s[1] = "!"
		}
		j.gshadow.put(s)
	}
	j.group.put(j.group.get(name)) // is written in any case
	return lock(j.FS)
}
