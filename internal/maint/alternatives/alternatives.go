package alternatives

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// The directories of update-alternatives, as paths of a tree.
const (
	LinkDir  = "etc/alternatives"
	AdminDir = "var/lib/dpkg/alternatives"
)

// Slave is a link that follows the group's choice: a manual page, for example.
type Slave struct {
	Link string // /usr/share/man/man1/awk.1.gz
	Name string // awk.1.gz, below /etc/alternatives
	Path string // /usr/share/man/man1/mawk.1.gz
}

// Install is one "update-alternatives --install".
type Install struct {
	Link     string // /usr/bin/awk
	Name     string // awk, of the group and below /etc/alternatives
	Path     string // /usr/bin/mawk
	Priority int
	Slaves   []Slave

	Origin *tree.Origin // of what the alternative makes where it is chosen

	order int // in which the group's alternatives were installed
}

// ErrSyntax is wrapped by the error for arguments that are no --install.
var ErrSyntax = errors.New("malformed update-alternatives call")

// Parse reads the arguments of update-alternatives, without the command's name.
// It returns nil where the call installs nothing, which has no effect on a new
// system.
func Parse(args []string) (*Install, error) {
	var in *Install
	for i := 0; i < len(args); i++ {
		rest := args[i+1:]
		switch opt := args[i]; opt {
		case "--install":
			if len(rest) < 4 {
				return nil, fmt.Errorf("%w: --install has %d arguments, expected <link> <name> <path> <priority>", ErrSyntax, len(rest))
			}
			priority, err := strconv.Atoi(rest[3])
			if err != nil {
				return nil, fmt.Errorf("%w: priority %q is no number", ErrSyntax, rest[3])
			}
			in = &Install{Link: rest[0], Name: rest[1], Path: rest[2], Priority: priority}
			i += 4
		case "--slave":
			if in == nil || len(rest) < 3 {
				return nil, fmt.Errorf("%w: --slave without --install or with %d arguments, expected <link> <name> <path>", ErrSyntax, len(rest))
			}
			in.Slaves = append(in.Slaves, Slave{rest[0], rest[1], rest[2]})
			i += 3
		case "--altdir", "--admindir", "--instdir", "--root", "--log":
			i++
		case "--quiet", "--verbose", "--debug", "--force", "--skip-auto":
		default:
			if in != nil {
				return nil, fmt.Errorf("%w: found %q after --install", ErrSyntax, opt)
			}
			return nil, nil
		}
	}
	if in == nil {
		return nil, nil
	}
	for _, p := range []string{in.Link, in.Path} {
		if !strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("%w: path %q is not absolute", ErrSyntax, p)
		}
	}
	if in.Name == "" || strings.ContainsAny(in.Name, "/ \t\n") {
		return nil, fmt.Errorf("%w: name %q", ErrSyntax, in.Name)
	}
	return in, in.checkSlaves()
}

func (in *Install) checkSlaves() error {
	for _, s := range in.Slaves {
		switch {
		case !strings.HasPrefix(s.Link, "/") || !strings.HasPrefix(s.Path, "/"):
			return fmt.Errorf("%w: slave %s: path %q or %q is not absolute", ErrSyntax, s.Name, s.Link, s.Path)
		case s.Name == "" || s.Name == in.Name || strings.ContainsAny(s.Name, "/ \t\n"):
			return fmt.Errorf("%w: slave name %q", ErrSyntax, s.Name)
		}
	}
	return nil
}

// group is a link group with its alternatives.
type group struct {
	name, link string
	slaves     map[string]string // name to link, of all alternatives
	choices    map[string]*Install
}

// Set is the link groups of an image.
type Set struct {
	groups map[string]*group
}

// Add installs an alternative. The one with the same path as another of the
// group takes its place, as with update-alternatives.
func (s *Set) Add(in *Install) {
	if s.groups == nil {
		s.groups = map[string]*group{}
	}
	g := s.groups[in.Name]
	if g == nil {
		g = &group{name: in.Name, slaves: map[string]string{}, choices: map[string]*Install{}}
		s.groups[in.Name] = g
	}
	g.link = in.Link
	for _, sl := range in.Slaves {
		g.slaves[sl.Name] = sl.Link
	}
	in.order = len(g.choices)
	if old := g.choices[in.Path]; old != nil {
		in.order = old.order
	}
	g.choices[in.Path] = in
}

// Len returns the number of link groups.
func (s *Set) Len() int { return len(s.groups) }

// Put writes one node into the tree. The path is clean and may lead through
// symbolic links of the tree.
type Put func(n *tree.Node) error

// Apply makes the links and administrative files of all groups in t, through
// put. Whatever is at a link's path and is no symbolic link stays, as
// update-alternatives leaves it without --force.
func (s *Set) Apply(t *tree.Tree, put Put) error {
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if err := s.groups[name].apply(t, put); err != nil {
			return fmt.Errorf("alternative %s: %w", name, err)
		}
	}
	return nil
}

func exists(t *tree.Tree, name string) bool {
	_, err := t.Resolve(name)
	return err == nil
}

func (g *group) apply(t *tree.Tree, put Put) error {
	for p := range g.choices {
		if !exists(t, p) {
			delete(g.choices, p)
		}
	}
	if len(g.choices) == 0 {
		return nil
	}
	best := g.best()
	link := func(at, to string) error {
		return put(&tree.Node{Path: tree.Clean(at), Type: tree.Symlink, Mode: 0o777, Link: to, Origin: best.Origin})
	}
	pair := func(public, name, target string) error {
		if p, err := t.RealPath(public); err != nil {
			return err
		} else if n := t.Lookup(p); n != nil && n.Type != tree.Symlink {
			return nil
		}
		if err := link(path.Join(LinkDir, name), target); err != nil {
			return err
		}
		return link(public, "/"+path.Join(LinkDir, name))
	}
	if err := pair(g.link, g.name, best.Path); err != nil {
		return err
	}
	for _, s := range best.Slaves {
		if !exists(t, s.Path) {
			continue
		}
		if err := pair(g.slaves[s.Name], s.Name, s.Path); err != nil {
			return err
		}
	}
	admin := []byte(g.admin())
	return put(&tree.Node{Path: path.Join(AdminDir, g.name), Type: tree.File, Mode: 0o644, Size: int64(len(admin)), Content: tree.Bytes(admin), Origin: best.Origin})
}

// best is the alternative of the highest priority; of equal ones the first that
// was installed, as update-alternatives changes only to a higher one.
func (g *group) best() *Install {
	return slices.MinFunc(slices.Collect(maps.Values(g.choices)), func(a, b *Install) int {
		return cmp.Or(-cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.order, b.order))
	})
}

// admin returns the administrative file of the group: mode, link, slaves by
// name, an empty line, the alternatives by path with priority and the paths of
// their slaves, an empty line (dpkg's utils/update-alternatives.c,
// alternative_save).
func (g *group) admin() string {
	var b strings.Builder
	fmt.Fprintf(&b, "auto\n%s\n", g.link)
	slaves := slices.Sorted(maps.Keys(g.slaves))
	for _, name := range slaves {
		fmt.Fprintf(&b, "%s\n%s\n", name, g.slaves[name])
	}
	b.WriteByte('\n')
	for _, p := range slices.Sorted(maps.Keys(g.choices)) {
		c := g.choices[p]
		fmt.Fprintf(&b, "%s\n%d\n", c.Path, c.Priority)
		for _, name := range slaves {
			i := slices.IndexFunc(c.Slaves, func(s Slave) bool { return s.Name == name })
			if i >= 0 {
				b.WriteString(c.Slaves[i].Path)
			}
			b.WriteByte('\n')
		}
	}
	b.WriteByte('\n')
	return b.String()
}
