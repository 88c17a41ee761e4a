package shell_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// hostile are scripts that want more than there is, each with the limit that ends it,
// "" where it has its end without one. None may take the process along.
var hostile = []struct{ name, script, want string }{
	{"a loop without an end", `while :; do :; done`, "commands"},
	{"a loop without commands", `until false; do if :; then continue; fi; done`, "commands"},
	{"a loop of an external command", `while true; do cat </dev/null; done`, "commands"},
	{"a loop over many words", `x='a a a a a a a a'; x="$x $x $x $x $x $x $x $x"; x="$x $x $x $x $x $x $x $x"; x="$x $x $x $x $x $x $x $x"; for a in $x; do for b in $x; do for c in $x; do :; done; done; done`, "commands"},
	{"a function that calls itself", `f() { f; }; f`, "calls in one another"},
	{"functions that call each other", `f() { g; }; g() { f; }; f`, "calls in one another"},
	{"eval of itself", `x='eval "$x"'; eval "$x"`, "calls in one another"},
	{"eval of a long text", `x=':;:;:;:;:;:;:;:;'; for i in 1 2 3 4 5 6 7 8 9 10 11; do x=$x$x; done; while :; do eval "if false; then $x fi"; done`, "commands"},
	{"a substitution of itself", `f() { echo $(f); }; f`, "calls in one another"},
	{"a pipe of itself", `f() { f | f; }; f`, "calls in one another"},
	{"a subshell of itself", `f() { (f); }; f`, "calls in one another"},
	{"a background of itself", `f() { f & f; }; f`, "calls in one another"},
	{"a file that sources itself", `echo '. ./f' >f; . ./f`, "calls in one another"},
	{"a script that runs itself", `printf '#!/bin/sh\n./f\n' >f; chmod +x f; ./f`, "calls in one another"},
	{"a shell that runs itself", `echo 'sh ./f' >f; sh ./f`, "calls in one another"},
	{"a trap of itself", `trap 'f() { trap f EXIT; exit; }; f' EXIT`, ""},
	{"a variable that doubles", `x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done`, "in the words of a command"},
	{"many variables", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; i=0; while :; do i=$((i+1)); eval "v$i=\$x"; done`, "in variables and words"},
	{"variables in subshells", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do x=$x$x; done; f() { (x=b$x; f); }; f`, "in variables and words"},
	{"local variables", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do x=$x$x; done; f() { local x; x=b$y; f; }; y=$x; f`, "in variables and words"},
	{"parameters that double", `set -- a; while :; do set -- "$@" "$@"; done`, "in the words of a command"},
	{"parameters of functions", `f() { f "$@" "$@"; }; f a`, "in the words of a command"},
	{"words that double", `x='a a a a a a a a a a a a a a a a'; while :; do set -- $x $x; x="$*"; done`, "in the words of a command"},
	{"empty words", `set -- ''; while :; do set -- "$@" "$@"; done`, "in the words of a command"},
	{"output without end", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do x=$x$x; done; while :; do echo $x; done`, "of output"},
	{"a substitution without end", `x=$(while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done)`, "commands"},
	{"a large substitution", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do x=$x$x; done; y=$(while :; do echo $x; done)`, "of output"},
	{"a pipe without end", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do x=$x$x; done; while :; do echo $x; done | cat`, "of output"},
	{"a file that grows", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do x=$x$x; done; while :; do echo $x; done >f`, "MB"},
	{"a file that is doubled", `echo aaaaaaaaaaaaaaaaaa >f; while :; do cat f f >g; cat g g >f; done`, "MB"},
	{"many files", `i=0; while :; do i=$((i+1)); >f$i; done`, "MB written"},
	{"many directories", `i=0; while :; do i=$((i+1)); mkdir d$i; done`, "MB written"},
	{"renaming without end", `mkdir d; mkdir d/e; while :; do mv d f; mv f d; done`, "MB written"},
	{"a here-document that grows", "x=aaaaaaaaaaaaaaaa\nwhile :; do x=$(cat <<E\n$x$x\nE\n); done", "in the words of a command"},
	{"printf with a width", `printf %999999999d 1`, "printf with a width of more than"},
	{"printf with a width of an argument", `printf '%*d' 999999999999 1`, "printf with a width of more than"},
	{"printf with a precision", `printf %.999999999d 1`, "printf with a width of more than"},
	{"printf of many", `x=a; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do x="$x $x"; done; printf '%1000s' $x`, "MB"},
	{"a shift of many bits", `echo $((1<<99)) $((1<<-1)) $((1>>999999999999999999))`, ""},
	{"the least number by -1", `echo $((-9223372036854775807-1)) $(((-9223372036854775807-1)/-1)) $(((-9223372036854775807-1)%-1))`, ""},
	{"a long pattern", `x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; case $x in *a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b) ;; esac; echo ${x##*a*a*a*a*a*a*a*a*a*a*a*b} ${x%%*a*a*a*a*a*a*a*a*a*a*a*a*b}`, ""},
	{"long patterns and texts", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do x=$x$x; done; while :; do case $x in *a*a*a*a*a*a*a*a*a*a*b) ;; esac; done`, "commands"},
	{"a pattern that is long itself", `x='*a'; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do x=$x$x; done; y=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do y=$y$y; done; case $y in $x) ;; esac; echo ${y#$x}`, "commands"},
	{"globs of many", `i=0; while [ $i -lt 50 ]; do i=$((i+1)); mkdir d$i; >d$i/a; done; while :; do echo */* */../*/../*/../* >/dev/null; done`, "commands"},
	{"globs of links", `mkdir d; for i in 1 2 3 4 5 6 7 8 9; do ln -s . d/$i; done; echo d/*/*/*/*/*/*/*/*/*`, "commands"},
	{"a path of links", `ln -s a b; ln -s b a; cat a || cd a || [ -e a ] || echo >a || . ./a`, ""},
	{"reading itself", `echo a >f; while read x; do echo $x >>f; done <f`, "MB written"},
	{"reading bytes without end", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do x=$x$x; done; while :; do echo $x | read y; done`, "commands"},
	{"descriptors", `exec 255>f; echo a >&255; exec 256>f`, "the file descriptor 256"},
	{"negative descriptors", `echo a >&-1 || true; cat <&99999999999999999999`, ""},
	{"a long name", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10; do x=$x$x; done; cat $x || >$x || cd $x || [ -e $x ] || . ./$x`, ""},
	{"variables of the shell", `IFS=; PATH=; OPTIND=-5; PWD=/nowhere; HOME=; PS4='$(f)'; set -- -a; getopts a o; getopts a o; getopts a o; OPTIND=99999999999999999999; getopts a o; cd; cd -; echo $OPTIND`, ""},
	{"zero bytes", `printf 'a\0b' >f; x=$(cat f); echo "$x"; read y <f; echo "$y"; printf '%b' 'a\0000b' >"$x"; . ./f`, ""},
	{"the middle of characters", `x=$(printf '\303'); echo ${#x} ${x%?} ${x#?}; case $x in ?) ;; esac; IFS=$x; set -- $(printf 'a\303\244b'); echo $#`, ""},
}

// hostileBash are those that need bash.
var hostileBash = []struct{ name, script, want string }{
	{"braces", `echo {1..999999999}`, "words of braces"},
	{"braces of large numbers", `echo {1..99999999999999999999}`, ""},
	{"braces in a row", `echo {1..100}{1..100}{1..100}{1..100}`, "words of braces"},
	{"braces in one another", `echo {{{{{{{{{{a,b},{a,b}},{{a,b},{a,b}}},c},d},e},f},g},h},i},j}`, ""},
	{"braces with steps", `echo {1..10..0} {1..10..-1} {9223372036854775806..9223372036854775807} || true`, "{9223372036854775806..9223372036854775807}"},
	{"powers", `echo $((2**9999999999)) $((0**0)) $(((-1)**63))`, ""},
	{"variables that are their own value", `x=x; echo $((x))`, "constructs in one another"},
	{"variables in a circle", `x=y+1; y=x+1; echo $((x))`, "constructs in one another"},
	{"variables that double", `a=1; b=a+a; c=b+b; d=c+c; e=d+d; f=e+e; g=f+f; h=g+g; i=h+h; j=i+i; k=j+j; l=k+k; m=l+l; n=m+m; o=n+n; p=o+o; q=p+p; r=q+q; s=r+r; t=s+s; u=t+t; v=u+u; w=v+v; x=w+w; echo $((x))`, "commands"},
	{"slices", `x=abc; echo ${x:0:99999999999} ${x:99999999999} ${x: -99999999999} ${x:1<<62:1<<62}; set -- a b; echo ${@:99999999999} ${@:0:99999999999} ${@: -1:1}`, ""},
	{"arrays that double", `a=(x); while :; do a+=("${a[@]}"); done`, "MB"},
	{"arrays of large indexes", `a=(1); a[9999999999]=x`, "an array with gaps"},
	{"replacements that double", `x=aaaaaaaaaaaaaaaa; while :; do x=${x//a/aa}; done`, "bytes"},
	{"replacements of patterns", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do x=$x$x; done; while :; do y=${x//*b/c}; done`, "commands"},
	{"regular expressions", `x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; [[ $x =~ (a*)*(a*)*(a*)*b ]]; [[ $x =~ ((a{999}){999}){999} ]]`, "the regular expression"},
	{"regular expressions of long texts", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10; do x=$x$x; done; while :; do [[ $x =~ (a*)*(a|aa)*b ]]; done`, "commands"},
	{"indirections in a circle", `x=x; echo ${!x}; x=y; y=x; echo ${!x}`, ""},
	{"regular expressions of longer texts", `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; [[ $x =~ (a*)*(a|aa)*b ]]`, "regular expression"},
	{"a for without an end", `for ((;;)); do :; done`, "commands"},
	{"a for over the largest", `for ((i=9223372036854775806; i<=9223372036854775807; i++)); do :; done`, "commands"},
	{"read of an array", `x=a; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do x="$x $x"; done; while :; do read -a l <<< "$x"; done`, "commands"},
	{"ansi-c", `echo $'\U110000' $'\xff' $'\u' $'\c' $'\777' | cat`, ""},
}

// deep are texts whose nesting is meant to exhaust the stack of the parser or of the
// shell.
func deep() map[string]string {
	rep := strings.Repeat
	const n = 100_000
	return map[string]string{
		"parentheses":              rep("(", n) + rep(")", n),
		"subshells":                rep("( ", n) + ":" + rep(" )", n),
		"braces":                   rep("{ ", n) + ":" + rep("; }", n),
		"substitutions":            rep("$(", n) + ":" + rep(")", n),
		"defaults":                 "echo " + rep("${a:-", n/3) + rep("}", n/3),
		"quoted defaults":          "echo " + rep(`"${a:-`, n/4) + rep(`}"`, n/4),
		"closed in quotes":         "echo " + rep(`${a:-')'`, n/4),
		"closed in comments":       rep("(# )\n", n/3),
		"arithmetic":               "echo $((" + rep("(", n) + "1" + rep(")", n) + "))",
		"unary":                    "echo $((" + rep("!", n) + "1))",
		"unary with blanks":        "echo $((" + rep("- ", n) + "1))",
		"ternary":                  "echo $((" + rep("1?", n/2) + "1" + rep(":1", n/2) + "))",
		"assignments":              "echo $((" + rep("a=", n/2) + "1))",
		"sums":                     "echo $((" + rep("1+", n/2) + "1))",
		"if":                       rep("if ", n/4) + ":" + rep("; then :; fi", n/20),
		"then":                     rep("if :; then ", n/12) + ":" + rep("; fi", n/12),
		"else":                     rep("if :; then :; else ", n/20) + ":" + rep("; fi", n/20),
		"elif":                     "if :; then :; " + rep("elif :; then :; ", n/20) + "fi",
		"while":                    rep("while ", n/8) + ":",
		"for":                      rep("for i in a; do ", n/20) + ":" + rep("; done", n/20),
		"case":                     rep("case a in a) ", n/20) + ":" + rep(";; esac", n/20),
		"functions":                rep("f() ", n/4) + ":",
		"functions in braces":      rep("f() { ", n/6) + ":" + rep("; }", n/6),
		"and":                      rep(": && ", n/5) + ":",
		"or":                       rep(": || ", n/5) + ":",
		"pipes":                    rep(":|", n/2) + ":",
		"bang":                     rep("! ", n/2) + ":",
		"backquotes":               rep("`", n),
		"escaped backquotes":       "echo `echo \\`echo " + rep("\\\\\\`", n/10) + "`",
		"here-documents":           rep("cat <<E $(", n/10) + rep("\nE\n", n/10),
		"here-documents in lines":  rep("cat <<E; ", n/10) + "\n" + rep("a\nE\n", n/10),
		"background":               rep(":&", n/2),
		"semicolons":               rep(":;", n/2),
		"words":                    "echo " + rep("a ", n/2),
		"word parts":               "echo " + rep(`"a"b`, n/5),
		"assignment words":         rep("a=b ", n/5) + ":",
		"redirections":             ": " + rep(">a ", n/4),
		"line continuations":       rep("\\\n", n/2),
		"comments":                 rep("#\n", n/2),
		"test":                     "[ " + rep("! ", n/3) + "a ]",
		"test in parentheses":      "[ " + rep("'(' ", n/5) + "a" + rep(" ')'", n/5) + " ]",
		"extended tests":           "[[ " + rep("! ", n/3) + "a ]]",
		"extended tests in groups": "[[ " + rep("( ", n/3) + "a" + rep(" )", n/3) + " ]]",
		"extended and":             "[[ " + rep("a && ", n/5) + "a ]]",
		"array indexes":            "echo " + rep("${a[", n/5) + "0" + rep("]}", n/5),
		"brackets":                 "case a in " + rep("[", n) + ") ;; esac",
		"time":                     rep("time ", n/5) + ":",
		"coproc":                   rep("coproc ", n/8) + ":",
		"anything":                 rep("{$(`\"${a:-((if ", n/14),
		"one long word":            "echo " + rep("a", n),
		"one long pattern":         "case a in " + rep("*a", n/2) + ") ;; esac",
		"globs":                    "echo " + rep("*/", n/2),
		"tildes":                   "a=" + rep("~:", n/2),
		"quotes":                   "echo " + rep("''", n/2),
		"braces of words":          "echo " + rep("{a,", n/4) + "b" + rep("}", n/4),
		"many braces of words":     "echo " + rep("{a,b}", n/10),
	}
}

// tight runs a script with little to spend.
func tight(tb testing.TB, ctx context.Context, header, script string) ([]byte, error) {
	tb.Helper()
	sh := newShell(tb)
	sh.FS.MaxWritten = 1 << 20
	sh.Limits = shell.Limits{Steps: 20_000, Output: 32 << 20}
	return sh.Run(ctx, shell.Script{Name: "script", Text: header + "\ncd /work; exec 2>/dev/null\n" + script, Env: environment})
}

// fault reports an error that is no script's doing.
func fault(err error) bool { return err != nil && strings.Contains(err.Error(), "a fault of hardpan") }

func TestHostile(t *testing.T) {
	for header, list := range map[string][]struct{ name, script, want string }{"#!/bin/sh": hostile, "#!/bin/bash": hostileBash} {
		for _, tt := range list {
			t.Run(tt.name, func(t *testing.T) {
				_, err := tight(t, t.Context(), header, tt.script)
				_, limit := errors.AsType[*shell.LimitError](err)
				_, written := errors.AsType[*rootfs.LimitError](err)
				_, unsupported := errors.AsType[*shell.UnsupportedError](err)
				switch {
				case fault(err):
					t.Error(err)
				case tt.want == "" && (limit || written):
					t.Errorf("%s: %v, want no limit", tt.script, err)
				case tt.want != "" && (!limit && !written && !unsupported || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("%s: %v, want %q", tt.script, err, tt.want)
				}
			})
		}
	}
}

// Texts that nest end with an error or without one, and take no stack that matters.
func TestDeep(t *testing.T) {
	for name, script := range deep() {
		t.Run(name, func(t *testing.T) {
			for _, header := range []string{"#!/bin/sh", "#!/bin/bash"} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				done := make(chan error)
				go func() { // whose stack is new
					_, err := tight(t, t.Context(), header, script)
					runtime.ReadMemStats(&after)
					done <- err
				}()
				if err := <-done; fault(err) {
					t.Error(err)
				}
				if grown := int64(after.StackSys) - int64(before.StackSys); grown > 128<<20 {
					t.Errorf("%d MB of stack", grown>>20)
				}
			}
		})
	}
}

// A context that is cancelled ends a script soon, wherever it is.
func TestCancel(t *testing.T) {
	long := map[string]string{
		"loop":     `while :; do :; done`,
		"calls":    `f() { for i in 1 2 3 4 5 6 7 8 9; do eval "g $1"; done; }; g() { (: $1); }; while :; do f; done`,
		"words":    `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do x=$x$x; done; while :; do y=$x; y="$x$x"; done`,
		"fields":   `x='a '; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do x=$x$x; done; while :; do set -- $x; done`,
		"patterns": `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; while :; do case $x in *a*a*a*a*a*b) ;; esac; done`,
		"trims":    `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; while :; do y=${x##*a*a*b}; done`,
		"files":    `x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; echo $x >f; while :; do cat f >g; read y <g; done`,
		"globs":    `i=0; while [ $i -lt 2000 ]; do i=$((i+1)); >f$i; done; while :; do echo * >/dev/null; done`,
		"printf":   `x='a '; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; while :; do printf '%s\n' $x >/dev/null; done`,
	}
	for name, script := range long {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			timer := time.AfterFunc(100*time.Millisecond, cancel)
			defer timer.Stop()
			sh := newShell(t)
			sh.Limits = shell.Limits{Steps: 1 << 40, Output: 1 << 40}
			started := time.Now()
			_, err := sh.Run(ctx, shell.Script{Name: "script", Text: "cd /work\n" + script, Env: environment})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want %v", err, context.Canceled)
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("took %v after being cancelled", took)
			} else if testing.Verbose() {
				t.Logf("ended %v after being cancelled", took-100*time.Millisecond)
			}
		})
	}
}

// No script leaves anything running.
func TestGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, script := range []string{`: & (: &) | cat; x=$(: &); exit 3`, `while :; do :; done`, `f() { f | f; }; f`, `exec 3>f; cat <f & alias x=y`} {
		_, _ = tight(t, t.Context(), "#!/bin/sh", script) // which may fail
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, before there were %d", after, before)
	}
}

// Whatever a script opens is in the tree when it has ended, however it did.
func TestFilesOfAnEnd(t *testing.T) {
	for _, script := range []string{
		`exec 3>f; echo text >&3`, `exec 3>f; echo text >&3; exit 1`, `exec >f; echo text; alias x=y`, `exec >f; echo text; while :; do :; done`,
		`{ echo text; exit 3; } >f`, `(exec >f; echo text)`, `exec 3>f 4>&3; exec 3>&-; echo text >&4`, `f() { exec 5>f; }; f; echo text >&5`,
	} {
		sh := newShell(t)
		sh.Limits.Steps = 1000
		_, _ = sh.Run(t.Context(), shell.Script{Name: "script", Text: "cd /work\n" + script, Env: environment}) // which may fail
		n := sh.FS.Tree.Lookup("work/f")
		if n == nil || n.Size != 5 {
			t.Errorf("%s: left %s", script, fmt.Sprintf("%+v", n))
		}
	}
}
