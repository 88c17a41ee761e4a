package accounts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// ignored returns which files of the skeleton are not copied.
func (a *debianAdduser) ignored() (func(string) bool, error) {
	re, err := regexp.Compile(a.conf["SKEL_IGNORE_REGEX"])
	if err != nil {
		return nil, shell.Unsupported("adduser: SKEL_IGNORE_REGEX %q", a.conf["SKEL_IGNORE_REGEX"])
	}
	return re.MatchString, nil
}

var (
	minimalName = regexp.MustCompile(`^[^-+~:,\s/][^:,\s/]*$`)
	ieeeName    = regexp.MustCompile(`^[a-zA-Z0-9_.][a-zA-Z0-9_.-]*\$?$`)
	numericName = regexp.MustCompile(`^-?[0-9]+$`)
)

// goodName checks a name as adduser does; it sets the status where it is none.
func (a *debianAdduser) goodName(name string) bool {
	key := "NAME_REGEX"
	if a.Has("system") {
		key = "SYS_NAME_REGEX"
	}
	refuse := func(text string) bool {
		_ = a.stop(badCharacters, levelErr, "%s", text) // is nil
		return false
	}
	switch {
	case numericName.MatchString(name):
		return refuse("To avoid ambiguity with numerical UIDs, usernames which\n            resemble numbers or negative numbers are not allowed.")
	case name == "." || name == "..":
		return refuse("Usernames must not be a single or a double period.")
	case len(name) > 32:
		return refuse("Usernames must be no more than 32 bytes in length.")
	case !minimalName.MatchString(name):
		return refuse("To avoid problems, the username must not start with a\n            dash, plus sign, or tilde, and it must not contain any of the\n" +
			"            following: colon, comma, slash, or any whitespace characters\n            including spaces, tabs, and newlines.")
	}
	re, err := regexp.Compile(a.conf[key])
	if err == nil && re.MatchString(name) {
		return true
	}
	if !ieeeName.MatchString(name) && !a.Has("allow-all-names") {
		return refuse("To avoid problems, the username should consist only of\n            letters, digits, underscores, periods, at signs and dashes, and\n" +
			"            not start with a dash (as defined by IEEE Std 1003.1-2001). For\n            compatibility with Samba machine accounts, $ is also supported\n" +
			"            at the end of the username.  (Use the `--allow-all-names' option\n            to bypass this restriction.)")
	}
	if !a.Has("allow-bad-names") && !a.Has("allow-all-names") {
		return refuse("Please enter a username matching the regular expression\n            configured via the " + key + " configuration variable.  Use the\n" +
			"            `--allow-bad-names' option to relax this check or reconfigure\n            " + key + " in configuration.")
	}
	a.log(levelInfo, "Allowing use of questionable username.")
	return true
}

// plan is an account that adduser is about to make.
type plan struct {
	name, uid, gid, group string
	ownGroup              bool
}

// addSystemUser is adduser --system.
func (a *debianAdduser) addSystemUser(name string) error {
	if done, err := a.systemUserExists(name); done || err != nil {
		return err
	}
	p := &plan{name: name, uid: a.Value("uid"), gid: a.Value("gid"), group: a.Value("ingroup"), ownGroup: a.Has("group")}
	if p.group == "" && p.gid == "" && !p.ownGroup {
		p.gid = "65534"
		if g := a.group.get("nogroup"); g != nil {
			p.gid = g[2]
		}
	}
	if ok := a.groupFits(p, true); !ok {
		return nil
	}
	if ok := a.chooseSystemIDs(p); !ok {
		return nil
	}
	a.log(levelInfo, "Adding system user `%s' (UID %s) ...", name, p.uid)
	if p.ownGroup && a.group.get(name) == nil {
		a.log(levelInfo, "Adding new group `%s' (GID %s) ...", name, p.gid)
		if ok, err := a.run("groupadd", "-g", p.gid, name); !ok || err != nil {
			return err
		}
	}
	home := orElse(a.Value("home"), "/nonexistent")
	create := !a.Has("no-create-home")
	a.noteHome(levelInfo, create)
	a.log(levelInfo, "Adding new user `%s' (UID %s) with group `%s' ...", name, p.uid, p.group)
	first, last := a.limits("UID", true)
	ok, err := a.run("useradd", "-r", "-K", "SYS_UID_MIN="+strconv.Itoa(int(first)), "-K", "SYS_UID_MAX="+strconv.Itoa(int(last)),
		"-d", home, "-g", p.group, "-s", orElse(a.Value("shell"), "/usr/sbin/nologin"), "-u", p.uid, name)
	if !ok || err != nil {
		return err
	}
	if a.Has("comment") {
		if ok, err := a.run("usermod", "-c", a.Value("comment"), name); !ok || err != nil {
			return err
		}
	}
	return a.makeHome(name, home, true, create)
}

// systemUserExists answers for an account that is there already; done says that it
// is.
func (a *debianAdduser) systemUserExists(name string) (done bool, err error) {
	u, uid := a.passwd.get(name), a.Value("uid")
	taken, _ := number(uid)
	switch {
	case u != nil && !a.isSystem(u[2], "UID"):
		return true, a.stop(wrongObject, levelFatal, "The user `%s' already exists, but is not a system user. Exiting.", name)
	case u != nil && uid != "" && u[2] != uid || u == nil && uid != "" && a.passwd.byID(taken) != nil:
		return true, a.stop(wrongObject, levelFatal, "The user `%s' already exists with a different UID. Exiting.", name)
	case u != nil:
		a.log(levelInfo, "The system user `%s' already exists. Exiting.\n", name)
		return true, nil
	}
	return false, nil
}

// groupFits checks that the group that is to be made can be, or that the one to join
// is there.
func (a *debianAdduser) groupFits(p *plan, system bool) bool {
	uid, hasUID := number(p.uid)
	gid, hasGID := number(p.gid)
	g := a.group.get(p.name)
	switch {
	case p.ownGroup && system && (g != nil || hasUID && a.group.byID(uid) != nil): // is used as it is
		return true
	case p.ownGroup && g != nil:
		_ = a.stop(objectExists, levelFatal, "The group `%s' already exists.", p.name) // is nil, as below
	case p.ownGroup && hasUID && a.group.byID(uid) != nil:
		_ = a.stop(adduserIDInUse, levelFatal, "The GID %s is already in use.", p.uid)
	case !p.ownGroup && p.group != "" && a.group.get(p.group) == nil:
		_ = a.stop(noObject, levelFatal, "The group `%s' does not exist.", p.group)
	case !p.ownGroup && hasGID && a.group.byID(gid) == nil:
		_ = a.stop(noObject, levelFatal, "No group with GID %s found.", p.gid)
	default:
		return true
	}
	return false
}

// chooseSystemIDs completes a plan: the first ids that are free, which need not be
// the same for user and group.
func (a *debianAdduser) chooseSystemIDs(p *plan) bool {
	first, last := a.limits("UID", true)
	if p.uid == "" {
		a.log(levelInfo, "Selecting UID from range %d to %d ...\n", first, last)
		var ok bool
		if p.uid, ok = next(first, last, a.passwd.ids()); !ok {
			kind := "UID"
			if p.ownGroup {
				kind = "UID/GID pair"
			}
			a.log(levelWarn, "No %s is available in the range %s-%s (FIRST_SYS_UID - LAST_SYS_UID).", kind, a.conf["FIRST_SYSTEM_UID"], a.conf["LAST_SYSTEM_UID"])
			_ = a.stop(noIDInRange, levelFatal, "The user `%s' was not created.", p.name) // is nil
			return false
		}
		if p.ownGroup {
			p.gid, _ = a.nextGID(true)
			p.group = p.name
		}
	}
	switch gid, hasGID := number(p.gid); {
	case p.ownGroup && p.group == "":
		p.gid, p.group = p.uid, p.name
	case p.group == "" && hasGID:
		p.group = a.group.byID(gid)[0]
	}
	return true
}

// noteHome says what is odd about a home directory that was asked for.
func (a *debianAdduser) noteHome(level int, create bool) {
	home := a.Value("home")
	if !a.Has("home") || home == "/nonexistent" {
		return
	}
	switch isDir := a.FS.IsDir(home); {
	case create && isDir:
		a.log(level, "The home dir %s you specified already exists.\n", home)
	case !create && !isDir:
		a.log(level, "The home dir %s you specified can't be accessed: No such file or directory\n", home)
	}
}

// addPerson is adduser for people, which asks for a password and a full name unless
// the options answer.
func (a *debianAdduser) addPerson(name string) error {
	if !a.Has("disabled-password") && !a.Has("disabled-login") {
		return shell.Unsupported("adduser: asking for a password")
	}
	if !a.Has("comment") {
		return shell.Unsupported("adduser: asking for the full name")
	}
	p, extra := a.personGroup(name)
	if a.passwd.get(name) != nil {
		return a.stop(objectExists, levelFatal, "The user `%s' already exists.", name)
	}
	if !a.groupFits(p, false) {
		return nil
	}
	a.log(levelInfo, "Adding user `%s' ...", name)
	if !a.choosePersonIDs(p) {
		return nil
	}
	if p.ownGroup {
		a.log(levelInfo, "Adding new group `%s' (%s) ...", name, p.gid)
		if ok, err := a.run("groupadd", "-g", p.gid, name); !ok || err != nil {
			return err
		}
	}
	create := !a.Has("no-create-home")
	a.noteHome(levelWarn, create)
	a.log(levelInfo, "Adding new user `%s' (%s) with group `%s (%s)' ...", name, p.uid, p.group, p.gid)
	home := orElse(a.Value("home"), a.homeOf(name, p.group))
	login := a.conf["DSHELL"]
	if a.Has("disabled-login") {
		login = "/usr/sbin/nologin"
	}
	if ok, err := a.run("useradd", "-d", home, "-g", p.gid, "-s", orElse(a.Value("shell"), login), "-u", p.uid, name); !ok || err != nil {
		return err
	}
	if err := a.makeHome(name, home, false, create); err != nil {
		return err
	}
	if ok, err := a.run("usermod", "-c", a.Value("comment"), name); !ok || err != nil {
		return err
	}
	if err := a.joinExtra(name, extra); err != nil || a.status != 0 {
		return err
	}
	if a.conf["QUOTAUSER"] != "" {
		return shell.Unsupported("adduser: QUOTAUSER")
	}
	const local = "/usr/local/sbin/adduser.local"
	if n, err := a.FS.Stat(local); err != nil || n.Mode&0o111 == 0 {
		return nil
	}
	status, err := a.Proc.Run(a.ctx, local, name, p.uid, p.gid, home)
	if status != 0 {
		a.status = callFailed
	}
	return err
}

// personGroup plans the primary group of a person, and the others to join.
func (a *debianAdduser) personGroup(name string) (*plan, []string) {
	p := &plan{name: name, uid: a.Value("uid"), gid: a.Value("gid"), group: a.Value("ingroup")}
	users := orElse(a.conf["USERS_GROUP"], "users")
	if gid, ok := number(a.conf["USERS_GID"]); ok {
		if g := a.group.byID(gid); g != nil {
			users = g[0]
		}
	}
	var extra []string
	if a.conf.yes("USERGROUPS") {
		p.ownGroup = p.gid == "" && p.group == ""
		if a.conf["USERS_GID"] != "-1" {
			extra = append(extra, users)
		}
	} else if p.gid == "" && p.group == "" {
		p.group = users
	}
	if a.Has("add-extra-groups") || a.conf["ADD_EXTRA_GROUPS"] != "0" && a.conf["ADD_EXTRA_GROUPS"] != "" {
		extra = append(extra, strings.Fields(a.conf["EXTRA_GROUPS"])...)
	}
	return p, extra
}

// choosePersonIDs completes a plan: an id that is free for both where the group is
// made too.
func (a *debianAdduser) choosePersonIDs(p *plan) bool {
	if p.uid == "" {
		first, last := a.limits("UID", false)
		used := []map[uint32]bool{a.passwd.ids()}
		if a.Has("ingroup") {
			a.log(levelInfo, "Selecting UID from range %d to %d ...\n", first, last)
		} else {
			a.log(levelInfo, "Selecting UID/GID from range %d to %d ...", first, last)
			used = append(used, a.group.ids())
		}
		var ok bool
		if p.uid, ok = next(first, last, used...); !ok {
			a.log(levelWarn, "No UID/GID pair is available in the range %d-%d (FIRST_UID - LAST_UID).", first, last)
			_ = a.stop(noIDInRange, levelFatal, "The user `%s' was not created.", p.name) // is nil
			return false
		}
	}
	switch gid, hasGID := number(p.gid); {
	case p.ownGroup:
		p.gid, p.group = p.uid, p.name
	case hasGID:
		p.group = a.group.byID(gid)[0]
	default:
		if g := a.group.get(p.group); g != nil {
			p.gid = g[2]
		}
	}
	return true
}

func (a *debianAdduser) homeOf(name, group string) string {
	dir := a.conf["DHOME"]
	if a.conf.yes("GROUPHOMES") {
		dir += "/" + group
	}
	if a.conf.yes("LETTERHOMES") {
		dir += "/" + name[:1]
	}
	return dir + "/" + name
}

// joinExtra makes a person a member of further groups.
func (a *debianAdduser) joinExtra(name string, groups []string) error {
	if len(groups) == 0 {
		return nil
	}
	a.log(levelInfo, "Adding new user `%s' to supplemental / extra groups `%s' ...", name, strings.Join(groups, ", "))
	for _, group := range groups {
		g := a.group.get(group)
		if g == nil {
			a.log(levelWarn, "The group `%s' does not exist.", group)
			continue
		}
		if slices.Contains(members(g), name) {
			a.log(levelWarn, "The user `%s' is already a member of `%s'.", name, group)
			continue
		}
		a.log(levelInfo, "Adding user `%s' to group `%s' ...", name, group)
		there := slices.DeleteFunc(members(g), func(m string) bool { return a.passwd.get(m) == nil })
		if ok, err := a.run("gpasswd", "-M", strings.Join(append(there, name), ","), group); !ok || err != nil {
			return err
		}
	}
	return nil
}
