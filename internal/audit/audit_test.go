package audit

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/sarif/sariftest"
)

var update = flag.Bool("update", false, "write golden files")

// fixtures are the Dockerfiles of the two systems that this project was started for.
const fixtures = "../../testdata/audit"

func judgeFile(t testing.TB, name string) *Report {
	t.Helper()
	r, err := File(context.Background(), name, Options{Now: day})
	if err != nil {
		t.Fatal(err)
	}
	r.File = filepath.Base(r.File)
	return r
}

// TestFixtures holds that all that the two systems' audits found is found, as grave as
// they found it, and the whole reports against golden files. -update renews these.
func TestFixtures(t *testing.T) {
	type expected struct {
		rule     string
		line     int
		severity harden.Severity
		score    float64
	}
	for _, test := range []struct {
		name    string
		risk    harden.Severity
		want    []expected
		missing string
	}{
		{"xorb-api.Dockerfile", harden.Medium, []expected{
			{"remove-without-names", 89, harden.Medium, 4.5},
			{"log-directory-open", 82, harden.Medium, 4.0},
			{"healthcheck-external-script", 102, harden.Low, 3.0},
			{"extra-port", 96, harden.Low, 2.5},
			{"packages-unpinned", 62, harden.Low, 3.9},
			{"dockerignore-missing", 30, harden.Low, 2.5},
		}, "vulnerability scanning, signing, signature verification, SBOM and provenance, secret management, network policy, runtime protection, compliance automation, distroless base, .dockerignore, wheels"},
		{"samo-dl-api.Dockerfile", harden.Medium, []expected{
			{"base-unpinned", 10, harden.Low, 3.9},
			{"network-client-present", 20, harden.Medium, 4.5},
			{"healthcheck-broken", 37, harden.Low, 3.3},
		}, "vulnerability scanning, signing, signature verification, SBOM and provenance, secret management, network policy, runtime protection, compliance automation, distroless base, wheels"},
	} {
		r := judgeFile(t, filepath.Join(fixtures, test.name))
		if r.Risk.Level != test.risk {
			t.Errorf("%s: risk is %s, expected %s", test.name, r.Risk.Level, test.risk)
		}
		for _, want := range test.want {
			if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Rule == want.rule && f.Line == want.line && f.Severity == want.severity && f.Score.Number == want.score && f.CWE != "" && len(f.Controls) > 0 && f.Risk != "" && f.Fix != ""
			}) {
				t.Errorf("%s: no finding %+v", test.name, want)
			}
		}
		var missing []string
		for _, m := range r.Missing {
			missing = append(missing, m.Subject)
		}
		if got := strings.Join(missing, ", "); got != test.missing {
			t.Errorf("%s: missing is %s, expected %s", test.name, got, test.missing)
		}
		golden(t, strings.TrimSuffix(test.name, ".Dockerfile")+".json", r)
	}
}

func golden(t *testing.T, name string, r *Report) {
	t.Helper()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(text) {
		t.Errorf("%s differs; -update writes it anew:\n%s", name, text)
	}
}

// TestWholeFiles holds the findings of files whose fault no single line is.
func TestWholeFiles(t *testing.T) {
	const pinned = "debian:bookworm-slim@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	const about = "\nHEALTHCHECK NONE\nLABEL org.opencontainers.image.title=a org.opencontainers.image.version=1 org.opencontainers.image.source=https://example.com/ org.opencontainers.image.vendor=a org.opencontainers.image.revision=1 org.opencontainers.image.licenses=MIT org.opencontainers.image.created=2026-01-02T03:04:05Z\n"
	const unhealthy = "\n2 info healthcheck-missing"
	for _, test := range []struct{ name, file, want string }{
		{"no user", "FROM " + pinned + about, "1 high root-user" + unhealthy},
		{"root by number", "FROM " + pinned + about + "USER 0:0", "4 high root-user" + unhealthy},
		{"root by name", "FROM " + pinned + about + "USER root", "4 high root-user" + unhealthy},
		{"root by a name of number 0", "FROM " + pinned + about + "RUN useradd -o -u 0 boss\nUSER boss", "4 critical zero-id\n5 high root-user" + unhealthy},
		{"root by a variable", "FROM " + pinned + about + "ARG WHO=0\nUSER $WHO", "5 high root-user" + unhealthy},
		{"a name", "FROM " + pinned + about + "USER app", "4 low user-by-name" + unhealthy},
		{"the group root", "FROM " + pinned + about + "USER 1000:0", "4 low root-group" + unhealthy},
		{"root and back", "FROM " + pinned + about + "USER root\nRUN make\nUSER 1000", strings.TrimPrefix(unhealthy, "\n")},
		{"a user of the stage below", "FROM " + pinned + " AS base" + about + "USER 1000\nFROM base", strings.TrimPrefix(unhealthy, "\n")},
		{"nonroot base", "FROM gcr.io/distroless/static-debian12:nonroot@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + about, strings.TrimPrefix(unhealthy, "\n")},
		{"latest", "FROM debian:latest" + about + "USER 1", "1 low base-unpinned\n1 low mutable-reference" + unhealthy},
		{"no tag", "FROM debian" + about + "USER 1", "1 low base-unpinned\n1 low mutable-reference" + unhealthy},
		{"a tag", "FROM debian:bookworm-slim" + about + "USER 1", "1 low base-unpinned" + unhealthy},
		{"a port of the registry is no tag", "FROM registry.example.com:5000/x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + about + "USER 1", strings.TrimPrefix(unhealthy, "\n")},
		{"an argument with a default", "ARG V=bookworm-slim\nFROM debian:$V" + about + "USER 1", "2 low base-unpinned\n3 info healthcheck-missing"},
		{"an argument without", "ARG BASE\nFROM $BASE" + about + "USER 1", "2 low base-unpinned\n3 info healthcheck-missing"},
		{"end of life", "FROM debian:buster-slim@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + about + "USER 1", "1 high end-of-life" + unhealthy},
		{"scratch", "FROM scratch" + about + "USER 1", strings.TrimPrefix(unhealthy, "\n")},
		{"a full base", "FROM python:3.13@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + about + "USER 1", "1 medium compiler-present" + unhealthy},
		{"two stages of one name", "FROM " + pinned + " AS a\nFROM " + pinned + " AS a" + about + "USER 1", "2 low stage-ambiguous\n3 info healthcheck-missing"},
		{"what is thrown away is not judged as the image", "FROM " + pinned + " AS build\nRUN apt-get update && apt-get install -y gcc=4:12.2.0-3\nRUN mkdir /app/logs && chmod 777 /app\nRUN apt-get purge -y\nEXPOSE 22\nFROM scratch" + about + "USER 1", "2 info recommends-installed\n4 info remove-without-names\n7 info healthcheck-missing"},
		{"no labels", "FROM " + pinned + "\nUSER 1\nHEALTHCHECK NONE", "1 info labels-missing\n3 info healthcheck-missing"},
		{"a label that is not true", "FROM " + pinned + about + "LABEL security.non-root=true", "1 high root-user\n4 high labels-untrue" + unhealthy},
		{"another escape", "# escape=`\nFROM " + pinned + about + "USER 1\nRUN chmod 777 `\n  /app", "6 medium history-permissions\n3 info healthcheck-missing"},
		{"windows", "# escape=`\nFROM mcr.microsoft.com/windows/servercore:ltsc2022@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nWORKDIR C:\\app\nCOPY a.exe C:\\app\\" + about + "USER 1", "4 low dockerignore-missing\n5 info healthcheck-missing"},
		{"a relative WORKDIR", "FROM " + pinned + about + "USER 1\nWORKDIR app", "5 low workdir-relative" + unhealthy},
		{"no .dockerignore", "FROM " + pinned + about + "USER 1\nCOPY a /a", "5 low dockerignore-missing" + unhealthy},
		{"a fixed platform", "FROM --platform=linux/amd64 " + pinned + about + "USER 1", "1 info platform-fixed" + unhealthy},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := found(t, write(t, test.file+"\n")); got != test.want {
				t.Errorf("%s\nfound:\n%s\nexpected:\n%s", test.file, got, test.want)
			}
		})
	}
}

// TestContext holds what is asked of .dockerignore and of files beside the Dockerfile.
func TestContext(t *testing.T) {
	file := func(fault string) string { return strings.Replace(sound, "%s", fault, 1) }
	for _, test := range []struct {
		name, file, want string
		files            []string
	}{
		{"everything, and an ignore file that hides nothing", file("COPY . ."), "11 low copy-everything\n11 low dockerignore-missing", []string{".dockerignore", "*.tmp\n"}},
		{"everything, and one that hides all that matters", file("COPY . ."), "11 low copy-everything", []string{".dockerignore", ".git\n.env\nid_rsa\nsecrets\n"}},
		{"the Dockerfile's own ignore file", file("COPY . ."), "11 low copy-everything", []string{"Dockerfile.dockerignore", "*\n!src\n"}},
		{"a key that the build does not see", file("COPY id_rsa /app/"), "", []string{".dockerignore", "id_*\n"}},
		{"requirements without versions", file("COPY requirements.txt /app/\nRUN pip install --no-cache-dir -r requirements.txt"), "12 low packages-unpinned", []string{".dockerignore", "*\n", "requirements.txt", "flask>=3\nrequests\n"}},
		{"requirements with versions", file("COPY requirements.txt /app/\nRUN pip install --no-cache-dir -r /app/requirements.txt"), "", []string{".dockerignore", "*\n", "requirements.txt", "# x\nflask==3.0.0\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := found(t, write(t, test.file, test.files...)); got != test.want {
				t.Errorf("found:\n%s\nexpected:\n%s", got, test.want)
			}
		})
	}
}

// TestErrors holds that what cannot be read is one line with its place.
func TestErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want, hint string }{
		{"an unknown instruction", "FROM debian\nRUM make\n", "Dockerfile:2: unknown instruction: RUM", "did you mean RUN?"},
		{"nothing", "", "Dockerfile: file with no instructions", "begin with FROM"},
		{"no FROM", "ARG A=1\n", "Dockerfile: found no FROM, expected at least one stage", ""},
		{"RUN first", "RUN make\nFROM debian\n", "Dockerfile:1: found RUN, expected FROM or ARG first", ""},
		{"a heredoc without an end", "FROM debian\nRUN <<EOF\nmake\n", "Dockerfile:2: unterminated heredoc", ""},
		{"a wrong escape", "# escape=x\nFROM debian\n", "Dockerfile:1: invalid escape token 'x' does not match ` or \\", ""},
		{"bytes", "FROM debian\nRUN \xff\n", "Dockerfile:2: found bytes that are no UTF-8 text", "save the file as UTF-8"},
		{"COPY to nowhere", "FROM debian\nCOPY a\n", "Dockerfile:2: COPY requires at least two arguments, but only one was provided. Destination could not be determined", ""},
		{"variables that grow", "FROM debian\n" + "ENV A=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" + strings.Repeat("ENV A=$A$A$A$A\n", 9), "Dockerfile:7: variables grow to", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := write(t, test.text)
			_, err := File(context.Background(), name, Options{Now: day})
			e, ok := errors.AsType[*dockerfile.Error](err)
			if !ok {
				t.Fatalf("error is %v", err)
			}
			got := strings.TrimPrefix(e.Error(), filepath.Dir(name)+"/")
			if !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") || e.Hint() != test.hint {
				t.Errorf("found %q, hint %q\nexpected %q, hint %q", got, e.Hint(), test.want, test.hint)
			}
		})
	}
}

// TestSARIF holds the SARIF of the fixtures against OASIS' schema.
func TestSARIF(t *testing.T) {
	names, _ := filepath.Glob(fixtures + "/*.Dockerfile")
	for _, name := range append(names, write(t, "FROM scratch\nUSER 1\n"), "../../specs/images/xorb-api/1.0.yaml") {
		r := judgeFile(t, name)
		sarif, err := r.SARIF("1.0")
		if err != nil {
			t.Fatal(err)
		}
		sariftest.Validate(t, name, sarif)
		if strings.Count(string(sarif), `"ruleIndex"`) != len(r.Findings) {
			t.Errorf("%s: %d findings are not all in\n%s", name, len(r.Findings), sarif)
		}
	}
}

// TestShippedSpecs holds that nothing above info is said of the specs of this project.
func TestShippedSpecs(t *testing.T) {
	names, err := filepath.Glob("../../specs/images/*/*.yaml")
	if err != nil || len(names) < 5 {
		t.Fatalf("found %d specs: %v", len(names), err)
	}
	for _, name := range names {
		for _, f := range judgeFile(t, name).Findings {
			if f.Severity > harden.Info {
				t.Errorf("%s:%d: %s: %s", name, f.Line, f.Rule, f.Found)
			}
		}
	}
}

// TestSameAgain holds that a file gives the same report each time.
func TestSameAgain(t *testing.T) {
	for _, name := range []string{fixtures + "/xorb-api.Dockerfile", "../../specs/images/samo-dl-api/1.0.yaml"} {
		first, err := json.Marshal(judgeFile(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if again, _ := json.Marshal(judgeFile(t, name)); string(again) != string(first) {
				t.Fatalf("%s: the reports differ", name)
			}
		}
	}
}

// FuzzDockerfile holds that no text makes the audit crash or hang.
func FuzzDockerfile(f *testing.F) {
	names, _ := filepath.Glob(fixtures + "/*.Dockerfile")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		"FROM a\nRUN <<EOF bash\ncurl x | sh\nEOF", "FROM a\nRUN sh -c \"$(curl x)\" ${A:-b} {a,b}{c,d}", "# escape=`\nFROM a`\n AS b\nCOPY --from=b / /", "ARG A=$A\nFROM ${A:+b}\nENV A=1 B=${A#*x}",
		"FROM a\nONBUILD RUN apt-get remove -y\nHEALTHCHECK CMD /x.sh\nEXPOSE 1-2/udp $X\nVOLUME [\"/etc\"]\nUSER 0", "FROM a\nRUN --mount=type=secret,id=x --network=host useradd -rmu 1 -p '' x; chmod -R u+s,o=w /a; chown -R x: /usr",
		"FROM a\nCOPY <<A <<B /x/\n1\nA\n2\nB", "FROM a\nSHELL [\"pwsh\"]\nRUN $x = 1\nRUN if a; then b; elif c; then d; fi; for i in 1; do e; done; case x in y) z;; esac; f() { g; }; f",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := &Report{File: "Dockerfile"}
		if err := judgeDockerfile(r, filepath.Join(t.TempDir(), "Dockerfile"), text, Options{Now: day}); err != nil {
			if _, ok := errors.AsType[*dockerfile.Error](err); !ok || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error is %q", err)
			}
			return
		}
		r.finish()
		lines := strings.Count(string(text), "\n") + 1
		for _, f := range r.Findings {
			if f.Line < 0 || f.Line > lines {
				t.Errorf("finding on line %d of %d: %+v", f.Line, lines, f)
			}
		}
		if _, err := r.SARIF(""); err != nil {
			t.Fatal(err)
		}
	})
}

// TestDocumentation holds docs/audit.md against the rules: it has each of hadolint's
// numbers, names no rule that does not exist, and each rule that is asked of Dockerfiles.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	numbers := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "---") || strings.Contains(cells[1], "hadolint") {
			continue
		}
		for word := range strings.FieldsSeq(cells[1]) {
			numbers[word] = true
		}
		ours, _, _ := strings.Cut(cells[3], "(")
		for id := range strings.FieldsFuncSeq(ours, func(r rune) bool { return r == ',' || r == ' ' }) {
			if id == "-" {
				continue
			}
			named[id] = true
			if harden.SourceRuleOf(id) == nil {
				t.Errorf("%s is no rule", id)
			}
		}
	}
	for _, r := range append(slices.Clone(harden.SourceRules), harden.Rules...) {
		for number := range strings.FieldsSeq(r.Controls.Hadolint) {
			if !numbers[number] {
				t.Errorf("%s of rule %s is not in the table", number, r.ID)
			}
		}
	}
	specsOnly := strings.Fields("lock-missing tests-missing profile-weak waiver-endless scripts-skipped world-writable-file world-writable-directory variable-unset syntax-doubtful")
	for id := range weights {
		if !named[id] && !slices.Contains(specsOnly, id) {
			t.Errorf("rule %s is not in the table", id)
		}
	}
	if len(numbers) < 75 {
		t.Errorf("the table has %d numbers of hadolint", len(numbers))
	}
}
