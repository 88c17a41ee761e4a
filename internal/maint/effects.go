package maint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// row is the effects of the packages whose name matches.
type row struct {
	packages string // a pattern of path.Match
	script   string // whose effects these are, "" for postinst
	covers   []string
	effects  []effect
}

// effect is one path that a script makes. It is made only where there is none
// yet, unless the effect says otherwise.
type effect interface {
	apply(at site) error
}

// site is where an effect takes place.
type site struct {
	*Image
	pkg    *Package
	script string
}

func (r row) Name() string { return r.packages + " " + cmp.Or(r.script, "postinst") }

func (r row) matches(name string) bool { return matchName(r.packages, name) }

func matchName(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

func (r row) Applies(img *Image) bool {
	return len(r.effects) > 0 && slices.ContainsFunc(img.Packages, func(p Package) bool { return r.matches(p.Name) })
}

func (r row) Apply(_ context.Context, img *Image) error {
	for i := range img.Packages {
		p := &img.Packages[i]
		if !r.matches(p.Name) {
			continue
		}
		for _, e := range r.effects {
			if err := e.apply(site{img, p, cmp.Or(r.script, "postinst")}); err != nil {
				return err
			}
		}
	}
	return nil
}

// named reports whether the script names what an effect makes, so that an
// effect that a version of the package does not have is not invented.
func (s site) named(text string) bool {
	return strings.Contains(s.pkg.Scripts[s.script], text)
}

// expand replaces {name} by the package's name without "-minimal".
func (s site) expand(p string) string {
	return strings.ReplaceAll(p, "{name}", strings.TrimSuffix(s.pkg.Name, "-minimal"))
}

func (s site) from(command string, inputs ...string) *tree.Origin {
	return s.pkg.origin(s.script, command, inputs...)
}

// dir is a directory.
type dir struct {
	path   string
	mode   uint32 // 0 is 0755
	gid    uint32
	local  bool   // below /usr/local: of group staff where /etc/staff-group-for-usr-local says so
	owned  bool   // mode and owner are set where the directory is there too
	names  string // what the script must contain; default the absolute path
	script string // default the row's
}

func (d dir) apply(at site) error {
	at.script = cmp.Or(d.script, at.script)
	name := at.expand(d.path)
	if !at.named(cmp.Or(d.names, "/"+name)) && !at.named(cmp.Or(d.names, d.path+" ")) {
		return nil
	}
	mode, gid := cmp.Or(d.mode, 0o755), d.gid
	if d.local && at.has("etc/staff-group-for-usr-local") {
		mode, gid = 0o2775, gidStaff
	}
	old, err := at.Tree.Resolve(name)
	if err == nil && old.Origin != nil && old.Origin.Kind != tree.FromBuilder && !d.owned {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return at.put(&tree.Node{Path: name, Type: tree.Dir, Mode: mode, GID: gid, Origin: at.from("mkdir /" + name)})
}

// file is a file with a fixed text, mostly an empty one.
type file struct {
	path   string
	text   string
	mode   uint32 // 0 is 0644
	uid    uint32
	gid    uint32
	names  string // what the script must contain; default the absolute path
	called bool   // the script must certainly write it in a fresh installation
}

func (f file) apply(at site) error {
	name := at.expand(f.path)
	switch {
	case f.called:
		if at.input("/"+name) == nil {
			return nil
		}
	case !at.named(cmp.Or(f.names, "/"+name)):
		return nil
	}
	if at.has(name) {
		return nil
	}
	return at.put(&tree.Node{
		Path: name, Type: tree.File, Mode: cmp.Or(f.mode, 0o644), UID: f.uid, GID: f.gid,
		Content: tree.Bytes(f.text), Origin: at.from("touch /" + name),
	})
}

// input returns the text that the script writes to a path in a fresh
// installation, nil where it writes none.
func (s site) input(name string) *string {
	for _, c := range s.calls[s.pkg.Name+" "+s.script] {
		if c.Known && c.Certain && c.Args[0] == ">" && c.Args[1] == name {
			return &c.Input
		}
	}
	return nil
}

// written is a file whose text stands in the script, as a here-document.
type written struct{ path string }

func (w written) apply(at site) error {
	text := at.input("/" + w.path)
	if text == nil || *text == "" || at.has(w.path) {
		return nil
	}
	return at.put(&tree.Node{Path: w.path, Type: tree.File, Mode: 0o644, Content: tree.Bytes(*text), Origin: at.from("cat > /" + w.path)})
}

// copied is a copy of a file of the image, with its mode and owner. Where the
// policy dropped the original there is nothing to copy.
type copied struct {
	from, to string
	needs    string // a path that must be there
	mode     uint32 // 0 keeps the original's
}

func (c copied) apply(at site) error {
	if at.has(c.to) || c.needs != "" && !at.has(c.needs) || !at.named(path.Base(c.from)) {
		return nil
	}
	n, err := at.Tree.Resolve(c.from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	b, err := at.Tree.ReadFile(c.from)
	if err != nil {
		return err
	}
	return at.put(&tree.Node{
		Path: c.to, Type: tree.File, Mode: cmp.Or(c.mode, n.Mode), UID: n.UID, GID: n.GID,
		Content: tree.Bytes(b), Origin: at.from("cp -p /"+c.from+" /"+c.to, "/"+c.from),
	})
}

// link is a symbolic link.
type link struct {
	at, to   string
	needs    string // a path that must be there
	names    string // what the script must contain; default the link's absolute path
	replaces bool   // whatever is there already
}

func (l link) apply(at site) error {
	if !at.named(cmp.Or(l.names, "/"+path.Base(l.at))) && !at.named(" "+l.at+" ") {
		return nil
	}
	if l.needs != "" && !at.has(l.needs) || !l.replaces && at.hasLink(l.at) {
		return nil
	}
	return at.put(&tree.Node{Path: l.at, Type: tree.Symlink, Mode: 0o777, Link: l.to, Origin: at.from("ln -s " + l.to + " /" + l.at)})
}

// moved is a directory that becomes a link to another, such as /var/run. What
// it holds goes to its new place, as it would have where the link was there
// before the other packages were unpacked.
type moved struct{ from, to string }

func (m moved) apply(at site) error {
	old := at.Tree.Lookup(m.from)
	if old != nil && old.Type != tree.Dir || !at.named("/"+m.from+" /"+m.to) {
		return nil
	}
	for _, name := range at.Tree.ReadDir(m.from) {
		if err := at.moveTo(path.Join(m.from, name), path.Join(m.to, name)); err != nil {
			return err
		}
	}
	at.Tree.Remove(m.from)
	return at.put(&tree.Node{Path: m.from, Type: tree.Symlink, Mode: 0o777, Link: "/" + m.to, Origin: at.from("ln -s /" + m.to + " /" + m.from)})
}

func (s site) moveTo(from, to string) error {
	n := s.Tree.Lookup(from)
	if n.Layered && n.Type != tree.Dir {
		return fmt.Errorf("/%s of %s: expected nothing of a package below a directory that becomes a link", from, n.Origin)
	}
	c := *n
	c.Path, c.Layered = to, false
	if err := s.Tree.Add(&c); err != nil {
		return err
	}
	for _, name := range s.Tree.ReadDir(from) {
		if err := s.moveTo(path.Join(from, name), path.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}
