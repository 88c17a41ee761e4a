package audit

import (
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/specs"
)

// good says what a spec does well.
func (j *specJudge) good() {
	r, s := j.report, j.s
	line := func(at ...any) int {
		if p := s.Position(at...); sameFile(p.File, s.File()) {
			return p.Line
		}
		return 0
	}
	if j.locked {
		r.praise(0, "packages-unpinned", "lock", "a lock pins every package by version and digest")
	}
	if s.Hardening.Profile == specs.ProfileStrict {
		r.praise(line("hardening", "profile"), "shell-present", "hardening", "the profile is strict: no shell, package manager, compiler, network client or set-id bit gets in without a waiver")
	}
	if uid, known := j.runner(); known && uid != 0 {
		r.praise(line("accounts", "run-as"), "root-user", "user", fmt.Sprintf("runs as %s, %d, whose password is locked", s.Accounts.RunAs, uid))
	}
	if h := s.Healthcheck; h != nil && (h.HTTP != "" || h.TCP != "") {
		r.praise(line("healthcheck"), "healthcheck-missing", "health", "a static probe asks for health, without a shell or a client")
	} else if h != nil {
		r.praise(line("healthcheck"), "healthcheck-missing", "health", "has a health check")
	}
	if n := len(s.Tests); n > 0 {
		r.praise(line("tests"), "tests-missing", "tests", count(n, "test")+" in the finished image")
	}
	offline := 0
	for i := range s.Stages {
		if s.Stages[i].Network != specs.NetworkHost && len(s.Stages[i].Run) > 0 {
			offline++
		}
	}
	if offline > 0 {
		r.praise(line("stages"), "build-privileged", "stages", count(offline, "stage")+" without network: what is in the image was there before the build")
	}
	var closed []string
	for _, p := range s.Paths {
		if p.Mode != nil && *p.Mode&0o007 == 0 {
			closed = append(closed, fmt.Sprintf("%s (%s)", p.Path, p.Mode))
		}
	}
	if len(closed) > 0 {
		r.praise(line("paths"), "history-permissions", "permissions", "closed to others: "+strings.Join(closed, ", "))
	}
	if len(s.Labels)+len(s.Annotations) > 0 {
		r.praise(line("labels"), "labels-missing", "labels", "says something of itself")
	}
}

// missing says what a spec cannot say, and who can.
func (j *specJudge) missing() {
	for _, m := range []struct {
		subject, text string
		controls      []harden.Control
	}{
		{"signing", "hardpan build --key signs the image, and attests SBOM, provenance and lock", []harden.Control{cis("4.5"), nist190("4.1.5"), nist53("SI-7")}},
		{"signature verification", "an admission policy where the image runs, such as Kyverno's or sigstore's", []harden.Control{cis("4.5"), nist53("CM-14")}},
		{"vulnerability scanning", "scan the image before it is deployed, and each day after", []harden.Control{cis("4.4"), nist190("4.1.1"), nist53("RA-5")}},
		{"network policy", "deny by default and open the service's port", []harden.Control{cis("5.30"), nist53("SC-7")}},
		{"runtime protection", "read-only root, dropped capabilities, no-new-privileges, seccomp and limits are the platform's to set", []harden.Control{cis("5.10"), cis("5.12"), nist53("SC-39")}},
	} {
		j.report.Missing = append(j.report.Missing, Remark{Subject: m.subject, Text: m.text, Controls: m.controls})
	}
	j.report.NotJudged = append(j.report.NotJudged, Remark{Subject: "packages", Text: "what is in the packages is known when the image is built: hardpan check judges it"})
	for _, name := range j.s.VariantNames() {
		j.report.NotJudged = append(j.report.NotJudged, Remark{Subject: "variant", Text: "variant " + name + " is not judged apart"})
	}
}
