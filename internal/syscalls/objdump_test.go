package syscalls

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// The decoder finds the instructions that binutils finds, vector instructions too, in a
// library that has those of every generation of processors.
func TestDecodeAgainstObjdump(t *testing.T) {
	name := os.Getenv("HARDPAN_OBJDUMP_FILE") // another file, for those who work on the decoder
	if name == "" {
		name = "/lib/x86_64-linux-gnu/libm.so.6"
	}
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("SKIPPED: needs objdump (package binutils) in PATH: the decoder was not compared with it")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Skipf("SKIPPED: needs %s on the host: the decoder was not compared with objdump", name)
	}
	o, err := parse(data)
	if err != nil || o.m.name != "amd64" {
		t.Fatalf("%s: %v", name, err)
	}
	cmd := exec.Command(objdump, "-d", "--no-show-raw-insn", "-w", "-j", ".text", name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var in inst
	end, line, compared, wrong := uint64(0), "", 0, 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		address, text, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":\t")
		at, err := strconv.ParseUint(address, 16, 64)
		if !ok || err != nil {
			continue
		}
		if end != 0 && end != at && !strings.Contains(line, "(bad)") && wrong < 20 {
			t.Errorf("the instruction before %#x ends at %#x: %s", at, end, line)
			wrong++
		}
		s := o.stretchOf(at)
		in.reset(at)
		if s == nil || !o.m.decode(s.code[at-s.addr:], &in) {
			if !strings.Contains(text, "(bad)") && !strings.HasPrefix(text, "rex") && wrong < 20 { // data among the code
				t.Errorf("%#x is no instruction, objdump says %s", at, text)
				wrong++
			}
			end = 0
			continue
		}
		if strings.HasPrefix(text, "syscall") != (in.flow == flowSyscall) {
			t.Errorf("%#x: flow %d, objdump says %s", at, in.flow, text)
		}
		end, line = at+uint64(in.size), text
		if s.code[at-s.addr] == 0x9b {
			end = 0 // fwait, which objdump shows as a part of what follows
		}
		compared++
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if compared < 1000 {
		t.Errorf("%d instructions compared", compared)
	}
}
