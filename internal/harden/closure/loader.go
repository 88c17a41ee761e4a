package closure

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// object is a file that the dynamic linker has loaded.
type object struct {
	file   *tree.Node
	path   string  // absolute, as it was opened; $ORIGIN is its directory
	loader *object // that needs it; nil for the program
}

// checkELF loads n as the dynamic linker would, without a look at symbols, and
// reports what cannot be found: as warnings if n may be data. The chain ends with n.
func (c *checker) checkELF(n *tree.Node, chain []string, data bool) {
	c.reached[n.Path] = true
	if !n.ELF.Dynamic {
		return
	}
	p := process{c: c, chain: chain, data: data, program: n.ELF.Interp != "", loaded: map[string]bool{}, files: map[string]bool{n.Path: true}}
	if p.program && !p.loadLinker(n.ELF.Interp) {
		return
	}
	p.load(&object{file: n, path: "/" + n.Path})
}

// process is the set of objects that one program or plugin loads.
type process struct {
	c       *checker
	chain   []string // to the program
	data    bool     // it lies where no program of this machine does
	program bool     // it starts by itself; a plugin's host has loaded libraries already
	loaded  map[string]bool
	files   map[string]bool // paths of loaded files, links followed
}

// loadLinker checks the dynamic linker that the program asks for.
func (p *process) loadLinker(interp string) bool {
	c := p.c
	chain := append(slices.Clone(p.chain), interp)
	n, err := c.t.Resolve(c.absolute(interp))
	f := c.file(n)
	reason := ""
	switch {
	case err != nil || f == nil:
		reason = nowhere
	case f.ELF == nil || !c.abi.Fits(f.ELF):
		reason = "which is no ELF file of this machine"
	case f.Mode&0o111 == 0:
		reason = fmt.Sprintf("which is not executable (mode %04o)", f.Mode)
	default:
		if problem := c.denied(c.absolute(interp), execute); problem != "" {
			reason = "which " + problem
		}
	}
	if reason != "" {
		problem := Problem{Chain: chain, needs: "the dynamic linker ", Reason: reason}
		if p.data {
			problem.Severity = Warning
		}
		c.report(problem)
		return false
	}
	p.add(f, interp)
	return true
}

// add notes that a file is loaded under name, and reports whether it is new.
func (p *process) add(f *tree.Node, name string) bool {
	p.loaded[name] = true
	if f.ELF.Soname != "" {
		p.loaded[f.ELF.Soname] = true
	}
	isNew := !p.files[f.Path]
	p.files[f.Path] = true
	p.c.reached[f.Path] = true
	return isNew
}

// load loads what root needs, breadth first as the dynamic linker does.
func (p *process) load(root *object) {
	if root.file.ELF.Soname != "" {
		p.loaded[root.file.ELF.Soname] = true
	}
	for queue := []*object{root}; len(queue) > 0; queue = queue[1:] {
		holder := queue[0]
		for _, name := range holder.file.ELF.Needed {
			if p.loaded[name] {
				continue
			}
			found := p.c.findLibrary(holder, name)
			if found.file == nil {
				p.lacks(holder, name, found)
				p.loaded[name] = true
				continue
			}
			if found.hwcaps {
				p.c.report(Problem{Severity: Warning, Chain: p.chainTo(holder, name),
					Reason: "which the image has only for newer processors, at " + found.path})
			}
			if problem := p.c.denied(found.path, read); problem != "" {
				p.c.report(Problem{Chain: p.chainTo(holder, name), Reason: "which " + problem, denied: true})
			}
			if p.add(found.file, name) {
				queue = append(queue, &object{file: found.file, path: found.path, loader: holder})
			}
		}
	}
}

// chainTo returns the chain from the program over holder to name.
func (p *process) chainTo(holder *object, name string) []string {
	var names []string
	for o := holder; o.loader != nil; o = o.loader {
		names = append(names, path.Base(o.path))
	}
	slices.Reverse(names)
	return slices.Concat(p.chain, names, []string{name})
}

// lacks reports that holder does not get name.
func (p *process) lacks(holder *object, name string, found finding) {
	problem := Problem{Chain: p.chainTo(holder, name), Reason: nowhere}
	if p.data {
		problem.Severity = Warning
	}
	at := p.c.elsewhere(name)
	switch {
	case at != "" && p.program:
		problem.outside = path.Dir(at)
		problem.Reason = "which the image has only at " + at + ", where the dynamic linker does not look"
	case at != "":
		problem.Severity = Warning
		problem.Reason = "which the image has only at " + at + ", where the dynamic linker does not look unless the program has loaded it before"
	case found.foreign != "":
		problem.Reason = "which is at " + found.foreign + " but for another machine"
	case !p.program && p.c.recommended(holder.file, name):
		problem.Severity = Warning
		problem.Reason = nowhere + "; package " + holder.file.Origin.Package + " only recommends it"
	default:
		problem.library = true
		if o := holder.file.Origin; o != nil {
			problem.holder = o.Package
		}
	}
	p.c.report(problem)
}

// finding is what the search for a library came to.
type finding struct {
	file    *tree.Node // nil if there is none
	path    string     // absolute, as it was opened
	hwcaps  bool       // it is in a subdirectory of glibc-hwcaps only
	foreign string     // path of a file that has the name but not the machine
}

// findLibrary looks for name as ld.so(8) does on behalf of holder.
func (c *checker) findLibrary(holder *object, name string) finding {
	if strings.Contains(name, "/") {
		var f finding
		c.try(c.absolute(c.expand(name, holder)), &f)
		return f
	}
	var first []string // directories before those of the system, in order
	if len(holder.file.ELF.RunPath) == 0 {
		for o := holder; o != nil; o = o.loader {
			if len(o.file.ELF.RunPath) == 0 { // which makes DT_RPATH void
				first = append(first, c.expandAll(o.file.ELF.RPath, o)...)
			}
		}
	}
	for _, dir := range c.library {
		first = append(first, c.expand(dir, holder))
	}
	first = append(first, c.expandAll(holder.file.ELF.RunPath, holder)...)

	standard := c.standard
	if holder.file.ELF.Flags1&uint32(elf.DF_1_NODEFLIB) != 0 {
		standard = standard.without(c.t, c.abi.SystemDirs())
	}
	var f finding
	if c.searchDirs(newSearch(c.t, first), name, &f) || c.searchDirs(standard, name, &f) {
		return f
	}
	return f
}

// searchDirs looks for name in the directories, those for newer processors last.
func (c *checker) searchDirs(s search, name string, f *finding) bool {
	for _, dir := range s.dirs {
		if c.try(dir+"/"+name, f) {
			f.hwcaps = false
			return true
		}
	}
	for _, dir := range s.hwcaps {
		if f.file == nil && c.try(dir+"/"+name, f) {
			f.hwcaps = true
		}
	}
	return false // a later directory may have it for every processor
}

// try opens the path as a library. What does not exist or is no library of this
// machine is passed over.
func (c *checker) try(name string, f *finding) bool {
	n, err := c.t.Resolve(name)
	if err != nil {
		return false
	}
	file := c.file(n)
	if file == nil || file.ELF == nil {
		return false
	}
	if !c.abi.Fits(file.ELF) {
		if f.foreign == "" {
			f.foreign = name
		}
		return false
	}
	f.file, f.path = file, name
	return true
}

func (c *checker) expandAll(dirs []string, o *object) []string {
	var all []string
	for _, dir := range dirs {
		all = append(all, c.expand(dir, o))
	}
	return all
}

// expand replaces the dynamic string tokens in a path of o (ld.so(8)).
func (c *checker) expand(name string, o *object) string {
	if strings.Contains(name, "$") {
		origin, lib := path.Dir(o.path), "lib/"+c.abi.Triplet
		name = strings.NewReplacer(
			"${ORIGIN}", origin, "$ORIGIN", origin, "${LIB}", lib, "$LIB", lib,
			"${PLATFORM}", c.abi.Platform, "$PLATFORM", c.abi.Platform,
		).Replace(name)
	}
	return c.absolute(name)
}

// recommended reports whether the package of n recommends the one that has the
// library of that name and does not depend on it.
func (c *checker) recommended(n *tree.Node, name string) bool {
	if c.Recommends == nil || n.Origin == nil || n.Origin.Package == "" {
		return false
	}
	provider := ""
	if c.Provider != nil {
		provider = c.Provider(name)
	}
	want := packageName(name)
	return slices.ContainsFunc(c.Recommends(n.Origin.Package), func(pkg string) bool {
		return pkg == provider || want != "" && strings.HasPrefix(pkg, want)
	})
}

// packageName returns how the name of the package begins that has the library of
// a soname (Debian Policy 8.1): libasound2 for libasound.so.2. Transitions append
// to it, as in libasound2t64. It returns "" for a soname without a version.
func packageName(soname string) string {
	name, version, ok := strings.Cut(strings.ToLower(soname), ".so.")
	if !ok || name == "" {
		return ""
	}
	if last := name[len(name)-1]; last >= '0' && last <= '9' {
		name += "-"
	}
	return strings.ReplaceAll(name, "_", "-") + version
}

// elsewhere returns the first path of the image that has a library of that name
// or soname for this machine, "" if none has.
func (c *checker) elsewhere(name string) string {
	if c.bySoname == nil {
		c.bySoname = map[string]string{}
		for n := range c.t.All() {
			f := c.file(n)
			if f == nil || f.ELF == nil || !f.ELF.Dynamic || !c.abi.Fits(f.ELF) {
				continue
			}
			for _, name := range []string{f.ELF.Soname, path.Base(n.Path)} {
				if _, ok := c.bySoname[name]; !ok {
					c.bySoname[name] = "/" + n.Path
				}
			}
		}
	}
	return c.bySoname[path.Base(name)]
}

// search is a list of directories that exist.
type search struct {
	dirs   []string
	hwcaps []string // their subdirectories for newer processors
}

func newSearch(t *tree.Tree, dirs []string) search {
	var s search
	seen := map[string]bool{}
	for _, dir := range dirs {
		n, err := t.Resolve(dir)
		if err != nil || n.Type != tree.Dir || seen[dir] {
			continue
		}
		seen[dir] = true
		s.dirs = append(s.dirs, dir)
		sub, err := t.Resolve(dir + "/glibc-hwcaps")
		if err != nil {
			continue
		}
		for _, name := range t.ReadDir(sub.Path) {
			s.hwcaps = append(s.hwcaps, dir+"/glibc-hwcaps/"+name)
		}
	}
	return s
}

// without returns s without the directories and what is the same under a link.
func (s search) without(t *tree.Tree, dirs []string) search {
	drop := map[*tree.Node]bool{}
	for _, dir := range dirs {
		if n, err := t.Resolve(dir); err == nil {
			drop[n] = true
		}
	}
	return newSearch(t, slices.DeleteFunc(slices.Clone(s.dirs), func(dir string) bool {
		n, err := t.Resolve(dir)
		return err != nil || drop[n]
	}))
}

// splitLibraryPath returns the directories of LD_LIBRARY_PATH.
func splitLibraryPath(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ';' })
}

func machine(e *tree.ELF) string {
	return fmt.Sprintf("%s, %d bits", elf.Machine(e.Machine), e.Class)
}
