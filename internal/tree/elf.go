package tree

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ELF is what the dynamic linker needs to know of an executable or library (System
// V ABI, chapters 4 and 5).
type ELF struct {
	Class     uint8    `json:"class"` // 32 or 64
	BigEndian bool     `json:"bigendian,omitempty"`
	Machine   uint16   `json:"machine"` // e_machine
	OSABI     uint8    `json:"osabi,omitempty"`
	Flags     uint32   `json:"flags,omitempty"` // e_flags
	Type      uint16   `json:"type"`            // e_type: 2 executable, 3 shared object or position-independent executable
	Interp    string   `json:"interp,omitempty"`
	Soname    string   `json:"soname,omitempty"`
	Needed    []string `json:"needed,omitempty"`
	RPath     []string `json:"rpath,omitempty"`
	RunPath   []string `json:"runpath,omitempty"`
	Flags1    uint32   `json:"flags1,omitempty"`  // DT_FLAGS_1
	ISA1      uint32   `json:"isa1,omitempty"`    // GNU_PROPERTY_X86_ISA_1_NEEDED (x86-64 psABI, "program property")
	Dynamic   bool     `json:"dynamic,omitempty"` // has a dynamic section
	BuildID   string   `json:"-"`                 // NT_GNU_BUILD_ID in hex, where it has one; not kept with the others
}

// IsELF reports whether a file that begins with head is an ELF file.
func IsELF(head []byte) bool { return bytes.HasPrefix(head, []byte(elf.ELFMAG)) }

// ReadELF reads the facts about the ELF file r. It looks where the dynamic
// linker looks, at the segments and never at the sections, so that a file whose
// section headers were stripped gives the same facts. Files that are ELF only in
// part (core dumps, object files, debug data) give facts without libraries; a
// malformed file is an error.
func ReadELF(r io.ReaderAt) (*ELF, error) {
	f := &elfReader{r: r}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	e := &f.facts
	var dynamic *elf.Prog64
	for i := range f.segments {
		p := &f.segments[i]
		switch elf.ProgType(p.Type) {
		case elf.PT_INTERP:
			b, err := f.bytes(p.Off, min(p.Filesz, maxELFString))
			if err != nil {
				return nil, fmt.Errorf("interpreter of ELF file: %w", err)
			}
			name, _, _ := bytes.Cut(b, []byte{0})
			e.Interp = string(name)
		case elf.PT_DYNAMIC:
			dynamic = p
		case elf.PT_NOTE:
			if e.BuildID == "" {
				e.BuildID = f.readBuildID(p)
			}
		case elf.PT_GNU_PROPERTY:
			if err := f.readProperties(p); err != nil {
				return nil, fmt.Errorf("properties of ELF file: %w", err)
			}
		}
	}
	linked := e.Type == uint16(elf.ET_EXEC) || e.Type == uint16(elf.ET_DYN)
	if dynamic == nil || dynamic.Filesz == 0 || !linked {
		return e, nil
	}
	if err := f.readDynamic(dynamic); err != nil {
		return nil, fmt.Errorf("dynamic section of ELF file: %w", err)
	}
	return e, nil
}

// Bounds of what is read of one file, far above what linkers write.
const (
	maxELFString   = 4 << 10 // bytes of one string
	maxELFDynamic  = 1 << 20 // bytes of a dynamic section
	maxELFProperty = 4 << 10 // bytes of a property note
	maxELFNote     = 4 << 10 // bytes of a segment of notes that are looked at
)

type elfReader struct {
	r        io.ReaderAt
	order    binary.ByteOrder
	facts    ELF
	segments []elf.Prog64
}

// bytes returns n bytes at offset off of the file.
func (f *elfReader) bytes(off, n uint64) ([]byte, error) {
	b := make([]byte, n)
	if off > 1<<62 {
		return nil, io.ErrUnexpectedEOF
	}
	got, err := f.r.ReadAt(b, int64(off))
	if uint64(got) == n {
		return b, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

// readHeader reads the ELF header and the program headers.
func (f *elfReader) readHeader() error {
	ident, err := f.bytes(0, elf.EI_NIDENT)
	if err != nil {
		return fmt.Errorf("ELF header: %w", err)
	}
	if !IsELF(ident) {
		return fmt.Errorf("ELF header: begins with %q", ident[:4])
	}
	switch elf.Data(ident[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		f.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		f.order, f.facts.BigEndian = binary.BigEndian, true
	default:
		return fmt.Errorf("ELF header: unknown byte order %d", ident[elf.EI_DATA])
	}
	f.facts.OSABI = ident[elf.EI_OSABI]

	var h elf.Header64
	switch elf.Class(ident[elf.EI_CLASS]) {
	case elf.ELFCLASS64:
		f.facts.Class = 64
		err = f.decode(0, &h)
	case elf.ELFCLASS32:
		f.facts.Class = 32
		var h32 elf.Header32
		err = f.decode(0, &h32)
		h = elf.Header64{Type: h32.Type, Machine: h32.Machine, Flags: h32.Flags,
			Phoff: uint64(h32.Phoff), Phentsize: h32.Phentsize, Phnum: h32.Phnum}
	default:
		return fmt.Errorf("ELF header: unknown class %d", ident[elf.EI_CLASS])
	}
	if err != nil {
		return fmt.Errorf("ELF header: %w", err)
	}
	f.facts.Machine, f.facts.Type, f.facts.Flags = h.Machine, h.Type, h.Flags
	if err := f.readSegments(&h); err != nil {
		return fmt.Errorf("program headers of ELF file: %w", err)
	}
	return nil
}

func (f *elfReader) readSegments(h *elf.Header64) error {
	if h.Phnum == 0 {
		return nil // an object file
	}
	size := binary.Size(elf.Prog64{})
	if f.facts.Class == 32 {
		size = binary.Size(elf.Prog32{})
	}
	if int(h.Phentsize) != size {
		return fmt.Errorf("entries of %d bytes, expected %d", h.Phentsize, size)
	}
	table, err := f.bytes(h.Phoff, uint64(h.Phnum)*uint64(size))
	if err != nil {
		return err
	}
	for entry := range chunks(table, size) {
		var p elf.Prog64
		if f.facts.Class == 64 {
			_, err = binary.Decode(entry, f.order, &p)
		} else {
			var q elf.Prog32
			_, err = binary.Decode(entry, f.order, &q)
			p = elf.Prog64{Type: q.Type, Off: uint64(q.Off), Vaddr: uint64(q.Vaddr),
				Filesz: uint64(q.Filesz), Memsz: uint64(q.Memsz), Align: uint64(q.Align)}
		}
		if err != nil {
			return err
		}
		f.segments = append(f.segments, p)
	}
	return nil
}

func (f *elfReader) decode(off uint64, v any) error {
	b, err := f.bytes(off, uint64(binary.Size(v)))
	if err != nil {
		return err
	}
	_, err = binary.Decode(b, f.order, v)
	return err
}

// readDynamic reads the entries that name libraries and where to find them.
func (f *elfReader) readDynamic(p *elf.Prog64) error {
	if p.Filesz > maxELFDynamic {
		return fmt.Errorf("%d bytes, at most %d are read", p.Filesz, maxELFDynamic)
	}
	table, err := f.bytes(p.Off, p.Filesz)
	if err != nil {
		return err
	}
	entries := f.dynamicEntries(table)
	var strtab uint64
	for _, d := range entries {
		if elf.DynTag(d.Tag) == elf.DT_STRTAB {
			strtab = d.Val
		}
	}
	off, ok := f.fileOffset(strtab)
	if !ok {
		return fmt.Errorf("string table at address %#x, which no segment loads", strtab)
	}
	e := &f.facts
	e.Dynamic = true
	for _, d := range entries {
		var s string
		switch elf.DynTag(d.Tag) {
		case elf.DT_FLAGS_1:
			e.Flags1 = uint32(d.Val)
			continue
		case elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH:
			if s, err = f.string(off, d.Val); err != nil {
				return err
			}
		}
		switch elf.DynTag(d.Tag) {
		case elf.DT_NEEDED:
			e.Needed = append(e.Needed, s)
		case elf.DT_SONAME:
			e.Soname = s
		case elf.DT_RPATH:
			e.RPath = splitPaths(s)
		case elf.DT_RUNPATH:
			e.RunPath = splitPaths(s)
		}
	}
	return nil
}

func (f *elfReader) dynamicEntries(table []byte) []elf.Dyn64 {
	size := int(f.facts.Class) / 4 // two words
	var entries []elf.Dyn64
	for b := range chunks(table, size) {
		var d elf.Dyn64
		if size == 16 {
			d = elf.Dyn64{Tag: int64(f.order.Uint64(b)), Val: f.order.Uint64(b[8:])}
		} else {
			d = elf.Dyn64{Tag: int64(int32(f.order.Uint32(b))), Val: uint64(f.order.Uint32(b[4:]))}
		}
		if elf.DynTag(d.Tag) == elf.DT_NULL {
			break
		}
		entries = append(entries, d)
	}
	return entries
}

// fileOffset returns where in the file the byte lies that is loaded at addr.
func (f *elfReader) fileOffset(addr uint64) (uint64, bool) {
	for _, p := range f.segments {
		if elf.ProgType(p.Type) == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return p.Off + addr - p.Vaddr, true
		}
	}
	return 0, false
}

// string returns the zero-terminated string at index of the table at offset table.
func (f *elfReader) string(table, index uint64) (string, error) {
	if index > 1<<32 || table > 1<<61 {
		return "", io.ErrUnexpectedEOF
	}
	var b [maxELFString]byte
	n := 0
	for n < len(b) {
		// Short reads first: nearly every name fits the first one.
		next := min(max(n, 64), len(b)-n)
		got, err := f.r.ReadAt(b[n:n+next], int64(table+index)+int64(n))
		if end := bytes.IndexByte(b[n:n+got], 0); end >= 0 {
			return string(b[:n+end]), nil
		}
		if err != nil {
			return "", io.ErrUnexpectedEOF
		}
		n += got
	}
	return "", fmt.Errorf("string longer than %d bytes", maxELFString)
}

// ntGNUProperty and x86ISA1Needed are not in debug/elf.
const (
	ntGNUProperty = 5          // NT_GNU_PROPERTY_TYPE_0
	x86ISA1Needed = 0xc0008002 // GNU_PROPERTY_X86_ISA_1_NEEDED
)

// readProperties reads the first property note of the segment p (Linux gABI
// extensions, "program property"). A note that is not laid out as expected says
// nothing, as for the dynamic linker.
func (f *elfReader) readProperties(p *elf.Prog64) error {
	align := int(f.facts.Class) / 8
	if p.Align != uint64(align) || p.Filesz > maxELFProperty {
		return nil
	}
	note, err := f.bytes(p.Off, p.Filesz)
	if err != nil {
		return err
	}
	for len(note) > 12 {
		nameLen, descLen := int(f.order.Uint32(note)), int(f.order.Uint32(note[4:]))
		start := (12 + nameLen + align - 1) &^ (align - 1)
		if start > len(note) || descLen > len(note)-start {
			return nil
		}
		desc := note[start : start+descLen]
		if f.order.Uint32(note[8:]) == ntGNUProperty && nameLen == 4 && string(note[12:16]) == "GNU\x00" {
			f.facts.ISA1 = f.isa1(desc, align)
			return nil
		}
		note = note[min(len(note), (start+descLen+align-1)&^(align-1)):]
	}
	return nil
}

// isa1 returns the ISA levels that the properties in desc need.
// buildIDNote is the type of the note with a file's build id, NT_GNU_BUILD_ID.
const buildIDNote = 3

// readBuildID returns the build id among the notes of a segment, "" where there is
// none or the notes cannot be read: nothing that runs depends on it.
func (f *elfReader) readBuildID(p *elf.Prog64) string {
	notes, err := f.bytes(p.Off, min(p.Filesz, maxELFNote))
	if err != nil {
		return ""
	}
	const align = 4
	for len(notes) > 12 {
		nameLen, descLen, kind := uint64(f.order.Uint32(notes)), uint64(f.order.Uint32(notes[4:])), f.order.Uint32(notes[8:])
		start := (12 + nameLen + align - 1) &^ (align - 1)
		if start+descLen > uint64(len(notes)) {
			return ""
		}
		if kind == buildIDNote && nameLen == 4 && string(notes[12:15]) == "GNU" && descLen > 2 {
			return hex.EncodeToString(notes[start : start+descLen])
		}
		next := min((start+descLen+align-1)&^(align-1), uint64(len(notes)))
		notes = notes[next:]
	}
	return ""
}

func (f *elfReader) isa1(desc []byte, align int) uint32 {
	if len(desc)%align != 0 {
		return 0
	}
	for len(desc) >= 8 {
		tag, size := f.order.Uint32(desc), int(f.order.Uint32(desc[4:]))
		if size > len(desc)-8 || tag > x86ISA1Needed {
			return 0
		}
		if tag == x86ISA1Needed {
			if size != 4 {
				return 0
			}
			return f.order.Uint32(desc[8:])
		}
		desc = desc[min(len(desc), 8+(size+align-1)&^(align-1)):]
	}
	return 0
}

// chunks yields b in pieces of size bytes and drops an incomplete last one.
func chunks(b []byte, size int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for ; len(b) >= size; b = b[size:] {
			if !yield(b[:size]) {
				return
			}
		}
	}
}

// splitPaths returns the directories of a search path. An empty one, which
// ld.so takes for the working directory, is dropped: what it holds is not known.
func splitPaths(list string) []string {
	var dirs []string
	for dir := range strings.SplitSeq(list, ":") {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
