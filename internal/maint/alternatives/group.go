package alternatives

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// slaveLink is a link that follows the choice of its group.
type slaveLink struct {
	name, link string
	updated    bool // in this call
}

// choice is one alternative of a group.
type choice struct {
	path     string
	priority int
	slaves   map[string]string // path by the slave's name
}

// linkGroup is a link with what it may lead to, as its administrative file has
// it.
type linkGroup struct {
	name, link string
	manual     bool
	slaves     []slaveLink
	choices    []*choice
	modified   bool
}

// load reads the administrative file of a group (alternative_load in dpkg's
// utils/update-alternatives.c). Choices whose file is gone are left out; warn is
// told of them. The error is fs.ErrNotExist where there is no such group.
func (u *update) load(name string, warn bool) (*linkGroup, error) {
	b, err := u.FS.ReadFile(path.Join(u.adminDir, name))
	if err != nil {
		return nil, err
	}
	r := lines{rest: string(b)}
	g := &linkGroup{name: name}
	switch mode := r.next("status"); mode {
	case "auto":
	case "manual":
		g.manual = true
	default:
		r.fail("invalid status")
	}
	g.link = r.next("master link")
	for r.err == nil {
		slave := r.next("slave name")
		if slave == "" {
			break
		}
		g.slaves = append(g.slaves, slaveLink{name: slave, link: r.next("slave link")})
	}
	for r.err == nil {
		file := r.next("master file")
		if file == "" {
			break
		}
		c := &choice{path: file, slaves: map[string]string{}}
		if c.priority, err = strconv.Atoi(r.next("priority")); err != nil && r.err == nil {
			r.fail("priority of %s: %v", file, err)
		}
		for _, s := range g.slaves {
			if f := r.next("slave file"); f != "" {
				c.slaves[s.name] = f
			}
		}
		if _, err := u.FS.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if warn {
				u.warn("alternative %s (part of link group %s) doesn't exist; removing from list of alternatives", file, name)
			}
			g.modified = true
			continue
		}
		g.choices = append(g.choices, c)
	}
	if r.err != nil {
		return nil, fmt.Errorf("%s corrupt: %w", path.Join(u.adminDir, name), r.err)
	}
	return g, nil
}

// lines reads a text line by line.
type lines struct {
	rest string
	err  error
}

func (r *lines) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *lines) next(what string) string {
	line, rest, ok := strings.Cut(r.rest, "\n")
	if !ok {
		r.fail("unexpected end of file while trying to read %s", what)
		return ""
	}
	r.rest = rest
	return line
}

// save writes the administrative file: mode, link, slaves by name, an empty line,
// the choices by path with priority and the paths of their slaves, an empty line
// (alternative_save).
func (u *update) save(g *linkGroup) error {
	g.slaves = slices.DeleteFunc(g.slaves, func(s slaveLink) bool {
		return !slices.ContainsFunc(g.choices, func(c *choice) bool { return c.slaves[s.name] != "" })
	})
	slices.SortStableFunc(g.slaves, func(a, b slaveLink) int { return strings.Compare(a.name, b.name) })
	slices.SortStableFunc(g.choices, func(a, b *choice) int { return strings.Compare(a.path, b.path) })
	mode := "auto"
	if g.manual {
		mode = "manual"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", mode, g.link)
	for _, s := range g.slaves {
		fmt.Fprintf(&b, "%s\n%s\n", s.name, s.link)
	}
	b.WriteByte('\n')
	for _, c := range g.choices {
		fmt.Fprintf(&b, "%s\n%d\n", c.path, c.priority)
		for _, s := range g.slaves {
			b.WriteString(c.slaves[s.name] + "\n")
		}
	}
	b.WriteByte('\n')
	if err := u.FS.MkdirAll(u.adminDir, 0o755&^u.Umask); err != nil {
		return err
	}
	at := path.Join(u.adminDir, g.name)
	if old, err := u.FS.ReadFile(at); err == nil && string(old) == b.String() {
		return nil
	}
	return u.FS.WriteFile(at, []byte(b.String()), 0o644&^u.Umask)
}

// get returns the choice with that path, nil where there is none.
func (g *linkGroup) get(file string) *choice {
	for _, c := range g.choices {
		if c.path == file {
			return c
		}
	}
	return nil
}

// add puts a choice into the group, in the place of the one with the same path.
func (g *linkGroup) add(c *choice) {
	g.modified = true
	for i, old := range g.choices {
		if old.path == c.path {
			g.choices[i] = c
			return
		}
	}
	g.choices = append(g.choices, c)
}

// best returns the choice of the highest priority; of equal ones the current one
// wins, then the first.
func (g *linkGroup) best(current string) *choice {
	best := g.get(current)
	for _, c := range g.choices {
		if best == nil || c.priority > best.priority {
			best = c
		}
	}
	return best
}

func (g *linkGroup) setManual(manual bool) {
	if g.manual != manual {
		g.manual, g.modified = manual, true
	}
}

// current returns what the group's link in /etc/alternatives leads to, "" where
// there is none.
func (u *update) current(g *linkGroup) string {
	target, err := u.FS.Readlink(path.Join(u.altDir, g.name))
	if err != nil {
		return ""
	}
	return target
}

// kind is what is at a path (alternative_path_classify).
type kind int

const (
	missing kind = iota
	symlink
	other
)

func classify(f *rootfs.FS, name string) kind {
	n, err := f.Lstat(name)
	switch {
	case err != nil:
		return missing
	case n.Type == tree.Symlink:
		return symlink
	}
	return other
}

// names returns the names of all groups.
func (u *update) names() []string {
	all, err := u.FS.ReadDir(u.adminDir)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return strings.HasSuffix(name, ".dpkg-tmp") })
}
