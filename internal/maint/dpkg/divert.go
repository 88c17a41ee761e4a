package dpkg

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Diversion moves a path that every package but one ships (dpkg-divert(1)).
type Diversion struct {
	Package string // that diverts, and keeps the path for itself; "" for a local one
	From    string // absolute
	To      string // absolute
}

// Diversions returns the diversions that are in force, in the order in which they
// were made.
func (d *Dpkg) Diversions() []Diversion { return slices.Clone(d.diversions) }

// divertCall is a diversion as a call describes it; what it leaves open is nil.
type divertCall struct {
	from    string
	to, pkg *string // pkg: "" for a local one
}

func (c divertCall) String() string {
	switch {
	case c.pkg == nil && c.to == nil:
		return "any diversion of " + c.from
	case c.pkg == nil:
		return "any diversion of " + c.from + " to " + *c.to
	case c.to == nil && *c.pkg == "":
		return "local diversion of " + c.from
	case c.to == nil:
		return "diversion of " + c.from + " by " + *c.pkg
	}
	return Diversion{*c.pkg, c.from, *c.to}.String()
}

// String describes the diversion as dpkg-divert --list does.
func (d Diversion) String() string {
	if d.Package == "" {
		return "local diversion of " + d.From + " to " + d.To
	}
	return "diversion of " + d.From + " to " + d.To + " by " + d.Package
}

// divertOptions are those of one call of dpkg-divert.
type divertOptions struct {
	action        string
	call          divertCall
	rename, quiet bool
	said          bool // whether to rename was said
	test          bool
}

func (d *Dpkg) divert(ctx context.Context, p *shell.Proc) (int, error) {
	o := divertOptions{action: "add"}
	if by := p.Getenv("DPKG_MAINTSCRIPT_PACKAGE"); by != "" {
		o.call.pkg = &by
	}
	args := p.Args[1:]
	var rest []string
	for len(args) > 0 { // options may follow other arguments here
		opts, more, err := options(args, "divert", "package", "admindir", "instdir", "root")
		if err != nil {
			return fail(p, "%v", err)
		}
		for _, opt := range opts {
			if status, err := o.set(p, opt); status != 0 || err != nil {
				return status, err
			}
		}
		if len(more) == 0 {
			break
		}
		if slices.Contains(args[:len(args)-len(more)], "--") {
			rest = append(rest, more...)
			break
		}
		rest, args = append(rest, more[0]), more[1:]
	}
	switch o.action {
	case "list":
		return d.listDiversions(p, rest)
	case "truename", "listpackage":
		if len(rest) != 1 {
			return fail(p, "--%s needs a single argument", o.action)
		}
		return d.tellDiversion(p, o.action, rest[0])
	}
	if !o.said {
		warn(p, "please specify --no-rename explicitly, the default will change to --rename in 1.20.x")
	}
	if len(rest) != 1 {
		return fail(p, "--%s needs a single argument", o.action)
	}
	if o.call.from = strings.TrimSuffix(rest[0], "/"); !strings.HasPrefix(rest[0], "/") {
		return fail(p, "filename \"%s\" is not absolute", rest[0])
	}
	if strings.Contains(rest[0], "\n") {
		return fail(p, "file may not contain newlines")
	}
	if o.action == "remove" {
		return d.removeDiversion(ctx, p, o)
	}
	return d.addDiversion(ctx, p, o)
}

func (o *divertOptions) set(p *shell.Proc, opt option) (int, error) {
	switch opt.name {
	case "add", "remove", "list", "listpackage", "truename":
		o.action = opt.name
	case "divert":
		if !strings.HasPrefix(opt.value, "/") {
			return fail(p, "filename \"%s\" is not absolute", opt.value)
		}
		o.call.to = &opt.value
	case "package":
		if opt.value == "LOCAL" {
			opt.value = ""
		}
		o.call.pkg = &opt.value
	case "local":
		o.call.pkg = new(string)
	case "quiet":
		o.quiet = true
	case "rename", "no-rename":
		o.rename, o.said = opt.name == "rename", true
	case "test":
		o.test = true
	case "admindir", "instdir", "root":
		if opt.value != "" && opt.value != "/" && opt.value != "/var/lib/dpkg" {
			return 0, shell.Unsupported("dpkg-divert --%s=%s", opt.name, opt.value)
		}
	case "version":
		return 0, shell.Unsupported("dpkg-divert --version")
	default:
		return fail(p, "unknown option %s", dashed(opt.name))
	}
	return 0, nil
}

// listDiversions is dpkg-divert --list.
func (d *Dpkg) listDiversions(p *shell.Proc, patterns []string) (int, error) {
	var b strings.Builder
	for _, v := range d.listed() {
		by := v.Package
		if by == "" {
			by = "LOCAL"
		}
		match := len(patterns) == 0
		for _, pattern := range patterns {
			re := glob(pattern)
			match = match || re.MatchString(v.From) || re.MatchString(v.To) || re.MatchString(by)
		}
		if match {
			b.WriteString(v.String() + "\n")
		}
	}
	return print(p, b.String())
}

// tellDiversion is dpkg-divert --truename and --listpackage.
func (d *Dpkg) tellDiversion(p *shell.Proc, action, name string) (int, error) {
	for _, v := range d.diversions {
		switch {
		case v.From != name:
		case action == "truename":
			return print(p, v.To+"\n")
		case v.Package == "":
			return print(p, "LOCAL\n")
		default:
			return print(p, v.Package+"\n")
		}
	}
	if action == "truename" {
		return print(p, name+"\n")
	}
	return 0, nil
}

// addDiversion is dpkg-divert --add (diversion_add in dpkg's src/divert/main.c).
func (d *Dpkg) addDiversion(ctx context.Context, p *shell.Proc, o divertOptions) (int, error) {
	v := Diversion{From: o.call.from, To: o.call.from + ".distrib"}
	if o.call.to != nil {
		v.To = *o.call.to
	}
	if o.call.pkg != nil {
		v.Package = *o.call.pkg
	}
	if n, err := p.FS.Lstat(v.From); err == nil && n.Type == tree.Dir {
		return fail(p, "cannot divert directories")
	}
	if v.From == v.To {
		return fail(p, "cannot divert file '%s' to itself", v.From)
	}
	for _, other := range d.diversions {
		if other == v {
			say(p, o, "Leaving '%s'", v)
			return 0, nil
		}
		if other.From == v.From || other.From == v.To || other.To == v.From || other.To == v.To {
			return fail(p, "'%s' clashes with '%s'", v, other)
		}
	}
	say(p, o, "Adding '%s'", v)
	if pkg := d.find(v.Package); o.rename && pkg != nil && v.Package != "" && pkg.State != NotInstalled && slices.Contains(pkg.Paths, v.From) {
		say(p, o, "Ignoring request to rename file '%s' owned by diverting package '%s'", v.From, v.Package)
		o.rename = false
	}
	if !o.test {
		if d.sys.Divert != nil {
			if err := d.sys.Divert(ctx, v, false); err != nil {
				return 0, err
			}
		}
	}
	if status, err := d.move(p, o, v.From, v.To); status != 0 || err != nil || o.test {
		return status, err
	}
	d.diversions, d.diverted = append(d.diversions, v), true
	return 0, nil
}

func say(p *shell.Proc, o divertOptions, format string, args ...any) {
	if !o.quiet {
		fmt.Fprintf(p.Stdout, format+"\n", args...)
	}
}

// removeDiversion is dpkg-divert --remove.
func (d *Dpkg) removeDiversion(ctx context.Context, p *shell.Proc, o divertOptions) (int, error) {
	i := slices.IndexFunc(d.diversions, func(v Diversion) bool { return v.From == o.call.from })
	if i < 0 {
		say(p, o, "No diversion '%s', none removed.", o.call)
		return 0, nil
	}
	v := d.diversions[i]
	if o.call.to != nil && *o.call.to != v.To {
		return fail(p, "mismatch on divert-to\n  when removing '%s'\n  found '%s'", o.call, v)
	}
	if o.call.pkg != nil && *o.call.pkg != v.Package {
		return fail(p, "mismatch on package\n  when removing '%s'\n  found '%s'", o.call, v)
	}
	if pkg := d.find(v.Package); o.rename && pkg != nil && v.Package != "" && pkg.State != NotInstalled && slices.Contains(pkg.Paths, v.From) {
		say(p, o, "Ignoring request to rename file '%s' owned by diverting package '%s'", v.From, v.Package)
		o.rename = false
	}
	say(p, o, "Removing '%s'", v)
	if status, err := d.move(p, o, v.To, v.From); status != 0 || err != nil || o.test {
		return status, err
	}
	d.diverted = true
	d.diversions = slices.Delete(slices.Clone(d.diversions), i, i+1)
	if d.sys.Divert != nil {
		return 0, d.sys.Divert(ctx, v, true)
	}
	return 0, nil
}

// move renames the file of a diversion, where it is asked for and the file is
// there. Two files with the same content become one.
func (d *Dpkg) move(p *shell.Proc, o divertOptions, from, to string) (int, error) {
	if !o.rename {
		return 0, nil
	}
	old, err := p.FS.Lstat(from)
	if err != nil {
		return 0, nil
	}
	if there, err := p.FS.Lstat(to); err == nil {
		if same, err := sameFile(p, old, there); err != nil {
			return p.Fail(err)
		} else if !same {
			return fail(p, "rename involves overwriting '%s' with\n  different file '%s', not allowed", to, from)
		}
	}
	if o.test {
		return 0, nil
	}
	if err := p.FS.Rename(from, to); err != nil {
		return p.Fail(err)
	}
	return 0, nil
}

func sameFile(p *shell.Proc, a, b *tree.Node) (bool, error) {
	if a.Type != b.Type || a.Link != b.Link || a.Size != b.Size || a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID {
		return false, nil
	}
	if a.Type != tree.File {
		return a.Type == tree.Symlink, nil
	}
	x, err := p.FS.ReadFile("/" + a.Path)
	if err != nil {
		return false, err
	}
	y, err := p.FS.ReadFile("/" + b.Path)
	return bytes.Equal(x, y), err
}
