package tree_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"runtime"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

// files are ELF files with one of each thing that the dynamic linker reads.
const files = `
/static elf amd64 static
/program elf amd64 exec interp=/lib64/ld-linux-x86-64.so.2 needed=libc.so.6,libm.so.6
/library elf amd64 soname=libz.so.1 needed=libc.so.6 runpath=$ORIGIN:/opt/lib isa=0x6 nodeflib
/little32 elf armhf soname=libz.so.1 rpath=/a
/big64 elf s390x interp=/lib/ld64.so.1 soname=libc.so.6
/isa32 elf i386 soname=libz.so.1 isa=0x2
/riscv elf riscv64 needed=libc.so.6
`

func TestReadELF(t *testing.T) {
	for n := range treetest.New(t, files).All() {
		if n.ELF == nil {
			continue
		}
		got, err := tree.ReadELF(bytes.NewReader(treetest.EncodeELF(n.ELF)))
		if err != nil {
			t.Errorf("/%s: %v", n.Path, err)
			continue
		}
		if !reflect.DeepEqual(got, n.ELF) {
			have, _ := json.Marshal(got)
			want, _ := json.Marshal(n.ELF)
			t.Errorf("/%s has the facts\n%s, want\n%s", n.Path, have, want)
		}
	}
}

// A file that ends early is an error and never facts that are half right.
func TestReadELFTruncated(t *testing.T) {
	image := treetest.New(t, files)
	whole := treetest.EncodeELF(image.Lookup("library").ELF)
	for _, size := range []int{0, 3, 15, 40, 64, 100, len(whole) - 1} {
		if e, err := tree.ReadELF(bytes.NewReader(whole[:size])); err == nil {
			t.Errorf("%d of %d bytes give %+v", size, len(whole), e)
		}
	}
	for _, text := range []string{"", "#!/bin/sh\n # a script, no ELF file", "\x7fELF\x03\x01\x01 unknown class ................", "\x7fELF\x02\x07\x01 unknown order ..............."} {
		if e, err := tree.ReadELF(bytes.NewReader([]byte(text))); err == nil {
			t.Errorf("%q gives %+v", text, e)
		}
	}
}

// The facts about the test's own program are those that the Go linker says.
func TestReadELFOfThisProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a Linux program to read, this is ", runtime.GOOS)
	}
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	defer f.Close()
	e, err := tree.ReadELF(f)
	if err != nil {
		t.Fatal(err)
	}
	if e.Soname != "" || e.Machine == 0 || e.Interp != "" && !e.Dynamic {
		t.Errorf("facts %+v", e)
	}
}

func FuzzReadELF(f *testing.F) {
	for n := range treetest.New(f, files).All() {
		if n.ELF != nil {
			f.Add(treetest.EncodeELF(n.ELF))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := tree.ReadELF(bytes.NewReader(b))
		if err != nil {
			return
		}
		if !tree.IsELF(b) || e.Class != 32 && e.Class != 64 {
			t.Errorf("facts %+v about %q", e, b)
		}
		if !e.Dynamic && (len(e.Needed) > 0 || e.Soname != "") {
			t.Errorf("libraries without a dynamic section: %+v", e)
		}
	})
}
