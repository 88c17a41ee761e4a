package script

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Call is one command that a script calls.
type Call struct {
	// Args are the command's name and arguments. Writing to a file is the
	// command ">" with the file's path, reading a script is ".".
	Args    []string
	Known   bool // every one of Args is what the script would pass
	Certain bool // no condition that cannot be known stands before the call
	Line    uint // in the script, counted from 1

	// Input is the here-document that the command ">" writes, "" where another
	// command's output is written.
	Input string
}

// Name returns the command's name without its directory, or "?" where it
// cannot be known.
func (c Call) Name() string {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return "?"
	}
	return c.Args[0][strings.LastIndexByte(c.Args[0], '/')+1:]
}

func (c Call) String() string { return strings.Join(c.Args, " ") }

// Context is what a script is called with.
type Context struct {
	Args []string          // "configure", "" for the postinst of a fresh installation (Debian Policy 6.5)
	Vars map[string]string // DPKG_MAINTSCRIPT_PACKAGE and the like
	Arch string            // what "dpkg --print-architecture" says
	Tree *tree.Tree        // of the tests -e, -d, ... and of globs
}

// maxCalls bounds the calls and loop rounds that are followed, so that a
// script made to be endless ends.
const maxCalls = 20000

// maxValue bounds a variable's value, in bytes, so that one that doubles itself
// ends; a longer value counts as unknown.
const maxValue = 4096

// ErrNotShell is wrapped by the error for a script of another interpreter.
var ErrNotShell = fmt.Errorf("not a shell script")

// Calls returns the commands that the script called name, with the given text,
// can call, in the order of the text.
func Calls(name, text string, ctx Context) (calls []Call, err error) {
	defer func() { // the shell library panics on some malformed expansions
		if p := recover(); p != nil {
			calls, err = nil, fmt.Errorf("%s: %v", name, p)
		}
	}()
	if line, _, _ := strings.Cut(text, "\n"); !isShell(line) {
		return nil, fmt.Errorf("%s: interpreter %q: %w", name, strings.TrimSpace(strings.TrimPrefix(line, "#!")), ErrNotShell)
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, funcs: map[string]*syntax.FuncDecl{}, scope: newScope(ctx)}
	if _, err := r.stmts(file.Stmts); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r.calls, nil
}

func isShell(line string) bool {
	interp, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return true // dpkg runs it through sh
	}
	fields := strings.Fields(interp)
	if len(fields) == 0 {
		return true
	}
	cmd := fields[0]
	if strings.HasSuffix(cmd, "/env") && len(fields) > 1 {
		cmd = fields[1]
	}
	return slices.Contains([]string{"sh", "dash", "bash", "ksh"}, cmd[strings.LastIndexByte(cmd, '/')+1:])
}

// value is what is known of a variable.
type value struct {
	s     string
	known bool
	set   bool
}

// scope is the shell's state: a branch that may not be taken works on a copy.
type scope struct {
	vars   map[string]value
	params []string
	// paramsKnown is false after "set --" with something unknown.
	paramsKnown bool
	// foreign says that a script of unknown content was read, after which a
	// variable that nobody set may have any value.
	foreign bool
	// uncertain counts the conditions above that are unknown.
	uncertain int
}

func newScope(ctx Context) *scope {
	s := &scope{vars: map[string]value{}, params: ctx.Args, paramsKnown: true}
	base := map[string]string{
		"DPKG_ROOT": "", "DPKG_ADMINDIR": "/var/lib/dpkg", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root",
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "IFS": " \t\n", "PWD": "/",
	}
	maps.Copy(base, ctx.Vars)
	for name, v := range base {
		s.vars[name] = value{v, true, true}
	}
	for _, name := range []string{"RET", "RANDOM", "PPID", "?", "$", "!", "LINENO", "OPTARG", "OPTIND", "REPLY"} {
		s.vars[name] = value{set: true}
	}
	return s
}

func (s *scope) clone() *scope {
	c := *s
	c.vars = maps.Clone(s.vars)
	return &c
}

// merge makes s what is known after one of the branches ran.
func (s *scope) merge(branches ...*scope) {
	for _, b := range branches {
		for name, v := range b.vars {
			if old, ok := s.vars[name]; !ok || old != v {
				s.vars[name] = value{set: true}
			}
		}
		s.foreign = s.foreign || b.foreign
		s.paramsKnown = s.paramsKnown && b.paramsKnown && slices.Equal(s.params, b.params)
	}
}

// environ gives the expansion of words the variables, and notes whether it met
// one whose value is unknown.
type environ struct {
	r       *reader
	unknown bool
}

func (e *environ) Get(name string) expand.Variable {
	s := e.r.scope
	str := func(v string) expand.Variable { return expand.Variable{Set: true, Kind: expand.String, Str: v} }
	switch name {
	case "@", "*":
		e.unknown = e.unknown || !s.paramsKnown
		return expand.Variable{Set: true, Kind: expand.Indexed, List: s.params}
	case "#":
		e.unknown = e.unknown || !s.paramsKnown
		return str(fmt.Sprint(len(s.params)))
	case "0":
		return str("/var/lib/dpkg/tmp.ci/" + s.vars["DPKG_MAINTSCRIPT_NAME"].s)
	}
	if len(name) == 1 && name[0] >= '1' && name[0] <= '9' {
		e.unknown = e.unknown || !s.paramsKnown
		if i := int(name[0] - '1'); i < len(s.params) {
			return str(s.params[i])
		}
		return expand.Variable{}
	}
	v, ok := s.vars[name]
	switch {
	case !ok && s.foreign, ok && !v.known:
		e.unknown = true
		return str("")
	case !ok || !v.set:
		return expand.Variable{}
	}
	return str(v.s)
}

func (e *environ) Each(func(string, expand.Variable) bool) {}

// Set lets ${x:=word} assign.
func (e *environ) Set(name string, v expand.Variable) error {
	e.r.scope.vars[name] = value{v.Str, !e.unknown, true}
	return nil
}
