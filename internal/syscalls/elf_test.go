package syscalls

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// program returns an ELF file with this code, given in hex, for amd64 or arm64. Its
// entry is the first instruction, and every offset in starts the start of a function.
func program(t testing.TB, arch, code string, starts ...uint64) []byte {
	t.Helper()
	text, err := hex.DecodeString(strings.Join(strings.Fields(code), ""))
	if err != nil {
		t.Fatal(err)
	}
	const base, offset = 0x400000, 0x100
	machine := elf.EM_X86_64
	if arch == "arm64" {
		machine = elf.EM_AARCH64
	}
	var names, symbols bytes.Buffer
	names.WriteByte(0)
	binary.Write(&symbols, binary.LittleEndian, elf.Sym64{})
	for i, at := range starts {
		binary.Write(&symbols, binary.LittleEndian, elf.Sym64{
			Name: uint32(names.Len()), Info: elf.ST_INFO(elf.STB_LOCAL, elf.STT_FUNC), Shndx: 1, Value: base + offset + at,
		})
		names.WriteString("f" + string(rune('0'+i)) + "\x00")
	}
	strings := ".text\x00.symtab\x00.strtab\x00"
	var out bytes.Buffer
	out.Write(make([]byte, offset))
	out.Write(text)
	sections := []elf.Section64{
		{},
		{Name: 0, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC | elf.SHF_EXECINSTR), Addr: base + offset, Off: offset, Size: uint64(len(text))},
		{Name: 6, Type: uint32(elf.SHT_SYMTAB), Off: uint64(out.Len()), Size: uint64(symbols.Len()), Link: 3, Entsize: 24},
		{Name: 14, Type: uint32(elf.SHT_STRTAB), Off: uint64(out.Len() + symbols.Len()), Size: uint64(names.Len())},
		{Name: 14, Type: uint32(elf.SHT_STRTAB), Off: uint64(out.Len() + symbols.Len() + names.Len()), Size: uint64(len(strings))},
	}
	out.Write(symbols.Bytes())
	out.Write(names.Bytes())
	out.WriteString(strings)
	shoff := out.Len()
	binary.Write(&out, binary.LittleEndian, sections)
	file := out.Bytes()
	var head bytes.Buffer
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Entry: base + offset, Phoff: 64, Shoff: uint64(shoff),
		Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: uint16(len(sections)), Shstrndx: 4,
	}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	binary.Write(&head, binary.LittleEndian, h)
	binary.Write(&head, binary.LittleEndian, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_X | elf.PF_R), Vaddr: base, Filesz: uint64(shoff), Memsz: uint64(shoff), Align: 4096,
	})
	copy(file, head.Bytes())
	return file
}
