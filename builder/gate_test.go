package builder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/sample"
)

// asUser makes the image one that does not run as root.
const asUser = "accounts: {groups: [{name: app, gid: 1000}], users: [{name: app, uid: 1000, home: /app}], run-as: app}\n"

// TestGate has specs with what refuses their images, as lines "RULE SEVERITY PATH".
func TestGate(t *testing.T) {
	const setID = "paths: [{path: /usr/bin/up, type: file, content: x, mode: \"4755\"}]\n"
	for _, test := range []struct {
		name, spec, failOn, want string
		now                      string // day of the build
	}{
		{name: "an image that keeps the rules", spec: asUser},
		{name: "root", want: "root-user high"},
		{name: "root, let through by the call", failOn: "never"},
		{name: "root, let through by the spec", spec: "hardening: {fail-on: critical}\n"},
		{name: "root, refused by the call whatever the spec says", spec: "hardening: {fail-on: never}\n", failOn: "high", want: "root-user high"},
		{name: "root in the profile standard", spec: "hardening: {profile: standard}\n"},
		{name: "root in the profile none", spec: "hardening: {profile: none}\n"},
		{name: "a password that is empty, in the profile standard", spec: "hardening: {profile: standard}\n" + "paths: [{path: /etc/shadow, type: file, content: \"root::1::::::\\n\", mode: \"0640\"}]\n", want: "empty-password critical /etc/shadow"},
		{name: "a set-id file of the spec", spec: asUser + setID, want: "privilege-bits high /usr/bin/up"},
		{name: "waived", spec: asUser + setID + "hardening: {waive: [{rule: privilege-bits, reason: it must}]}\n"},
		{name: "waived on the last day", now: "2026-11-22", spec: asUser + setID + "hardening: {waive: [{rule: privilege-bits, reason: it must, expires: 2026-11-22}]}\n"},
		{name: "waived until yesterday", now: "2026-11-23", spec: asUser + setID + "hardening: {waive: [{rule: privilege-bits, reason: it must, expires: 2026-11-22}]}\n", want: "privilege-bits high /usr/bin/up expired 2026-11-22"},
		{name: "another rule is waived", spec: asUser + setID + "hardening: {waive: [{rule: root-user, reason: it must}]}\n", want: "privilege-bits high /usr/bin/up"},
		{name: "the end of life is the clock's", now: "2031-01-01", spec: asUser + "os-release: {id: debian, name: D, pretty-name: D, version-id: \"13\"}\n", want: "end-of-life high"},
		{name: "a secret of the spec", spec: asUser + "environment: {DB_PASSWORD: hunter2hunter2}\n", want: "secret-in-environment high"},
		{name: "info", spec: asUser, failOn: "info", want: "healthcheck-missing info\nlabels-missing info\nimage-age low"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.write("gate.yaml", "contents: {packages: [base-files]}\n"+test.spec)
			o := b.options("gate.yaml")
			o.FailOn, o.now = test.failOn, func() time.Time { return time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC) }
			if test.now != "" {
				day, err := time.Parse(time.DateOnly, test.now)
				if err != nil {
					t.Fatal(err)
				}
				o.now = func() time.Time { return day }
			}
			for range 2 { // the second time from the answers that were kept
				_, err := Build(t.Context(), o)
				got := refusedBy(t, err)
				if got != test.want {
					t.Errorf("refused is\n%s\nwant\n%s", got, test.want)
				}
			}
			if _, err := os.Stat(filepath.Join(b.dir, "out", "gate.yaml")); (err == nil) != (test.want == "") {
				t.Errorf("the layout: %v", err)
			}
		})
	}
}

// refusedBy returns what refused the image for amd64, a line each.
func refusedBy(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	list, ok := errors.AsType[Errors](err)
	if !ok || !errors.Is(err, ErrGate) {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range list {
		refusal, ok := errors.AsType[*GateError](e)
		if !ok {
			t.Fatal(e)
		}
		if refusal.Platform != "linux/amd64" {
			continue
		}
		line := strings.TrimSpace(refusal.Rule.ID + " " + refusal.Finding.Severity.String() + " " + refusal.Finding.Path)
		if refusal.Expired != "" {
			line += " expired " + refusal.Expired
		}
		if !strings.Contains(refusal.Hint(), refusal.Rule.ID) || !strings.Contains(e.Error(), refusal.Rule.ID) {
			t.Errorf("%s: %s", e, refusal.Hint())
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// What is gathered as layers are written is what is read of them: the answers are the
// same, to the byte, whoever looks. The date is in no image.
func TestGateLooksAtWhatIsWritten(t *testing.T) {
	b := newBench(t)
	b.write("seen.yaml", "contents: {packages: [base-files, hello, hello-common, tool]}\n"+asUser+
		"paths: [{path: /usr/bin/hello, type: permissions, mode: \"0750\"}, {path: /app/key, type: file, content: \"aws_secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'\\n\"}]\nlayering: {budget: 3}\n")
	o := b.options("seen.yaml")
	built := b.build(o)
	img := built.Index.Images[0]
	read, err := check.AttestImage(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	for _, forget := range []string{"hardening-attested", "facts"} {
		run, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		known, err := run.facts(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		attested, err := check.Attest(known, harden.GateOf(harden.Strict))
		if err != nil {
			t.Fatal(err)
		}
		text, err := attested.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != string(read) {
			t.Errorf("gathered:\n%s\nread:\n%s", text, read)
		}
		if err := os.RemoveAll(filepath.Join(o.CacheDir, "keys", forget)); err != nil {
			t.Fatal(err)
		}
	}
	o.now = func() time.Time { return time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC) }
	if later := b.build(o); later.Digest != built.Digest {
		t.Errorf("the image of another day is %s, was %s", later.Digest, built.Digest)
	}
}

// What scripts leave behind is in no strict image, unless it is kept, and is told.
func TestLeftoversOfScripts(t *testing.T) {
	messy := archivetest.Package{
		Name: "messy", Control: map[string]string{"postinst": "#!/bin/sh\nset -e\nmkdir -p /var/log/messy\necho installed > /var/log/messy.log\n: > /var/log/messy/empty\necho keep > /etc/messy\n"},
	}
	for _, test := range []struct{ hardening, want, told string }{
		{"{profile: strict}", "/etc/messy /var/log/messy/empty", "messy var/log/messy.log cache-present"},
		{"{profile: strict, keep: [/var/log/messy.log]}", "/etc/messy /var/log/messy.log /var/log/messy/empty", ""},
		{"{profile: standard}", "/etc/messy /var/log/messy.log /var/log/messy/empty", ""},
	} {
		s, err := archivetest.New(sample.Debian(messy))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		b := &bench{t, s, t.TempDir()}
		b.write("messy.yaml", "contents: {packages: [base-files, messy]}\n"+asUser+"hardening: "+test.hardening+"\n")
		b.build(b.options("messy.yaml"))
		rec := b.record(t, b.options("messy.yaml"), 0)
		var has, told []string
		for _, name := range strings.Fields("etc/messy var/log/messy.log var/log/messy/empty") {
			if row, ok := rec.Lookup(name); ok {
				has = append(has, row.Path)
			}
		}
		for _, s := range rec.Stripped {
			if s.Rule == "cache-present" {
				told = append(told, s.Package+" "+s.Path+" "+s.Rule)
			}
		}
		if got := strings.Join(has, " "); got != test.want || strings.Join(told, "; ") != test.told {
			t.Errorf("%s: the image has %s, told is %q", test.hardening, got, told)
		}
	}
}
