package shell

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// builtin is a command of the shell itself. It sets the status.
type builtin func(r *run, args []string) error

// specialBuiltins are found before functions, and assignments before them stay
// (XCU 2.14).
var specialBuiltins = []string{":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times", "trap", "unset"}

var builtins map[string]builtin

func init() { // for several refer to the table
	nothing := func(r *run, _ []string) error { r.status = 0; return nil }
	builtins = map[string]builtin{
		":": nothing, "true": nothing, "times": nothing, "wait": nothing, "ulimit": nothing, "hash": nothing,
		"alias": nothing, "unalias": nothing, "shopt": nothing, "bg": nothing, "fg": nothing, "jobs": nothing,
		"false": func(r *run, _ []string) error { r.status = 1; return nil },
		"kill":  func(r *run, _ []string) error { r.status = 1; return nil }, // there is no process to be found
		".":     source, "source": source, "break": leaveLoop, "continue": leaveLoop, "cd": cd, "command": command,
		"echo": echo, "eval": eval, "exec": exec, "exit": exit, "export": declareWords, "readonly": declareWords,
		"local": declareWords, "declare": declareWords, "typeset": declareWords, "getopts": getopts, "printf": printf,
		"pwd": pwd, "read": read, "return": exit, "set": set, "shift": shift, "test": test, "[": test, "trap": trap,
		"type": typeOf, "umask": umask, "unset": unset, "builtin": runBuiltin,
	}
}

func source(r *run, args []string) error {
	if len(args) < 2 {
		return r.complain(2, ".: filename argument required")
	}
	text, err := r.sourced(args[1])
	if err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			r.failed = place{r.line, ". " + args[1]}
			if err := r.complain(2, ".: cannot open %s: %s", args[1], Strerror(pe.Err)); err != nil {
				return err
			}
			if r.quiet > 0 {
				return nil
			}
			return &jump{kind: jumpExit} // as dash does
		}
		return err
	}
	file, err := parse(args[1], text)
	if err != nil {
		return r.complain(2, ".: %v", err)
	}
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	if len(args) > 2 {
		defer func(params []string) { r.params = params }(r.params)
		r.params = args[2:]
	}
	r.calls++
	r.status = 0
	err = r.stmts(file.Stmts)
	r.calls--
	if j, ok := err.(*jump); ok && j.kind == jumpReturn {
		return nil
	}
	return err
}

func (r *run) sourced(name string) (string, error) {
	at := name
	if !strings.Contains(name, "/") {
		at = ""
		for _, dir := range strings.Split(r.get("PATH"), ":") {
			if r.shell.FS.Exists(dir + "/" + name) {
				at = dir + "/" + name
				break
			}
		}
		at = max(at, r.path(name))
	}
	at = r.path(at)
	if text, ok := r.shell.Sourced[path.Clean(at)]; ok && (r.shell.FS.Exists(at) || r.phantom(at)) {
		return text, nil
	}
	in, err := r.reader(at)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(in)
	return string(b), err
}

func leaveLoop(r *run, args []string) error {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 1 {
			return r.complain(2, "%s: Illegal number: %s", args[0], args[1])
		}
	}
	r.status = 0
	if r.loops == 0 {
		return nil
	}
	if args[0] == "break" {
		return &jump{jumpBreak, n}
	}
	return &jump{jumpContinue, n}
}

func exit(r *run, args []string) error {
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 0 {
			n = 2
			if err := r.complain(2, "%s: Illegal number: %s", args[0], args[1]); err != nil {
				return err
			}
		}
		r.status = n & 0xff
		if r.status != 0 {
			r.failed = place{r.line, text(args)}
		}
	}
	if args[0] == "return" && r.calls > 0 {
		return &jump{kind: jumpReturn}
	}
	return &jump{kind: jumpExit}
}

func cd(r *run, args []string) error {
	physical := false
	for len(args) > 1 && (args[1] == "-P" || args[1] == "-L" || args[1] == "--") {
		physical = physical || args[1] == "-P"
		args = args[1:]
	}
	to := r.get("HOME")
	if len(args) > 1 {
		to = args[1]
	}
	if to == "-" {
		to = r.get("OLDPWD")
		fmt.Fprintln(r.stdout(), to)
	}
	at := path.Clean(r.path(to))
	if physical {
		if real, err := r.shell.FS.RealPath(at); err == nil {
			at = real
		}
	}
	if to == "" || !r.shell.FS.IsDir(r.path(to)) {
		return r.complain(2, "cd: can't cd to %s", to)
	}
	old := r.dir
	r.dir, r.status = at, 0
	if err := r.set("OLDPWD", old); err != nil {
		return err
	}
	return r.set("PWD", at)
}

func pwd(r *run, args []string) error {
	dir := r.dir
	if len(args) > 1 && args[1] == "-P" {
		if real, err := r.shell.FS.RealPath(dir); err == nil {
			dir = real
		}
	}
	return r.print(dir + "\n")
}

// print writes to the standard output.
func (r *run) print(s string) error {
	r.status = 0
	_, err := io.WriteString(r.stdout(), s)
	return err
}

func command(r *run, args []string) error {
	rest := args[1:]
	show := false
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		switch rest[0] {
		case "-v", "-V":
			show = true
		case "-p", "--":
		default:
			return r.complain(2, "command: Illegal option %s", rest[0])
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		r.status = 0
		return nil
	}
	if !show {
		if do, ok := builtins[rest[0]]; ok {
			return do(r, rest)
		}
		return r.external(rest)
	}
	if at := r.describe(rest[0]); at != "" {
		return r.print(at + "\n")
	}
	r.status = 127
	return nil
}

// describe returns what "command -v" prints.
func (r *run) describe(name string) string {
	if _, ok := r.funcs[name]; ok {
		return name
	}
	if _, ok := builtins[name]; ok {
		return name
	}
	return r.look(name)
}

func typeOf(r *run, args []string) error {
	status := 0
	for _, name := range args[1:] {
		if strings.HasPrefix(name, "-") {
			continue
		}
		at := r.describe(name)
		if at == "" {
			status = 127
			if err := r.print(name + ": not found\n"); err != nil {
				return err
			}
			continue
		}
		if err := r.print(name + " is " + at + "\n"); err != nil {
			return err
		}
	}
	r.status = status
	return nil
}

func runBuiltin(r *run, args []string) error {
	if len(args) > 1 {
		if do, ok := builtins[args[1]]; ok {
			return do(r, args[1:])
		}
	}
	return r.complain(1, "builtin: not a shell builtin")
}

func eval(r *run, args []string) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	r.status = 0
	return r.eval(strings.Join(args[1:], " "))
}

func exec(r *run, args []string) error {
	if len(args) == 1 {
		r.status = 0
		return nil // for its redirections
	}
	if err := r.external(args[1:]); err != nil {
		return err
	}
	if r.status != 0 {
		r.failed = place{r.line, text(args)}
	}
	return &jump{kind: jumpExit}
}

// declareWords is export and the like where the arguments are known at run time only.
func declareWords(r *run, args []string) error {
	export, readonly, own := args[0] == "export", args[0] == "readonly", args[0] == "local"
	r.status = 0
	for _, a := range args[1:] {
		if strings.HasPrefix(a, "-") {
			export = export || strings.Contains(a, "x")
			readonly = readonly || strings.Contains(a, "r")
			continue
		}
		name, value, has := strings.Cut(a, "=")
		if !syntax.ValidName(name) {
			return r.complain(2, "%s: %s: bad variable name", args[0], name)
		}
		if err := r.declareOne(name, value, has, export, readonly, own); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) declareOne(name, value string, has, export, readonly, own bool) error {
	if own {
		r.local(name)
	}
	if has {
		if err := r.set(name, value); err != nil {
			return r.complain(2, "%v", err)
		}
	}
	v := r.vars[name]
	v.exported = v.exported || export
	v.readonly = v.readonly || readonly
	r.vars[name] = v
	return nil
}

// declare is a declaration that the parser has recognised.
func (r *run) declare(c *syntax.DeclClause) error {
	kind := c.Variant.Value
	export, readonly := kind == "export", kind == "readonly"
	own := !export && !readonly
	r.status = 0
	for _, a := range c.Args {
		switch {
		case a.Name == nil: // an option, or words to expand
			words, err := r.fields([]*syntax.Word{a.Value})
			if err != nil {
				return r.fatal([]string{kind}, err)
			}
			if err := declareWords(r, append([]string{kind}, words...)); err != nil {
				return r.fatal([]string{kind}, err)
			}
		case a.Array != nil:
			r.local(a.Name.Value)
			if err := r.assignArray(a); err != nil {
				return r.fatal([]string{kind}, err)
			}
		default:
			value, err := r.literal(a.Value)
			if err != nil {
				return r.fatal([]string{kind}, err)
			}
			if err := r.declareOne(a.Name.Value, value, !a.Naked, export, readonly, own); err != nil {
				return err
			}
		}
	}
	return nil
}

func read(r *run, args []string) error {
	raw := false
	names := args[1:]
	for len(names) > 0 && strings.HasPrefix(names[0], "-") {
		switch names[0] {
		case "-r":
			raw = true
		case "-p", "-t", "-n", "-u", "-d":
			if len(names) < 2 || names[0] == "-d" || names[0] == "-u" {
				return Unsupported("read %s", strings.Join(names, " "))
			}
			names = names[1:]
		}
		names = names[1:]
	}
	line, whole := r.readLine(raw)
	if len(names) == 0 {
		names = []string{"REPLY"}
	}
	values := splitRead(r.ifs(), line, len(names), raw)
	for i, name := range names {
		value := ""
		if i < len(values) {
			value = values[i]
		}
		if err := r.set(name, value); err != nil {
			return err
		}
	}
	r.status = oneIf(!whole)
	return nil
}

// readLine reads up to a newline, byte by byte, so that the rest is left for the
// next who reads. whole is false at the end of the input.
func (r *run) readLine(raw bool) (line string, whole bool) {
	in := r.stdin()
	var b []byte
	var c [1]byte
	for {
		if n, _ := in.Read(c[:]); n == 0 {
			return string(b), false
		}
		if c[0] == '\n' {
			if !raw && len(b) > 0 && b[len(b)-1] == '\\' {
				b = b[:len(b)-1]
				continue
			}
			return string(b), true
		}
		b = append(b, c[0])
	}
}

func set(r *run, args []string) error {
	r.status = 0
	for i := 1; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			r.params = slices.Clone(args[i+1:])
			return nil
		case (a == "-o" || a == "+o") && i+1 < len(args):
			i++
			r.setOption(args[i], a[0] == '-')
		case len(a) > 1 && (a[0] == '-' || a[0] == '+'):
			r.setOptions(a)
			if strings.HasSuffix(a, "o") && i+1 < len(args) {
				i++
				r.setOption(args[i], a[0] == '-')
			}
		default:
			r.params = slices.Clone(args[i:])
			return nil
		}
	}
	return nil
}

// setOptions applies letters such as "-eu".
func (r *run) setOptions(a string) {
	for _, letter := range a[1:] {
		if name, ok := map[rune]string{'e': "errexit", 'u': "nounset", 'f': "noglob", 'a': "allexport"}[letter]; ok {
			r.setOption(name, a[0] == '-')
		}
	}
}

func (r *run) setOption(name string, on bool) {
	switch name {
	case "errexit":
		r.opts.errexit = on
	case "nounset":
		r.opts.nounset = on
	case "noglob":
		r.opts.noglob = on
	case "allexport":
		r.opts.allexport = on
	case "pipefail":
		r.opts.pipefail = on
	}
}

func shift(r *run, args []string) error {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 0 {
			return r.complain(2, "shift: Illegal number: %s", args[1])
		}
	}
	if n > len(r.params) {
		if err := r.complain(2, "shift: can't shift that many"); err != nil {
			return err
		}
		r.failed = place{r.line, text(args)}
		return &jump{kind: jumpExit}
	}
	r.params, r.status = r.params[n:], 0
	return nil
}

func trap(r *run, args []string) error {
	r.status = 0
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return nil
	}
	action, signals := rest[0], rest[1:]
	if len(signals) == 0 { // "trap EXIT" resets
		action, signals = "-", rest
	}
	for _, s := range signals {
		if s == "0" || s == "EXIT" {
			if action == "-" {
				delete(r.traps, "EXIT")
			} else {
				r.traps["EXIT"] = action
			}
		}
	}
	return nil
}

func umask(r *run, args []string) error {
	if len(args) > 1 && args[1] == "-S" {
		args = args[1:]
	}
	if len(args) < 2 {
		return r.print(fmt.Sprintf("%04o\n", r.umask))
	}
	n, err := strconv.ParseUint(args[1], 8, 32)
	if err != nil || n > 0o777 {
		return Unsupported("umask %s", args[1])
	}
	r.umask, r.status = uint32(n), 0
	return nil
}

func unset(r *run, args []string) error {
	r.status = 0
	function := false
	for _, a := range args[1:] {
		switch {
		case a == "-f":
			function = true
		case a == "-v":
		case function:
			delete(r.funcs, a)
		case r.vars[a].readonly:
			return r.complain(2, "unset: %s: is read only", a)
		default:
			delete(r.vars, a)
		}
	}
	return nil
}

// getopts is XCU getopts.
func getopts(r *run, args []string) error {
	if len(args) < 3 {
		return r.complain(2, "getopts: usage: getopts optstring var [arg ...]")
	}
	letters, name, list := args[1], args[2], args[3:]
	if len(list) == 0 {
		list = r.params
	}
	quiet := strings.HasPrefix(letters, ":")
	index, _ := strconv.Atoi(r.get("OPTIND"))
	index = max(index, 1)
	at, _ := strconv.Atoi(r.get("__OPTPOS")) // place in a group of letters
	done := func() error {
		r.status = 1
		return errors.Join(r.set(name, "?"), r.set("OPTIND", strconv.Itoa(index)), r.set("__OPTPOS", "0"))
	}
	if index > len(list) {
		return done()
	}
	arg := list[index-1]
	if at == 0 {
		if arg == "--" {
			index++
			return done()
		}
		if len(arg) < 2 || arg[0] != '-' {
			return done()
		}
		at = 1
	}
	letter := arg[at : at+1]
	if at++; at >= len(arg) {
		index, at = index+1, 0
	}
	value, optarg := letter, ""
	i := strings.Index(strings.TrimPrefix(letters, ":"), letter)
	switch rest := strings.TrimPrefix(letters, ":"); {
	case i < 0 || letter == ":":
		value, optarg = "?", letter
		if !quiet {
			optarg = ""
			fmt.Fprintf(r.stderr(), "%s: Illegal option -%s\n", r.name, letter)
		}
	case strings.HasPrefix(rest[i+1:], ":"):
		switch {
		case at > 0:
			optarg, index, at = arg[at:], index+1, 0
		case index <= len(list):
			optarg, index = list[index-1], index+1
		default:
			value = "?"
			if quiet {
				value, optarg = ":", letter
			}
		}
	}
	r.status = 0
	return errors.Join(r.set(name, value), r.set("OPTARG", optarg), r.set("OPTIND", strconv.Itoa(index)), r.set("__OPTPOS", strconv.Itoa(at)))
}

// ifs returns the separators of fields.
func (r *run) ifs() string {
	if v, ok := r.vars["IFS"]; ok && v.set {
		return v.value
	}
	return " \t\n"
}

// splitRead splits a line into at most n fields (XCU read, field splitting).
func splitRead(ifs, line string, n int, raw bool) []string {
	white := func(c byte) bool { return strings.IndexByte(" \t\n", c) >= 0 && strings.IndexByte(ifs, c) >= 0 }
	sep := func(c byte) bool { return strings.IndexByte(ifs, c) >= 0 }
	i := 0
	for i < len(line) && white(line[i]) {
		i++
	}
	var fields []string
	for i < len(line) && len(fields) < n-1 {
		var b []byte
		for i < len(line) && !sep(line[i]) {
			if line[i] == '\\' && !raw && i+1 < len(line) {
				i++
			}
			b = append(b, line[i])
			i++
		}
		fields = append(fields, string(b))
		for i < len(line) && white(line[i]) {
			i++
		}
		if i < len(line) && sep(line[i]) {
			i++
			for i < len(line) && white(line[i]) {
				i++
			}
		}
	}
	if len(fields) == n-1 {
		rest := line[i:]
		for len(rest) > 0 && white(rest[len(rest)-1]) {
			rest = rest[:len(rest)-1]
		}
		// One separator that ends the last field does not belong to it.
		if k := len(rest); k > 0 && sep(rest[k-1]) && !white(rest[k-1]) && strings.IndexFunc(rest[:k-1], func(c rune) bool { return c < 128 && sep(byte(c)) }) < 0 {
			rest = rest[:k-1]
		}
		if !raw {
			var b []byte
			for j := 0; j < len(rest); j++ {
				if rest[j] == '\\' && j+1 < len(rest) {
					j++
				}
				b = append(b, rest[j])
			}
			rest = string(b)
		}
		fields = append(fields, rest)
	}
	return fields
}
