package diff

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/inventory"
)

// Path is a path that differs.
type Path struct {
	Change Change   `json:"change"`
	Path   string   `json:"path"`
	What   []string `json:"what,omitempty"` // of a changed one: "type", "mode", "owner", "content", "target", "capability"
	Old    *Entry   `json:"old,omitempty"`
	New    *Entry   `json:"new,omitempty"`
}

// Entry is a path of one image.
type Entry struct {
	Type       string `json:"type"`
	Mode       string `json:"mode"`  // octal
	Owner      string `json:"owner"` // "uid:gid"
	Size       int64  `json:"size,omitempty"`
	Target     string `json:"target,omitempty"`
	Capability string `json:"capability,omitempty"` // as getcap(8) prints it
	Origin     string `json:"origin"`
}

// paths walks both lists, which are sorted, side by side.
func paths(old, new *inventory.Inventory) (list []Path) {
	was, stopWas := iter.Pull(old.Image.All())
	defer stopWas()
	is, stopIs := iter.Pull(new.Image.All())
	defer stopIs()
	a, moreOld := was()
	b, moreNew := is()
	for moreOld || moreNew {
		switch {
		case !moreNew || moreOld && a.Path < b.Path:
			list = append(list, Path{Change: Removed, Path: rooted(a), Old: entry(old, a)})
			a, moreOld = was()
		case !moreOld || b.Path < a.Path:
			list = append(list, Path{Change: Added, Path: rooted(b), New: entry(new, b)})
			b, moreNew = is()
		default:
			if what := changes(old.Image, a, new.Image, b); len(what) > 0 {
				list = append(list, Path{Change: Changed, Path: rooted(b), What: what, Old: entry(old, a), New: entry(new, b)})
			}
			a, moreOld = was()
			b, moreNew = is()
		}
	}
	return list
}

func rooted(f *facts.File) string {
	if f.Path == "." {
		return "/"
	}
	return "/" + f.Path
}

func entry(inv *inventory.Inventory, f *facts.File) *Entry {
	return &Entry{
		Type: inventory.TypeName(f), Mode: fmt.Sprintf("%04o", f.Mode), Owner: fmt.Sprintf("%d:%d", f.UID, f.GID),
		Size: f.Size, Target: f.Link, Capability: f.Capability.String(), Origin: inv.Origin(f).Text,
	}
}

// changes names what differs. Which of the names of a file is the file and which are
// hard links to it is chance and no difference.
func changes(old *facts.Image, a *facts.File, new *facts.Image, b *facts.File) (what []string) {
	was, is := content(old, a), content(new, b)
	add := func(name string, differs bool) {
		if differs {
			what = append(what, name)
		}
	}
	sameType := was.Type == is.Type && was.Kind == is.Kind
	add("type", !sameType)
	add("mode", a.Type != facts.Symlink && b.Type != facts.Symlink && was.Mode != is.Mode)
	add("owner", was.UID != is.UID || was.GID != is.GID)
	add("content", sameType && was.Type == facts.Regular && (was.Size != is.Size || was.MD5 != is.MD5))
	add("target", sameType && was.Type == facts.Symlink && was.Link != is.Link)
	add("capability", was.Capability != is.Capability)
	return what
}

// content returns the file that a hard link names.
func content(img *facts.Image, f *facts.File) *facts.File {
	if f.Type == facts.Hardlink {
		if to := img.File(f.Link); to != nil && to.Type == facts.Regular {
			return to
		}
	}
	return f
}

// Says returns what is different about a changed path, a line for each: "mode 0755 ->
// 0644", "content 3 -> 8 bytes".
func (p *Path) Says() (lines []string) {
	for _, what := range p.What {
		was, is := p.Old.Type, p.New.Type
		switch what {
		case "mode":
			was, is = p.Old.Mode, p.New.Mode
		case "owner":
			was, is = p.Old.Owner, p.New.Owner
		case "target":
			was, is = p.Old.Target, p.New.Target
		case "capability":
			was, is = cmp.Or(p.Old.Capability, "none"), cmp.Or(p.New.Capability, "none")
		case "content":
			if p.Old.Size == p.New.Size {
				lines = append(lines, "content, of the same size")
				continue
			}
			was, is = fmt.Sprint(p.Old.Size), fmt.Sprintf("%d bytes", p.New.Size)
		}
		lines = append(lines, fmt.Sprintf("%s %s -> %s", what, was, is))
	}
	return lines
}
