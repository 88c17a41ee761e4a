package treetest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
)

// EncodeELF returns a file that has exactly the facts of e and nothing else: headers,
// one loaded segment, and what the dynamic linker reads of it. It cannot run.
func EncodeELF(e *tree.ELF) []byte {
	w := elfWriter{e: e, order: binary.LittleEndian}
	if e.BigEndian {
		w.order = binary.BigEndian
	}
	return w.file()
}

type elfWriter struct {
	e     *tree.ELF
	order binary.ByteOrder
	body  bytes.Buffer // what follows the headers
	progs []elf.Prog64
	start int // offset of body
}

func (w *elfWriter) file() []byte {
	const most = 4 // program headers: load, interpreter, property, dynamic
	w.start = binary.Size(elf.Header64{}) + most*binary.Size(elf.Prog64{})
	if w.e.Interp != "" {
		w.segment(elf.PT_INTERP, append([]byte(w.e.Interp), 0), 1)
	}
	if w.e.ISA1 != 0 {
		w.segment(elf.PT_GNU_PROPERTY, w.property(), uint64(w.word()))
	}
	if w.e.Dynamic {
		w.dynamic()
	}
	size := uint64(w.start + w.body.Len())
	w.progs = append([]elf.Prog64{{Type: uint32(elf.PT_LOAD), Filesz: size, Memsz: size, Align: 4096}}, w.progs...)

	out := bytes.NewBuffer(w.header())
	for _, p := range w.progs {
		if w.e.Class == 64 {
			w.write(out, p)
		} else {
			w.write(out, elf.Prog32{Type: p.Type, Off: uint32(p.Off), Vaddr: uint32(p.Vaddr),
				Filesz: uint32(p.Filesz), Memsz: uint32(p.Memsz), Align: uint32(p.Align)})
		}
	}
	out.Write(make([]byte, w.start-out.Len()))
	out.Write(w.body.Bytes())
	return out.Bytes()
}

func (w *elfWriter) header() []byte {
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT), w.e.OSABI}
	if w.e.BigEndian {
		ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	var out bytes.Buffer
	h := elf.Header64{Ident: ident, Type: w.e.Type, Machine: w.e.Machine, Version: 1, Flags: w.e.Flags,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(w.progs)), Shentsize: 64}
	if w.e.Class == 64 {
		w.write(&out, h)
		return out.Bytes()
	}
	h.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS32)
	w.write(&out, elf.Header32{Ident: h.Ident, Type: h.Type, Machine: h.Machine, Version: 1, Flags: h.Flags,
		Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: h.Phnum, Shentsize: 40})
	return out.Bytes()
}

func (w *elfWriter) word() int { return int(w.e.Class) / 8 }

// segment appends b at a multiple of eight bytes and a program header for it.
func (w *elfWriter) segment(typ elf.ProgType, b []byte, align uint64) {
	w.body.Write(make([]byte, -(w.start+w.body.Len())&7))
	off := uint64(w.start + w.body.Len())
	w.body.Write(b)
	w.progs = append(w.progs, elf.Prog64{Type: uint32(typ), Off: off, Vaddr: off, Filesz: uint64(len(b)), Memsz: uint64(len(b)), Align: align})
}

func (w *elfWriter) property() []byte {
	var out bytes.Buffer
	desc := (12 + w.word() - 1) &^ (w.word() - 1)
	w.write(&out, []uint32{4, uint32(desc), 5})
	out.WriteString("GNU\x00")
	w.write(&out, []uint32{0xc0008002, 4, w.e.ISA1})
	out.Write(make([]byte, desc-12))
	return out.Bytes()
}

func (w *elfWriter) dynamic() {
	strs := bytes.NewBuffer([]byte{0})
	var entries []elf.Dyn64
	add := func(tag elf.DynTag, s string) {
		entries = append(entries, elf.Dyn64{Tag: int64(tag), Val: uint64(strs.Len())})
		strs.WriteString(s + "\x00")
	}
	for _, needed := range w.e.Needed {
		add(elf.DT_NEEDED, needed)
	}
	if w.e.Soname != "" {
		add(elf.DT_SONAME, w.e.Soname)
	}
	for tag, dirs := range map[elf.DynTag][]string{elf.DT_RPATH: w.e.RPath, elf.DT_RUNPATH: w.e.RunPath} {
		if len(dirs) > 0 {
			var list []byte
			for _, dir := range dirs {
				list = append(append(list, dir...), ':')
			}
			add(tag, string(list[:len(list)-1]))
		}
	}
	if w.e.Flags1 != 0 {
		entries = append(entries, elf.Dyn64{Tag: int64(elf.DT_FLAGS_1), Val: uint64(w.e.Flags1)})
	}
	w.body.Write(make([]byte, -(w.start+w.body.Len())&7))
	table := uint64(w.start + w.body.Len())
	w.body.Write(strs.Bytes())
	entries = append(entries, elf.Dyn64{Tag: int64(elf.DT_STRTAB), Val: table},
		elf.Dyn64{Tag: int64(elf.DT_STRSZ), Val: uint64(strs.Len())}, elf.Dyn64{})

	var out bytes.Buffer
	for _, d := range entries {
		if w.e.Class == 64 {
			w.write(&out, d)
		} else {
			w.write(&out, elf.Dyn32{Tag: int32(d.Tag), Val: uint32(d.Val)})
		}
	}
	w.segment(elf.PT_DYNAMIC, out.Bytes(), uint64(w.word()))
}

func (w *elfWriter) write(out *bytes.Buffer, v any) {
	if err := binary.Write(out, w.order, v); err != nil {
		panic(err) // a value without a fixed size: a mistake in this file
	}
}

// Write writes t to the directory root on disk, for a program to look at. Owners
// and times are not kept.
func Write(tb testing.TB, t *tree.Tree, root string) {
	tb.Helper()
	for n := range t.All() {
		name := filepath.Join(root, n.Path)
		var err error
		switch n.Type {
		case tree.Hardlink: // made below, once its file is there
		case tree.Dir:
			err = os.MkdirAll(name, 0o755)
		case tree.Symlink:
			err = os.Symlink(n.Link, name)
		default:
			var b []byte
			if b, err = t.ReadFile(n.Path); err == nil {
				err = os.WriteFile(name, b, os.FileMode(n.Mode&0o777))
			}
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	for n := range t.All() {
		if n.Type == tree.Hardlink {
			if err := os.Link(filepath.Join(root, n.Link), filepath.Join(root, n.Path)); err != nil {
				tb.Fatal(err)
			}
		}
	}
}
