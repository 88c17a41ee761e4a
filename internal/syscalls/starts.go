package syscalls

import (
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"slices"
	"strings"
)

// readStarts finds where functions begin: symbols, the tables for unwinding the
// stack, which stripped files have too, and Go's table of functions.
func (o *object) readStarts() {
	for _, s := range o.symbols {
		if s.defined && s.kind == elf.STT_FUNC || s.kind == elf.STT_GNU_IFUNC {
			o.start(s.addr, s.name)
		}
	}
	o.readSymtab()
	o.readUnwind()
	o.readGo()
	o.start(o.entry, "")
	for _, addr := range o.initial {
		o.start(addr, "")
	}
	for _, s := range o.code {
		o.start(s.addr, "")
	}
	o.seal()
}

// seal sorts the starts.
func (o *object) seal() {
	slices.Sort(o.starts)
	o.starts = slices.Compact(o.starts)
}

// start notes a function; the first name that it is given stays.
func (o *object) start(addr uint64, name string) {
	if o.stretchOf(addr) == nil || addr%o.m.align != 0 {
		return
	}
	o.starts = append(o.starts, addr)
	o.sure[addr] = true
	if name != "" && o.labels[addr] == "" {
		o.labels[addr] = name
	}
}

// readSymtab reads the linker's own symbols, where they were not stripped.
func (o *object) readSymtab() {
	for i := range o.sections {
		s := &o.sections[i]
		if elf.SectionType(s.Type) != elf.SHT_SYMTAB || int(s.Link) >= len(o.sections) {
			continue
		}
		names := o.content(&o.sections[s.Link])
		for _, sym := range readSymbolTable(o.content(s), names, maxSymbols) {
			if sym.defined && (sym.kind == elf.STT_FUNC || sym.kind == elf.STT_GNU_IFUNC) {
				o.start(sym.addr, sym.name)
			}
		}
		return // there is one (System V ABI, chapter 4)
	}
}

// Encodings of pointers in the table for unwinding (LSB Core, "DWARF Exception
// Header Encoding"); linkers write no others.
const (
	pointerUdata4 = 0x03
	pointerData4  = 0x3b // relative to the table, with a sign
	pointerPC4    = 0x1b // relative to itself, with a sign
)

// readUnwind reads the sorted table of functions in PT_GNU_EH_FRAME (LSB Core, "The
// .eh_frame_hdr section"), and their ends from the entries that it points to.
func (o *object) readUnwind() {
	for _, s := range o.segments {
		if elf.ProgType(s.Type) != elf.PT_GNU_EH_FRAME {
			continue
		}
		b, err := o.bytes(s.Off, s.Filesz)
		if err != nil || len(b) < 12 || b[0] != 1 || b[1] != pointerPC4 || b[2] != pointerUdata4 || b[3] != pointerData4 {
			continue
		}
		n := uint64(binary.LittleEndian.Uint32(b[8:]))
		for b = b[12:]; n > 0 && len(b) >= 8; n, b = n-1, b[8:] {
			begin := s.Vaddr + uint64(int64(int32(binary.LittleEndian.Uint32(b))))
			entry := s.Vaddr + uint64(int64(int32(binary.LittleEndian.Uint32(b[4:]))))
			end := o.unwindEnd(begin, entry)
			if o.signalFrame(entry) {
				// The entry of what returns from a signal begins an instruction
				// early, as unwinders look before the address that they return to.
				begin += o.m.align
			}
			o.start(begin, "")
			if end != 0 {
				o.starts = append(o.starts, end) // what follows belongs to nobody known
			}
		}
		return
	}
}

// unwindEnd returns where the function of a frame description entry ends, 0 if it is
// not in the form that compilers write.
func (o *object) unwindEnd(begin, entry uint64) uint64 {
	b := o.at(entry)
	if len(b) < 16 || binary.LittleEndian.Uint32(b) == ^uint32(0) {
		return 0
	}
	if entry+8+uint64(int64(int32(binary.LittleEndian.Uint32(b[8:])))) != begin {
		return 0
	}
	end := begin + uint64(binary.LittleEndian.Uint32(b[12:]))
	if end%o.m.align != 0 || o.stretchOf(end) == nil {
		return 0
	}
	return end
}

// readGo reads the names of a Go program's functions, which it has even if stripped.
func (o *object) readGo() {
	table := o.section(".gopclntab")
	if table == nil {
		table = o.section(".data.rel.ro.gopclntab")
	}
	code := o.section(".text")
	if table == nil || code == nil {
		return
	}
	t, err := gosym.NewTable(nil, gosym.NewLineTable(o.content(table), o.goText(table, code)))
	if err != nil {
		return
	}
	for i := range t.Funcs {
		o.start(t.Funcs[i].Entry, t.Funcs[i].Name)
	}
	if len(t.Funcs) > 0 {
		o.m = o.m.forGo()
	}
}

// goText returns the address that Go's table counts from: where its own code begins,
// which comes after that of C in a program that has both. The runtime's moduledata
// has it (runtime/symtab.go: it begins with the address of the table, and the text
// follows six slices, two addresses of tables and one of code).
func (o *object) goText(table, code *elf.Section64) uint64 {
	const textField = 8 + 6*24 + 3*8
	if b := o.content(table); len(b) >= 32 {
		// Until Go 1.25 the table's own header has it, unless it is relocated.
		if text := binary.LittleEndian.Uint64(b[24:]); text != 0 && o.stretchOf(text) != nil {
			return text
		}
	}
	relocated := map[uint64]uint64{}
	for _, p := range o.pointers {
		relocated[p.at] = p.to
	}
	for at, to := range relocated {
		if text := relocated[at+textField]; to == table.Addr && o.stretchOf(text) != nil {
			return text
		}
	}
	for i := range o.sections {
		s := &o.sections[i]
		if elf.SectionFlag(s.Flags)&(elf.SHF_ALLOC|elf.SHF_WRITE) != elf.SHF_ALLOC|elf.SHF_WRITE {
			continue
		}
		for b := o.content(s); len(b) >= textField+8; b = b[8:] {
			if binary.LittleEndian.Uint64(b) == table.Addr {
				if text := binary.LittleEndian.Uint64(b[textField:]); o.stretchOf(text) != nil {
					return text
				}
			}
		}
	}
	return code.Addr
}

// signalFrame reports whether the frame description entry is about a signal's frame:
// whether the augmentation of what it has in common with others has an S.
func (o *object) signalFrame(entry uint64) bool {
	b := o.at(entry)
	if len(b) < 8 {
		return false
	}
	common := o.at(entry + 4 - uint64(binary.LittleEndian.Uint32(b[4:])))
	if len(common) < 10 {
		return false
	}
	return strings.Contains(text(common, 9), "S")
}
