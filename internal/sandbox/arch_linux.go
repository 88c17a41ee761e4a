package sandbox

import (
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// An architecture is one whose programs can be run by qemu-user.
type architecture struct {
	qemu    string // as in the name of the emulator
	machine elf.Machine
	class   elf.Class
	data    elf.Data
}

// architectures by their GOARCH names.
var architectures = map[string]architecture{
	"386":      {"i386", elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB},
	"amd64":    {"x86_64", elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"arm":      {"arm", elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB},
	"arm64":    {"aarch64", elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"loong64":  {"loongarch64", elf.EM_LOONGARCH, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"mips64le": {"mips64el", elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"ppc64le":  {"ppc64le", elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"riscv64":  {"riscv64", elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"s390x":    {"s390x", elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB},
}

// debianArchs are the names of Debian's architectures that are not Go's.
var debianArchs = map[string]string{
	"i386": "386", "armhf": "arm", "armel": "arm", "mips64el": "mips64le", "ppc64el": "ppc64le",
}

// An emulator runs a foreign architecture's programs.
type emulator struct {
	Name  string // of the architecture, as qemu has it
	Path  string // on the host; "" where the host has none that could be used
	Host  string // the interpreter that the host has registered for every namespace, or ""
	Magic []byte
	Mask  []byte
}

// magic is what binfmt_misc tells the architecture's programs by: the beginning of
// an ELF header, of a program at a fixed place or anywhere, for whatever system.
func (a architecture) magic() (magic, mask []byte) {
	magic = append([]byte(elf.ELFMAG), byte(a.class), byte(a.data), byte(elf.EV_CURRENT))
	magic = append(magic, make([]byte, 9)...)
	mask = []byte(strings.Repeat("\xff", 20))
	mask[7] = 0
	if a.data == elf.ELFDATA2MSB {
		mask[17] = 0xfe
		return append(magic, 0, byte(elf.ET_EXEC), byte(a.machine>>8), byte(a.machine)), mask
	}
	mask[16] = 0xfe
	return append(magic, byte(elf.ET_EXEC), 0, byte(a.machine), byte(a.machine>>8)), mask
}

// findEmulator finds what could run programs of an architecture, by its Debian or
// GOARCH name; nil where this machine does itself.
func findEmulator(name string) (*emulator, error) {
	goarch := name
	if n, ok := debianArchs[name]; ok {
		goarch = n
	}
	if name == "" || goarch == runtime.GOARCH {
		return nil, nil
	}
	a, ok := architectures[goarch]
	if !ok {
		return nil, &Error{Doing: "cannot run programs of " + name, Err: fmt.Errorf("%w: the architecture is unknown here", ErrUnsupported)}
	}
	e := &emulator{Name: a.qemu}
	e.Magic, e.Mask = a.magic()
	e.Host = hostRegistration(e.Magic)
	for _, program := range []string{"qemu-" + a.qemu + "-static", "qemu-" + a.qemu} {
		if path, err := exec.LookPath(program); err == nil && isStatic(path) {
			if e.Path, err = filepath.EvalSymlinks(path); err == nil {
				return e, nil
			}
		}
	}
	if e.Host == "" {
		return nil, e.unsupported(errors.New("there is no emulator"))
	}
	return e, nil
}

// Runs says whether this host has what runs programs of an architecture, by its Debian
// or GOARCH name: nil, or an error with [ErrUnsupported] in its chain. It does not find
// out whether the host can make sandboxes.
func Runs(arch string) error {
	_, err := findEmulator(arch)
	return err
}

func (e *emulator) unsupported(err error) error {
	return &Error{
		Doing: "cannot run programs of " + e.Name,
		Err:   fmt.Errorf("%w: %w", ErrUnsupported, err),
		Help: fmt.Sprintf("install qemu-user-static (Debian 13 and later: qemu-user), which has a statically linked qemu-%s; "+
			"before Linux 6.7 it must also be registered on the host with binfmt_misc's flag F, as the package does", e.Name),
	}
}

// isStatic reports whether a program needs no loader and no libraries: those of the
// host are not inside.
func isStatic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

// hostRegistration is the interpreter that the host's binfmt_misc has for a magic, if
// it opened it when it was registered (flag F): then it need not be inside.
func hostRegistration(magic []byte) string {
	files, _ := filepath.Glob("/proc/sys/fs/binfmt_misc/*")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(b), "enabled\n") {
			continue
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(b)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			fields[name] = value
		}
		if fields["magic"] == hex.EncodeToString(magic) && strings.Contains(fields["flags:"], "F") {
			return fields["interpreter"]
		}
	}
	return ""
}

// emulate has the kernel run programs of the architecture by the emulator: in a
// binfmt_misc of this user namespace, from Linux 6.7 on, or as the host does for
// all. It must be called while the host's files are in sight. It returns the
// emulator for [Facts.Emulator], and a descriptor of its file, or -1.
func (e *emulator) emulate() (held string, file int, err error) {
	held, err = e.register()
	path := e.Path
	if err != nil {
		if e.Host == "" {
			return "", -1, e.unsupported(err)
		}
		held, path = e.Host+", registered by the host", e.Host
	}
	file, err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return held, -1, nil // of a host whose files a container does not see
	}
	return held, file, nil
}

func (e *emulator) register() (string, error) {
	if e.Path == "" {
		return "", errors.New("there is no emulator")
	}
	// The registration lasts as long as the mount, and that as long as the descriptor:
	// it is never closed.
	mount, err := newMount("binfmt_misc", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return "", fmt.Errorf("its emulator cannot be registered: %w", err)
	}
	fd, err := unix.Openat(mount, "register", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("its emulator cannot be registered: %w", err)
	}
	defer unix.Close(fd)
	// admin-guide/binfmt-misc.rst; P keeps argv[0], F opens the emulator now.
	line := fmt.Sprintf(":qemu-%s:M::%s:%s:%s:PF", e.Name, escaped(e.Magic), escaped(e.Mask), e.Path)
	if _, err := unix.Write(fd, []byte(line)); err != nil {
		return "", fmt.Errorf("its emulator %s cannot be registered: %w", e.Path, err)
	}
	return e.Path + ", registered in the sandbox", nil
}

func escaped(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}
