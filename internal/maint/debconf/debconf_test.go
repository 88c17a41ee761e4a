package debconf_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/debconf"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

const templates = `Template: pkg/yes
Type: boolean
Default: true
Description: Really?
 With an explanation
 of two lines.
   and one as it is
 .
 Then more.
Description-de.UTF-8: Wirklich?

Template: pkg/no
Type: boolean
Description: No default

Template: pkg/name
Type: string
Default: some  words
Description: A name for ${what} or \${that}

Template: pkg/color
Type: select
Choices: red, dark\, green, ${more}
Choices-de.UTF-8: rot, dunkel\, grün, ${more}
Default: blue
Description: Color

Template: pkg/many
Type: multiselect
Choices: a, b, c
Default: a, c
Description: Many

Template: pkg/secret
Type: password
Description: Secret

Template: pkg/wrong
Type: error
Default: x
Description: Something is wrong
`

const config = `#!/bin/sh
set -e
. /usr/share/debconf/confmodule
db_version 2.0
echo "config $1 [$2]" >&2
db_input high pkg/yes || true
db_input medium pkg/many || true
db_go
db_set pkg/secret "from config"
`

// lines are what a postinst does after it sourced confmodule; t prints the status
// and RET.
var lines = []string{
	`t db_get pkg/yes; t db_get pkg/no; t db_get pkg/name; t db_get pkg/many; t db_get pkg/nope`,
	`t db_get pkg/secret`,
	`t db_version 2.0; t db_version 1.0; t db_version 3.1; t db_version; t db_capb; t db_capb backup multiselect; t db_title x y; t db_settitle pkg/yes; t db_settitle nope`,
	`t db_set pkg/name "a   b  "; t db_get pkg/name; t db_reset pkg/name; t db_get pkg/name; t db_set pkg/name; t db_get pkg/name; t db_set nope 1; t db_set; t db_get; t db_get a b`,
	`t db_input high pkg/color; t db_get pkg/color; t db_go; t db_get pkg/color; t db_set pkg/color blue; t db_get pkg/color`,
	`t db_subst pkg/color more 'blue, pink'; t db_metaget pkg/color choices; t db_input high pkg/color; t db_go; t db_get pkg/color`,
	`t db_subst pkg/name what 'this  thing'; t db_metaget pkg/name description; t db_metaget pkg/yes extended_description; t db_metaget pkg/yes type; t db_metaget pkg/yes default; t db_metaget pkg/yes nope; t db_metaget nope type; t db_metaget pkg/color choices-c; t db_metaget pkg/yes owners; t db_metaget pkg/yes Description; t db_metaget pkg/yes value`,
	`t db_fget pkg/yes seen; t db_fset pkg/yes seen true; t db_fget pkg/yes seen; t db_fget pkg/yes isdefault; t db_fset pkg/yes isdefault true; t db_fget pkg/yes seen; t db_fget pkg/yes other; t db_fget nope seen; t db_fset pkg/yes seen`,
	`t db_input urgent pkg/yes; t db_input high nope; t db_input high; t db_go x; t db_text high pkg/no`,
	`t db_register pkg/name pkg/other; t db_get pkg/other; t db_set pkg/other 1; t db_get pkg/other; t db_get pkg/name; t db_unregister pkg/other; t db_get pkg/other; t db_register nope x; t db_unregister nope; t db_input high pkg/no; t db_unregister pkg/no; t db_clear; t db_unregister pkg/no; t db_get pkg/no`,
	`t db_beginblock; t db_endblock; t db_info; t db_info pkg/yes; t db_info nope; t db_progress START 0 10 pkg/yes; t db_progress STEP 1; t db_progress INFO pkg/yes; t db_progress INFO nope; t db_progress STOP; t db_progress WAIT; t db_progress SET`,
	`t db_data pkg/new description x; t db_data pkg/new type string; t db_data pkg/new type string`,
	`db_capb escape; t db_set pkg/name 'a\\b\nc\ \ d'; t db_get pkg/name; t db_metaget pkg/yes extended_description; t db_get pkg/yes`,
	`t _db_cmd GET pkg/yes; t _db_cmd "GET pkg/yes"; t _db_cmd FROB; t _db_cmd EXIST pkg/yes; t _db_cmd VISIBLE high pkg/yes`,
	`t db_purge; t db_get pkg/yes; t db_x_loadtemplatefile /nope/x; t db_beginblock`,
	`unset IFS; db_get pkg/yes; for w in $(echo a b); do echo "<$w>" >&2; done; IFS=:; db_get pkg/yes; echo "$IFS" >&2`,
	`f() { local RET; db_get pkg/yes; echo "in $RET" >&2; }; RET=old; f; echo "out $RET" >&2; x=$(db_get pkg/yes; echo "$RET" >&2); echo to stderr; db_stop; echo end >&2`,
}

const header = `#!/bin/sh
. /usr/share/debconf/confmodule
t() { "$@"; echo "$? [$RET]" >&2; }
`

func run(t *testing.T, pkg debconf.Package, files map[string]string, script string) string {
	t.Helper()
	d := debconf.New()
	if err := d.Add(pkg); err != nil {
		t.Fatal(err)
	}
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	for name, text := range files {
		if err := tr.WriteFile(name, []byte(text), 0o644, nil); err != nil {
			t.Fatal(err)
		}
	}
	commands := d.Commands()
	commands["cat"] = func(_ context.Context, p *shell.Proc) (int, error) {
		_, err := io.Copy(p.Stdout, p.Stdin)
		return 0, err
	}
	sh := &shell.Shell{
		FS: rootfs.New(tr, 0), Commands: commands, Sourced: debconf.Sourced(),
		Phantom: func(name string) bool {
			return strings.HasPrefix(name, "/usr/share/debconf/") || strings.HasPrefix(name, "/usr/bin/")
		},
	}
	out, err := sh.Run(t.Context(), shell.Script{
		Name: "postinst", Text: script, Args: []string{"configure", ""},
		Env: []string{"PATH=/usr/bin:/bin", "DPKG_MAINTSCRIPT_PACKAGE=pkg", "DPKG_MAINTSCRIPT_NAME=postinst"},
	})
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return string(out)
}

// As a script under the real debconf does.
func TestRealConfmodule(t *testing.T) {
	if _, err := os.Stat("/usr/share/debconf/frontend"); err != nil {
		t.Skip("SKIPPED: no debconf on this host: nothing to compare with")
	}
	for _, line := range lines {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"pkg.templates": templates, "pkg.config": config, "pkg.postinst": header + line + "\nexit 0\n",
			"debconf.conf": strings.ReplaceAll("Config: config\nTemplates: templates\n\nName: config\nDriver: File\nFilename: DIR/config.dat\n\nName: templates\nDriver: File\nFilename: DIR/templates.dat\n", "DIR", dir),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(filepath.Join(dir, "pkg.postinst"), "configure", "")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DEBCONF_SYSTEMRC=" + filepath.Join(dir, "debconf.conf"), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "HOME=/nonexistent"}
		var theirs strings.Builder
		cmd.Stdout, cmd.Stderr = &theirs, &theirs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, theirs.String())
		}
		ours := run(t, debconf.Package{Name: "pkg", Templates: templates, Config: config}, nil, header+line+"\nexit 0\n")
		if ours != theirs.String() {
			t.Errorf("%s\ngot\n%s\ndebconf has\n%s", line, ours, theirs.String())
		}
	}
}

// A config script that is perl code runs where somebody knows it.
func TestPerl(t *testing.T) {
	pkg := debconf.Package{Name: "pkg", Templates: templates, Config: "#!/usr/bin/perl -w\nuse Debconf::Client::ConfModule q(:all);\n"}
	for _, known := range []bool{true, false} {
		d := debconf.New()
		if err := d.Add(pkg); err != nil {
			t.Fatal(err)
		}
		answers := ""
		d.Perl = func(p *shell.Proc, script string) (bool, error) {
			for _, words := range [][]string{{"set", "pkg/name", "a  b"}, {"get", "pkg/name"}, {"get", "pkg/none"}, {"capb"}} {
				code, text := d.Ask(p, words...)
				answers += fmt.Sprintln(code, text)
			}
			return known && script == pkg.Config, nil
		}
		sh := &shell.Shell{
			FS: rootfs.New(tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0), 0), Commands: d.Commands(), Sourced: debconf.Sourced(),
			Phantom: func(name string) bool { return strings.HasPrefix(name, "/usr/share/debconf/") },
		}
		_, err := sh.Run(t.Context(), shell.Script{Name: "postinst", Text: ". /usr/share/debconf/confmodule", Env: []string{"DPKG_MAINTSCRIPT_PACKAGE=pkg", "DPKG_MAINTSCRIPT_NAME=postinst"}})
		if !known && (err == nil || !strings.Contains(err.Error(), "a config script of debconf in perl is not supported")) || known && err != nil {
			t.Errorf("known %v: error %v", known, err)
		}
		if want := "0 value set\n0 a b\n10 pkg/none doesn't exist\n0 multiselect escape \n"; answers != want {
			t.Errorf("answers\n%s\nwant\n%s", answers, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	pkg := debconf.Package{Name: "pkg", Templates: templates, Answers: map[string]string{"pkg/yes": "false", "pkg/name": "preseeded", "pkg/color": "red"}}
	got := run(t, pkg, nil, header+`t db_get pkg/yes; t db_get pkg/name; t db_fget pkg/yes seen; db_input high pkg/color; db_input low pkg/wrong; db_go; t db_get pkg/color; t db_get pkg/wrong; debconf-show pkg >&2`)
	want := "0 [false]\n0 [preseeded]\n0 [true]\n0 [red]\n0 []\n* pkg/color: red\n  pkg/many: a, c\n* pkg/name: preseeded\n  pkg/no:\n  pkg/secret: (password omitted)\n  pkg/wrong:\n* pkg/yes: false\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrograms(t *testing.T) {
	got := run(t, debconf.Package{Name: "pkg"}, map[string]string{"t/x.templates": templates}, `
debconf-loadtemplate other /t/x.templates
printf 'other pkg/name string  two words\nother pkg/yes boolean false\n# comment\nother pkg/yes seen false\nbad line\n' | debconf-set-selections 2>/dev/null; echo $?
printf 'get pkg/name\nget nope\nset pkg/no true\n' | debconf-communicate other; echo $?
debconf-show other
printf 'a\\b\nc\n' | debconf-escape -e; echo; printf 'a\\nb' | debconf-escape -u; echo`)
	want := `1
0  two words
10 nope doesn't exist
0 value set
0
  pkg/color: blue
  pkg/many: a, c
* pkg/name:  two words
  pkg/no: true
  pkg/secret: (password omitted)
  pkg/wrong: x
  pkg/yes: false
a\\b\nc\n
a
b
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAddRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"Type: string\n": "templates of p: template #1 has no Template line",
		"Template: a\n":  "templates of p: template a has no type",
		"Template: a\nType: string\nType: select\n": `templates of p: template #1: duplicate field "type"`,
		"Template: a\nType: string\n\nnonsense\n":   `templates of p: template #2: cannot read "nonsense"`,
	} {
		if err := debconf.New().Add(debconf.Package{Name: "p", Templates: text}); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}

func FuzzTemplates(f *testing.F) {
	f.Add(templates)
	f.Add("Template: a\nType: select\nChoices: a\\, b,  c\n .\n  x\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_ = debconf.New().Add(debconf.Package{Name: "p", Templates: text}) // must not fall over
	})
}
