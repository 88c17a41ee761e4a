package files

import (
	"context"
	"errors"
	"path"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

var mv = program("b backup? f|force i|interactive n|no-clobber strip-trailing-slashes S|suffix= t|target-directory= "+
	"T|no-target-directory u update? v|verbose Z|context no-copy debug", (*job).mv)

// mv is mv(1). An image is one file system, so that all is renaming.
func (j *job) mv(context.Context) error {
	pairs, err := j.targets(j.isDir)
	if err != nil || j.status != 0 {
		return err
	}
	for _, p := range pairs {
		if j.Has("strip-trailing-slashes") {
			p.from = stripped(p.from)
		}
		if err := j.move(p.from, p.to); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) move(from, to string) error {
	j.aside = ""
	src, err := j.lstat(from)
	if err != nil {
		return j.fail(err, "cannot stat '%s'", from)
	}
	if dst, err := j.lstat(to); err == nil {
		if ok, err := j.mayMove(from, to, src, dst); !ok || err != nil {
			return err
		}
	} else if !missingFile(err) {
		return j.fail(err, "failed to access '%s'", to)
	}
	if src.Type == tree.Dir && j.insideOf(from, to) {
		return j.usage("cannot move '%s' to a subdirectory of itself, '%s'", from, to)
	}
	if src.Type != tree.Dir && strings.HasSuffix(to, "/") {
		return j.fail(pathError(syscall.ENOTDIR), "cannot move '%s' to '%s'", from, to)
	}
	j.origin(from)
	err = j.FS.Rename(j.Path(from), j.Path(to))
	if err == nil {
		return j.tell("renamed '%s' -> '%s'%s", from, to, j.backedUp())
	}
	if errors.Is(err, syscall.ENOTEMPTY) {
		return j.fail(err, "cannot overwrite '%s'", to)
	}
	return j.fail(err, "cannot move '%s' to '%s'", from, to)
}

// mayMove reports whether src may come into the place of dst.
func (j *job) mayMove(from, to string, src, dst *tree.Node) (bool, error) {
	switch {
	case src == dst:
		return false, j.usage("'%s' and '%s' are the same file", from, to)
	case src.Type == tree.Dir && dst.Type != tree.Dir:
		return false, j.usage("cannot overwrite non-directory '%s' with directory '%s'", to, from)
	case src.Type != tree.Dir && dst.Type == tree.Dir:
		return false, j.usage("cannot overwrite directory '%s' with non-directory '%s'", to, from)
	}
	c := &copier{job: j}
	if ok, err := c.mayReplace(to, src, dst); !ok || err != nil {
		return false, err
	}
	_, err := j.backup(to)
	return j.status == 0, err
}

// insideOf reports whether to is in the directory from.
func (j *job) insideOf(from, to string) bool {
	src, err1 := j.FS.RealPath(j.Path(from))
	dir, err2 := j.FS.RealPath(path.Dir(strings.TrimRight(j.Path(to), "/")))
	return err1 == nil && err2 == nil && (dir == src || strings.HasPrefix(dir, src+"/"))
}
