package accounts

import (
	"context"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

var deluser = getopt.Command("c|conf= debug stdoutmsglevel= stderrmsglevel= logmsglevel= group system only-if-empty remove-home remove-all-files "+
	"backup backup-to= backup-suffix= no-preserve-root q|quiet verbose", badCall, func(ctx context.Context, c *getopt.Call) (int, error) {
	a := &debianAdduser{job: &job{Call: c}, ctx: ctx}
	var err error
	if a.records, err = load(c.FS); err != nil {
		return c.Fail(err)
	}
	if !a.start("/etc/adduser.conf", "/etc/deluser.conf") {
		return a.status, nil
	}
	err = a.delete()
	return a.status, err
})

// delete is deluser(8) and delgroup.
func (a *debianAdduser) delete() error {
	switch n := len(a.Operands); {
	case n == 0 || n > 2 || a.Operands[0] == "":
		return a.stop(badCall, levelFatal, "Only one or two names allowed.")
	case n == 2:
		return a.deleteMember(a.Operands[0], a.Operands[1])
	case strings.HasSuffix(a.Args[0], "delgroup"):
		return a.deleteGroup(a.Operands[0])
	}
	return a.deleteUser(a.Operands[0])
}

func (a *debianAdduser) deleteUser(name string) error {
	u := a.passwd.get(name)
	system := a.Has("system")
	switch {
	case a.Has("remove-home") || a.Has("remove-all-files") || a.Has("backup") || a.Has("backup-to"):
		return shell.Unsupported("deluser: removing or backing up files")
	case system && u == nil:
		a.log(levelInfo, "The user `%s' does not exist, but --system was given. Exiting.", name)
		return nil
	case system && !a.isSystem(u[2], "UID"):
		return a.stop(wrongObject, levelWarn, "The user `%s' is not a system user. Exiting.", name)
	case u == nil:
		return a.stop(noObject, levelFatal, "The user `%s' does not exist.", name)
	case u[2] == "0" && !a.Has("no-preserve-root"):
		return a.stop(rootStays, levelFatal, "WARNING: You are just about to delete the root account (uid 0). Usually this is never required as it may render the whole system unusable. "+
			"If you really want this, call deluser with parameter --no-preserve-root. Stopping now without having performed any action")
	}
	if a.FS.Exists("/usr/bin/crontab") {
		a.log(levelInfo, "Removing crontab ...") // there is none yet in an image
	} else {
		level := levelWarn
		if system {
			level = levelInfo
		}
		a.log(level, "`%s' not executed. Skipping crontab removal. Package `cron' required.", "/usr/bin/crontab")
	}
	a.log(levelInfo, "Removing user `%s' ...", name)
	_, err := a.run("userdel", name)
	return err
}

func (a *debianAdduser) deleteGroup(name string) error {
	g := a.group.get(name)
	switch system := a.Has("system"); {
	case g == nil && system:
		a.log(levelWarn, "The group `%s' does not exist.", name)
		return nil
	case g == nil:
		return a.stop(noObject, levelWarn, "The group `%s' does not exist.", name)
	case system && !a.isSystem(g[2], "GID"):
		return a.stop(wrongObject, levelFatal, "The group `%s' is not a system group. Exiting.", name)
	case a.Has("only-if-empty") && g[3] != "":
		return a.stop(groupNotEmpty, levelFatal, "The group `%s' is not empty!", name)
	}
	a.log(levelInfo, "Removing group `%s' ...", name)
	_, err := a.run("groupdel", name)
	return err
}

func (a *debianAdduser) deleteMember(user, group string) error {
	u, g := a.passwd.get(user), a.group.get(group)
	switch {
	case u == nil:
		return a.stop(noObject, levelFatal, "The user `%s' does not exist.\n", user)
	case g == nil:
		return a.stop(noObject, levelFatal, "The group `%s' does not exist.\n", group)
	case u[3] == g[2]:
		return a.stop(inPrimaryGroup, levelFatal, "You may not remove the user from their primary group.")
	}
	there := slices.DeleteFunc(members(g), func(m string) bool { return a.passwd.get(m) == nil })
	if !slices.Contains(there, user) {
		return a.stop(notInGroup, levelFatal, "The user `%s' is not a member of group `%s'.", user, group)
	}
	a.log(levelInfo, "Removing user `%s' from group `%s' ...", user, group)
	_, err := a.run("gpasswd", "-M", strings.Join(without(user)(there), ","), group)
	return err
}
