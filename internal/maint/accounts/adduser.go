package accounts

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Exit statuses of adduser(8).
const (
	objectExists    = 11
	noObject        = 12
	wrongObject     = 13
	adduserIDInUse  = 21
	noIDInRange     = 22
	badCharacters   = 31
	badHome         = 32
	groupNotEmpty   = 41
	notInGroup      = 42
	inPrimaryGroup  = 43
	badCall         = 51
	exclusiveValues = 53
	rootStays       = 55
	callFailed      = 82
)

const adduserOptions = "add_extra_groups|add-extra-groups allow-all-names allow-badname|force-badname|allow-bad-names gecos|comment= c|conf= debug " +
	"stdoutmsglevel= stderrmsglevel= logmsglevel= disabled-login disabled-password firstgid= firstuid= gid= group home= ingroup= lastgid= lastuid= " +
	"no-create-home q|quiet shell= system uid= verbose"

var adduser = getopt.Command(adduserOptions, badCall, func(ctx context.Context, c *getopt.Call) (int, error) {
	a := &debianAdduser{job: &job{Call: c}, ctx: ctx}
	var err error
	if a.records, err = load(c.FS); err != nil {
		return c.Fail(err)
	}
	err = a.main()
	return a.status, err
})

// debianAdduser is one call of Debian's adduser(8), addgroup, deluser or delgroup.
type debianAdduser struct {
	*job
	ctx            context.Context
	conf           adduserConf
	stderr, stdout int // levels from which messages go there
}

// Levels of messages.
const (
	levelDebug = iota
	levelInfo
	levelWarn
	levelErr
	levelFatal
)

var levels = map[string]int{"trace": levelDebug, "logtrace": levelDebug, "debug": levelDebug, "info": levelInfo, "warn": levelWarn, "err": levelErr, "error": levelErr, "fatal": levelFatal}

// log prints a message on the standard error or the standard output, as its level is.
func (a *debianAdduser) log(level int, format string, args ...any) {
	w := a.Stderr
	switch {
	case level >= a.stderr:
	case level >= a.stdout:
		w = a.Stdout
	default:
		return
	}
	fmt.Fprintf(w, "%s: %s\n", []string{"debug", "info", "warn", "err", "fatal"}[level], fmt.Sprintf(format, args...))
}

// stop ends with a status and a message.
func (a *debianAdduser) stop(status, level int, format string, args ...any) error {
	a.status = status
	a.log(level, format, args...)
	return nil
}

// tainted is the exit status of adduser 3.152 where it has to warn of its
// configuration: it logs that before it has set a PATH, which perl -T refuses. So a
// preinst gets no user from an adduser that is unpacked and not configured.
const tainted = 25

// start reads the configuration and how much to say. false means that the program
// ends there.
func (a *debianAdduser) start(confs ...string) bool {
	if a.Has("conf") {
		confs = []string{a.Value("conf")}
	}
	var warnings []string
	a.conf, warnings = readAdduserConf(a.FS, confs...)
	level := func(option, key string) int {
		l, ok := levels[orElse(a.Value(option), a.conf[key])]
		if !ok {
			return levelWarn
		}
		return l
	}
	a.stderr, a.stdout = level("stderrmsglevel", "STDERRMSGLEVEL"), level("stdoutmsglevel", "STDOUTMSGLEVEL")
	if len(warnings) > 0 {
		a.log(levelWarn, "%s", warnings[0])
		fmt.Fprintln(a.Stderr, "Insecure $ENV{PATH} while running with -T switch at /usr/share/perl5/Debian/AdduserLogging.pm line 161.")
		a.status = tainted
		return false
	}
	switch a.Last("quiet", "verbose", "debug") {
	case "quiet":
		a.stdout = levelErr
	case "verbose":
		a.stdout = levelInfo
	case "debug":
		a.stdout = levelDebug
	}
	return true
}

// adduserLock is what adduser and addgroup lock, and leave behind.
const adduserLock = "/run/adduser"

func (a *debianAdduser) main() error {
	if !a.start("/etc/adduser.conf") {
		return nil
	}
	if a.FS.IsDir("/run") && !a.FS.Exists(adduserLock) {
		if err := a.FS.WriteFile(adduserLock, nil, 0o644&^a.Umask); err != nil {
			return err
		}
	}
	group := strings.HasPrefix(a.Args[0], "addgroup")
	switch n := len(a.Operands); {
	case n == 0 || n > 2 || a.Operands[0] == "":
		return a.stop(badCall, levelFatal, "Only one or two names allowed.")
	case n == 2 && (!group && a.Has("system") || a.Has("group")):
		return a.stop(badCall, levelFatal, "Specify only one name in this mode.")
	case n == 2 && group:
		return a.stop(badCall, levelFatal, "addgroup with two arguments is an unspecified operation.")
	case n == 2:
		return a.addMember(a.Operands[0], a.Operands[1])
	}
	name := a.Operands[0]
	if !a.goodName(name) || a.Has("ingroup") && !a.goodName(a.Value("ingroup")) {
		return nil
	}
	alone := group || a.Has("group") && !a.Has("system")
	if !(group && !a.Has("system")) && count(a.Has("group"), a.Has("ingroup"), a.Has("gid")) > 1 {
		return a.stop(exclusiveValues, levelFatal, "The --group, --ingroup, and --gid options are mutually exclusive.")
	}
	if ok, err := a.goodFields(); !ok || err != nil {
		return err
	}
	for _, o := range []string{"firstgid", "firstuid", "lastgid", "lastuid", "gid", "uid"} {
		if _, ok := number(a.Value(o)); a.Has(o) && !ok {
			return a.stop(badCall, levelFatal, "Value %q invalid for option %s (number expected)", a.Value(o), o)
		}
	}
	if a.Has("home") && !strings.HasPrefix(a.Value("home"), "/") {
		return a.stop(badHome, levelFatal, "The home dir must be an absolute path.")
	}
	if a.conf["UID_POOL"] != "" || a.conf["GID_POOL"] != "" {
		return shell.Unsupported("adduser: UID_POOL and GID_POOL")
	}
	switch {
	case alone:
		return a.addGroupAlone(name)
	case a.Has("system"):
		return a.addSystemUser(name)
	}
	return a.addPerson(name)
}

// simplePath is what adduser takes for a home directory or a shell.
var simplePath = regexp.MustCompile(`^[-_$.0-9a-zA-Z/]+$`)

// died is the exit status of a program in perl that gives up.
const died = 255

// goodFields checks the values that go into /etc/passwd as they are.
func (a *debianAdduser) goodFields() (bool, error) {
	bad := strings.ContainsFunc(a.Value("comment"), func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f })
	for _, o := range []string{"home", "shell"} {
		bad = bad || a.Has(o) && !simplePath.MatchString(a.Value(o))
	}
	if !bad {
		return true, nil
	}
	a.status = died
	a.warn("invalid characters in input string, see trace output for more details")
	return false, nil
}

func count(set ...bool) int {
	n := 0
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

// addMember is "adduser USER GROUP".
func (a *debianAdduser) addMember(user, group string) error {
	g := a.group.get(group)
	switch {
	case a.passwd.get(user) == nil:
		return a.stop(noObject, levelFatal, "The user `%s' does not exist.", user)
	case g == nil:
		return a.stop(noObject, levelFatal, "The group `%s' does not exist.", group)
	case slices.Contains(members(g), user):
		a.log(levelWarn, "The user `%s' is already a member of `%s'.", user, group)
		return nil
	}
	a.log(levelInfo, "Adding user `%s' to group `%s' ...", user, group)
	_, err := a.run("usermod", "-a", "-G", group, user)
	return err
}

// run calls a command of the shadow tools, and reads the files again that it changed.
// ok is false where it failed, which ends adduser too.
func (a *debianAdduser) run(args ...string) (ok bool, err error) {
	status, err := a.call(a.ctx, args...)
	if err != nil {
		return false, err
	}
	if a.records, err = load(a.FS); err != nil {
		return false, err
	}
	if status != 0 {
		return false, a.stop(callFailed, levelFatal, "`/sbin/%s' returned error code %d. Exiting.", strings.Join(args, " "), status)
	}
	return true, nil
}

// limits returns the first and last id to give out.
func (a *debianAdduser) limits(kind string, system bool) (first, last uint32) {
	middle := "_"
	if system {
		middle = "_SYSTEM_"
	}
	first, last = a.conf.number("FIRST"+middle+kind), a.conf.number("LAST"+middle+kind)
	for option, to := range map[string]*uint32{"first": &first, "last": &last} {
		if n, ok := number(a.Value(option + strings.ToLower(kind))); ok && n != 0 {
			*to = n
		}
	}
	return first, last
}

// next returns the first id from first to last that is not used.
func next(first, last uint32, used ...map[uint32]bool) (string, bool) {
	for id := uint64(first); id <= uint64(last); id++ {
		if !slices.ContainsFunc(used, func(u map[uint32]bool) bool { return u[uint32(id)] }) {
			return strconv.FormatUint(id, 10), true
		}
	}
	return "", false
}

func (a *debianAdduser) nextGID(system bool) (string, bool) {
	first, last := a.limits("GID", system)
	a.log(levelInfo, "Selecting GID from range %d to %d ...", first, last)
	return next(first, last, a.group.ids())
}

func (a *debianAdduser) isSystem(id, kind string) bool {
	n, _ := number(id)
	return n >= a.conf.number("FIRST_SYSTEM_"+kind) && n <= a.conf.number("LAST_SYSTEM_"+kind)
}

// addGroupAlone is addgroup, with --system or without.
func (a *debianAdduser) addGroupAlone(name string) error {
	system, gid := a.Has("system"), a.Value("gid")
	g := a.group.get(name)
	taken, _ := number(gid)
	if system {
		switch {
		case g != nil && gid != "" && g[2] != gid || g == nil && gid != "" && a.group.byID(taken) != nil:
			return a.stop(wrongObject, levelErr, "The group `%s' already exists, but has a different GID. Exiting.", name)
		case g != nil && a.isSystem(g[2], "GID"):
			a.log(levelInfo, "The group `%s' already exists as a system group.", name)
			return nil
		case g != nil:
			return a.stop(wrongObject, levelErr, "The group `%s' already exists and is not a system group. Exiting.", name)
		}
	} else if g != nil {
		return a.stop(objectExists, levelFatal, "The group `%s' already exists.", name)
	}
	if gid != "" && a.group.byID(taken) != nil {
		return a.stop(adduserIDInUse, levelFatal, "The GID `%s' is already in use.", gid)
	}
	if gid == "" {
		var ok bool
		if gid, ok = a.nextGID(system); !ok {
			first, last := a.limits("GID", system)
			label, level := "FIRST_GID - LAST_GID", levelFatal
			if system {
				label, level = "FIRST_SYS_GID - LAST_SYS_GID", levelErr
			}
			a.log(levelWarn, "No GID is available in the range %d-%d (%s).", first, last, label)
			return a.stop(noIDInRange, level, "The group `%s' was not created.", name)
		}
	}
	a.log(levelInfo, "Adding group `%s' (GID %s) ...", name, gid)
	_, err := a.run("groupadd", "-g", gid, name)
	return err
}

// home makes the home directory, with what is in the skeleton where copies says so.
func (a *debianAdduser) makeHome(name, home string, system, create bool) error {
	u := a.passwd.get(name)
	if u == nil {
		return nil
	}
	uid, _ := number(u[2])
	gid, _ := number(u[3])
	switch {
	case isNonexistent(home):
		a.log(levelInfo, "Not creating `%s'.", home)
		return nil
	case !create:
		a.log(levelInfo, "Not creating home directory `%s' as requested.", home)
		return nil
	case a.FS.Exists(home):
		if n, err := a.FS.Stat(home); err == nil && !system {
			a.log(levelWarn, "The home directory `%s' already exists.  Not touching this directory.", home)
			if n.UID != uid || n.GID != gid {
				a.log(levelWarn, "Warning: The home directory `%s' does not belong to the user you are currently creating.", home)
			}
		}
		return nil
	}
	a.log(levelInfo, "Creating home directory `%s' ...", home)
	if err := a.FS.MkdirAll(path.Clean(home), 0o755&^a.Umask); err != nil {
		return err
	}
	if err := a.FS.Chown(home, uid, gid, true); err != nil {
		return err
	}
	perm := a.conf.mode("DIR_MODE")
	if system {
		perm = a.conf.mode("SYS_DIR_MODE")
	}
	if err := a.FS.Chmod(home, perm); err != nil {
		return err
	}
	if system || a.conf["SKEL"] == "" || !a.FS.IsDir(a.conf["SKEL"]) {
		return nil
	}
	a.log(levelInfo, "Copying files from `%s' ...", a.conf["SKEL"])
	ignored, err := a.ignored()
	if err != nil {
		return err
	}
	return copyOwned(a.FS, a.conf["SKEL"], home, uid, gid, ignored)
}

// isNonexistent reports whether a home is the one that is not to exist (Debian Policy
// 9.2.3).
func isNonexistent(home string) bool {
	rest := strings.TrimLeft(home, "/")
	return rest == "nonexistent" || strings.HasPrefix(rest, "nonexistent/")
}
