package language

import (
	"bytes"
	"encoding/binary"
	"runtime/debug"
	"slices"
	"strings"
)

// Of a program, the smallest that Go makes and how much of its beginning has the
// headers, in bytes.
const (
	smallestProgram = 64 << 10
	headSize        = 4 << 10
)

// magic begins what Go's linker says of a program, at an address that is a multiple of
// 16, in a segment that is writable (debug/buildinfo).
var magic = []byte("\xff Go buildinf:")

// maxBuildInfo bounds what is read behind the magic, in bytes.
const maxBuildInfo = 8 << 20

// A search looks in an ELF file, as it comes, for what Go's linker left there.
type search struct {
	noted    bool        // it has Go's note, as programs do that were not linked to have none
	segments [][2]uint64 // that may have it: from which offset to which
	at       uint64      // offset of what comes next
	carry    []byte      // the last bytes, which may begin the magic
	joint    []byte      // these and what comes next
	found    []byte      // what follows the magic
	hit      bool
}

// newSearch reads the headers of an ELF file (elf(5)), nil if it is none.
func newSearch(head []byte) *search {
	if !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	word := func(b []byte, at int) uint64 { return order.Uint64(b[at:]) }
	table, entry, size, count := word(head, 32), 56, order.Uint16(head[54:]), int(order.Uint16(head[56:]))
	if head[4] == 1 { // 32 bits
		word = func(b []byte, at int) uint64 { return uint64(order.Uint32(b[at:])) }
		table, entry, size, count = word(head, 28), 32, order.Uint16(head[42:]), int(order.Uint16(head[44:]))
	}
	s := &search{noted: bytes.Contains(head, []byte("\x04\x00\x00\x00Go\x00\x00")) || bytes.Contains(head, []byte("Go\x00\x00"))}
	for i := range count {
		from := table + uint64(i)*uint64(size)
		if int(size) < entry || from > uint64(len(head)-entry) {
			break
		}
		h := head[from:]
		flags, offset, length := order.Uint32(h[4:]), word(h, 8), word(h, 32)
		if entry == 32 {
			flags, offset, length = order.Uint32(h[24:]), word(h, 4), word(h, 16)
		}
		const load, writable = 1, 2
		if order.Uint32(h) == load && flags&writable != 0 {
			s.segments = append(s.segments, [2]uint64{offset, offset + length})
		}
	}
	if len(s.segments) == 0 {
		return nil
	}
	return s
}

func (s *search) write(p []byte) {
	from := s.at
	s.at += uint64(len(p))
	switch {
	case s.hit && len(s.found) < maxBuildInfo:
		s.found = append(s.found, p...)
	case s.hit:
	case len(p) > len(magic) && !s.inSegment(from-uint64(len(s.carry)), s.at):
		s.carry = append(s.carry[:0], p[len(p)-len(magic):]...)
	default:
		s.joint = append(append(s.joint[:0], s.carry...), p...)
		s.look(s.joint, from-uint64(len(s.carry)))
	}
}

// inSegment reports whether any of the bytes between two offsets may be of the magic.
func (s *search) inSegment(from, to uint64) bool {
	return slices.ContainsFunc(s.segments, func(segment [2]uint64) bool { return from < segment[1] && segment[0] < to })
}

// look looks in the bytes from that offset on, and keeps the last of them.
func (s *search) look(p []byte, from uint64) {
	for _, segment := range s.segments {
		low, high := max(segment[0], from), min(segment[1], from+uint64(len(p)))
		for at := low; at < high; {
			i := bytes.Index(p[at-from:high-from], magic)
			if i < 0 {
				break
			}
			if at += uint64(i); at%16 == 0 {
				s.hit, s.found = true, bytes.Clone(p[at-from:])
				return
			}
			at++
		}
	}
	s.carry = append(s.carry[:0], p[max(0, len(p)-len(magic)):]...)
}

// file returns what the program says of itself.
func (s *search) file() *File {
	const header, flags, inline = 32, 15, 2
	if !s.hit || len(s.found) < header {
		return nil
	}
	if s.found[flags]&inline == 0 {
		return &File{Unread: "Go before 1.18 built it, whose list of modules is not read"}
	}
	version, rest, ok := cutString(s.found[header:])
	if !ok {
		return &File{Unread: "the version of Go in it is cut off"}
	}
	modules, _, ok := cutString(rest)
	if !ok {
		return &File{Unread: "the list of modules in it is cut off, or longer than what is read"}
	}
	if len(modules) >= 33 && modules[len(modules)-17] == '\n' { // between two marks of 16 bytes
		modules = modules[16 : len(modules)-16]
	} else {
		modules = ""
	}
	info, err := debug.ParseBuildInfo(modules)
	if err != nil {
		return &File{Unread: "the list of modules in it: " + clean(err.Error())}
	}
	return goProgram(version, info)
}

// cutString cuts off a string that its length goes before, as a varint.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return "", nil, false
	}
	return string(b[n : n+int(length)]), b[n+int(length):], true
}

// goProgram returns the main module with the others, and with the standard library,
// which is of the version of Go; without a main module those alone.
func goProgram(version string, info *debug.BuildInfo) *File {
	var parts []Package
	if v := strings.TrimPrefix(firstWord(version), "go"); isName(v) {
		parts = append(parts, Package{Type: Golang, Name: "stdlib", Version: v, Supplier: "The Go Authors", Homepage: "https://go.dev/", Licence: []string{"BSD-3-Clause"}, Stated: true})
	}
	for _, m := range info.Deps {
		if p, ok := goModule(m); ok {
			parts = append(parts, p)
		}
	}
	main, ok := goModule(&info.Main)
	if !ok {
		return &File{Packages: parts}
	}
	main.Contains, main.Stated = parts, true
	return &File{Packages: []Package{main}}
}

// goModule returns a module, or the one that replaces it. One that is replaced by a
// directory keeps its name, and has no version.
func goModule(m *debug.Module) (Package, bool) {
	p := Package{Type: Golang, Name: m.Path, Version: m.Version, Sum: m.Sum}
	if by := m.Replace; by != nil {
		p.Version, p.Sum = by.Version, by.Sum
		if by.Version != "" {
			p.Name = by.Path
		}
	}
	if !isName(p.Name) || p.Version != "" && !isName(p.Version) {
		return Package{}, false
	}
	return p, true
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ") // "go1.26.8 X:experiment"
	return word
}
