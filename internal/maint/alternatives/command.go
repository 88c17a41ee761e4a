package alternatives

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Commands returns update-alternatives(1).
func Commands() map[string]shell.Command {
	return map[string]shell.Command{"update-alternatives": command}
}

// update is one call of update-alternatives.
type update struct {
	*shell.Proc
	altDir, adminDir string

	action         string
	name, file     string // of the group, and of the alternative
	force          bool
	skipAuto       bool
	quiet, verbose bool

	install *linkGroup // what --install describes, with one choice
	printed strings.Builder
	commit  []func() error // what takes the links to their places
}

// failure ends a call with status 2.
type failure struct{ text string }

func (e failure) Error() string { return e.text }

func fail(format string, args ...any) error { return failure{fmt.Sprintf(format, args...)} }

func (u *update) warn(format string, args ...any) {
	fmt.Fprintf(u.Stderr, "update-alternatives: warning: "+format+"\n", args...)
}

// info tells of a change, on the standard output.
func (u *update) info(format string, args ...any) {
	if !u.quiet {
		fmt.Fprintf(&u.printed, "update-alternatives: "+format+"\n", args...)
	}
}

// tell is info that is wanted with --verbose only.
func (u *update) tell(format string, args ...any) {
	if u.verbose {
		u.info(format, args...)
	}
}

func command(_ context.Context, p *shell.Proc) (int, error) {
	u := &update{Proc: p, altDir: "/" + LinkDir, adminDir: "/" + AdminDir}
	if dir := p.Getenv("DPKG_ADMINDIR"); dir != "" {
		u.adminDir = dir + "/alternatives"
	}
	err := u.parse(p.Args[1:])
	if err == nil {
		err = u.run()
	}
	if _, werr := io.WriteString(p.Stdout, u.printed.String()); werr != nil {
		return 1, werr
	}
	if f, ok := errors.AsType[failure](err); ok {
		fmt.Fprintf(p.Stderr, "update-alternatives: error: %s\n", f.text)
		return 2, nil
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		if status, err := p.Fail(err); err != nil || status == 0 {
			return status, err
		}
		return 2, nil
	}
	return 0, err
}

// parse reads the arguments.
func (u *update) parse(args []string) error {
	take := func(n int) ([]string, bool) {
		if len(args) < n {
			return nil, false
		}
		taken := args[:n]
		args = args[n:]
		return taken, true
	}
	for len(args) > 0 {
		option := args[0]
		args = args[1:]
		switch option {
		case "--quiet":
			u.quiet = true
		case "--verbose", "--debug":
			u.verbose = option == "--verbose"
		case "--force":
			u.force = true
		case "--skip-auto":
			u.skipAuto = true
		case "--altdir", "--admindir", "--instdir", "--root", "--log":
			v, ok := take(1)
			if !ok {
				return fail("--%s needs a <file> argument", option[2:])
			}
			switch option {
			case "--altdir":
				u.altDir = u.Path(v[0])
			case "--admindir":
				u.adminDir = u.Path(v[0])
			case "--instdir", "--root":
				if v[0] != "/" && v[0] != "" {
					return shell.Unsupported("update-alternatives %s %s", option, v[0])
				}
			}
		case "--slave":
			v, ok := take(3)
			if u.install == nil {
				return fail("--slave only allowed with --install")
			}
			if !ok {
				return fail("--slave needs <link> <name> <path>")
			}
			if err := u.slave(v[0], v[1], v[2]); err != nil {
				return err
			}
		case "--help", "--version":
			return shell.Unsupported("update-alternatives %s", option)
		default:
			if !slices.Contains(actions, option) {
				return fail("unknown option '%s'", option)
			}
			if u.action != "" && (u.action != "--install" || option != "--install") {
				return fail("two commands specified: %s and %s", option, u.action)
			}
			u.action = option
			n := map[string]int{"--install": 4, "--set": 2, "--remove": 2, "--all": 0, "--get-selections": 0, "--set-selections": 0}
			need, ok := n[option]
			if !ok {
				need = 1
			}
			v, ok := take(need)
			if !ok {
				return fail("%s needs %s", option, map[int]string{1: "<name>", 2: "<name> <path>", 4: "<link> <name> <path> <priority>"}[need])
			}
			if err := u.operands(v); err != nil {
				return err
			}
		}
	}
	if u.action == "" {
		return fail("need --display, --query, --list, --get-selections, --config, --set, --set-selections, --install, --remove, --all, --remove-all or --auto")
	}
	return nil
}

var actions = []string{
	"--install", "--remove", "--remove-all", "--set", "--auto", "--display", "--query", "--list", "--config",
	"--all", "--get-selections", "--set-selections",
}

// operands checks those of an action.
func (u *update) operands(v []string) error {
	switch len(v) {
	case 1:
		u.name = v[0]
	case 2:
		u.name, u.file = v[0], v[1]
	case 4:
		u.name = v[1]
		if v[0] == v[2] {
			return fail("<link> '%s' is the same as <path>", v[0])
		}
		priority, err := strconv.Atoi(strings.TrimPrefix(v[3], "+"))
		if err != nil {
			return fail("priority '%s' is not a number", v[3])
		}
		if priority > 1<<31-1 || priority < -1<<31 {
			return fail("priority of %s is out of range: %s", v[2], v[3])
		}
		u.install = &linkGroup{name: v[1], link: v[0], choices: []*choice{{path: v[2], priority: priority, slaves: map[string]string{}}}}
		u.file = v[2]
		if err := checkLink(v[0]); err != nil {
			return err
		}
	default:
		return nil
	}
	if err := checkName(u.name); err != nil {
		return err
	}
	if u.file != "" {
		return checkPath(u.file)
	}
	return nil
}

func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, "/ \t\n") {
		return fail("alternative name (%s) must not contain '/' and spaces", name)
	}
	return nil
}

func checkLink(link string) error {
	if !strings.HasPrefix(link, "/") {
		return fail("alternative link is not absolute as it should be: %s", link)
	}
	return checkLine(link)
}

func checkPath(file string) error {
	if !strings.HasPrefix(file, "/") {
		return fail("alternative path is not absolute as it should be: %s", file)
	}
	return checkLine(file)
}

func checkLine(v string) error {
	if strings.Contains(v, "\n") {
		return fail("newlines prohibited in update-alternatives files (%s)", v)
	}
	return nil
}

// slave reads one --slave.
func (u *update) slave(link, name, file string) error {
	g := u.install
	switch {
	case link == file:
		return fail("<link> '%s' is the same as <path>", link)
	case name == g.name:
		return fail("slave name %s is the same as the primary name", name)
	case link == g.link:
		return fail("slave link %s is the same as main link %s", link, g.link)
	}
	for _, s := range g.slaves {
		if s.name == name {
			return fail("duplicate slave name %s", name)
		}
		if s.link == link {
			return fail("duplicate slave link %s", link)
		}
	}
	if err := errors.Join(checkLink(link), checkName(name), checkPath(file)); err != nil {
		return err
	}
	g.slaves = append(g.slaves, slaveLink{name: name, link: link})
	g.choices[0].slaves[name] = file
	return nil
}

// run does what the call asks for.
func (u *update) run() error {
	switch u.action {
	case "--all":
		return shell.Unsupported("update-alternatives --all, which asks")
	case "--get-selections":
		return u.getSelections()
	case "--set-selections":
		return u.setSelections()
	case "--install":
		return u.installChoice()
	}
	g, err := u.load(u.name, true)
	if errors.Is(err, fs.ErrNotExist) {
		if u.action == "--remove" {
			u.tell("no alternatives for %s", u.name)
			return nil
		}
		return fail("no alternatives for %s", u.name)
	}
	if err != nil {
		return fail("%v", err)
	}
	switch u.action {
	case "--display":
		u.display(g)
		return nil
	case "--query":
		u.query(g)
		return nil
	case "--list":
		for _, c := range g.choices {
			u.printed.WriteString(c.path + "\n")
		}
		return nil
	}
	return u.change(g)
}

// change is --remove, --remove-all, --set, --auto and --config.
func (u *update) change(g *linkGroup) error {
	u.selectMode(g)
	current, wanted := u.current(g), ""
	switch u.action {
	case "--remove":
		if g.get(u.file) != nil {
			g.choices = slices.DeleteFunc(g.choices, func(c *choice) bool { return c.path == u.file })
			g.modified = true
		} else {
			u.tell("alternative %s for %s not registered; not removing", u.file, g.name)
		}
		if current == u.file {
			if g.manual {
				u.info("removing manually selected alternative - switching %s to auto mode", g.name)
				g.setManual(false)
			}
			if best := g.best(""); best != nil {
				wanted = best.path
			}
		}
	case "--remove-all":
		g.choices = nil
	case "--set":
		if g.get(u.file) == nil {
			return fail("alternative %s for %s not registered; not setting", u.file, g.name)
		}
		g.setManual(true)
		wanted = u.file
	case "--auto":
		g.setManual(false)
		if best := g.best(current); best != nil {
			wanted = best.path
		} else {
			u.info("there is no program which provides %s", g.name)
		}
	case "--config":
		return u.config(g)
	}
	return u.apply(g, current, wanted)
}

// config is --config, which asks unless there is nothing to choose.
func (u *update) config(g *linkGroup) error {
	switch {
	case len(g.choices) == 0:
		fmt.Fprintf(&u.printed, "There is no program which provides %s.\nNothing to configure.\n", g.name)
	case u.skipAuto && !g.manual:
		u.display(g)
	default:
		return shell.Unsupported("update-alternatives --config, which asks,")
	}
	return nil
}

// selectMode finds out whether somebody changed the link by hand
// (alternative_select_mode).
func (u *update) selectMode(g *linkGroup) {
	current := u.current(g)
	if current == "" {
		u.tell("setting up automatic selection of %s", g.name)
		g.setManual(false)
		return
	}
	if g.get(current) != nil {
		return
	}
	if !u.FS.Exists(current) {
		u.warn("%s is dangling; it will be updated with best choice", path.Join(u.altDir, g.name))
		g.setManual(false)
	} else if !g.manual {
		u.warn("%s has been changed (manually or by a script); switching to manual updates only", path.Join(u.altDir, g.name))
		g.setManual(true)
	}
}
