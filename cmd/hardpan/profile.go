package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/profile"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/syscalls"
)

func newProfile(a *app) *cobra.Command {
	var formats strings.Builder
	for _, f := range profile.Formats {
		fmt.Fprintf(&formats, "  %-18s %s\n", f.Name, f.What)
	}
	cmd := &cobra.Command{
		Use:   "profile IMAGE|SPEC",
		Short: "write what a platform should enforce for an image",
		Long: `profile writes what a platform should enforce for an image, true of this image:
one document with --format, all of them into a directory with --output-dir.
Without either it prints what they are made from.

` + formats.String() + `
The seccomp profile allows the system calls that the image's programs can make,
which it finds in their machine code: no program is run. With --explain it prints
which file and which functions lead to each.

All else is from the image's config, from its labels dev.hardpan.run.* and from the
record of its build. What they do not say is left out, and named as unknown.

Of a SPEC, a file whose name ends with .yaml or .yml, it first builds the image,
of which it publishes nothing. An IMAGE is a registry reference, an OCI layout, an
OCI archive or a docker archive, by whomever.`,
		Example: `  hardpan profile python.yaml --output-dir profile --key hardpan.pub
  hardpan profile registry.example.com/base/python:3.13 --format seccomp > seccomp.json
  hardpan profile dist/python-3.13 --platform linux/arm64 --explain`,
		Args: exactArgs("IMAGE or SPEC"),
	}
	flags := cmd.Flags()
	sourceFlags(flags)
	flags.String("format", "", "`name` of the document to print")
	flags.String("output-dir", "", "write every document into this `directory`")
	flags.Bool("explain", false, "print the reason for each system call")
	flags.Bool("entrypoint-only", false, "count the system calls of what entrypoint and health check load, not of every program and plugin")
	flags.String("image", "", "`reference` that the platform pulls the image by (default: where it was read from, by digest)")
	flags.String("key", "", "`file` of the public key that admission policies ask for signatures of")
	flags.String("platform", "", "`platform` to look at (default: the first of the image)")
	flags.Bool("locked", false, "refuse to build without a lock")
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.profile(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) profile(ctx context.Context, what string) error {
	s := a.settings
	name, dir := s.GetString("format"), s.GetString("output-dir")
	format, known := profile.FormatOf(name)
	switch {
	case name != "" && !known:
		return usagef("format is %q, expected one of %s", name, formatNames())
	case name != "" && dir != "":
		return usagef("--format prints one document and --output-dir writes all, expected one of them")
	case name != "" && s.GetBool("explain"):
		return usagef("--format prints a document and --explain prints reasons, expected one of them")
	}
	o := profile.Options{Reference: s.GetString("image"), EntrypointOnly: s.GetBool("entrypoint-only")}
	if err := a.profileKey(&o, format); err != nil {
		return err
	}
	p, err := a.profileOf(ctx, what, o)
	if err != nil {
		return err
	}
	if name != "" {
		b, err := p.Write(format)
		if err == nil {
			_, err = a.out.Write(b)
		}
		return err
	}
	var written []string
	if dir != "" {
		if written, err = writeProfile(dir, p); err != nil {
			return err
		}
	}
	if a.json() {
		return a.printJSON(p)
	}
	printProfile(a.out, p, s.GetBool("explain"))
	for _, name := range written {
		fmt.Fprintf(a.out, "  wrote %s\n", name)
	}
	return nil
}

func formatNames() string {
	var names []string
	for _, f := range profile.Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// profileKey reads the key where one is given, and refuses a format that needs one
// without.
func (a *app) profileKey(o *profile.Options, format profile.Format) error {
	if a.settings.GetString("key") == "" && !format.Key {
		return nil
	}
	text, err := a.keyFile()
	if err != nil {
		return err
	}
	if _, err := sign.LoadVerifier(text); err != nil {
		return usagef("%s: %w", a.settings.GetString("key"), err)
	}
	o.Key = text
	return nil
}

// profileOf reads an image, or builds that of a spec.
func (a *app) profileOf(ctx context.Context, what string, o profile.Options) (*profile.Profile, error) {
	s := a.settings
	var platform oci.Platform
	if name := s.GetString("platform"); name != "" {
		var err error
		if platform, err = oci.ParsePlatform(name); err != nil {
			return nil, usageError{err: err}
		}
	}
	dir, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	if o.Store, err = store.Open(dir); err != nil {
		return nil, err
	}
	if strings.HasSuffix(what, ".yaml") || strings.HasSuffix(what, ".yml") {
		img, err := a.builtImage(ctx, what)
		if err != nil {
			return nil, err
		}
		return profile.Of(ctx, img, o)
	}
	src, err := oci.Open(ctx, what, oci.OpenOptions{Platform: platform, Insecure: s.GetBool("insecure-registry")})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	o.Repository, o.Digest = src.Repository, src.Digest
	return profile.Of(ctx, src.Images[0], o)
}

// builtImage builds the first platform of a spec, or the one that is asked for.
func (a *app) builtImage(ctx context.Context, spec string) (*oci.Image, error) {
	o, err := a.options(spec)
	if err != nil {
		return nil, err
	}
	if o.Epoch, err = sourceDateEpoch(); err != nil {
		return nil, err
	}
	if name := a.settings.GetString("platform"); name != "" {
		o.Platforms = []string{name}
	}
	if a.settings.GetBool("locked") {
		o.Lock = builder.RequireLock
	}
	progress := newProgress(a.err)
	o.Progress, o.OnStep = progress, stepPrinter(a.err, progress)
	res, err := builder.Unpublished(ctx, o)
	progress.Wait()
	if err != nil {
		return nil, err
	}
	return res.Index.Images[0], nil
}

// writeProfile writes every document that can be made into the directory and returns
// the names of the files.
func writeProfile(dir string, p *profile.Profile) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot write the profile: %w", err)
	}
	var names []string
	for _, f := range profile.Formats {
		if f.Key && !p.HasKey() || f.Name == "seccomp" && p.Seccomp == nil {
			continue
		}
		b, err := p.Write(f)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(dir, f.File)
		if err := store.Replace(name, b); err != nil {
			return nil, fmt.Errorf("cannot write the profile: %w", err)
		}
		names = append(names, name)
	}
	return names, nil
}

func printProfile(w io.Writer, p *profile.Profile, explain bool) {
	f := p.Facts
	fmt.Fprintf(w, "%s %s\n", oneLine(f.Reference), f.Platform)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-10s %s\n", name, oneLine(fmt.Sprintf(format, args...)))
	}
	if len(f.Command) > 0 {
		line("command", "%s", strings.Join(f.Command, " "))
	}
	if f.User != nil {
		line("user", "%d:%d", f.User.UID, f.User.GID)
	}
	if len(f.Ports) > 0 {
		line("ports", "%v", f.Ports)
	}
	if len(f.Internal) > 0 {
		line("internal", "%v", f.Internal)
	}
	if len(f.Writable) > 0 {
		line("writable", "%s", strings.Join(f.Writable, " "))
	}
	if f.Memory > 0 {
		line("memory", "%s", size(f.Memory))
	}
	if f.CPUs > 0 {
		line("cpus", "%v", f.CPUs)
	}
	if f.Processes > 0 {
		line("processes", "%d", f.Processes)
	}
	if s := p.Seccomp; s != nil {
		line("seccomp", "%d of %d system calls of %s allowed; Docker's default profile allows %d", s.Allowed, s.All, s.Arch, s.Default)
	}
	for _, u := range f.Unknown {
		line("unknown", "%s", u)
	}
	if s := p.Seccomp; explain && s != nil {
		printCalls(w, "allowed", s.Calls)
		printCalls(w, "refused, as Docker's default profile does", s.Refused)
	}
}

func printCalls(w io.Writer, heading string, calls []syscalls.Reached) {
	if len(calls) == 0 {
		return
	}
	fmt.Fprintf(w, "%s\n", heading)
	for _, c := range calls {
		fmt.Fprintf(w, "  %-22s %s\n", c.Name, oneLine(c.Reason.String()))
	}
}
