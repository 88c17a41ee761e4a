package accounts

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var useradd = tool("badnames|badname b|base-dir= c|comment= d|home-dir= D|defaults e|expiredate= f|inactive= F|add-subids-for-system g|gid= G|groups= "+
	"k|skel= K|key= l|no-log-init m|create-home M|no-create-home N|no-user-group o|non-unique p|password= r|system s|shell= u|uid= "+
	"U|user-group Z|selinux-user= btrfs-subvolume-home"+rootOptions, badUsage, (*job).useradd)

// newUser is what useradd makes.
type newUser struct {
	name, comment, home, shell string
	uid, gid                   uint32
	system, ownGroup           bool
	groups                     []string
	expire, inactive           string
}

// useradd is useradd(8).
func (j *job) useradd(context.Context) error {
	if j.Has("defaults") || j.Has("selinux-user") || j.Has("btrfs-subvolume-home") {
		return shell.Unsupported("useradd: option -%s", map[bool]string{true: "D", false: "Z"}[j.Has("defaults")])
	}
	if j.Has("badname") {
		j.warn("useradd: WARNING: --badname is deprecated and will be removed")
	}
	name, ok := j.one()
	if !ok {
		return nil
	}
	u, ok, err := j.plannedUser(name)
	if !ok || err != nil {
		return err
	}
	if j.passwd.get(name) != nil {
		return j.refuse(nameInUse, "user '%s' already exists", name)
	}
	if u.ownGroup && j.group.get(name) != nil {
		return j.refuse(nameInUse, "group %s exists - if you want to add this user to that group, use -g.", name)
	}
	if err := lock(j.FS); err != nil {
		return err
	}
	if ok, err := j.giveIDs(u); !ok || err != nil {
		return err
	}
	j.addUser(u)
	return j.makeHome(u)
}

// plannedUser reads the options.
func (j *job) plannedUser(name string) (*newUser, bool, error) {
	defaults := readAssignments(j.FS, "/etc/default/useradd")
	u := &newUser{name: name, comment: j.Value("comment"), shell: defaults["SHELL"], system: j.Has("system")}
	refuse := func(status int, format string, args ...any) (*newUser, bool, error) {
		return nil, false, j.refuse(status, format, args...)
	}
	if j.Has("user-group") && (j.Has("gid") || j.Has("no-user-group")) {
		return refuse(badUsage, "options -U and -g conflict")
	}
	if !validUser(name) && !j.Has("badname") {
		return refuse(badName, "invalid user name '%s': use --badname to ignore", name)
	}
	if strings.ContainsAny(u.comment, ":\n") {
		return refuse(badArgument, "invalid comment '%s'", u.comment)
	}
	if strings.ContainsAny(j.Value("password"), ":\n") {
		return refuse(badArgument, "invalid field '%s'", j.Value("password"))
	}
	if j.Has("shell") {
		u.shell = j.Value("shell")
	}
	if u.shell != "" && !strings.HasPrefix(u.shell, "/") || strings.ContainsAny(u.shell, ":\n") {
		return refuse(badArgument, "invalid shell '%s'", u.shell)
	}
	base := orElse(j.Value("base-dir"), defaults["HOME"], "/home")
	u.home = strings.TrimSuffix(base, "/") + "/" + name
	if j.Has("home-dir") {
		u.home = j.Value("home-dir")
	}
	if !strings.HasPrefix(u.home, "/") || strings.ContainsAny(u.home, ":\n") {
		return refuse(badArgument, "invalid home directory '%s'", u.home)
	}
	var ok bool
	if u.expire, ok = expiry(orElse(j.Value("expiredate"), defaults["EXPIRE"])); !ok {
		return refuse(badArgument, "invalid date '%s'", j.Value("expiredate"))
	}
	if u.inactive, ok = dayCount(orElse(j.Value("inactive"), defaults["INACTIVE"])); !ok {
		return refuse(badArgument, "invalid numeric argument '%s'", j.Value("inactive"))
	}
	for _, g := range list(j.Value("groups")) {
		if j.groupOf(g) == nil {
			return refuse(groupMissing, "group '%s' does not exist", g)
		}
		u.groups = append(u.groups, j.groupOf(g)[0])
	}
	u.ownGroup = !j.Has("gid") && !j.Has("no-user-group") && (j.Has("user-group") || j.defs.yes("USERGROUPS_ENAB"))
	if u.ownGroup {
		return u, true, nil
	}
	g := j.groupOf(orElse(j.Value("gid"), defaults["GROUP"], "100"))
	if g == nil {
		if j.Has("gid") {
			return refuse(groupMissing, "group '%s' does not exist", j.Value("gid"))
		}
		g = []string{"", "", orElse(defaults["GROUP"], "100"), ""}
	}
	u.gid, _ = number(g[2])
	return u, true, nil
}

// orElse returns the first that is not empty.
func orElse(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// expiry is a date, or days since 1970, as shadow(5) has it.
func expiry(s string) (string, bool) {
	if s == "" || s == "-1" {
		return "", true
	}
	if n, err := strconv.Atoi(s); err == nil {
		return strconv.Itoa(n), true
	}
	t, err := time.Parse("2006-01-02", s)
	return strconv.FormatInt(t.Unix()/86400, 10), err == nil
}

// dayCount is a number of days in a field of shadow(5), where -1 is none.
func dayCount(s string) (string, bool) {
	if s == "" || s == "-1" {
		return "", true
	}
	n, err := strconv.Atoi(s)
	return strconv.Itoa(n), err == nil && n >= 0
}

// giveIDs chooses the ids that were not given, and makes the user's own group.
func (j *job) giveIDs(u *newUser) (bool, error) {
	lowest, highest := j.defs.idRange("UID", u.system)
	ok := true
	switch {
	case !j.Has("uid"):
		if u.uid, ok = freeID(j.passwd.ids(), lowest, highest, u.system); !ok {
			j.warn("useradd: Can't get unique UID (no more available UIDs)")
			return false, j.refuse(idInUse, "can't create user")
		}
	default:
		if u.uid, ok = number(j.Value("uid")); !ok {
			return false, j.refuse(badArgument, "invalid user ID '%s'", j.Value("uid"))
		}
		if j.passwd.byID(u.uid) != nil && !j.Has("non-unique") {
			return false, j.refuse(idInUse, "UID %d is not unique", u.uid)
		}
		j.warnRange(u, lowest, highest)
	}
	if !u.ownGroup {
		return true, nil
	}
	used := j.group.ids()
	first, last := j.defs.idRange("GID", u.system)
	if u.gid = u.uid; u.uid < first || u.uid > last || used[u.uid] {
		if u.gid, ok = freeID(used, first, last, u.system); !ok {
			return false, j.refuse(idInUse, "Can't get unique GID (no more available GIDs)")
		}
	}
	j.addGroup(u.name, u.gid, "!", "!", nil)
	return true, nil
}

// warnRange says that a given id is none of those that would be given out.
func (j *job) warnRange(u *newUser, lowest, highest uint32) {
	switch {
	case u.system && u.uid > highest:
		j.warn("useradd warning: %s's uid %d is greater than SYS_UID_MAX %d", u.name, u.uid, highest)
	case !u.system && u.uid != 0 && (u.uid < lowest || u.uid > highest):
		j.warn("useradd warning: %s's uid %d outside of the UID_MIN %d and UID_MAX %d range.", u.name, u.uid, lowest, highest)
	}
}

// addUser adds the lines of a user.
func (j *job) addUser(u *newUser) {
	password := "!"
	if j.Has("password") {
		password = j.Value("password")
	}
	field := password
	if j.shadow.exists {
		field = "x"
		aging := []string{"", "", ""}
		if !u.system {
			aging = j.aging()
		}
		j.shadow.put(slices.Concat([]string{u.name, password, j.day()}, aging, []string{u.inactive, u.expire, ""}))
	}
	id := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	j.passwd.put([]string{u.name, field, id(u.uid), id(u.gid), u.comment, u.home, u.shell})
	for _, g := range u.groups {
		j.setMembers(g, with(u.name))
	}
	lowest, highest := j.defs.idRange("UID", false)
	if u.system && j.Has("add-subids-for-system") || !u.system && u.uid >= lowest && u.uid <= highest {
		j.addSubordinate(j.subuid, "SUB_UID", u.name)
		j.addSubordinate(j.subgid, "SUB_GID", u.name)
	}
}

// aging is the limits of login.defs for the age of a password.
func (j *job) aging() []string {
	aging := make([]string, 3)
	for i, key := range []string{"PASS_MIN_DAYS", "PASS_MAX_DAYS", "PASS_WARN_AGE"} {
		aging[i], _ = dayCount(j.defs[key]) // what is no number is none
	}
	return aging
}

// addSubordinate gives a user a range of subordinate ids (subuid(5)): the first gap
// that is large enough. The file gets sorted on that occasion.
func (j *job) addSubordinate(t *table, kind, name string) {
	count := uint64(j.defs.number(kind+"_COUNT", 65536))
	if !t.exists || count == 0 {
		return
	}
	start := func(line string) uint64 {
		if v := t.entry(line); v != nil {
			n, _ := strconv.ParseUint(v[1], 10, 64)
			return n
		}
		return 0
	}
	slices.SortStableFunc(t.lines, func(a, b string) int { return cmp.Compare(start(a), start(b)) })
	low, highest := uint64(j.defs.number(kind+"_MIN", 100000)), uint64(j.defs.number(kind+"_MAX", 600100000))
	for _, v := range t.entries() {
		first, err1 := strconv.ParseUint(v[1], 10, 64)
		n, err2 := strconv.ParseUint(v[2], 10, 64)
		if err1 != nil || err2 != nil || first+n <= low {
			continue
		}
		if first >= low+count {
			break
		}
		low = first + n
	}
	if low+count-1 > highest {
		return
	}
	t.lines = append(t.lines, name+":"+strconv.FormatUint(low, 10)+":"+strconv.FormatUint(count, 10))
	t.changed = true
}

// makeHome makes the home directory where the options or login.defs ask for it.
func (j *job) makeHome(u *newUser) error {
	create := j.Has("create-home") || j.defs.yes("CREATE_HOME") && !u.system
	if !create || j.Has("no-create-home") {
		return nil
	}
	if j.FS.Exists(u.home) {
		j.warn("useradd: warning: the home directory %s already exists.\nuseradd: Not copying any file from skel directory into it.", u.home)
		return nil
	}
	if err := j.FS.MkdirAll(path.Dir(path.Clean(u.home)), 0o755); err != nil {
		return err
	}
	perm := j.defs.number("HOME_MODE", 0o777&^j.defs.number("UMASK", 0o022))
	if err := j.FS.Mkdir(path.Clean(u.home), perm); err != nil {
		return err
	}
	if err := j.FS.Chown(u.home, u.uid, u.gid, true); err != nil {
		return err
	}
	if err := j.FS.Chmod(u.home, perm); err != nil {
		return err
	}
	defaults := readAssignments(j.FS, "/etc/default/useradd")
	if defaults["CREATE_MAIL_SPOOL"] == "yes" && !u.system {
		return shell.Unsupported("useradd: CREATE_MAIL_SPOOL")
	}
	skel := orElse(j.Value("skel"), defaults["SKEL"], "/etc/skel")
	if !j.FS.IsDir(skel) {
		return nil
	}
	return copyOwned(j.FS, skel, u.home, u.uid, u.gid, nil)
}
