package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/sample"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

// testedHead is of images with a shell to run and a user that is in a further group.
const testedHead = `contents: {packages: [base-files, shell]}
hardening: {profile: none}
accounts:
  groups: [{name: app, gid: 1000}, {name: more, gid: 1001, members: [app]}, {name: other, gid: 1002}]
  users: [{name: app, uid: 1000, gid: 1000, home: /app}]
  run-as: app
paths:
  - {path: /app, type: directory, uid: 1000, gid: 1000, mode: "0750"}
  - {path: /app/data, type: directory, uid: 1000, gid: 1001, mode: "0750"}
  - {path: /app/cache, type: directory, uid: 1000, gid: 1000, mode: "0700"}
volumes: [/app/data]
writable: [/app/cache, /tmp]
environment: {GREETING: hello}
work-dir: /app
`

// tested writes a spec with tests, for the machine's platform unless text says others.
func (b *bench) tested(text string) Options {
	if !strings.Contains(text, "platforms:") {
		text = "platforms: [" + specs.Machine().String() + "]\n" + text
	}
	b.write("spec.yaml", testedHead+text)
	return b.options("spec.yaml")
}

// snapshots returns how many snapshots the cache has.
func (b *bench) snapshots() int {
	found, err := filepath.Glob(filepath.Join(b.dir, "cache", "snapshots", "*", "*", "meta"))
	if err != nil {
		b.Fatal(err)
	}
	return len(found)
}

// testedLine is the line of the first test in the specs of TestTests.
const testedLine = 21

// TestTests says what a test finds when it runs.
func TestTests(t *testing.T) {
	t.Setenv("HARDPAN_TEST_LEAK", "the caller's")
	b := newStages(t)
	text := "tests:\n"
	cases := []struct{ name, script, expect string }{
		{"user-and-groups", "id", `output: "1000 1000 [1001]\n"`},
		{"working-directory", "pwd", `output: "/app\n"`},
		{"environment", `printenv GREETING /tmp/x\ncat /tmp/x`, `output: "hello\n"`},
		{"home-of-the-user", `printenv HOME /tmp/x\ncat /tmp/x`, `output: "/app\n"`},
		{"nothing-of-the-callers-environment", `printenv HARDPAN_TEST_LEAK /tmp/x\ncat /tmp/x`, `output: "\n"`},
		{"writable-directory", `write /app/cache/x y\nstat /app/cache`, `output: "1000:1000 0700 tmpfs=true\n"`},
		{"volume-with-its-owner", `write /app/data/x y\nstat /app/data`, `output: "1000:1001 0750 tmpfs=true\n"`},
		{"directory-of-all", `write /tmp/x y\nstat /tmp`, `output: "0:0 1777 tmpfs=true\n"`},
		{"root", "stat /app", `output: "1000:1000 0750 tmpfs=false\n"`},
		{"write-to-the-root", "write /app/x y", "exit-code: 1, output: read-only file system"},
		{"no-network", "dial 192.0.2.1:80", "exit-code: 1, output: network is unreachable"},
		{"nothing-of-other-tests", `stat /tmp/x`, "exit-code: 1, output: no such file or directory"},
		{"output-that-is-split", `echo good\necho night`, `output: "good\nnight"`},
		{"exit-code", "exit 255", "exit-code: 255"},
	}
	for _, c := range cases {
		text += fmt.Sprintf("  - {name: %s, command: [/usr/bin/sh, -ec, \"%s\"], %s}\n", c.name, c.script, c.expect)
	}
	res := b.build(b.tested(text))
	for i, r := range res.Tests {
		if r.Name != cases[i].name || r.Status != TestPassed || r.Cached || r.Elapsed == 0 {
			t.Errorf("result is %+v", r)
		}
	}
	if len(res.Tests) != len(cases) || b.snapshots() != 0 {
		t.Errorf("%d results of %d tests; %d snapshots are left", len(res.Tests), len(cases), b.snapshots())
	}
}

// TestTestsFail holds what is said of tests that fail, all of which are run, and that
// nothing is published then.
func TestTestsFail(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b := newStages(t)
	text := "tests:\n"
	cases := []struct{ command, expect, want, hint string }{
		{"[sh, -ec, write /app/x y]", "", `test t0 (["sh" "-ec" "write /app/x y"]): exited with 1, expected 0; its output ends "sh: open /app/x: read-only file system"`,
			"name the directories that a container writes to under writable"},
		{"[sh, -ec, dial " + listener.Addr().String() + "]", "", "exited with 1, expected 0; its output ends", ""},
		{"[sh, -ec, dial 192.0.2.1:80]", "", "exited with 1, expected 0; its output ends", "tests have no network"},
		{"[sh, -ec, sleep 60]", "timeout: 100ms", "took longer than 100ms", "raise its timeout"},
		{`[sh, -ec, "echo one\necho two\nexit 3"]`, "exit-code: 4", `exited with 3, expected 4; its output ends "one\ntwo"`, ""},
		{"[sh, -ec, echo]", "exit-code: 1", "exited with 0, expected 1", ""},
		{"[sh, -ec, echo good morning]", "output: good night", `its output lacks "good night"; its output ends "good morning"`, ""},
		{"[nowhere]", "", "cannot find nowhere: file does not exist in the PATH", ""},
		{"[/usr/bin/nowhere]", "", "/usr/bin/nowhere: no such file or directory", ""},
		{"[/usr/lib/os-release]", "", "/usr/lib/os-release: permission denied", ""},
	}
	for i, c := range cases {
		text += fmt.Sprintf("  - {name: t%d, command: %s, %s}\n", i, c.command, c.expect)
	}
	o := b.tested(text + "  - {name: good, command: [sh, -ec, echo]}\n")
	_, err = Build(t.Context(), o)
	list, ok := errors.AsType[Errors](err)
	if !ok || len(list) != len(cases) {
		t.Fatalf("error is %v, want %d", err, len(cases))
	}
	for i, c := range cases {
		place := fmt.Sprintf("%s:%d:5: %s: test t%d (", o.Spec, testedLine+i, specs.Machine(), i)
		if got := list[i].Error(); !strings.HasPrefix(got, place) || !strings.Contains(got, c.want) {
			t.Errorf("error is %s, want one with %q at %s", got, c.want, place)
		}
		if failed, ok := errors.AsType[*TestError](list[i]); !ok || !strings.Contains(failed.Hint(), c.hint) {
			t.Errorf("hint of %v, want one with %q", list[i], c.hint)
		}
	}
	if _, err := os.Stat(o.Outputs.Layout); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was published: %v", err)
	}
	if b.snapshots() != 0 {
		t.Errorf("%d snapshots are left", b.snapshots())
	}
}

// What has passed on an image is not run again, what has failed is; a changed test is
// another image.
func TestTestsAreCached(t *testing.T) {
	b := newStages(t)
	spec := func(more string) Options {
		return b.tested("tests: [{name: it, command: [/usr/bin/sh, -ec, " + more + "}]\n")
	}
	for _, c := range []struct {
		what, test string
		cached     bool
	}{
		{"first", "id]", false},
		{"nothing changed", "id]", true},
		{"the test", "id], output: \"1000\"", false},
		{"as at first", "id]", true},
	} {
		res := b.build(spec(c.test))
		if r := res.Tests[0]; r.Cached != c.cached || r.Status != TestPassed || !strings.HasSuffix(r.Place, "spec.yaml:20:9") {
			t.Errorf("%s: result is %+v", c.what, r)
		}
	}
	for range 2 {
		if _, err := Build(t.Context(), spec("exit 1]")); err == nil {
			t.Error("a test that fails passed")
		}
	}
	// Asked for, they are run.
	report, err := Test(t.Context(), spec("id]"))
	if err != nil || report.Err(true) != nil || len(report.Tests) != 1 || report.Tests[0].Cached {
		t.Errorf("report is %+v, %v", report, err)
	}
}

// A variant has the spec's tests and its own.
func TestTestsOfVariants(t *testing.T) {
	b := newStages(t)
	o := b.tested(`
tests: [{name: both, command: [/usr/bin/sh, -ec, id]}, {name: it, command: [/usr/bin/sh, -ec, exit 1], exit-code: 1}]
variants:
  root:
    accounts: {run-as: root}
    tests: [{name: it, command: [/usr/bin/sh, -ec, id], output: "0 0 []"}, {name: own, command: [/usr/bin/sh, -ec, exit 0]}]
`)
	names := func(res *Result) string {
		var all []string
		for _, r := range res.Tests {
			all = append(all, r.Name+" "+r.Command[2])
		}
		return strings.Join(all, ", ")
	}
	if got, want := names(b.build(o)), "both id, it exit 1"; got != want {
		t.Errorf("the spec's tests are %q, want %q", got, want)
	}
	o.Variant = "root"
	if got, want := names(b.build(o)), "both id, it id, own exit 0"; got != want {
		t.Errorf("the variant's tests are %q, want %q", got, want)
	}
}

// The tests travel with the image, and run without its spec.
func TestImageTests(t *testing.T) {
	b := newStages(t)
	o := b.tested("tests: [{name: it, command: [/usr/bin/sh, -ec, id], output: \"[1001]\"}]\n")
	b.build(o)
	ask := TestImageOptions{CacheDir: filepath.Join(b.dir, "cache", "other")}
	report, err := TestImage(t.Context(), o.Outputs.Layout, ask)
	if err != nil || report.Err(true) != nil {
		t.Fatal(err, report)
	}
	if r := report.Tests[0]; report.Name != "sample" || report.Tag != "1" || r.Status != TestPassed || r.Place != "" {
		t.Errorf("report is %+v", report)
	}
	ask.Platforms = []string{"linux/s390x"}
	if _, err := TestImage(t.Context(), o.Outputs.Layout, ask); !errors.Is(err, oci.ErrPlatform) {
		t.Errorf("error is %v, want %v", err, oci.ErrPlatform)
	}
}

// Where the machine cannot run an image's programs, the image is built, and what was
// not run is said; unless it has to be.
func TestTestsOfForeignPlatforms(t *testing.T) {
	b := newStages(t)
	if sandbox.Runs("s390x") == nil {
		t.Skip("SKIPPED: needs a linux without qemu-user for s390x (binfmt_misc): no test was left out")
	}
	a := sample.Debian()
	for i := range a.Suites {
		a.Suites[i].Architectures = []string{"s390x"}
	}
	a.Suites[0].Packages = slices.DeleteFunc(a.Suites[0].Packages, func(p archivetest.Package) bool { return p.Architecture != "" })
	if err := b.server.Publish(a); err != nil {
		t.Fatal(err)
	}
	b.write("spec.yaml", "platforms: [linux/s390x]\ncontents: {packages: [base-files]}\ntests: [{name: it, command: [/usr/bin/hello]}]\n")
	o := b.options("spec.yaml")
	for range 2 {
		res := b.build(o)
		if r := res.Tests[0]; r.Status != TestNotRun || r.Cached || !strings.Contains(r.Why, "cannot run programs of s390x") || !strings.Contains(r.Hint, "qemu") {
			t.Errorf("result is %+v", r)
		}
	}
	o.RequireTests = true
	_, err := Build(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), `spec.yaml:7:9: linux/s390x: test it (["/usr/bin/hello"]) was not run: cannot run programs of s390x`) {
		t.Errorf("error is %v", err)
	}
}

// What a signed build attests of tests that passed.
func TestTestsAreAttested(t *testing.T) {
	b := newStages(t)
	o := b.tested("tests: [{name: one, command: [/usr/bin/sh, -ec, id]}, {name: two, command: [/usr/bin/sh, -ec, id]}]\n")
	found := 0
	o.Outputs.Sign = signer("", func(image *oci.Source, about []Predicate) ([]*oci.Artifact, error) {
		for _, p := range about {
			if p.Type != provenance.TestResultType {
				continue
			}
			found++
			var doc struct {
				Result      string
				PassedTests []string
			}
			if err := json.Unmarshal(p.Document, &doc); err != nil {
				t.Error(err)
			}
			if p.Subject != image.Images[0].Digest || doc.Result != "PASSED" || !slices.Equal(doc.PassedTests, []string{"one", "two"}) {
				t.Errorf("attested of %s: %s", p.Subject, p.Document)
			}
		}
		return nil, nil
	})
	b.build(o)
	b.build(o) // from the cache
	if found != 2 {
		t.Errorf("%d attestations, want one of each build", found)
	}
}

// TestWritable refuses directories that nobody could write to.
func TestWritable(t *testing.T) {
	for _, c := range []struct{ name, writable, want, hint string }{
		{"one of the user", "/app", "", ""},
		{"one of all", "/tmp", "", ""},
		{"one by a further group", "/srv/shared", "", ""},
		{"none", "/var/cache/app", "/var/cache/app is not a directory of the image", "paths: [{path: /var/cache/app, type: directory, uid: 1000, gid: 1000}]"},
		{"a file", "/etc/os-release", "/etc/os-release is not a directory of the image", ""},
		{"root's", "/usr/lib", "/usr/lib has owner 0:0 and mode 0755: user 1000:1000 cannot write to it", "type: permissions"},
		{"another group's", "/srv/other", "/srv/other has owner 0:1002 and mode 0770", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.write("spec.yaml", `contents: {packages: [base-files]}
platforms: [linux/amd64]
accounts:
  groups: [{name: app, gid: 1000}, {name: more, gid: 1001, members: [app]}, {name: other, gid: 1002}]
  users: [{name: app, uid: 1000, gid: 1000, home: /app}]
  run-as: app
paths:
  - {path: /srv/shared, type: directory, gid: 1001, mode: "0770"}
  - {path: /srv/other, type: directory, gid: 1002, mode: "0770"}
volumes: [/app]
writable: [`+c.writable+"]\n")
			res, err := Build(t.Context(), b.options("spec.yaml"))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				want := "/app"
				if c.writable != "/app" {
					want += " " + c.writable
				}
				if got := res.Index.Images[0].Config.Labels[WritableLabel]; got != want {
					t.Errorf("label is %q, want %q", got, want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "spec.yaml:15:12: linux/amd64: "+c.want) {
				t.Fatalf("error is %v, want one with %q", err, c.want)
			}
			if e, ok := errors.AsType[*specs.Error](err); !ok || !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("hint of %v, want one with %q", err, c.hint)
			}
		})
	}
}

// TestTestOutput finds a text however the output comes.
func TestTestOutput(t *testing.T) {
	for _, c := range []struct {
		want   string
		writes []string
		found  bool
	}{
		{"", nil, true},
		{"abc", []string{"xabcx"}, true},
		{"abc", []string{"a", "b", "c"}, true},
		{"abc", []string{"ab", "abc"}, true},
		{"abc", []string{"ab", "bc"}, false},
		{"a", []string{"b", "a"}, true},
	} {
		o := newTestOutput(c.want)
		for _, w := range c.writes {
			if _, err := o.Write([]byte(w)); err != nil {
				t.Fatal(err)
			}
		}
		if o.found != c.found {
			t.Errorf("%q in %q: %v, want %v", c.want, c.writes, o.found, c.found)
		}
	}
}
