package generate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
)

// TestPostgreSQLDictionaries has what pg_updatedicts of postgresql-common 278 makes.
func TestPostgreSQLDictionaries(t *testing.T) {
	if out, _ := run(t, map[string]string{"etc/postgresql/README": "", "usr/lib/postgresql/17/bin/postgres*": ""}, "pg_lsclusters -h; echo $?"); out != "0\n" {
		t.Errorf("pg_lsclusters without any prints %q", out)
	}
	if refusal(t, map[string]string{"etc/postgresql/17/main/postgresql.conf": ""}, "pg_lsclusters -h") == nil {
		t.Error("pg_lsclusters is not refused where there is one")
	}
	out, tr := run(t, map[string]string{
		"usr/share/hunspell/en_US.aff": "# c\nSET UTF-8\r\nX é\n", "usr/share/hunspell/en_US.dic": "1\nword\n", "usr/share/hunspell/en_GB.aff": "-> en_US.aff",
		"usr/share/hunspell/none.aff": "SET UTF-8\n", "usr/share/hunspell/silent.aff": "X\n", "usr/share/hunspell/silent.dic": "1\n",
		"usr/share/myspell/dicts/de.aff": "SET ISO8859-1\n\xe4\n", "usr/share/myspell/dicts/de.dic": "\xfc\n",
		"usr/lib/postgresql/17/bin/postgres*": "\x7fELF", "usr/share/postgresql/17/tsearch_data/de.affix": "the administrator's",
		"usr/share/postgresql/17/tsearch_data/old.dict": "-> /x", "usr/share/postgresql/16/tsearch_data/x": "", "var/cache/postgresql/dicts/old.dict": "",
	}, "pg_updatedicts\n")
	want := `Building PostgreSQL dictionaries from installed myspell/hunspell packages...
  en_us
  de
Removing obsolete dictionary files:
  /var/cache/postgresql/dicts/old.dict
  /usr/share/postgresql/17/tsearch_data/old.dict
`
	if out != want {
		t.Errorf("prints %q, want %q", out, want)
	}
	var left []string
	for n := range tr.All() {
		if strings.HasPrefix(n.Path, "var/cache/postgresql/dicts/") || strings.Contains(n.Path, "tsearch_data/") {
			text := "-> " + n.Link
			if n.Type == tree.File {
				b, err := tr.ReadFile(n.Path)
				if err != nil {
					t.Fatal(err)
				}
				text = string(b)
			}
			left = append(left, fmt.Sprintf("%s %q", n.Path, text))
		}
	}
	slices.Sort(left)
	if got, want := strings.Join(left, "\n"), `usr/share/postgresql/16/tsearch_data/x ""
usr/share/postgresql/17/tsearch_data/de.affix "the administrator's"
usr/share/postgresql/17/tsearch_data/en_us.affix "-> /var/cache/postgresql/dicts/en_us.affix"
usr/share/postgresql/17/tsearch_data/en_us.dict "-> /var/cache/postgresql/dicts/en_us.dict"
var/cache/postgresql/dicts/de.affix "SET ISO8859-1\nä\n"
var/cache/postgresql/dicts/de.dict "ü\n"
var/cache/postgresql/dicts/en_us.affix "# c\nSET UTF-8\r\nX é\n"
var/cache/postgresql/dicts/en_us.dict "1\nword\n"`; got != want {
		t.Errorf("leaves\n%s\nwant\n%s", got, want)
	}
}

// TestGraphviz has the list of plugins that libgvc6-config-update makes.
func TestGraphviz(t *testing.T) {
	const dir = "usr/lib/aarch64-linux-gnu/graphviz/"
	_, tr := run(t, map[string]string{dir + "libgvplugin_xlib.so.6": "", dir + "libgvplugin_dot_layout.so.6": "", dir + "libgvplugin_xlib.so.6.0.0": ""}, "libgvc6-config-update -c\n")
	b, err := tr.ReadFile(dir + "config6a")
	if err != nil {
		t.Fatal(err)
	}
	const want = "# Manual edits to this file **will be lost** on upgrade.\n\nlibgvplugin_dot_layout.so.6 dot_layout {\n\tlayout {\n\t\tdot 0\n\t}\n}\n" +
		"libgvplugin_xlib.so.6 xlib {\n\tdevice {\n\t\txlib:cairo 0\n\t\tx11:cairo 0\n\t}\n}\n"
	if !strings.HasSuffix(string(b), want) {
		t.Errorf("has %q, want it to end in %q", b, want)
	}
	if refusal(t, map[string]string{dir + "libgvplugin_other.so.6": ""}, "libgvc6-config-update -c\n") == nil {
		t.Error("a plugin that is not known is not refused")
	}
}
