package tree

import (
	"bytes"
	"debug/elf"
	"io"
	"strings"
)

// ELF is what the dynamic linker needs to know of an executable or library (System
// V ABI, chapter 5).
type ELF struct {
	Class   uint8    `json:"class"`   // 32 or 64
	Machine uint16   `json:"machine"` // e_machine
	OSABI   uint8    `json:"osabi,omitempty"`
	Flags   uint32   `json:"flags,omitempty"` // e_flags
	Type    uint16   `json:"type"`            // e_type: 2 executable, 3 shared object or position-independent executable
	Interp  string   `json:"interp,omitempty"`
	Soname  string   `json:"soname,omitempty"`
	Needed  []string `json:"needed,omitempty"`
	RPath   []string `json:"rpath,omitempty"`
	RunPath []string `json:"runpath,omitempty"`
	Dynamic bool     `json:"dynamic,omitempty"` // has a dynamic section
}

// IsELF reports whether a file that begins with head is an ELF file.
func IsELF(head []byte) bool { return bytes.HasPrefix(head, []byte(elf.ELFMAG)) }

// ReadELF reads the facts about the ELF file r. Files that are ELF only in part
// (core dumps, object files, debug data) give facts without libraries; a
// malformed file is an error.
func ReadELF(r io.ReaderAt) (*ELF, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	e := &ELF{Machine: uint16(f.Machine), OSABI: uint8(f.OSABI), Type: uint16(f.Type), Class: 32}
	if f.Class == elf.ELFCLASS64 {
		e.Class = 64
	}
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_INTERP:
			b := make([]byte, min(p.Filesz, 4096))
			if _, err := p.ReadAt(b, 0); err != nil && err != io.EOF {
				return nil, err
			}
			e.Interp, _, _ = strings.Cut(string(b), "\x00")
		case elf.PT_DYNAMIC:
			e.Dynamic = p.Filesz > 0
		}
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN || !e.Dynamic {
		return e, nil
	}
	for tag, dst := range map[elf.DynTag]*[]string{elf.DT_NEEDED: &e.Needed, elf.DT_RPATH: &e.RPath, elf.DT_RUNPATH: &e.RunPath} {
		if *dst, err = f.DynString(tag); err != nil {
			return nil, err
		}
	}
	sonames, err := f.DynString(elf.DT_SONAME)
	if err != nil {
		return nil, err
	}
	if len(sonames) > 0 {
		e.Soname = sonames[0]
	}
	e.RPath, e.RunPath = splitPaths(e.RPath), splitPaths(e.RunPath)
	return e, nil
}

func splitPaths(lists []string) []string {
	var dirs []string
	for _, l := range lists {
		for dir := range strings.SplitSeq(l, ":") {
			if dir != "" {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}
