package haskell

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// writer writes values as Data.Binary of Haskell does.
type writer struct{ b []byte }

func (w *writer) tag(n byte) { w.b = append(w.b, n) }

func (w *writer) int(n int) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(n)) }

func (w *writer) truth(v bool) {
	if v {
		w.tag(1)
		return
	}
	w.tag(0)
}

// bytes writes a ByteString or a short text.
func (w *writer) bytes(s string) {
	w.int(len(s))
	w.b = append(w.b, s...)
}

// string writes a list of characters.
func (w *writer) string(s string) {
	w.int(utf8.RuneCountInString(s))
	w.b = append(w.b, s...)
}

func each[T any](w *writer, items []T, put func(T)) {
	w.int(len(items))
	for _, item := range items {
		put(item)
	}
}

// cache returns the content of package.cache: what GHC reads, and then what ghc-pkg
// does.
func cache(all []*library) []byte {
	var forGHC, forPkg writer
	each(&forGHC, all, func(l *library) { l.unit(&forGHC) })
	each(&forPkg, all, func(l *library) { l.info(&forPkg) })
	b := []byte("\x00ghcpkg\x00")
	for _, v := range []int{1, 0, 0, len(forGHC.b)} { // the version of the format, and how long the first part is
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return append(append(b, forGHC.b...), forPkg.b...)
}

func (l *library) dotted() string {
	var parts []string
	for _, v := range l.version {
		parts = append(parts, strconv.FormatUint(v, 10))
	}
	return strings.Join(parts, ".")
}

// unit writes what GHC reads of a library (DbUnitInfo).
func (l *library) unit(w *writer) {
	lists := func(names ...string) {
		for _, name := range names {
			each(w, l.list(name), w.bytes)
		}
	}
	w.bytes(l.name + "-" + l.dotted())
	w.bytes(l.name)
	each(w, l.version, func(v uint64) { w.int(int(v)) })
	w.int(0) // tags of the version
	w.truth(l.part != "")
	if l.part != "" {
		w.bytes(l.part)
	}
	w.bytes(l.id)
	w.bytes(l.id) // what it is an instance of
	w.int(0)      // instantiations
	w.bytes(l.abi)
	lists("depends", "abi-depends", "import-dirs", "hs-libraries", "extra-libraries", "extra-ghci-libraries",
		"library-dirs", "dynamic-library-dirs", "frameworks", "framework-dirs", "ld-options", "cc-options",
		"includes", "include-dirs", "haddock-interfaces", "haddock-html")
	each(w, l.modules, func(m module) {
		w.bytes(m.name)
		w.truth(m.from != "")
		if m.from != "" {
			w.tag(0) // a module, and not a variable
			w.tag(0) // of a whole unit
			w.bytes(m.from)
			w.bytes(m.as)
		}
	})
	each(w, l.hidden, w.bytes)
	for _, name := range []string{"indefinite", "exposed", "trusted"} {
		w.truth(l.truth(name))
	}
}

// info writes what ghc-pkg reads of a library (InstalledPackageInfo).
func (l *library) info(w *writer) {
	lists := func(names ...string) {
		for _, name := range names {
			each(w, l.list(name), w.string)
		}
	}
	w.bytes(l.name)
	l.putVersion(w)
	w.truth(l.part != "")
	if l.part != "" {
		w.bytes(l.part)
	}
	w.bytes("") // a component's id, not in use
	w.truth(l.part != "" && !strings.EqualFold(l.text("visibility"), "public"))
	w.bytes(l.id)
	w.int(0) // instantiations
	w.string(l.key)
	l.license.put(w)
	for _, name := range []string{"copyright", "maintainer", "author", "stability", "homepage", "package-url", "synopsis", "description", "category"} {
		w.bytes(l.text(name))
	}
	w.bytes(l.abi)
	w.truth(l.truth("indefinite"))
	w.truth(l.truth("exposed"))
	each(w, l.modules, func(m module) {
		w.bytes(m.name)
		w.truth(m.from != "")
		if m.from != "" {
			w.tag(0) // a module, and not a variable
			w.tag(1) // of a unit that is whole
			w.bytes(m.from)
			w.bytes(m.as)
		}
	})
	each(w, l.hidden, w.bytes)
	w.truth(l.truth("trusted"))
	lists("import-dirs", "library-dirs", "library-dirs-static", "dynamic-library-dirs")
	dir := ""
	if words := l.list("data-dir"); len(words) > 0 {
		dir = words[0]
	}
	w.string(dir)
	lists("hs-libraries", "extra-libraries", "extra-libraries-static", "extra-ghci-libraries", "include-dirs", "includes")
	each(w, l.list("depends"), w.bytes)
	lists("abi-depends", "cc-options", "cxx-options", "ld-options", "framework-dirs", "frameworks", "haddock-interfaces", "haddock-html")
	w.truth(false) // a root of the database
}

// putVersion writes a version as Cabal does: four small numbers in one word, each one
// more than it is, or a list.
func (l *library) putVersion(w *writer) {
	small, word := len(l.version) <= 4, uint64(0)
	for i := range 4 {
		word <<= 16
		if i < len(l.version) {
			small = small && l.version[i] < 0xfffe
			word |= (l.version[i] + 1) & 0xffff
		}
	}
	if small {
		w.tag(0)
		w.b = binary.BigEndian.AppendUint64(w.b, word)
		return
	}
	w.tag(1)
	w.int(int(l.version[0]))
	each(w, l.version[1:], func(v uint64) { w.int(int(v)) })
}
