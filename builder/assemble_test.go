package builder

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/tree"
)

// A package that loses files to another owner has other records in its layer than
// it had at first; the tree, of which the image's record is made, follows.
func TestRefresh(t *testing.T) {
	const status, sums = "var/lib/dpkg/status.d/app", "var/lib/dpkg/status.d/app.md5sums"
	for _, c := range []struct {
		name  string
		after []entry
		spec  bool // the spec has a status file of its own
		want  map[string]int64
	}{
		{name: "nothing is left to list", after: []entry{{Path: status, Size: 10, Made: true}}, want: map[string]int64{status: 10}},
		{name: "less to list", after: []entry{{Path: status, Size: 10, Made: true}, {Path: sums, Size: 5, Made: true}},
			want: map[string]int64{status: 10, sums: 5}},
		{name: "the spec's own", spec: true, after: []entry{{Path: status, Size: 10, Made: true}, {Path: sums, Size: 5, Made: true}},
			want: map[string]int64{status: 3, sums: 5}},
		{name: "files of the package stay as they are", after: []entry{{Path: status, Size: 20, Made: true}, {Path: sums, Size: 9, Made: true}, {Path: "etc/app", Size: 7}},
			want: map[string]int64{status: 20, sums: 9}},
	} {
		tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
		m := newMember(nil, &lock.Package{Name: "app"})
		for _, e := range []entry{{Path: status, Size: 20, Made: true}, {Path: sums, Size: 9, Made: true}} {
			n := e.node(m.record)
			if c.spec && e.Path == status {
				n.Origin, n.Size = &tree.Origin{Kind: tree.FromSpec}, 3
			}
			if err := tr.Set(n); err != nil {
				t.Fatal(err)
			}
		}
		m.files = &unpacked{Entries: c.after}
		refresh(tr, []*member{m})
		for _, name := range []string{status, sums} {
			n, size := tr.Lookup(name), c.want[name]
			if (n != nil) != (size > 0) || n != nil && n.Size != size {
				t.Errorf("%s: %s is %+v, expected %d bytes", c.name, name, n, size)
			}
		}
	}
}

// TestAddPackages is who owns a path that several packages claim, and where it
// goes: the packages as text, the tree that they become, and what each package's
// layer has otherwise than the package.
func TestAddPackages(t *testing.T) {
	for _, c := range []struct {
		name     string
		packages []string // "NAME [replaces X]: PATH, PATH/, PATH -> TARGET, ..."
		divert   []maint.Diversion
		want     string // "PATH OWNER", or the error
		plans    string
	}{
		{
			name:     "directories are shared",
			packages: []string{"a: usr/, usr/share/, usr/share/a", "b: usr/, usr/share/, usr/share/b"},
			want:     "usr a\nusr/share a\nusr/share/a a\nusr/share/b b",
		},
		{
			name:     "a path of two packages",
			packages: []string{"a: etc/x", "b: etc/x"},
			want:     "/etc/x: file of package b 1 is also file of package a 1",
		},
		{
			name:     "the later one replaces the first",
			packages: []string{"aa: etc/x, etc/y", "bb replaces aa: etc/x"},
			want:     "etc -\netc/x bb\netc/y aa",
			plans:    "aa drops etc/x",
		},
		{
			name:     "the first one replaces the later",
			packages: []string{"aa replaces bb (<< 2): etc/x", "bb: etc/x, etc/y"},
			want:     "etc -\netc/x aa\netc/y bb",
			plans:    "bb drops etc/x",
		},
		{
			name:     "another version is replaced",
			packages: []string{"aa replaces bb (<< 1): etc/x", "bb: etc/x"},
			want:     "/etc/x: file of package bb 1 is also file of package aa 1",
		},
		{
			name:     "a diversion moves the others' path",
			packages: []string{"dash: usr/bin/sh", "posh: usr/bin/sh"},
			divert:   []maint.Diversion{{Package: "posh", From: "usr/bin/sh", To: "usr/bin/sh.distrib"}},
			want:     "usr -\nusr/bin -\nusr/bin/sh posh\nusr/bin/sh.distrib dash",
			plans:    "dash moves usr/bin/sh to usr/bin/sh.distrib",
		},
		{
			name:     "a path below another package's link",
			packages: []string{"a: run/, var/, var/run -> /run", "b: var/run/, var/run/b"},
			want:     "run a\nrun/b b\nvar a\nvar/run a",
			plans:    "b moves var/run/b to run/b",
		},
		{
			name:     "a link out of the root stays in it",
			packages: []string{"a: etc/, esc -> ../../etc", "b: esc/passwd"},
			want:     "esc a\netc a\netc/passwd b",
			plans:    "b moves esc/passwd to etc/passwd",
		},
		{
			name:     "a directory where another has a link to one",
			packages: []string{"a: usr/share/doc/a/, usr/share/doc/b/", "b: usr/share/doc/b -> a"},
			want:     "usr -\nusr/share -\nusr/share/doc -\nusr/share/doc/a a\nusr/share/doc/b a",
			plans:    "b drops usr/share/doc/b",
		},
		{
			name:     "a link where another has a file",
			packages: []string{"a: etc/x", "b: etc/x -> y"},
			want:     "/etc/x: symlink of package b 1 is also file of package a 1",
		},
		{
			name:     "links in a circle",
			packages: []string{"a: x -> y, y -> x", "b: x/file"},
			want:     "package b: resolve /x/file: too many levels of symbolic links",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var members []*member
			for _, text := range c.packages {
				members = append(members, parseMember(text))
			}
			tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
			placed, err := placeAll(t, tr, members, c.divert)
			got := fmt.Sprint(err)
			if err == nil {
				got = owners(tr)
			}
			if got != c.want {
				t.Fatalf("found\n%s\nexpected\n%s", got, c.want)
			}
			if err != nil {
				return
			}
			if got := plans(placed.replan(members, 0)); got != c.plans {
				t.Errorf("found plans\n%s\nexpected\n%s", got, c.plans)
			}
		})
	}
}

// A script that changes the mode of a package's file gets the origin, and the file
// stays in the package's layer; one that writes a file anew takes it out.
func TestReplanAfterScripts(t *testing.T) {
	m := parseMember("redis: etc/redis.conf, etc/other.conf")
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	placed, err := placeAll(t, tr, []*member{m}, nil)
	if err != nil {
		t.Fatal(err)
	}
	script := &tree.Origin{Kind: tree.FromScript, Package: "redis"}
	changed := *tr.Lookup("etc/redis.conf")
	changed.Origin, changed.Mode, changed.GID = script, 0o640, 101
	if err := tr.Set(&changed); err != nil {
		t.Fatal(err)
	}
	if err := tr.WriteFile("etc/other.conf", nil, 0o644, script); err != nil {
		t.Fatal(err)
	}
	placed.replan([]*member{m}, 0)
	if got, want := fmt.Sprint(m.plan.Drop, m.plan.Mode), "[etc/other.conf] map[etc/redis.conf:{416 0 101 }]"; got != want {
		t.Errorf("found %s, expected %s", got, want)
	}
}

// placeAll unpacks packages whose scripts did nothing but divert.
func placeAll(t *testing.T, tr *tree.Tree, members []*member, diversions []maint.Diversion) (*placement, error) {
	img := &maint.Image{Tree: tr}
	in := maint.Again(img, &maint.Effects{Preinst: make([][]maint.Change, len(members)), Diversions: diversions})
	placed := newPlacement(tr, in, 0)
	all := make([]int, len(members))
	for i := range all {
		all[i] = i
	}
	return placed, placed.unpack(t.Context(), members, all)
}

func parseMember(text string) *member {
	head, list, _ := strings.Cut(text, ": ")
	name, replaces, _ := strings.Cut(head, " replaces ")
	m := newMember(nil, &lock.Package{Name: name, Version: "1"})
	m.files = &unpacked{Replaces: replaces}
	for item := range strings.SplitSeq(list, ", ") {
		path, target, isLink := strings.Cut(item, " -> ")
		e := entry{Path: strings.TrimSuffix(path, "/"), Mode: 0o644, Link: target}
		switch {
		case isLink:
			e.Type = tree.Symlink
		case strings.HasSuffix(path, "/"):
			e.Type = tree.Dir
		}
		m.files.Entries = append(m.files.Entries, e)
	}
	return m
}

func owners(tr *tree.Tree) string {
	var lines []string
	for n := range tr.All() {
		if n.Path != "." {
			lines = append(lines, n.Path+" "+cmp.Or(n.Origin.Package, "-"))
		}
	}
	return strings.Join(lines, "\n")
}

func plans(members []*member) string {
	var lines []string
	for _, m := range members {
		for _, p := range m.plan.Drop {
			lines = append(lines, m.Name+" drops "+p)
		}
		for from, to := range m.plan.Rename {
			lines = append(lines, m.Name+" moves "+from+" to "+to)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
