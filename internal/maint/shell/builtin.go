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
	"syscall"
)

// builtin is a command of the shell itself. It sets the status.
type builtin func(r *run, args []string) error

// specialBuiltins are found before functions, assignments before them stay, and their
// errors end the script (XCU 2.15).
var specialBuiltins = map[string]bool{
	":": true, ".": true, "break": true, "continue": true, "eval": true, "exec": true, "exit": true, "export": true,
	"local": true, "readonly": true, "return": true, "set": true, "shift": true, "times": true, "trap": true, "unset": true,
}

// builtins are dash's, and bash's others. missingBuiltins are those of bash that are
// not provided.
var (
	builtins, bashBuiltins map[string]builtin

	missingBuiltins = map[string]bool{
		"mapfile": true, "readarray": true, "pushd": true, "popd": true, "dirs": true, "enable": true, "caller": true, "compgen": true,
		"complete": true, "compopt": true, "bind": true, "disown": true, "history": true, "fc": true, "suspend": true, "logout": true,
		"help": true,
	}
)

func init() { // for several refer to the table
	nothing := func(r *run, _ []string) error { r.status = 0; return nil }
	builtins = map[string]builtin{
		":": nothing, "true": nothing, "hash": hash, "ulimit": ulimit, "times": times, "wait": wait, "kill": kill, "jobs": jobs,
		"false": func(r *run, _ []string) error { r.status = 1; return nil },
		"alias": alias, "unalias": unalias, ".": source, "break": leaveLoop, "continue": leaveLoop, "cd": cd, "chdir": cd,
		"command": command, "echo": echo, "eval": eval, "exec": exec, "exit": exit, "export": declareWords, "readonly": declareWords,
		"local": declareWords, "getopts": getopts, "printf": printf, "pwd": pwd, "read": read, "return": exit, "set": set,
		"shift": shift, "test": test, "[": test, "trap": trap, "type": typeOf, "umask": umask, "unset": unset,
	}
	bashBuiltins = map[string]builtin{
		"source": source, "shopt": shopt, "builtin": runBuiltin, "declare": declareWords, "typeset": declareWords,
	}
}

// print writes to the standard output. What cannot be written is status 1.
func (r *run) print(s string) error {
	r.status = 0
	_, err := io.WriteString(r.stdout(), s)
	if errors.Is(err, syscall.EBADF) {
		return r.complain(1, "%s: %s: I/O error", r.doing, r.doing)
	}
	return err
}

// hash says of each name whether there is such a command.
func hash(r *run, args []string) error {
	status := 0
	for _, name := range args[1:] {
		if strings.HasPrefix(name, "-") || r.kind(name) != isNothing || r.look(name) != "" {
			continue
		}
		if err := r.complain(1, "hash: %s: not found", name); err != nil {
			return err
		}
		status = 1
	}
	r.status = status
	return nil
}

func ulimit(r *run, args []string) error {
	r.status = 0
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") {
			return nil // a limit that is set: ours are others
		}
	}
	return r.print("unlimited\n")
}

func times(r *run, _ []string) error {
	return r.print("0m0.000000s 0m0.000000s\n0m0.000000s 0m0.000000s\n")
}

// wait waits for what ran in the background, which has ended.
func wait(r *run, args []string) error {
	r.status = 0
	for _, id := range args[1:] {
		status, ok := r.jobs[id]
		if !ok {
			status = 127
		}
		r.status = status
	}
	return nil
}

// jobs lists what ran in the background, unless nothing did.
func jobs(r *run, _ []string) error {
	if len(r.jobs) > 0 {
		return Unsupported("jobs")
	}
	r.status = 0
	return nil
}

// kill finds no process: there is none but this.
func kill(r *run, args []string) error {
	for _, id := range args[1:] {
		if id == processID || id == "0" || strings.HasPrefix(id, "%") {
			return Unsupported("kill %s", id)
		}
	}
	return r.complain(1, "kill: No such process")
}

func source(r *run, args []string) error {
	if len(args) < 2 {
		if r.bash {
			return r.complain(2, "%s: filename argument required", args[0])
		}
		r.status = 0
		return nil
	}
	text, err := r.sourced(args[1])
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		if r.bash {
			return r.complain(1, "%s: %s", args[1], Strerror(pe.Err))
		}
		reason := "No such file"
		if Strerror(pe.Err) != "No such file or directory" {
			reason = Strerror(pe.Err)
		}
		return r.fault(".: cannot open %s: %s", args[1], reason)
	}
	if err != nil {
		return err
	}
	file, err := r.parse(args[1], text)
	if bad, ok := errors.AsType[*SyntaxError](err); ok {
		return Unsupported("%s, which is no script (%v),", args[1], bad)
	}
	if err != nil {
		return err
	}
	if err := r.enterCall(); err != nil {
		return err
	}
	defer r.leaveCall()
	if len(args) > 2 && r.bash { // dash leaves the parameters
		defer func(params []string, held int) { r.params, r.paramsHeld = params, held }(r.params, r.paramsHeld)
		r.params, r.paramsHeld = args[2:], 0
	}
	tested, line := r.tested, r.line
	r.tested = tested && r.bash // dash reads the file as if nobody tested it
	r.calls++
	r.status = 0
	err = r.read(file.Stmts)
	r.calls--
	r.tested, r.line = tested, line
	if j, ok := err.(*jump); ok && j.kind == jumpReturn {
		return nil
	}
	return err
}

// sourced returns the text of a file that a script sources.
func (r *run) sourced(name string) (string, error) {
	at := r.path(name)
	if !strings.Contains(name, "/") {
		found := ""
		for _, dir := range strings.Split(r.get("PATH"), ":") {
			p := r.path(dir) + "/" + name
			if n, err := r.shell.FS.Stat(p); found == "" && err == nil && !r.shell.FS.IsDir(p) && n != nil || r.phantom(p) {
				found = p
			}
		}
		if found == "" && !r.bash {
			return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		if found != "" {
			at = found
		}
	}
	if text, ok := r.shell.Sourced[path.Clean(at)]; ok && (r.shell.FS.Exists(at) || r.phantom(at)) {
		return text, nil
	}
	in, err := r.reader(at)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(in, maxScript+1))
	return string(b), err
}

// naturalNumber reads the argument of a builtin that is a number.
func (r *run) naturalNumber(args []string, least int) (int, error) {
	if len(args) < 2 {
		return 1, nil
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < least || strings.HasPrefix(args[1], "+") {
		return 0, r.fault("%s: Illegal number: %s", args[0], args[1])
	}
	return n, nil
}

func leaveLoop(r *run, args []string) error {
	n, err := r.naturalNumber(args, 1)
	if err != nil {
		return err
	}
	if r.status = 0; r.loops == 0 {
		return nil
	}
	if args[0] == "break" {
		return &jump{kind: jumpBreak, n: n}
	}
	return &jump{kind: jumpContinue, n: n}
}

// exit is exit and return.
func exit(r *run, args []string) error {
	if len(args) > 1 {
		n, err := r.naturalNumber(args, 0)
		if err != nil {
			if r.bash {
				return Unsupported("%s %s", args[0], args[1])
			}
			return err
		}
		if r.status = n & 0xff; r.status != 0 {
			r.failed = place{r.line, text(args)}
		}
	}
	if len(args) == 1 && args[0] == "exit" && r.exiting {
		r.status = r.exitStatus
	}
	if args[0] == "return" {
		if r.bash && r.calls == 0 {
			return r.complain(2, "return: can only `return' from a function or sourced script")
		}
		return &jump{kind: jumpReturn}
	}
	return &jump{kind: jumpExit}
}

func eval(r *run, args []string) error {
	if err := r.enterCall(); err != nil {
		return err
	}
	defer r.leaveCall()
	text := strings.Join(args[1:], " ")
	if strings.TrimSpace(text) == "" {
		r.status = 0
		return nil
	}
	line := r.line
	err := r.eval(text)
	r.line = line
	return err
}

func exec(r *run, args []string) error {
	if len(args) > 1 && args[1] == "--" {
		args = args[1:]
	}
	if len(args) == 1 {
		r.status = 0
		return nil // for its redirections
	}
	if strings.HasPrefix(args[1], "-") {
		return Unsupported("exec %s", args[1])
	}
	if err := r.external(args[1:]); err != nil {
		return err
	}
	if r.status != 0 {
		r.failed = place{r.line, text(args)}
	}
	clear(r.traps) // there is no shell any more that had them
	return &jump{kind: jumpExit}
}

func shift(r *run, args []string) error {
	n, err := r.naturalNumber(args, 0)
	if err != nil {
		return err
	}
	if n > len(r.params) {
		if r.bash {
			r.status = 1
			return nil
		}
		return r.fault("shift: can't shift that many")
	}
	r.params, r.status = r.params[n:], 0
	r.optPlace = 0
	return nil
}

// signals are those that a trap can be set for; only EXIT comes.
var signals = []string{
	"EXIT", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
}

// signal returns the name of a signal that is given by name or number, "" where there
// is none.
func signal(s string) string {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(signals) {
		return signals[n]
	}
	s = strings.TrimPrefix(s, "SIG")
	if slices.Contains(signals, s) {
		return s
	}
	return ""
}

func trap(r *run, args []string) error {
	r.status = 0
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return r.listTraps()
	}
	if strings.HasPrefix(rest[0], "-") && rest[0] != "-" {
		return Unsupported("trap %s", rest[0])
	}
	action := "-"
	if len(rest) > 1 {
		action, rest = rest[0], rest[1:]
	}
	for _, s := range rest {
		name := signal(s)
		if name == "" {
			if r.bash {
				return Unsupported("trap %s", s)
			}
			return r.complain(1, "trap: %s: bad trap", s)
		}
		if r.traps[name] = action; action == "-" {
			delete(r.traps, name)
		}
	}
	return nil
}

func (r *run) listTraps() error {
	var b strings.Builder
	for _, s := range signals {
		if action, ok := r.traps[s]; ok {
			fmt.Fprintf(&b, "trap -- %s %s\n", r.quote(action), s)
		}
	}
	return r.print(b.String())
}
