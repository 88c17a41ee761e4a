package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

func (r *Report) praise(line int, rule, subject, text string) {
	var controls []harden.Control
	if x := harden.SourceRuleOf(rule); x != nil {
		controls = controlsOf(x, weights[rule])
	}
	r.Good = append(r.Good, Remark{subject, text, line, controls})
}

// good says what the file does well: what a rule asks and the file has done by an
// instruction, not what merely nobody broke.
func (j *judge) good() {
	r, final := j.report, j.file.Final()
	j.goodBase(final)
	if n := len(j.file.Stages); n > 1 {
		r.praise(j.file.Stages[0].Line, "compiler-present", "stages", fmt.Sprintf("%d stages: what builds stays out of the image", n))
	}
	if final.UserLine > 0 && !j.breaks("root-user") {
		r.praise(final.UserLine, "root-user", "user", "runs as "+final.User+", not as root")
	}
	for _, u := range final.Accounts.Users {
		if u.UID > 0 {
			r.praise(u.Line, "user-by-name", "account", fmt.Sprintf("%s has a number of its own, %d", u.Name, u.UID))
		}
	}
	j.goodCommands()
	var closed []string
	line := 0
	for _, n := range final.Tree.All() {
		if n.ModeKnown && n.Mode&0o007 == 0 {
			closed, line = append(closed, fmt.Sprintf("%s (%04o)", n.Path, n.Mode)), n.Changed
		}
	}
	if len(closed) > 0 {
		r.praise(line, "history-permissions", "permissions", "closed to others: "+strings.Join(closed, ", "))
	}
	j.goodHealth()
	j.goodStart()
	if step, _ := j.lastOf("LABEL"); step != nil {
		r.praise(step.Line, "labels-missing", "labels", "says something of itself in labels")
	}
	if j.context.ignore != "" && !j.breaks("dockerignore-missing") {
		r.praise(0, "dockerignore-missing", "context", j.context.ignore+" says what the build does not see")
	}
}

func (j *judge) goodBase(final *dockerfile.Stage) {
	pinned := 0
	roots := 0
	for _, s := range j.file.Stages {
		if s.Parent == nil {
			roots++
			if strings.Contains(s.Image, "@sha256:") {
				pinned++
			}
		}
	}
	if pinned == roots {
		j.report.praise(final.Base().Line, "base-unpinned", "base", "every base is pinned by digest")
	}
	image := parseImage(final.Base().Image)
	switch {
	case image.Name == "scratch":
		j.report.praise(final.Base().Line, "shell-present", "base", "the image stands on nothing")
	case strings.Contains(image.Name, "distroless") || strings.Contains(image.Name, "chainguard/"):
		j.report.praise(final.Base().Line, "shell-present", "base", "the base has no shell and no package manager")
	case strings.Contains(image.Tag, "slim") || image.base() == "alpine" || strings.Contains(image.Tag, "alpine"):
		j.report.praise(final.Base().Line, "compiler-present", "base", "the base is a small one")
	}
}

func (j *judge) goodCommands() {
	pinned, loose, cleaned, bare, locked := 0, 0, 0, 0, 0
	line, lockLine := 0, 0
	for step, c := range j.run(false) {
		p, ok := c.Packaging()
		switch {
		case c.Name == "usermod" && c.Has("-L", "--lock") || c.Name == "passwd" && c.Has("-l", "--lock"):
			j.report.praise(c.Line, "password-hash", "account", "the account is locked")
		case verifies(c):
			j.report.praise(c.Line, "download-unverified", "downloads", "what is fetched is verified with "+c.Name)
		case !ok || p.Verb != dockerfile.Install:
		case p.Manager == "pip" && (c.Has("--require-hashes") || strings.Contains(c.String(), "--require-hashes")):
			locked, lockLine = locked+1, c.Line
		case p.Lock:
			locked, lockLine = locked+1, c.Line
		case system(p.Manager):
			for _, pkg := range p.Packages {
				if pkg.Version != "" {
					pinned++
				} else {
					loose++
				}
			}
			line = c.Line
			if strings.Contains(c.String(), "--no-install-recommends") {
				bare++
			}
			if k := cached[p.Manager]; k.cleaned != nil && step.Script != nil && k.cleaned.match(step.Script.Text) {
				cleaned++
			}
		}
	}
	if pinned > 0 {
		text := fmt.Sprintf("packages pinned to exact versions: %d", pinned)
		if loose > 0 {
			text += fmt.Sprintf(" of %d", pinned+loose)
		}
		j.report.praise(line, "packages-unpinned", "packages", text)
	}
	if locked > 0 {
		j.report.praise(lockLine, "packages-unpinned", "dependencies", "dependencies are installed from a lock file, verified by hashes")
	}
	if bare > 0 {
		j.report.praise(line, "recommends-installed", "packages", "recommended packages are left out")
	}
	if cleaned > 0 {
		j.report.praise(line, "history-cache", "layers", "the package manager's cache is removed in the step that makes it")
	}
	for step := range j.steps(false) {
		if c, ok := step.Command.(*instructions.RunCommand); ok && slices.ContainsFunc(instructions.GetMounts(c), func(m *instructions.Mount) bool {
			return m.Type == instructions.MountTypeSecret || m.Type == instructions.MountTypeSSH
		}) {
			j.report.praise(step.Line, "secret-in-metadata", "secrets", "a secret is given to a step by a mount and is in no layer")
		}
	}
}

func (j *judge) goodHealth() {
	step, _ := j.lastOf("HEALTHCHECK")
	if step == nil || step.Script == nil {
		return
	}
	c, ok := step.Command.(*instructions.HealthCheckCommand)
	if !ok {
		return
	}
	text := "has a health check"
	if c.Health.Interval > 0 && c.Health.Timeout > 0 && c.Health.Retries > 0 {
		text += fmt.Sprintf(" with interval %s, timeout %s and %d retries", c.Health.Interval, c.Health.Timeout, c.Health.Retries)
	}
	j.report.praise(step.Line, "healthcheck-missing", "health", text)
}

func (j *judge) goodStart() {
	for _, name := range []string{"ENTRYPOINT", "CMD"} {
		if step, _ := j.lastOf(name); step != nil && step.Script != nil && len(step.Script.Exec) > 0 && !isShellName(step.Script.Exec[0]) {
			j.report.praise(step.Line, "shell-entrypoint", "start", name+" starts its program directly")
			return
		}
	}
}

// missing says what no instruction of a Dockerfile can do, or this one does not, and who
// can.
func (j *judge) missing() {
	r := j.report
	text := ""
	for step := range j.steps(false) {
		if step.Script != nil {
			text += step.Script.Text + strings.Join(step.Script.Exec, " ") + "\n"
		}
	}
	want := func(has bool, subject, what string, controls ...harden.Control) {
		if !has {
			r.Missing = append(r.Missing, Remark{Subject: subject, Text: what, Controls: controls})
		}
	}
	base := parseImage(j.file.Final().Base().Image)
	small := base.Name == "scratch" || strings.Contains(base.Name, "distroless") || strings.Contains(base.Name, "chainguard/")
	want(scanners.match(text), "vulnerability scanning", "no step scans the image; scan it before it is deployed, and each day after: Trivy, Grype", cis("4.4"), nist190("4.1.1"), nist53("RA-5"))
	want(false, "signing", "an image built from a Dockerfile is not signed by itself: cosign sign after the push, or hardpan build --key", cis("4.5"), nist190("4.1.5"), nist53("SI-7"))
	want(false, "signature verification", "nothing verifies signatures where the image runs: an admission policy such as Kyverno's or sigstore's", cis("4.5"), nist190("4.1.5"), nist53("CM-14"))
	want(false, "SBOM and provenance", "docker buildx build --sbom=true --provenance=true, or hardpan build, which attests both", cis("4.4"), nist190("4.1.1"), nist53("SR-4"))
	want(usesSecretMount(j), "secret management", "no step takes a secret by a mount; at run time secrets are to be mounted, not passed in the environment", cis("4.10"), nist190("4.1.4"), nist53("SC-28"))
	want(false, "network policy", "who may talk to the container is not said: deny by default and open the service's port", cis("5.30"), nist190("4.3.3"), nist53("SC-7"))
	want(false, "runtime protection", "read-only root file system, dropped capabilities, no-new-privileges, seccomp, limits of memory and processes, Falco or gVisor are the platform's to set", cis("5.10"), cis("5.12"), nist190("4.4.3"), nist53("SC-39"))
	want(false, "compliance automation", "no automatic check holds the image against CIS, NIST or DISA: hardpan check IMAGE --profile cis --output sarif", cis("4.4"), nist53("CA-7"))
	want(small, "distroless base", "the base has a shell and a package manager; scratch, a distroless base, or a hardpan spec has neither", cis("4.3"), nist190("4.1.2"), nist53("CM-7"))
	if j.context.ignore == "" {
		want(false, ".dockerignore", "there is no file that says what the build does not see", cis("4.10"), nist53("CM-7"))
	}
	if pipWithoutWheels(text) {
		want(false, "wheels", "Python packages may be built where they are installed: build wheels in a stage, and install these with --no-index, --only-binary and --require-hashes", cis("4.11"), nist53("SR-3"))
	}
}

var scanners = compiled(`\b(trivy|grype|snyk|clair|anchore-cli|docker\s+scout|osv-scanner)\b`)

func usesSecretMount(j *judge) bool {
	for step := range j.steps(false) {
		if strings.Contains(step.Text, "type=secret") || strings.Contains(step.Text, "type=ssh") {
			return true
		}
	}
	return false
}

var pipInstall = compiled(`\bpip3?\s+install\b`)

func pipWithoutWheels(text string) bool {
	return pipInstall.match(text) && !strings.Contains(text, "--only-binary") && !strings.Contains(text, "pip wheel")
}

func cis(number string) harden.Control { return harden.Control{Of: "CIS Docker", Number: number} }
func nist190(number string) harden.Control {
	return harden.Control{Of: "NIST SP 800-190", Number: number}
}
func nist53(number string) harden.Control {
	return harden.Control{Of: "NIST SP 800-53", Number: number}
}
