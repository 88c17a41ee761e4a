package builder

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// WritableLabel is the label of an image that says where its containers write: paths of
// directories, sorted, with a space between two. Everything else may be read-only.
const WritableLabel = "dev.hardpan.run.writable"

// writableLabel returns the label, which names the volumes too. A spec that only has
// volumes has not said that there is nothing else.
func (b *build) writableLabel() map[string]string {
	if len(b.spec.Writable) == 0 {
		return nil
	}
	paths := slices.Concat(b.spec.Volumes, b.spec.Writable)
	slices.Sort(paths)
	return map[string]string{WritableLabel: strings.Join(slices.Compact(paths), " ")}
}

// checkWritable refuses directories that are declared to be written to and that the
// image lacks, or that its user may not write to: what a runtime mounts there has the
// owner and the mode that the image says.
func (b *build) checkWritable(t *tree.Tree, p specs.Platform) error {
	if len(b.spec.Writable) == 0 {
		return nil
	}
	user, err := b.user(t)
	if err != nil {
		return err
	}
	var errs Errors
	refuse := func(i int, e *writableError) {
		e.path, e.user = b.spec.Writable[i], user
		errs = append(errs, b.specError([]any{"writable", i}, fmt.Errorf("%s: %w", p, e)))
	}
	for i, name := range b.spec.Writable {
		n, err := t.Resolve(name)
		switch {
		case err != nil || n.Type != tree.Dir:
			refuse(i, &writableError{what: "is not a directory of the image", kind: specs.PathDirectory})
		case !mayWrite(user, n):
			what := fmt.Sprintf("has owner %d:%d and mode %04o: user %d:%d cannot write to it", n.UID, n.GID, n.Mode, user.UID, user.GID)
			refuse(i, &writableError{what: what, kind: specs.PathPermissions})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// mayWrite reports whether a user can make files in a directory (path_resolution(7)).
func mayWrite(u closure.User, n *tree.Node) bool {
	const writeAndSearch = 0o3
	bits := n.Mode
	switch {
	case u.UID == 0:
		return true
	case u.UID == n.UID:
		bits >>= 6
	case u.GID == n.GID || slices.Contains(u.Groups, n.GID):
		bits >>= 3
	}
	return bits&writeAndSearch == writeAndSearch
}

// writableError says why nobody can write to a directory that is declared for it.
type writableError struct {
	path, what string
	kind       string // of path that would mend it
	user       closure.User
}

func (e *writableError) Error() string { return e.path + " " + e.what }

// Hint says what to write.
func (e *writableError) Hint() string {
	return fmt.Sprintf("write paths: [{path: %s, type: %s, uid: %d, gid: %d}]", e.path, e.kind, e.user.UID, e.user.GID)
}
