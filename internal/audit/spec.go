package audit

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/specs"
)

// specJudge asks the rules of one spec: what can be judged without its packages.
type specJudge struct {
	s      *specs.Spec
	report *Report
	now    time.Time
	locked bool
}

func judgeSpec(r *Report, name string, o Options) error {
	s, err := specs.Load(name)
	if err != nil {
		return err
	}
	r.Kind, r.Image = KindSpec, fmt.Sprintf("%s:%s on %s", s.Name, s.Tag(), s.Distro)
	_, err = os.Stat(lockName(name))
	j := &specJudge{s: s, report: r, now: o.Now, locked: err == nil}
	for _, ask := range []func(){j.packages, j.bases, j.stages, j.accounts, j.paths, j.hardening, j.environment, j.start, j.health, j.ports, j.volumes, j.labels, j.life} {
		ask()
	}
	j.good()
	j.missing()
	return nil
}

// lockName is the name of the lock beside a spec.
func lockName(spec string) string { return strings.TrimSuffix(spec, filepath.Ext(spec)) + ".lock" }

// found adds a finding at the place of the spec that the keys lead to.
func (j *specJudge) found(rule, what, evidence string, at ...any) {
	j.add(finding{rule: rule, found: what, evidence: evidence}, at)
}

func (j *specJudge) foundAs(s harden.Severity, rule, what, evidence string, at ...any) {
	j.add(finding{rule: rule, found: what, evidence: evidence, severity: severity(s)}, at)
}

func (j *specJudge) add(f finding, at []any) {
	pos := j.s.Position(at...)
	f.line = pos.Line
	if pos.File != "" && !sameFile(pos.File, j.s.File()) {
		f.line, f.found = 0, f.found+fmt.Sprintf(" (%s:%d)", filepath.ToSlash(pos.File), pos.Line)
	}
	j.report.add(f)
	last := &j.report.Findings[len(j.report.Findings)-1]
	if f.line > 0 {
		last.Column = pos.Column
	}
}

func sameFile(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

func (j *specJudge) packages() {
	var loose []string
	for _, p := range j.s.Contents.Packages {
		if !p.Exclude && (p.Version == "" || strings.ContainsAny(p.Version, "*?")) {
			loose = append(loose, p.Name)
		}
	}
	if len(loose) > 0 && !j.locked {
		j.found("lock-missing", "no lock pins "+strings.Join(loose[:min(len(loose), 8)], " ")+" to exact versions", "", "contents", "packages")
	}
	for i, p := range j.s.Contents.Packages {
		if p.Exclude {
			continue
		}
		if rule := toolRule(p.Name); rule != "" && rule != "development-files" {
			if w := j.waiver(rule); w != nil {
				continue
			}
			j.foundAs(min(harden.SourceRuleOf(rule).Severity, j.unlessRefused()), rule, p.Name+" is in the image", p.String(), "contents", "packages", i)
		}
	}
	for name, what := range j.s.Contents.Scripts {
		if what == "skip" {
			j.found("scripts-skipped", "the maintainer scripts of "+name+" are skipped", name+": skip", "contents", "scripts", name)
		}
	}
	for i, r := range j.s.Contents.Repositories {
		if strings.HasPrefix(r.URI, "http://") && r.SignedBy == "" {
			j.found("packages-unverified", "the archive is read in the clear and without a key", r.URI, "contents", "repositories", i)
		}
	}
}

// unlessRefused is the least severity of what the profile strict refuses when it builds:
// the image does not come to be.
func (j *specJudge) unlessRefused() harden.Severity {
	if j.s.Hardening.Profile == specs.ProfileStrict {
		return harden.Low
	}
	return harden.Critical
}

func (j *specJudge) waiver(rule string) *specs.Waiver {
	for i := range j.s.Hardening.Waive {
		if j.s.Hardening.Waive[i].Rule == rule {
			return &j.s.Hardening.Waive[i]
		}
	}
	return nil
}

// bases judges images that the spec stands on.
func (j *specJudge) bases() {
	j.base(j.s.From, "from")
	for i := range j.s.Stages {
		if from := j.s.Stages[i].From; specs.IsImage(from) {
			j.base(from, "stages", i, "from")
		}
	}
	_, day := harden.EndOfRelease(j.s.Distro.Family, j.s.Distro.Codename)
	if harden.Ended(day, j.now) {
		j.found("end-of-life", fmt.Sprintf("%s gets no security updates since %s", j.s.Distro, day), j.s.Distro.String(), "distro")
	}
}

func (j *specJudge) base(from string, at ...any) {
	if from == "" || strings.Contains(from, "@sha256:") || strings.HasPrefix(from, "oci") || strings.HasPrefix(from, "docker-archive:") {
		return
	}
	if i := parseImage(from); i.Tag == "" || i.Tag == "latest" {
		j.found("mutable-reference", "the base has no tag but latest", from, at...)
	}
	if !j.locked {
		j.found("base-unpinned", "the base is not pinned by digest, and there is no lock", from, at...)
	}
}

// stages judges build stages: their network, and the commands that they run.
func (j *specJudge) stages() {
	for i := range j.s.Stages {
		s := &j.s.Stages[i]
		if s.Network == specs.NetworkHost {
			j.foundAs(harden.Medium, "build-privileged", "commands of stage "+s.Name+" reach the network, and what they fetch is in no lock", "network: host", "stages", i, "network")
		}
		for name, value := range s.Environment {
			j.secret("secret-in-metadata", "variable", name, value, "stages", i, "environment", name)
		}
		for n, text := range s.Run {
			j.script(text, "stages", i, "run", n)
		}
	}
}

// script judges the commands of a step, by the rules about RUN.
func (j *specJudge) script(text string, at ...any) {
	f, err := dockerfile.Parse("step", []byte("FROM scratch\nRUN <<END-OF-STEP-OF-A-SPEC\n"+text+"\nEND-OF-STEP-OF-A-SPEC\n"))
	if err != nil {
		return
	}
	inner := &Report{}
	d := &judge{file: f, context: &buildContext{dir: filepath.Dir(j.s.File())}, report: inner, now: j.now}
	d.downloads()
	for step, c := range d.run(false) {
		d.unverified(step, c)
		d.secretScript(step)
	}
	d.permissions()
	for _, found := range inner.Findings {
		if slices.Contains([]string{"piped-installer", "download-unverified", "packages-unverified", "secret-in-metadata", "privilege-bits"}, found.Rule) {
			j.foundAs(found.Severity, found.Rule, found.Found, found.Evidence, at...)
		}
	}
}

func (j *specJudge) accounts() {
	a := &j.s.Accounts
	user, group, _ := strings.Cut(a.RunAs, ":")
	switch {
	case a.RunAs == "":
		j.found("root-user", "accounts.run-as is not said, so that the image runs as root", "", "accounts", "run-as")
	case user == "root" || user == "0":
		j.found("root-user", "the image runs as root", "run-as: "+a.RunAs, "accounts", "run-as")
	default:
		for _, u := range a.Users {
			if u.Name == user && u.UID == 0 {
				j.found("root-user", u.Name+" has the number 0 and is root", "run-as: "+a.RunAs, "accounts", "run-as")
			}
		}
	}
	if group == "0" || group == "root" {
		j.found("root-group", "the image runs with the group root", "run-as: "+a.RunAs, "accounts", "run-as")
	}
	for i, u := range a.Users {
		if u.UID == 0 && u.Name != "root" {
			j.found("zero-id", u.Name+" has the number 0 and is root", u.Name, "accounts", "users", i)
		}
		if u.Shell != "" && !strings.HasSuffix(u.Shell, "nologin") && !strings.HasSuffix(u.Shell, "/false") {
			j.found("login-shell", u.Name+" has the login shell "+u.Shell, u.Shell, "accounts", "users", i)
		}
	}
}

// runner is the number that the image runs as, and whether that is known.
func (j *specJudge) runner() (uint32, bool) {
	user, _, _ := strings.Cut(j.s.Accounts.RunAs, ":")
	for _, u := range j.s.Accounts.Users {
		if u.Name == user || fmt.Sprint(u.UID) == user {
			return uint32(u.UID), true
		}
	}
	return 0, false
}

func (j *specJudge) paths() {
	runner, known := j.runner()
	for i, p := range j.s.Paths {
		at := []any{"paths", i}
		if known && runner != 0 && p.UID != nil && uint32(*p.UID) == runner && isSystemPath(p.Path) {
			j.found("system-writable", p.Path+" is given to the user that runs the image", p.Path, at...)
		}
		j.pathContent(p, at)
		if p.Mode == nil || p.Type == specs.PathSymlink {
			continue
		}
		mode, base := uint32(*p.Mode), path.Base(p.Path)
		text := p.Path + " has mode " + p.Mode.String()
		switch {
		case mode&0o6000 != 0 && p.Type != specs.PathDirectory:
			j.found("privilege-bits", text, p.Mode.String(), at...)
		case mode&0o002 != 0 && mode&0o1000 == 0 && p.Type == specs.PathDirectory:
			j.found("world-writable-directory", text+": everybody may write", p.Mode.String(), at...)
		case mode&0o002 != 0 && p.Type != specs.PathDirectory:
			j.found("world-writable-file", text+": everybody may write", p.Mode.String(), at...)
		case secretName.match(base) && mode&0o077 != 0 && p.Type == specs.PathDirectory:
			j.found("secret-directory-open", text+", expected 0700", p.Mode.String(), at...)
		case (logName.match(base) || strings.HasPrefix(p.Path, "/var/log/")) && mode&0o007 != 0 && p.Type == specs.PathDirectory:
			j.found("log-directory-open", text+", expected 0750", p.Mode.String(), at...)
		}
	}
	for i, c := range j.s.Copy {
		if known && runner != 0 && c.UID != nil && uint32(*c.UID) == runner && isSystemPath(c.Path) {
			j.found("system-writable", c.Path+" is given to the user that runs the image", c.Path, "copy", i)
		}
	}
}

func (j *specJudge) pathContent(p specs.Path, at []any) {
	for _, f := range find(p.Content) {
		j.found("secret-in-file", p.Path+": "+f.About, f.Shown, append(at, "content")...)
	}
	base := path.Base(p.Path)
	if p.Type == specs.PathFile && (slices.Contains(secretNames, base) || slices.Contains(secretEndings, path.Ext(base)) && !strings.Contains(p.Path, "/certs/") && path.Ext(base) != ".pem") {
		j.found("secret-file", "a file of that name holds secrets: "+p.Path, p.Path, at...)
	}
}

func (j *specJudge) hardening() {
	h := &j.s.Hardening
	switch h.Profile {
	case specs.ProfileNone:
		j.found("profile-weak", "the profile is none: nothing is left out, nothing is refused", "profile: none", "hardening", "profile")
	case specs.ProfileStandard:
		j.foundAs(harden.Low, "profile-weak", "the profile is standard: shells, package managers and set-id bits stay", "profile: standard", "hardening", "profile")
	}
	for i, w := range h.Waive {
		switch {
		case w.Expires == "":
			j.found("waiver-endless", "the waiver of "+w.Rule+" has no end", w.Reason, "hardening", "waive", i)
		case w.Expires.Time().AddDate(0, 0, 1).Before(j.now):
			j.foundAs(harden.Low, "waiver-endless", "the waiver of "+w.Rule+" ended on "+string(w.Expires), w.Reason, "hardening", "waive", i)
		}
		if harden.SourceRuleOf(w.Rule) == nil {
			j.found("waiver-endless", "the waiver is of a rule that does not exist: "+w.Rule, w.Reason, "hardening", "waive", i)
		}
	}
}

func (j *specJudge) secret(rule, kind, name, value string, at ...any) {
	if harden.SecretVariable(strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(name))) && !harden.NoSecret(value) {
		j.found(rule, "a "+kind+" of that name holds a secret: "+name, name+"="+shown(value), at...)
		return
	}
	for _, f := range find(name + "=" + value) {
		j.found(rule, kind+" "+name+": "+f.About, f.Shown, at...)
	}
}

func (j *specJudge) environment() {
	for name, value := range j.s.Environment {
		j.secret("secret-in-environment", "variable", name, value, "environment", name)
		if rule, what := environmentProblem(name, value); rule != "" {
			j.found(rule, what, name+"="+value, "environment", name)
		}
	}
}

// start judges what starts the image.
func (j *specJudge) start() {
	for _, part := range []struct {
		key   string
		words specs.Command
	}{{"entrypoint", j.s.Entrypoint}, {"cmd", j.s.Cmd}} {
		if len(part.words) > 1 && isShellName(part.words[0]) && strings.HasPrefix(part.words[1], "-") && strings.HasSuffix(part.words[1], "c") {
			j.found("shell-entrypoint", part.key+" calls a shell", strings.Join(part.words, " "), part.key)
		}
		j.commandSecret(part.words, part.key)
	}
	if killing(j.s.StopSignal) {
		j.foundAs(harden.Low, "stop-signal", "the program is killed without a word", j.s.StopSignal, "stop-signal")
	}
	if len(j.s.Entrypoint) > 0 && len(j.s.Tests) == 0 {
		j.found("tests-missing", "no test starts anything of the image", "", "tests")
	}
}

func (j *specJudge) commandSecret(words specs.Command, at ...any) {
	text := strings.Join(words, " ")
	for _, f := range find(text) {
		j.found("secret-in-metadata", fmt.Sprint(at[0])+": "+f.About, f.Shown, at...)
	}
	if m := passwordOption().FindStringSubmatch(text); m != nil && !harden.NoSecret(m[1]+m[2]) {
		j.found("secret-in-metadata", fmt.Sprint(at[0])+" is given a password", shown(m[1]+m[2]), at...)
	}
}

func (j *specJudge) health() {
	h := j.s.Healthcheck
	if h == nil {
		if len(j.s.Ports) > 0 {
			j.found("healthcheck-missing", "a service without a health check", "", "healthcheck")
		}
		return
	}
	if len(h.Command) == 0 {
		return
	}
	text := strings.Join(h.Command, " ")
	base := path.Base(h.Command[0])
	switch {
	case isShellName(base) && len(h.Command) > 1 && strings.HasPrefix(h.Command[1], "-"):
		j.foundAs(harden.Low, "healthcheck-broken", "the health check needs a shell in the image", text, "healthcheck", "command")
	case path.Ext(base) == ".sh" || isShellName(base):
		j.found("healthcheck-external-script", "health is asked by a script: "+text, text, "healthcheck", "command")
	case slices.Contains([]string{"curl", "wget", "nc", "ncat"}, base) && j.waiver("network-client-present") == nil:
		j.foundAs(harden.Low, "healthcheck-broken", "the health check needs the network client "+base+" in the image", text, "healthcheck", "command")
	}
	j.commandSecret(h.Command, "healthcheck")
}

func (j *specJudge) ports() {
	var list []port
	for _, p := range j.s.Ports {
		list = append(list, port{first: int(p.First), last: int(p.Last), protocol: p.Protocol})
	}
	served := 0
	if h := j.s.Healthcheck; h != nil {
		for _, n := range portsIn(h.HTTP + " " + h.TCP + " " + strings.Join(h.Command, " ")) {
			if slices.ContainsFunc(list, func(p port) bool { return p.first <= n && n <= p.last }) {
				served = n
			}
		}
	}
	inner := strings.Fields(j.s.Labels["dev.hardpan.run.ports.internal"])
	for _, problem := range judgePorts(list, served) {
		i := slices.IndexFunc(list, func(p port) bool { return p == problem.port })
		if problem.rule == "extra-port" && slices.Contains(inner, j.s.Ports[i].String()) {
			continue // declared as one that only the inside reaches
		}
		j.found(problem.rule, problem.what, j.s.Ports[i].String(), "ports", i)
	}
}

func (j *specJudge) volumes() {
	for i, v := range j.s.Volumes {
		if p := path.Clean(v); slices.Contains(systemVolumes, p) || strings.HasPrefix(p, "/etc/") || strings.HasPrefix(p, "/usr/bin") || strings.HasPrefix(p, "/usr/lib") {
			j.found("volume-system-path", "a volume covers "+p, v, "volumes", i)
		}
	}
}

func (j *specJudge) labels() {
	for kind, labels := range map[string]map[string]string{"labels": j.s.Labels, "annotations": j.s.Annotations} {
		for key, value := range labels {
			if problem := labelProblem(key, value); problem != "" {
				j.found("labels-invalid", strings.TrimSuffix(kind, "s")+" "+key+" "+problem, key+"="+value, kind, key)
			}
			j.secret("secret-in-metadata", strings.TrimSuffix(kind, "s"), key, value, kind, key)
		}
	}
}

// life judges dates.
func (j *specJudge) life() {
	if end := j.s.Dates.EndOfLife; end != "" && end.Time().Before(j.now) {
		j.found("end-of-life", "the image has reached its end of life on "+string(end), string(end), "dates", "end-of-life")
	}
}
