package dockerfile

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Tree is what is known of the files of a stage: those that its steps make or whose
// permissions they change. It knows nothing of the base image.
type Tree struct {
	parent *Tree
	nodes  map[string]*Node // nil for what is gone
	umask  uint32
}

// Node is a file or directory.
type Node struct {
	Path      string
	Dir       bool
	Mode      uint32
	ModeKnown bool
	Owner     string // as written, "" for root
	Group     string
	Made      int // line, 0 where it is the base image's
	Changed   int // line that set the mode or, where nothing did, made it
	OwnerLine int // line that set the owner
	Copied    bool
}

// maxNodes bounds a stage's tree.
const maxNodes = 1000

func newTree(parent *Tree) *Tree {
	return &Tree{parent: parent, nodes: map[string]*Node{}, umask: 0o022}
}

func (t *Tree) child() *Tree { return newTree(t) }

// Get returns what is known of a path, nil where that is nothing.
func (t *Tree) Get(name string) *Node {
	for at := t; at != nil; at = at.parent {
		if n, ok := at.nodes[name]; ok {
			return n
		}
	}
	return nil
}

// All returns all nodes, by path.
func (t *Tree) All() []*Node {
	all := map[string]*Node{}
	var chain []*Tree
	for at := t; at != nil; at = at.parent {
		chain = append(chain, at)
	}
	for _, at := range slices.Backward(chain) {
		maps.Copy(all, at.nodes)
	}
	var list []*Node
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != nil {
			list = append(list, all[name])
		}
	}
	return list
}

// own returns a node of the path that may be changed, made where there is none.
func (t *Tree) own(name string) *Node {
	if n := t.nodes[name]; n != nil {
		return n
	}
	if len(t.nodes) >= maxNodes {
		return &Node{}
	}
	n := &Node{Path: name}
	if before := t.Get(name); before != nil {
		copied := *before
		n = &copied
	}
	t.nodes[name] = n
	return n
}

// below returns the paths at and below name, sorted.
func (t *Tree) below(name string) []string {
	prefix := strings.TrimSuffix(name, "/") + "/"
	seen := map[string]bool{}
	var list []string
	for at := t; at != nil; at = at.parent {
		for p, n := range at.nodes {
			if (p == name || strings.HasPrefix(p, prefix)) && !seen[p] {
				seen[p] = true
				if n != nil {
					list = append(list, p)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

func (t *Tree) directory(name string, mode uint32, line int) *Node {
	if n := t.Get(name); n != nil {
		return n
	}
	n := t.own(name)
	n.Dir, n.Mode, n.ModeKnown, n.Made, n.Changed = true, mode, true, line, line
	return n
}

// ofBase are directories that every base image has.
var ofBase = []string{"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/run", "/var/tmp"}

// parents makes the directories above a path that the base image does not have.
func (t *Tree) parents(name string, line int, owner string) {
	for at := path.Dir(name); !slices.Contains(ofBase, at) && at != "."; at = path.Dir(at) {
		if t.Get(at) == nil {
			t.directory(at, 0o777&^t.umask, line).Owner = owner
		}
	}
}

// workdir is what WORKDIR does: it makes the directory, for the user of the moment.
func (t *Tree) workdir(dir, user string, step *Step) {
	if dir == "" || dir == "/" || windowsPath(dir) || t.Get(dir) != nil {
		return
	}
	n := t.directory(dir, 0o755, step.Line)
	n.Owner, n.Group, _ = strings.Cut(user, ":")
}

// follow keeps what a command does to files.
func (t *Tree) follow(c *Command, step *Step, accounts *Accounts) {
	switch c.Name {
	case "umask":
		if len(c.Args) == 1 {
			if m, err := strconv.ParseUint(c.Args[0].Text, 8, 12); err == nil {
				t.umask = uint32(m)
			}
		}
	case "mkdir":
		values, words := c.options(map[string]string{"-m": "mode", "--mode": "mode"})
		for _, p := range c.paths(words) {
			if c.Has("-p", "--parents") {
				t.parents(p, c.Line, userOf(step))
			}
			n := t.directory(p, 0o777&^t.umask, c.Line)
			n.Owner = cmpOr(n.Owner, userOf(step))
			if mode, ok := applyMode(values["mode"], 0o777, true); values["mode"] != "" && ok {
				n.Mode, n.ModeKnown = mode, true
			}
		}
	case "install":
		t.install(c)
	case "touch":
		for _, p := range c.paths(operands(c, []string{"-d", "-r", "-t", "--date", "--reference"})) {
			if t.Get(p) == nil {
				n := t.own(p)
				n.Mode, n.ModeKnown, n.Made, n.Changed, n.Owner = 0o666&^t.umask, true, c.Line, c.Line, userOf(step)
			}
		}
	case "chmod":
		t.chmod(c)
	case "chown", "chgrp":
		t.chown(c)
	case "rm", "rmdir":
		for _, p := range c.paths(operands(c, nil)) {
			for _, gone := range t.below(p) {
				t.nodes[gone] = nil
			}
		}
	case "useradd", "adduser":
		if u := accounts.latest(c.Line); u != nil && u.MakeHome && t.Get(u.Home) == nil {
			n := t.own(u.Home)
			n.Dir, n.Made, n.Changed, n.Owner, n.Group = true, c.Line, c.Line, u.Name, u.Group
		}
	}
	for _, w := range c.Writes {
		if w.Known && strings.HasPrefix(w.Text, "/") && !strings.HasPrefix(w.Text, "/dev/") && t.Get(w.Text) == nil {
			n := t.own(path.Clean(w.Text))
			n.Mode, n.ModeKnown, n.Made, n.Changed, n.Owner = 0o666&^t.umask, true, c.Line, c.Line, userOf(step)
		}
	}
}

func userOf(step *Step) string {
	user, _, _ := strings.Cut(step.User, ":")
	return user
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (a *Accounts) latest(line int) *User {
	if n := len(a.Users); n > 0 && a.Users[n-1].Line == line {
		return &a.Users[n-1]
	}
	return nil
}

// paths returns the absolute paths of a command's words, less those that are not known.
func (c *Command) paths(words []string) []string {
	known := map[string]bool{}
	for _, w := range c.Args {
		known[w.Text] = w.Known
	}
	var list []string
	for _, w := range words {
		if !known[w] || w == "" || strings.ContainsAny(w, "*?[") {
			continue
		}
		if !strings.HasPrefix(w, "/") {
			if c.Dir == "" {
				continue
			}
			w = c.Dir + "/" + w
		}
		list = append(list, path.Clean(w))
	}
	return list
}

func (t *Tree) install(c *Command) {
	values, words := c.options(map[string]string{"-m": "mode", "--mode": "mode", "-o": "owner", "--owner": "owner", "-g": "group", "--group": "group", "-t": "", "--target-directory": "", "-S": ""})
	dirs := c.Has("-d", "--directory")
	paths := c.paths(words)
	if !dirs && len(paths) > 0 {
		paths = paths[len(paths)-1:]
	}
	for _, p := range paths {
		n := t.own(p)
		n.Dir, n.Mode, n.ModeKnown, n.Made, n.Changed = dirs, 0o755, true, c.Line, c.Line
		if mode, ok := applyMode(values["mode"], 0o755, dirs); values["mode"] != "" && ok {
			n.Mode = mode
		}
		n.Owner, n.Group = values["owner"], values["group"]
	}
}

func (t *Tree) chmod(c *Command) {
	words := operands(c, nil)
	for _, w := range c.Args { // chmod -x FILE: a mode that looks like an option
		if len(w.Text) > 1 && w.Text[0] == '-' && strings.Trim(w.Text[1:], "rwxXst") == "" {
			words = append([]string{w.Text}, words...)
			break
		}
	}
	if len(words) < 2 {
		return
	}
	mode, recursive := words[0], c.Has("-R", "--recursive")
	for _, p := range c.paths(words[1:]) {
		names := []string{p}
		if recursive {
			names = append(names, t.below(p)...)
		}
		for _, name := range names {
			before := t.Get(name)
			if before == nil && name != p {
				continue
			}
			n := t.own(name)
			if m, ok := applyMode(mode, n.Mode, n.Dir); ok && (n.ModeKnown || absoluteMode(mode)) {
				n.Mode, n.ModeKnown = m, true
			}
			n.Changed = c.Line
		}
	}
}

func absoluteMode(mode string) bool {
	_, err := strconv.ParseUint(mode, 8, 12)
	return err == nil
}

func (t *Tree) chown(c *Command) {
	words := operands(c, []string{"--from", "--reference"})
	if len(words) < 2 {
		return
	}
	owner, group, both := strings.Cut(strings.Replace(words[0], ".", ":", 1), ":")
	if c.Name == "chgrp" {
		owner, group, both = "", words[0], true
	}
	for _, p := range c.paths(words[1:]) {
		names := []string{p}
		if c.Has("-R", "--recursive") {
			names = append(names, t.below(p)...)
		}
		for _, name := range names {
			n := t.own(name)
			if owner != "" {
				n.Owner = owner
			}
			if both && group != "" {
				n.Group = group
			} else if both {
				n.Group = owner // "user:" is the user's own group
			}
			n.OwnerLine = c.Line
		}
	}
}

// copied is what COPY and ADD from the build's context do.
func (t *Tree) copied(step *Step, sources []string, contents []instructions.SourceContent, dest, chown, chmod string) {
	if step.OnBuild || windowsPath(dest) {
		return
	}
	base := step.Dir
	to := join(base, dest)
	many := len(sources)+len(contents) > 1 || strings.HasSuffix(dest, "/") || dest == "."
	place := func(name string) *Node {
		n := t.own(name)
		n.Made, n.Changed, n.Copied = step.Line, step.Line, true
		n.Owner, n.Group, _ = strings.Cut(chown, ":")
		if chown != "" {
			n.OwnerLine = step.Line
		}
		if mode, ok := applyMode(chmod, 0, false); chmod != "" && ok {
			n.Mode, n.ModeKnown = mode, true
		}
		return n
	}
	if !many || len(contents) == 0 && len(sources) == 1 && (strings.HasSuffix(sources[0], "/") || strings.HasSuffix(sources[0], ".")) {
		place(to).Dir = many // of a directory its content is copied
		return
	}
	if t.Get(to) == nil {
		n := t.directory(to, 0o755, step.Line)
		n.Owner, n.Group, _ = strings.Cut(chown, ":")
	}
	for _, s := range sources {
		if name := path.Base(s); name != "." && name != "/" && !strings.ContainsAny(name, "*?[") {
			place(join(to, name))
		}
	}
	for _, c := range contents {
		place(join(to, c.Path))
	}
}

// copiedFrom is what COPY --from an earlier stage does: what is known of the source is
// known of the copy.
func (t *Tree) copiedFrom(step *Step, from *Tree, sources []string, dest, chown, chmod string) {
	t.copied(step, sources, nil, dest, chown, chmod)
	to := join(step.Dir, dest)
	for _, source := range sources {
		source = join("/", source)
		for _, name := range from.below(source) {
			n := t.own(path.Clean(to + strings.TrimPrefix(name, source)))
			was := from.Get(name)
			if n.Path == "" || was == nil {
				continue
			}
			n.Dir, n.Made, n.Changed, n.Copied = was.Dir, step.Line, was.Changed, true
			if chmod == "" {
				n.Mode, n.ModeKnown = was.Mode, was.ModeKnown
			}
			// COPY gives everything to root unless --chown says otherwise.
			n.Owner, n.Group, _ = strings.Cut(chown, ":")
		}
	}
}
