package shell_test

import (
	"testing"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// What is written shows the command that wrote it: a redirection's file that of the
// redirection, whatever ran before or runs within.
func TestOrigins(t *testing.T) {
	tests := []struct{ script, path, want string }{
		{`cat </dev/null; echo 'a b' >/etc/x`, "etc/x", "echo 'a b' > /etc/x"},
		{`mkdir /d; cat >/etc/x <<E` + "\ntext\nE\n", "etc/x", "cat > /etc/x"},
		{`echo a >>/etc/x; mkdir /d`, "etc/x", "echo a > /etc/x"},
		{`{ echo a; mkdir /d; echo b; } >/etc/x; mkdir /e`, "etc/x", "{...} > /etc/x"},
		{`for i in 1 2; do echo $i; mkdir /d; done >/etc/x`, "etc/x", "for... > /etc/x"},
		{`while read l; do mkdir /d; echo $l; done </etc/passwd >/etc/x`, "etc/x", "while... > /etc/x"},
		{`if true; then mkdir /d; fi >/etc/x`, "etc/x", "if... > /etc/x"},
		{`(mkdir /d; echo a) >/etc/x`, "etc/x", "(...) > /etc/x"},
		{`case a in a) mkdir /d; echo a;; esac >/etc/x`, "etc/x", "case... > /etc/x"},
		{`f() { mkdir /d; echo a; }; f b >/etc/x`, "etc/x", "f b > /etc/x"},
		{`mkdir /d; >/etc/x`, "etc/x", "> /etc/x"},
		{`x=$(mkdir /d) >/etc/x`, "etc/x", "> /etc/x"},
		{`exec 3>/etc/x; mkdir /d; echo a >&3`, "etc/x", "exec > /etc/x"},
		{`echo a >/etc/x; /bin/mkdir /d; cat /etc/x >/dev/null`, "d", "mkdir /d"},
		{`{ mkdir /d; } >/etc/x`, "d", "mkdir /d"},
		{`{ mkdir /d; } >/etc/x; ln -s a /l`, "l", "ln -s a /l"},
		{`echo a | { cat >/etc/x; mkdir /d; }`, "etc/x", "cat > /etc/x"},
		{"cat >/etc/x <<E\n$(mkdir /d)\nE\n", "etc/x", "cat > /etc/x"},
		{`echo a >/etc/x; echo b >>/etc/x`, "etc/x", "echo b > /etc/x"},
		{`name='/etc/x y'; printf '%s\n' "a$name" >"$name"`, "etc/x y", `printf '%s\n' 'a/etc/x y' > '/etc/x y'`},
	}
	for _, tt := range tests {
		sh := newShell(t)
		if _, err := sh.Run(t.Context(), shell.Script{Name: "postinst", Text: tt.script, Env: environment}); err != nil {
			t.Errorf("%s: %v", tt.script, err)
			continue
		}
		n := sh.FS.Tree.Lookup(tt.path)
		if n == nil || n.Origin == nil || n.Origin.Command != tt.want {
			t.Errorf("%s\n/%s: %+v, want the command %q", tt.script, tt.path, n, tt.want)
		}
	}
}

// A file that is only opened for appending, and to which nothing is written, stays as
// it was.
func TestUntouched(t *testing.T) {
	sh := newShell(t)
	before := sh.FS.Tree.Lookup("etc/passwd")
	if _, err := sh.Run(t.Context(), shell.Script{Name: "postinst", Text: ": >>/etc/passwd; cat </etc/passwd", Env: environment}); err != nil {
		t.Fatal(err)
	}
	if after := sh.FS.Tree.Lookup("etc/passwd"); after != before {
		t.Errorf("/etc/passwd is %+v, was %+v", after, before)
	}
}
