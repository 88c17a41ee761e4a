package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write generated files anew")

// TestGeneratedReference holds REFERENCE.md against the help of the verbs.
func TestGeneratedReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# hardpan: command line reference\n\nWritten by `make generate` out of the verbs' help.\n")
	reference(&b, newRoot(newApp(io.Discard, io.Discard)))
	compareGenerated(t, "REFERENCE.md", b.String())
}

func reference(b *strings.Builder, cmd *cobra.Command) {
	if cmd.Hidden || cmd.Name() == "help" {
		return
	}
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n    %s\n", cmd.CommandPath(), strings.TrimSpace(long), cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(b, "\nExamples:\n\n%s\n", indent(cmd.Example, "  "))
	}
	if flags := cmd.LocalFlags().FlagUsages(); strings.TrimSpace(flags) != "" {
		fmt.Fprintf(b, "\nFlags:\n\n%s", indent(flags, ""))
	}
	for _, sub := range cmd.Commands() {
		reference(b, sub)
	}
}

// indent makes a code block of Markdown.
func indent(text, more string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(more+"  "+line, " \n") + "\n")
	}
	return b.String()
}

// TestGeneratedDependencies holds the list of the packages that the binary links
// against the build, so that a review sees what a change adds.
func TestGeneratedDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}", ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Sorted(slices.Values(strings.Fields(string(out))))
	compareGenerated(t, "DEPENDENCIES.txt", strings.Join(lines, "\n")+"\n")
}

func compareGenerated(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, []byte(want)) {
		t.Errorf("%s is not what the program says; run make generate\n%s", name, firstDifference(string(got), want))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: file has %q, program says %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("file has %d lines, program says %d", len(g), len(w))
}

// rooms says what a package of the project must not import, however indirectly
// (DESIGN: imports go from the left of the flow to what it needs, never back).
var rooms = map[string][]string{
	"internal/tree":       {"internal/debian", "internal/oci", "internal/store", "internal/lock", "specs", "builder"},
	"internal/store":      {"internal/", "specs", "builder"},
	"internal/debian":     {"internal/oci", "internal/tree", "internal/maint", "internal/harden", "internal/lock", "specs", "builder"},
	"internal/oci":        {"internal/debian", "internal/maint", "internal/harden", "internal/lock", "specs", "builder"},
	"internal/maint":      {"internal/debian/", "internal/oci", "internal/store", "internal/lock", "specs", "builder"},
	"internal/harden":     {"internal/debian", "internal/oci", "internal/store", "internal/lock", "specs", "builder"},
	"internal/lock":       {"internal/debian", "internal/oci", "internal/tree", "specs", "builder"},
	"internal/record":     {"internal/debian", "internal/oci", "internal/maint", "internal/harden", "specs", "builder"},
	"specs":               {"internal/", "builder"},
	"internal/provenance": {"internal/oci", "internal/tree/", "internal/maint", "internal/harden", "internal/sign", "specs", "builder", "sboms"},
	"internal/sign":       {"internal/debian", "internal/lock", "internal/record", "internal/maint", "internal/harden", "specs", "builder", "sboms"},
	"internal/verify":     {"internal/maint", "builder"}, // policies are documents of specs
	"internal/syscalls":   {"internal/", "specs", "builder", "sboms"},
	"internal/profile":    {"internal/sign", "internal/verify", "specs", "builder"},
	"internal/check":      {"internal/debian", "internal/maint", "internal/verify", "specs", "builder", "sboms"},
	"internal/inventory":  {"internal/maint", "internal/verify", "specs", "builder", "sboms"},
	"internal/diff":       {"internal/maint", "internal/verify", "specs", "builder", "sboms"},
	"internal/page":       {"internal/maint", "internal/verify", "specs", "builder", "sboms"},
	"internal/audit":      {"internal/debian", "internal/oci", "internal/maint", "internal/store", "internal/lock", "builder", "sboms"},
	"builder":             {"cmd/", "internal/sign", "internal/verify", "sboms"},
	"sboms":               {"internal/maint", "internal/harden", "specs", "builder"},
}

// TestRooms holds the imports of each room against the table above.
func TestRooms(t *testing.T) {
	const module = "github.com/hardpan/hardpan/"
	for room, banned := range rooms {
		out, err := exec.Command("go", "list", "-deps", module+room+"/...").Output()
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.FieldsSeq(string(out)) {
			dep, ours := strings.CutPrefix(dep, module)
			if !ours || dep == room || strings.HasPrefix(dep, room+"/") {
				continue
			}
			for _, b := range banned {
				if strings.HasPrefix(dep, b) {
					t.Errorf("%s imports %s", room, dep)
				}
			}
		}
	}
}

// TestNothingButTheCommandPrints holds that output goes through the command line.
func TestNothingButTheCommandPrints(t *testing.T) {
	out, err := exec.Command("grep", "-rnE", `(fmt\.Print|os\.Std(out|err)|log\.(Print|Fatal))`, "--include=*.go", "--exclude=*_test.go", "--exclude-dir=testdata",
		"../../builder", "../../specs", "../../internal", "../../sboms").Output()
	if err != nil && len(out) > 0 {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, ":")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		program := strings.Contains(line, "/internal/bench/") || strings.Contains(line, "/internal/fidelity/") || bytes.HasPrefix(text, []byte("//go:build ignore"))
		if !program {
			t.Error(strings.TrimSpace(line))
		}
	}
}
