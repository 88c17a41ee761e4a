package convert

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// directories writes the directories that the file makes, and the modes that it sets.
func (w *imageWork) directories() {
	for _, n := range w.f.Tree.All() {
		switch {
		case slices.ContainsFunc(w.c.spec.Paths, func(p pathEntry) bool { return p.path == n.Path }):
		case n.Dir && !n.Copied && !isSystemPart(n.Path):
			w.directory(n)
		case n.ModeKnown && n.Changed > n.Made && (n.Copied || w.covered(n.Path)) && !n.Dir:
			mode := n.Mode &^ 0o002
			w.c.spec.Paths = append(w.c.spec.Paths, pathEntry{path: n.Path, kind: "permissions", mode: fmt.Sprintf("%04o", mode)})
		case n.ModeKnown && !n.Copied && n.Made == 0 && n.Changed > 0:
			w.c.note(n.Changed, "permissions", "mode %04o of %s is not carried over: no step of the file makes that path", n.Mode, n.Path)
		}
	}
}

// isSystemPart reports whether a directory is made for a build and has no place in an
// image: /tmp and package managers' own.
func isSystemPart(p string) bool {
	return slices.ContainsFunc([]string{"/tmp", "/var/tmp", "/root", "/var/lib/apt", "/var/cache", "/etc/apt", "/usr/share/man", "/build", "/src"}, func(s string) bool { return p == s || strings.HasPrefix(p, s+"/") })
}

func (w *imageWork) directory(n *dockerfile.Node) {
	entry := pathEntry{path: n.Path, kind: "directory", owner: w.owner(n.Path)}
	mode := n.Mode
	if !n.ModeKnown {
		mode = 0o750 // a home, which useradd closes
	}
	base := path.Base(n.Path)
	switch lower := strings.ToLower(base); {
	case (lower == "secrets" || lower == "secret" || lower == "credentials" || lower == "private" || lower == ".ssh") && mode&0o077 != 0:
		entry.comment = fmt.Sprintf("%04o in the Dockerfile", mode)
		mode = 0o700
	case (lower == "logs" || lower == "log") && mode&0o007 != 0:
		entry.comment = fmt.Sprintf("%04o in the Dockerfile", mode)
		mode &^= 0o027
	case mode&0o002 != 0 && mode&0o1000 == 0:
		entry.comment = fmt.Sprintf("%04o in the Dockerfile", mode)
		mode &^= 0o002
	}
	entry.mode = fmt.Sprintf("%04o", mode)
	w.c.spec.Paths = append(w.c.spec.Paths, entry)
}

// baseIDs are accounts that Debian's base-passwd has.
var baseIDs = map[string]int{"root": 0, "daemon": 1, "bin": 2, "sys": 3, "man": 6, "mail": 8, "www-data": 33, "backup": 34, "nobody": 65534, "nogroup": 65534, "users": 100, "staff": 50, "adm": 4, "tty": 5, "audio": 29, "video": 44}

// ofImages are accounts that official images have beyond Debian's.
var ofImages = map[string]string{"node": "node", "postgres": "postgres", "redis": "redis"}

// accounts writes users and groups, and the one that runs the image.
func (c *converter) accounts(f *dockerfile.Stage) {
	for _, g := range f.Accounts.Groups {
		c.group(g.Name, g.GID)
	}
	for _, u := range f.Accounts.Users {
		c.user(u)
	}
	c.runAs(f)
}

var accountRunes = "abcdefghijklmnopqrstuvwxyz0123456789_-"

func validAccount(name string) bool {
	return name != "" && len(name) <= 32 && name[0] >= 'a' && name[0] <= 'z' && strings.Trim(name, accountRunes) == ""
}

func (c *converter) group(name string, gid int) int {
	for _, g := range c.spec.Groups {
		if g.name == name {
			return g.gid
		}
	}
	if id, ok := baseIDs[name]; ok {
		return id
	}
	if gid <= 0 {
		gid = c.freeID(func(id int) bool {
			return slices.ContainsFunc(c.spec.Groups, func(g group) bool { return g.gid == id })
		})
	}
	c.spec.Groups = append(c.spec.Groups, group{name, gid})
	return gid
}

func (c *converter) freeID(taken func(int) bool) int {
	id := 1000
	for taken(id) {
		id++
	}
	return id
}

func (c *converter) user(u dockerfile.User) {
	switch {
	case !validAccount(u.Name):
		c.note(u.Line, "user", "%q is no name of an account by Debian's rules", u.Name)
		return
	case u.UID == 0:
		c.note(u.Line, "user", "%s has the number 0 and is root; the spec has no such account", u.Name)
		return
	}
	if u.UID < 0 {
		u.UID = c.freeID(func(id int) bool {
			return slices.ContainsFunc(c.spec.Users, func(other user) bool { return other.uid == id })
		})
		c.note(u.Line, "user", "%s has no number in the Dockerfile; the spec gives it %d", u.Name, u.UID)
	}
	gid, err := strconv.Atoi(u.Group)
	if err != nil {
		name := u.Group
		if name == "" {
			name = u.Name
		}
		gid = c.group(name, u.UID)
	} else if !slices.ContainsFunc(c.spec.Groups, func(g group) bool { return g.gid == gid }) && gid != 0 {
		c.group(u.Name, gid)
	}
	if u.Shell != "" && !strings.HasSuffix(u.Shell, "nologin") && !strings.HasSuffix(u.Shell, "/false") {
		c.note(u.Line, "login shell", "%s of %s is not carried over: nobody logs in to a container", u.Shell, u.Name)
	}
	if u.Password != "" {
		c.note(u.Line, "password", "the password of %s is not carried over: accounts of a spec are locked", u.Name)
	}
	if len(u.Groups) > 0 {
		c.note(u.Line, "groups", "further groups of %s are not carried over: %s", u.Name, strings.Join(u.Groups, " "))
	}
	c.spec.Users = append(c.spec.Users, user{u.Name, u.UID, gid, u.Home})
}

// runAs says who runs the image. An image of root gets a user of its own.
func (c *converter) runAs(f *dockerfile.Stage) {
	name, group, hasGroup := strings.Cut(f.User, ":")
	uid, known := f.Accounts.UID(name)
	switch {
	case strings.Contains(f.User, "$") || name == "" || known && uid == 0:
		c.add("app", 1000)
		c.spec.RunAs = "app"
		c.note(f.UserLine, "user", "the Dockerfile's image runs as root; the spec's runs as app, %d: give it the paths that it writes", c.uid("app"))
	case f.Accounts.User(name) != nil && validAccount(name):
		c.spec.RunAs = name
		if hasGroup && group != name && group != f.Accounts.User(name).Group {
			c.spec.RunAs = f.User
		}
	case known: // a number
		c.spec.RunAs = f.User
		if !slices.ContainsFunc(c.spec.Users, func(u user) bool { return u.uid == uid }) && !baseID(uid) {
			c.add("app", uid)
			c.spec.RunAs = "app"
		}
	case baseIDs[name] != 0:
		c.spec.RunAs = name
	case ofImages[name] != "":
		c.add(name, 1000)
		c.spec.RunAs = name
	case validAccount(name):
		c.add(name, 1000)
		c.spec.RunAs = name
		c.note(f.UserLine, "user", "no step of the file adds %s; the spec does, with the number %d", name, c.uid(name))
	}
}

func baseID(id int) bool {
	for _, base := range baseIDs {
		if base == id {
			return true
		}
	}
	return false
}

// add adds a user with a group of its own, by that number or the next free one.
func (c *converter) add(name string, id int) {
	for slices.ContainsFunc(c.spec.Users, func(u user) bool { return u.name == name }) {
		name += "-run"
	}
	for slices.ContainsFunc(c.spec.Users, func(u user) bool { return u.uid == id }) || slices.ContainsFunc(c.spec.Groups, func(g group) bool { return g.gid == id }) {
		id++
	}
	c.spec.Groups = append(c.spec.Groups, group{name, id})
	c.spec.Users = append(c.spec.Users, user{name, id, id, ""})
}

// uid returns the number of a user, 0 where it has none.
func (c *converter) uid(name string) int {
	if n, err := strconv.Atoi(name); err == nil {
		return n
	}
	for _, u := range c.spec.Users {
		if u.name == name {
			return u.uid
		}
	}
	return baseIDs[name]
}

// gid returns the number of a group; without one, that of the owner's own.
func (c *converter) gid(name, of string) int {
	if n, err := strconv.Atoi(name); err == nil {
		return n
	}
	for _, g := range c.spec.Groups {
		if g.name == name {
			return g.gid
		}
	}
	if id, ok := baseIDs[name]; ok {
		return id
	}
	if name == "" || name == of {
		for _, u := range c.spec.Users {
			if name != "" && u.name == of {
				return u.gid
			}
		}
	}
	return 0
}
