package services

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// helper is one call of deb-systemd-helper(1). What it does follows the Perl
// program of init-system-helpers 1.69.
type helper struct {
	*shell.Proc
	ctx      context.Context
	instance string // "system" or "user"
	enabled  string // directory of the state of enabled units
	masked   string // directory of the state of masked units
	purge    bool
}

// link is one that enabling a unit makes.
type link struct{ at, to string }

// failure ends a call with status 1.
type failure string

func (f failure) Error() string { return string(f) }

func debSystemdHelper(ctx context.Context, p *shell.Proc) (int, error) {
	h := &helper{Proc: p, ctx: ctx, instance: "system"}
	quiet := false
	var args []string
	for _, a := range p.Args[1:] {
		switch a {
		case "--quiet", "-q":
			quiet = true
		case "--user":
			h.instance = "user"
		case "--system":
			h.instance = "system"
		case "--":
		default:
			args = append(args, a)
		}
	}
	prefix := "/var/lib/systemd/deb-systemd-"
	if h.instance == "user" {
		prefix += "user-"
	}
	h.enabled, h.masked = prefix+"helper-enabled", prefix+"helper-masked"
	if len(args) == 0 {
		say(p.Stdout, "%s is a program which should be called by dpkg maintscripts only.", p.Args[0])
		say(p.Stdout, "Please do not run it interactively, ever. Also see the manpage deb-systemd-helper(1).")
		return 0, nil
	}
	if p.Getenv("DPKG_MAINTSCRIPT_PACKAGE") == "" {
		say(p.Stderr, "%s was not called from dpkg. Exiting.", p.Args[0])
		return 1, nil
	}
	action := args[0]
	if action == "purge" {
		h.purge, action = true, "disable"
	}
	status := 0
	if action == "is-enabled" || action == "was-enabled" || action == "debian-installed" {
		status = 1
	}
	for _, unit := range args[1:] {
		yes, err := h.do(action, unit)
		if f, ok := err.(failure); ok {
			say(p.Stderr, "%s: error: %s", p.Args[0], string(f))
			return 1, nil
		}
		if err != nil {
			return h.unable(err)
		}
		if yes {
			status = 0
		}
		if !quiet && (action == "is-enabled" || action == "was-enabled") {
			say(p.Stderr, "%s", map[bool]string{true: "enabled", false: "disabled"}[yes])
		}
	}
	return status, nil
}

// unable words an error of a file operation; one of another kind ends the scripts.
func (h *helper) unable(err error) (int, error) {
	if _, ok := err.(*shell.UnsupportedError); ok {
		return 0, err
	}
	return h.Fail(err)
}

// do does one action for one unit. yes is the answer to the actions that ask.
func (h *helper) do(action, unit string) (yes bool, err error) {
	file := h.find(unit)
	switch action {
	case "is-enabled":
		links, err := h.links(file, nil)
		return err == nil && !slices.ContainsFunc(links, func(l link) bool { return !isLink(h.FS, l.at) }), err
	case "was-enabled":
		return !slices.ContainsFunc(h.entries(unit), func(at string) bool { return !isLink(h.FS, at) }), nil
	case "debian-installed":
		return isFile(h.FS, h.state(unit)), nil
	case "update-state":
		return false, h.updateState(unit, file)
	case "enable":
		return false, h.enable(unit, file)
	case "reenable":
		if err := h.removeLinks(file, nil); err != nil {
			return false, err
		}
		return false, h.makeLinks(unit, file, true)
	case "disable":
		if err := h.removeLinks(file, nil); err != nil {
			return false, err
		}
		h.clean()
		return false, nil
	case "mask":
		return false, h.mask(file)
	case "unmask":
		if err := h.unmask(file); err != nil {
			return false, err
		}
		removeEmpty(h.FS, "/var/lib/systemd/deb-systemd-helper-masked")
		removeEmpty(h.FS, "/var/lib/systemd/deb-systemd-user-helper-masked")
		return false, nil
	}
	return false, nil
}

func (h *helper) find(unit string) string {
	for _, dir := range []string{"/etc/systemd/", "/lib/systemd/", "/usr/lib/systemd/"} {
		if at := dir + h.instance + "/" + unit; isFile(h.FS, at) {
			return at
		}
	}
	return unit
}

func (h *helper) state(unit string) string {
	return h.enabled + "/" + path.Base(unit) + ".dsh-also"
}

// entries returns the lines of a unit's state file.
func (h *helper) entries(unit string) []string {
	b, err := h.FS.ReadFile(h.state(unit))
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
}

var (
	wantedBy = regexp.MustCompile(`(?i)^\s*(WantedBy|RequiredBy)=(.+)$`)
	also     = regexp.MustCompile(`(?i)^\s*Also=(.+)$`)
	alias    = regexp.MustCompile(`(?i)^\s*Alias=(.+)$`)
	instance = regexp.MustCompile(`(?i)^\s*DefaultInstance=\s*(.+?)\s*$`)
)

// links returns the links that enabling a unit makes, those of the units of its
// Also= included.
func (h *helper) links(file string, visited []string) ([]link, error) {
	b, err := h.FS.ReadFile(file)
	if err != nil {
		return nil, failure("unable to read " + file)
	}
	unit := path.Base(file)
	target := unit
	var links []link
	var dirs []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if m := wantedBy.FindStringSubmatch(line); m != nil {
			for _, v := range strings.Fields(m[2]) {
				// The directory's kind follows the key as it is written.
				dir := "/etc/systemd/" + h.instance + "/" + unquote(v)
				switch m[1] {
				case "WantedBy":
					dir += ".wants"
				case "RequiredBy":
					dir += ".requires"
				}
				dirs = append(dirs, dir+"/")
			}
		}
		if m := also.FindStringSubmatch(line); m != nil {
			for _, v := range strings.Fields(m[1]) {
				if v = unquote(v); v == unit || slices.Contains(visited, v) {
					continue
				}
				visited = append(visited, v)
				more, err := h.links(h.find(v), visited)
				if err != nil {
					return nil, err
				}
				links = append(links, more...)
			}
		}
		if m := alias.FindStringSubmatch(line); m != nil {
			for _, v := range strings.Fields(m[1]) {
				if unquote(v) != unit { // the Perl program takes all that is behind the sign
					links = append(links, link{"/etc/systemd/" + h.instance + "/" + m[1], file})
				}
			}
		}
		if m := instance.FindStringSubmatch(line); m != nil {
			if t := template.FindStringSubmatch(unit); t != nil && t[2] == "" {
				target = t[1] + unquote(m[1]) + t[3]
			} else {
				target = unit
			}
		}
	}
	for _, dir := range dirs {
		links = append(links, link{dir + target, file})
	}
	return links, nil
}

// enable is the action of that name, which leaves the links to systemctl where the
// image has it.
func (h *helper) enable(unit, file string) error {
	if h.Look("/usr/bin/systemctl") == "" && h.Look("/bin/systemctl") == "" {
		return h.makeLinks(unit, file, true)
	}
	create := false
	if isFile(h.FS, h.state(unit)) {
		links, err := h.links(file, nil)
		if err != nil {
			return err
		}
		create = slices.ContainsFunc(links, func(l link) bool { return isLink(h.FS, l.at) })
	} else {
		scope := "--system"
		if h.instance == "user" {
			scope = "--global"
		}
		status, err := h.Run(h.ctx, "systemctl", "--root=/", scope, "--preset-mode=enable-only", "preset", unit)
		if err != nil {
			return err
		}
		if status != 0 {
			return failure("systemctl preset failed on " + unit)
		}
	}
	return h.makeLinks(unit, file, create)
}

// makeLinks records the links of a unit and, with create, makes those that were
// not made before.
func (h *helper) makeLinks(unit, file string, create bool) error {
	links, err := h.links(file, nil)
	if err != nil {
		return err
	}
	for _, l := range links {
		if err := h.recordLink(unit, l.at); err != nil {
			return err
		}
		state := h.enabled + strings.TrimPrefix(l.at, "/etc/systemd/"+h.instance)
		if h.FS.Exists(state) {
			continue
		}
		if create && !isLink(h.FS, l.at) {
			if err := h.FS.MkdirAll(path.Dir(l.at), 0o755&^h.Umask); err != nil {
				return err
			}
			if err := h.FS.Symlink(l.to, l.at); err != nil {
				return failure("unable to link " + l.at + " to " + l.to)
			}
		}
		if err := h.touch(state); err != nil {
			return err
		}
	}
	return nil
}

func (h *helper) touch(name string) error {
	if err := h.FS.MkdirAll(path.Dir(name), 0o755&^h.Umask); err != nil {
		return err
	}
	if h.FS.Exists(name) {
		return nil
	}
	return h.FS.WriteFile(name, nil, 0o644&^h.Umask)
}

// recordLink adds a link to a unit's state file, unless it is there.
func (h *helper) recordLink(unit, at string) error {
	lines := h.entries(unit)
	if !slices.Contains(lines, at) {
		lines = append(lines, at)
	}
	return h.writeState(unit, lines)
}

func (h *helper) writeState(unit string, lines []string) error {
	text := ""
	if len(lines) > 0 {
		text = strings.Join(lines, "\n") + "\n"
	}
	state := h.state(unit)
	if err := h.FS.MkdirAll(path.Dir(state), 0o755&^h.Umask); err != nil {
		return err
	}
	if err := h.FS.RemoveAll(state); err != nil {
		return err
	}
	return h.FS.WriteFile(state, []byte(text), 0o644)
}

// updateState makes the state file say what the unit file says now.
func (h *helper) updateState(unit, file string) error {
	links, err := h.links(file, nil)
	if err != nil {
		return err
	}
	var lines []string
	for _, l := range links {
		lines = append(lines, l.at)
	}
	return h.writeState(unit, lines)
}

// removeLinks removes the links that enabling a unit made, and those of the units
// of its Also=.
func (h *helper) removeLinks(file string, visited []string) error {
	entries := h.entries(file)
	if h.purge {
		_ = h.FS.Remove(h.state(file)) // which need not be there
	}
	for _, at := range entries {
		if h.purge || isLink(h.FS, at) {
			_ = h.FS.Remove(h.enabled + strings.TrimPrefix(at, "/etc/systemd/"+h.instance))
		}
		if isLink(h.FS, at) {
			if err := h.FS.Remove(at); err != nil {
				return err
			}
		}
	}
	b, err := h.FS.ReadFile(file)
	if err != nil {
		return nil // as where the unit is gone already
	}
	for line := range strings.Lines(string(b)) {
		m := also.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || slices.Contains(visited, m[1]) {
			continue
		}
		visited = append(visited, m[1])
		if err := h.removeLinks(h.find(m[1]), visited); err != nil {
			return err
		}
	}
	return nil
}

// clean removes directories that are left empty.
func (h *helper) clean() {
	removeEmpty(h.FS, "/var/lib/systemd/deb-systemd-helper-enabled")
	removeEmpty(h.FS, "/var/lib/systemd/deb-systemd-user-helper-enabled")
	for _, dir := range []string{"/etc/systemd/system", "/etc/systemd/user"} {
		names, err := h.FS.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, name := range slices.Clone(names) {
			if h.FS.IsDir(dir + "/" + name) {
				removeEmpty(h.FS, dir+"/"+name)
			}
		}
	}
}

const null = "/dev/null"

func (h *helper) mask(file string) error {
	at := "/etc/systemd/" + h.instance + "/" + path.Base(file)
	if to, err := h.FS.Readlink(at); err == nil && to == null {
		return nil // already
	}
	if h.FS.Exists(at) {
		return nil
	}
	if err := h.FS.MkdirAll(path.Dir(at), 0o755&^h.Umask); err != nil {
		return err
	}
	_ = h.FS.Remove(at) // a link that leads nowhere
	if err := h.FS.Symlink(null, at); err != nil {
		return err
	}
	return h.touch(h.masked + "/" + path.Base(file))
}

func (h *helper) unmask(file string) error {
	at := "/etc/systemd/" + h.instance + "/" + path.Base(file)
	state := h.masked + "/" + path.Base(file)
	if to, err := h.FS.Readlink(at); err != nil || to != null || !h.FS.Exists(state) {
		return nil
	}
	if err := h.FS.Remove(at); err != nil {
		return err
	}
	return h.FS.Remove(state)
}
