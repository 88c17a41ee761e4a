package audit

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// lastOf returns the step of that name that holds for the image, and those of the same
// stage that it makes void.
func (j *judge) lastOf(name string) (last *dockerfile.Step, void []*dockerfile.Step) {
	for step := range j.steps(true) {
		if step.Name != name || step.OnBuild {
			continue
		}
		if last != nil && last.Stage == step.Stage {
			void = append(void, last)
		}
		last = step
	}
	return last, void
}

// health judges HEALTHCHECK.
func (j *judge) health() {
	step, _ := j.lastOf("HEALTHCHECK")
	s := j.file.Final()
	if step == nil {
		from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
		j.found("healthcheck-missing", from, s.Line, "there is no HEALTHCHECK", "FROM "+s.Image)
		return
	}
	c, ok := step.Command.(*instructions.HealthCheckCommand)
	if !ok || step.Script == nil {
		j.found("healthcheck-missing", step, step.Line, "HEALTHCHECK NONE switches off the base's", step.Text)
		return
	}
	if script := j.healthScript(step); script != "" {
		j.found("healthcheck-external-script", step, step.Line, "health is asked by the script "+script, step.Text)
	}
	var needs []string
	if step.Script.Exec == nil && (len(step.Script.Statements) != 1 || !step.Script.Statements[0].Plain) {
		needs = append(needs, "a shell")
	}
	for _, cmd := range step.Commands() {
		if fetches(cmd) || slices.Contains([]string{"nc", "ncat", "netcat", "telnet"}, cmd.Name) {
			needs = append(needs, "the network client "+cmd.Name)
		}
	}
	if len(needs) > 0 {
		j.foundAs(harden.Low, "healthcheck-broken", step, step.Line, "the health check needs "+strings.Join(slices.Compact(needs), " and ")+" in the image", step.Text)
	}
	if c.Health.Timeout == 0 || c.Health.Interval == 0 {
		j.foundAs(harden.Info, "healthcheck-broken", step, step.Line, "the health check leaves interval or timeout to the runtime's default of 30 s", step.Text)
	}
}

// healthScript returns the script that a health check calls, "" where it calls programs.
func (j *judge) healthScript(step *dockerfile.Step) string {
	tree := j.file.Final().Tree
	for _, c := range step.Commands() {
		words := []string{c.Program().Text}
		if interprets(c) {
			words = append(words, c.Texts()...)
		}
		for _, w := range words {
			if strings.HasPrefix(w, "-") {
				break // -c, -m: what follows is no script
			}
			n := tree.Get(absolute(c.Dir, w))
			if slices.Contains([]string{".sh", ".bash", ".py", ".js", ".rb", ".pl"}, path.Ext(w)) || strings.Contains(w, "/") && n != nil && n.Copied && j.isScript(w) {
				return w
			}
		}
	}
	return ""
}

// isScript reports whether a file that COPY brings is a script, by its first bytes where
// it lies beside the Dockerfile, and else by its name.
func (j *judge) isScript(name string) bool {
	for step := range j.steps(false) {
		sources, _, ok := copies(step)
		for _, s := range sources {
			for _, at := range []string{s, path.Join(s, path.Base(name))} {
				if text, found := j.context.read(at); ok && path.Base(at) == path.Base(name) && found {
					return strings.HasPrefix(text, "#!")
				}
			}
		}
	}
	return strings.Contains(path.Base(name), "health")
}

// start judges what starts the image.
func (j *judge) start() {
	for _, name := range []string{"CMD", "ENTRYPOINT", "HEALTHCHECK"} {
		_, void := j.lastOf(name)
		for _, step := range void {
			j.found("instruction-overridden", step, step.Line, "a later "+name+" makes this one void", step.Text)
		}
	}
	for _, name := range []string{"ENTRYPOINT", "CMD"} {
		step, _ := j.lastOf(name)
		if step == nil || step.Script == nil {
			continue
		}
		exec := step.Script.Exec
		switch {
		case exec == nil:
			j.found("shell-entrypoint", step, step.Line, name+" in shell form: a shell stands between the runtime and the program", step.Text)
		case len(exec) > 1 && isShellName(exec[0]) && strings.HasPrefix(exec[1], "-") && strings.HasSuffix(exec[1], "c"):
			j.found("shell-entrypoint", step, step.Line, name+" calls a shell", step.Text)
		}
	}
	if step, _ := j.lastOf("STOPSIGNAL"); step != nil {
		if c, ok := step.Command.(*instructions.StopSignalCommand); ok && killing(c.Signal) {
			j.foundAs(harden.Low, "stop-signal", step, step.Line, "the program is killed without a word", step.Text)
		}
	}
}

func killing(signal string) bool {
	s := strings.TrimPrefix(strings.ToUpper(signal), "SIG")
	return s == "KILL" || s == "9"
}

func isShellName(name string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh", "ksh"}, path.Base(name))
}

// systemVolumes are paths that no volume should cover.
var systemVolumes = []string{"/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var", "/var/run", "/var/run/docker.sock", "/run/docker.sock"}

func (j *judge) volumes() {
	for step := range j.steps(true) {
		if c, ok := step.Command.(*instructions.VolumeCommand); ok {
			for _, v := range c.Volumes {
				if p := path.Clean(v); slices.Contains(systemVolumes, p) || strings.HasPrefix(p, "/etc/") || strings.HasPrefix(p, "/usr/bin") || strings.HasPrefix(p, "/usr/lib") {
					j.found("volume-system-path", step, step.Line, "a volume covers "+p, step.Text)
				}
			}
		}
	}
}
