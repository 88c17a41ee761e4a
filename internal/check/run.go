package check

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/harden/tool"
)

func rootUser(q *question) string {
	r := q.Runner()
	switch {
	case r.UID == 0 && q.Config.User == "":
		q.found(said("the config names no user, which is root", ""))
	case r.UID == 0 && r.Named != "" && r.Named != "root":
		q.found(said(fmt.Sprintf("user %s is number 0 in /etc/passwd, which is root", r.Named), q.Config.User))
	case r.UID == 0:
		q.found(said("the config's user is root", q.Config.User))
	case r.UID < 0 && r.Named == "root":
		q.found(said("the config's user is root", q.Config.User))
	case r.UID < 0:
		return fmt.Sprintf("nobody can tell who %q is: /etc/passwd does not have it", r.Named)
	}
	return applies
}

func rootGroup(q *question) string {
	r := q.Runner()
	if r.UID <= 0 {
		return "the user is root or not known"
	}
	if r.GID == 0 || slices.Contains(r.Groups, 0) {
		q.found(said("the process has the group 0", q.Config.User))
	}
	return applies
}

func userByName(q *question) string {
	r := q.Runner()
	switch {
	case r.Named == "":
	case r.UID < 0:
		q.foundAs(harden.Medium, said(fmt.Sprintf("user %q is not in /etc/passwd: the container does not start", r.Named), q.Config.User))
	default:
		q.found(said(fmt.Sprintf("the user is a name; its number is %d", r.UID), q.Config.User))
	}
	return applies
}

// health returns the words of the health check, and whether a shell reads them.
func (q *question) health() (words []string, shell, ok bool) {
	h := q.Config.Healthcheck
	if h == nil || len(h.Test) < 2 || h.Test[0] == "NONE" {
		return nil, false, false
	}
	return h.Test[1:], h.Test[0] == "CMD-SHELL", true
}

func healthcheckMissing(q *question) string {
	if _, _, ok := q.health(); !ok {
		q.found(said("there is no health check", ""))
	}
	return applies
}

func healthcheckBroken(q *question) string {
	words, shell, ok := q.health()
	if !ok {
		return "there is no health check"
	}
	command := strings.Join(words, " ")
	if shell {
		if q.Look("/bin/sh") == nil {
			q.found(said("the health check needs /bin/sh, which the image lacks", command))
			return applies
		}
		q.foundAs(harden.Low, said("the health check needs a shell", command))
		words = strings.Fields(command)
	}
	if len(words) == 0 {
		q.found(said("the health check runs nothing", ""))
		return applies
	}
	f := q.Look(words[0])
	switch {
	case f == nil && !shell:
		q.found(said("the program of the health check is not in the image", command))
		return applies
	case f == nil:
		return applies
	case !f.Executable():
		q.found(at(f, "the program of the health check may not be executed", mode(f)))
	}
	for _, t := range f.Tools {
		if t.Kind == tool.Shell || t.Kind == tool.NetworkClient {
			q.foundAs(harden.Low, at(f, fmt.Sprintf("the health check runs a %s", strings.ReplaceAll(string(t.Kind), "-", " ")), command))
		}
	}
	return applies
}

// maxExposed bounds how many of the config's exposed ports, or ranges of them, are read.
const maxExposed = 256

// ports returns the exposed ports by number.
func (q *question) ports() map[int]string {
	ports := map[int]string{}
	for _, p := range q.Config.ExposedPorts[:min(len(q.Config.ExposedPorts), maxExposed)] {
		text, _, _ := strings.Cut(p, "/")
		from, to, is := strings.Cut(text, "-")
		first, err := strconv.Atoi(from)
		last := first
		if is && err == nil {
			last, err = strconv.Atoi(to)
		}
		for n := first; err == nil && n <= last && n <= 65535; n++ {
			ports[n] = p
		}
	}
	return ports
}

func privilegedPort(q *question) string {
	ports := q.ports()
	if len(ports) == 0 {
		return "no port is exposed"
	}
	for n := range 1024 {
		if p, ok := ports[n]; ok {
			q.found(said(fmt.Sprintf("port %d is below 1024", n), p))
		}
	}
	return applies
}

func adminPort(q *question) string {
	ports := q.ports()
	if len(ports) == 0 {
		return "no port is exposed"
	}
	for _, n := range sortedKeys(ports) {
		if service, ok := harden.AdminPorts[n]; ok {
			q.found(said(fmt.Sprintf("port %d is that of %s", n, service), ports[n]))
		}
	}
	return applies
}

var (
	portFlag   = compiled(`^--?(?:port|listen|bind|addr|address|http-port|p)(?:=(?:.*:)?(\d{2,5}))?$`)
	portInText = compiled(`(?:^|[=/@]|\b)(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]|)?:(\d{2,5})(?:[/?'"\s]|$)`)
	portListen = compiled(`(?m)^\s*listen\s+(?:[^\s;]*:)?(\d{2,5})\b`)
)

// used returns the ports that the image is told to use, and by what.
func (q *question) usedPorts() map[int]string {
	used := map[int]string{}
	note := func(digits, by string) {
		if n, err := strconv.Atoi(digits); err == nil && n > 0 && n <= 65535 && used[n] == "" {
			used[n] = by
		}
	}
	for _, e := range q.Config.Env {
		if name, value, _ := strings.Cut(e, "="); name == "PORT" || strings.HasSuffix(name, "_PORT") && !foreignPort.MatchString(name) {
			note(value, e)
		}
	}
	health, _, _ := q.health()
	words := slices.Concat(q.Config.Entrypoint, q.Config.Cmd)
	for i, w := range words {
		if m := portFlag.get().FindStringSubmatch(w); m != nil {
			if m[1] != "" {
				note(m[1], w)
			} else if i+1 < len(words) {
				note(words[i+1], w+" "+words[i+1])
			}
		}
	}
	for _, w := range slices.Concat(words, health) {
		for _, m := range portInText.get().FindAllStringSubmatch(w, 16) {
			note(m[1], w)
		}
	}
	for f := range q.All() {
		if base := path.Dir(f.Path); f.Path == "etc/nginx/nginx.conf" || base == "etc/nginx/conf.d" || base == "etc/nginx/sites-enabled" {
			for _, m := range portListen.get().FindAllSubmatch(q.Text(f.Path), 64) {
				note(string(m[1]), "/"+f.Path)
			}
		}
	}
	return used
}

// foreignPort are variables that name ports of others.
var foreignPort = compiled(`(?i)(DB|DATABASE|REDIS|POSTGRES|PG|MYSQL|MONGO|SMTP|MAIL|PROXY|KAFKA|RABBIT|AMQP|REMOTE|UPSTREAM|BACKEND)`)

func portUndeclared(q *question) string {
	used, ports := q.usedPorts(), q.ports()
	if len(used) == 0 {
		return "nothing names a port that the image would use"
	}
	for _, n := range sortedKeys(used) {
		if _, ok := ports[n]; !ok {
			q.found(said(fmt.Sprintf("port %d is used and not exposed", n), used[n]))
		}
	}
	return applies
}

// systemPaths are those over which a volume changes the system.
var systemPaths = []string{"/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var", "/var/run", "/var/lib", "/opt"}

func volumeSystemPath(q *question) string {
	if len(q.Config.Volumes) == 0 {
		return "the image declares no volume"
	}
	for _, v := range q.Config.Volumes {
		p := path.Clean("/" + v)
		inside := slices.ContainsFunc([]string{"/dev/", "/etc/", "/proc/", "/sys/", "/boot/", "/bin/", "/sbin/"}, func(dir string) bool { return strings.HasPrefix(p, dir) })
		if slices.Contains(systemPaths, p) || inside || strings.HasSuffix(p, "docker.sock") || strings.HasSuffix(p, "containerd.sock") {
			q.found(Finding{Path: p, Message: "a volume is mounted over the system", Value: v})
		}
	}
	return applies
}

// command returns what the image starts.
func (q *question) command() []string { return slices.Concat(q.Config.Entrypoint, q.Config.Cmd) }

func isShell(word string) bool {
	return slices.Contains([]string{"sh", "bash", "ash", "dash", "busybox", "zsh", "ksh", "cmd", "powershell", "pwsh"}, path.Base(word))
}

func shellEntrypoint(q *question) string {
	words := q.command()
	if len(words) == 0 {
		return "the image starts nothing by itself"
	}
	for _, list := range [][]string{q.Config.Entrypoint, q.Config.Cmd} {
		if len(list) > 1 && isShell(list[0]) && strings.HasPrefix(list[1], "-") && strings.Contains(list[1], "c") {
			q.found(said("a shell reads the command", strings.Join(list, " ")))
		} else if len(list) == 1 && isShell(list[0]) {
			q.found(said("the image starts a shell", list[0]))
		}
	}
	return applies
}

func entrypointMissing(q *question) string {
	words := q.command()
	if len(words) == 0 {
		return "the image starts nothing by itself"
	}
	f := q.Look(words[0])
	switch {
	case f == nil:
		q.found(said("the program that the image starts is not in it", words[0]))
	case f.Type == facts.Directory || !f.Executable():
		q.found(at(f, "what the image starts may not be executed", mode(f)))
	}
	return applies
}

// loaderVariables let files decide what programs do.
var loaderVariables = []string{"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "BASH_ENV", "ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "NODE_OPTIONS", "NODE_PATH", "PERL5LIB", "PERL5OPT", "RUBYLIB", "RUBYOPT", "JAVA_TOOL_OPTIONS"}

func environmentLoader(q *question) string {
	if len(q.Config.Env) == 0 {
		return "the config has no environment"
	}
	r := q.Runner()
	for _, name := range append([]string{"PATH"}, loaderVariables...) {
		value, ok := q.Env(name)
		if !ok || name != "PATH" && value == "" {
			continue
		}
		isPath := name == "PATH" || strings.HasSuffix(name, "PATH") || strings.HasSuffix(name, "LIB")
		if !isPath {
			if name == "LD_PRELOAD" || name == "LD_AUDIT" || name == "BASH_ENV" {
				q.found(said(name+" is set", value))
			}
			continue
		}
		for dir := range strings.SplitSeq(value, ":") {
			if why := q.unsafeDirectory(dir, r); why != "" {
				q.found(said(fmt.Sprintf("%s has %q, %s", name, dir, why), value))
			}
		}
	}
	return applies
}

// unsafeDirectory says why a program should not be looked for in a directory.
func (q *question) unsafeDirectory(dir string, r facts.Runner) string {
	if !path.IsAbs(dir) {
		return "which is the working directory or below it"
	}
	f := q.Resolve(dir)
	switch {
	case slices.ContainsFunc([]string{"/tmp", "/var/tmp", "/dev/shm"}, func(t string) bool { return dir == t || strings.HasPrefix(dir, t+"/") }):
		return "where everybody writes"
	case f == nil || f.Type != facts.Directory:
		return ""
	case f.Mode&0o002 != 0:
		return "where everybody may write"
	case r.UID > 0 && r.Writes(f):
		return "where the image's user may write"
	}
	return ""
}

// insecure are variables that switch protections off, and the values that do.
var insecure = []struct {
	name  string
	value *pattern
}{
	{"PYTHONHTTPSVERIFY", compiled(`^0$`)}, {"NODE_TLS_REJECT_UNAUTHORIZED", compiled(`^0$`)}, {"GIT_SSL_NO_VERIFY", compiled(`(?i)^(1|true|yes)$`)},
	{"NPM_CONFIG_STRICT_SSL", compiled(`(?i)^false$`)}, {"npm_config_strict_ssl", compiled(`(?i)^false$`)}, {"PIP_TRUSTED_HOST", compiled(`.`)},
	{"PGSSLMODE", compiled(`^(disable|allow)$`)}, {"GOINSECURE", compiled(`.`)}, {"GONOSUMCHECK", compiled(`.`)}, {"GONOSUMDB", compiled(`.`)}, {"GOFLAGS", compiled(`-insecure`)},
	{"CURL_INSECURE", compiled(`.`)}, {"YARN_STRICT_SSL", compiled(`(?i)^false$`)}, {"REQUESTS_CA_BUNDLE", compiled(`^$`)}, {"ANSIBLE_HOST_KEY_CHECKING", compiled(`(?i)^false$`)},
	{"OPENSSL_CONF", compiled(`^/dev/null$`)}, {"DOCKER_CONTENT_TRUST", compiled(`^0$`)}, {"COMPOSER_DISABLE_TLS", compiled(`^1$`)}, {"HEX_UNSAFE_HTTPS", compiled(`^1$`)},
}

func environmentInsecure(q *question) string {
	if len(q.Config.Env) == 0 {
		return "the config has no environment"
	}
	for _, v := range insecure {
		if value, ok := q.Env(v.name); ok && v.value.MatchString(value) {
			q.found(said(v.name+" switches a protection off", v.name+"="+value))
		}
	}
	return applies
}

func stopSignal(q *question) string {
	s := strings.TrimPrefix(strings.ToUpper(q.Config.StopSignal), "SIG")
	if s == "" {
		return "the config says none, so that it is SIGTERM"
	}
	if s == "KILL" || s == "9" {
		q.foundAs(harden.Low, said("the program is killed without a word", q.Config.StopSignal))
	}
	return applies
}
