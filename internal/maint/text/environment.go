package text

import (
	"context"
	"io"
	"regexp"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)

// env is env(1).
func env(ctx context.Context, p *shell.Proc) (int, error) {
	opts, args, err := options(p, "+i0u:C:S:v", "ignore-environment=i null=0 unset:=u chdir:=C split-string:=S debug=v")
	if err != nil {
		return 125, err
	}
	e := &environment{end: "\n", p: *p}
	for _, o := range opts {
		switch o.name {
		case "i":
			e.clear = true
		case "0":
			e.end = "\x00"
		case "u":
			e.unset = append(e.unset, o.value)
		case "C":
			e.p.Dir = p.Path(o.value)
			if !p.FS.IsDir(e.p.Dir) {
				_, err := p.Errorf("cannot change directory to '%s'", o.value)
				return 125, err
			}
		case "S":
			if strings.ContainsAny(o.value, "\"'\\$#") {
				return 125, shell.Unsupported("env: -S %q", o.value)
			}
			args = append(strings.Fields(o.value), args...)
		}
	}
	if len(args) > 0 && args[0] == "-" {
		e.clear, args = true, args[1:]
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		e.set, args = append(e.set, args[0]), args[1:]
	}
	if len(args) == 0 {
		return e.print()
	}
	return e.run(ctx, args)
}

// environment is how env changes the environment of a command.
type environment struct {
	p          shell.Proc
	clear      bool
	unset, set []string
	end        string
}

// list returns the changed environment, in the order of env's output: what is
// replaced stays where it was.
func (e *environment) list() []string {
	var out []string
	if !e.clear {
		out = e.p.Environ()
	}
	without := func(name string) int {
		for i, kv := range out {
			if strings.HasPrefix(kv, name+"=") {
				return i
			}
		}
		return -1
	}
	for _, name := range e.unset {
		if i := without(name); i >= 0 {
			out = append(out[:i:i], out[i+1:]...)
		}
	}
	for _, kv := range e.set {
		name, _, _ := strings.Cut(kv, "=")
		if i := without(name); i >= 0 {
			out[i] = kv
		} else {
			out = append(out, kv)
		}
	}
	return out
}

func (e *environment) print() (int, error) {
	for _, kv := range e.list() {
		if _, err := io.WriteString(e.p.Stdout, kv+e.end); err != nil {
			return 125, err
		}
	}
	return 0, nil
}

// run calls the command from a shell that has the changed environment.
func (e *environment) run(ctx context.Context, args []string) (int, error) {
	if !e.clear && len(e.unset) == 0 && len(e.set) == 0 {
		return e.p.Run(ctx, args...)
	}
	var script strings.Builder
	unset := e.unset
	if e.clear {
		for _, kv := range e.p.Environ() {
			name, _, _ := strings.Cut(kv, "=")
			unset = append(unset, name)
		}
	}
	for _, name := range unset {
		if variableName.MatchString(name) {
			script.WriteString("unset " + name + "\n")
		}
	}
	for _, kv := range e.set {
		name, value, _ := strings.Cut(kv, "=")
		if !variableName.MatchString(name) {
			return 125, shell.Unsupported("env: a variable of the name %q", name)
		}
		script.WriteString("export " + name + "=" + quote(value) + "\n")
	}
	script.WriteString(`exec "$@"`)
	return e.p.Run(ctx, append([]string{"sh", "-c", script.String(), "env"}, args...)...)
}

// quote quotes a word for the shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// printenv is printenv(1).
func printenv(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "+0", "null=0")
	if err != nil {
		return 2, err
	}
	e := &environment{end: "\n", p: *p}
	if len(opts) > 0 {
		e.end = "\x00"
	}
	if len(names) == 0 {
		return e.print()
	}
	status := 0
	for _, name := range names {
		found := false
		for _, kv := range p.Environ() {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				found = true
				if _, err := io.WriteString(p.Stdout, value+e.end); err != nil {
					return 2, err
				}
			}
		}
		if !found {
			status = 1
		}
	}
	return status, nil
}
