package script_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/script"
	"github.com/hardpan/hardpan/internal/tree"
)

func TestCalls(t *testing.T) {
	tr := tree.New(&tree.Origin{}, 0)
	for _, p := range []string{"usr/bin/tool", "etc/here"} {
		if err := tr.WriteFile(p, []byte("x"), 0o755, &tree.Origin{}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, text, want string }{
		{"variables and loops fold", `base=/usr; for i in a b; do run $base/$i "${i%a}"; done`, "run /usr/a ; run /usr/b b"},
		{"only the branch of a fresh installation", `if [ "$1" = configure ] && [ -z "$2" ]; then fresh; else old; fi; case "$1" in configure|x) conf;; *) other;; esac`, "fresh; conf"},
		{"files of the image decide", `[ -e /etc/here ] && yes; test ! -f /etc/none || no; if command -v tool >/dev/null; then tool; fi; if [ -x "$(command -v absent)" ]; then absent; fi`, "yes; tool"},
		{"functions have their own parameters", `f() { run "$1" $#; }; f x y; run $1`, "run x 2; run configure"},
		{"what cannot be known is marked", `x=$(frob); run $x; if frob; then maybe; fi`, "frob; run ?; frob; maybe ~"},
		{"branches that leave a variable open", `if frob; then v=1; else v=2; fi; run $v`, "frob; run ?"},
		{"nothing runs after exit", `if frob; then exit 0; fi; run; exit 0; never`, "frob; run"},
		{"files are written", `cat > /etc/x <<EOF` + "\nhello\nEOF\n" + `: > /etc/y 2>/dev/null`, "> /etc/x <hello>; cat; > /etc/y"},
		{"a pipe of cut", `for p in a:b; do ln -s $(echo $p | cut -d: -f2) x; done`, "ln -s b x"},
		{"versions of a fresh installation", `if dpkg --compare-versions "$2" lt-nl 1; then old; fi; if dpkg --compare-versions "$2" lt 1; then new; fi`,
			"dpkg --compare-versions  lt-nl 1; dpkg --compare-versions  lt 1; new"},
		{"a file that the script itself may have made", `touch /etc/made; [ -e /etc/made ] && after`, "touch /etc/made; after ~"},
		{"globs see the image", `for f in /usr/bin/*; do run $f; done`, "run /usr/bin/tool"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls, err := script.Calls("postinst", "#!/bin/sh\n"+tt.text+"\n", script.Context{Args: []string{"configure", ""}, Tree: tr})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range calls {
				s := c.String()
				if !c.Known {
					s = strings.TrimSuffix(s, " ") + " ?"
				}
				if !c.Certain {
					s += " ~"
				}
				if c.Input != "" {
					s += fmt.Sprintf(" <%s>", strings.TrimSpace(c.Input))
				}
				got = append(got, s)
			}
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("calls %s\nwant  %s", strings.Join(got, "; "), tt.want)
			}
		})
	}
}

func TestEndlessScriptsEnd(t *testing.T) {
	deep := "f() { f; }; f"
	wide := "a='1 2 3 4 5 6 7 8 9 0'\n" + strings.Repeat("for i in $a; do ", 9) + "x" + strings.Repeat("; done", 9)
	for _, text := range []string{deep, wide} {
		if _, err := script.Calls("postinst", text, script.Context{}); err == nil {
			t.Errorf("%.40s: no error, expected one", text)
		}
	}
}

func TestHugeValuesAreUnknown(t *testing.T) {
	text := "a=0123456789\n" + strings.Repeat("a=$a$a\n", 100) + "run $a; run {1..1000000000}\n"
	calls, err := script.Calls("postinst", text, script.Context{})
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != 2 || calls[0].Known || calls[1].Known {
		t.Errorf("calls %v, expected two whose arguments are unknown", calls)
	}
}

func FuzzCalls(f *testing.F) {
	for _, s := range []string{
		"#!/bin/sh\nfor i in a b; do update-alternatives --install /usr/bin/$i $i /x/$i 5; done\n",
		"case \"$1\" in configure) set -- a; while shift; do x $1; done;; esac\n",
		"x=${y:-$(z)}; [ -e /x -a ! -d /y ] || { cat >/z <<-E\n\ta\nE\n}\n",
	} {
		f.Add(s)
	}
	tr := tree.New(&tree.Origin{}, 0)
	f.Fuzz(func(t *testing.T, text string) {
		calls, err := script.Calls("postinst", text, script.Context{Args: []string{"configure", ""}, Tree: tr})
		for _, c := range calls {
			if err == nil && len(c.Args) == 0 {
				t.Errorf("%q: a call without a name", text)
			}
		}
	})
}
