package services

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// ctl is one call of systemctl(1) in a chroot, where no systemd runs.
type ctl struct {
	*shell.Proc
	dir        string // "system" or "user"
	quiet      bool
	enableOnly bool // --preset-mode
	disableOff bool // --preset-mode=disable-only
}

// offline are the commands that need a running systemd: systemctl says that it
// ignores them.
var offline = strings.Fields(`list-units list-sockets list-timers list-jobs list-dependencies clear-jobs cancel start stop condstop
	reload restart try-restart reload-or-restart reload-or-try-restart try-reload-or-restart force-reload condreload condrestart isolate
	kill clean freeze thaw is-active check is-failed show cat status help daemon-reload daemon-reexec log-level log-target service-watchdogs
	show-environment set-environment unset-environment import-environment halt poweroff reboot kexec soft-reboot suspend hibernate
	default rescue emergency exit reset-failed set-property bind mount-image switch-root whoami service-log-level service-log-target`)

func systemctl(_ context.Context, p *shell.Proc) (int, error) {
	c := &ctl{Proc: p, dir: "system"}
	var args []string
	rest := p.Args[1:]
	for i := 0; i < len(rest); i++ {
		a := rest[i]
		name, value, joined := strings.Cut(a, "=")
		switch {
		case a == "--":
			args = append(args, rest[i+1:]...)
			i = len(rest)
		case name == "--root" || name == "--preset-mode" || name == "-p" || name == "--property" || name == "-P" || name == "-t" || name == "--type" ||
			name == "-s" || name == "--signal" || name == "--kill-whom" || name == "--state" || name == "-n" || name == "-M" || name == "--machine" || name == "--job-mode":
			if !joined && i+1 < len(rest) {
				i++
				value = rest[i]
			}
			if status, err := c.valued(name, value); status != 0 || err != nil {
				return status, err
			}
		case a == "--user" || a == "--global":
			c.dir = "user"
		case a == "--quiet" || a == "-q":
			c.quiet = true
		case a == "--version":
			say(p.Stdout, "systemd 257 (257.13-1~deb13u1)")
			return 0, nil
		case slices.Contains([]string{"--system", "--no-reload", "--no-block", "--now", "--value", "--no-pager", "--no-legend", "--force", "-f", "--full", "-l", "--all", "-a", "--no-ask-password", "--no-wall", "--plain", "--wait"}, a):
		case len(a) > 1 && a[0] == '-':
			return 0, shell.Unsupported("systemctl %s", a)
		default:
			args = append(args, a)
		}
	}
	if len(args) == 0 {
		return 0, nil // list-units
	}
	return c.do(args[0], args[1:])
}

func (c *ctl) valued(name, value string) (int, error) {
	switch name {
	case "--root":
		if value != "/" && value != "" {
			return 0, shell.Unsupported("systemctl --root=%s", value)
		}
	case "--preset-mode":
		c.enableOnly, c.disableOff = value == "enable-only", value == "disable-only"
	}
	return 0, nil
}

func (c *ctl) do(command string, units []string) (int, error) {
	if slices.Contains(offline, command) {
		if !c.quiet {
			say(c.Stderr, "Running in chroot, ignoring command '%s'", command)
		}
		return 0, nil
	}
	for i, u := range units {
		if !strings.Contains(u, ".") || !slices.Contains(unitTypes, path.Ext(u)) {
			units[i] = u + ".service"
		}
	}
	var err error
	switch command {
	case "is-system-running":
		if !c.quiet {
			say(c.Stdout, "offline")
		}
		return 1, nil
	case "is-enabled":
		return c.isEnabled(units), nil
	case "get-default":
		to, err := c.FS.Readlink("/etc/systemd/system/default.target")
		if err != nil {
			to, err = c.FS.Readlink("/usr/lib/systemd/system/default.target")
		}
		if err != nil {
			return 1, nil
		}
		say(c.Stdout, "%s", path.Base(to))
		return 0, nil
	case "enable", "disable", "reenable", "preset", "mask", "unmask", "add-wants", "add-requires", "set-default":
		err = c.change(command, units)
	default:
		return 0, shell.Unsupported("systemctl %s", command)
	}
	if f, ok := errors.AsType[failure](err); ok {
		say(c.Stderr, "%s", string(f))
		return 1, nil
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return c.Fail(err)
	}
	return 0, err
}

var unitTypes = []string{".service", ".socket", ".target", ".timer", ".mount", ".automount", ".path", ".slice", ".swap", ".device", ".scope"}

func (c *ctl) config() string { return "/etc/systemd/" + c.dir }

// search are the directories of unit files, the most important first.
func (c *ctl) search() []string {
	return []string{"/etc/systemd/" + c.dir, "/run/systemd/" + c.dir, "/usr/local/lib/systemd/" + c.dir, "/usr/lib/systemd/" + c.dir, "/lib/systemd/" + c.dir}
}

// find returns the path of a unit's file, "" where there is none. An instance of a
// template has the template's. A link to another unit of the same directories is
// followed, as it is an alias.
func (c *ctl) find(unit string) string {
	names := []string{unit}
	if m := template.FindStringSubmatch(unit); m != nil && m[2] != "" {
		names = append(names, m[1]+m[3])
	}
	for _, name := range names {
		for _, dir := range c.search() {
			at := dir + "/" + name
			if _, err := c.FS.Lstat(at); err != nil {
				continue
			}
			if to, err := c.FS.Readlink(at); err == nil && to != null {
				if !strings.HasPrefix(to, "/") {
					to = path.Join(dir, to)
				}
				if path.Base(to) != name && isFile(c.FS, to) {
					return to
				}
			}
			return at
		}
	}
	return ""
}

// masked reports whether a unit's file is a link to /dev/null or empty.
func (c *ctl) masked(file string) bool {
	to, err := c.FS.Readlink(file)
	if err == nil {
		return to == null
	}
	n, err := c.FS.Stat(file)
	return err == nil && n.Type == tree.File && n.Size == 0
}

func (c *ctl) read(file string) ([]setting, error) {
	b, err := c.FS.ReadFile(file)
	return installSection(string(b)), err
}

// isEnabled prints the state of each unit; the status is 0 where one is enabled.
func (c *ctl) isEnabled(units []string) int {
	status := 1
	for _, unit := range units {
		state, ok := c.state(unit)
		if state == "not-found" && len(units) == 1 {
			status = 4
		}
		if ok {
			status = 0
		}
		if !c.quiet {
			say(c.Stdout, "%s", state)
		}
	}
	return status
}

// state is how a unit is enabled (systemctl(1), is-enabled).
func (c *ctl) state(unit string) (state string, ok bool) {
	file := c.find(unit)
	switch {
	case file == "":
		return "not-found", false
	case c.masked(file):
		return "masked", false
	case len(c.linksTo(unit)) > 0:
		return "enabled", true
	}
	settings, err := c.read(file)
	if err != nil {
		return "not-found", false
	}
	installs, indirect := false, false
	for _, s := range settings {
		switch s.key {
		case "WantedBy", "RequiredBy", "UpheldBy", "Alias":
			installs = true
		case "Also":
			indirect = true
		}
	}
	switch {
	case path.Base(file) != unit && !strings.Contains(unit, "@"):
		return "alias", true
	case installs:
		return "disabled", false
	case indirect:
		return "indirect", true
	}
	return "static", true
}

// linksTo returns the links in /etc that enable a unit: those with its name in a
// directory of dependencies, and its aliases.
func (c *ctl) linksTo(unit string) []string {
	var all []string
	matches := func(at, name string) bool {
		to, err := c.FS.Readlink(at)
		if err != nil || to == null {
			return false
		}
		if name == unit || path.Base(to) == unit {
			return true
		}
		// A template is enabled by any of its instances.
		m := template.FindStringSubmatch(name)
		return m != nil && m[1]+m[3] == unit
	}
	names, err := c.FS.ReadDir(c.config())
	if err != nil {
		return nil
	}
	for _, name := range names {
		at := c.config() + "/" + name
		switch ext := path.Ext(name); {
		case isLink(c.FS, at) && name != unit:
			if matches(at, name) {
				all = append(all, at)
			}
		case ext == ".wants" || ext == ".requires" || ext == ".upholds":
			inside, err := c.FS.ReadDir(at)
			if err != nil {
				continue
			}
			for _, l := range inside {
				if matches(at+"/"+l, l) {
					all = append(all, at+"/"+l)
				}
			}
		}
	}
	return all
}

func (c *ctl) change(command string, units []string) error {
	if command == "add-wants" || command == "add-requires" {
		return shell.Unsupported("systemctl %s", command)
	}
	for _, unit := range units {
		var err error
		switch command {
		case "enable":
			err = c.enable(unit, nil)
		case "disable":
			err = c.disable(unit)
		case "reenable":
			if err = c.disable(unit); err == nil {
				err = c.enable(unit, nil)
			}
		case "preset":
			err = c.preset(unit)
		case "mask":
			err = c.link(c.config()+"/"+unit, null)
		case "unmask":
			if to, e := c.FS.Readlink(c.config() + "/" + unit); e == nil && to == null {
				err = c.remove(c.config() + "/" + unit)
			}
		case "set-default":
			file := c.find(unit)
			if file == "" {
				return failure("Failed to set default target: Unit " + unit + " does not exist")
			}
			_ = c.FS.Remove(c.config() + "/default.target") // which need not be there
			err = c.link(c.config()+"/default.target", file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enable makes the links of a unit's [Install] section, and those of the units of
// its Also=.
func (c *ctl) enable(unit string, visited []string) error {
	file := c.find(unit)
	if file == "" {
		return failure("Failed to enable unit: Unit " + unit + " does not exist")
	}
	if c.masked(file) {
		return failure("Failed to enable unit: Unit file " + file + " is masked")
	}
	if m := template.FindStringSubmatch(unit); path.Base(file) != unit && (m == nil || m[1]+m[3] != path.Base(file)) {
		unit = path.Base(file) // of an alias, the unit itself
	}
	settings, err := c.read(file)
	if err != nil {
		return err
	}
	name := unit
	for _, s := range settings {
		if m := template.FindStringSubmatch(unit); s.key == "DefaultInstance" && m != nil && m[2] == "" {
			name = m[1] + unquote(s.value) + m[3]
		}
	}
	for _, s := range settings {
		suffix := map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires", "UpheldBy": ".upholds"}[s.key]
		for _, v := range strings.Fields(s.value) {
			v = specifiers(unquote(v), name)
			switch {
			case s.key == "Also" && v != unit && !slices.Contains(visited, v):
				visited = append(visited, unit)
				if err := c.enable(v, append(visited, v)); err != nil {
					if _, ok := err.(failure); !ok {
						return err
					}
				}
			case s.key == "Alias" && v != unit:
				if err := c.link(c.config()+"/"+v, file); err != nil {
					return err
				}
			case suffix != "":
				if m := template.FindStringSubmatch(name); m != nil && m[2] == "" {
					break // a template without an instance is wanted by nobody
				}
				if err := c.link(c.config()+"/"+v+suffix+"/"+name, file); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// specifiers expands those of systemd.unit(5) that name the unit.
func specifiers(v, unit string) string {
	if !strings.Contains(v, "%") {
		return v
	}
	base := strings.TrimSuffix(unit, path.Ext(unit))
	prefix, inst, _ := strings.Cut(base, "@")
	return strings.NewReplacer("%i", inst, "%I", inst, "%n", unit, "%N", base, "%p", prefix, "%P", prefix, "%%", "%").Replace(v)
}

func (c *ctl) link(at, to string) error {
	if old, err := c.FS.Readlink(at); err == nil && (old == to || path.Base(old) == path.Base(to) && to != null) {
		return nil
	}
	if old, err := c.FS.Readlink(at); err == nil && to != null {
		return failure("Failed to enable unit: File '" + at + "' already exists and is a symlink to " + old)
	} else if c.FS.Exists(at) && err != nil {
		return failure("Failed to enable unit: File '" + at + "' already exists")
	}
	if err := c.FS.MkdirAll(path.Dir(at), 0o755&^c.Umask); err != nil {
		return err
	}
	_ = c.FS.Remove(at) // another link, which gives way
	if !c.quiet {
		say(c.Stderr, "Created symlink '%s' → '%s'.", at, to)
	}
	return c.FS.Symlink(to, at)
}

func (c *ctl) remove(at string) error {
	if !c.quiet {
		say(c.Stderr, "Removed '%s'.", at)
	}
	if err := c.FS.Remove(at); err != nil {
		return err
	}
	if dir := path.Dir(at); dir != c.config() {
		_ = c.FS.Remove(dir) // where it is empty now
	}
	return nil
}

func (c *ctl) disable(unit string) error {
	units := []string{unit} // which need not be there
	if file := c.find(unit); file != "" {
		settings, _ := c.read(file) // a mask has none
		for _, s := range settings {
			if s.key == "Also" {
				units = append(units, strings.Fields(s.value)...)
			}
		}
	}
	for _, u := range units {
		for _, at := range c.linksTo(u) {
			if err := c.remove(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// preset enables or disables a unit as the first line of the preset files says
// that matches it (systemd.preset(5)); without one it is enabled.
func (c *ctl) preset(unit string) error {
	if c.find(unit) == "" {
		return failure("Failed to preset unit: Unit " + unit + " does not exist")
	}
	verb, instances := c.rule(unit)
	switch {
	case verb == "enable" && !c.disableOff:
		if m := template.FindStringSubmatch(unit); m != nil && m[2] == "" && len(instances) > 0 {
			for _, i := range instances {
				if err := c.enable(m[1]+i+m[3], nil); err != nil {
					return err
				}
			}
			return nil
		}
		return c.enable(unit, nil)
	case verb == "disable" && !c.enableOnly:
		return c.disable(unit)
	}
	return nil
}

// rule returns what the preset files say of a unit.
func (c *ctl) rule(unit string) (verb string, instances []string) {
	files := map[string]string{} // by name: the path that counts
	for _, dir := range []string{"/lib/systemd/", "/usr/lib/systemd/", "/usr/local/lib/systemd/", "/run/systemd/", "/etc/systemd/"} {
		names, err := c.FS.ReadDir(dir + c.dir + "-preset")
		if err != nil {
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".preset") {
				files[name] = dir + c.dir + "-preset/" + name
			}
		}
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	candidates := []string{unit}
	if m := template.FindStringSubmatch(unit); m != nil && m[2] != "" {
		candidates = append(candidates, m[1]+m[3])
	}
	for _, name := range names {
		b, err := c.FS.ReadFile(files[name])
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 2 || f[0] != "enable" && f[0] != "disable" && f[0] != "ignore" {
				continue
			}
			re := globs(f[1])
			if slices.ContainsFunc(candidates, re.MatchString) {
				return f[0], f[2:]
			}
		}
	}
	return "enable", nil
}

// globs returns the expression for a pattern of glob(7).
func globs(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.NewReplacer(`\*`, ".*", `\?`, ".", `\[!`, "[^", `\[`, "[", `\]`, "]").Replace(quoted)
	re, err := regexp.Compile("^(?:" + quoted + ")$")
	if err != nil {
		return regexp.MustCompile("^" + regexp.QuoteMeta(pattern) + "$")
	}
	return re
}
