package ldso

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"path"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// Link is a change that ldconfig makes to a tree.
type Link struct {
	Path   string // absolute, of the link
	Target string // a name in the same directory; "" for a dangling link, which ldconfig removes
}

// libc is what is known of the glibc whose ldconfig is followed.
type libc struct {
	version string // Debian's, of libc-bin
	release string // upstream's, "2.41"
	// legacy is glibc 2.36 and older, which knows other kinds of libraries and
	// machine-dependent directories beside glibc-hwcaps.
	legacy bool
}

func parseLibc(version string) (libc, error) {
	release, _, _ := strings.Cut(version, "-")
	major, minor, ok := strings.Cut(release, ".")
	minor, _, _ = strings.Cut(minor, ".")
	n, err := strconv.Atoi(minor)
	if !ok || major != "2" || err != nil {
		return libc{}, fmt.Errorf("version %q of libc-bin: expected one like 2.41-12", version)
	}
	return libc{version: version, release: release, legacy: n <= 36}, nil
}

// directory is one directory of libraries.
type directory struct {
	path   string // as configured; entries of the cache begin with it
	real   string // in the tree
	subdir string // of glibc-hwcaps; "" for an ordinary directory
}

// library is what ldconfig keeps of the files of one directory that have one
// soname.
type library struct {
	dir    *directory
	name   string // the file to prefer
	soname string
	link   bool // name is a link that need not be made
	flags  uint32
	isa    uint32
}

type scanner struct {
	t    *tree.Tree
	abi  ABI
	libc libc

	dirs    []*directory
	seen    map[string]bool // real paths of dirs
	hwcaps  []string        // names of glibc-hwcaps subdirectories, used or not
	found   []*library
	removed []Link
}

// scan reads every directory, in ldconfig's order.
func scan(t *tree.Tree, arch, version string) (*scanner, error) {
	abi, err := ABIOf(arch)
	if err != nil {
		return nil, err
	}
	l, err := parseLibc(version)
	if err != nil {
		return nil, err
	}
	dirs, err := Dirs(t)
	if err != nil {
		return nil, err
	}
	s := &scanner{t: t, abi: abi, libc: l, seen: map[string]bool{}}
	for _, dir := range append(dirs, abi.SystemDirs()...) {
		if l.legacy {
			// "DIR=TYPE" was understood until glibc 2.36.
			dir, _, _ = strings.Cut(dir, "=")
			dir = strings.TrimRight(dir, blanks+"/")
		}
		s.addDir(dir)
	}
	for i := 0; i < len(s.dirs); i++ { // legacy subdirectories are appended on the way
		s.readDir(s.dirs[i])
	}
	return s, nil
}

// addDir queues the directory and the subdirectories of its glibc-hwcaps.
func (s *scanner) addDir(dir string) {
	if !s.queue(&directory{path: dir}) {
		return
	}
	sub, err := s.t.Resolve(dir + "/glibc-hwcaps")
	if err != nil || sub.Type != tree.Dir {
		return
	}
	for _, name := range s.t.ReadDir(sub.Path) {
		n, err := s.t.Resolve(path.Join(sub.Path, name))
		if err != nil || n.Type != tree.Dir || name[0] == '.' || strings.Contains(name, ":") {
			continue
		}
		s.hwcaps = append(s.hwcaps, name)
		s.queue(&directory{path: dir + "/glibc-hwcaps/" + name, subdir: name})
	}
}

// queue adds d unless it does not exist or its directory is queued already under
// another path.
func (s *scanner) queue(d *directory) bool {
	n, err := s.t.Resolve(d.path)
	if err != nil || s.seen[n.Path] {
		return false
	}
	d.real = n.Path
	s.seen[n.Path] = true
	s.dirs = append(s.dirs, d)
	return true
}

// readDir adds the libraries of d, one for each soname. The last soname found
// comes first, as in ldconfig's list; the cache's order does not depend on it.
func (s *scanner) readDir(d *directory) {
	bySoname := map[string]*library{}
	var order []*library
	for _, name := range s.t.ReadDir(d.real) {
		n := s.t.Lookup(path.Join(d.real, name))
		if s.legacySubdir(d, n) || !isDSO(name) || s.isTemporary(name) || n.Type == tree.Dir {
			continue
		}
		l := s.inspect(d, n)
		if l == nil {
			continue
		}
		old := bySoname[l.soname]
		if old == nil {
			bySoname[l.soname] = l
			order = append(order, l)
			continue
		}
		// A file is preferred to a link, then the newer one.
		if !l.link && old.link || l.link == old.link && s.compareNames(old.name, l.name) < 0 {
			*old = *l
		}
	}
	s.found = append(s.found, order...)
}

// inspect returns the library that n of d is, nil where it is none.
func (s *scanner) inspect(d *directory, n *tree.Node) *library {
	name := path.Base(n.Path)
	file, err := s.t.Resolve(n.Path)
	if err != nil {
		if n.Type == tree.Symlink && errors.Is(err, fs.ErrNotExist) && strings.Contains(name, ".so.") {
			s.removed = append(s.removed, Link{Path: d.path + "/" + name})
		}
		return nil
	}
	if file.Type == tree.Hardlink {
		if file = s.t.Lookup(file.Link); file == nil {
			return nil
		}
	}
	e := file.ELF
	if e == nil || e.Type != uint16(elf.ET_DYN) || !e.Dynamic || e.BigEndian != s.abi.BigEndian {
		return nil
	}
	flags, ok := s.abi.flags(e, s.libc.baseFlags(e, s.abi))
	if !ok {
		return nil
	}
	l := &library{dir: d, name: name, soname: e.Soname, flags: flags, link: n.Type == tree.Symlink}
	if l.soname == "" {
		l.soname = name
	}
	if e.ISA1 != 0 && (s.abi.Machine == uint16(elf.EM_X86_64) || s.abi.Machine == uint16(elf.EM_386)) {
		l.isa = uint32(bits.Len32(e.ISA1) - 1)
	}
	if l.link && name != l.soname && !(strings.HasSuffix(name, ".so") && strings.HasPrefix(l.soname, name)) {
		l.link = false // neither the soname's link nor the linker's: as good as a file
	}
	if l.link {
		l.soname = name
	}
	return l
}

// isDSO reports whether name is that of a library or dynamic linker
// (elf/dl-is_dso.h).
func isDSO(name string) bool {
	return (strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "ld-")) && strings.Contains(name, ".so") ||
		strings.HasPrefix(name, "ld.so.") || strings.HasPrefix(name, "ld64.so.")
}

// isTemporary reports whether name is that of a file that prelink, rpm or dpkg
// has not finished.
func (s *scanner) isTemporary(name string) bool {
	const prelink = ".#prelink#"
	if strings.HasSuffix(name, prelink) {
		return true
	}
	if i := len(name) - len(prelink+".XXXXXX"); i >= 0 && strings.HasPrefix(name[i:], prelink+".") {
		return true
	}
	return !s.libc.legacy && (strings.Contains(name, ";") || strings.HasSuffix(name, ".dpkg-new") || strings.HasSuffix(name, ".dpkg-tmp"))
}

// compareNames orders names of libraries, numbers in them by value
// (_dl_cache_libcmp of elf/dl-cache.c).
func (s *scanner) compareNames(a, b string) int {
	i, j := 0, 0
	for i < len(a) {
		digitA, digitB := isDigit(a, i), isDigit(b, j)
		switch {
		case digitA && digitB:
			var m, n int32
			m, i = number(a, i)
			n, j = number(b, j)
			if m != n {
				return int(m - n)
			}
		case digitA:
			return 1
		case digitB:
			return -1
		case s.char(a, i) != s.char(b, j):
			return s.char(a, i) - s.char(b, j)
		default:
			i, j = i+1, j+1
		}
	}
	return -s.char(b, j)
}

// char returns s[i] as C's char of the architecture, 0 at the end.
func (s *scanner) char(name string, i int) int {
	if i >= len(name) {
		return 0
	}
	if s.abi.signedChar {
		return int(int8(name[i]))
	}
	return int(name[i])
}

func isDigit(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }

// number returns the number at s[i:] and where it ends. It overflows as C's int
// does on the machines that Debian supports.
func number(s string, i int) (n int32, end int) {
	for ; isDigit(s, i); i++ {
		n = n*10 + int32(s[i]-'0')
	}
	return n, i
}
