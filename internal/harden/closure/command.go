package closure

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// User is who runs a command, with the ids that files are compared with
// (credentials(7)).
type User struct {
	UID, GID uint32
	Groups   []uint32 // further ones
}

// Command is a command that a runtime runs in the container beside the entrypoint.
type Command struct {
	Args []string
	Role string // "the command of the health check", for messages
	User User
}

// CheckCommand returns what keeps the user from running the command in the image t,
// in which the entrypoint of the options is not looked at: the program is missing, or
// not for the user, or lacks an interpreter or library that the user may use.
func CheckCommand(t *tree.Tree, arch string, cmd Command, o Options) ([]*Problem, error) {
	c, err := newChecker(t, arch, o)
	if err != nil {
		return nil, err
	}
	c.role, c.user = cmd.Role, &cmd.User
	c.checkCommand(cmd.Args)
	return c.problems, nil
}

// access is what a process wants of a file, as a mode bit of others.
type access uint32

const (
	execute access = 1
	read    access = 4
)

func (a access) String() string {
	if a == read {
		return "read"
	}
	return "executed"
}

// may reports whether the user has the access to a node (path_resolution(7),
// "Permissions"). Root has it to everything; that a program has an execute bit at
// all, which root needs too, is checked elsewhere.
func (u *User) may(n *tree.Node, a access) bool {
	switch {
	case u.UID == 0:
		return true
	case n.UID == u.UID:
		a <<= 6
	case n.GID == u.GID || slices.Contains(u.Groups, n.GID):
		a <<= 3
	}
	return n.Mode&uint32(a) != 0
}

// denied says what keeps the user from the access to the file at name, an absolute
// path that can be resolved: its mode, or that of a directory on the way. It returns ""
// for nothing, or where there is no user.
func (c *checker) denied(name string, a access) string {
	if c.user == nil {
		return ""
	}
	user := fmt.Sprintf("user %d:%d", c.user.UID, c.user.GID)
	dirs, end := c.walk(name)
	for _, dir := range dirs {
		if !c.user.may(dir, execute) {
			return fmt.Sprintf("lies below /%s, which %s cannot search (mode %04o, owner %d:%d)",
				strings.TrimPrefix(dir.Path, "."), user, dir.Mode, dir.UID, dir.GID)
		}
	}
	if end = c.file(end); end != nil && !c.user.may(end, a) {
		return fmt.Sprintf("cannot be %s by %s (mode %04o, owner %d:%d)", a, user, end.Mode, end.UID, end.GID)
	}
	return ""
}

// walk returns the directories that are searched on the way to name, links followed,
// and what is there. The path can be resolved, so that it has no loop.
func (c *checker) walk(name string) (dirs []*tree.Node, end *tree.Node) {
	at := "."
	for rest := strings.Split(name, "/"); len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." {
			continue
		}
		if dir := c.t.Lookup(at); dir != nil {
			dirs = append(dirs, dir)
		}
		if part == ".." {
			at = path.Dir(at)
			continue
		}
		n := c.t.Lookup(path.Join(at, part))
		if n == nil {
			return dirs, nil
		}
		if n.Type != tree.Symlink {
			at, end = n.Path, n
			continue
		}
		if strings.HasPrefix(n.Link, "/") {
			at = "."
		}
		rest = append(strings.Split(n.Link, "/"), rest...)
	}
	return dirs, end
}
