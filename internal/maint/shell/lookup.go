package shell

import "strings"

// command is XCU command.
func command(r *run, args []string) error {
	rest := args[1:]
	show := byte(0)
options:
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		option := rest[0]
		rest = rest[1:]
		if option == "--" {
			break options
		}
		for _, letter := range []byte(option[1:]) {
			switch letter {
			case 'v', 'V':
				show = letter
			case 'p':
			default:
				return r.fault("command: Illegal option -%c", letter)
			}
		}
	}
	r.status = 0
	switch {
	case len(rest) == 0:
		return nil
	case show != 0 && r.notAlias(rest) != nil:
		return r.notAlias(rest)
	case show == 'v':
		return r.commandV(rest)
	case show == 'V':
		return typeOf(r, []string{"type", rest[0]})
	}
	if do := r.builtin(rest[0]); do != nil {
		return r.survive(do(r, rest))
	}
	return r.external(rest)
}

// commandV is command -v. dash looks at the first name only.
func (r *run) commandV(names []string) error {
	if !r.bash {
		names = names[:1]
	}
	status := 127 - 126*oneIf(r.bash)
	for _, name := range names {
		at := name
		if r.kind(name) == isNothing {
			at = r.look(name)
		}
		if at == "" {
			continue
		}
		if err := r.print(at + "\n"); err != nil {
			return err
		}
		status = 0
	}
	r.status = status
	return nil
}

// commandKind is what a name calls, if it is no program.
type commandKind int

const (
	isNothing commandKind = iota
	isKeyword
	isSpecial
	isFunction
	isBuiltin
)

func (r *run) kind(name string) commandKind {
	switch {
	case keywords[name]:
		return isKeyword
	case specialBuiltins[name]:
		return isSpecial
	case r.funcs.find(name) != nil:
		return isFunction
	case r.builtin(name) != nil:
		return isBuiltin
	}
	return isNothing
}

var keywords = map[string]bool{
	"!": true, "case": true, "do": true, "done": true, "elif": true, "else": true, "esac": true, "fi": true, "for": true, "if": true,
	"in": true, "then": true, "until": true, "while": true, "{": true, "}": true,
}

func typeOf(r *run, args []string) error {
	if err := r.notAlias(args[1:]); err != nil {
		return err
	}
	if r.bash {
		return bashType(r, args)
	}
	var b strings.Builder
	status := 0
	for _, name := range args[1:] {
		b.WriteString(name)
		switch r.kind(name) {
		case isKeyword:
			b.WriteString(" is a shell keyword\n")
		case isSpecial:
			b.WriteString(" is a special shell builtin\n")
		case isFunction:
			b.WriteString(" is a shell function\n")
		case isBuiltin:
			b.WriteString(" is a shell builtin\n")
		default:
			if at := r.look(name); at != "" {
				b.WriteString(" is " + at + "\n")
				break
			}
			b.WriteString(": not found\n")
			status = 127
		}
	}
	err := r.print(b.String())
	r.status = status
	return err
}

// bashType is bash's type, with -t.
func bashType(r *run, args []string) error {
	names, short := args[1:], false
	for len(names) > 0 && strings.HasPrefix(names[0], "-") {
		switch names[0] {
		case "-t":
			short = true
		case "-p", "-P":
			return r.commandV(names[1:])
		default:
			return Unsupported("type %s", names[0])
		}
		names = names[1:]
	}
	var b strings.Builder
	status := 0
	for _, name := range names {
		kind := r.kind(name)
		at := ""
		if kind == isNothing {
			at = r.look(name)
		}
		switch {
		case kind == isFunction && !short:
			return Unsupported("type %s, a function", name)
		case kind != isNothing:
			what := [...]string{"", "keyword", "builtin", "function", "builtin"}[kind]
			if !short {
				what = name + " is a shell " + what
			}
			b.WriteString(what + "\n")
		case at != "" && short:
			b.WriteString("file\n")
		case at != "":
			b.WriteString(name + " is " + at + "\n")
		default:
			status = 1
		}
	}
	err := r.print(b.String())
	r.status = status
	return err
}

// runBuiltin is bash's builtin.
func runBuiltin(r *run, args []string) error {
	if len(args) > 1 {
		if do := r.builtin(args[1]); do != nil {
			return r.survive(do(r, args[1:]))
		}
	}
	return r.complain(1, "builtin: not a shell builtin")
}
