package facts

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"slices"
	"strings"
)

// ELF is how a program or a library was linked, as checksec(7) tells it.
type ELF struct {
	Program  bool // is run by itself; else a library
	Dynamic  bool // needs the dynamic linker
	PIE      bool // position-independent, of a program
	RELRO    bool // relocations become read-only
	BindNow  bool // and all of them are made at the start
	NXStack  bool // the stack is not executable
	NoStack  bool // it does not say so, and leaves it to the kernel and the dynamic linker
	RWX      bool // a segment is both writable and executable
	TextRel  bool // code is relocated, and so writable for a while
	Stack    bool // calls __stack_chk_fail: has stack protectors
	Fortify  int  // functions that check the size of their buffers, "__memcpy_chk"
	Plain    int  // functions that could and do not
	Symbols  bool // the names of what it calls were read: Stack, Fortify and Plain are known
	RPath    []string
	RunPath  []string
	Machine  elf.Machine
	Language string // "Go", "" for one that is not known: compilers of other languages have protections of their own
}

// Bounds of what is looked at of one ELF file. The names of what a program calls are
// near its beginning; what lies beyond is not known.
const (
	maxHead    = 4 << 20 // bytes from its beginning
	maxDynamic = 64 << 10
	maxStrings = 4 << 20
)

// An elfWindow keeps the parts of an ELF file that are looked at, as it streams past:
// the beginning, and the dynamic section wherever it lies.
type elfWindow struct {
	size   int64
	at     int64
	isELF  bool
	head   []byte
	offset int64 // of the dynamic section, beyond the head; 0 for none
	length int64
	tail   []byte
	looked bool
}

func (w *elfWindow) reset(size int64) {
	*w = elfWindow{size: size, head: w.head[:0], tail: w.tail[:0]}
}

// Write never fails.
func (w *elfWindow) Write(p []byte) (int, error) {
	if w.at == 0 {
		if w.isELF = bytes.HasPrefix(p, []byte(elf.ELFMAG)); w.isELF {
			if size := int(min(w.size, maxHead)); size > cap(w.head) {
				w.head = make([]byte, 0, max(size, min(2*cap(w.head), maxHead)))
			}
		}
	}
	if w.isELF {
		if room := maxHead - len(w.head); room > 0 {
			w.head = append(w.head, p[:min(room, len(p))]...)
		}
		if !w.looked && len(w.head) >= min(maxHead, 64<<10) {
			w.find()
		}
		if from, to := max(w.at, w.offset), min(w.at+int64(len(p)), w.offset+w.length); w.length > 0 && from < to {
			w.tail = append(w.tail, p[from-w.at:to-w.at]...)
		}
	}
	w.at += int64(len(p))
	return len(p), nil
}

// find notes where the dynamic section will pass.
func (w *elfWindow) find() {
	w.looked = true
	f, err := w.open()
	if err != nil {
		return
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_DYNAMIC && p.Off > uint64(len(w.head)) && p.Off < uint64(w.size) {
			w.offset, w.length = int64(p.Off), int64(min(p.Filesz, maxDynamic))
		}
	}
}

// open reads the header and the segments. Sections are not looked at: strip(1) may
// have taken them, and the kernel does not ask for them.
func (w *elfWindow) open() (*elf.File, error) {
	head := slices.Clone(w.head[:min(len(w.head), 64)])
	if len(head) >= 64 && elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64 {
		clear(head[40:48]) // e_shoff
		clear(head[60:64]) // e_shnum, e_shstrndx
	} else if len(head) >= 52 {
		clear(head[32:36])
		clear(head[48:52])
	}
	return elf.NewFile(&parts{first: head, head: w.head, tail: w.tail, offset: w.offset})
}

// parts is a file of which only parts are known.
type parts struct {
	first, head, tail []byte
	offset            int64
}

func (p *parts) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		at := off + int64(n)
		var from []byte
		switch {
		case at < 0:
		case at < int64(len(p.first)):
			from = p.first[at:]
		case at < int64(len(p.head)):
			from = p.head[at:]
		case p.offset > 0 && at >= p.offset && at < p.offset+int64(len(p.tail)):
			from = p.tail[at-p.offset:]
		}
		if len(from) == 0 {
			return n, io.EOF
		}
		n += copy(b[n:], from)
	}
	return n, nil
}

// read returns what is known of the file, nil of one that is no program and no library.
func (w *elfWindow) read() *ELF {
	if !w.isELF {
		return nil
	}
	f, err := w.open()
	if err != nil || f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return nil
	}
	e := &ELF{Machine: f.Machine, Program: f.Type == elf.ET_EXEC, PIE: f.Type == elf.ET_DYN}
	stack, interp := false, false
	var dynamic *elf.Prog
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_GNU_STACK:
			stack, e.NXStack = true, p.Flags&elf.PF_X == 0
		case elf.PT_GNU_RELRO:
			e.RELRO = true
		case elf.PT_INTERP:
			interp = true
		case elf.PT_DYNAMIC:
			dynamic = p
		case elf.PT_LOAD:
			e.RWX = e.RWX || p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0
		}
	}
	if e.NoStack = !stack; !stack { // the default of these architectures was an executable one
		e.NXStack = f.Machine != elf.EM_386 && f.Machine != elf.EM_X86_64 && f.Machine != elf.EM_ARM
	}
	e.Dynamic, e.Program = interp, e.Program || interp
	if slices.ContainsFunc(goMarks, func(mark string) bool { return bytes.Contains(w.head[:min(len(w.head), 64<<10)], []byte(mark)) }) {
		e.Language = "Go"
	}
	if dynamic != nil {
		w.dynamic(f, dynamic, e)
	}
	return e
}

// goMarks are what Go's linker writes near the beginning of a program: its build ID, in
// a note and before the code, and the build information of small ones.
var goMarks = []string{"Go\x00\x00", " Go build ID: \"", "\xff Go buildinf:"}

// dynamic reads the dynamic section (System V ABI, chapter 5) and the names in it.
func (w *elfWindow) dynamic(f *elf.File, section *elf.Prog, e *ELF) {
	raw := make([]byte, min(section.Filesz, maxDynamic))
	n, _ := section.ReadAt(raw, 0)
	raw = raw[:n]
	values := map[elf.DynTag]uint64{}
	lists := map[elf.DynTag][]uint64{}
	for tag, value := range entries(raw, f.Class, f.ByteOrder) {
		if tag == elf.DT_NULL {
			break
		}
		values[tag] = value
		if tag == elf.DT_RPATH || tag == elf.DT_RUNPATH {
			lists[tag] = append(lists[tag], value)
		}
	}
	flags, flags1 := elf.DynFlag(values[elf.DT_FLAGS]), elf.DynFlag1(values[elf.DT_FLAGS_1])
	_, now := values[elf.DT_BIND_NOW]
	_, textRel := values[elf.DT_TEXTREL]
	e.BindNow = now || flags&elf.DF_BIND_NOW != 0 || flags1&elf.DF_1_NOW != 0
	e.TextRel = textRel || flags&elf.DF_TEXTREL != 0
	e.Program = e.Program || flags1&elf.DF_1_PIE != 0
	names := w.strings(f, values[elf.DT_STRTAB], values[elf.DT_STRSZ])
	if names == nil {
		return
	}
	e.Symbols = true
	e.RPath, e.RunPath = paths(names, lists[elf.DT_RPATH]), paths(names, lists[elf.DT_RUNPATH])
	for name := range bytes.SplitSeq(names, []byte{0}) {
		switch s := string(name); {
		case s == "__stack_chk_fail", s == "__stack_chk_guard", s == "__stack_smash_handler", s == "__intel_security_cookie":
			e.Stack = true
		case strings.HasPrefix(s, "__") && strings.HasSuffix(s, "_chk") && fortified[s[2:len(s)-4]]:
			e.Fortify++
		case fortified[s]:
			e.Plain++
		}
	}
}

// entries yields the entries of a dynamic section.
func entries(raw []byte, class elf.Class, order binary.ByteOrder) func(yield func(elf.DynTag, uint64) bool) {
	return func(yield func(elf.DynTag, uint64) bool) {
		for size := map[elf.Class]int{elf.ELFCLASS64: 16, elf.ELFCLASS32: 8}[class]; size > 0 && len(raw) >= size; raw = raw[size:] {
			tag, value := uint64(0), uint64(0)
			if class == elf.ELFCLASS64 {
				tag, value = order.Uint64(raw), order.Uint64(raw[8:])
			} else {
				tag, value = uint64(order.Uint32(raw)), uint64(order.Uint32(raw[4:]))
			}
			if !yield(elf.DynTag(tag), value) {
				return
			}
		}
	}
}

// strings returns the string table that lies at an address, nil where that is not
// among what is known of the file.
func (w *elfWindow) strings(f *elf.File, address, size uint64) []byte {
	if size == 0 || size > maxStrings {
		return nil
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || address < p.Vaddr || address-p.Vaddr >= p.Filesz {
			continue
		}
		offset := p.Off + (address - p.Vaddr)
		if offset > uint64(len(w.head)) || size > uint64(len(w.head))-offset {
			return nil
		}
		return w.head[offset : offset+size]
	}
	return nil
}

func paths(names []byte, at []uint64) []string {
	var list []string
	for _, offset := range at {
		if offset >= uint64(len(names)) {
			continue
		}
		s, _, _ := bytes.Cut(names[offset:], []byte{0})
		list = append(list, strings.Split(string(s[:min(len(s), 4096)]), ":")...)
	}
	return list
}

// fortified are the functions that glibc has a checking variant of
// (feature_test_macros(7), _FORTIFY_SOURCE).
var fortified = func() map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(`memcpy memmove mempcpy memset stpcpy stpncpy strcat strcpy strncat strncpy wcscpy wcpcpy wcscat wcsncat wcsncpy wcpncpy wmemcpy wmemmove wmempcpy wmemset
		sprintf snprintf vsprintf vsnprintf printf fprintf vprintf vfprintf dprintf vdprintf asprintf vasprintf obstack_printf obstack_vprintf swprintf vswprintf wprintf fwprintf vwprintf vfwprintf
		syslog vsyslog gets fgets fgets_unlocked fgetws fgetws_unlocked fread fread_unlocked read pread pread64 readlink readlinkat recv recvfrom getcwd getwd realpath ttyname_r ptsname_r
		confstr getgroups getlogin_r gethostname getdomainname mbstowcs mbsrtowcs mbsnrtowcs wcstombs wcsrtombs wcsnrtombs wcrtomb wctomb poll ppoll longjmp fdelt`) {
		set[name] = true
	}
	return set
}()
