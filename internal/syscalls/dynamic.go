package syscalls

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// tables are the addresses in the dynamic section.
type tables map[elf.DynTag]uint64

// dynamic reads what the dynamic linker reads: libraries, symbols and relocations.
func (o *object) dynamic() error {
	var raw []byte
	for _, s := range o.segments {
		switch elf.ProgType(s.Type) {
		case elf.PT_INTERP:
			b, err := o.bytes(s.Off, s.Filesz)
			if err != nil {
				return err
			}
			o.interp = text(append(bytes.Clone(b[:min(len(b), 4096)]), 0), 0)
		case elf.PT_DYNAMIC:
			raw, _ = o.bytes(s.Off, s.Filesz)
		}
	}
	t := tables{}
	var needed []uint64
	for ; len(raw) >= 16; raw = raw[16:] {
		tag, value := elf.DynTag(binary.LittleEndian.Uint64(raw)), binary.LittleEndian.Uint64(raw[8:])
		if tag == elf.DT_NULL {
			break
		}
		if tag == elf.DT_NEEDED {
			needed = append(needed, value)
			continue
		}
		t[tag] = value
	}
	names := o.at(t[elf.DT_STRTAB])
	if size := t[elf.DT_STRSZ]; size < uint64(len(names)) {
		names = names[:size]
	}
	for _, n := range needed {
		o.needed = append(o.needed, text(names, n))
	}
	if name, ok := t[elf.DT_SONAME]; ok {
		o.soname = text(names, name)
	}
	if err := o.readSymbols(t, names); err != nil {
		return err
	}
	o.readRelocations(t)
	o.readInitial(t)
	return nil
}

// readSymbols reads the dynamic symbol table, whose length only the hash tables say.
func (o *object) readSymbols(t tables, names []byte) error {
	table := o.at(t[elf.DT_SYMTAB])
	if t[elf.DT_SYMTAB] == 0 || table == nil {
		return nil
	}
	n := o.symbolCount(t)
	if n > maxSymbols {
		return fmt.Errorf("%w: %d symbols", errMalformed, n)
	}
	o.symbols = readSymbolTable(table, names, n)
	for _, s := range o.symbols {
		if s.defined && s.kind == elf.STT_FUNC {
			o.exports[s.addr] = true
		}
	}
	return nil
}

func readSymbolTable(table, names []byte, n uint64) []symbol {
	var list []symbol
	for ; n > 0 && len(table) >= 24; n, table = n-1, table[24:] {
		var s elf.Sym64
		binary.Decode(table, binary.LittleEndian, &s)
		list = append(list, symbol{
			name: text(names, uint64(s.Name)), addr: s.Value, size: s.Size, kind: elf.ST_TYPE(s.Info),
			defined: elf.SectionIndex(s.Shndx) != elf.SHN_UNDEF,
		})
	}
	return list
}

func (o *object) symbolCount(t tables) uint64 {
	if b := o.at(t[elf.DT_HASH]); t[elf.DT_HASH] != 0 && len(b) >= 8 {
		return uint64(binary.LittleEndian.Uint32(b[4:]))
	}
	if addr, ok := t[elf.DT_GNU_HASH]; ok {
		if n, ok := o.gnuHashCount(addr); ok {
			return n
		}
	}
	if start, end := t[elf.DT_SYMTAB], t[elf.DT_STRTAB]; end > start { // as linkers place them
		return (end - start) / 24
	}
	return 0
}

// gnuHashCount returns how many symbols the GNU hash table leads to: one more than
// the last one of its chains.
func (o *object) gnuHashCount(addr uint64) (uint64, bool) {
	b := o.at(addr)
	if len(b) < 16 {
		return 0, false
	}
	buckets, first, bloom := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:])), uint64(binary.LittleEndian.Uint32(b[8:]))
	chains := 16 + bloom*8 + buckets*4
	if chains > uint64(len(b)) {
		return 0, false
	}
	last := uint64(0)
	for i := range buckets {
		last = max(last, uint64(binary.LittleEndian.Uint32(b[16+bloom*8+i*4:])))
	}
	if last < first {
		return first, true // it defines none
	}
	for ; ; last++ {
		at := chains + (last-first)*4
		if at+4 > uint64(len(b)) {
			return 0, false
		}
		if binary.LittleEndian.Uint32(b[at:])&1 != 0 {
			return last + 1, true
		}
	}
}

// readRelocations notes the words that get the address of a symbol or of code.
func (o *object) readRelocations(t tables) {
	for _, r := range []struct{ addr, size elf.DynTag }{{elf.DT_RELA, elf.DT_RELASZ}, {elf.DT_JMPREL, elf.DT_PLTRELSZ}} {
		b := o.at(t[r.addr])
		if t[r.addr] == 0 {
			continue
		}
		b = b[:min(uint64(len(b)), t[r.size])]
		for ; len(b) >= 24; b = b[24:] {
			var rela elf.Rela64
			binary.Decode(b, binary.LittleEndian, &rela)
			o.relocate(&rela)
		}
	}
	o.readRelr(t)
}

func (o *object) relocate(r *elf.Rela64) {
	switch o.m.dataOf[elf.R_TYPE64(r.Info)] {
	case relocSymbol:
		i := elf.R_SYM64(r.Info)
		if uint64(i) >= uint64(len(o.symbols)) {
			return
		}
		s := &o.symbols[i]
		if s.name != "" {
			o.slots[r.Off] = s.name
		}
		if t := elf.R_TYPE64(r.Info); t == uint32(elf.R_X86_64_64) && o.m.name == "amd64" || t == uint32(elf.R_AARCH64_ABS64) && o.m.name == "arm64" {
			o.kept[s.name] = true
		}
		if s.defined && !o.jumpSlot(r) {
			o.pointers = append(o.pointers, pointer{r.Off, s.addr + uint64(r.Addend)})
		}
	case relocRelative, relocResolver:
		o.pointers = append(o.pointers, pointer{r.Off, uint64(r.Addend)})
	}
}

// jumpSlot reports whether only calls go through the word, which then makes no
// pointer that somebody could pass around.
func (o *object) jumpSlot(r *elf.Rela64) bool {
	t := elf.R_TYPE64(r.Info)
	return t == uint32(elf.R_X86_64_JMP_SLOT) && o.m.name == "amd64" || t == uint32(elf.R_AARCH64_JUMP_SLOT) && o.m.name == "arm64"
}

// readRelr reads relative relocations in their packed form (System V ABI, DT_RELR).
func (o *object) readRelr(t tables) {
	const (
		dtRelrSize = elf.DynTag(35)
		dtRelr     = elf.DynTag(36)
	)
	b := o.at(t[dtRelr])
	if t[dtRelr] == 0 {
		return
	}
	b = b[:min(uint64(len(b)), t[dtRelrSize])]
	add := func(addr uint64) {
		if v, ok := o.word(addr); ok {
			o.pointers = append(o.pointers, pointer{addr, v})
		}
	}
	var where uint64
	for ; len(b) >= 8; b = b[8:] {
		entry := binary.LittleEndian.Uint64(b)
		if entry&1 == 0 {
			add(entry)
			where = entry + 8
			continue
		}
		for i := uint64(0); i < 63; i++ {
			if entry>>(i+1)&1 != 0 {
				add(where + i*8)
			}
		}
		where += 63 * 8
	}
}

// readInitial notes the functions that the dynamic linker itself calls.
func (o *object) readInitial(t tables) {
	for _, tag := range []elf.DynTag{elf.DT_INIT, elf.DT_FINI} {
		if addr := t[tag]; addr != 0 {
			o.initial = append(o.initial, addr)
		}
	}
	// The arrays' words are among the relocations; a file that is not relocated has
	// the addresses in them.
	for _, r := range []struct{ addr, size elf.DynTag }{
		{elf.DT_INIT_ARRAY, elf.DT_INIT_ARRAYSZ}, {elf.DT_FINI_ARRAY, elf.DT_FINI_ARRAYSZ}, {elf.DT_PREINIT_ARRAY, elf.DT_PREINIT_ARRAYSZ},
	} {
		b := o.at(t[r.addr])
		if t[r.addr] == 0 {
			continue
		}
		for b = b[:min(uint64(len(b)), t[r.size])]; len(b) >= 8; b = b[8:] {
			if v := binary.LittleEndian.Uint64(b); v != 0 {
				o.initial = append(o.initial, v)
			}
		}
	}
}
