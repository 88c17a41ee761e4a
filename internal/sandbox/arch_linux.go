package sandbox

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// machines has the first bytes of programs of each architecture, up to the machine
// (elf(5): e_ident, e_type, e_machine), by Debian's name and Go's where that is
// another one.
var machines = map[string]struct {
	class, data byte
	machine     uint16
}{
	"amd64": {2, 1, 62}, "arm64": {2, 1, 183}, "i386": {1, 1, 3}, "386": {1, 1, 3},
	"armhf": {1, 1, 40}, "armel": {1, 1, 40}, "arm": {1, 1, 40},
	"ppc64el": {2, 1, 21}, "ppc64le": {2, 1, 21}, "riscv64": {2, 1, 243}, "s390x": {2, 2, 22},
}

// Runs says whether this host can run programs of an architecture, by Debian's name or
// Go's: nil, or an error with [ErrUnsupported] in its chain. A foreign one needs an
// emulator that is registered with the kernel for every root (binfmt_misc, flag F). It
// does not find out whether the host can make sandboxes.
func Runs(arch string) error {
	host := runtime.GOARCH
	if arch == "" || arch == host || arch == "i386" && host == "amd64" {
		return nil
	}
	m, ok := machines[arch]
	if ok && m == machines[host] {
		return nil
	}
	head := make([]byte, 20)
	copy(head, "\x7fELF")
	head[4], head[5], head[6] = m.class, m.data, 1
	head[16], head[18], head[19] = 2, byte(m.machine), byte(m.machine>>8) // ET_EXEC
	if m.data == 2 {
		head[16], head[17], head[18], head[19] = 0, 2, byte(m.machine>>8), byte(m.machine)
	}
	entries, _ := filepath.Glob("/proc/sys/fs/binfmt_misc/*")
	for _, name := range entries {
		if text, err := os.ReadFile(name); ok && err == nil && emulates(string(text), head) {
			return nil
		}
	}
	return &Error{
		Doing: "cannot run programs of " + arch, Err: fmt.Errorf("%w: its processor is %s, and no emulator is registered", ErrUnsupported, host),
		Help: "install qemu-user-static (from Debian 13 on qemu-user-binfmt), which registers one",
	}
}

// emulates reports whether an entry of binfmt_misc (the kernel's
// admin-guide/binfmt-misc.rst) is for programs that begin like that, in any root.
func emulates(entry string, head []byte) bool {
	var enabled, everywhere bool
	var offset string
	var magic, mask []byte
	for line := range strings.Lines(entry) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch key {
		case "enabled":
			enabled = true
		case "flags:":
			everywhere = strings.Contains(value, "F")
		case "offset":
			offset = value
		case "magic":
			magic, err = hex.DecodeString(value)
		case "mask":
			mask, err = hex.DecodeString(value)
		}
		if err != nil {
			return false
		}
	}
	if !enabled || !everywhere || offset != "0" || len(magic) == 0 || len(magic) > len(head) {
		return false
	}
	for i, b := range magic {
		m := byte(0xff)
		if i < len(mask) {
			m = mask[i]
		}
		if head[i]&m != b&m {
			return false
		}
	}
	return true
}
