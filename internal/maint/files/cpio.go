package files

import (
	"context"
	"io"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

var cpio = program("p|pass-through i|extract o|create d|make-directories m|preserve-modification-time u|unconditional v|verbose l|link 0|null quiet a|reset-access-time L|dereference", (*job).cpio)

// cpio is cpio(1) in its copy-pass mode, "find | cpio -pdm DIR". Archives of its
// format are not read.
func (j *job) cpio(ctx context.Context) error {
	if !j.Has("pass-through") || j.Has("dereference") {
		return shell.Unsupported("cpio: archives")
	}
	if len(j.Operands) != 1 {
		j.status = 2
		return j.usage("You must specify one of -oipt options.")
	}
	text, err := io.ReadAll(j.Stdin)
	if err != nil {
		return err
	}
	sep := "\n"
	if j.Has("null") {
		sep = "\x00"
	}
	c := &copier{job: j, follow: 'P', keep: attributes{mode: true, owner: true, time: j.Has("preserve-modification-time")}, made: map[string]bool{}}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(text), sep), sep) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if err := c.pass(name, join(j.Operands[0], name)); err != nil {
			return err
		}
	}
	return nil
}

// pass copies one name that was read.
func (c *copier) pass(from, to string) error {
	src, err := c.lstat(from)
	if err != nil {
		err = c.fail(err, "%s: Cannot stat", from)
		c.status = 2
		return err
	}
	if c.Has("make-directories") {
		if err := c.FS.MkdirAll(path.Dir(clean(c.Path(to))), 0o777&^c.Umask); err != nil {
			return c.fail(err, "%s", to)
		}
	}
	dst, err := c.lstat(to)
	switch {
	case err == nil && src.Type == tree.Dir && dst.Type == tree.Dir:
	case src.Type == tree.Dir:
		err = c.FS.Mkdir(c.Path(to), src.Mode&0o777)
		if err != nil {
			return c.fail(err, "%s: Cannot mkdir", to)
		}
	case err == nil && !c.Has("unconditional") && dst.ModTime >= src.ModTime:
		return c.usage("%s not created: newer or same age version exists", to)
	default:
		if dst != nil && err == nil {
			if err := c.FS.Remove(c.Path(to)); err != nil {
				return c.fail(err, "%s", to)
			}
		}
		return c.leaf(from, to, src)
	}
	return c.keepAttributes(to, src, true)
}
