package syscalls

import (
	"encoding/hex"
	"os"
	"testing"
)

// FuzzAnalyze: no file makes it crash or hang, and what it says can be put together.
func FuzzAnalyze(f *testing.F) {
	f.Add(program(f, "amd64", "b827000000 0f05 c3", 0))
	f.Add(program(f, "amd64", "89f8 0f05 c3 bf05000000 e8f1ffffff c3", 0, 5))
	f.Add(program(f, "arm64", "a80780d2 010000d4 c0035fd6", 0))
	f.Add(program(f, "arm64", "e80300aa 010000d4 c0035fd6 a00080d2 fcffff17", 0, 12))
	// A small library with all tables, where the host has it.
	for _, name := range []string{"/lib/x86_64-linux-gnu/libdl.so.2", "/lib/aarch64-linux-gnu/libdl.so.2"} {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Analyze(data)
		if err != nil {
			return
		}
		r := Reach(file.Arch, []Program{{Path: "/a", File: file}, {Path: "/b", File: &File{Arch: file.Arch, Imports: []string{"read", "syscall"}}}})
		for _, c := range r.Calls {
			if c.Name == "" || c.Number < 0 || c.Number >= maxNumber {
				t.Errorf("call %+v", c)
			}
		}
	})
}

// FuzzDecode: an instruction is at least one byte and lies in the code, and has places
// that exist.
func FuzzDecode(f *testing.F) {
	for _, code := range []string{"\x0f\x05", "\xb8\x01\x00\x00\x00", "\x62\xf1\x7c\x48\x10\x00", "\xc5\xf8\x77", "\xff\x25\x00\x00\x00\x00", "\xe8\x07\x80\xd2"} {
		f.Add([]byte(code))
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		for _, m := range []*machine{amd64, arm64} {
			in := inst{pc: 0x1000}
			if !m.decode(code, &in) {
				continue
			}
			if in.size < 1 || in.size > len(code) || in.n > len(in.defs) {
				t.Errorf("%s: % x: %+v", m.name, code, in)
			}
			for _, d := range in.defs[:in.n] {
				for _, p := range []place{d.to, d.from} {
					if p.reg < 0 || p.reg > 31 {
						t.Errorf("%s: % x: register %d", m.name, code, p.reg)
					}
				}
			}
		}
	})
}

// FuzzCode: no code makes the search for a number's origin go on for ever.
func FuzzCode(f *testing.F) {
	f.Add([]byte("\x89\xf8\x0f\x05\xc3\xbf\x05\x00\x00\x00\xe8\xf1\xff\xff\xff\xc3"), uint8(5), false)
	f.Add([]byte("\xbb\xca\x00\x00\x00\x89\xd8\x83\xc3\x01\x0f\x05\x85\xc0\x75\xf5\xc3"), uint8(0), false)
	f.Add([]byte("\xe8\x03\x00\xaa\x01\x00\x00\xd4\xc0\x03\x5f\xd6\xa0\x00\x80\xd2\xfc\xff\xff\x17"), uint8(12), true)
	f.Fuzz(func(t *testing.T, code []byte, start uint8, arm bool) {
		arch := "amd64"
		if arm {
			arch = "arm64"
		}
		file, err := Analyze(program(t, arch, hex.EncodeToString(code), 0, uint64(start)))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range file.Calls {
			if c.Number >= maxNumber || c.Number < 0 && c.Why == "" {
				t.Errorf("%+v", c)
			}
		}
	})
}
