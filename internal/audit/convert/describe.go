package convert

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// last returns the image's last step of that name.
func (c *converter) last(name string) *dockerfile.Step {
	var last *dockerfile.Step
	for _, s := range c.file.Chain() {
		for _, step := range s.Steps {
			if step.Name == name && !step.OnBuild {
				last = step
			}
		}
	}
	return last
}

func (c *converter) labels() map[string]string {
	all := map[string]string{}
	for _, p := range c.labelPairs() {
		all[p.key] = p.value
	}
	return all
}

func (c *converter) labelPairs() (list []pair) {
	for _, s := range c.file.Chain() {
		for _, step := range s.Steps {
			if l, ok := step.Command.(*instructions.LabelCommand); ok && !step.OnBuild {
				for _, kv := range l.Labels {
					list = set(list, kv.Key, kv.Value)
				}
			}
		}
	}
	return list
}

var labelKey = compiled(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)

// describe writes how the image is run.
func (c *converter) describe(f *dockerfile.Stage) {
	for _, p := range c.labelPairs() {
		switch {
		case !labelKey().MatchString(p.key) || len(p.key) > 255:
			c.note(0, "label", "%q is no key of a label", p.key)
		case strings.Contains(p.value, "$"):
			c.note(0, "label", "%s is filled in by a build argument; write it into the spec", p.key)
		default:
			c.spec.Labels = set(c.spec.Labels, p.key, p.value)
		}
	}
	c.unsaid()
	c.ports()
	c.volumes()
	c.start(f)
	c.health()
	if step := c.last("STOPSIGNAL"); step != nil {
		signal := step.Command.(*instructions.StopSignalCommand).Signal
		if strings.Trim(signal, "0123456789") != "" && !strings.HasPrefix(signal, "SIG") {
			signal = "SIG" + strings.ToUpper(signal)
		}
		c.spec.StopSignal = signal
	}
	if c.spec.WorkDir == "/" || !strings.HasPrefix(c.spec.WorkDir, "/") {
		c.spec.WorkDir = ""
	}
	c.spec.Environment = c.withoutSecrets(c.spec.Environment, "")
}

// unsaid notes what the image lacks under the profile strict, because no Dockerfile has it
// or this one does not.
func (c *converter) unsaid() {
	c.note(0, "signing", "hardpan build --key signs the image and attests SBOM and provenance (signature-missing, sbom-missing, provenance-missing)")
	var missing []string
	for _, name := range strings.Fields("title version source vendor revision licenses") {
		if get(c.spec.Labels, "org.opencontainers.image."+name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		c.note(0, "labels", "the Dockerfile has no labels org.opencontainers.image.* for %s: add them (labels-missing)", strings.Join(missing, ", "))
	}
}

var portText = compiled(`^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?(/(tcp|udp|sctp))?$`)

func (c *converter) ports() {
	for _, s := range c.file.Chain() {
		for _, step := range s.Steps {
			e, ok := step.Command.(*instructions.ExposeCommand)
			if !ok || step.OnBuild {
				continue
			}
			for _, p := range e.Ports {
				p = strings.ToLower(p)
				switch {
				case !portText().MatchString(p):
					c.note(step.Line, "EXPOSE", "%s is no port that is known here", p)
				default:
					if !strings.Contains(p, "/") {
						p += "/tcp"
					}
					if c.adminPort(step.Line, p) {
						continue
					}
					if !slices.Contains(c.spec.Ports, p) {
						c.spec.Ports = append(c.spec.Ports, p)
					}
				}
			}
		}
	}
}

// adminPort reports whether a port is one to administer a machine by, for which the gate
// publishes no strict image, and says so; of one below 1024 it says what it takes.
func (c *converter) adminPort(line int, p string) bool {
	number, _, _ := strings.Cut(p, "/")
	if n, err := strconv.Atoi(number); err == nil && harden.AdminPorts[n] != "" {
		c.note(line, "EXPOSE", "%s is not carried over: it is the port of %s (admin-port)", p, harden.AdminPorts[n])
		return true
	}
	first, _, _ := strings.Cut(number, "-")
	if n, err := strconv.Atoi(first); err == nil && n < 1024 {
		c.note(line, "EXPOSE", "%s needs root or a capability, which the image has not: listen above port 1023 (privileged-port)", p)
	}
	return false
}

func (c *converter) volumes() {
	for _, s := range c.file.Chain() {
		for _, step := range s.Steps {
			v, ok := step.Command.(*instructions.VolumeCommand)
			if !ok || step.OnBuild {
				continue
			}
			for _, p := range v.Volumes {
				p = path.Clean(p)
				if !strings.HasPrefix(p, "/") || isSystem(p) && !strings.HasPrefix(p, "/var/") {
					c.note(step.Line, "VOLUME", "%s is not carried over: a volume there covers the system", p)
				} else if !slices.Contains(c.spec.Volumes, p) {
					c.spec.Volumes = append(c.spec.Volumes, p)
				}
			}
		}
	}
}

// start writes entrypoint and command.
func (c *converter) start(f *dockerfile.Stage) {
	if step := c.last("ENTRYPOINT"); step != nil {
		c.spec.Entrypoint = c.words(step, f)
	}
	if step := c.last("CMD"); step != nil {
		words := c.words(step, f)
		if len(c.spec.Entrypoint) == 0 {
			c.spec.Entrypoint = words
		} else {
			c.spec.Cmd = words
		}
	}
	if len(c.spec.Entrypoint) == 0 {
		c.note(f.Line, "start", "the file says no ENTRYPOINT and no CMD; the base's are not known")
		return
	}
	c.startScript(f)
}

// words returns the words of an instruction that starts a program. A shell form that is
// one command needs no shell.
func (c *converter) words(step *dockerfile.Step, f *dockerfile.Stage) []string {
	sc := step.Script
	if sc.Exec != nil {
		return sc.Exec
	}
	if len(sc.Statements) == 1 && sc.Statements[0].Plain {
		cmd := sc.Commands[0]
		words := []string{cmd.Program().Text}
		known := cmd.Program().Known && len(cmd.Assigns) == 0 && (len(cmd.Through) == 0 || len(cmd.Through) == 1 && cmd.Through[0] == "exec")
		for _, w := range cmd.Args {
			text, ok := resolve(w, f.Env)
			words, known = append(words, text), known && ok
		}
		if known {
			c.note(step.Line, step.Name, "the shell form becomes words: no shell reads them, and variables have the values of ENV")
			return words
		}
	}
	c.needShell(step.Line, step.Name+" in shell form")
	return []string{"/bin/sh", "-c", sc.Text}
}

var variable = compiled(`\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?`)

// resolve puts values of ENV into a word.
func resolve(w dockerfile.Word, env *dockerfile.Env) (string, bool) {
	if w.Known {
		return w.Text, true
	}
	good := true
	text := variable().ReplaceAllStringFunc(w.Text, func(s string) string {
		v, ok := env.Get(strings.Trim(s, "${}"))
		good = good && ok && v.Known
		return v.Value
	})
	return text, good && !strings.Contains(text, "$")
}

// needShell adds a shell to an image that cannot start without.
func (c *converter) needShell(line int, why string) {
	c.waive("shell-present", why+" needs a shell")
	add(&c.spec.Packages, item{text: "dash"})
	c.note(line, "shell", "%s needs a shell in the image: package dash and a waiver; call the program directly to be rid of both", why)
}

func (c *converter) waive(rule, reason string) {
	c.spec.Waive = set(c.spec.Waive, rule, reason)
}

// startScript adds the shell that a script needs which starts the image.
func (c *converter) startScript(f *dockerfile.Stage) {
	program := c.spec.Entrypoint[0]
	n := f.Tree.Get(path.Clean(program))
	text := c.contextFile(path.Base(program))
	switch {
	case strings.HasPrefix(text, "#!") && strings.Contains(firstLine(text), "bash"):
		c.waive("shell-present", program+" is a script for bash")
		add(&c.spec.Packages, item{text: "bash"})
		c.note(0, "shell", "%s is a script for bash, which the image therefore has", program)
	case strings.HasPrefix(text, "#!") && strings.HasSuffix(strings.Fields(firstLine(text) + " ")[0], "sh"), strings.HasSuffix(program, ".sh") && n != nil && text == "":
		c.needShell(0, program)
	}
}

// contextFile returns the text of a file of that name beside the Dockerfile, found by the
// sources of COPY.
func (c *converter) contextFile(base string) string {
	for _, s := range c.file.Chain() {
		for _, step := range s.Steps {
			cp, ok := step.Command.(*instructions.CopyCommand)
			if !ok || cp.From != "" {
				continue
			}
			for _, source := range cp.SourcePaths {
				for _, name := range []string{source, path.Join(source, base)} {
					if path.Base(name) != base {
						continue
					}
					root, err := os.OpenRoot(c.options.Context)
					if err != nil {
						return ""
					}
					text, err := root.ReadFile(filepath.FromSlash(strings.TrimPrefix(path.Clean("/"+name), "/")))
					root.Close()
					if err == nil && len(text) < 1<<20 {
						return string(text)
					}
				}
			}
		}
	}
	return ""
}

var loopback = compiled(`https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?::(\d{1,5}))?(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?`)

// health converts HEALTHCHECK: what asks a page of the container is asked by the probe
// that hardpan adds.
func (c *converter) health() {
	step := c.last("HEALTHCHECK")
	if step == nil {
		c.note(0, "health check", "the Dockerfile has none, and so the spec has none")
		return
	}
	h, ok := step.Command.(*instructions.HealthCheckCommand)
	if !ok || step.Script == nil {
		return
	}
	out := &health{retries: h.Health.Retries}
	out.interval, out.timeout, out.startPeriod = duration(h.Health.Interval), duration(h.Health.Timeout), duration(h.Health.StartPeriod)
	text := step.Script.Text + strings.Join(step.Script.Exec, " ")
	script := ""
	for _, cmd := range step.Commands() {
		for _, w := range append([]string{cmd.Program().Text}, cmd.Texts()...) {
			if s := c.contextFile(path.Base(w)); s != "" && script == "" && strings.Contains(w, "/") {
				script = w
				text += "\n" + s
			}
		}
	}
	switch m := loopback().FindStringSubmatch(text); {
	case m != nil && strings.HasPrefix(m[0], "http:"):
		out.http = "http://127.0.0.1:" + cmp.Or(m[1], "80") + strings.TrimRight(cmp.Or(m[2], "/"), "'\")")
		c.note(step.Line, "health check", "hardpan's own probe asks %s; %s is not needed", out.http, cmp.Or(script, "the client"))
		c.drop(script)
	case m != nil:
		out.tcp = "127.0.0.1:" + cmp.Or(m[1], "443")
		c.note(step.Line, "health check", "the probe speaks no TLS and only tries a connection to %s", out.tcp)
		c.drop(script)
	case len(step.Script.Exec) > 0 && script == "":
		out.command = step.Script.Exec
	case len(step.Script.Statements) == 1 && step.Script.Statements[0].Plain && (script == "" || !strings.HasSuffix(script, "sh")):
		cmd := step.Commands()[0]
		out.command = append([]string{cmd.Program().Text}, cmd.Texts()...)
	case len(c.spec.Ports) > 0:
		out.tcp = "127.0.0.1:" + strings.SplitN(strings.SplitN(c.spec.Ports[0], "/", 2)[0], "-", 2)[0]
		c.note(step.Line, "health check", "%s needs a shell; the probe tries a connection to %s instead", text[:min(len(text), 60)], out.tcp)
	default:
		c.note(step.Line, "health check", "it needs a shell and is not carried over: %s", firstLine(text))
		return
	}
	c.spec.Health = out
}

// drop leaves a script that only the health check called out of the image.
func (c *converter) drop(script string) {
	if script != "" {
		c.spec.Paths = slices.DeleteFunc(c.spec.Paths, func(p pathEntry) bool { return p.path == script })
	}
}

func duration(d time.Duration) string {
	if d < time.Millisecond {
		return ""
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// refused are packages whose programs a strict image does not have, by the rule that says
// so.
var refused = map[string]string{
	"network-client-present":  "curl wget netcat-openbsd netcat-traditional ncat nmap socat telnet ftp lftp openssh-client rsync tcpdump iputils-ping dnsutils bind9-dnsutils",
	"compiler-present":        "build-essential gcc g++ clang make cmake git gdb strace golang-go rustc cargo",
	"privilege-tool-present":  "sudo gosu",
	"package-manager-present": "python3-pip npm pipx apt aptitude",
	"remote-access-present":   "openssh-server dropbear telnetd vsftpd",
	"shell-present":           "bash zsh fish busybox busybox-static",
}

func refusedBy(name string) string {
	for rule, names := range refused {
		if slices.Contains(strings.Fields(names), name) {
			return rule
		}
	}
	return ""
}

// tools leaves packages out that no strict image has: clients, compilers and shells that
// only building and the health check called, as far as the Dockerfile shows.
func (c *converter) tools(f *dockerfile.Stage) {
	c.spec.Packages = slices.DeleteFunc(c.spec.Packages, func(i item) bool {
		name, _, _ := strings.Cut(i.text, "=")
		rule := refusedBy(name)
		if rule == "" || rule == "shell-present" && len(c.spec.Waive) > 0 {
			return false
		}
		c.note(f.Line, "package", "%s is left out: no strict image has it (%s), and in the Dockerfile only building and the health check call it; if the application does, add %q and waive the rule", name, rule, i.text)
		return true
	})
}

// adapt changes what Debian's packages need that an image without maintainer scripts'
// tools has not.
func (c *converter) adapt() {
	if c.has("postgresql-client") {
		version := map[string]string{"bookworm": "15", "trixie": "17"}[c.distro]
		c.spec.Packages = append(c.spec.Packages, item{"!postgresql-client-common", "scripts in Perl that choose among several versions"}, item{"!sensible-utils", "finds an editor"})
		c.spec.Scripts = append(c.spec.Scripts, pair{"postgresql-client-" + version, "skip"})
		at := cmp.Or(get(c.spec.Environment, "PATH"), defaultPath)
		c.spec.Environment = set(c.spec.Environment, "PATH", at+":/usr/lib/postgresql/"+version+"/bin")
		c.note(0, "package", "postgresql-client: its wrapper in Perl is left out; psql is in /usr/lib/postgresql/%s/bin, which is in PATH", version)
	}
	c.desktop()
}

// desktop takes care of what ffmpeg's libraries have for windows and graphics cards: a
// plugin that needs two libraries more, and drivers that nothing on a server loads.
func (c *converter) desktop() {
	if !c.has("ffmpeg") || c.distro != "bookworm" {
		return
	}
	for _, name := range []string{"libglu1-mesa", "libglut3.12"} {
		add(&c.spec.Packages, item{name, "a plugin of libcaca, which ffmpeg links, needs it"})
	}
	for _, name := range []string{"!libgl1-mesa-dri", "!libglx-mesa0"} {
		add(&c.spec.Packages, item{name, "drivers of graphics cards"})
	}
	c.note(0, "package", "ffmpeg: drivers of graphics cards, and with them LLVM, are left out; it needs more than 150 packages all the same (package-budget)")
}

func (c *converter) has(name string) bool {
	return slices.ContainsFunc(c.spec.Packages, func(i item) bool {
		have, _, _ := strings.Cut(i.text, "=")
		return have == name
	})
}
