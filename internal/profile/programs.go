package profile

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/syscalls"
	"github.com/hardpan/hardpan/internal/tree"
)

// programs finds what can be executed, and what of it the image says is.
func (f *Facts) programs(img *oci.Image, c *content) {
	for n := range c.tree.All() {
		if n.Type == tree.File && c.runs(n) {
			f.Programs = append(f.Programs, "/"+n.Path)
		}
	}
	slices.Sort(f.Programs)
	if len(f.Command) == 0 {
		f.unknown("what it runs: the image has no entrypoint and no cmd, so that each program of it is expected")
		f.Expected = f.Programs
		return
	}
	for _, argv := range [][]string{f.Command, f.health()} {
		if len(argv) > 0 {
			f.expect(argv[0], img, c)
		}
	}
	slices.Sort(f.Expected)
	f.Expected = slices.Compact(f.Expected)
}

// runs reports whether the kernel would execute the file: a script with an interpreter,
// or an ELF file that is no mere library.
func (c *content) runs(n *tree.Node) bool {
	if n.Mode&0o111 == 0 {
		return false
	}
	if n.SHA256 == "" {
		return n.Interpreter != ""
	}
	e := c.files[n.SHA256]
	return e != nil && e.Arch != "" && (e.Interp != "" || e.Soname == "" && !strings.Contains(path.Base(n.Path), ".so"))
}

// expect notes the program that a command starts: what /proc/PID/exe leads to, which
// of a script is its interpreter.
func (f *Facts) expect(command string, img *oci.Image, c *content) {
	at := command
	for range 5 { // as many interpreters as Linux follows (execve(2))
		n := c.find(at, img)
		if n == nil {
			f.unknown("what %q is: no file of the image", at)
			return
		}
		f.Expected = append(f.Expected, "/"+n.Path)
		if n.Interpreter == "" {
			return
		}
		at = n.Interpreter
	}
}

// find returns the file that a command names, by PATH unless it has a slash.
func (c *content) find(command string, img *oci.Image) *tree.Node {
	if strings.Contains(command, "/") {
		if !path.IsAbs(command) {
			command = path.Join("/", img.Config.WorkingDir, command)
		}
		return c.file(command)
	}
	list := closure.DefaultPath
	for _, e := range img.Config.Env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			list = value
		}
	}
	for dir := range strings.SplitSeq(list, ":") {
		if n := c.file(path.Join("/", dir, command)); n != nil && n.Mode&0o111 != 0 {
			return n
		}
	}
	return nil
}

// analyzed returns the image's ELF files with the paths that have them, those of the
// command's closure alone if asked for, and sentences about files that were not understood.
func (c *content) analyzed(arch string, f *Facts, entrypointOnly bool) (list []syscalls.Program, problems []string) {
	for n := range c.tree.All() {
		if n.Type != tree.File || n.SHA256 == "" {
			continue
		}
		e := c.files[n.SHA256]
		switch {
		case e == nil:
		case e.Arch == arch:
			list = append(list, syscalls.Program{Path: "/" + n.Path, File: e})
		case e.Problem != "" && !strings.HasPrefix(e.Problem, syscalls.ErrNotELF.Error()):
			problems = append(problems, "what /"+n.Path+" calls: "+e.Problem)
		}
	}
	if entrypointOnly {
		list = reachable(list, f.Expected)
	}
	return list, problems
}

// reachable returns the files that the dynamic linker loads for the programs, and those
// that the programs and the C library look up by name.
func reachable(all []syscalls.Program, programs []string) []syscalls.Program {
	byName := map[string][]int{}
	for i, p := range all {
		byName[path.Base(p.Path)] = append(byName[path.Base(p.Path)], i)
		if p.Soname != "" && p.Soname != path.Base(p.Path) {
			byName[p.Soname] = append(byName[p.Soname], i)
		}
	}
	taken := map[int]bool{}
	var queue []int
	take := func(list []int) {
		for _, i := range list {
			if !taken[i] {
				taken[i] = true
				queue = append(queue, i)
			}
		}
	}
	for i, p := range all {
		if slices.Contains(programs, p.Path) {
			take([]int{i})
		}
		// Name services (nss(5)), conversions (iconv(3)), and what unwinds the stack of
		// a thread that is cancelled: glibc loads them when they are needed.
		base := path.Base(p.Path)
		if strings.HasPrefix(base, "libnss_") || strings.HasPrefix(base, "libgcc_s.so") || strings.Contains(p.Path, "/gconv/") {
			take([]int{i})
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		p := all[queue[0]]
		for _, name := range append(slices.Clone(p.Needed), p.Interp) {
			take(byName[path.Base(name)])
		}
	}
	var list []syscalls.Program
	for i, p := range all {
		if taken[i] {
			list = append(list, p)
		}
	}
	return list
}

// libraries returns the directories with ELF files that are mapped and not executed.
func (c *content) libraries() []string {
	dirs := map[string]bool{}
	for n := range c.tree.All() {
		if n.Type == tree.File && n.SHA256 != "" && c.files[n.SHA256] != nil && c.files[n.SHA256].Arch != "" {
			dirs[path.Dir("/"+n.Path)] = true
		}
	}
	return slices.Sorted(maps.Keys(dirs))
}
