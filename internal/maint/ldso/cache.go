package ldso

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// CachePath is the file that the dynamic linker finds libraries by (ld.so(8)).
const CachePath = "/etc/ld.so.cache"

// Cache returns the content of /etc/ld.so.cache for t as the ldconfig of version
// of Debian's libc-bin ("2.41-12") writes it on arch, Debian's name. Errors are an
// unknown arch, a version that is not glibc's, and those of [Dirs].
func Cache(t *tree.Tree, arch, version string) ([]byte, error) {
	s, err := scan(t, arch, version)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", CachePath, err)
	}
	entries := s.entries()
	w := writer{order: binary.LittleEndian, endian: 2}
	if s.abi.BigEndian {
		w = writer{order: binary.BigEndian, endian: 3}
	}
	return w.write(entries, s.hwcaps, Generator(version)), nil
}

// Generator returns how the ldconfig of version of Debian's libc-bin names itself
// in the caches that it writes.
func Generator(version string) string {
	release, _, _ := strings.Cut(version, "-")
	return "ldconfig (Debian GLIBC " + version + ") stable release version " + release
}

// Links returns the links that ldconfig makes in t, first those that it removes
// because they lead nowhere, then those named by a soname that it makes or turns
// to a newer library, each sorted by path. Paths are below the directories as
// configured, so links above them may be on the way. The errors are those of
// [Cache].
func Links(t *tree.Tree, arch, version string) ([]Link, error) {
	s, err := scan(t, arch, version)
	if err != nil {
		return nil, fmt.Errorf("make links of shared libraries: %w", err)
	}
	var made []Link
	for _, l := range s.found {
		if l.dir.subdir == "" && !l.link && s.needsLink(l) {
			made = append(made, Link{Path: l.dir.path + "/" + l.soname, Target: l.name})
		}
	}
	byPath := func(a, b Link) int { return cmp.Compare(a.Path, b.Path) }
	slices.SortFunc(s.removed, byPath)
	slices.SortFunc(made, byPath)
	return append(s.removed, made...), nil
}

// linkers are the sonames whose links ldconfig leaves alone once they exist
// (Debian's local-ldconfig-ignore-ld.so.diff). That the list lacks riscv64's is
// a missing comma in the patch.
var linkers = []string{
	"ld-kfreebsd-x86-64.so.1", "ld-linux-aarch64.so.1", "ld-linux-aarch64_be.so.1", "ld-linux-armhf.so.3",
	"ld-linux-ia64.so.2", "ld-linux-mipsn8.so.1", "ld-linux-x32.so.2", "ld-linux-x86-64.so.2",
	"ld-linux.so.2", "ld-linux.so.3", "ld.so.1", "ld64.so.1", "ld64.so.2",
}

// needsLink reports whether the soname of l does not lead to l yet and may.
func (s *scanner) needsLink(l *library) bool {
	at := path.Join(l.dir.real, l.soname)
	target, err := s.t.Resolve(at)
	if err != nil {
		n := s.t.Lookup(at)
		return n == nil || n.Type == tree.Symlink
	}
	if slices.Contains(linkers, l.soname) {
		return false
	}
	file, err := s.t.Resolve(path.Join(l.dir.real, l.name))
	if err != nil || sameFile(file) == sameFile(target) {
		return false
	}
	return s.t.Lookup(at).Type == tree.Symlink // a file of that name stays
}

// sameFile returns the path of the file that n is a name of.
func sameFile(n *tree.Node) string {
	if n.Type == tree.Hardlink {
		return n.Link
	}
	return n.Path
}

// entry is one line of the cache.
type entry struct {
	*library
	path string
	bits uint64 // of the legacy platform directories
}

// entries returns what the cache lists, in its order (compare of elf/cache.c).
func (s *scanner) entries() []entry {
	var list []entry
	for _, l := range s.found {
		// Links lead from the soname to the file, except below glibc-hwcaps.
		name := l.soname
		if l.dir.subdir != "" {
			name = l.name
		}
		list = append(list, entry{library: l, path: l.dir.path + "/" + name, bits: s.legacyHwcap(l.dir)})
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		return cmp.Or(
			s.compareNames(b.soname, a.soname),
			cmp.Compare(int32(b.flags), int32(a.flags)),
			compareSubdirs(a.dir.subdir, b.dir.subdir),
			bits.OnesCount64(b.bits)-bits.OnesCount64(a.bits),
			cmp.Compare(b.bits, a.bits),
		)
	})
	return list
}

// compareSubdirs orders entries of glibc-hwcaps by name, before the others.
func compareSubdirs(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// The format of the cache (glibc, sysdeps/generic/dl-cache.h).
const (
	magic          = "glibc-ld.so.cache1.1"
	headerSize     = 48
	entrySize      = 24
	extensionMagic = 0xeaa42174 // (uint32_t) -358342284
	extensionHead  = 8
	sectionSize    = 16
	hwcapExtension = 1 << 62 // the low half of an entry's hwcap counts glibc-hwcaps names

	tagGenerator = 0
	tagHwcaps    = 1
)

type writer struct {
	order  binary.AppendByteOrder
	endian byte // flag of the header
	b      []byte
}

func (w *writer) u32(values ...uint32) {
	for _, v := range values {
		w.b = w.order.AppendUint32(w.b, v)
	}
}

// write lays out header, entries, strings and the extensions. The names in hwcaps
// are those of all glibc-hwcaps subdirectories: unused ones are in the strings
// but not in the extension.
func (w *writer) write(entries []entry, hwcaps []string, generator string) []byte {
	var all, used []string
	for _, e := range entries {
		all = append(all, e.soname, e.path)
		if e.dir.subdir != "" {
			used = append(used, e.dir.subdir)
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	table, offset := stringTable(append(all, hwcaps...))
	start := uint32(headerSize + entrySize*len(entries)) // of the strings
	extensions := (start + uint32(len(table)) + 3) &^ 3

	w.b = append(w.b, magic...)
	w.u32(uint32(len(entries)), uint32(len(table)))
	w.b = append(w.b, w.endian, 0, 0, 0)
	w.u32(extensions, 0, 0, 0)
	for _, e := range entries {
		hwcap := e.bits
		if e.dir.subdir != "" {
			i, _ := slices.BinarySearch(used, e.dir.subdir)
			hwcap = hwcapExtension | uint64(e.isa)<<32 | uint64(i)
		}
		w.u32(e.flags, start+offset[e.soname], start+offset[e.path], 0)
		w.b = w.order.AppendUint64(w.b, hwcap)
	}
	w.b = append(w.b, table...)
	w.b = append(w.b, make([]byte, int(extensions)-len(w.b))...)

	var names []uint32
	for _, name := range used {
		names = append(names, start+offset[name])
	}
	w.extensions(extensions, names, generator)
	return w.b
}

// extensions writes the extension directory, which lies at offset at, and what it
// names: the generator, and the glibc-hwcaps subdirectories where there are any.
func (w *writer) extensions(at uint32, names []uint32, generator string) {
	sections := uint32(1)
	if len(names) > 0 {
		sections = 2
	}
	data := at + extensionHead + sections*sectionSize
	size := uint32(4 * len(names))
	w.u32(extensionMagic, sections)
	w.u32(tagGenerator, 0, data+size, uint32(len(generator)))
	if len(names) > 0 {
		w.u32(tagHwcaps, 0, data, size)
	}
	w.u32(names...)
	w.b = append(w.b, generator...)
}

// stringTable returns the zero-terminated names, each once and none that another
// ends with, and where each is (elf/stringtable.c).
func stringTable(names []string) ([]byte, map[string]uint32) {
	slices.SortFunc(names, compareReversed)
	var table bytes.Buffer
	offset := make(map[string]uint32, len(names))
	last := ""
	for i, name := range names {
		if i > 0 && strings.HasSuffix(last, name) {
			offset[name] = offset[last] + uint32(len(last)-len(name))
		} else {
			offset[name] = uint32(table.Len())
			table.WriteString(name)
			table.WriteByte(0)
		}
		last = name
	}
	return table.Bytes(), offset
}

// compareReversed orders strings by their last byte downwards, then the one
// before it; a string comes after those that it is the end of.
func compareReversed(a, b string) int {
	for i := 1; i <= min(len(a), len(b)); i++ {
		if c := cmp.Compare(b[len(b)-i], a[len(a)-i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(b), len(a))
}
