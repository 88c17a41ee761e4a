package apache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Commands returns the programs by name.
func Commands() map[string]shell.Command {
	all := map[string]shell.Command{"a2query": a2query}
	for _, name := range []string{"a2enmod", "a2dismod", "a2ensite", "a2dissite", "a2enconf", "a2disconf"} {
		all[name] = command
	}
	return all
}

const stateDir = "/var/lib/apache2"

// kinds are what can be enabled: by the end of the program's name its word, its
// directories and the suffix of its files.
var kinds = map[string]struct{ word, dir, suffix, reload string }{
	"mod":  {"module", "mods", ".load", "restart"},
	"conf": {"conf", "conf", ".conf", "reload"},
	"site": {"site", "sites", ".conf", "reload"},
}

// essential are the modules that are not disabled without a question.
var essential = strings.Fields("alias auth_basic authn_file authz_host authz_user autoindex deflate dir env filter logio mime negotiation setenvif unixd version watchdog")

// call is one call of a program.
type call struct {
	*shell.Proc
	ctx                        context.Context
	enable                     bool
	word, suffix               string
	available, enabled         string // directories
	quiet, force, maint, purge bool
	changed, clean             bool
	depth                      int
}

func command(ctx context.Context, p *shell.Proc) (int, error) {
	name := path.Base(p.Args[0])
	c := &call{Proc: p, ctx: ctx, enable: strings.HasPrefix(name, "a2en")}
	kind := kinds[strings.TrimPrefix(strings.TrimPrefix(name, "a2en"), "a2dis")]
	c.word, c.suffix = kind.word, kind.suffix
	c.available, c.enabled = "/etc/apache2/"+kind.dir+"-available", "/etc/apache2/"+kind.dir+"-enabled"
	names, err := c.parse()
	if err != nil {
		return 0, err
	}
	status := 0
	for _, pattern := range names {
		found := c.match(strings.TrimSuffix(pattern, c.suffix))
		if len(found) == 0 {
			c.fail("No %s found matching %s!", c.word, strings.TrimSuffix(pattern, c.suffix))
			status = 1
		}
		for _, name := range found {
			ok, err := c.do(name)
			if _, file := errors.AsType[*fs.PathError](err); file {
				if _, err := p.Fail(err); err != nil {
					return 0, err
				}
				ok, err = false, nil
			}
			if err != nil {
				return 0, err
			}
			if !ok {
				status = 1
			}
		}
	}
	if c.changed {
		text := "To activate the new configuration, you need to run:\n  service apache2 " + kind.reload + "\n"
		if c.clean {
			text += "  service apache-htcacheclean " + map[bool]string{true: "start", false: "stop"}[c.enable] + "\n"
		}
		c.info("%s", strings.TrimSuffix(text, "\n"))
	}
	return status, nil
}

func (c *call) parse() (names []string, err error) {
	for _, a := range c.Args[1:] {
		switch a {
		case "--quiet":
			a = "-q"
		case "--force":
			a = "-f"
		case "--maintmode":
			a = "-m"
		case "--purge":
			a = "-p"
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			names = append(names, a)
			continue
		}
		for _, o := range a[1:] {
			switch o {
			case 'q':
				c.quiet = true
			case 'f':
				c.force = true
			case 'm':
				c.maint = true
			case 'p':
				c.purge = true
			default:
				return nil, shell.Unsupported("%s %s", c.Args[0], a)
			}
		}
	}
	if len(names) == 0 {
		return nil, shell.Unsupported("%s without names, which asks,", c.Args[0])
	}
	return names, nil
}

func (c *call) print(format string, args ...any) { fmt.Fprintf(c.Stdout, format+"\n", args...) }

func (c *call) info(format string, args ...any) {
	if !c.quiet {
		c.print(format, args...)
	}
}

func (c *call) fail(format string, args ...any) {
	fmt.Fprintf(c.Stderr, "ERROR: "+format+"\n", args...)
}

// match returns the names that a pattern selects. One without wildcards is itself.
func (c *call) match(pattern string) []string {
	if !strings.ContainsAny(pattern, "*?[{") {
		return []string{pattern}
	}
	dir := c.enabled
	if c.enable {
		dir = c.available
	}
	files, err := c.FS.ReadDir(dir)
	if err != nil {
		return nil
	}
	var found []string
	for _, f := range files {
		name, ok := strings.CutSuffix(f, c.suffix)
		if match, err := path.Match(pattern, name); ok && err == nil && match {
			found = append(found, name)
		}
	}
	return found
}

func (c *call) isLink(name string) bool { _, err := c.FS.Readlink(name); return err == nil }

// maxDepth bounds the dependencies of modules on each other.
const maxDepth = 50

// do enables or disables one thing; ok is false where it cannot be.
func (c *call) do(name string) (ok bool, err error) {
	if c.depth++; c.depth > maxDepth {
		return false, shell.Unsupported("a ring of dependencies of %s", name)
	}
	defer func() { c.depth-- }()
	module := c.word == "module"
	if module && c.enable && name == "cgi" && c.threaded() {
		c.print("Your MPM seems to be threaded. Selecting cgid instead of cgi.")
		name = "cgid"
	}
	target, link := c.available+"/"+name+c.suffix, c.enabled+"/"+name+c.suffix
	if !c.FS.Exists(target) {
		return c.gone(name, link)
	}
	conf := "" // the configuration of a module
	if module && c.FS.Exists(c.available+"/"+name+".conf") {
		conf = name + ".conf"
	}
	if ok, err := c.relations(name, target); !ok || err != nil {
		return false, err
	}
	if c.enable {
		return c.makeLinks(name, target, link, conf)
	}
	return c.removeLinks(name, link, conf)
}

// gone is for what is not available any longer.
func (c *call) gone(name, link string) (bool, error) {
	if c.isLink(link) && !c.FS.Exists(link) {
		if !c.enable {
			c.info("removing dangling symlink %s", link)
			if err := c.FS.Remove(link); err != nil {
				return false, err
			}
			if conf := c.enabled + "/" + name + ".conf"; c.isLink(conf) && !c.FS.Exists(conf) {
				c.info("removing dangling symlink %s", conf)
				return true, c.FS.Remove(conf)
			}
			return true, nil
		}
		c.fail("%s is a dangling symlink!", link)
	}
	if c.purge {
		return true, c.mark(name)
	}
	c.fail("%s%s %s does not exist!", strings.ToUpper(c.word[:1]), c.word[1:], name)
	return false, nil
}

var header = regexp.MustCompile(`^\s*(?:#.*)?$`)

// listed returns the names in a line "# Depends: ..." at the head of a file.
func (c *call) listed(file, field string) []string {
	b, err := c.FS.ReadFile(file)
	if err != nil {
		c.fail("Can't open %s: %v", file, err)
		return nil
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# "+field+":"); ok && strings.TrimSpace(rest) != "" {
			return strings.Fields(rest)
		}
		if !header.MatchString(line) {
			return nil
		}
	}
	return nil
}

// relations sees to what a thing depends on and conflicts with.
func (c *call) relations(name, target string) (bool, error) {
	switch {
	case c.word == "module" && c.enable:
		if ok, err := c.each(name, c.listed(target, "Depends")); !ok || err != nil {
			return false, err
		}
		conflict := false
		for _, d := range c.listed(target, "Conflicts") {
			c.info("Considering conflict %s for %s:", d, name)
			if state, err := c.check(c.available+"/"+d+c.suffix, c.enabled+"/"+d+c.suffix); err != nil {
				return false, err
			} else if state == "ok" {
				c.fail("Module %s is enabled - cannot proceed due to conflicts. It needs to be disabled first!", d)
				conflict = true
			}
		}
		return !conflict, nil
	case c.word == "module":
		var depending []string
		names, err := c.FS.ReadDir(c.enabled)
		if err != nil {
			return false, err
		}
		for _, n := range slices.Clone(names) {
			if other, ok := strings.CutSuffix(n, ".load"); ok && slices.Contains(c.listed(c.enabled+"/"+n, "Depends"), name) {
				depending = append(depending, other)
			}
		}
		if len(depending) > 0 && !c.force {
			c.fail("The following modules depend on %s and need to be disabled first: %s", name, strings.Join(depending, " "))
			return false, nil
		}
		return c.each(name, depending)
	case c.enable:
		for _, d := range c.listed(target, "Depends") {
			c.info("Checking dependency %s for %s:", d, name)
			if !c.FS.Exists("/etc/apache2/mods-enabled/" + d + ".load") {
				fmt.Fprintf(c.Stderr, "WARNING: Module %s is not enabled, but %s depends on it, aborting\n", d, name)
				return false, nil
			}
		}
	}
	return true, nil
}

func (c *call) each(name string, others []string) (bool, error) {
	for _, d := range others {
		c.info("Considering dependency %s for %s:", d, name)
		if ok, err := c.do(d); !ok || err != nil {
			if err == nil {
				c.fail("Could not %s dependency %s for %s, aborting", map[bool]string{true: "enable", false: "disable"}[c.enable], d, name)
			}
			return false, err
		}
	}
	return true, nil
}

// check says whether a link is "ok" or "missing", or what is wrong with it. One
// that leads nowhere is removed.
func (c *call) check(target, link string) (string, error) {
	n, err := c.FS.Lstat(link)
	switch {
	case err != nil:
		return "missing", nil
	case !c.FS.Exists(link):
		if !c.quiet {
			fmt.Fprintf(c.Stdout, "Removing dangling link %s", link)
		}
		return "missing", c.FS.Remove(link)
	case n.Type != tree.Symlink:
		return link + " is a real file, not touching it", nil
	}
	a, errA := c.FS.RealPath(link)
	b, errB := c.FS.RealPath(target)
	if errA != nil || errB != nil || a != b {
		return link + " exists but does not point to " + target + ", not touching it", nil
	}
	return "ok", nil
}

func (c *call) makeLinks(name, target, link, conf string) (bool, error) {
	state, err := c.check(target, link)
	if err != nil {
		return false, err
	}
	confState := "ok"
	if conf != "" && (state == "ok" || state == "missing") {
		if confState, err = c.check(c.available+"/"+conf, c.enabled+"/"+conf); err != nil {
			return false, err
		}
	}
	if state != "ok" && state != "missing" {
		c.fail("%s%s %s not properly enabled: %s", strings.ToUpper(c.word[:1]), c.word[1:], name, state)
		return false, nil
	}
	switch {
	case confState != "ok" && confState != "missing":
		c.fail("Config file %s not properly enabled: %s", conf, confState)
		return false, nil
	case state == "ok" && confState == "ok":
		c.info("%s%s %s already enabled", strings.ToUpper(c.word[:1]), c.word[1:], name)
		return true, nil
	case state == "ok":
		c.print("Enabling config file %s.", conf)
	}
	if confState == "missing" {
		if err := c.link(conf); err != nil {
			return false, err
		}
	}
	if state == "ok" {
		return true, nil
	}
	c.print("Enabling %s %s.", c.word, name)
	if err := c.special(name); err != nil {
		return false, err
	}
	if err := c.link(name + c.suffix); err != nil {
		return false, err
	}
	return true, c.mark(name)
}

func (c *call) link(file string) error {
	c.changed = true
	return c.FS.Symlink("../"+path.Base(c.available)+"/"+file, c.enabled+"/"+file)
}

func (c *call) removeLinks(name, link, conf string) (bool, error) {
	if conf != "" {
		conf = c.enabled + "/" + conf
	}
	title := strings.ToUpper(c.word[:1]) + c.word[1:]
	switch {
	case c.FS.Exists(link) || c.isLink(link):
		if err := c.special(name); err != nil {
			return false, err
		}
		if c.word == "module" && slices.Contains(essential, name) && !c.force {
			return false, shell.Unsupported("%s %s, which asks for an essential module,", c.Args[0], name)
		}
		for _, l := range []string{link, conf} {
			if l == link || l != "" && c.FS.Exists(l) {
				if err := c.unlink(l); err != nil {
					return false, err
				}
			}
		}
		if err := c.mark(name); err != nil {
			return false, err
		}
		c.print("%s %s disabled.", title, name)
	case conf != "" && c.FS.Exists(conf):
		c.print("Disabling stale config file %s.conf.", name)
		return true, c.unlink(conf)
	default:
		c.info("%s %s already disabled", title, name)
		if c.purge {
			return true, c.mark(name)
		}
	}
	return true, nil
}

func (c *call) unlink(name string) error {
	if !c.isLink(name) {
		c.fail("%s is not a symbolic link, not deleting", name)
		return nil
	}
	c.changed = true
	return c.FS.Remove(name)
}

// mark remembers who enabled or disabled a thing; with --purge nobody did.
func (c *call) mark(name string) error {
	by := map[bool]string{true: "maint", false: "admin"}[c.maint]
	dir := stateDir + "/" + c.word + "/" + map[bool]string{true: "enabled", false: "disabled"}[c.enable] + "_by_" + by
	if err := c.FS.MkdirAll(dir, 0o755&^c.Umask); err != nil {
		return err
	}
	dirs, err := c.FS.ReadDir(stateDir + "/" + c.word)
	if err != nil {
		return err
	}
	for _, d := range slices.Clone(dirs) {
		at := stateDir + "/" + c.word + "/" + d + "/" + name
		if n, err := c.FS.Lstat(at); err == nil && n.Type == tree.File {
			if err := c.FS.Remove(at); err != nil {
				return err
			}
		}
	}
	if c.purge {
		return nil
	}
	return c.FS.WriteFile(dir+"/"+name, nil, 0o644&^c.Umask)
}

// special does what some modules need besides.
func (c *call) special(name string) error {
	if c.word != "module" {
		return nil
	}
	switch name {
	case "ssl":
		if c.enable {
			c.info("See /usr/share/doc/apache2/README.Debian.gz on how to configure SSL and create self-signed certificates.")
		}
	case "cache_disk":
		c.clean = true
		c.info("%s external service apache-htcacheclean", map[bool]string{true: "Enabling", false: "Disabling"}[c.enable])
		status, err := c.Run(c.ctx, "update-rc.d", "apache-htcacheclean", map[bool]string{true: "enable", false: "disable"}[c.enable])
		if err != nil {
			return err
		}
		if status == 0 && c.enable {
			c.info("The service will be started on next reboot.")
		}
	}
	return nil
}

// threaded reports whether the enabled way of processing has threads.
func (c *call) threaded() bool {
	on := func(name string) bool { return c.FS.Exists("/etc/apache2/mods-enabled/mpm_" + name + ".load") }
	return !on("prefork") && (on("worker") || on("event"))
}
