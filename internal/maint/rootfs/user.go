package rootfs

import (
	"slices"

	"github.com/hardpan/hardpan/internal/tree"
)

// User is who works on the tree (credentials(7)). The zero User is root, who may
// do everything.
type User struct {
	UID, GID uint32
	Groups   []uint32 // the further ones
}

// Bits of a permission, for [User.may].
const (
	mayRead  = 4
	mayWrite = 2
)

// may reports whether the user has a right to a node (path_resolution(7)). That the
// directories above it can be searched is taken for granted.
func (u *User) may(n *tree.Node, right uint32) bool {
	switch {
	case u.UID == 0 || n == nil:
		return true
	case n.UID == u.UID:
		right <<= 6
	case n.GID == u.GID || slices.Contains(u.Groups, n.GID):
		right <<= 3
	}
	return n.Mode&right != 0
}

// owns reports whether the user may change a node's mode.
func (u *User) owns(n *tree.Node) bool { return u.UID == 0 || u.UID == n.UID }

// mayChange reports whether the user may change what the directory above a path
// holds.
func (f *FS) mayChange(at string) bool {
	dir := f.Tree.Lookup(dirOf(at))
	if dir != nil && dir.Mode&tree.Sticky != 0 && f.User.UID != 0 && dir.UID != f.User.UID {
		if n := f.Tree.Lookup(at); n != nil && n.UID != f.User.UID {
			return false
		}
	}
	return f.User.may(dir, mayWrite)
}
