package files

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// The commands here ask for the state of a machine. An image has none: no process
// runs in it and nothing is mounted, but for what whoever configures packages mounts.

var (
	mountpoint = program("q|quiet d|fs-devno x|devno nofollow", (*job).mountpoint)
	umount     = program("a|all A|all-targets c|no-canonicalize d|detach-loop f|force i|internal-only n|no-mtab l|lazy O|test-opts= R|recursive r|read-only t|types= v|verbose q|quiet",
		(*job).umount)
	mount           = program("l|show-labels t|types= a|all v|verbose r|read-only w|rw|read-write o|options= n|no-mtab", (*job).mount)
	detectVirt      = program("c|container v|vm r|chroot q|quiet private-users cvm list", (*job).detectVirt)
	startStopDaemon = program("+ S|start K|stop T|status H|help V|version a|startas= x|exec= p|pidfile= n|name= u|user= ppid= pid= o|oknodo t|test q|quiet v|verbose s|signal= R|retry= "+
		"c|chuid= g|group= r|chroot= d|chdir= b|background C|no-close N|nicelevel= P|procsched= I|iosched= k|umask= m|make-pidfile remove-pidfile notify-await notify-timeout= O|output=",
		(*job).startStopDaemon)
	killall = program("+ e|exact I|ignore-case g|process-group y|younger-than= o|older-than= i|interactive l|list q|quiet r|regexp s|signal= u|user= v|verbose w|wait n|ns= Z|context= "+
		"1 2 3 4 5 6 7 8 9 0 H U P K T E R M", (*job).killall)
)

// mountedDirs are mounted wherever packages are configured: scripts go on only then.
var mountedDirs = []string{"/proc", "/sys"}

// notMounted is the exit status of mountpoint(1) and umount(8) for a directory on
// which nothing is mounted.
const notMounted = 32

// mountpoint is mountpoint(1).
func (j *job) mountpoint(context.Context) error {
	if len(j.Operands) != 1 {
		return j.usage("bad usage")
	}
	name := j.Operands[0]
	for _, dir := range mountedDirs {
		if clean(j.Path(name)) == dir && !j.Has("fs-devno") && !j.Has("devno") {
			if j.Has("quiet") {
				return nil
			}
			return j.say("%s is a mountpoint", name)
		}
	}
	if _, err := j.stat(name); err != nil {
		if j.Has("quiet") {
			j.status = 1
			return nil
		}
		return j.fail(err, "%s", name)
	}
	j.status = notMounted
	if j.Has("quiet") {
		return nil
	}
	return j.say("%s is not a mountpoint", name)
}

func (j *job) umount(context.Context) error {
	for _, name := range j.Operands {
		j.status = notMounted
		fmt.Fprintf(j.Stderr, "umount: %s: not mounted.\n", name)
	}
	return nil
}

// mount without operands lists what is mounted: nothing that lasts.
func (j *job) mount(context.Context) error {
	if len(j.Operands) > 0 || j.Has("all") || j.Has("options") {
		return shell.Unsupported("mount: mounting a file system")
	}
	return nil
}

// status returns a command that says nothing and ends with a status.
func status(n int) shell.Command {
	return func(context.Context, *shell.Proc) (int, error) { return n, nil }
}

// detectVirt is systemd-detect-virt(1): what configures packages runs in a chroot, of
// which nobody knows where it is.
func (j *job) detectVirt(context.Context) error {
	if j.Has("chroot") {
		return nil
	}
	j.status = 1
	if j.Has("quiet") || j.Has("private-users") {
		return nil
	}
	return j.say("none")
}

// startStopDaemon is start-stop-daemon(8). Services are not started in an image, and
// there is none to stop.
func (j *job) startStopDaemon(context.Context) error {
	switch j.Last("start", "stop", "status") {
	case "start":
		if j.Has("test") {
			return j.say("Would start %s %s.", j.Value("exec")+j.Value("startas"), strings.Join(j.Operands, " "))
		}
		return nil
	case "status":
		j.status = 3 // not running
		return nil
	case "stop":
		if !j.Has("oknodo") {
			j.status = 1
		}
		if j.Has("quiet") {
			return nil
		}
		for _, o := range []struct{ option, what string }{
			{"name", "%s"}, {"exec", "%s"}, {"pidfile", "process in pidfile '%s'"}, {"pid", "process with pid %s"}, {"user", "process(es) owned by '%s'"},
		} {
			if j.Has(o.option) {
				return j.say("No "+o.what+" found running; none killed.", j.Value(o.option))
			}
		}
		return nil
	}
	j.status = 2
	return j.usage("need one of --start or --stop or --status")
}

func (j *job) killall(context.Context) error {
	j.status = 1
	if j.Has("list") {
		return shell.Unsupported("killall: option -l")
	}
	for _, name := range j.Operands {
		if !j.Has("quiet") {
			fmt.Fprintf(j.Stderr, "%s: no process found\n", name)
		}
	}
	return nil
}

// unsupported is a command of which only the name is known.
func unsupported(why string) shell.Command {
	return func(_ context.Context, p *shell.Proc) (int, error) {
		return 0, shell.Unsupported("%s: %s", p.Args[0], why)
	}
}

// lsattr is lsattr(1): no file has any of the attributes that chattr sets.
var lsattr = program("R a d l p v", func(j *job, ctx context.Context) error {
	if len(j.Operands) == 0 {
		j.Operands = []string{"."}
	}
	for _, name := range j.Operands {
		n, err := j.lstat(name)
		if err != nil {
			if err := j.fail(err, "lstat %s", name); err != nil {
				return err
			}
			continue
		}
		names := []string{name}
		if n.Type == tree.Dir && !j.Has("d") {
			if names, err = j.FS.ReadDir(j.Path(name)); err != nil {
				return err
			}
		}
		for _, child := range names {
			if len(names) > 0 && n.Type == tree.Dir && !j.Has("d") {
				child = join(name, child)
			}
			if err := j.say("---------------------- %s", child); err != nil {
				return err
			}
		}
	}
	return nil
})
