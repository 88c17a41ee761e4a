package sandbox

import (
	"archive/tar"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

func init() {
	verbs["as"] = func(a []string) error { // runs a program under another name
		c := exec.Command(a[0])
		c.Args, c.Stdout, c.Stderr = a[1:], os.Stdout, os.Stderr
		return c.Run()
	}
}

// arm64Program is a program that prints the first nine bytes of its argv[0].
func arm64Program() []byte {
	code := []uint32{
		0xd2800020, // mov x0, #1
		0xf94007e1, // ldr x1, [sp, #8]
		0xd2800122, // mov x2, #9
		0xd2800808, // mov x8, #64  write
		0xd4000001, // svc #0
		0xd2800000, // mov x0, #0
		0xd2800ba8, // mov x8, #93  exit
		0xd4000001, // svc #0
	}
	const base, head = 0x400000, 64 + 56
	size := uint64(head + 4*len(code))
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Entry: base + head,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	copy(h.Ident[:], []byte{0x7f, 'E', 'L', 'F', 2, 1, 1})
	p := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 5, Vaddr: base, Filesz: size, Memsz: size, Align: 0x1000}
	var b strings.Builder
	for _, part := range []any{h, p, code} {
		binary.Write(&b, binary.LittleEndian, part)
	}
	return []byte(b.String())
}

// TestForeign: programs of another architecture run, where the host has an emulator.
func TestForeign(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("the program of the test is not foreign here")
	}
	s := space(t)
	err := s.Add(t.Context(), "arm64", nil, func(w *tar.Writer) error {
		b := arm64Program()
		if err := w.WriteHeader(&tar.Header{Name: "bin/foreign", Mode: 0o755, Size: int64(len(b))}); err != nil {
			return err
		}
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	st := Step{On: []string{"base", "arm64"}, Arch: "arm64", Args: []string{"prog", "as", "/bin/foreign", "its-name-"}, Env: env, Stdout: &out, Stderr: &out}
	r, err := s.Run(t.Context(), st)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.ExitCode != 0 || out.String() != "its-name-" || !strings.Contains(r.Facts.Emulator, "qemu") {
		t.Errorf("status %d, output %q, %+v", r.ExitCode, out.String(), r.Facts)
	}
	if !strings.HasPrefix(r.Facts.Landlock, "v") && r.Facts.Landlock != "none" {
		t.Errorf("landlock: %s", r.Facts.Landlock)
	}
}

// TestArchitectures: what an architecture's programs are told by, as QEMU's
// scripts/qemu-binfmt-conf.sh has it, and the names that architectures go by.
func TestArchitectures(t *testing.T) {
	for name, want := range map[string]string{
		"arm64": "7f454c460201010000000000000000000200b700",
		"s390x": "7f454c4602020100000000000000000000020016",
		"386":   "7f454c4601010100000000000000000002000300",
	} {
		if magic, _ := architectures[name].magic(); hex.EncodeToString(magic) != want {
			t.Errorf("%s: magic %x, want %s", name, magic, want)
		}
	}
	for debian, name := range debianArchs {
		if _, ok := architectures[name]; !ok {
			t.Errorf("%s: no architecture %s", debian, name)
		}
	}
	if e, err := findEmulator(runtime.GOARCH); e != nil || err != nil {
		t.Errorf("the machine's own: %v, %v", e, err)
	}
	if _, err := findEmulator("pdp11"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an unknown one: %v", err)
	}
}

// The host runs its own programs, and none of an architecture that there is not.
func TestRuns(t *testing.T) {
	if err := Runs(runtime.GOARCH); err != nil {
		t.Error(err)
	}
	if err := Runs("pdp11"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("pdp11: %v", err)
	}
}
