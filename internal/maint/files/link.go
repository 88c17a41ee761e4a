package files

import (
	"context"
	"errors"
	"path"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

var (
	ln   = program("s|symbolic f|force n|no-dereference T|no-target-directory r|relative t|target-directory= v|verbose i|interactive b backup? S|suffix= L|logical P|physical d|F|directory", (*job).ln)
	link = program("", (*job).link)
)

// link is link(1).
func (j *job) link(context.Context) error {
	if len(j.Operands) != 2 {
		return j.missing()
	}
	from, to := j.Operands[0], j.Operands[1]
	return j.fail(j.FS.Link(j.Path(from), j.Path(to)), "cannot create link '%s' to '%s'", to, from)
}

// ln is ln(1).
func (j *job) ln(context.Context) error {
	if j.Has("relative") && !j.Has("symbolic") {
		return j.usage("cannot do --relative without --symbolic")
	}
	if len(j.Operands) == 1 && !j.Has("target-directory") && !j.Has("no-target-directory") {
		j.Operands = append(j.Operands, ".")
	}
	pairs, err := j.targets(func(name string) bool {
		if j.Has("no-dereference") {
			n, err := j.lstat(name)
			return err == nil && n.Type == tree.Dir
		}
		return j.isDir(name)
	})
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := j.lnOne(p.from, p.to); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) lnOne(target, name string) error {
	symbolic := j.Has("symbolic")
	j.aside = ""
	if !symbolic {
		n, err := j.lstat(target)
		if err == nil && n.Type == tree.Symlink && j.Last("logical", "physical") == "logical" {
			n, err = j.stat(target)
		}
		if err != nil {
			return j.fail(err, "failed to access '%s'", target)
		}
		if n.Type == tree.Dir {
			return j.usage("%s: hard link not allowed for directory", target)
		}
	} else if j.Has("relative") {
		target = j.relativeTarget(target, name)
	}
	ok, err := j.makeRoom(target, name)
	if err != nil || !ok {
		return err
	}
	if symbolic {
		err = j.FS.Symlink(target, j.Path(name))
		err = j.fail(err, "failed to create symbolic link '%s'", name)
	} else {
		from := j.Path(target)
		if j.Has("logical") {
			if from, err = j.FS.RealPath(from); err != nil {
				return j.fail(err, "failed to access '%s'", target)
			}
		}
		j.origin(target)
		err = j.fail(j.FS.Link(from, j.Path(name)), "failed to create hard link '%s'", name)
	}
	if err != nil || j.status != 0 {
		return err
	}
	arrow := "=>"
	if symbolic {
		arrow = "->"
	}
	return j.tell("'%s' %s '%s'%s", name, arrow, target, j.backedUp())
}

// makeRoom removes what is at the name of a new link, where -f or a backup says so.
func (j *job) makeRoom(target, name string) (bool, error) {
	n, err := j.lstat(name)
	if err != nil {
		return true, nil
	}
	backup := j.Has("backup") || j.Has("b")
	switch force := j.Last("force", "interactive"); {
	case n.Type == tree.Dir && (force != "" || backup):
		return false, j.usage("%s: cannot overwrite directory", name)
	case force == "interactive" && !j.ask("replace '%s'?", name):
		return false, nil
	case force == "" && !backup:
		return true, nil // and the link says that it exists
	}
	if !j.Has("symbolic") && j.sameName(target, name) {
		return false, j.usage("'%s' and '%s' are the same file", target, name)
	}
	if moved, err := j.backup(name); moved || err != nil {
		return err == nil, err
	}
	if err := j.FS.Remove(j.Path(name)); err != nil && !errors.Is(err, syscall.ENOENT) {
		return false, j.fail(err, "cannot remove '%s'", name)
	}
	return true, nil
}

// sameName reports whether two paths are the same entry of the same directory.
func (j *job) sameName(a, b string) bool {
	if base(a) != base(b) {
		return false
	}
	dirA, err1 := j.FS.RealPath(path.Dir(strings.TrimRight(j.Path(a), "/")))
	dirB, err2 := j.FS.RealPath(path.Dir(strings.TrimRight(j.Path(b), "/")))
	return err1 == nil && err2 == nil && dirA == dirB
}

// relativeTarget returns the path from the directory of a link to its target.
func (j *job) relativeTarget(target, name string) string {
	dir := path.Dir(strings.TrimRight(j.Path(name), "/"))
	from, err1 := j.canonical(dir, mayMiss)
	to, err2 := j.canonical(j.Path(target), mayMiss)
	if err1 != nil || err2 != nil {
		return target
	}
	return relativePath(from, to)
}

// relativePath returns the path of to for a process in the directory from; both are
// absolute.
func relativePath(from, to string) string {
	a, b := strings.FieldsFunc(from, isSlash), strings.FieldsFunc(to, isSlash)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	var parts []string
	for range a {
		parts = append(parts, "..")
	}
	parts = append(parts, b...)
	if len(parts) == 0 {
		return "."
	}
	return strings.Join(parts, "/")
}

func isSlash(r rune) bool { return r == '/' }
