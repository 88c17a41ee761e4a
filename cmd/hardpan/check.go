package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/verify"
)

func newCheck(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check IMAGE",
		Short: "check an image against the hardening rules",
		Long: `check judges an image by the hardening rules, one hardpan built or any other, and
exits with 3 where one is broken as badly as --fail-on says, or worse. IMAGE is a
registry reference, an OCI layout, an OCI archive or a docker archive; each of its
platforms is checked unless --platform names one. Nothing of the image is executed,
and each layer is read once.

Each rule is passed, failed, waived or not applicable, with evidence: path, layer,
value. --list-rules prints all rules with what they look at, how to fix what breaks
them, and the controls that they answer.

A profile chooses rules: all, cis (those that answer a control of the CIS Docker
Benchmark), nist-800-190, disa, strict (all, some more severe), or a file:

    name: ours
    extends: cis
    rules: {shell-present: high, healthcheck-missing: off}
    limits: {size: 200MB, packages: 60, age: 30d}
    waive:
      - {rule: privileged-port, reason: "the platform maps it", expires: 2027-06-30}

Waivers come from the spec that the image was built from, from the profile, and
from --waivers, a file with such a list under waive; paths: [/usr/bin/*] lets only
findings there pass. A waiver needs a reason, and one that has expired lets nothing
pass.

Output text is a table of what was found; sarif is SARIF 2.1.0, junit is what
continuous integration reads test results in. html is one page for people, which loads
nothing and runs in any browser, on a telephone and on paper: summary, rules with their
evidence, packages, the file tree with the origin of each path, layers, and with
--against IMAGE what changed since that one. --html FILE writes the page beside another
output.`,
		Example: `  hardpan check dist/python-3.13
  hardpan check registry.example.com/base/python:3.13 --profile cis --fail-on medium --output sarif
  hardpan check saved.tar --waivers waivers.yaml
  hardpan check dist/python-3.13 --html report.html --against registry.example.com/base/python:3.13`,
		Args:        cobra.MaximumNArgs(1),
		Annotations: map[string]string{outputsKey: "text json sarif junit html"},
	}
	flags := cmd.Flags()
	flags.String("platform", "", "`platform` to check (default: each of the image)")
	flags.String("profile", "all", "`profile`: "+strings.Join(check.ProfileNames(), ", ")+", or a file")
	flags.String("fail-on", "high", "least `severity` that fails the check: info, low, medium, high, critical, or never")
	flags.String("waivers", "", "`file` of waivers")
	flags.StringSlice("limit", nil, "budget `NAME=VALUE`: size=200MB, packages=60, age=30d; may be repeated")
	flags.String("key", "", "`file` of a public key that must have signed the image")
	flags.String("html", "", "`file` to write the page for people to")
	flags.String("against", "", "previous `image` that the page compares with")
	flags.Bool("passed", false, "show rules that passed or do not apply too")
	flags.Bool("list-rules", false, "print the rules and end")
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if a.settings.GetBool("list-rules") {
			return a.listRules()
		}
		if err := exactArgs("IMAGE")(cmd, args); err != nil {
			return err
		}
		return a.check(cmd.Context(), args[0])
	}
	return cmd
}

func (a *app) check(ctx context.Context, image string) error {
	o, open, gate, err := a.checkOptions()
	if err != nil {
		return err
	}
	var verifier *sign.Verifier
	if a.settings.GetString("key") != "" {
		text, err := a.keyFile()
		if err != nil {
			return err
		}
		if verifier, err = sign.LoadVerifier(text); err != nil {
			return usagef("%s: %w", a.settings.GetString("key"), err)
		}
	}
	src, err := oci.Open(ctx, image, open)
	if err != nil {
		return err
	}
	defer src.Close()
	if src.Repository != "" {
		o.Reference = strings.TrimPrefix(image, "docker://")
	}
	page, err := a.openPage(ctx, src, open, gate)
	if err != nil {
		return err
	}
	defer page.close()
	var reports []*check.Report
	for _, img := range src.Images {
		if o.Attached, err = verify.Beside(ctx, src, img, verifier); err != nil {
			return err
		}
		known, err := facts.Read(ctx, img)
		if err != nil {
			return err
		}
		report := check.Judge(known, o)
		report.Image = image
		reports = append(reports, report)
		if page != nil {
			if err := page.add(ctx, img, known, report, o); err != nil {
				return err
			}
		}
	}
	if err := a.printReports(reports, page); err != nil {
		return err
	}
	return judged(image, reports, gate)
}

// checkOptions reads the flags.
func (a *app) checkOptions() (o check.Options, open oci.OpenOptions, g harden.Gate, err error) {
	open.Insecure = a.settings.GetBool("insecure-registry")
	if platform := a.settings.GetString("platform"); platform != "" {
		if open.Platform, err = oci.ParsePlatform(platform); err != nil {
			return o, open, g, usageError{err: err}
		}
	}
	if g, err = harden.ParseGate(a.settings.GetString("fail-on")); err != nil {
		return o, open, g, usagef("fail-on: %w", err)
	}
	if o.Profile, err = checkProfile(a.settings.GetString("profile")); err != nil {
		return o, open, g, err
	}
	for _, limit := range a.settings.GetStringSlice("limit") {
		if err := setLimit(&o.Profile.Limits, limit); err != nil {
			return o, open, g, err
		}
	}
	if name := a.settings.GetString("waivers"); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return o, open, g, usagef("cannot read waivers: %w", err)
		}
		if o.Waivers, err = check.ParseWaivers(name, text); err != nil {
			return o, open, g, usageError{err: err}
		}
	}
	return o, open, g, nil
}

// checkProfile returns the profile of that name, or that the file has.
func checkProfile(name string) (check.Profile, error) {
	if p, ok := check.ProfileOf(name); ok {
		return p, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return check.Profile{}, usageError{err: fmt.Errorf("profile %q is neither one of %s nor a file that can be read: %w", name, strings.Join(check.ProfileNames(), ", "), err)}
	}
	p, err := check.ParseProfile(name, text)
	if err != nil {
		return p, usageError{err: err}
	}
	return p, nil
}

func setLimit(l *check.Limits, text string) (err error) {
	name, value, _ := strings.Cut(text, "=")
	switch name {
	case "size":
		l.Size, err = check.ParseSize(value)
	case "age":
		l.Age, err = check.ParseAge(value)
	case "packages":
		if _, err = fmt.Sscanf(value, "%d", &l.Packages); err != nil || l.Packages <= 0 {
			err = fmt.Errorf("found %q, expected a number", value)
		}
	default:
		return usagef("limit %q is not known, expected size, packages or age", name)
	}
	if err == nil && value == "" {
		err = fmt.Errorf("it has no value")
	}
	if err != nil {
		return usagef("limit %s: %w", name, err)
	}
	return nil
}

// judged returns an error where a gate refuses one of the images.
func judged(image string, reports []*check.Report, gate harden.Gate) error {
	failed := 0
	for _, r := range reports {
		for s := harden.Info; s <= harden.Critical; s++ {
			if gate.Refuses(s) {
				failed += r.Failures(s)
			}
		}
	}
	if failed == 0 {
		return nil
	}
	broken := "1 rule is"
	if failed > 1 {
		broken = fmt.Sprintf("%d rules are", failed)
	}
	return gateError{fmt.Errorf("%s: %s broken with severity %s or above", image, broken, gate)}
}

func (a *app) printReports(reports []*check.Report, page *checkPage) error {
	document, err := page.write(a)
	if err != nil {
		return err
	}
	switch a.settings.GetString("output") {
	case "json":
		return a.printJSON(map[string]any{"reports": reports})
	case "sarif":
		document, err = check.SARIF(reports, version)
	case "junit":
		document, err = check.JUnit(reports)
	case "html":
	default:
		for _, r := range reports {
			printCheck(a.out, r, a.settings.GetBool("passed"))
		}
		return nil
	}
	if err != nil {
		return err
	}
	_, err = a.out.Write(document)
	return err
}

// maxPrinted is how many findings of a rule the table has.
const maxPrinted = 5

func printCheck(w io.Writer, r *check.Report, passed bool) {
	fmt.Fprintf(w, "%s  %s\n%s\n", oneLine(r.Image), r.Platform, r.Digest)
	results := slices.Clone(r.Results)
	slices.SortStableFunc(results, func(a, b check.Result) int { return rank(b) - rank(a) })
	for _, result := range results {
		switch result.Status {
		case check.Failed:
			fmt.Fprintf(w, "  %-8s  %s: %s\n", result.Severity, result.Rule, result.Title)
		case check.Waived:
			fmt.Fprintf(w, "  waived    %s: %s\n", result.Rule, result.Title)
		case check.Passed:
			if passed {
				fmt.Fprintf(w, "  passed    %s: %s\n", result.Rule, result.Title)
			}
			continue
		default:
			if passed {
				fmt.Fprintf(w, "  -         %s: %s\n", result.Rule, oneLine(result.Reason))
			}
			continue
		}
		printFindings(w, result)
	}
	for _, u := range r.Unused {
		why := "nothing breaks the rule"
		if u.Expired {
			why = "it expired on " + u.Expires
		}
		fmt.Fprintf(w, "  note      waiver of %s in %s lets nothing pass: %s\n", u.Rule, oneLine(u.From), why)
	}
	fmt.Fprintf(w, "  %d rules of profile %s: %d passed, %d failed", len(r.Results), oneLine(r.Profile), r.Count(check.Passed), r.Count(check.Failed))
	for s := harden.Critical; ; s-- {
		if n := r.Failures(s); n > 0 {
			fmt.Fprintf(w, ", %d %s", n, s)
		}
		if s == harden.Info {
			break
		}
	}
	fmt.Fprintf(w, "; %d waived, %d not applicable\n", r.Count(check.Waived), r.Count(check.NotApplicable))
}

func rank(r check.Result) int {
	switch r.Status {
	case check.Failed:
		return 10 + int(r.Severity)
	case check.Waived:
		return 3
	case check.Passed:
		return 2
	}
	return 1
}

func printFindings(w io.Writer, r check.Result) {
	for i, f := range r.Findings {
		if i == maxPrinted && len(r.Findings)+r.Omitted > maxPrinted+1 {
			fmt.Fprintf(w, "            and %d more\n", len(r.Findings)-i+r.Omitted)
			break
		}
		line := f.String()
		if f.Severity == r.Severity {
			line = strings.TrimPrefix(line, f.Severity.String()+": ")
		}
		fmt.Fprintf(w, "            %s\n", oneLine(line))
	}
	if r.Status == check.Failed {
		fmt.Fprintf(w, "            fix: %s\n", r.Rules.Fix)
	}
}

// listRules prints the table of rules.
func (a *app) listRules() error {
	if a.json() {
		type listed struct {
			ID       string           `json:"id"`
			Title    string           `json:"title"`
			Severity harden.Severity  `json:"severity"`
			Why      string           `json:"why"`
			Looks    string           `json:"looks"`
			Fix      string           `json:"fix"`
			Controls []harden.Control `json:"controls"`
		}
		var rules []listed
		for i := range harden.Rules {
			r := &harden.Rules[i]
			rules = append(rules, listed{r.ID, r.Title, r.Severity, r.Why, r.Looks, r.Fix, r.Controls.List()})
		}
		return a.printJSON(map[string]any{"rules": rules})
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for i := range harden.Rules {
		r := &harden.Rules[i]
		var controls []string
		for _, c := range r.Controls.List() {
			controls = append(controls, c.Of+" "+c.Number)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.Severity, r.Title)
		fmt.Fprintf(w, "\t\twhy: %s\n\t\tlooks at: %s\n\t\tfix: %s\n\t\tanswers: %s\n", r.Why, r.Looks, r.Fix, strings.Join(controls, ", "))
	}
	return w.Flush()
}
