package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/specs"
)

// sourceFlags adds the flags that say where packages come from.
func sourceFlags(flags *pflag.FlagSet) {
	flags.StringP("variant", "V", "", "`name` of the spec's variant to work on")
	archiveFlags(flags)
}

// archiveFlags adds those of them that concern no spec.
func archiveFlags(flags *pflag.FlagSet) {
	mirrorFlags(flags)
	flags.String("keyring", "", "OpenPGP `file` that replaces Debian's archive keys")
	flags.Bool("snapshot", false, "accept an archive of the past although its Release has expired")
}

// mirrorFlags adds those that say where packages are which a lock pins.
func mirrorFlags(flags *pflag.FlagSet) {
	cacheFlag(flags)
	flags.String("mirror", "", "base `URI` of Debian's archive (default: the machine's apt sources, else Debian's primary mirror)")
	flags.String("security-mirror", "", "base `URI` of Debian's security archive")
}

// requireTestsFlag adds the flag that wants every test run.
func requireTestsFlag(flags *pflag.FlagSet) {
	flags.Bool("require-tests", false, "fail where tests cannot be run on this machine")
}

func newBuild(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build SPEC",
		Short: "build the image of a spec",
		Long: `build makes the image of a spec and writes it where the flags say, by default
to an OCI layout in dist/NAME-VERSION.

A lock beside the spec decides which packages are used; a build with a lock
resolves nothing. Without one the build makes it and says so; --locked refuses
to. The image is judged by the rules of hardpan check, and not published where
one is broken as badly as --fail-on says, or worse; the exit code then is 3. The
tests of the spec are run in the image before anything is published, where this
machine can run its programs. With --key or --keyless the image and its index are
signed before a tag moves, with the lock, the provenance, the tests that passed and
how the rules are kept as attestations. SOURCE_DATE_EPOCH, in seconds since 1970,
replaces the lock's date as the time of the image.`,
		Example: `  hardpan build python.yaml
  hardpan build python.yaml --platform linux/arm64 --archive python.tar
  hardpan build python.yaml --push registry.example.com/base/python:3.13`,
		Args: exactArgs("SPEC"),
	}
	flags := cmd.Flags()
	sourceFlags(flags)
	flags.StringSlice("platform", nil, "`platform` to build, such as linux/arm64; may be repeated (default: all of the spec's)")
	flags.Bool("update", false, "renew the lock first")
	flags.Bool("locked", false, "refuse to build without a lock")
	flags.Bool("check-reproducible", false, "run the commands of build stages twice, and fail where what is copied into the image differs")
	requireTestsFlag(flags)
	flags.String("fail-on", "", "least `severity` of a broken hardening rule for which nothing is published: info, low, medium, high, critical, or never (default: the spec's, else high in profile strict)")
	flags.Bool("print-spec", false, "print the spec with everything that it inherits, and build nothing")
	flags.String("layout", "", "write an OCI layout to this `directory`")
	flags.String("archive", "", "write an OCI archive to this `file`")
	flags.String("docker-archive", "", "write an archive for docker load to this `file`; needs one platform")
	flags.String("push", "", "push to this registry `reference`; the tag moves last")
	flags.StringSlice("tag", nil, "further `tag` for --push; may be repeated")
	flags.String("debug-symbols", "", "write the debugging symbols of stripped files to this `file`, a tar with paths by build id; needs one platform")
	flags.String("key", "", "sign with the private key in this `file`, or with that of a plugin NAME://KEY, and attest how the image was built")
	bundleFlag(flags)
	keylessFlags(flags)
	flags.Bool("withhold-spec", false, "do not attest the text of the spec; nobody can then verify the image by --rebuild")
	flags.Int("jobs", 0, "packages unpacked at a time (default: one per CPU)")
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.build(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) build(ctx context.Context, spec string) error {
	s := a.settings
	if s.GetBool("print-spec") {
		return a.printSpec(spec)
	}
	o, err := a.options(spec)
	if err != nil {
		return err
	}
	o.Platforms = s.GetStringSlice("platform")
	if o.Jobs = s.GetInt("jobs"); o.Jobs < 0 {
		return usagef("jobs is %d, expected 0 or more", o.Jobs)
	}
	switch {
	case s.GetBool("update") && s.GetBool("locked"):
		return usagef("--update renews the lock and --locked refuses to, expected one of them")
	case s.GetBool("update"):
		o.Lock = builder.UpdateLock
	case s.GetBool("locked"):
		o.Lock = builder.RequireLock
	}
	o.RequireTests, o.FailOn = s.GetBool("require-tests"), s.GetString("fail-on")
	o.CheckReproducible = s.GetBool("check-reproducible")
	if o.Epoch, err = sourceDateEpoch(); err != nil {
		return err
	}
	var signer *builder.Signer
	if s.GetString("key") != "" || a.isKeyless() {
		if signer, err = a.signBuild(ctx); err != nil {
			return err
		}
	}
	progress := newProgress(a.err)
	o.Progress = progress
	o.OnStep = stepPrinter(a.err, progress)
	o.Outputs = builder.Outputs{
		Layout: s.GetString("layout"), Archive: s.GetString("archive"), DockerArchive: s.GetString("docker-archive"),
		DebugSymbols: s.GetString("debug-symbols"),
		Push:         s.GetString("push"), Tags: s.GetStringSlice("tag"), InsecureRegistry: s.GetBool("insecure-registry"),
		PushProgress: pushProgress(progress), WithholdSpec: s.GetBool("withhold-spec"),
	}
	if signer != nil {
		o.Outputs.Sign, o.Builder = signer, provenance.FromEnvironment(os.Getenv, version)
		o.Outputs.Describe = []builder.Describer{describeSBOMs()}
	}
	res, err := builder.Build(ctx, o)
	progress.Wait()
	if err != nil {
		return err
	}
	a.noteLock(res.Locked, res.Lock, res.LockError)
	if a.json() {
		return a.printJSON(res)
	}
	printResult(a.out, res)
	a.printSigner(res.SignedBy)
	return nil
}

// printSigner says who signed what was built, if somebody did.
func (a *app) printSigner(name string) {
	if name == "" {
		return
	}
	by := "with key"
	if a.isKeyless() {
		by = "by"
	}
	fmt.Fprintf(a.out, "  signed %s %s\n", by, oneLine(name))
}

// options returns the options that all verbs with a spec share.
func (a *app) options(spec string) (builder.Options, error) {
	dir, err := a.cacheDir()
	return builder.Options{Spec: spec, Variant: a.settings.GetString("variant"), CacheDir: dir, Archive: a.archiveOptions()}, err
}

func (a *app) archiveOptions() builder.ArchiveOptions {
	s := a.settings
	return builder.ArchiveOptions{
		Mirror: s.GetString("mirror"), SecurityMirror: s.GetString("security-mirror"),
		Keyring: s.GetString("keyring"), Snapshot: s.GetBool("snapshot"),
	}
}

func sourceDateEpoch() (*time.Time, error) {
	v := os.Getenv("SOURCE_DATE_EPOCH")
	if v == "" {
		return nil, nil
	}
	sec, err := strconv.ParseInt(v, 10, 64)
	if err != nil || sec < 0 {
		return nil, usagef("SOURCE_DATE_EPOCH is %q, expected seconds since 1970", v)
	}
	t := time.Unix(sec, 0).UTC()
	return &t, nil
}

func (a *app) printSpec(path string) error {
	spec, err := specs.Load(path)
	if err != nil {
		return err
	}
	if spec, err = spec.Variant(a.settings.GetString("variant")); err != nil {
		return err
	}
	text, err := spec.YAML()
	if err != nil {
		return err
	}
	_, err = a.out.Write(text)
	return err
}

// noteLock says that a lock was made, which the caller may want to commit.
func (a *app) noteLock(made bool, path, failure string) {
	switch {
	case failure != "":
		fmt.Fprintf(a.err, "hardpan: resolved without a lock, which cannot be written: %s\n", oneLine(failure))
	case made:
		fmt.Fprintf(a.err, "hardpan: resolved and wrote %s\n", path)
	}
}

// pushProgress shows the upload to a registry like a download.
func pushProgress(p *progress) func(done, total int64) {
	var task archive.Task
	var before int64
	return func(done, total int64) {
		if task == nil {
			task = p.Start("push", total)
		}
		task.Add(done - before)
		before = done
	}
}

func printResult(w io.Writer, res *builder.Result) {
	fmt.Fprintf(w, "%s:%s %s\n", res.Name, res.Tag, res.Digest)
	for _, img := range res.Images {
		fmt.Fprintf(w, "  %-12s %s, %s unpacked, %d layers, %d packages, %d paths\n",
			img.Platform, size(img.Size), size(img.Unpacked), img.Layers, img.Packages, img.Paths)
		var rules []string
		var total int64
		for _, r := range img.Stripped {
			rules = append(rules, fmt.Sprintf("%s %d", r.Rule, r.Paths))
			total += r.Size
		}
		if len(rules) > 0 {
			fmt.Fprintf(w, "  %-12s stripped %s: %s\n", "", size(total), strings.Join(rules, ", "))
		}
		if len(img.Dropped) > 0 {
			fmt.Fprintf(w, "  %-12s left out although needed: %s\n", "", strings.Join(img.Dropped, ", "))
		}
		printLeftOut(w, img.LeftOut)
		for _, line := range img.Skipped {
			fmt.Fprintf(w, "  %-12s without effect: %s\n", "", oneLine(line))
		}
		for _, line := range img.Warnings {
			fmt.Fprintf(w, "  %-12s warning: %s\n", "", oneLine(line))
		}
		if line := hardeningSummary(res.Hardening, img.Platform); line != "" {
			fmt.Fprintf(w, "  %-12s %s\n", "", line)
		}
		if line := testSummary(res.Tests, img.Platform); line != "" {
			fmt.Fprintf(w, "  %-12s %s\n", "", line)
		}
	}
	for _, st := range res.Stages {
		if st.Network == specs.NetworkHost {
			fmt.Fprintf(w, "  %-12s stage %s ran with the network of this machine\n", st.Platform, st.Stage)
		}
	}
	for _, d := range res.Differences {
		fmt.Fprintf(w, "  %-12s not reproducible, and not in the image: %s of stage %s differs in %s\n", d.Platform, oneLine(d.Path), d.Stage, d.What)
	}
	for _, to := range res.Written {
		fmt.Fprintf(w, "  wrote %s %s\n", to.Kind, to.Place)
	}
}

// hardeningSummary says how an image keeps the hardening rules: "67 rules kept, 2 broken: 1
// low, 1 info; 1 waived; none fails the build at high".
func hardeningSummary(all []builder.Hardening, platform string) string {
	for _, h := range all {
		if h.Platform != platform {
			continue
		}
		var broken []string
		total, waived := 0, 0
		for s := harden.Critical; ; s-- {
			var n int
			if n, waived = h.Count(s); n > 0 {
				broken = append(broken, fmt.Sprintf("%d %s", n, s))
				total += n
			}
			if s == harden.Info {
				break
			}
		}
		line := fmt.Sprintf("%d hardening rules kept", h.Passed)
		if waived > 0 {
			line += fmt.Sprintf(", %d waived", waived)
		}
		if total > 0 {
			line += fmt.Sprintf(", %d broken: %s", total, strings.Join(broken, ", "))
		}
		return line
	}
	return ""
}

// printLeftOut names the packages that only maintainer scripts would need; the lock
// says why of each.
func printLeftOut(w io.Writer, left []builder.LeftOut) {
	var names []string
	for _, l := range left {
		names = append(names, l.Package)
	}
	if len(names) > 0 {
		fmt.Fprintf(w, "  %-12s left out, only for maintainer scripts: %s\n", "", strings.Join(names, ", "))
	}
}

// size writes bytes for a person, in powers of ten like registries do.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}
