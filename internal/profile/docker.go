package profile

import (
	"fmt"
	"strconv"
	"strings"
)

// tmpfs returns the options of a directory that is written to (tmpfs(5)).
func (f *Facts) tmpfs(path string) string {
	const options = "rw,noexec,nosuid,nodev,"
	if f.User == nil {
		return path + ":" + options + "mode=1777"
	}
	return fmt.Sprintf("%s:%suid=%d,gid=%d,mode=0700", path, options, f.User.UID, f.User.GID)
}

func (f *Facts) cpus() string { return strconv.FormatFloat(f.CPUs, 'f', -1, 64) }

// compose writes a Compose file (compose-spec, spec.md).
func (p *Profile) compose() ([]byte, error) {
	f := p.Facts
	var ports, expose, tmpfs list
	for _, port := range f.Ports {
		ports = append(ports, fmt.Sprintf("%d:%s", port.Number, port))
	}
	for _, port := range f.Internal {
		expose = append(expose, port.String())
	}
	for _, path := range f.Writable {
		tmpfs = append(tmpfs, f.tmpfs(path))
	}
	security := list{"no-new-privileges:true"}
	if p.Seccomp != nil {
		security = append(security, "seccomp:./seccomp.json")
	}
	service := object{{"image", f.Reference}}
	add := func(name string, value any, known bool) {
		if known {
			service = append(service, member{name, value})
		}
	}
	add("user", f.userText(), f.User != nil)
	add("read_only", true, true)
	add("tmpfs", tmpfs, true)
	add("cap_drop", list{"ALL"}, true)
	add("security_opt", security, true)
	add("pids_limit", f.Processes, f.Processes > 0)
	add("mem_limit", strconv.FormatInt(f.Memory, 10)+"b", f.Memory > 0)
	add("memswap_limit", strconv.FormatInt(f.Memory, 10)+"b", f.Memory > 0)
	add("cpus", f.cpus(), f.CPUs > 0)
	add("ipc", "private", true)
	add("ports", ports, true)
	add("expose", expose, true)
	comments := p.comments("Beside seccomp.json. With AppArmor, load apparmor.profile and add apparmor:" + f.securityName() + " to security_opt.")
	return documents(comments, object{{"name", f.Name}, {"services", object{{f.Name, service}}}})
}

func (f *Facts) userText() string {
	if f.User == nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", f.User.UID, f.User.GID)
}

// quote makes one word of a POSIX shell.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@+%", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// dockerRun writes a script whose arguments are those of the command (docker-run(1)).
func (p *Profile) dockerRun() ([]byte, error) {
	f := p.Facts
	options := []string{"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"}
	add := func(known bool, format string, args ...any) {
		if known {
			options = append(options, quote(fmt.Sprintf(format, args...)))
		}
	}
	if p.Seccomp != nil {
		options = append(options, `--security-opt=seccomp="$dir/seccomp.json"`)
	}
	add(f.User != nil, "--user=%s", f.userText())
	for _, path := range f.Writable {
		add(true, "--tmpfs=%s", f.tmpfs(path))
	}
	add(f.Processes > 0, "--pids-limit=%d", f.Processes)
	add(f.Memory > 0, "--memory=%db", f.Memory)
	add(f.Memory > 0, "--memory-swap=%db", f.Memory)
	add(f.CPUs > 0, "--cpus=%s", f.cpus())
	options = append(options, "--ipc=private")
	for _, port := range f.Ports {
		add(true, "--publish=%d:%s", port.Number, port)
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	b.WriteString(p.comments("Beside seccomp.json. With AppArmor, load apparmor.profile and add --security-opt=apparmor=" + f.securityName() + ". ENGINE=podman runs it in podman."))
	b.WriteString("dir=$(cd -- \"$(dirname -- \"$0\")\" && pwd) || exit\nexec \"${ENGINE:-docker}\" run --rm \\\n")
	for _, o := range options {
		fmt.Fprintf(&b, "  %s \\\n", o)
	}
	fmt.Fprintf(&b, "  ${OPTIONS:-} \\\n  %s \"$@\"\n", quote(f.Reference))
	return []byte(b.String()), nil
}
