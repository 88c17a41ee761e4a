package ldso

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// ABI is what the dynamic linker of an architecture takes for its own.
type ABI struct {
	Triplet   string // Debian's multiarch triplet, such as "x86_64-linux-gnu"
	Machine   uint16 // e_machine
	Class     uint8  // 32 or 64
	BigEndian bool
	Platform  string // $PLATFORM in a search path (ld.so(8)), of the oldest machine supported

	// flags returns the cache's flags for a library as this architecture's ldconfig
	// has them, false for a file it leaves out (readelflib.c of each architecture).
	flags      func(e *tree.ELF, base uint32) (uint32, bool)
	signedChar bool
}

var abis = map[string]ABI{
	"amd64":   {Triplet: "x86_64-linux-gnu", Machine: uint16(elf.EM_X86_64), Class: 64, Platform: "x86_64", flags: flagsX86, signedChar: true},
	"i386":    {Triplet: "i386-linux-gnu", Machine: uint16(elf.EM_386), Class: 32, Platform: "i686", flags: flagsX86, signedChar: true},
	"arm64":   {Triplet: "aarch64-linux-gnu", Machine: uint16(elf.EM_AARCH64), Class: 64, Platform: "aarch64", flags: flagsARM},
	"armhf":   {Triplet: "arm-linux-gnueabihf", Machine: uint16(elf.EM_ARM), Class: 32, Platform: "v7l", flags: flagsARM},
	"ppc64el": {Triplet: "powerpc64le-linux-gnu", Machine: uint16(elf.EM_PPC64), Class: 64, Platform: "power8", flags: flags64(0x500)},
	"riscv64": {Triplet: "riscv64-linux-gnu", Machine: uint16(elf.EM_RISCV), Class: 64, flags: flagsRISCV},
	"s390x":   {Triplet: "s390x-linux-gnu", Machine: uint16(elf.EM_S390), Class: 64, BigEndian: true, Platform: "z900", flags: flags64(0x400)},
}

// ABIOf returns the ABI of an architecture by Debian's name: amd64, arm64, armhf,
// i386, ppc64el, riscv64 or s390x. Another name is an error.
func ABIOf(arch string) (ABI, error) {
	abi, ok := abis[arch]
	if !ok {
		return ABI{}, fmt.Errorf("architecture %q: the dynamic linker's rules are known for amd64, arm64, armhf, i386, ppc64el, riscv64 and s390x", arch)
	}
	return abi, nil
}

// Fits reports whether the dynamic linker of a loads e: its class, byte order and
// machine are right.
func (a ABI) Fits(e *tree.ELF) bool {
	return e.Class == a.Class && e.Machine == a.Machine && e.BigEndian == a.BigEndian
}

// SystemDirs returns the directories that the dynamic linker searches last
// (elf/trusted-dirs of Debian's glibc), in order.
func (a ABI) SystemDirs() []string {
	return []string{"/lib/" + a.Triplet, "/usr/lib/" + a.Triplet, "/lib", "/usr/lib"}
}

// Flags of a cache entry (glibc, sysdeps/generic/ldconfig.h). The low byte is the
// kind of library, the high one what the machine must have.
const (
	flagELF      = 0x001 // of glibc 2.36 and older: nothing says which libc it needs
	flagELFLibc6 = 0x003
)

func flagsX86(e *tree.ELF, base uint32) (uint32, bool) {
	switch {
	case e.Machine == uint16(elf.EM_X86_64) && e.Class == 64:
		return 0x300 | flagELFLibc6, true
	case e.Machine == uint16(elf.EM_X86_64): // x32
		return 0x800 | flagELFLibc6, true
	case e.Machine == uint16(elf.EM_386) && e.Class == 32:
		return base, true
	}
	return 0, false
}

// flagsARM serves 32 and 64 bits; like ldconfig it does not look at e_machine.
func flagsARM(e *tree.ELF, base uint32) (uint32, bool) {
	const eabiMask, eabi5, hard, soft = 0xff000000, 0x05000000, 0x400, 0x200
	switch {
	case e.Class == 64:
		return 0xa00 | flagELFLibc6, true
	case e.Flags&eabiMask != eabi5:
		return base, true
	case e.Flags&hard != 0:
		return 0x900 | flagELFLibc6, true
	case e.Flags&soft != 0:
		return 0xb00 | flagELFLibc6, true
	}
	return flagELFLibc6, true
}

func flagsRISCV(e *tree.ELF, base uint32) (uint32, bool) {
	const rvc, floatABI, double = 0x1, 0x6, 0x4
	if e.Flags&^(rvc|floatABI) != 0 {
		return 0, false
	}
	switch e.Flags & floatABI {
	case 0:
		return 0xf00 | base, true
	case double:
		return 0x1000 | base, true
	}
	return 0, false
}

// flags64 marks libraries of 64 bits with flag.
func flags64(flag uint32) func(*tree.ELF, uint32) (uint32, bool) {
	return func(e *tree.ELF, base uint32) (uint32, bool) {
		if e.Class == 64 {
			return flag | flagELFLibc6, true
		}
		return base, true
	}
}

// baseFlags returns the flags of a library where the architecture adds none. Up
// to glibc 2.36 a library shows its kind by what it needs.
func (l libc) baseFlags(e *tree.ELF, a ABI) uint32 {
	if !l.legacy || slices.Contains(e.Needed, "libc.so.6") || slices.Contains(e.Needed, "libm.so.6") {
		return flagELFLibc6
	}
	if strings.HasPrefix(e.Interp, "/lib/ld-linux") && e.Class == a.Class {
		return flagELFLibc6
	}
	return flagELF
}
