package files

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// chmod is chmod(1).
func chmod(ctx context.Context, p *shell.Proc) (int, error) {
	p, given := modeArguments(p)
	return program("R|recursive f|silent|quiet c|changes v|verbose h|no-dereference dereference H L P reference= preserve-root no-preserve-root",
		func(j *job, ctx context.Context) error { return j.chmod(ctx, given) })(ctx, p)
}

// modeArguments takes the modes that look like options, as "-x" does, out of the
// arguments.
func modeArguments(p *shell.Proc) (*shell.Proc, string) {
	var modes []string
	q := *p
	q.Args = p.Args[:1:1]
	for i, a := range p.Args[1:] {
		if a == "--" {
			q.Args = append(q.Args, p.Args[1+i:]...)
			break
		}
		if len(a) > 1 && a[0] == '-' && strings.IndexByte("rwxXstugoa,+=01234567", a[1]) >= 0 {
			modes = append(modes, a)
			continue
		}
		q.Args = append(q.Args, a)
	}
	return &q, strings.Join(modes, ",")
}

func (j *job) chmod(ctx context.Context, given string) error {
	files, surprises := j.Operands, given != ""
	var m mode
	switch {
	case j.Has("reference"):
		n, err := j.stat(j.Value("reference"))
		if err != nil {
			return j.fail(err, "failed to get attributes of '%s'", j.Value("reference"))
		}
		m = mode{{op: '=', who: allBits, value: n.Mode, mentioned: allBits}}
	default:
		if given == "" {
			if len(files) == 0 {
				return j.missing()
			}
			given, files = files[0], files[1:]
		}
		var ok bool
		if m, ok = parseMode(given); !ok {
			return j.invalid("invalid mode: '%s'", given)
		}
	}
	if len(files) == 0 {
		return j.invalid("missing operand after '%s'", given)
	}
	for _, name := range files {
		if err := j.chmodFile(ctx, name, m, surprises); err != nil {
			return err
		}
	}
	return nil
}

// chmodFile changes what is at an operand. A link that is named is followed; one
// that is met below it is left alone, unless -L says otherwise.
func (j *job) chmodFile(ctx context.Context, name string, m mode, surprises bool) error {
	recursive := j.Has("recursive")
	if recursive && j.rootIsKept(name) {
		return nil
	}
	follow := firstLinks
	switch walk := j.Last("L", "H", "P"); {
	case j.Has("no-dereference") || recursive && walk == "P":
		follow = noLinks
	case recursive && walk == "L":
		follow = allLinks
	}
	err := j.walk(ctx, name, follow, func(name string, n *tree.Node) (bool, error) {
		if n.Type == tree.Symlink {
			return false, nil // a link has no mode of its own
		}
		return recursive, j.setMode(name, n, m, surprises)
	})
	if err == nil {
		return nil
	}
	if j.Has("quiet") && missingFile(err) {
		j.status = 1
		return nil
	}
	if _, there := j.lstat(name); there == nil && missingFile(err) {
		return j.usage("cannot operate on dangling symlink '%s'", name)
	}
	return j.fail(err, "cannot access '%s'", name)
}

func (j *job) setMode(name string, n *tree.Node, m mode, surprises bool) error {
	was, to := n.Mode&allBits, m.apply(n.Mode, n.Type == tree.Dir, j.Umask)
	if err := j.FS.Chmod(j.Path(name), to); err != nil {
		return err
	}
	if wanted := m.apply(was, n.Type == tree.Dir, 0); surprises && to&^wanted != 0 {
		j.status = 1 // "chmod -w" of which the umask held something back
		fmt.Fprintf(j.Stderr, "chmod: %s: new permissions are %s, not %s\n", name, rwx(to), rwx(wanted))
	}
	switch {
	case was != to && (j.Has("verbose") || j.Has("changes")):
		return j.say("mode of '%s' changed from %04o (%s) to %04o (%s)", name, was, rwx(was), to, rwx(to))
	case was == to:
		return j.tell("mode of '%s' retained as %04o (%s)", name, to, rwx(to))
	}
	return nil
}

// rootIsKept reports, with the message, that a recursive change of "/" is refused.
func (j *job) rootIsKept(name string) bool {
	at, err := j.FS.RealPath(j.Path(name))
	if err != nil || at != "/" || j.Last("preserve-root", "no-preserve-root") != "preserve-root" {
		return false
	}
	j.status = 1
	fmt.Fprintf(j.Stderr, "%s: it is dangerous to operate recursively on '%s'\n", j.Args[0], name)
	return true
}

// rwx returns a mode as ls -l shows it, without the type.
func rwx(m uint32) string {
	b := []byte("rwxrwxrwx")
	for i := range b {
		if m&(1<<(8-i)) == 0 {
			b[i] = '-'
		}
	}
	for _, s := range []struct {
		bit  uint32
		at   int
		with byte
	}{{tree.SetUID, 2, 's'}, {tree.SetGID, 5, 's'}, {tree.Sticky, 8, 't'}} {
		switch {
		case m&s.bit == 0:
		case b[s.at] == 'x':
			b[s.at] = s.with
		default:
			b[s.at] = s.with - 'a' + 'A'
		}
	}
	return string(b)
}
