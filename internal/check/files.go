package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/harden/tool"
)

// stripped returns the judge of a rule by which the builder leaves files out.
func stripped(q *question) string {
	for f := range q.All() {
		if f.Type != facts.Directory && q.rule.Strip.Leaves(f.Path) {
			q.found(at(f, "nothing that runs reads it", ""))
		}
	}
	if len(q.rule.Kinds) > 0 {
		return tools(q)
	}
	return applies
}

// tools is the judge of a rule about what files are.
func tools(q *question) string {
	for f := range q.All() {
		for _, t := range f.Tools {
			if t.Kind == tool.Leftover && f.Size == 0 {
				continue // a log that is there to be written
			}
			if slices.Contains(q.rule.Kinds, t.Kind) && (q.rule.Strip == nil || !q.rule.Strip.Leaves(f.Path)) {
				q.found(at(f, "it is "+t.Name+", by its "+string(t.By), string(t.Kind)))
				break
			}
		}
		if f.Type == facts.Symlink {
			q.applet(f)
		}
	}
	return applies
}

// applet judges a symbolic link, by which a program of many commands is one of them,
// or a name for a tool.
func (q *question) applet(f *facts.File) {
	target := q.Resolve(f.Path)
	if target == nil || target.Type != facts.Regular || !target.Executable() {
		return
	}
	many := slices.ContainsFunc(target.Tools, func(t tool.Tool) bool { return t.Name == "busybox" || t.Name == "toybox" })
	if len(target.Tools) > 0 && !many {
		return // told of the file itself
	}
	for _, t := range tool.Applet(f.Path, target.Tools) {
		if slices.Contains(q.rule.Kinds, t.Kind) {
			q.found(at(f, fmt.Sprintf("it is %s, by its link to /%s", t.Name, target.Path), string(t.Kind)))
			return
		}
	}
}

// interpreters is tools for interpreters beyond the declared ones.
func interpreters(q *question) string {
	declared := q.declared()
	for f := range q.All() {
		for _, t := range f.Tools {
			if t.Kind == tool.Interpreter && !declared[t.Name] && !q.requested(f, t.Name) {
				q.found(at(f, "it is "+t.Name+", by its "+string(t.By)+", and nothing says that the image is for it", t.Name))
				break
			}
		}
	}
	return applies
}

// declared returns the interpreters that the command names.
func (q *question) declared() map[string]bool {
	names := map[string]bool{}
	for _, w := range q.command() {
		f := q.Look(w)
		if f == nil {
			continue
		}
		for _, t := range f.Tools {
			if t.Kind == tool.Interpreter {
				names[t.Name] = true
			}
		}
	}
	return names
}

// requested reports whether the spec names the package of an interpreter, or one of
// that name which needs it.
func (q *question) requested(f *facts.File, name string) bool {
	if q.Record == nil {
		return false
	}
	row, ok := q.Record.Lookup(f.Path)
	if !ok || row.Origin.Package == "" {
		return ok && row.Origin.Spec != ""
	}
	pkg := row.Origin.Package
	for range 64 { // a chain of reasons is not longer, and a circle of them ends
		p := q.Record.Package(pkg)
		if p == nil {
			return false
		}
		if p.Why == "requested" {
			return strings.Contains(p.Name, strings.TrimRight(name, "0123456789.")) || p.Name == row.Origin.Package
		}
		pkg, _, _ = strings.Cut(p.Why, " ")
		pkg = strings.TrimSuffix(pkg, ":")
	}
	return false
}

func privilegeBits(q *question) string {
	for f := range q.All() {
		if f.Type != facts.Regular && f.Type != facts.Hardlink { // who unpacks a link gives its mode to the file
			continue
		}
		switch {
		case f.Mode&0o4000 != 0 && f.UID == 0 && f.Mode&0o111 != 0:
			q.found(at(f, "set-user-id root", mode(f)))
		case f.Mode&0o4000 != 0 || f.Mode&0o2000 != 0 && f.Mode&0o010 != 0:
			q.foundAs(harden.Medium, at(f, "set-user-id or set-group-id", mode(f)))
		case f.Mode&0o2000 != 0:
			q.foundAs(harden.Info, at(f, "set-group-id of what the group may not run", mode(f)))
		}
		if f.Capability != "" {
			q.found(at(f, "has file capabilities", f.Capability.String()))
		}
	}
	return applies
}

func scriptTools(q *question) string {
	if q.Record == nil {
		return "only hardpan says which packages those are"
	}
	if q.Record.Profile == string(harden.Strict) {
		return applies
	}
	for _, p := range q.Record.Packages {
		if slices.Contains([]string{"debconf", "adduser", "dpkg", "ucf", "init-system-helpers", "cdebconf"}, p.Name) && p.Why != "requested" {
			q.found(said("package "+p.Name+" serves maintainer scripts alone", p.Why))
		}
	}
	return applies
}

func worldWritableFile(q *question) string {
	for f := range q.All() {
		if (f.Type == facts.Regular || f.Type == facts.Hardlink) && f.Mode&0o002 != 0 {
			q.found(at(f, "everybody may write it", mode(f)))
		}
	}
	return applies
}

func worldWritableDirectory(q *question) string {
	for f := range q.All() {
		if f.Type == facts.Directory && f.Mode&0o002 != 0 && f.Mode&0o1000 == 0 {
			q.found(at(f, "everybody may write in it, without the sticky bit", mode(f)))
		}
	}
	return applies
}

func unownedFile(q *question) string {
	a := q.Accounts()
	if len(a.Users) == 0 {
		return "the image has no /etc/passwd"
	}
	users, groups := map[int64]bool{0: true}, map[int64]bool{0: true}
	for _, u := range a.Users {
		users[u.UID], groups[u.GID] = true, true
	}
	for _, g := range a.Groups {
		groups[g.GID] = true
	}
	r := q.Runner()
	users[r.UID], groups[r.GID] = true, true // the image says who that is
	for f := range q.All() {
		if !users[int64(f.UID)] || !groups[int64(f.GID)] {
			q.found(at(f, "no account has its owner or group", fmt.Sprintf("%d:%d", f.UID, f.GID)))
		}
	}
	return applies
}

// systemDirectories hold programs, libraries and configuration.
var systemDirectories = []string{"etc", "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "boot"}

func inSystem(name string) bool {
	top, rest, _ := strings.Cut(name, "/")
	return slices.Contains(systemDirectories, top) && !(top == "usr" && strings.HasPrefix(rest, "src/"))
}

func systemWritable(q *question) string {
	r := q.Runner()
	if r.UID <= 0 {
		return "the user is root, who may write everywhere, or not known"
	}
	started := ""
	if words := q.command(); len(words) > 0 {
		if f := q.Look(words[0]); f != nil {
			started = f.Path
		}
	}
	for f := range q.All() {
		if f.Type == facts.Symlink || f.Type == facts.Hardlink || !r.Writes(f) {
			continue
		}
		switch {
		case f.Path == started:
			q.found(at(f, "the image's user may change the program that it starts", mode(f)))
		case f.Type == facts.Directory && f.Mode&0o1000 != 0 && int64(f.UID) != r.UID: // sticky, as /tmp is
		case inSystem(f.Path) || f.Path == ".":
			q.found(at(f, "the image's user may write to the system", mode(f)))
		case strings.HasPrefix(f.Path, "opt/") && (f.ELF != nil || f.Executable()):
			q.foundAs(harden.Low, at(f, "the image's user may change a program", mode(f)))
		}
	}
	return applies
}

func deviceNode(q *question) string {
	for f := range q.All() {
		if f.Type == facts.Other {
			q.found(at(f, map[byte]string{'3': "a character device", '4': "a block device", '6': "a pipe"}[f.Kind]+" is in the layer", "type "+string(rune(f.Kind))))
		}
	}
	return applies
}

func deletedContent(q *question) string {
	if len(q.Layers) < 2 {
		return "the image has one layer"
	}
	const small = 64 << 10
	count, total := 0, int64(0)
	for _, h := range q.Hidden {
		if h.Size < small {
			count++
			total += h.Size
			continue
		}
		what := "replaced"
		if h.Removed {
			what = "removed"
		}
		q.found(at(h.File, fmt.Sprintf("%d bytes are pulled although layer %d has %s the file", h.Size, h.By+1, what), fmt.Sprint(h.Size)))
	}
	if count > 0 {
		q.foundAs(harden.Info, said(fmt.Sprintf("%d files of less than 64 kB that later layers replace or remove", count), fmt.Sprint(total)))
	}
	if n := len(q.Whiteouts); n > 0 {
		w := q.Whiteouts[0]
		layer := w.Layer
		q.foundAs(harden.Info, Finding{Path: "/" + w.Path, Layer: &layer, Message: fmt.Sprintf("%d whiteouts, this one is the first", n), Value: fmt.Sprint(n)})
	}
	return applies
}

func duplicateContent(q *question) string {
	type key struct {
		crc  uint64
		size int64
	}
	seen := map[key]*facts.File{}
	for f := range q.All() {
		if f.Type != facts.Regular || f.Size < facts.LargeFile {
			continue
		}
		k := key{f.CRC, f.Size}
		if first := seen[k]; first != nil {
			q.found(at(f, fmt.Sprintf("the same %d bytes as /%s", f.Size, first.Path), fmt.Sprint(f.Size)))
		} else {
			seen[k] = f
		}
	}
	return applies
}
