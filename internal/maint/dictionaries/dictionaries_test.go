package dictionaries_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/debconf"
	"github.com/hardpan/hardpan/internal/maint/dictionaries"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// image is a tree of files, where a content "-> x" is a link, with what runs in it.
type image struct {
	tree     *tree.Tree
	shell    *shell.Shell
	triggers []string
}

func newImage(t *testing.T, files map[string]string, packages ...debconf.Package) *image {
	t.Helper()
	img := &image{tree: tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)}
	for name, text := range files {
		err := img.tree.WriteFile(name, []byte(text), 0o644, nil)
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			img.tree.Remove(name)
			err = img.tree.Symlink(name, to, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"etc/dictionaries-common", "var/cache/dictionaries-common", "usr/share/dict", "usr/lib/ispell"} {
		if err := rootfs.New(img.tree, 0).MkdirAll("/"+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d := debconf.New()
	d.Perl = func(p *shell.Proc, script string) (bool, error) { return dictionaries.Config(p, d.Ask, script) }
	for _, p := range packages {
		if err := d.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	commands := d.Commands()
	for name, do := range dictionaries.Commands(d.Ask) {
		commands[name] = do
	}
	commands["dpkg-trigger"] = func(_ context.Context, p *shell.Proc) (int, error) {
		img.triggers = append(img.triggers, strings.Join(p.Args[1:], " "))
		return 0, nil
	}
	img.shell = &shell.Shell{
		FS: rootfs.New(img.tree, 0), Commands: commands, Sourced: debconf.Sourced(),
		Phantom: func(name string) bool {
			return strings.HasPrefix(name, "/usr/share/debconf/") || strings.HasPrefix(name, "/usr/bin/") || strings.HasPrefix(name, "/usr/sbin/")
		},
	}
	return img
}

func (img *image) run(t *testing.T, pkg, text string) error {
	t.Helper()
	_, err := img.shell.Run(t.Context(), shell.Script{
		Name: "postinst", Text: text, Args: []string{"configure", ""},
		Env: []string{"DPKG_MAINTSCRIPT_PACKAGE=" + pkg, "DPKG_MAINTSCRIPT_NAME=postinst", "DPKG_RUNNING_VERSION=1.22", "LC_ALL=C.UTF-8"},
	})
	if e, ok := errors.AsType[*shell.Error](err); ok && e.Err == nil {
		t.Fatalf("%s: %v", text, err)
	}
	return err
}

// The files in testdata are those that perl makes with dictionaries-common 1.30.10.
func TestHunspell(t *testing.T) {
	img := newImage(t, map[string]string{
		"var/lib/dictionaries-common/hunspell/hunspell-en-us": "Language: English (American)\nHash-Name: en_US\nEmacsen-Name: english_american\nCoding-System: UTF-8\n",
		"var/lib/dictionaries-common/hunspell/b": "\nLANGUAGE: it's (a \\\\ test)\nHash-Name: xx\nOtherchars: [\"]\nEmpty:   \nIspell-Args: -C  -B\nEmacsen-Names: one, two\n" +
			"Many-Otherchars: yes\nhunspell-locales: xx, xx_YY\n\n\n\nLanguage: hidden\nHash-Name: hh\nEmacs-Display: no\nSquirrelmail: NO\nTwo:\n lines\n",
		"var/lib/dictionaries-common/hunspell/b~": "not read",
		"usr/share/hunspell/en_US.aff":            "SET UTF-8\n",
		"usr/share/hunspell/de_DE.aff":            "x\n  SET ISO8859-1\r\nWORDCHARS '-\nTRY ab\xe9\xfc\n",
		"usr/share/hunspell/de_LU.aff":            "-> de_DE.aff",
		"usr/share/hunspell/zz.aff":               "-> nothing",
		"usr/share/hunspell/xx.aff":               "SET UTF-8\n",
	})
	if err := img.run(t, "x", "update-dictcommon-hunspell"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hunspell.db", "emacsen-ispell-dicts.el", "sqspell.php"} {
		want, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := img.tree.ReadFile("var/cache/dictionaries-common/" + name); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

const commonTemplates = `Template: dictionaries-common/default-ispell
Type: select
Choices-C: ${choices}, Manual symlink setting
Choices: ${echoices}, Manual symlink setting
Description: System default ispell dictionary:

Template: dictionaries-common/default-wordlist
Type: select
Choices-C: ${choices}, Manual symlink setting
Choices: ${echoices}, Manual symlink setting
Description: System default wordlist:
`

// lists returns the packages of word lists, with the languages of each.
func lists(languages map[string]string) (packages []debconf.Package, files map[string]string) {
	files = map[string]string{
		"usr/share/dictionaries-common/dc-debconf-select.pl":        "",
		"usr/share/dictionaries-common/dc-debconf-default-value.pl": "",
	}
	packages = []debconf.Package{{
		Name: "dictionaries-common", Templates: commonTemplates,
		Config: "#!/usr/bin/perl -w\nsub dc_debconf_select (){\n}\n# dictionaries-common.config-footer:\n",
	}}
	for pkg, list := range languages {
		packages = append(packages, debconf.Package{
			Name: pkg, Templates: "Template: shared/packages-wordlist\nType: text\nDescription: x\n\nTemplate: " + pkg + "/languages\nType: text\nDefault: " + list + "\nDescription: x\n",
			Config: "#!/usr/bin/perl -w\nuse Debconf::Client::ConfModule q(:all);\n\nmy $class  = \"wordlist\";\nmy $script = \"/usr/share/dictionaries-common/dc-debconf-select.pl\";\n\n" +
				"if ( -e $script ){\n    require $script;\n    dc_debconf_select($class);\n}\n",
		})
		for l := range strings.SplitSeq(list, ", ") {
			files["usr/share/dict/"+l] = ""
			files["var/lib/dictionaries-common/wordlist/"+pkg] += "Language: " + l + "\nHash-Name: " + l + "\n\n"
		}
	}
	return packages, files
}

func TestWordlist(t *testing.T) {
	const own = ". /usr/share/debconf/confmodule\nupdate-default-wordlist --rebuild"
	for _, c := range []struct {
		languages map[string]string
		order     string // in which the packages are configured
		answer    string
		want      string // the default, and what /etc has
	}{
		{map[string]string{}, "", "", " -"},
		{map[string]string{"witalian": "italian"}, "witalian", "", "italian /usr/share/dict/italian"},
		{map[string]string{"wgerman-medical": "b, a"}, "wgerman-medical", "", "a /usr/share/dict/a"},
		{map[string]string{"wbritish-large": "british-large", "witalian": "italian"}, "witalian wbritish-large", "", "italian /usr/share/dict/italian"},
		{map[string]string{"wbritish-large": "british-large", "witalian": "italian"}, "wbritish-large witalian", "", "british-large /usr/share/dict/british-large"},
		{map[string]string{"wnorwegian": "nynorsk, bokmaal"}, "wnorwegian", "", "bokmaal /usr/share/dict/bokmaal"},
		{map[string]string{"wbritish": "british", "witalian": "italian"}, "witalian wbritish", "british", "italian /usr/share/dict/italian"}, // it was no choice at first
		{map[string]string{"witalian": "italian"}, "witalian", "Manual symlink setting", " -"},
	} {
		packages, files := lists(c.languages)
		if c.answer != "" {
			packages[0].Answers = map[string]string{"dictionaries-common/default-wordlist": c.answer}
		}
		img := newImage(t, files, packages...)
		must := func(err error) {
			if err != nil {
				t.Errorf("%v: %v", c, err)
			}
		}
		must(img.run(t, "dictionaries-common", ". /usr/share/debconf/confmodule\nupdate-default-wordlist"))
		for pkg := range strings.FieldsSeq(c.order) {
			must(img.run(t, pkg, own))
		}
		if want := strings.Repeat("--no-await update-default-wordlist\n", 1+len(c.languages)); strings.Join(img.triggers, "\n")+"\n" != want {
			t.Errorf("%v: triggers %q", c, img.triggers)
		}
		must(img.run(t, "dictionaries-common", ". /usr/share/debconf/confmodule\nupdate-default-wordlist --triggered"))
		value, _ := img.tree.ReadFile("var/cache/dictionaries-common/wordlist-default")
		link := "-"
		if n := img.tree.Lookup("etc/dictionaries-common/words"); n != nil {
			link = n.Link
		}
		if got := fmt.Sprintf("%s %s", value, link); got != c.want {
			t.Errorf("%v\ngot  %s", c, got)
		}
		n := img.tree.Lookup("usr/share/dict/words")
		if some := len(c.languages) > 0; (n != nil) != some || some && n.Link != "/etc/dictionaries-common/words" {
			t.Errorf("%v: /usr/share/dict/words is %v", c, n)
		}
		if img.tree.Lookup("var/cache/dictionaries-common/flag-wordlist-new") != nil {
			t.Errorf("%v: the flag is left", c)
		}
	}
}

// What takes running the checkers of the image is refused.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ file, text, script, want string }{
		{"var/lib/dictionaries-common/ispell/iamerican", "Language: american\nHash-Name: american\n", "update-default-ispell", "registering dictionaries of ispell"},
		{"var/lib/dictionaries-common/aspell/aspell-he", "Language: hebrew\nHash-Name: he\n", "update-dictcommon-aspell", "registering dictionaries of aspell"},
		{"var/lib/dictionaries-common/hunspell/x", "Language: x\n", "update-dictcommon-hunspell", "a record without Language or Hash-Name in /var/lib/dictionaries-common/hunspell/x"},
		{"x", "", "update-default-wordlist --frob", "update-default-wordlist: option --frob"},
	} {
		img := newImage(t, map[string]string{c.file: c.text})
		if err := img.run(t, "x", c.script); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.script, err, c.want)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add("Language: a\nHash-Name: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		img := newImage(t, map[string]string{"var/lib/dictionaries-common/wordlist/x": text})
		_ = img.run(t, "x", "update-default-wordlist")
	})
}
