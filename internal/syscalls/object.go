package syscalls

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrNotELF is wrapped by errors about files that are no ELF program or library of 64
// bits for an architecture that this package knows.
var ErrNotELF = errors.New("no ELF program or library for amd64 or arm64")

// errMalformed is what is wrong with a file whose parts point outside of it.
var errMalformed = errors.New("malformed ELF file")

// Bounds of what is read of one file, far above what linkers write.
const (
	maxSegments = 256
	maxSections = 4096
	maxSymbols  = 4 << 20
	maxSpan     = 1 << 32 // bytes of the addresses of one file
)

type segment struct {
	elf.Prog64
}

// stretch is code of a file.
type stretch struct {
	addr uint64
	code []byte
}

func (s stretch) end() uint64 { return s.addr + uint64(len(s.code)) }

type symbol struct {
	name    string
	addr    uint64
	size    uint64
	kind    elf.SymType
	defined bool
}

// pointer is a word of data with the address of something in the same file.
type pointer struct{ at, to uint64 }

// object is an ELF file as the kernel and the dynamic linker see it (System V ABI,
// chapters 4 and 5), and what its sections add to that, where it has any.
type object struct {
	m        *machine
	data     []byte
	kind     elf.Type
	entry    uint64
	segments []segment
	sections []elf.Section64
	names    []byte // of sections
	code     []stretch

	interp, soname string
	needed         []string
	symbols        []symbol          // of the dynamic linker
	slots          map[uint64]string // words that the dynamic linker fills with a symbol's address
	kept           map[string]bool   // symbols whose address is in the file's own data
	exports        map[uint64]bool   // addresses of functions that other files find by name
	pointers       []pointer         // words of data with an address of the file itself
	initial        []uint64          // functions that run before main and after it

	starts []uint64          // where functions begin, sorted
	sure   map[uint64]bool   // those that a table says, other than a call
	labels map[uint64]string // names of functions
}

func parse(data []byte) (*object, error) {
	o := &object{data: data, slots: map[uint64]string{}, labels: map[uint64]string{}, kept: map[string]bool{}, exports: map[uint64]bool{}, sure: map[uint64]bool{}}
	if err := o.header(); err != nil {
		return nil, err
	}
	if err := o.dynamic(); err != nil {
		return nil, err
	}
	o.readCode()
	if len(o.code) == 0 {
		return o, nil
	}
	o.readStarts()
	return o, nil
}

func (o *object) header() error {
	var h elf.Header64
	if len(o.data) < 64 || !bytes.HasPrefix(o.data, []byte(elf.ELFMAG)) ||
		o.data[elf.EI_CLASS] != byte(elf.ELFCLASS64) || o.data[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return ErrNotELF
	}
	if _, err := binary.Decode(o.data, binary.LittleEndian, &h); err != nil {
		return ErrNotELF
	}
	switch elf.Machine(h.Machine) {
	case elf.EM_X86_64:
		o.m = amd64
	case elf.EM_AARCH64:
		o.m = arm64
	default:
		return fmt.Errorf("%w: %s", ErrNotELF, elf.Machine(h.Machine))
	}
	o.kind, o.entry = elf.Type(h.Type), h.Entry
	if o.kind != elf.ET_EXEC && o.kind != elf.ET_DYN {
		return fmt.Errorf("%w: %s", ErrNotELF, o.kind)
	}
	if h.Phentsize != 56 || h.Phnum == 0 || h.Phnum > maxSegments {
		return fmt.Errorf("%w: %d segments of %d bytes", errMalformed, h.Phnum, h.Phentsize)
	}
	for i := range uint64(h.Phnum) {
		b, err := o.bytes(h.Phoff+56*i, 56)
		if err != nil {
			return err
		}
		var s segment
		binary.Decode(b, binary.LittleEndian, &s.Prog64)
		if _, err := o.bytes(s.Off, s.Filesz); err != nil && elf.ProgType(s.Type) == elf.PT_LOAD {
			return err
		}
		o.segments = append(o.segments, s)
	}
	o.readSections(&h)
	return o.checkSpan()
}

// checkSpan bounds the addresses, which are kept in 32 bits.
func (o *object) checkSpan() error {
	low, high := ^uint64(0), uint64(0)
	for _, s := range o.segments {
		if elf.ProgType(s.Type) == elf.PT_LOAD {
			if s.Vaddr+s.Memsz < s.Vaddr || s.Memsz < s.Filesz {
				return fmt.Errorf("%w: a segment of %d bytes at %#x", errMalformed, s.Memsz, s.Vaddr)
			}
			low, high = min(low, s.Vaddr), max(high, s.Vaddr+s.Memsz)
		}
	}
	if high > maxSpan {
		return fmt.Errorf("%w: addresses of %#x to %#x, expected them below %#x", errMalformed, low, high, uint64(maxSpan))
	}
	return nil
}

// readSections keeps the section headers where they make sense; a stripped file has none.
func (o *object) readSections(h *elf.Header64) {
	if h.Shentsize != 64 || h.Shnum > maxSections {
		return
	}
	b, err := o.bytes(h.Shoff, 64*uint64(h.Shnum))
	if err != nil {
		return
	}
	o.sections = make([]elf.Section64, h.Shnum)
	binary.Decode(b, binary.LittleEndian, o.sections)
	if int(h.Shstrndx) < len(o.sections) {
		o.names = o.content(&o.sections[h.Shstrndx])
	}
}

// bytes returns a part of the file.
func (o *object) bytes(off, size uint64) ([]byte, error) {
	if off > uint64(len(o.data)) || size > uint64(len(o.data))-off {
		return nil, fmt.Errorf("%w: %d bytes at %d, the file has %d", errMalformed, size, off, len(o.data))
	}
	return o.data[off : off+size], nil
}

// content returns what a section has, nil if that is not in the file or compressed.
func (o *object) content(s *elf.Section64) []byte {
	if elf.SectionType(s.Type) == elf.SHT_NOBITS || elf.SectionFlag(s.Flags)&elf.SHF_COMPRESSED != 0 {
		return nil
	}
	b, _ := o.bytes(s.Off, s.Size)
	return b
}

func (o *object) section(name string) *elf.Section64 {
	for i := range o.sections {
		if text(o.names, uint64(o.sections[i].Name)) == name {
			return &o.sections[i]
		}
	}
	return nil
}

// text returns the string that begins at an offset of a string table.
func text(table []byte, off uint64) string {
	if off >= uint64(len(table)) {
		return ""
	}
	b := table[off:]
	if end := bytes.IndexByte(b[:min(len(b), 4096)], 0); end >= 0 {
		return string(b[:end])
	}
	return ""
}

// at returns what is in memory from an address on, to the end of what the file has there.
func (o *object) at(addr uint64) []byte {
	for i := range o.segments {
		s := &o.segments[i]
		if elf.ProgType(s.Type) == elf.PT_LOAD && addr >= s.Vaddr && addr-s.Vaddr < s.Filesz {
			b, _ := o.bytes(s.Off+addr-s.Vaddr, s.Filesz-(addr-s.Vaddr))
			return b
		}
	}
	return nil
}

func (o *object) word(addr uint64) (uint64, bool) {
	b := o.at(addr)
	if len(b) < 8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// readCode finds the code: executable sections or, without sections, segments.
func (o *object) readCode() {
	for i := range o.sections {
		s := &o.sections[i]
		const wanted = elf.SHF_ALLOC | elf.SHF_EXECINSTR
		if elf.SectionFlag(s.Flags)&wanted != wanted || elf.SectionType(s.Type) != elf.SHT_PROGBITS {
			continue
		}
		// The section must be what is loaded at its address.
		if loaded := o.at(s.Addr); uint64(len(loaded)) >= s.Size && o.executable(s.Addr) {
			o.code = append(o.code, stretch{s.Addr, loaded[:s.Size]})
		}
	}
	if len(o.code) == 0 {
		for i := range o.segments {
			s := &o.segments[i]
			if elf.ProgType(s.Type) == elf.PT_LOAD && elf.ProgFlag(s.Flags)&elf.PF_X != 0 {
				b, _ := o.bytes(s.Off, s.Filesz)
				o.code = append(o.code, stretch{s.Vaddr, b})
			}
		}
	}
	slices.SortFunc(o.code, func(a, b stretch) int { return cmp.Compare(a.addr, b.addr) })
	// Overlapping sections would be read twice, and a file may have many.
	end := uint64(0)
	o.code = slices.DeleteFunc(o.code, func(s stretch) bool {
		if s.addr < end {
			return true
		}
		end = s.end()
		return len(s.code) == 0
	})
}

func (o *object) executable(addr uint64) bool {
	return slices.ContainsFunc(o.segments, func(s segment) bool {
		return elf.ProgType(s.Type) == elf.PT_LOAD && elf.ProgFlag(s.Flags)&elf.PF_X != 0 && addr >= s.Vaddr && addr-s.Vaddr < s.Filesz
	})
}

// stretchOf returns the code that an address is in, nil if it is in none.
func (o *object) stretchOf(addr uint64) *stretch {
	i, ok := slices.BinarySearchFunc(o.code, addr, func(s stretch, addr uint64) int { return cmp.Compare(s.addr, addr) })
	if !ok {
		i--
	}
	if i < 0 || addr >= o.code[i].end() {
		return nil
	}
	return &o.code[i]
}
