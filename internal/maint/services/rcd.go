package services

import (
	"context"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// rcd is one call of update-rc.d(8), where neither insserv nor OpenRC is there.
type rcd struct {
	*shell.Proc
	ctx context.Context
}

func (r rcd) fail(text string) error {
	say(r.Stderr, "update-rc.d: error: %s", text)
	return failure(text)
}

func updateRcD(ctx context.Context, p *shell.Proc) (int, error) {
	r := rcd{p, ctx}
	args := p.Args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] != "-f" {
			return 1, nil
		}
		args = args[1:]
	}
	if len(args) < 2 {
		say(p.Stderr, "update-rc.d: error: not enough arguments")
		return 1, nil
	}
	if isFile(p.FS, "/etc/insserv.conf") || isFile(p.FS, "/sbin/openrc") {
		return 0, shell.Unsupported("update-rc.d with insserv or OpenRC")
	}
	err := r.do(args[0], args[1], args[2:])
	switch _, failed := errors.AsType[failure](err); {
	case failed:
		return 1, nil
	case err != nil:
		return p.Fail(err)
	}
	return 0, nil
}

func (r rcd) do(script, action string, levels []string) error {
	switch action {
	case "remove":
		for _, at := range r.links("[0-9S]", script) {
			if err := r.FS.Remove(at); err != nil {
				return err
			}
		}
		return nil
	case "defaults", "start", "stop":
		return r.makeLinks(script, "S")
	case "defaults-disabled":
		return r.makeLinks(script, "K")
	case "enable", "disable":
		if err := r.toggle(script, action, levels); err != nil {
			return err
		}
		return r.toggleUnit(script, action)
	}
	return failure("usage")
}

// links returns the links to a script in the runlevels that the set names.
func (r rcd) links(set, script string) []string {
	names, err := r.FS.ReadDir("/etc")
	if err != nil {
		return nil
	}
	dir := regexp.MustCompile(`^rc` + set + `\.d$`)
	if set == "[0-9S]" {
		dir = regexp.MustCompile(`^rc.\.d$`)
	}
	at := regexp.MustCompile(`^[SK][0-9][0-9]` + regexp.QuoteMeta(script) + `$`)
	var all []string
	for _, name := range names {
		if !dir.MatchString(name) {
			continue
		}
		inside, err := r.FS.ReadDir("/etc/" + name)
		if err != nil {
			continue
		}
		for _, l := range inside {
			if at.MatchString(l) {
				all = append(all, "/etc/"+name+"/"+l)
			}
		}
	}
	return all
}

var (
	defaultStart = regexp.MustCompile(`^# Default-Start:\s*(\S?.*)$`)
	defaultStop  = regexp.MustCompile(`^# Default-Stop:\s*(\S?.*)$`)
	headerBegin  = regexp.MustCompile(`^### BEGIN INIT INFO\s*$`)
	headerEnd    = regexp.MustCompile(`^### END INIT INFO\s*$`)
)

// levels returns the runlevels in which the LSB header of an init script wants it
// started and stopped.
func (r rcd) levels(file string) (start, stop []string, err error) {
	b, err := r.FS.ReadFile(file)
	if err != nil {
		return nil, nil, r.fail("unable to read " + file)
	}
	in := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case headerBegin.MatchString(line):
			in = true
		case headerEnd.MatchString(line):
			return start, stop, nil
		case !in:
		case defaultStart.MatchString(line):
			start = strings.Fields(defaultStart.FindStringSubmatch(line)[1])
		case defaultStop.MatchString(line):
			stop = strings.Fields(defaultStop.FindStringSubmatch(line)[1])
		}
	}
	return start, stop, nil
}

func (r rcd) makeLinks(script, start string) error {
	if len(r.links("[0-9S]", script)) > 0 {
		return nil
	}
	up, down, err := r.levels("/etc/init.d/" + script)
	if err != nil {
		return err
	}
	link := func(level, kind string) error {
		dir := "/etc/rc" + level + ".d"
		if err := r.FS.MkdirAll(dir, 0o755&^r.Umask); err != nil {
			return err
		}
		at := dir + "/" + kind + "01" + script
		if isLink(r.FS, at) || r.FS.Exists(at) {
			return nil
		}
		return r.FS.Symlink("../init.d/"+script, at)
	}
	for _, level := range up {
		if err := link(level, start); err != nil {
			return err
		}
	}
	for _, level := range down {
		if err := link(level, "K"); err != nil {
			return err
		}
	}
	return nil
}

// toggle turns links for starting into ones for stopping, or back.
func (r rcd) toggle(script, action string, levels []string) error {
	header := ""
	for _, dir := range []string{"/etc/insserv/overrides/", "/etc/init.d/", "/usr/share/insserv/overrides/"} {
		if n, err := r.FS.Stat(dir + script); err == nil && n.Size > 0 {
			header = dir + script
			break
		}
	}
	if header == "" {
		return r.fail("cannot find a LSB script for " + script)
	}
	if len(levels) == 0 {
		var err error
		if levels, _, err = r.levels(header); err != nil {
			return err
		}
		if len(levels) == 0 {
			return r.fail(script + " Default-Start contains no runlevels, aborting.")
		}
	}
	var links []string
	for _, level := range levels {
		if !slices.Contains([]string{"S", "2", "3", "4", "5"}, level) {
			say(r.Stderr, "update-rc.d: warning: %s action will have no effect on runlevel %s", action, level)
			continue
		}
		links = append(links, r.links(level, script)...)
	}
	if len(links) == 0 {
		return r.fail("no runlevel symlinks to modify, aborting!")
	}
	from, to := "K", "S"
	if action == "disable" {
		from, to = "S", "K"
	}
	for _, at := range links {
		dir, name := path.Split(at)
		if !strings.HasPrefix(name, from) {
			continue
		}
		if err := r.FS.Rename(at, dir+to+name[1:]); err != nil {
			return err
		}
	}
	return nil
}

// toggleUnit does the same to the systemd unit of that name.
func (r rcd) toggleUnit(script, action string) error {
	if r.Getenv("_SKIP_SYSTEMD_NATIVE") == "1" {
		return nil
	}
	if r.Look("/usr/bin/systemctl") != "" || r.Look("/bin/systemctl") != "" {
		_, err := r.Run(r.ctx, "systemctl", "--root=/", "--quiet", action, script)
		return err
	}
	for _, dir := range []string{"/etc/systemd/system/", "/lib/systemd/system/", "/usr/lib/systemd/system/"} {
		file := dir + script + ".service"
		b, err := r.FS.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			m := regexp.MustCompile(`(?i)^\s*WantedBy=(.+)$`).FindStringSubmatch(strings.TrimSuffix(line, "\n"))
			if m == nil {
				continue
			}
			dir := "/etc/systemd/system/" + m[1] + ".wants"
			at := dir + "/" + script + ".service"
			if action == "enable" {
				if err := r.FS.MkdirAll(dir, 0o755&^r.Umask); err != nil {
					return err
				}
				_ = r.FS.Symlink(file, at) // which may be there
			} else if r.FS.Exists(at) {
				if err := r.FS.Remove(at); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return nil
}
