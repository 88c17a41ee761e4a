package dpkg

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Override is the owner and mode that a path has in place of those that its
// package ships (dpkg-statoverride(1)).
type Override struct {
	Path     string // absolute
	User     string // name, or "#" and a number
	Group    string
	UID, GID uint32
	Mode     uint32
}

// Overrides returns the overrides that are in force, in the order in which dpkg
// lists them.
func (d *Dpkg) Overrides() []Override {
	return slices.SortedFunc(maps.Values(d.overrides), func(a, b Override) int {
		return cmp.Or(cmp.Compare(bucket(a.Path), bucket(b.Path)), strings.Compare(a.Path, b.Path))
	})
}

// line is one line of dpkg's file, with the names given.
func (o Override) line(user, group string) string {
	return fmt.Sprintf("%s %s %o %s\n", user, group, o.Mode, o.Path)
}

// Override returns the override of a path.
func (d *Dpkg) Override(name string) (Override, bool) { o, ok := d.overrides[name]; return o, ok }

func (d *Dpkg) statoverride(_ context.Context, p *shell.Proc) (int, error) {
	opts, rest, err := options(p.Args[1:], "admindir", "instdir", "root")
	if err != nil {
		return fail(p, "%v", err)
	}
	action := ""
	update, quiet := false, false
	force := map[string]bool{}
	for _, o := range opts {
		switch o.name {
		case "add", "remove", "list":
			if action != "" && action != o.name {
				return fail(p, "conflicting actions --%s and --%s", o.name, action)
			}
			action = o.name
		case "update":
			update = true
		case "quiet":
			quiet = true
		case "force":
			warn(p, "deprecated --force option; use --force-all instead")
			force["all"] = true
		case "admindir", "instdir", "root":
			if o.value != "" && o.value != "/" && o.value != "/var/lib/dpkg" {
				return 0, shell.Unsupported("dpkg-statoverride --%s=%s", o.name, o.value)
			}
		default:
			what, ok := strings.CutPrefix(o.name, "force-")
			if !ok {
				if strings.HasPrefix(o.name, "no-force-") || strings.HasPrefix(o.name, "refuse-") {
					continue
				}
				return fail(p, "unknown option %s", dashed(o.name))
			}
			for _, w := range strings.Split(what, ",") {
				force[w] = true
			}
		}
	}
	switch action {
	case "add":
		return d.addOverride(p, rest, update, force["all"] || force["statoverride-add"] || force["statoverride-exist"])
	case "remove":
		return d.removeOverride(p, rest, quiet, force["all"] || force["statoverride-remove"] || force["statoverride-del"])
	case "list":
		return d.listOverrides(p, rest)
	}
	return fail(p, "need an action option")
}

// cleanPath is dpkg's path_cleanup: no slash at the end, none twice, and one in
// front.
func cleanPath(name string) string {
	for strings.Contains(name, "//") {
		name = strings.ReplaceAll(name, "//", "/")
	}
	for strings.HasSuffix(name, "/.") {
		name = strings.TrimSuffix(name, "/.")
	}
	name = strings.TrimSuffix(name, "/")
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return name
}

func (d *Dpkg) addOverride(p *shell.Proc, args []string, update, force bool) (int, error) {
	if len(args) != 4 {
		return fail(p, "--add needs four arguments")
	}
	o := Override{User: args[0], Group: args[1], Path: cleanPath(args[3])}
	if strings.Contains(args[3], "\n") {
		return fail(p, "path may not contain newlines")
	}
	var ok bool
	if o.UID, ok = id(p, o.User, "/etc/passwd"); !ok {
		return fail(p, "user '%s' does not exist", o.User)
	}
	if o.GID, ok = id(p, o.Group, "/etc/group"); !ok {
		return fail(p, "group '%s' does not exist", o.Group)
	}
	o.User, o.Group = name(p, o.UID, "/etc/passwd", o.User), name(p, o.GID, "/etc/group", o.Group)
	mode, err := strconv.ParseUint(args[2], 8, 32)
	if err != nil || mode > 0o7777 {
		return fail(p, "invalid statoverride mode %s", args[2])
	}
	o.Mode = uint32(mode)
	if _, ok := d.overrides[o.Path]; ok {
		if !force {
			return fail(p, "an override for '%s' already exists; aborting", o.Path)
		}
		warn(p, "an override for '%s' already exists, but --force specified so will be ignored", o.Path)
	}
	d.overrides[o.Path], d.overridden = o, true
	if !update {
		return 0, nil
	}
	if _, err := p.FS.Lstat(o.Path); err != nil {
		warn(p, "--update given but %s does not exist", o.Path)
		return 0, nil
	}
	if err := p.FS.Chown(o.Path, o.UID, o.GID, true); err != nil {
		return p.Fail(err)
	}
	if err := p.FS.Chmod(o.Path, o.Mode); err != nil {
		return p.Fail(err)
	}
	return 0, nil
}

// id returns the number of a user or group, by its name in the image's file or
// after a "#".
func id(p *shell.Proc, name, file string) (uint32, bool) {
	if number, ok := strings.CutPrefix(name, "#"); ok {
		n, err := strconv.ParseUint(number, 10, 32)
		return uint32(n), err == nil
	}
	b, err := p.FS.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && fields[0] == name {
			n, err := strconv.ParseUint(strings.TrimSpace(fields[2]), 10, 32)
			return uint32(n), err == nil
		}
	}
	return 0, false
}

// name returns the name of a number in the image's file, else what it was called.
func name(p *shell.Proc, number uint32, file, called string) string {
	b, err := p.FS.ReadFile(file)
	if err != nil {
		return called
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && strings.TrimSpace(fields[2]) == strconv.FormatUint(uint64(number), 10) {
			return fields[0]
		}
	}
	return called
}

func (d *Dpkg) removeOverride(p *shell.Proc, args []string, quiet, force bool) (int, error) {
	if len(args) != 1 {
		return fail(p, "--remove needs a single argument")
	}
	name := cleanPath(args[0])
	if _, ok := d.overrides[name]; !ok {
		if !quiet {
			warn(p, "no override present")
		}
		if force {
			return 0, nil
		}
		return 2, nil
	}
	delete(d.overrides, name)
	d.overridden = true
	return 0, nil
}

func (d *Dpkg) listOverrides(p *shell.Proc, patterns []string) (int, error) {
	status := 1
	var b strings.Builder
	for _, o := range d.Overrides() {
		match := len(patterns) == 0
		for _, pattern := range patterns {
			match = match || glob(cleanPath(pattern)).MatchString(o.Path)
		}
		if match {
			status = 0
			user, group := name(p, o.UID, "/etc/passwd", o.User), name(p, o.GID, "/etc/group", o.Group)
			b.WriteString(o.line(user, group))
		}
	}
	if _, err := print(p, b.String()); err != nil {
		return 1, err
	}
	return status, nil
}
