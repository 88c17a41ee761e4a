package shell_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
)

// FuzzScript runs whole texts: none makes the shell fail, whatever becomes of it, and
// its errors are those that it knows.
func FuzzScript(f *testing.F) {
	f.Add(postinst)
	for _, table := range tables {
		for _, c := range shelltest.Load(f, table.file) {
			f.Add(table.header + "\n" + c.Script)
		}
	}
	for _, h := range hostile {
		f.Add(h.script)
	}
	for _, h := range hostileBash {
		f.Add("#!/bin/bash\n" + h.script)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sh := newShell(t)
		sh.FS.MaxWritten = 1 << 20
		sh.Limits = shell.Limits{Steps: 2000, Output: 1 << 20}
		_, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: text, Args: []string{"configure", ""}, Env: environment})
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*shell.Error](err); !ok {
			t.Errorf("%q: the error is no *Error: %v", text, err)
		}
		known := isKnown[*shell.UnsupportedError](err) || isKnown[*shell.LimitError](err) || isKnown[*rootfs.LimitError](err) || isKnown[*shell.SyntaxError](err)
		if e, _ := errors.AsType[*shell.Error](err); e != nil && e.Err != nil && !known {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func isKnown[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }

// FuzzParse reads texts without running them.
func FuzzParse(f *testing.F) {
	f.Add(postinst)
	f.Add("#!/bin/bash\n[[ a =~ (b) ]] && x=(1 2)\n")
	f.Add("cat <<E\n${x:-`y`}\nE\n")
	f.Fuzz(func(t *testing.T, text string) {
		if err := shell.Check("script", text); err != nil && !isKnown[*shell.SyntaxError](err) && !isKnown[*shell.LimitError](err) && !isKnown[*shell.UnsupportedError](err) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// generator makes random scripts of builtins alone: they reach no file and no program,
// and so may be given to a true shell.
type generator struct {
	*rand.Rand
	depth int
}

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) name() string { return g.pick("a", "b", "c", "d") }

// word returns a word with any quoting and any expansion.
func (g *generator) word() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.part())
	}
	return b.String()
}

func (g *generator) part() string {
	if g.depth > 4 {
		return g.pick("x", "y", "1")
	}
	g.depth++
	defer func() { g.depth-- }()
	switch g.IntN(14) {
	case 0, 1, 2:
		return g.pick("a", "b", "x", "y:z", "1", "0", ":", "-", ".", "=", "%", "x*", "[a]", "?", "^", "!", "+")
	case 3:
		return g.pick(`\*`, `\ `, `\\`, `\"`, `\$`, `\'`, `\a`, `\:`, `\[`, `\?`)
	case 4:
		return "'" + g.pick("a  b", "*", "", "$a", `\`, ":", `"`, "x\ty") + "'"
	case 5, 6:
		return `"` + g.quoted() + `"`
	case 7, 8:
		return "$" + g.pick("a", "b", "c", "d", "1", "2", "#", "?", "@", "*")
	case 9, 10:
		return g.parameter(false)
	case 11:
		return "$(" + g.command() + ")"
	case 12:
		return "$((" + g.arithmetic() + "))"
	}
	return "${" + g.name() + "}"
}

// quoted returns what may stand in double quotes.
func (g *generator) quoted() string {
	var b strings.Builder
	for range g.IntN(3) {
		switch g.IntN(9) {
		case 0:
			b.WriteString(g.pick("a", " b ", "*", "'", ":", "x:y", "?[a]"))
		case 1:
			b.WriteString(g.pick(`\"`, `\\`, `\$`, `\a`, `\*`, `\'`))
		case 2, 3:
			b.WriteString("$" + g.pick("a", "b", "c", "1", "@", "*", "#"))
		case 4, 5:
			b.WriteString(g.parameter(true))
		case 6:
			b.WriteString("$(" + g.command() + ")")
		case 7:
			b.WriteString("$((" + g.arithmetic() + "))")
		case 8:
			b.WriteString("${" + g.name() + "}")
		}
	}
	return b.String()
}

// parameter returns a parameter with an operator.
func (g *generator) parameter(quoted bool) string {
	name := g.pick("a", "b", "c", "d", "e", "1", "2", "3")
	switch g.IntN(6) {
	case 0:
		return "${#" + name + "}"
	case 1, 2:
		return "${" + name + g.pick("#", "##", "%", "%%") + g.pattern() + "}"
	case 3:
		return "${" + g.name() + g.pick("=", ":=") + g.defaultWord(quoted) + "}"
	}
	return "${" + g.pick("a", "b", "c", "d", "e", "1", "2", "3", "@", "*") + g.pick("-", ":-", "+", ":+") + g.defaultWord(quoted) + "}"
}

// defaultWord avoids the single quotes that the parser reads in another way.
func (g *generator) defaultWord(quoted bool) string {
	if g.depth > 3 {
		return g.pick("", "w", "v w")
	}
	g.depth++
	defer func() { g.depth-- }()
	switch g.IntN(7) {
	case 0:
		return g.pick("", "w", "v w", "v:w", "*", `\*`, `a\ b`)
	case 1, 2:
		if quoted {
			return g.pick("a", "b  c", ":")
		}
		return `"` + g.quoted() + `"`
	case 3:
		return "$" + g.pick("a", "b", "1", "@", "*")
	case 4:
		return g.parameter(quoted)
	case 5:
		if !quoted {
			return "'" + g.pick("a  b", "*", "") + "'"
		}
	}
	return "x"
}

func (g *generator) pattern() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.pick("*", "?", "a", "b", "x", ":", "[ab]", "[!a]", "[x-z]", "[[:alpha:]]", `\*`, `"*"`, `'?'`, "$a", `"$b"`, " ", `[\]a]`, "[]a]", "-", "1"))
	}
	return strings.ReplaceAll(b.String(), " ", `\ `)
}

func (g *generator) arithmetic() string {
	if g.depth > 5 {
		return g.pick("1", "2", "a")
	}
	g.depth++
	defer func() { g.depth-- }()
	switch g.IntN(9) {
	case 0, 1:
		return g.pick("0", "1", "2", "7", "010", "0x1f", "-3")
	case 2:
		return g.pick("n", "m", "$n", "${m}")
	case 3, 4, 5:
		return g.arithmetic() + " " + g.pick("+", "-", "*", "<<", ">>", "<", "<=", "==", "!=", "&", "|", "^", "&&", "||") + " " + g.arithmetic()
	case 6:
		return g.pick("!", "~", "- ", "+ ") + g.arithmetic()
	case 7:
		return "(" + g.arithmetic() + ")"
	}
	return "(" + g.pick("n", "m") + " " + g.pick("=", "+=", "-=", "*=", "|=") + " " + g.arithmetic() + ")"
}

// command returns a command on one line.
func (g *generator) command() string {
	if g.depth > 5 {
		return "echo " + g.pick("a", "b", "$a")
	}
	g.depth++
	defer func() { g.depth-- }()
	switch g.IntN(32) {
	case 0, 1, 2, 3:
		return `printf '[%s]' ` + g.word() + " " + g.word() + "; echo"
	case 4, 5:
		return g.name() + "=" + g.word()
	case 6:
		return "set -- " + g.word() + " " + g.word() + "; echo $#"
	case 7:
		return "IFS=" + g.pick("", ":", "' '", "': '", "x", "-", "'x:'") + "; " + g.command() + "; unset IFS"
	case 8:
		return "for i in " + g.word() + " " + g.word() + "; do echo \"<$i>\"; " + g.command() + "; done"
	case 9:
		return "case " + g.word() + " in " + g.pattern() + ") " + g.command() + ";; " + g.pattern() + "|" + g.pattern() + ") echo 2;; *) echo 3;; esac"
	case 10:
		return "if " + g.command() + "; then " + g.command() + "; else " + g.command() + "; fi"
	case 11:
		return g.command() + " && " + g.command() + " || " + g.command()
	case 12:
		return "(" + g.command() + "); echo $?"
	case 13:
		return "{ " + g.command() + "; }"
	case 14:
		return "[ " + g.test() + " ]; echo $?"
	case 15:
		return "test " + g.test()
	case 16:
		return "f() { " + g.command() + "; " + g.pick("return 3", "return", ":", "local a; a=2", "shift") + "; echo f; }; f " + g.word() + "; echo $?"
	case 17:
		return g.pick("true", "false", "! true", "! false", "(exit 3)", "set -e", "set +e", "set -u", "set +u", "unset a", "a=", "shift", "set --")
	case 18:
		return "eval echo " + g.pick(`'$a'`, `"$b"`, "$c", `\"x\ y\"`, `'"$1"'`)
	case 19:
		return "echo " + g.pick(`'a b:c'`, `' x  y '`, `':a:b:'`, `'a\ b c'`, `'a\\b'`, "$a", `"$b"`) + " | { " + g.pick("IFS=: ", "IFS=' :' ", "IFS= ", "") + "read " + g.pick("", "-r ") + g.pick("a", "a b", "a b c") + `; echo "[$a][$b][$c]"; }`
	case 20:
		return g.command() + " | " + g.pick("{ read a; echo \"$a\"; }", "while read a b; do echo \"$b-$a\"; done", "false", "true") + "; echo $?"
	case 21:
		i := fmt.Sprint("i", g.depth)
		return strings.ReplaceAll("@=0; while [ $@ -lt 3 ]; do @=$((@+1)); "+g.pick("[ $@ = 2 ] && continue", "[ $@ = 2 ] && break", ":")+"; ", "@", i) + g.command() + "; done"
	case 22:
		return "echo $((" + g.arithmetic() + "))"
	case 23:
		return "trap 'echo bye $?' EXIT"
	case 24:
		return "(trap 'echo sub $?' EXIT; " + g.command() + ")"
	case 25:
		return g.pick("exit 4", "exit", "return 5", "(exit 2) || echo $?", "! { "+g.command()+"; }")
	case 26:
		return "printf " + g.pick(`'%5s|%-5s|\n'`, `'%s-%s\n'`, `'%d %x\n'`, `'%b\n'`, `'%.2s\n'`, `'%c\n'`, `'%03d\n'`) + " " + g.word() + " " + g.pick("3", "0x1f", "$n", "abc", "''")
	case 27:
		return "echo " + g.word() + " " + g.word()
	case 28:
		return g.name() + "=" + g.word() + " " + g.pick("true", ":", "eval 'echo $a'", "f2")
	case 29:
		return "export " + g.name() + "=" + g.word()
	case 30:
		return "{ " + g.command() + "; } " + g.pick("2>&1", ">&2", "1>&-", "3>&1", "</dev/null")
	}
	return "echo \"$a|$b|$c|$#|$*|$@\""
}

func (g *generator) test() string {
	word := func() string {
		return g.pick("a", "''", "b", "1", "2", "-n", "=", "!", `"$a"`, `"$b"`, "'('", "')'", "-a", "-o", "$#")
	}
	switch g.IntN(4) {
	case 0:
		return word() + " " + g.pick("=", "!=", "-eq", "-lt", "-ge") + " " + word()
	case 1:
		return g.pick("-n", "-z", "!", "") + " " + word()
	case 2:
		return word() + " " + word() + " " + word()
	}
	return word() + " " + word() + " " + word() + " " + word()
}

// Each row of up to three arguments, which test takes apart by what stands where.
func TestRealDashTest(t *testing.T) {
	dash := lookDash(t)
	words := []string{"a", "''", "=", "!", "'('", "')'", "-n", "-a", "-o", "-eq", "1"}
	rows, last := []string{""}, []string{""}
	for range 3 {
		var next []string
		for _, row := range last {
			for _, w := range words {
				next = append(next, row+" "+w)
			}
		}
		rows, last = append(rows, next...), next
	}
	var script strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&script, "(test%s); echo $?\n", row) // in a shell of its own, for dash fails at some
	}
	cmd := exec.Command(dash)
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := newShell(t).Run(t.Context(), shell.Script{Name: "script", Text: "exec 2>/dev/null\n" + script.String()})
	if err != nil && !isKnown[*shell.Error](err) {
		t.Fatal(err)
	}
	g, w := strings.Fields(string(got)), strings.Fields(string(out))
	if len(g) != len(rows) || len(w) != len(rows) {
		t.Fatalf("%d and %d results of %d", len(g), len(w), len(rows))
	}
	for i, row := range rows {
		if g[i] != w[i] {
			t.Errorf("test%s: %s, want %s, as dash", row, g[i], w[i])
		}
	}
}

// random returns a script.
func random(seed uint64) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 2))}
	var b strings.Builder
	b.WriteString("a='x y'; b='a:b::c'; c='*'; n=3; m=010; f2() { echo \"f2 $a\"; }; set -- 1 '2  3' ''\n")
	for range 1 + g.IntN(4) {
		if g.IntN(8) == 0 {
			fmt.Fprintf(&b, "while read -r l; do printf '%%s\\n' \"$l\"; done <<E\n%s\n%s\nE\n", g.quoted(), g.pick("$a", "`echo x`", `\$a \\ \a "q"`))
			continue
		}
		b.WriteString(g.command() + "\n")
	}
	return b.String()
}

// limited keeps the beginning of what is printed.
type limited struct{ bytes.Buffer }

const maxPrinted = 1 << 20

func (l *limited) Write(p []byte) (int, error) {
	if l.Len() >= maxPrinted {
		return 0, errors.New("too much output")
	}
	return l.Buffer.Write(p)
}

// compareDash gives a script to dash and to the shell here, which may refuse it but
// not do otherwise.
func compareDash(t *testing.T, dash, script string) (compared bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, dash, "-c", script, "script")
	dir := t.TempDir()
	cmd.Dir, cmd.Env = dir, []string{"PATH=/nowhere", "PWD=" + dir}
	var out limited
	cmd.Stdout = &out
	_ = cmd.Run() // with the status of the script
	if ctx.Err() != nil || out.Len() >= maxPrinted {
		return false
	}
	want := fmt.Sprintf("%q %d", strings.ReplaceAll(out.String(), dir, "/work"), cmd.ProcessState.ExitCode())
	sh := newShell(t)
	sh.Limits = shell.Limits{Steps: 100_000}
	got, err := sh.Run(t.Context(), shell.Script{
		Name: "script", Text: "cd /work; unset OLDPWD; exec 2>/dev/null; " + script, Env: []string{"PATH=/nowhere"},
	})
	status := 0
	if e, ok := errors.AsType[*shell.Error](err); ok && e.Err == nil {
		status = e.Status
	} else if isKnown[*shell.SyntaxError](err) || isKnown[*shell.UnsupportedError](err) || isKnown[*shell.LimitError](err) {
		return false
	} else if err != nil {
		t.Errorf("%s\n%v", script, err)
	}
	if got := fmt.Sprintf("%q %d", got, status); got != want {
		t.Errorf("%s\ngot  %s\nwant %s, as dash", script, got, want)
	}
	return true
}

func lookDash(tb testing.TB) string {
	dash, err := exec.LookPath("dash")
	if err != nil {
		tb.Skip("SKIPPED: dash is not installed: random scripts were not compared with it")
	}
	return dash
}

func TestRealDashRandom(t *testing.T) {
	dash := lookDash(t)
	compared := 0
	const n = 400
	for seed := range uint64(n) {
		if compareDash(t, dash, random(seed)) {
			compared++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if compared < n*3/4 {
		t.Errorf("%d of %d scripts were compared", compared, n)
	}
}

func FuzzDash(f *testing.F) {
	dash := lookDash(f)
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { compareDash(t, dash, random(seed)) })
}
