package files

import (
	"context"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

const copyOptions = "a|archive attributes-only b backup? d f|force i|interactive H l|link L|dereference n|no-clobber P|no-dereference p " +
	"preserve? no-preserve= parents r|R|recursive reflink? remove-destination sparse= strip-trailing-slashes s|symbolic-link S|suffix= " +
	"t|target-directory= T|no-target-directory u update? v|verbose x|one-file-system Z context? keep-directory-symlink debug"

var cp = program(copyOptions, (*job).cp)

// attributes are what of a file is kept beside its content.
type attributes struct{ mode, owner, time, capability bool }

// copier copies files as cp does, and as mv and install do with options of their
// own.
type copier struct {
	*job
	recursive bool
	follow    byte // 'L' all links, 'H' those that are operands, 'P' none
	keep      attributes
	noMode    bool            // --no-preserve=mode: new files are as the umask has them
	replace   bool            // remove what is there before
	made      map[string]bool // what operands were copied to
	top       struct {        // of the directories that are copied now
		pair
		at string // where it goes, which is not copied into itself
	}
}

// cp is cp(1).
func (j *job) cp(ctx context.Context) error {
	c := &copier{job: j, follow: 'L', made: map[string]bool{}}
	if j.Has("recursive") || j.Has("archive") {
		c.recursive, c.follow = true, 'P'
	}
	if err := c.readOptions(); err != nil {
		return err
	}
	c.replace = j.Has("remove-destination")
	if j.Has("parents") && !j.Has("target-directory") && len(j.Operands) > 1 && !j.isDir(j.Operands[len(j.Operands)-1]) {
		return j.invalid("with --parents, the destination must be a directory")
	}
	pairs, err := j.targets(j.isDir)
	if err != nil || j.status != 0 {
		return err
	}
	for _, p := range pairs {
		if j.Has("strip-trailing-slashes") {
			p.from = stripped(p.from)
		}
		if err := c.operand(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// readOptions reads the options whose order counts.
func (c *copier) readOptions() error {
	for _, o := range c.Options {
		switch o.Name {
		case "archive":
			c.keep, c.follow = attributes{true, true, true, true}, 'P'
		case "p":
			c.keep = attributes{mode: true, owner: true, time: true}
		case "d", "no-dereference":
			c.follow = 'P'
		case "dereference", "H":
			c.follow = o.Name[0]
			if o.Name == "dereference" {
				c.follow = 'L'
			}
		case "preserve", "no-preserve":
			if err := c.preserve(o.Value, o.Has, o.Name == "preserve"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *copier) preserve(list string, has, on bool) error {
	if !has {
		c.keep.mode, c.keep.owner, c.keep.time = on, on, on
		return nil
	}
	for what := range strings.SplitSeq(list, ",") {
		switch what {
		case "mode":
			c.keep.mode, c.noMode = on, !on
		case "ownership":
			c.keep.owner = on
		case "timestamps":
			c.keep.time = on
		case "all":
			c.keep, c.noMode = attributes{on, on, on, on}, !on
		case "xattr":
			c.keep.capability = on
		case "links", "context": // an image has none of these
		default:
			return shell.Unsupported("%s: --preserve=%s", c.Args[0], what)
		}
	}
	return nil
}

// operand copies one operand.
func (c *copier) operand(ctx context.Context, p pair) error {
	if c.Has("parents") {
		if err := c.copyParents(p); err != nil || c.status != 0 {
			return err
		}
	}
	c.origin(p.from)
	c.top.at = ""
	return c.copy(ctx, p.from, p.to, true)
}

// copy copies one path, with what is below it.
func (c *copier) copy(ctx context.Context, from, to string, operand bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	src, err := c.source(from, c.follow == 'L' || c.follow == 'H' && operand)
	if err != nil {
		return c.fail(err, "cannot stat '%s'", from)
	}
	if src.Type == tree.Dir && abs(src) == c.top.at {
		return c.usage("cannot copy a directory, '%s', into itself, '%s'", c.top.from, c.top.to)
	}
	if src.Type == tree.Dir && !c.recursive {
		return c.usage("-r not specified; omitting directory '%s'", from)
	}
	dst, err := c.lstat(to)
	if err != nil && !missingFile(err) {
		return c.fail(err, "cannot stat '%s'", to)
	}
	if ok, err := c.mayCopy(from, to, src, dst, operand); !ok || err != nil {
		return err
	}
	c.made[clean(c.Path(to))] = true
	if src.Type == tree.Dir {
		return c.directory(ctx, from, to, src, dst)
	}
	if dst != nil {
		if ok, err := c.makeWay(to, src, dst); !ok || err != nil {
			return err
		}
	}
	return c.leaf(from, to, src)
}

// source returns the node to copy. Of the devices there are those that scripts copy
// from: they are files with what can be read there.
func (c *copier) source(name string, follow bool) (*tree.Node, error) {
	switch clean(c.Path(name)) {
	case "/dev/null", "/dev/stdin":
		return &tree.Node{Type: tree.File, Mode: 0o666, ModTime: c.FS.Time}, nil
	}
	if follow {
		return c.stat(name)
	}
	return c.lstat(name)
}

func isDevice(src *tree.Node) bool { return src.Path == "" }

// mayCopy reports whether the copy can go on where dst, which may be nil, is at its
// place.
func (c *copier) mayCopy(from, to string, src, dst *tree.Node, operand bool) (bool, error) {
	if dst == nil {
		return true, nil
	}
	end := dst // what is written to
	if dst.Type == tree.Symlink && c.writesThrough(src) {
		n, err := c.stat(to)
		if err != nil {
			return false, c.usage("not writing through dangling symlink '%s'", to)
		}
		end = n
	}
	switch {
	case src.Type == tree.Dir && end.Type != tree.Dir:
		if dst.Type == tree.Symlink && c.isDir(to) && c.Has("keep-directory-symlink") {
			return true, nil
		}
		return false, c.usage("cannot overwrite non-directory '%s' with directory '%s'", to, from)
	case src.Type != tree.Dir && end.Type == tree.Dir && dst.Type == tree.Dir:
		return false, c.usage("cannot overwrite directory '%s' with non-directory '%s'", to, from)
	case src == end && c.Has("link"):
		return false, nil
	case (src == end || src == dst) && !(dst.Type == tree.Symlink && (c.replace || c.backs())) && !c.Has("symbolic-link"):
		return false, c.usage("'%s' and '%s' are the same file", from, to)
	case src.Type == tree.Dir:
		return true, nil
	case operand && c.made[clean(c.Path(to))]:
		return false, c.usage("will not overwrite just-created '%s' with '%s'", to, from)
	}
	return c.mayReplace(to, src, end)
}

// writesThrough reports whether a link in the place of a copy is written through.
func (c *copier) writesThrough(src *tree.Node) bool {
	return !c.replace && src.Type == tree.File && !c.Has("link") && !c.Has("symbolic-link")
}

// mayReplace asks the options whether a file that exists is replaced.
func (c *copier) mayReplace(to string, src, dst *tree.Node) (bool, error) {
	switch c.Last("no-clobber", "interactive", "update", "u", "force") {
	case "no-clobber":
		return false, nil
	case "interactive":
		if !c.ask("overwrite '%s'?", to) {
			c.status = 1
			return false, nil
		}
	case "u":
		return src.ModTime > dst.ModTime, nil
	case "update":
		switch c.Value("update") {
		case "", "older":
			return src.ModTime > dst.ModTime, nil
		case "none":
			return false, nil
		case "none-fail":
			return false, c.usage("not replacing '%s'", to)
		case "all":
		default:
			return false, c.usage("invalid argument '%s' for '--update'", c.Value("update"))
		}
	}
	return true, nil
}

// makeWay removes what is in the place of a copy, or moves it aside, where the copy
// does not go into it.
func (c *copier) makeWay(to string, src, dst *tree.Node) (bool, error) {
	if moved, err := c.backup(to); moved || err != nil || c.status != 0 && moved {
		return err == nil, err
	}
	link := c.Has("link") || c.Has("symbolic-link")
	if link && !c.replace && !c.Has("force") {
		return true, nil // and the link says that it exists
	}
	if !c.replace && !link && src.Type == tree.File {
		return true, nil
	}
	if err := c.FS.Remove(c.Path(to)); err != nil {
		return false, c.fail(err, "cannot remove '%s'", to)
	}
	return true, nil
}

// directory copies a directory into to, which may be there.
func (c *copier) directory(ctx context.Context, from, to string, src, dst *tree.Node) error {
	if dst == nil {
		perm := src.Mode & (0o777 | tree.Sticky) &^ c.Umask
		if c.noMode {
			perm = src.Mode&tree.Sticky | 0o777&^c.Umask
		}
		if err := c.FS.Mkdir(c.Path(to), perm); err != nil {
			return c.fail(err, "cannot create directory '%s'", to)
		}
		if err := c.tell("'%s' -> '%s'", from, to); err != nil {
			return err
		}
	}
	if c.top.at == "" {
		at, err := c.FS.RealPath(c.Path(to))
		if err != nil {
			return err
		}
		c.top.at, c.top.pair = at, pair{from, to}
	}
	names, err := c.FS.ReadDir(c.Path(from))
	if err != nil {
		return c.fail(err, "cannot access '%s'", from)
	}
	for _, name := range names {
		if err := c.copy(ctx, join(from, name), join(to, name), false); err != nil {
			return err
		}
	}
	return c.keepAttributes(to, src, true)
}

// keepAttributes gives a copy the time, the owner and the mode of its source, as far
// as the options say.
func (c *copier) keepAttributes(to string, src *tree.Node, follow bool) error {
	if c.Has("attributes-only") && c.keep == (attributes{}) {
		return nil
	}
	if c.keep.time {
		if err := c.FS.Touch(c.Path(to), src.ModTime, follow); err != nil {
			return c.fail(err, "preserving times for '%s'", to)
		}
	}
	if c.keep.owner {
		if err := c.FS.Chown(c.Path(to), src.UID, src.GID, follow); err != nil {
			return c.fail(err, "failed to preserve ownership for '%s'", to)
		}
	}
	if c.keep.mode && follow {
		if err := c.FS.Chmod(c.Path(to), src.Mode); err != nil {
			return c.fail(err, "preserving permissions for '%s'", to)
		}
	}
	if c.keep.capability && follow && src.Capability != "" {
		if err := c.FS.SetCapability(c.Path(to), src.Capability); err != nil {
			return c.fail(err, "setting attributes for '%s'", to)
		}
	}
	return nil
}

// copyParents makes the directories of --parents.
func (c *copier) copyParents(p pair) error {
	into := strings.TrimSuffix(p.to, strings.TrimLeft(p.from, "/"))
	dir := path.Dir(strings.TrimLeft(p.from, "/"))
	if dir == "." {
		return nil
	}
	parts := strings.Split(dir, "/")
	for i := range parts {
		to := join(into, strings.Join(parts[:i+1], "/"))
		from := strings.TrimSuffix(p.from, strings.TrimLeft(p.from, "/")) + strings.Join(parts[:i+1], "/")
		src, err := c.stat(from)
		if err != nil {
			return c.fail(err, "failed to get attributes of '%s'", from)
		}
		if c.isDir(to) {
			continue
		}
		if err := c.FS.Mkdir(c.Path(to), src.Mode&0o777&^c.Umask); err != nil {
			return c.fail(err, "cannot make directory '%s'", to)
		}
		if err := c.tell("%s -> %s", from, to); err != nil {
			return err
		}
		if err := c.keepAttributes(to, src, true); err != nil {
			return err
		}
	}
	return nil
}
