package files

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// findActions makes the action of a word, and reads its arguments.
var findActions map[string]func(p *findParser) (expression, error)

func init() { // for they refer to the parser, which refers to them
	findActions = map[string]func(p *findParser) (expression, error){
		"-print": printAction("\n"), "-print0": printAction("\x00"), "-printf": printfAction,
		"-prune": func(p *findParser) (expression, error) {
			return func(v *visit) (bool, error) { v.prune = true; return true, nil }, nil
		},
		"-quit": func(p *findParser) (expression, error) {
			return func(*visit) (bool, error) { p.f.done = true; return true, p.f.flush() }, nil
		},
		"-delete": deleteAction, "-ls": lsAction,
		"-exec":    func(p *findParser) (expression, error) { return execAction(p, false) },
		"-execdir": func(p *findParser) (expression, error) { return execAction(p, true) },
	}
}

func (f *finder) print(v *visit, end string) error {
	_, err := io.WriteString(f.Stdout, v.path+end)
	return err
}

func printAction(end string) func(*findParser) (expression, error) {
	return func(p *findParser) (expression, error) {
		return func(v *visit) (bool, error) { return true, p.f.print(v, end) }, nil
	}
}

func deleteAction(p *findParser) (expression, error) {
	f := p.f
	f.depth = true
	return func(v *visit) (bool, error) {
		if v.path == "." || v.path == ".." {
			return true, nil
		}
		if err := f.FS.Remove(f.Path(v.path)); err != nil {
			return false, f.fail(err, "cannot delete '%s'", v.path)
		}
		return true, nil
	}, nil
}

// execution is a command of -exec.
type execution struct {
	f     *finder
	words []string
	inDir bool // -execdir
}

// batch is the paths that -exec + has gathered.
type batch struct {
	execution
	dir   string
	paths []string
	bytes int
}

// maxBatch is how many bytes of paths one command gets, as with the limit that
// xargs and find have.
const maxBatch = 128 << 10

func execAction(p *findParser, inDir bool) (expression, error) {
	end := slices.IndexFunc(p.words, func(w string) bool { return w == ";" || w == "+" })
	for end > 0 && p.words[end] == "+" && p.words[end-1] != "{}" {
		next := slices.IndexFunc(p.words[end+1:], func(w string) bool { return w == ";" || w == "+" })
		if next < 0 {
			end = -1
			break
		}
		end += 1 + next
	}
	if end <= 0 {
		return nil, findErrorf("missing argument to `%s'", map[bool]string{false: "-exec", true: "-execdir"}[inDir])
	}
	e := execution{p.f, p.words[:end], inDir}
	many := p.words[end] == "+"
	p.words = p.words[end+1:]
	if !many {
		return e.one, nil
	}
	e.words = e.words[:len(e.words)-1]
	if len(e.words) == 0 {
		return nil, findErrorf("invalid argument '+' to '-exec'")
	}
	b := &batch{execution: e}
	p.f.batches = append(p.f.batches, b)
	return b.add, nil
}

// where returns the directory for a command and what it is to call a path.
func (e *execution) where(v *visit) (dir, name string) {
	if !e.inDir {
		return e.f.Dir, v.path
	}
	full := e.f.Path(v.path)
	return path.Dir(strings.TrimRight(full, "/")), "./" + base(full)
}

// one runs the command for a path; its status is the result.
func (e execution) one(v *visit) (bool, error) {
	dir, name := e.where(v)
	var words []string
	for _, w := range e.words {
		words = append(words, strings.ReplaceAll(w, "{}", name))
	}
	status, err := e.run(dir, words)
	return status == 0, err
}

func (e *execution) run(dir string, words []string) (int, error) {
	q := *e.f.Proc
	q.Dir = dir
	return q.Run(e.f.ctx, words...)
}

// add gathers a path; the result is always true.
func (b *batch) add(v *visit) (bool, error) {
	dir, name := b.where(v)
	if len(b.paths) > 0 && (dir != b.dir || b.bytes+len(name) > maxBatch) {
		if err := b.flush(); err != nil {
			return false, err
		}
	}
	b.dir, b.paths, b.bytes = dir, append(b.paths, name), b.bytes+len(name)+1
	return true, nil
}

func (b *batch) flush() error {
	if len(b.paths) == 0 {
		return nil
	}
	words := append(slices.Clone(b.words), b.paths...)
	b.paths, b.bytes = nil, 0
	status, err := b.run(b.dir, words)
	if status != 0 {
		b.f.status = 1
	}
	return err
}

// flush runs what -exec + has gathered.
func (f *finder) flush() error {
	for _, b := range f.batches {
		if err := b.flush(); err != nil {
			return err
		}
	}
	return nil
}

// lsAction is -ls: ls -dils.
func lsAction(p *findParser) (expression, error) {
	return func(v *visit) (bool, error) {
		n := v.node
		text := fmt.Sprintf("%9d %6d %s%s %3d %-8s %-8s %8d %s %s", inode(n), blocks(n)/1024, letterOf(n), rwx(n.Mode), p.f.links(n),
			p.f.names.UserName(n.UID), p.f.names.GroupName(n.GID), size(n), listTime(n.ModTime, p.f.FS.Time), v.path)
		if n.Type == tree.Symlink {
			text += " -> " + n.Link
		}
		return true, p.f.say("%s", text)
	}, nil
}

func printfAction(p *findParser) (expression, error) {
	format, err := p.value("-printf")
	if err != nil {
		return nil, err
	}
	if strings.Contains(format, `\c`) {
		return nil, shell.Unsupported(`find: \c in -printf`)
	}
	format = unescape(format)
	return func(v *visit) (bool, error) {
		text, err := p.f.format(v, format)
		if err == nil {
			_, err = io.WriteString(p.f.Stdout, text)
		}
		return true, err
	}, nil
}
