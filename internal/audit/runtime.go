package audit

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// adminPorts are ports of services to administer a machine (IANA service names).
var adminPorts = map[int]string{
	20: "FTP", 21: "FTP", 22: "SSH", 23: "Telnet", 69: "TFTP", 111: "rpcbind", 135: "RPC", 137: "NetBIOS", 138: "NetBIOS", 139: "NetBIOS", 161: "SNMP", 445: "SMB",
	512: "rexec", 513: "rlogin", 514: "rsh", 873: "rsync", 2049: "NFS", 2222: "SSH", 2375: "Docker", 2376: "Docker", 2377: "Docker Swarm", 2379: "etcd", 2380: "etcd", 3389: "RDP",
	5900: "VNC", 5901: "VNC", 5985: "WinRM", 5986: "WinRM", 6000: "X11", 6443: "Kubernetes API", 10250: "kubelet", 10255: "kubelet", 10000: "Webmin",
}

// innerPorts are ports of what looks inside a program.
var innerPorts = map[int]string{
	9090: "metrics", 9091: "metrics", 9100: "metrics", 9102: "metrics", 9113: "metrics", 9121: "metrics", 9187: "metrics", 2112: "metrics", 8125: "metrics", 9464: "metrics", 8778: "metrics",
	5005: "a Java debugger", 9229: "a Node.js debugger", 5678: "a Python debugger", 6060: "Go profiles", 40000: "a Go debugger", 2345: "a Go debugger", 1099: "JMX", 9010: "JMX", 4040: "Spark",
}

// port is one that EXPOSE or a spec names.
type port struct {
	first, last int
	protocol    string
	step        *dockerfile.Step
	line        int
}

func (p port) String() string {
	if p.first != p.last {
		return fmt.Sprintf("%d-%d", p.first, p.last)
	}
	return strconv.Itoa(p.first)
}

// parsePort reads 8000, 8000/udp or 8000-8010/tcp.
func parsePort(s string) (port, bool) {
	number, protocol, has := strings.Cut(s, "/")
	if !has {
		protocol = "tcp"
	}
	first, last, isRange := strings.Cut(number, "-")
	if !isRange {
		last = first
	}
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(last)
	return port{first: a, last: b, protocol: strings.ToLower(protocol)}, err1 == nil && err2 == nil && a > 0 && b >= a && b <= 65535
}

// exposed returns the ports that the image's stages expose.
func (j *judge) exposed() []port {
	var list []port
	for step := range j.steps(true) {
		c, ok := step.Command.(*instructions.ExposeCommand)
		if !ok || step.OnBuild {
			continue
		}
		for _, text := range c.Ports {
			if strings.Contains(text, "$") {
				continue
			}
			p, ok := parsePort(text)
			if !ok {
				j.found("port-invalid", step, step.Line, text+" is no port", step.Text)
				continue
			}
			p.step, p.line = step, step.Line
			list = append(list, p)
		}
	}
	return list
}

// ports judges what is exposed.
func (j *judge) ports() {
	list := j.exposed()
	for _, problem := range judgePorts(list, j.served(list)) {
		j.found(problem.rule, problem.port.step, problem.port.line, problem.what, problem.port.step.Text)
	}
	used := j.usedPorts()
	for _, n := range slices.Sorted(maps.Keys(used)) {
		if !slices.ContainsFunc(list, func(p port) bool { return p.first <= n && n <= p.last }) {
			j.found("port-undeclared", used[n], used[n].Line, fmt.Sprintf("port %d is used, and no EXPOSE declares it", n), used[n].Text)
		}
	}
}

// portProblem is what is wrong with a port.
type portProblem struct {
	rule string
	port port
	what string
}

// judgePorts judges the ports of an image of which served is the service's own, 0 where
// nobody knows.
func judgePorts(list []port, served int) []portProblem {
	var problems []portProblem
	for i, p := range list {
		service, admin := nameIn(adminPorts, p)
		inner, isInner := nameIn(innerPorts, p)
		switch {
		case admin:
			problems = append(problems, portProblem{"admin-port", p, fmt.Sprintf("port %s is that of %s", p, service)})
		case p.first < 1024:
			problems = append(problems, portProblem{"privileged-port", p, fmt.Sprintf("port %s needs root or a capability", p)})
		case isInner && (len(list) > 1 || served != 0 && served != p.first):
			problems = append(problems, portProblem{"extra-port", p, fmt.Sprintf("port %s, that of %s, is exposed beside the service's", p, inner)})
		case served != 0 && !(p.first <= served && served <= p.last) && len(list) > 1 && !webPair(list, i):
			problems = append(problems, portProblem{"extra-port", p, fmt.Sprintf("port %s is exposed beside port %d, at which the service is asked for its health", p, served)})
		case p.last-p.first >= 100:
			problems = append(problems, portProblem{"extra-port", p, fmt.Sprintf("%d ports are exposed", p.last-p.first+1)})
		}
	}
	return problems
}

// webPair reports whether a port is the encrypted one beside a plain one, or the other
// way round.
func webPair(list []port, i int) bool {
	pairs := map[int]int{8080: 8443, 8443: 8080, 8000: 8443}
	return slices.ContainsFunc(list, func(p port) bool { return pairs[list[i].first] == p.first && p.first != 0 })
}

func nameIn(names map[int]string, p port) (string, bool) {
	if p.first != p.last {
		return "", false
	}
	name, ok := names[p.first]
	return name, ok
}

// served is the port that the health check asks at, 0 where it names none.
func (j *judge) served(list []port) int {
	h, _ := j.lastOf("HEALTHCHECK")
	if h == nil || h.Script == nil {
		return 0
	}
	for _, n := range portsIn(h.Text) {
		if slices.ContainsFunc(list, func(p port) bool { return p.first <= n && n <= p.last }) {
			return n
		}
	}
	return 0
}

var portInText = compiled(`(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):(\d{2,5})\b`)

func portsIn(text string) []int {
	var list []int
	for _, m := range portInText().FindAllStringSubmatch(text, 16) {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n <= 65535 {
			list = append(list, n)
		}
	}
	return list
}

var portFlag = compiled(`(?:^|\s)--?(?:port|listen|bind|http-port)[= ]+(?:\S*:)?(\d{2,5})\b`)

// usedPorts returns the ports that command and health check name, and where.
func (j *judge) usedPorts() map[int]*dockerfile.Step {
	used := map[int]*dockerfile.Step{}
	for _, name := range []string{"CMD", "ENTRYPOINT", "HEALTHCHECK"} {
		step, _ := j.lastOf(name)
		if step == nil || step.Script == nil {
			continue
		}
		text := step.Script.Text
		if step.Script.Exec != nil {
			text = strings.Join(step.Script.Exec, " ")
		}
		for _, n := range portsIn(text) {
			used[n] = step
		}
		if name == "HEALTHCHECK" {
			continue
		}
		for _, m := range portFlag().FindAllStringSubmatch(text, 16) {
			if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n <= 65535 {
				used[n] = step
			}
		}
	}
	return used
}

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
			ending := path.Ext(w)
			if strings.Contains(w, "/") && n != nil && n.Copied || slices.Contains([]string{".sh", ".bash", ".py", ".js", ".rb", ".pl"}, ending) {
				return w
			}
		}
	}
	return ""
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

// wantedLabels are those that say what an image is (OCI image spec, annotations.md).
var wantedLabels = []string{"title", "version", "source", "vendor", "revision", "licenses", "created"}

const standardLabel = "org.opencontainers.image."

var (
	labelKey    = compiled(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)
	placeholder = compiled(`^\{\{.*\}\}$|^<[^>]*>$|(?i)^(todo|tbd|fixme|changeme|unknown)$`)
)

// labelProblem says what is wrong with a label's form, "" for nothing.
func labelProblem(key, value string) string {
	name, _ := strings.CutPrefix(key, standardLabel)
	switch {
	case !labelKey.match(key):
		return "has a key that is not of the form of a reversed domain"
	case strings.TrimSpace(value) == "":
		return "is empty"
	case strings.Contains(value, "$"):
		return "" // filled in by a build argument
	case placeholder.match(value):
		return "was never filled in"
	case key == standardLabel+"created":
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return "is no date by RFC 3339"
		}
	case strings.HasPrefix(key, standardLabel) && slices.Contains([]string{"url", "documentation", "source"}, name):
		if u, err := url.Parse(value); err != nil || u.Scheme == "" || u.Host == "" {
			return "is no URL"
		}
	}
	return ""
}

var (
	promisesUser = compiled(`(?i)(no|non)[-_.]?root|rootless`)
	yes          = compiled(`(?i)^(true|yes|1|on|enabled)$`)
)

// labels judges LABEL.
func (j *judge) labels() {
	all := map[string]*dockerfile.Step{}
	for step := range j.steps(true) {
		c, ok := step.Command.(*instructions.LabelCommand)
		if !ok {
			continue
		}
		for _, kv := range c.Labels {
			all[kv.Key] = step
			if problem := labelProblem(kv.Key, kv.Value); problem != "" {
				j.found("labels-invalid", step, step.Line, "label "+kv.Key+" "+problem, kv.Key+"="+kv.Value)
			}
			if promisesUser.match(kv.Key) && yes.match(kv.Value) && j.breaks("root-user") {
				j.found("labels-untrue", step, step.Line, "label "+kv.Key+" is not true: the image runs as root", kv.Key+"="+kv.Value)
			}
		}
	}
	var missing []string
	for _, name := range wantedLabels {
		if all[standardLabel+name] == nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return
	}
	s := j.file.Final()
	from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
	j.found("labels-missing", from, s.Line, "labels "+standardLabel+"* are missing: "+strings.Join(missing, " "), "")
}

// breaks reports whether a finding of the rule is in the report already.
func (j *judge) breaks(rule string) bool {
	return slices.ContainsFunc(j.report.Findings, func(f Finding) bool { return f.Rule == rule })
}

// switchedOff are variables that switch off a protection, and the values that do.
var switchedOff = map[string]pattern{
	"PYTHONHTTPSVERIFY": compiled(`^0$`), "NODE_TLS_REJECT_UNAUTHORIZED": compiled(`^0$`), "GIT_SSL_NO_VERIFY": compiled(`(?i)^(1|true|yes)$`), "NPM_CONFIG_STRICT_SSL": compiled(`(?i)^false$`), "GOINSECURE": compiled(`.`),
	"GONOSUMDB": compiled(`^\*$`), "GOFLAGS": compiled(`-insecure`), "GONOSUMCHECK": compiled(`.`), "GOSUMDB": compiled(`^off$`), "PIP_TRUSTED_HOST": compiled(`.`), "APT_ALLOW_UNAUTHENTICATED": compiled(`.`), "YARN_STRICT_SSL": compiled(`(?i)^false$`),
	"OPENSSL_CONF": compiled(`^/dev/null$`), "DOCKER_CONTENT_TRUST": compiled(`^0$`), "COMPOSER_DISABLE_TLS": compiled(`^1$`), "CURL_INSECURE": compiled(`.`), "ANSIBLE_HOST_KEY_CHECKING": compiled(`(?i)^false$`),
}

// loaders are variables that say where code is loaded from.
var loaders = []string{"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "BASH_ENV", "ENV", "PERL5LIB", "RUBYLIB", "NODE_OPTIONS"}

// environmentProblem says what a variable does that it should not: the rule that it
// breaks and why, "" for none.
func environmentProblem(name, value string) (rule, what string) {
	if p, ok := switchedOff[name]; ok && p.match(value) {
		return "environment-insecure", name + " switches a protection off"
	}
	switch {
	case name == "PATH":
		for dir := range strings.SplitSeq(value, ":") {
			if dir == "" || dir == "." || !strings.HasPrefix(dir, "/") && !strings.HasPrefix(dir, "$") && !windowsPath(dir) {
				return "environment-loader", "PATH has an empty or relative directory"
			}
			if dir == "/tmp" || strings.HasPrefix(dir, "/tmp/") {
				return "environment-loader", "PATH has a directory that everybody may write: " + dir
			}
		}
	case slices.Contains([]string{"LD_PRELOAD", "LD_AUDIT", "BASH_ENV"}, name) && value != "":
		return "environment-loader", name + " loads code into every program"
	case slices.Contains(loaders, name) && slices.ContainsFunc(strings.Split(value, ":"), func(dir string) bool {
		return dir == "" && value != "" || dir == "." || strings.HasPrefix(dir, "/tmp") || strings.HasPrefix(dir, "./")
	}):
		return "environment-loader", name + " names a directory that somebody may write"
	}
	return "", ""
}

func windowsPath(p string) bool { return len(p) > 1 && p[1] == ':' || strings.Contains(p, `\`) }

// environment judges ENV.
func (j *judge) environment() {
	for step := range j.steps(true) {
		c, ok := step.Command.(*instructions.EnvCommand)
		if !ok || step.Stage.Windows {
			continue
		}
		for _, kv := range c.Env {
			if rule, what := environmentProblem(kv.Key, kv.Value); rule != "" {
				j.found(rule, step, step.Line, what, kv.Key+"="+kv.Value)
			}
		}
	}
}
