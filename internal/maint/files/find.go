package files

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// finder is one call of find(1).
type finder struct {
	*job
	ctx      context.Context
	names    *accounts.Database
	follow   byte // 'P', 'H' or 'L'
	depth    bool // -depth: what a directory holds before it
	min, max int  // depths; max is -1 for none
	today    bool // -daystart
	syntax   regexSyntax
	batches  []*batch // of -exec +
	acts     bool     // there is an action, so that nothing is printed by default
	done     bool     // -quit
}

// visit is a path that the expression is asked about.
type visit struct {
	start string // the operand that it is below
	path  string
	node  *tree.Node // a link's target where links are followed
	link  *tree.Node // what is at the path itself
	depth int
	prune bool
}

// expression is a test or an action, or several.
type expression func(v *visit) (bool, error)

func find(ctx context.Context, p *shell.Proc) (int, error) {
	f := &finder{job: newJob(p), ctx: ctx, follow: 'P', max: -1, syntax: emacsSyntax, names: accounts.Names(p.FS)}
	args := p.Args[1:]
	for len(args) > 0 && len(args[0]) == 2 && strings.Contains("-H-L-P", args[0]) && args[0][0] == '-' {
		f.follow = args[0][1]
		args = args[1:]
	}
	if len(args) > 0 && (strings.HasPrefix(args[0], "-O") || args[0] == "-D") {
		return 0, shell.Unsupported("find: option %s", args[0])
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	var starts []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" && args[0] != ")" && args[0] != "," {
		starts = append(starts, args[0])
		args = args[1:]
	}
	if starts == nil {
		starts = []string{"."}
	}
	expr, err := f.parse(args)
	if bad, ok := err.(*findError); ok {
		return p.Errorf("%s", bad.text)
	}
	if err != nil {
		return 0, err
	}
	for _, start := range starts {
		if err := f.start(start, expr); err != nil || f.done {
			return f.status, err
		}
	}
	return f.status, f.flush()
}

func (f *finder) start(start string, expr expression) error {
	link, err := f.lstat(start)
	if err != nil {
		return f.fail(err, "'%s'", start)
	}
	node := link
	if f.follow != 'P' && link.Type == tree.Symlink {
		if to, err := f.stat(start); err == nil {
			node = to
		}
	}
	return f.visit(&visit{start: start, path: start, node: node, link: link}, expr, nil)
}

// visit asks the expression about a path and what is below it. above are the
// directories that it is in, for links may lead back.
func (f *finder) visit(v *visit, expr expression, above []*visit) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	for _, dir := range above {
		if dir.node == v.node {
			return f.usage("File system loop detected; '%s' is part of the same file system loop as '%s'.", v.path, dir.path)
		}
	}
	into := v.node.Type == tree.Dir && (f.max < 0 || v.depth < f.max)
	if !f.depth {
		if err := f.ask(v, expr); err != nil || f.done {
			return err
		}
	}
	if into && !(v.prune && !f.depth) {
		if err := f.below(v, expr, append(above, v)); err != nil || f.done {
			return err
		}
	}
	if f.depth {
		return f.ask(v, expr)
	}
	return nil
}

func (f *finder) ask(v *visit, expr expression) error {
	if v.depth < f.min {
		return nil
	}
	_, err := expr(v)
	return err
}

func (f *finder) below(v *visit, expr expression, above []*visit) error {
	names, err := f.FS.ReadDir(f.Path(v.path))
	if err != nil {
		return f.fail(err, "'%s'", v.path) // the expression removed it
	}
	for _, name := range names {
		child := &visit{start: v.start, path: join(v.path, name), depth: v.depth + 1}
		if child.link, err = f.lstat(child.path); err != nil {
			if missingFile(err) {
				continue
			}
			return err
		}
		child.node = child.link
		if f.follow == 'L' && child.link.Type == tree.Symlink {
			if to, err := f.stat(child.path); err == nil {
				child.node = to
			}
		}
		if err := f.visit(child, expr, above); err != nil || f.done {
			return err
		}
	}
	return nil
}

// findError is an expression that find refuses too.
type findError struct{ text string }

func (e *findError) Error() string { return e.text }

func findErrorf(format string, args ...any) error { return &findError{fmt.Sprintf(format, args...)} }
