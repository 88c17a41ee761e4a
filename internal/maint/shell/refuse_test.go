package shell_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// What cannot be done as the true shell does it ends the scripts, and is never done
// otherwise.
func TestUnsupported(t *testing.T) {
	tests := []struct{ header, script, want string }{
		{"#!/bin/sh", `x=(1 2)`, "arrays and += in a script for sh"},
		{"#!/bin/sh", `cat <(echo a)`, "process substitution"},
		{"#!/bin/sh", `cat <<<a`, "<<< in a script for sh"},
		{"#!/bin/sh", `function f { :; }`, "the word function in a script for sh"},
		{"#!/bin/sh", "alias ll=ls; alias ll", "alias ll"},
		{"#!/bin/sh", "alias ll='ls >f'\nll", "the alias ll, which stands for more or less than a command,"},
		{"#!/bin/sh", "alias ll='ls '\nll", "the alias ll, which stands for more or less than a command,"},
		{"#!/bin/sh", "alias ll='ls; ls'\nll", "the alias ll, which stands for more or less than a command,"},
		{"#!/bin/sh", "alias ll=ls\nll() { :; }", "a function with the name of the alias ll"},
		{"#!/bin/sh", "alias ll=ls\ncommand -v ll", "telling what the alias ll is"},
		{"#!/bin/sh", `kill $$`, "kill 2"},
		{"#!/bin/sh", `set -n`, "set -n"},
		{"#!/bin/sh", `exec -a x true`, "exec -a"},
		{"#!/bin/sh", `cat </dev/random`, "reading /dev/random, which is the running machine's,"},
		{"#!/bin/sh", `read x </proc/self/status`, "reading /proc/self/status, which is the running machine's,"},
		{"#!/bin/sh", `ln -s /proc/mounts m; cat <m`, "reading /work/m, which is the running machine's,"},
		{"#!/bin/sh", `cd /; cat proc/../proc/cpuinfo || true`, "reading /proc/../proc/cpuinfo, which is the running machine's,"},
		{"#!/bin/sh", `echo 1 >/proc/sys/x || true`, "writing /proc/sys/x, which is the running machine's,"},
		{"#!/bin/sh", `exec 3<>f`, "<> f"},
		{"#!/bin/sh", `eval 'echo a
if' || true`, "text of eval that is no script"},
		{"#!/bin/sh", "echo 'if' >f; . ./f || true", "./f, which is no script"},
		{"#!/bin/sh", `set -- a; x=b; echo "$@"$x`, "an unquoted expansion right after \"$@\""},
		{"#!/bin/sh", `set -- a; echo ${@#a}`, "${@#...}"},
		{"#!/bin/sh", `(: &) | cat; x=$(jobs); : & jobs`, "jobs"},
		{"#!/bin/sh", `echo "${x-'$y'}"`, "quotes and expansions in the braces"},
		{"#!/bin/sh", `sh -o pipefail -c :`, "sh -o"},
		{"#!/bin/sh", `printf %f inf`, "printf: the number inf"},
		{"#!/bin/sh", `echo 300 3000>f`, "the file descriptor 3000"},
		{"#!/bin/bash", `x=([5]=a)`, "an array with indexes"},
		{"#!/bin/bash", `x[5]=a`, "an array with gaps"},
		{"#!/bin/bash", `declare -A x`, "declare -A"},
		{"#!/bin/bash", `declare -A x=([a]=b)`, "an array with indexes"},
		{"#!/bin/bash", `declare -i x=1`, "declare -i"},
		{"#!/bin/bash", `declare -n x=y`, "declare -n"},
		{"#!/bin/bash", `echo $RANDOM`, "the variable RANDOM"},
		{"#!/bin/bash", `echo $((RANDOM))`, "the variable RANDOM"},
		{"#!/bin/bash", `echo $SECONDS`, "the variable SECONDS"},
		{"#!/bin/bash", `true | false; echo ${PIPESTATUS[0]}`, "the variable PIPESTATUS"},
		{"#!/bin/bash", `f() { echo $FUNCNAME; }; f`, "the variable FUNCNAME"},
		{"#!/bin/bash", `mapfile -t x </dev/null`, "the command mapfile of bash"},
		{"#!/bin/bash", `while read x; do :; done < <(echo a)`, "process substitution"},
		{"#!/bin/bash", `coproc cat`, "this form of command"},
		{"#!/bin/bash", `select x in a b; do :; done`, "select"},
		{"#!/bin/bash", `time true`, "this form of command"},
		{"#!/bin/bash", `shopt -s globstar`, "shopt -s globstar"},
		{"#!/bin/bash", `shopt -s extglob; case a in @(a|b)) ;; esac`, "the pattern @(a|b)"},
		{"#!/bin/bash", `[[ a = @(a|b) ]]`, "the pattern @(a|b)"},
		{"#!/bin/bash", `trap : ERR`, "trap ERR"},
		{"#!/bin/bash", `readonly x=1; x=2; echo on`, "going on after \"x: is read only\""},
		{"#!/bin/bash", `echo $((1/0)); echo on`, "going on after \"an error of arithmetic\""},
		{"#!/bin/bash", `x=abc; echo ${x^^[a]}`, "a pattern after the operator ^^"},
		{"#!/bin/bash", `x=abc; echo ${x@U}`, "the operator @ in ${...}"},
		{"#!/bin/bash", `[[ a =~ (?i)A ]]`, "the regular expression (?i)A"},
		{"#!/bin/bash", `read -t 1 x`, "read -t"},
		{"#!/bin/bash", `printf '%(%Y)T'`, "printf %("},
		{"#!/bin/bash", `set -E`, ""},
		{"#!/bin/bash", `set -o posix`, "set -o posix"},
		{"#!/bin/bash", `x=1; echo $x{a,b}`, "$x before braces"},
		{"#!/usr/bin/python3", `print()`, "python3 code"},
		{"#!/usr/bin/perl -w", `1;`, "perl code"},
		{"\x7fELF", ``, "an ELF program code"},
	}
	for _, tt := range tests {
		_, err := newShell(t).Run(t.Context(), shell.Script{Name: "script", Text: tt.header + "\ncd /work; exec 2>/dev/null\n" + tt.script, Env: environment})
		bad, ok := errors.AsType[*shell.UnsupportedError](err)
		if tt.want == "" && err == nil {
			continue
		}
		if !ok || !strings.HasPrefix(bad.Need, tt.want) {
			t.Errorf("%s: %s: %v, want %q", tt.header, tt.script, err, tt.want)
		}
	}
}

// An error says where it was, and with which command.
func TestErrors(t *testing.T) {
	tests := []struct{ script, want string }{
		{"true\nfalse\n", "postinst:3: false: exit status 1"},
		{"set -e\nf() {\n  cat /nothing\n}\nif true; then\n  f\nfi\n", "postinst:4: cat /nothing: exit status 1"},
		{"set -e\nx=$(cat /nothing)\n", "postinst:3: command substitution: exit status 1"},
		{"exit 3\n", "postinst:2: exit 3: exit status 3"},
		{"cat /etc/shadow 2>/dev/null\nnothing a 'b c'\n", "postinst:3: nothing a 'b c': exit status 127"},
		{"echo ${x:?message}\n", "postinst:2: x: message: exit status 2"},
		{"mapfile() { set -n; }\nmapfile\n", "postinst:2: set -n: set -n is not supported"},
		{"if\n", "postinst: postinst:2:1: `if` must be followed by a statement list"},
		{"x=`set -n`\n", "postinst:2: set -n: set -n is not supported"},
		{"sh -c 'set -n' other\n", "postinst:2: sh -c 'set -n' other: other:1: set -n: set -n is not supported"},
	}
	for _, tt := range tests {
		_, err := newShell(t).Run(t.Context(), shell.Script{Name: "postinst", Text: "#!/bin/sh\n" + tt.script, Env: environment})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s%v\nwant %s", tt.script, err, tt.want)
		}
	}
}
