package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/oci"
)

func newTest(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test IMAGE|SPEC",
		Short: "run the tests of an image in it",
		Long: `test runs the tests of a spec in the image: in a sandbox, as the image's user,
with its environment and working directory, on a root that is read-only but for
volumes and the directories under writable, and without network.

Of a SPEC, a file whose name ends with .yaml or .yml, it first builds the image, of
which it publishes nothing. An IMAGE is a registry reference, an OCI layout, an OCI
archive or a docker archive that hardpan built; its tests travel with it.

Programs of a foreign architecture are run by qemu-user where the host has it.
Where this machine cannot run the tests they are reported as not run, which is an
error with --require-tests only. A test that fails makes the exit code 1.`,
		Example: `  hardpan test python.yaml --platform linux/amd64
  hardpan test registry.example.com/base/python:3.13 --require-tests --junit tests.xml`,
		Args: exactArgs("IMAGE or SPEC"),
	}
	flags := cmd.Flags()
	sourceFlags(flags)
	flags.StringSlice("platform", nil, "`platform` to test, such as linux/arm64; may be repeated (default: all)")
	flags.Bool("locked", false, "refuse to build without a lock")
	requireTestsFlag(flags)
	flags.String("junit", "", "write the results to this `file` in the form of JUnit")
	flags.Int("jobs", 0, "tests run at a time (default: one per CPU)")
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.test(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) test(ctx context.Context, what string) error {
	report, err := a.runTests(ctx, what)
	if err != nil {
		return err
	}
	if name := a.settings.GetString("junit"); name != "" {
		var b bytes.Buffer
		if err := writeJUnit(&b, report); err != nil {
			return err
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("cannot write the results: %w", err)
		}
	}
	if a.json() {
		err = a.printJSON(report)
	} else {
		printTests(a.out, report)
	}
	if err != nil {
		return err
	}
	return report.Err(a.settings.GetBool("require-tests"))
}

// runTests runs the tests of a spec or an image.
func (a *app) runTests(ctx context.Context, what string) (*builder.TestReport, error) {
	s := a.settings
	for _, name := range s.GetStringSlice("platform") {
		if _, err := oci.ParsePlatform(name); err != nil {
			return nil, usageError{err: err}
		}
	}
	jobs := s.GetInt("jobs")
	if jobs < 0 {
		return nil, usagef("jobs is %d, expected 0 or more", jobs)
	}
	if !strings.HasSuffix(what, ".yaml") && !strings.HasSuffix(what, ".yml") {
		dir, err := a.cacheDir()
		if err != nil {
			return nil, err
		}
		return builder.TestImage(ctx, what, builder.TestImageOptions{
			CacheDir: dir, Platforms: s.GetStringSlice("platform"), Insecure: s.GetBool("insecure-registry"), Jobs: jobs,
		})
	}
	o, err := a.options(what)
	if err != nil {
		return nil, err
	}
	if o.Epoch, err = sourceDateEpoch(); err != nil {
		return nil, err
	}
	o.Platforms, o.Jobs = s.GetStringSlice("platform"), jobs
	if s.GetBool("locked") {
		o.Lock = builder.RequireLock
	}
	progress := newProgress(a.err)
	o.Progress, o.OnStep = progress, stepPrinter(a.err, progress)
	report, err := builder.Test(ctx, o)
	progress.Wait()
	return report, err
}

// printTests prints each test on a line, and below one that is not good why.
func printTests(w io.Writer, report *builder.TestReport) {
	fmt.Fprintf(w, "%s:%s %s\n", report.Name, report.Tag, report.Digest)
	if len(report.Tests) == 0 {
		fmt.Fprintln(w, "  no tests")
	}
	for _, t := range report.Tests {
		took := ""
		if t.Elapsed > 0 {
			took = fmt.Sprintf(" in %v", t.Elapsed.Round(time.Millisecond))
		}
		fmt.Fprintf(w, "  %-12s %-7s %s%s\n", t.Platform, t.Status, t.Name, took)
		if t.Why != "" {
			fmt.Fprintf(w, "  %-12s         %s\n", "", oneLine(t.Why))
		}
	}
}

// testSummary says in a line what became of the tests of a platform, "" where it has
// none.
func testSummary(tests []builder.TestResult, platform string) string {
	passed, cached := 0, true
	for _, t := range tests {
		switch {
		case t.Platform != platform:
		case t.Status == builder.TestNotRun:
			return "warning: its tests were not run: " + oneLine(t.Why)
		default:
			passed++
			cached = cached && t.Cached
		}
	}
	if passed == 0 {
		return ""
	}
	text := fmt.Sprintf("%d tests passed", passed)
	if passed == 1 {
		text = "1 test passed"
	}
	if cached {
		text += " before"
	}
	return text
}
