package syscalls

import (
	"debug/elf"
	"maps"
	"slices"
)

// maxName bounds the names of functions, in bytes: the C library has none as long.
const maxName = 40

// lookups returns the words in the file's data that may be names of functions of a C
// library, of a file that looks functions up by their name (dlsym(3)).
func (o *object) lookups(imports []string) []string {
	if !slices.Contains(imports, "dlsym") && !slices.Contains(imports, "dlvsym") && !slices.Contains(imports, "__libc_dlsym") {
		return nil
	}
	found := map[string]bool{}
	for _, s := range o.segments {
		if elf.ProgType(s.Type) != elf.PT_LOAD {
			continue
		}
		b, _ := o.bytes(s.Off, s.Filesz)
		begin := 0
		for i, c := range b {
			if c >= 'a' && c <= 'z' || c == '_' || c >= '0' && c <= '9' {
				continue
			}
			if word := b[begin:i]; c == 0 && len(word) > 2 && len(word) <= maxName && (word[0] == '_' || word[0] >= 'a') {
				if begin == 0 || b[begin-1] == 0 {
					found[string(word)] = true
				}
			}
			begin = i + 1
		}
	}
	for _, name := range imports {
		delete(found, name)
	}
	return slices.Sorted(maps.Keys(found))
}
