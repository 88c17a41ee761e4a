package maint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/debconf"
	"github.com/hardpan/hardpan/internal/maint/dpkg"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Format names what this package makes of packages. It changes when that does, and
// belongs into the key of whatever is cached about scripts.
const Format = "scripts13"

// Image is what is installed.
type Image struct {
	Tree         *tree.Tree
	Architecture string    // Debian's name, such as "amd64"
	Time         int64     // of every path that is made, seconds since 1970
	Packages     []Package // in the order in which they are unpacked and configured
	// Installed are the packages that Tree holds before anything is installed, configured
	// all of them, as the database of a base image has them. Of their scripts only what
	// triggers set off is run.
	Installed []Package

	// Answers are those to the questions of debconf, by name of the question.
	Answers map[string]string
	// Skip names packages whose scripts are not run.
	Skip []string
	// LeftOut names packages that exist for maintainer scripts only and are not in
	// the image; scripts find their commands all the same.
	LeftOut []string
	// Limits bound what all scripts may cost.
	Limits shell.Limits
}

// Package is one package of an image, with those of its control files that its
// installation needs (deb(5), deb-src-control(5)).
type Package struct {
	Name         string
	Version      string
	Architecture string            // of the package, "all" included
	SHA256       string            // of its .deb
	Scripts      map[string]string // "preinst", "postinst", "config": their text
	Templates    string            // of debconf
	Triggers     string
	Conffiles    map[string]string // path, absolute, and MD5 of the content in hex
	Control      string            // the paragraph of the control file
	Files        func() []string   // what it ships, absolute paths
}

// Report says what was done and what was not.
type Report struct {
	// Applied lists the scripts that ran, in order: "ca-certificates postinst".
	Applied []string
	// Skipped lists what had no effect, and why, by package.
	Skipped []Skip
}

// Skip is what a package's script would have done and nobody did.
type Skip struct {
	Package string
	Script  string // "" for all
	Line    uint   // of the script, 0 where it is all of it
	Command string
	Reason  string
}

// String says it in one line.
func (s Skip) String() string {
	at := s.Package
	if s.Script != "" {
		at += " " + s.Script
	}
	if s.Line > 0 {
		at += fmt.Sprintf(":%d", s.Line)
	}
	if s.Command != "" {
		at += ": " + s.Command
	}
	return at + ": " + s.Reason
}

// ScriptError says that a package's script could not do its work. It wraps a
// [*shell.UnsupportedError] where the script needs what is not provided.
type ScriptError struct {
	Package string
	Version string
	Err     error // a [*shell.Error] with script, line and command
	Printed string
}

func (e *ScriptError) Error() string {
	said := ""
	if lines := strings.Split(strings.TrimSpace(e.Printed), "\n"); e.Printed != "" && lines[len(lines)-1] != "" {
		if at, ok := errors.AsType[*shell.Error](e.Err); !ok || at.Err == nil {
			said = fmt.Sprintf(" (it said %q)", lines[len(lines)-1])
		}
	}
	return fmt.Sprintf("%s %v%s (version %s)", e.Package, e.Err, said, e.Version)
}

// Unwrap returns the reason.
func (e *ScriptError) Unwrap() error { return e.Err }

// Hint says what the user can do.
func (e *ScriptError) Hint() string {
	return fmt.Sprintf("leave the package out, or build without what its scripts do: contents: {scripts: {%s: skip}}", e.Package)
}

// Installation is the work of dpkg on an image: unpacking and configuring packages
// (Debian Policy 6.6). The files themselves are the caller's to put into the tree,
// between [Installation.Preinst] and [Installation.Unpacked].
type Installation struct {
	img     *Image
	fs      *rootfs.FS
	shell   *shell.Shell
	tools   *tools
	now     current // the script that runs
	pending pending

	conffiles conffiles
	report    Report
	effects   Effects

	dependencies *dependencies
	configured   int // packages
}

// current is the script that runs at a moment.
type current struct {
	pkg    *Package
	script string // "postinst"
	origin string // the same as origins show it, "postinst triggered"
}

// maxWritten bounds the content that all scripts of an image may write, bytes.
const maxWritten = 512 << 20

// Begin begins the installation of an image's packages.
func Begin(img *Image) (*Installation, error) {
	in := &Installation{img: img, fs: rootfs.New(img.Tree, img.Time), dependencies: img.dependencies(), conffiles: newConffiles(img)}
	img.Tree.Watch()
	in.fs.MaxWritten = maxWritten
	in.shell = &shell.Shell{FS: in.fs, Limits: img.Limits, Origin: in.originOf, Sourced: debconf.Sourced()}
	var err error
	if in.tools, err = newTools(in); err != nil {
		return nil, err
	}
	for i := range img.Installed {
		in.interested(len(img.Packages) + i)
	}
	in.shell.Commands, in.shell.Phantom = in.tools.commands, in.tools.phantom
	return in, nil
}

// Effects returns what the scripts did, for [Again]; nil where that is too much to
// be kept. It is asked for when all is done.
func (in *Installation) Effects() *Effects {
	size := 0
	for _, list := range append(slices.Clone(in.effects.Preinst), in.effects.Configure...) {
		for _, c := range list {
			size += len(c.Content)
		}
	}
	if size > MaxEffects {
		return nil
	}
	in.effects.Report, in.effects.Before = in.report, in.tools.before
	return &in.effects
}

// originOf returns the origin of what a command of the running script makes.
func (in *Installation) originOf(command string) *tree.Origin {
	p := in.now.pkg
	if p == nil {
		return &tree.Origin{Kind: tree.FromBuilder, Command: command}
	}
	return &tree.Origin{
		Kind: tree.FromScript, Package: p.Name, Version: p.Version, SHA256: p.SHA256,
		Script: in.now.origin, Command: command,
	}
}

// Preinst runs what comes before the package's files: "preinst install".
func (in *Installation) Preinst(ctx context.Context, i int) error {
	p := &in.img.Packages[i]
	in.img.Tree.Changed() // what came with files is not the scripts'
	in.tools.state(i, dpkg.HalfInstalled, nil)
	if err := in.run(ctx, p, "preinst", "preinst", "install"); err != nil {
		return err
	}
	done, err := changes(in.img.Tree)
	if err != nil {
		return err
	}
	if in.effects.Preinst == nil {
		in.effects.Preinst = make([][]Change, len(in.img.Packages))
	}
	in.effects.Preinst[i] = done
	known := len(in.effects.Diversions)
	for _, d := range in.tools.diversions[known:] {
		d.After = i
		in.effects.Diversions = append(in.effects.Diversions, d)
	}
	return nil
}

// Unpacked says that the package's files are in the tree.
func (in *Installation) Unpacked(i int) {
	p := &in.img.Packages[i]
	in.tools.state(i, dpkg.Unpacked, p.Files)
	in.interested(i)
	in.incorporate()
	in.activateBy(i)
	in.activateFiles(i, in.tools.packages[i].Paths)
	in.hideConffiles(i)
}

// Diverted returns where a file of the package goes: the path itself, unless
// another package diverts it (dpkg-divert(1)). The path is that of a tree.
func (in *Installation) Diverted(pkg, path string) string {
	if d, ok := in.tools.diverted[path]; ok && d.Package != pkg {
		return d.To
	}
	return path
}

// configure puts the conffiles of a package in place and runs its postinst.
func (in *Installation) configure(ctx context.Context, i int) error {
	p := &in.img.Packages[i]
	in.tools.state(i, dpkg.HalfConfigured, nil)
	in.activateBy(i)
	if err := in.placeConffiles(i); err != nil {
		return err
	}
	in.activateFiles(i, slices.Sorted(maps.Keys(p.Conffiles)))
	if err := in.run(ctx, p, "postinst", "postinst", "configure", ""); err != nil {
		return err
	}
	in.tools.state(i, dpkg.Installed, nil)
	in.incorporate()
	return nil
}

// Configure configures the packages of a batch, in its order, and then runs the
// triggers that are pending.
func (in *Installation) Configure(ctx context.Context, batch Batch) error {
	in.img.Tree.Changed()
	in.configured += len(batch.Packages)
	last := in.configured == len(in.img.Packages)
	if err := in.configureAll(ctx, batch, last); err != nil {
		return err
	}
	if last {
		if err := in.dropSecrets(); err != nil {
			return err
		}
		if err := in.afterScripts(ctx); err != nil {
			return err
		}
	}
	done, err := changes(in.img.Tree)
	in.effects.Configure = append(in.effects.Configure, done)
	return err
}

// Report returns what was done so far.
func (in *Installation) Report() *Report { return &in.report }

// run runs one script of a package, if it has it.
func (in *Installation) run(ctx context.Context, p *Package, script, origin string, args ...string) error {
	text, ok := p.Scripts[script]
	if !ok {
		return nil
	}
	if slices.Contains(in.img.Skip, p.Name) {
		if !slices.ContainsFunc(in.report.Skipped, func(s Skip) bool { return s.Package == p.Name && s.Script == script }) {
			in.report.Skipped = append(in.report.Skipped, Skip{Package: p.Name, Script: script, Reason: "skipped, as the spec says"})
		}
		return nil
	}
	in.now = current{p, script, origin}
	defer func() { in.now = current{} }()
	at := placeOf(p.Name, script)
	printed, err := in.shell.Run(ctx, shell.Script{Name: at, Text: text, Args: args, Env: in.environment(p, script)})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if where, ok := errors.AsType[*shell.Error](err); ok && where.Script == at {
			where.Script = script
		}
		return &ScriptError{Package: p.Name, Version: p.Version, Err: err, Printed: string(printed)}
	}
	if sealed := in.fs.Unsealed(); sealed != nil {
		return &ScriptError{Package: p.Name, Version: p.Version, Err: &shell.Error{Script: script, Err: shell.Unsupported("reading %s, which is random,", sealed.Path)}}
	}
	in.report.Applied = append(in.report.Applied, p.Name+" "+origin)
	return nil
}

// placeOf returns where dpkg has a script when it runs it, which is what the script
// knows as $0.
func placeOf(pkg, script string) string {
	if script == "preinst" {
		return "/var/lib/dpkg/tmp.ci/preinst"
	}
	return "/var/lib/dpkg/info/" + pkg + "." + script
}

// omitted notes a command whose effect was left out knowingly, once for a script.
func (in *Installation) omitted(command, why string) {
	p := in.now.pkg
	if p == nil || slices.ContainsFunc(in.report.Skipped, func(s Skip) bool { return s.Package == p.Name && s.Script == in.now.script && s.Reason == why }) {
		return
	}
	in.report.Skipped = append(in.report.Skipped, Skip{Package: p.Name, Script: in.now.script, Command: command, Reason: why})
}

// environment is what dpkg and the noninteractive front end of debconf give to
// scripts (dpkg(1), ENVIRONMENT).
func (in *Installation) environment(p *Package, script string) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "SHELL=/bin/sh",
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "DPKG_ROOT=", "DPKG_ADMINDIR=/var/lib/dpkg",
		"DPKG_FORCE=", "DPKG_RUNNING_VERSION=" + dpkg.Version, "DPKG_MAINTSCRIPT_PACKAGE=" + p.Name,
		"DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1", "DPKG_MAINTSCRIPT_ARCH=" + p.Architecture,
		"DPKG_MAINTSCRIPT_NAME=" + script, "DPKG_MAINTSCRIPT_DEBUG=0", "DPKG_COLORS=never",
	}
}

// Package returns the package of that name, nil where the image has none.
func (img *Image) Package(name string) *Package {
	for _, list := range [][]Package{img.Packages, img.Installed} {
		if i := slices.IndexFunc(list, func(p Package) bool { return p.Name == name }); i >= 0 {
			return &list[i]
		}
	}
	return nil
}

// all returns the packages of the image, those that were there before last.
func (img *Image) all() []Package { return append(slices.Clip(img.Packages), img.Installed...) }

// at returns the package at an index of [Image.all].
func (img *Image) at(i int) *Package {
	if i < len(img.Packages) {
		return &img.Packages[i]
	}
	return &img.Installed[i-len(img.Packages)]
}
