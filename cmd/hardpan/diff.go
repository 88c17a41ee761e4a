package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/diff"
	"github.com/hardpan/hardpan/internal/inventory"
	"github.com/hardpan/hardpan/internal/oci"
)

func newDiff(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "say how two images differ",
		Long: `diff compares two images, whoever built them: packages with their versions, paths
with type, mode, owner, content and where they come from, config, layers and size.
OLD and NEW are registry references, OCI layouts, OCI archives or docker archives;
each platform that both have is compared, unless --platform names one. Where each
has just one, these are compared.

In a line, + is what only NEW has, - what only OLD has, and ~ what both have
otherwise. Content is compared by size and MD5 sum, as dpkg does. What looks like a
secret in config or labels is not shown. Nothing of the images is executed. What
changes about the rules, check --html FILE --against OLD says.`,
		Example: `  hardpan diff registry.example.com/base/python:3.13 dist/python-3.13
  hardpan diff old.tar new.tar --output json`,
		Args: exactArgs("OLD", "NEW"),
	}
	flags := cmd.Flags()
	flags.String("platform", "", "`platform` to compare (default: each that both have)")
	flags.Bool("paths", true, "compare paths too")
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), args[0], args[1]) }
	return cmd
}

func (a *app) diff(ctx context.Context, before, after string) error {
	open := oci.OpenOptions{Insecure: a.settings.GetBool("insecure-registry")}
	if platform := a.settings.GetString("platform"); platform != "" {
		var err error
		if open.Platform, err = oci.ParsePlatform(platform); err != nil {
			return usageError{err: err}
		}
	}
	old, err := oci.Open(ctx, before, open)
	if err != nil {
		return err
	}
	defer old.Close()
	new, err := oci.Open(ctx, after, open)
	if err != nil {
		return err
	}
	defer new.Close()
	pairs, alone := diff.Pair(old.Images, new.Images)
	if len(pairs) == 0 {
		return fmt.Errorf("cannot compare %s and %s: they have no platform in common: %s", before, after, strings.Join(alone, ", "))
	}
	diffs := []*diff.Diff{}
	for _, pair := range pairs {
		d, err := compare(ctx, pair[0], pair[1])
		if err != nil {
			return err
		}
		d.Old.Image, d.New.Image = before, after
		if !a.settings.GetBool("paths") {
			d.Paths = nil
		}
		diffs = append(diffs, d)
	}
	if a.json() {
		return a.printJSON(struct {
			Diffs []*diff.Diff `json:"diffs"`
			Alone []string     `json:"alone,omitempty"`
		}{diffs, alone})
	}
	for _, d := range diffs {
		printDiff(a.out, d)
	}
	for _, line := range alone {
		fmt.Fprintln(a.out, line)
	}
	return nil
}

// compare reads two images, and one that is both once.
func compare(ctx context.Context, before, after *oci.Image) (*diff.Diff, error) {
	old, err := facts.Read(ctx, before)
	if err != nil {
		return nil, err
	}
	new := old
	if before.Digest != after.Digest {
		if new, err = facts.Read(ctx, after); err != nil {
			return nil, err
		}
	}
	return diff.Images(inventory.Of(old), inventory.Of(new)), nil
}

// changeSign is how a line about a change begins.
var changeSign = map[diff.Change]string{diff.Added: "+", diff.Removed: "-", diff.Changed: "~"}

func printDiff(w io.Writer, d *diff.Diff) {
	fmt.Fprintf(w, "%s  %s  %s\n%s  %s  %s\n", oneLine(d.Old.Image), d.Old.Platform, d.Old.Digest, oneLine(d.New.Image), d.New.Platform, d.New.Digest)
	if d.Empty() && d.Old.Digest == d.New.Digest {
		fmt.Fprintln(w, "  they are the same")
		return
	}
	fmt.Fprintf(w, "  size: %s -> %s to pull, %s -> %s unpacked, %d -> %d layers, %d -> %d packages, %d -> %d paths\n",
		size(d.Old.Size), size(d.New.Size), size(d.Old.Unpacked), size(d.New.Unpacked), d.Old.Layers, d.New.Layers, d.Old.Packages, d.New.Packages, d.Old.Paths, d.New.Paths)
	for _, p := range d.Packages {
		fmt.Fprintf(w, "  %s package  %s\n", changeSign[p.Change], oneLine(p.Name+" "+arrow(p.Old, p.New)))
	}
	for _, s := range d.Config {
		fmt.Fprintf(w, "  %s config   %s\n", changeSign[s.Change], oneLine(s.Name+": "+arrow(s.Old, s.New)))
	}
	for _, l := range d.Layers {
		fmt.Fprintf(w, "  %s layer    %d, %s, %s\n", changeSign[l.Change], l.Index+1, size(l.Size), oneLine(l.Holds))
	}
	for i := range d.Paths {
		p := &d.Paths[i]
		e := p.New
		if e == nil {
			e = p.Old
		}
		about := e.Type + " " + e.Mode + " " + e.Owner
		if p.Change == diff.Changed {
			about = strings.Join(p.Says(), ", ")
		}
		fmt.Fprintf(w, "  %s path     %s\n", changeSign[p.Change], oneLine(p.Path+"  "+about+"  from "+e.Origin))
	}
}

func arrow(old, new string) string {
	switch {
	case old == "":
		return new
	case new == "":
		return old
	}
	return old + " -> " + new
}
