package shell

import (
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// read runs the commands of a text.
//
// Aliases (XCU 2.3.1) change words while a script is read, which a shell does line by
// line: an alias counts from the line after the command that made it. Scripts are
// parsed as a whole here, so each command that is about to run is changed then, with
// the aliases that there were when its line began. Only those that stand for a simple
// command are known.

// read runs the commands of a text.
func (r *run) read(list []*syntax.Stmt) error {
	read := uint(0) // the last line that is read
	aliases := r.aliases
	for _, s := range list {
		if s.Pos().Line() > read {
			aliases = r.aliases
		}
		read = max(read, s.End().Line())
		if len(aliases) > 0 && !r.bash { // bash has them in interactive shells
			if err := r.applyAliases(s, aliases); err != nil {
				return err
			}
		}
		if err := r.stmt(s); err != nil {
			return err
		}
	}
	return nil
}

// applyAliases puts what aliases stand for into a command and all within it.
func (r *run) applyAliases(s *syntax.Stmt, aliases map[string]string) (err error) {
	syntax.Walk(s, func(n syntax.Node) bool {
		switch c := n.(type) {
		case *syntax.FuncDecl:
			if _, ok := aliases[c.Name.Value]; ok && err == nil {
				err = Unsupported("a function with the name of the alias %s", c.Name.Value)
			}
		case *syntax.CallExpr:
			if e := applyAlias(c, aliases, nil); err == nil {
				err = e
			}
		}
		return err == nil
	})
	return r.placed(nil, err)
}

// applyAlias puts what an alias stands for in place of the first word of a command.
// within are the aliases that it is part of, which are not replaced again.
func applyAlias(c *syntax.CallExpr, aliases map[string]string, within []string) error {
	if len(c.Args) == 0 || len(c.Args[0].Parts) != 1 {
		return nil
	}
	lit, ok := c.Args[0].Parts[0].(*syntax.Lit)
	if !ok || slices.Contains(within, lit.Value) {
		return nil
	}
	value, ok := aliases[lit.Value]
	if !ok {
		return nil
	}
	stands, err := aliased(lit.Value, value)
	if err != nil {
		return err
	}
	if err := applyAlias(stands, aliases, append(within, lit.Value)); err != nil {
		return err
	}
	c.Assigns = append(slices.Clip(c.Assigns), stands.Assigns...)
	c.Args = append(slices.Clip(stands.Args), c.Args[1:]...)
	return nil
}

// aliased returns the command that an alias stands for.
func aliased(name, value string) (*syntax.CallExpr, error) {
	unknown := Unsupported("the alias %s, which stands for more or less than a command,", name)
	if strings.ContainsAny(value, "#\n") || strings.TrimRight(value, " \t") != value || strings.HasSuffix(value, "\\") {
		return nil, unknown
	}
	file, err := parse(name, value, false)
	if err != nil || len(file.Stmts) != 1 {
		return nil, unknown
	}
	s := file.Stmts[0]
	c, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(c.Args) == 0 || len(s.Redirs) > 0 || s.Negated || s.Background || s.Semicolon.IsValid() {
		return nil, unknown
	}
	return c, nil
}

// alias makes aliases; it is not asked for them.
func alias(r *run, args []string) error {
	if len(args) == 1 && len(r.aliases) > 0 {
		return Unsupported("alias without a name")
	}
	r.status = 0
	for _, a := range args[1:] {
		name, value, ok := strings.Cut(a, "=")
		if ok && name != "" {
			r.aliases = maps.Clone(r.aliases) // what is being read keeps the old ones
			if r.aliases == nil {
				r.aliases = map[string]string{}
			}
			r.aliases[name] = value
			continue
		}
		if _, ok := r.aliases[a]; ok {
			return Unsupported("alias %s", a)
		}
		if err := r.complain(1, "alias: %s not found", a); err != nil {
			return err
		}
	}
	return nil
}

func unalias(r *run, args []string) error {
	r.status = 0
	for _, a := range args[1:] {
		if _, ok := r.aliases[a]; !ok && a != "-a" {
			r.status = 1
			continue
		}
		r.aliases = maps.Clone(r.aliases)
		if delete(r.aliases, a); a == "-a" {
			clear(r.aliases)
		}
	}
	return nil
}

// notAlias refuses to tell what a name is that is an alias.
func (r *run) notAlias(names []string) error {
	for _, name := range names {
		if _, ok := r.aliases[name]; ok {
			return Unsupported("telling what the alias %s is", name)
		}
	}
	return nil
}
