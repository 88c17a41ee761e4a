package maint_test

import (
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// pkg is a package in few words: its control files, and the files that it ships
// with their text.
type pkg struct {
	name    string
	depends string
	scripts map[string]string
	control map[string]string // "triggers", "templates", and fields of the control file
	files   map[string]string
}

const imageTime = 1754697600

// image returns the image of some packages, with nothing in its tree but /etc and
// /usr.
func image(packages []pkg) *maint.Image {
	img := &maint.Image{Tree: tree.New(&tree.Origin{Kind: tree.FromBuilder, Command: "base"}, imageTime), Architecture: "amd64", Time: imageTime}
	for _, dir := range []string{"etc", "usr", "var", "tmp"} {
		_ = img.Tree.Mkdir(dir, 0o755, &tree.Origin{Kind: tree.FromBuilder, Command: "base"})
	}
	for _, p := range packages {
		control := "Package: " + p.name + "\nVersion: 1.0\nArchitecture: amd64\n"
		for _, field := range []string{"Essential"} {
			if v := p.control[field]; v != "" {
				control += field + ": " + v + "\n"
			}
		}
		if p.depends != "" {
			control += "Depends: " + p.depends + "\n"
		}
		img.Packages = append(img.Packages, maint.Package{
			Name: p.name, Version: "1.0", Architecture: "amd64", SHA256: strings.Repeat("0", 64), Control: control,
			Scripts: p.scripts, Triggers: p.control["triggers"], Templates: p.control["templates"],
			Conffiles: conffiles(p),
			Files: func() []string {
				var names []string
				for name := range p.files {
					names = append(names, "/"+name)
				}
				return names
			},
		})
	}
	return img
}

func conffiles(p pkg) map[string]string {
	name := p.control["conffiles"]
	if name == "" {
		return nil
	}
	return map[string]string{"/" + name: fmt.Sprintf("%x", md5.Sum([]byte(p.files[name])))}
}

// installer is what [maint.Installation] and [maint.Replay] have in common.
type installer interface {
	Preinst(ctx context.Context, i int) error
	Unpacked(i int)
	Diverted(pkg, path string) string
	Configure(ctx context.Context, batch maint.Batch) error
	Report() *maint.Report
}

// install does what the builder does around the scripts.
func install(ctx context.Context, in installer, img *maint.Image, packages []pkg) error {
	for _, batch := range img.Batches() {
		for _, i := range batch.Packages {
			if err := in.Preinst(ctx, i); err != nil {
				return err
			}
			origin := &tree.Origin{Kind: tree.FromPackage, Package: packages[i].name, Version: "1.0"}
			for name, text := range packages[i].files {
				if err := img.Tree.WriteFile(in.Diverted(packages[i].name, name), []byte(text), 0o644, origin); err != nil {
					return err
				}
			}
			in.Unpacked(i)
		}
		if err := in.Configure(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// listing shows the tree below the directories that image makes, one path a line,
// files with their text.
func listing(t *tree.Tree) string {
	var b strings.Builder
	for n := range t.All() {
		if n.Origin.Command == "base" || strings.HasPrefix(n.Path, "var/lib/dpkg") {
			continue
		}
		what := map[tree.Type]string{tree.Dir: "/", tree.Symlink: " -> " + n.Link}[n.Type]
		if n.Type == tree.File {
			text, _ := t.ReadFile(n.Path)
			what = fmt.Sprintf(" %q", text)
		}
		fmt.Fprintf(&b, "%04o %s%s: %s\n", n.Mode, n.Path, what, cmp.Or(n.Origin.Script, string(n.Origin.Kind))+" "+n.Origin.Package)
	}
	return b.String()
}

func script(name, text string) map[string]string {
	return map[string]string{name: "#!/bin/sh\nset -e\n" + text + "\n"}
}

func TestInstall(t *testing.T) {
	for _, tt := range []struct {
		name     string
		packages []pkg
		want     string
	}{
		{
			name: "preinst runs before the files, postinst after, with dpkg's arguments",
			packages: []pkg{{
				name: "a", files: map[string]string{"etc/a.conf": "a\n"},
				scripts: map[string]string{
					"preinst":  "#!/bin/sh\n[ ! -e /etc/a.conf ] && echo \"$1:$#\" > /etc/before\n",
					"postinst": "#!/bin/sh\n[ -e /etc/a.conf ] && echo \"$1:$2:$#:$DPKG_MAINTSCRIPT_PACKAGE:$DPKG_MAINTSCRIPT_NAME\" > /etc/after\n",
				},
			}},
			want: `0644 etc/a.conf "a\n": package a
0644 etc/after "configure::2:a:postinst\n": postinst a
0644 etc/before "install:1\n": preinst a
`,
		},
		{
			name: "a script knows itself by the path that dpkg runs it from",
			packages: []pkg{{
				name: "a", control: map[string]string{"templates": "Template: a/q\nType: string\n"},
				scripts: map[string]string{
					"preinst":  "#!/bin/sh\necho \"$0\" > /etc/0\n",
					"config":   "#!/bin/sh\necho \"$0\" >> /etc/0\n",
					"postinst": "#!/bin/sh\n. /usr/share/debconf/confmodule\necho \"$0\" >> /etc/0\n",
				},
			}},
			want: `0644 etc/0 "/var/lib/dpkg/tmp.ci/preinst\n/var/lib/dpkg/info/a.config\n/var/lib/dpkg/info/a.postinst\n": postinst a
`,
		},
		{
			name: "programs of essential packages count as being there, unless they were and have been removed",
			packages: []pkg{{name: "a", files: map[string]string{"usr/bin/sed": "x"}, scripts: script("postinst",
				`for f in /usr/bin/sed /usr/bin/grep; do rm -f $f; [ ! -e $f ] || echo $f >> /etc/there; done`)}},
			want: `0644 etc/there "/usr/bin/grep\n": postinst a
`,
		},
		{
			name: "no service may be started, as dpkg is told while images are made",
			packages: []pkg{{name: "a", scripts: script("postinst",
				`set +e; [ -x /usr/sbin/policy-rc.d ] && /usr/sbin/policy-rc.d a start; echo $? > /etc/status`)}},
			want: `0644 etc/status "101\n": postinst a
`,
		},
		{
			name: "a random key is there for the scripts and not in the image",
			packages: []pkg{
				{name: "a", scripts: script("postinst", `openssl rand -out /etc/key 9; chmod 640 /etc/key; chown 0:42 /etc/key; cp -p /etc/key /etc/copy; ln -s copy /etc/link; ln -s none /etc/other`)},
				{name: "b", depends: "a", scripts: script("postinst", `[ -s /etc/key ] && [ -e /etc/link ] && echo found > /etc/b; mv /etc/copy /usr/moved`)},
			},
			want: `0644 etc/b "found\n": postinst b
0777 etc/link -> copy: postinst a
0777 etc/other -> none: postinst a
`,
		},
		{
			name: "conffiles come when their package is configured, but those of essential packages at once",
			packages: []pkg{
				{name: "base", control: map[string]string{"Essential": "yes", "conffiles": "etc/d/base"}, files: map[string]string{"etc/d/base": ""}, scripts: script("preinst", ``)},
				{name: "reads", files: map[string]string{"etc/d/reads": ""}, scripts: script("postinst", `echo /etc/d/* > /etc/seen`)},
				{name: "later", depends: "reads", control: map[string]string{"conffiles": "etc/d/later"}, files: map[string]string{"etc/d/later": "text"}, scripts: script("postinst", `echo /etc/d/* >> /etc/seen`)},
			},
			want: `0644 etc/d/base "": package base
0644 etc/d/later "text": package later
0644 etc/d/reads "": package reads
0644 etc/seen "/etc/d/base /etc/d/reads\n/etc/d/base /etc/d/later /etc/d/reads\n": postinst later
`,
		},
		{
			name: "essential packages are configured before the others are unpacked",
			packages: []pkg{
				{name: "app", scripts: script("preinst", `[ -e /etc/ready ] && echo yes > /etc/app`)},
				{name: "lib", scripts: script("postinst", `echo lib >> /etc/ready`)},
				{name: "base", depends: "lib", control: map[string]string{"Essential": "yes"}, scripts: script("postinst", `echo base >> /etc/ready`)},
			},
			want: `0644 etc/app "yes\n": preinst app
0644 etc/ready "lib\nbase\n": postinst base
`,
		},
		{
			name: "a diversion moves the file of another package",
			packages: []pkg{
				{name: "by", scripts: script("preinst", `dpkg-divert --package by --divert /usr/tool.real --add /usr/tool`), files: map[string]string{"usr/tool": "mine"}},
				{name: "of", files: map[string]string{"usr/tool": "theirs"}},
			},
			want: `0644 usr/tool "mine": package by
0644 usr/tool.real "theirs": package of
`,
		},
		{
			name: "triggers: of files of others, by directive, by dpkg-trigger; once, at the end",
			packages: []pkg{
				{name: "cache", control: map[string]string{"Essential": "yes", "triggers": "interest-noawait /usr/share/cached\ninterest named\n"},
					scripts: map[string]string{"postinst": "#!/bin/sh\necho \"$@\" >> /var/ran\n"}},
				{name: "x", files: map[string]string{"usr/share/cached/x": ""}, control: map[string]string{"triggers": "activate-noawait other\n"}},
				{name: "y", scripts: script("postinst", `dpkg-trigger named; echo y >> /var/ran`)},
				{name: "z", control: map[string]string{"triggers": "activate named\n"}},
			},
			want: `0644 usr/share/cached/x "": package x
0644 var/ran "configure \ny\ntriggered /usr/share/cached named\n": postinst triggered cache
`,
		},
		{
			name: "what depends on a package that waits for triggers is configured after them, and the others before",
			packages: []pkg{
				{name: "handler", control: map[string]string{"triggers": "interest awaited\ninterest-noawait noted\n"}, scripts: map[string]string{"postinst": "#!/bin/sh\necho \"$@\" >> /var/ran\n"}},
				{name: "waits", depends: "handler", control: map[string]string{"triggers": "activate-await awaited\n"}},
				{name: "notes", depends: "handler", control: map[string]string{"triggers": "activate noted\n"}},
				{name: "after-waits", depends: "waits, in-circle", scripts: script("postinst", `echo after waits >> /var/ran; dpkg-trigger noted`)},
				{name: "in-circle", depends: "after-waits"},
				{name: "last", depends: "after-waits", scripts: script("postinst", `echo last >> /var/ran`)},
				{name: "after-notes", depends: "notes, waits-not", scripts: script("postinst", `echo after notes >> /var/ran`)},
			},
			want: `0644 var/ran "configure \nafter notes\ntriggered noted awaited\nafter waits\nlast\ntriggered noted\n": postinst triggered handler
`,
		},
		{
			name: "a package triggers itself; who is not configured yet is not triggered, for its postinst sees what is there",
			packages: []pkg{
				{name: "self", control: map[string]string{"triggers": "interest again\n"}, scripts: map[string]string{"postinst": "#!/bin/sh\necho \"$@\" >> /var/self\n[ $1 = triggered ] || dpkg-trigger again\n"}},
				{name: "later", depends: "self", control: map[string]string{"triggers": "interest again\n"}, scripts: map[string]string{"postinst": "#!/bin/sh\necho \"$@\" >> /var/later\n"}},
			},
			want: `0644 var/later "configure \n": postinst later
0644 var/self "configure \ntriggered again\n": postinst triggered self
`,
		},
		{
			name: "debconf: config runs before postinst, answers are the spec's, else the defaults",
			packages: []pkg{{
				name:    "q",
				control: map[string]string{"templates": "Template: q/name\nType: string\nDefault: nobody\n\nTemplate: q/color\nType: string\nDefault: red\n"},
				scripts: map[string]string{
					"config":   "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_input high q/name || true\ndb_go || true\necho asked > /etc/asked\n",
					"postinst": "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_get q/name\necho $RET > /etc/name\ndb_get q/color\necho $RET > /etc/color\n",
				},
			}, {name: "debconf", files: map[string]string{"usr/share/debconf/confmodule": ""}}},
			want: `0644 etc/asked "asked\n": postinst q
0644 etc/color "red\n": postinst q
0644 etc/name "answered\n": postinst q
0644 usr/share/debconf/confmodule "": package debconf
`,
		},
		{
			name: "what is known and not in the image is not found",
			packages: []pkg{{name: "a", scripts: script("postinst", `command -v ucf || echo $? > /etc/none
[ -x /usr/bin/ucf ] || ucf a /etc/a || echo $? > /etc/bare
/usr/bin/ucf a /etc/b || echo $? > /etc/full
command -v sed && /bin/sed p /etc/bare > /etc/sed`)}},
			want: `0644 etc/bare "127\n": postinst a
0644 etc/full "127\n": postinst a
0644 etc/none "127\n": postinst a
0644 etc/sed "127\n127\n": postinst a
`,
		},
		{
			name:     "a change of mode keeps the package visible",
			packages: []pkg{{name: "a", files: map[string]string{"etc/secret": "s"}, scripts: script("postinst", `chmod 0600 /etc/secret`)}},
			want: `0600 etc/secret "s": postinst a
`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			img := image(tt.packages)
			img.Answers = map[string]string{"q/name": "answered"}
			img.LeftOut = []string{"debconf", "openssl"}
			in, err := maint.Begin(img)
			if err != nil {
				t.Fatal(err)
			}
			if err := install(t.Context(), in, img, tt.packages); err != nil {
				t.Fatal(err)
			}
			if got := listing(img.Tree); got != tt.want {
				t.Errorf("the tree is\n%s\nwant\n%s", got, tt.want)
			}
			again := image(tt.packages)
			replay := maint.Again(again, in.Effects())
			if err := install(t.Context(), replay, again, tt.packages); err != nil {
				t.Fatal(err)
			}
			if got := listing(again.Tree); got != tt.want {
				t.Errorf("done again from the cache, the tree is\n%s\nwant\n%s", got, tt.want)
			}
			if !reflect.DeepEqual(in.Report(), replay.Report()) {
				t.Errorf("done again, the report is %+v, was %+v", replay.Report(), in.Report())
			}
		})
	}
}

// What a script cannot have ends the installation, with its place.
func TestRefused(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a command that fails", `false`, `a postinst:3: false: exit status 1 (version 1.0)`},
		{"what it said", `echo "no such thing" >&2; exit 3`, `a postinst:3: exit 3: exit status 3 (it said "no such thing") (version 1.0)`},
		{"perl code of the script's own", `perl -e "" && perl -e 'print 1'`, `a postinst:3: perl -e 'print 1': running perl -e print 1, perl code, is not supported (version 1.0)`},
		{"perl code", `/usr/bin/tool x`, `a postinst:3: tool x: running perl /usr/bin/tool x, perl code, is not supported (version 1.0)`},
		{"a program of an essential package that is not known", `if [ -x /usr/bin/lscpu ]; then lscpu; fi`, `a postinst:3: lscpu: running lscpu, which the image lacks, is not supported (version 1.0)`},
		{"the running machine", `cat < /proc/cpuinfo`, `a postinst:3: reading /proc/cpuinfo, which is the running machine's, is not supported (version 1.0)`},
		{"what is random", `openssl rand -out /etc/key 9; cat /etc/key > /etc/conf`, `a postinst:3: cat /etc/key: reading /etc/key, which is random, is not supported (version 1.0)`},
		{"what is random, by the shell", `openssl rand -out /etc/key 9; read x < /etc/key || :`, `a postinst:3: reading /etc/key, which is random, is not supported (version 1.0)`},
		{"an endless loop", `while :; do :; done`, `a postinst:3: 2000 commands: the limit for maintainer scripts (version 1.0)`},
		{"endless calls", `f() { f; }; f`, `a postinst:3: f: 200 calls in one another: the limit for maintainer scripts (version 1.0)`},
		{"not a script for a shell", "", `a postinst: python3 code is not supported (version 1.0)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := script("postinst", tt.text)
			if tt.text == "" {
				text = map[string]string{"postinst": "#!/usr/bin/python3\nprint()\n"}
			}
			packages := []pkg{{name: "a", scripts: text, files: map[string]string{"usr/bin/tool": "#!/usr/bin/perl\n"}}}
			img := image(packages)
			img.Limits, img.LeftOut = shell.Limits{Steps: 2000}, []string{"openssl"}
			in, err := maint.Begin(img)
			if err != nil {
				t.Fatal(err)
			}
			err = in.Preinst(t.Context(), 0)
			if err == nil {
				_ = img.Tree.WriteFile("usr/bin/tool", []byte("#!/usr/bin/perl\n"), 0o755, nil)
				in.Unpacked(0)
				err = in.Configure(t.Context(), maint.Batch{Packages: []int{0}})
			}
			if err == nil || err.Error() != tt.want {
				t.Fatalf("error %v\nwant  %s", err, tt.want)
			}
			if failed, ok := errors.AsType[*maint.ScriptError](err); !ok || !strings.Contains(failed.Hint(), "scripts: {a: skip}") {
				t.Errorf("error %#v, expected a *ScriptError whose hint says how to skip", err)
			}
			img = image(packages)
			img.Skip = []string{"a"}
			if in, err = maint.Begin(img); err != nil {
				t.Fatal(err)
			}
			if err := install(t.Context(), in, img, packages); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(in.Report().Skipped); got != "[a postinst: skipped, as the spec says]" {
				t.Errorf("skipped: %s", got)
			}
		})
	}
}

// TestSecretsAreReported has what the report says of random keys that the image does
// not have.
func TestSecretsAreReported(t *testing.T) {
	packages := []pkg{{name: "a", scripts: script("postinst", `openssl rand -out /etc/key 9; ln -s key /etc/link; ln -s key /etc/00000000.0`)}}
	img := image(packages)
	img.LeftOut = []string{"openssl"}
	in, err := maint.Begin(img)
	if err != nil {
		t.Fatal(err)
	}
	if err := install(t.Context(), in, img, packages); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range in.Report().Skipped {
		got = append(got, s.String())
	}
	const why = ": each machine needs its own: it is random, and what is in an image is no secret"
	if want := "a postinst: /etc/key" + why + "\na postinst: /etc/00000000.0" + why; strings.Join(got, "\n") != want {
		t.Errorf("skipped:\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}
