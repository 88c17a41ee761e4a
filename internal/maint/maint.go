package maint

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/script"
	"github.com/hardpan/hardpan/internal/tree"
)

// Package is what is known of one unpacked package.
type Package struct {
	Name         string
	Version      string
	Architecture string            // of the package, "all" included
	SHA256       string            // of its .deb
	Scripts      map[string]string // "preinst", "postinst", ...: their text
	Triggers     string            // the triggers file
}

// Image is what the effects work on.
type Image struct {
	Tree         *tree.Tree
	Architecture string    // Debian's name, such as "amd64"
	Packages     []Package // in the order of configuration
	Time         int64     // of every path that is made, seconds since 1970

	calls map[string][]script.Call // by "package script", of the tree as it was unpacked
}

// Report says what was done and what was not.
type Report struct {
	Applied []string // "ca-certificates postinst: update-ca-certificates", in order
	Skipped []Skip   // by package, then script: the first command of each that has no effect here
}

// Skip is a command of a maintainer script that an image would need and that
// is not known here.
type Skip struct {
	Package string
	Script  string
	Line    uint   // of the script, 0 where the script could not be read
	Command string // with its arguments as far as they are known, or why the script could not be read
}

func (s Skip) String() string {
	return fmt.Sprintf("%s %s:%d: %s", s.Package, s.Script, s.Line, s.Command)
}

// Step gives the tree the effects of the scripts of one package or one trigger.
type Step interface {
	// Name is what the origin of a path shows: "ca-certificates postinst: update-ca-certificates".
	Name() string
	// Applies reports whether the image has what the step is about.
	Applies(*Image) bool
	// Apply changes the tree. It does the same for the same image, every time.
	Apply(context.Context, *Image) error
}

// Steps returns every step, in the order in which they are applied: what a
// package's own script makes, what all packages' scripts ask for, and triggers.
func Steps() []Step {
	var steps []Step
	for _, row := range table {
		steps = append(steps, row)
	}
	return append(steps,
		resolverStep{}, nginxModules{}, shellsStep{},
		alternativesStep{}, overridesStep{}, certificatesStep{}, keystoreStep{}, linkerStep{})
}

// Run gives the image's tree the effects of all steps that apply. It is called
// when everything else is in the tree, the paths of the spec included: what
// the spec put there is never replaced. Run again, it changes nothing.
//
// Accounts are not written, as the spec adds to them; see [Accounts].
func Run(ctx context.Context, img *Image) (*Report, error) {
	report := &Report{}
	var broken []Skip
	img.calls, broken = readScripts(img)
	report.Skipped = append(broken, skipped(img)...)
	slices.SortFunc(report.Skipped, func(a, b Skip) int {
		return strings.Compare(a.Package+" "+a.Script, b.Package+" "+b.Script)
	})
	for _, s := range Steps() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !s.Applies(img) {
			continue
		}
		if err := s.Apply(ctx, img); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name(), err)
		}
		report.Applied = append(report.Applied, s.Name())
	}
	return report, nil
}

// Package returns the package of that name, nil where the image has none.
func (img *Image) Package(name string) *Package {
	i := slices.IndexFunc(img.Packages, func(p Package) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &img.Packages[i]
}

// origin is the origin of what a command of a package's script makes.
func (p *Package) origin(script, command string, inputs ...string) *tree.Origin {
	return &tree.Origin{
		Kind: tree.FromScript, Package: p.Name, Version: p.Version, SHA256: p.SHA256,
		Script: script, Command: command, Inputs: inputs,
	}
}

// put writes a node where its path leads, unless the spec put something there.
// The path's own last element is not followed. A node that is the same but for
// its origin stays as it is.
func (img *Image) put(n *tree.Node) error {
	p, err := img.Tree.RealPath(n.Path)
	if err != nil {
		return err
	}
	n.Path, n.ModTime = p, img.Time
	if err := img.putParents(p, n.Origin); err != nil {
		return err
	}
	old := img.Tree.Lookup(p)
	if old != nil && old.Origin != nil && old.Origin.Kind == tree.FromSpec {
		return nil
	}
	if n.Type != tree.File {
		return img.Tree.Set(n)
	}
	b, ok := n.Content.(tree.Bytes)
	if !ok {
		return img.Tree.Set(n)
	}
	if err := img.Tree.WriteFile(p, b, n.Mode, n.Origin); err != nil {
		return err
	}
	made := img.Tree.Lookup(p)
	made.UID, made.GID = n.UID, n.GID
	return nil
}

// putParents makes the directories above a path that are missing, with the same
// origin as what goes there.
func (img *Image) putParents(name string, origin *tree.Origin) error {
	dir := path.Dir(name)
	if dir == "." || img.Tree.Lookup(dir) != nil {
		return nil
	}
	if err := img.putParents(dir, origin); err != nil {
		return err
	}
	return img.Tree.Set(&tree.Node{Path: dir, Type: tree.Dir, Mode: 0o755, ModTime: img.Time, Origin: origin})
}

// has reports whether a path leads to something in the image.
func (img *Image) has(name string) bool {
	_, err := img.Tree.Resolve(name)
	return err == nil
}

// hasLink reports whether there is anything at the path itself, a link that
// leads nowhere included.
func (img *Image) hasLink(name string) bool {
	p, err := img.Tree.RealPath(name)
	return err == nil && img.Tree.Lookup(p) != nil
}

// command reports whether the image has the command in /usr/bin or the like.
func (img *Image) command(name string) bool {
	for _, dir := range []string{"usr/bin", "bin", "usr/sbin", "sbin", "usr/local/bin"} {
		if img.has(path.Join(dir, name)) {
			return true
		}
	}
	return false
}
