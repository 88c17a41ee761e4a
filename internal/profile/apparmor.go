package profile

import (
	"fmt"
	"strings"
)

// pattern makes a rule's path of a file's: quoted, and without what AppArmor's globbing
// gives a meaning (apparmor.d(5), Globbing).
func pattern(path string) string {
	var b strings.Builder
	for _, r := range path {
		switch {
		case r < ' ' || r == 0x7f:
			b.WriteByte('?')
		case strings.ContainsRune(`*?[]{}^,@\"`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// appArmor writes a profile (apparmor.d(5)) that needs no file of the host. What it
// does not allow is denied: capabilities, mounts, tracing, and programs that are not
// the image's.
func (p *Profile) appArmor() ([]byte, error) {
	f := p.Facts
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }
	b.WriteString(p.comments("AppArmor profile: apparmor_parser -r -W FILE loads it."))
	fmt.Fprintf(&b, "profile %s flags=(attach_disconnected,mediate_deleted) {\n", f.securityName())
	for _, family := range []string{"inet", "inet6"} {
		line("network %s stream,", family)
		line("network %s dgram,", family)
	}
	line("network unix,")
	line("network netlink raw,  # asks for the addresses of the machine")
	line("signal (send, receive) peer=%s,", f.securityName())
	for _, peer := range []string{"unconfined", "runc", "crun"} {
		line("signal (receive) peer=%s,", peer)
	}
	b.WriteString("\n")
	line("/ r,")
	line("/** r,")
	for _, dir := range p.libraries {
		line("%s mr,", strings.TrimSuffix(pattern(strings.TrimSuffix(dir, "/")+"/"), `"`)+`*"`)
	}
	for _, path := range f.Programs {
		line("%s mrix,", pattern(path))
	}
	b.WriteString("\n")
	for _, path := range f.Writable {
		line("%s rw,", pattern(path+"/"))
		line("%s rwkl,", strings.TrimSuffix(pattern(path+"/"), `"`)+`**"`)
	}
	for _, device := range []string{"null", "zero", "full", "tty", "ptmx", "pts/*", "shm/**"} {
		line("/dev/%s rwk,", device)
	}
	line("/proc/[0-9]*/fd/* rw,")
	line("/proc/[0-9]*/task/[0-9]*/comm rw,")
	line("/proc/[0-9]*/{comm,timerslack_ns,oom_score_adj} rw,")
	b.WriteString("\n")
	for _, path := range []string{"/proc/sys/**", "/sys/**"} {
		line("deny %s wkl,", path)
	}
	line("deny /proc/{sysrq-trigger,kcore,kmem,mem} rwkl,")
	line("deny mount,")
	line("deny umount,")
	line("deny pivot_root,")
	b.WriteString("}\n")
	return []byte(b.String()), nil
}
