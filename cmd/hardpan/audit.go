package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/internal/audit"
	"github.com/hardpan/hardpan/internal/audit/convert"
	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/specs"
)

func newAudit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit FILE",
		Short: "judge a Dockerfile or a spec without building it",
		Long: `audit judges a Dockerfile, a Containerfile or a spec (a FILE that ends in .yaml)
without building it: what is wrong and on which line, how bad it is by CVSS v3.1,
which weakness (CWE) and which controls it touches, and what to do; then what is
done well, what is missing, and the risk of it all with its reasons. It exits with
3 where a finding is as bad as --fail-on says, or worse. Nothing is executed or
fetched; beside FILE only .dockerignore and the files that COPY names are read.

--fix writes the equivalent spec of a Dockerfile: stages, packages, users,
permissions, health check, ports, labels, environment and command, on Debian
packages where the base is one of Docker's official images. What it could not carry
over, and why, is told, and stands in the spec's first lines. The spec belongs
beside the Dockerfile, as its files are named from there.`,
		Example: `  hardpan audit Dockerfile
  hardpan audit Dockerfile --output sarif --fail-on medium > audit.sarif
  hardpan audit api.Dockerfile --fix && hardpan build api.yaml`,
		Args:        exactArgs("FILE"),
		Annotations: map[string]string{outputsKey: "text json sarif"},
	}
	flags := cmd.Flags()
	flags.String("fail-on", "high", "least `severity` that fails the audit: info, low, medium, high, critical, or never")
	flags.Bool("fix", false, "write the equivalent spec of a Dockerfile")
	flags.String("spec", "", "`file` that --fix writes (default: NAME.yaml beside the Dockerfile)")
	flags.Bool("force", false, "let --fix write over a file that is there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.audit(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) audit(ctx context.Context, file string) error {
	on := a.settings.GetString("fail-on")
	var least harden.Severity
	if on != "never" {
		if err := least.UnmarshalText([]byte(on)); err != nil {
			return usagef("fail-on: %w, or never", err)
		}
	}
	if a.settings.GetBool("fix") {
		return a.fix(file)
	}
	report, err := audit.File(ctx, file, audit.Options{})
	if err != nil {
		return readError(err)
	}
	switch a.settings.GetString("output") {
	case "json":
		err = a.printJSON(report)
	case "sarif":
		var document []byte
		if document, err = report.SARIF(version); err == nil {
			_, err = a.out.Write(document)
		}
	default:
		printAudit(a.out, report)
	}
	if err != nil {
		return err
	}
	if n := report.Count(least); on != "never" && n > 0 {
		what := "findings"
		if n == 1 {
			what = "finding"
		}
		return gateError{fmt.Errorf("%s: %d %s with severity %s or above", file, n, what, least)}
	}
	return nil
}

// readError is an error in the file that was given: the call is wrong, not the work.
func readError(err error) error {
	if _, ok := errors.AsType[specs.Errors](err); ok {
		return err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return usagef("cannot read: %w", err)
	}
	return usageError{err: err}
}

// fix writes the equivalent spec of a Dockerfile.
func (a *app) fix(file string) error {
	if audit.KindOf(file) == audit.KindSpec {
		return usagef("%s is a spec, expected a Dockerfile to write one from", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return usagef("cannot read: %w", err)
	}
	parsed, err := dockerfile.Parse(file, text)
	if err != nil {
		return usageError{err: err}
	}
	to := a.settings.GetString("spec")
	if to == "" {
		to = filepath.Join(filepath.Dir(file), convert.ImageName(file)+".yaml")
	}
	if _, err := os.Lstat(to); err == nil && !a.settings.GetBool("force") {
		return usageError{err: fmt.Errorf("%s is there, and is not written over", to), hint: "name another file with --spec, or say --force"}
	}
	result, err := convert.Spec(parsed, convert.Options{Context: filepath.Dir(file)})
	if err != nil {
		return usageError{err: err}
	}
	invalid, err := writeSpec(to, result.Spec)
	if err != nil {
		return err
	}
	if a.json() {
		return errors.Join(a.printJSON(map[string]any{"spec": to, "notCarriedOver": result.Notes}), invalid)
	}
	fmt.Fprintf(a.out, "wrote %s\n", to)
	for _, n := range result.Notes {
		fmt.Fprintf(a.out, "  %s\n", oneLine(lineOf(n.Line)+n.Subject+": "+n.Text))
	}
	return invalid
}

// writeSpec writes a spec and says why it cannot be loaded: because files that it names
// are not there, above all.
func writeSpec(to string, text []byte) (invalid, err error) {
	if err := writeWhole(to, text); err != nil {
		return nil, fmt.Errorf("cannot write spec: %w", err)
	}
	_, invalid = specs.Load(to)
	return invalid, nil
}

// writeWhole writes a file, whole or not at all.
func writeWhole(to string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(to), ".hardpan-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), to)
}

func lineOf(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("line %d, ", line)
}

// printAudit prints a report for a person.
func printAudit(w io.Writer, r *audit.Report) {
	fmt.Fprintf(w, "%s: %s\noverall risk: %s\n", oneLine(r.File), oneLine(r.Image), r.Risk.Level)
	fmt.Fprintf(w, "\nfindings: %d\n", len(r.Findings))
	for _, f := range r.Findings {
		place := lineOf(f.Line)
		if f.Stage != "" && place != "" {
			place = fmt.Sprintf("line %d of stage %s, ", f.Line, f.Stage)
		}
		fmt.Fprintf(w, "  %-8s %4.1f  %s\n", f.Severity, f.Score.Number, oneLine(place+f.Rule+": "+f.Found))
		if f.Evidence != "" {
			fmt.Fprintf(w, "                 | %s\n", oneLine(f.Evidence))
		}
		fmt.Fprintf(w, "                 risk: %s\n                 fix: %s\n", f.Risk, f.Fix)
		fmt.Fprintf(w, "                 %s\n", strings.Join(slices.DeleteFunc([]string{f.Score.Vector, f.CWE, controls(f.Controls)}, func(s string) bool { return s == "" }), "; "))
	}
	remarks(w, "done well", r.Good)
	remarks(w, "missing", r.Missing)
	remarks(w, "not judged", r.NotJudged)
	fmt.Fprintf(w, "\noverall risk: %s\n", r.Risk.Level)
	for _, reason := range r.Risk.Reasons {
		fmt.Fprintf(w, "  %s\n", oneLine(reason))
	}
}

func remarks(w io.Writer, title string, list []audit.Remark) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s: %d\n", title, len(list))
	for _, m := range list {
		text := m.Text
		if c := controls(m.Controls); c != "" {
			text += " (" + c + ")"
		}
		fmt.Fprintf(w, "  %s\n", oneLine(lineOf(m.Line)+m.Subject+": "+text))
	}
}

// controls lists controls by their lists: "CIS Docker 4.1 4.6, NIST SP 800-190 4.1.2".
func controls(list []harden.Control) string {
	var order []string
	numbers := map[string][]string{}
	for _, c := range list {
		if numbers[c.Of] == nil {
			order = append(order, c.Of)
		}
		numbers[c.Of] = append(numbers[c.Of], c.Number)
	}
	for i, of := range order {
		order[i] = of + " " + strings.Join(numbers[of], " ")
	}
	return strings.Join(order, ", ")
}
