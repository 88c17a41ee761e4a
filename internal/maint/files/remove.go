package files

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

var (
	rm     = program("r|R|recursive f|force i I interactive? d|dir v|verbose one-file-system preserve-root? no-preserve-root", (*job).rm)
	rmdir  = program("p|parents v|verbose ignore-fail-on-non-empty", (*job).rmdir)
	unlink = program("", (*job).unlink)
)

// rm is rm(1).
func (j *job) rm(ctx context.Context) error {
	force := j.Last("force", "i", "I", "interactive") == "force"
	if len(j.Operands) == 0 && !force {
		return j.missing()
	}
	for _, name := range j.Operands {
		if last := base(name); last == "." || last == ".." {
			if err := j.usage("refusing to remove '.' or '..' directory: skipping '%s'", name); err != nil {
				return err
			}
			continue
		}
		if err := j.remove(ctx, name, force); err != nil {
			return err
		}
	}
	return nil
}

// remove removes one operand.
func (j *job) remove(ctx context.Context, name string, force bool) error {
	n, err := j.lstat(name)
	if err != nil {
		if force && (missingFile(err) || errors.Is(err, syscall.ENOTDIR)) {
			return nil
		}
		return j.fail(err, "cannot remove '%s'", name)
	}
	if n.Type == tree.Dir {
		switch recursive := j.Has("recursive"); {
		case !recursive && !j.Has("dir"):
			return j.fail(pathError(syscall.EISDIR), "cannot remove '%s'", name)
		case recursive && n.Path == "." && !j.Has("no-preserve-root"):
			return j.usage("it is dangerous to operate recursively on '%s'", name)
		case recursive:
			return j.removeTree(ctx, name)
		}
	}
	return j.removeOne(name, n)
}

// removeTree removes a directory after what it holds, and says so in that order.
func (j *job) removeTree(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := j.lstat(name)
	if err != nil {
		return j.fail(err, "cannot remove '%s'", name)
	}
	if n.Type == tree.Dir {
		if !j.interactive() && !j.Has("verbose") && !strings.HasSuffix(name, "/") {
			return j.fail(j.FS.RemoveAll(j.Path(name)), "cannot remove '%s'", name)
		}
		names, err := j.FS.ReadDir(j.Path(name))
		if err != nil {
			return j.fail(err, "cannot remove '%s'", name)
		}
		for _, child := range names {
			if err := j.removeTree(ctx, join(name, child)); err != nil {
				return err
			}
		}
	}
	return j.removeOne(name, n)
}

// interactive reports whether rm asks before it removes.
func (j *job) interactive() bool { return j.Last("force", "i") == "i" }

func (j *job) removeOne(name string, n *tree.Node) error {
	if j.interactive() && !j.ask("remove %s '%s'?", typeName(n), name) {
		return nil
	}
	if err := j.FS.Remove(j.Path(name)); err != nil {
		if j.Last("force", "i") == "force" && errors.Is(err, syscall.ENOTDIR) {
			return nil // a link to a directory, with a slash: what it held is gone
		}
		return j.fail(err, "cannot remove '%s'", name)
	}
	if n.Type == tree.Dir {
		return j.tell("removed directory '%s'", name)
	}
	return j.tell("removed '%s'", name)
}

// rmdir is rmdir(1).
func (j *job) rmdir(context.Context) error {
	if len(j.Operands) == 0 {
		return j.missing()
	}
	for _, name := range j.Operands {
		for dir := name; dir != "" && dir != "/"; {
			ok, err := j.rmdirOne(dir)
			if err != nil {
				return err
			}
			trimmed := strings.TrimRight(dir, "/")
			i := strings.LastIndexByte(trimmed, '/')
			if !ok || !j.Has("parents") || i < 0 {
				break
			}
			dir = strings.TrimRight(trimmed[:i], "/")
		}
	}
	return nil
}

func (j *job) rmdirOne(dir string) (bool, error) {
	if err := j.tell("rmdir: removing directory, '%s'", dir); err != nil {
		return false, err
	}
	n, err := j.lstat(dir)
	if err == nil && n.Type != tree.Dir {
		err = pathError(syscall.ENOTDIR)
	}
	if err == nil && base(dir) == "." {
		err = pathError(syscall.EINVAL)
	}
	if err == nil {
		err = j.FS.Remove(j.Path(dir))
	}
	if err == nil {
		return true, nil
	}
	if errors.Is(err, syscall.ENOTEMPTY) && j.Has("ignore-fail-on-non-empty") {
		return false, nil
	}
	if l, there := j.lstat(strings.TrimRight(dir, "/")); there == nil && l.Type == tree.Symlink && strings.HasSuffix(dir, "/") {
		return false, j.usage("failed to remove '%s': Symbolic link not followed", dir)
	}
	return false, j.fail(err, "failed to remove '%s'", dir)
}

// unlink is unlink(1).
func (j *job) unlink(context.Context) error {
	if len(j.Operands) != 1 {
		return j.missing()
	}
	name := j.Operands[0]
	n, err := j.lstat(name)
	if err == nil && n.Type == tree.Dir {
		err = pathError(syscall.EISDIR)
	}
	if err == nil {
		err = j.FS.Remove(j.Path(name))
	}
	return j.fail(err, "cannot unlink '%s'", name)
}
