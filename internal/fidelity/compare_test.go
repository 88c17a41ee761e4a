//go:build linux

package main

import (
	"strings"
	"testing"
)

const bothTrees = `
	dir  etc 0755 0:0
	dir  usr 0755 0:0
	dir  usr/bin 0755 0:0
	file usr/bin/tool 0755 0:0 program
	link etc/tool 0:0 /usr/bin/tool
	file etc/tool.conf 0640 0:42 made by a script
	file usr/bin/alias 0755 0:0 program`

// theirTree is dpkg's: package tool ships a program, and its postinst made the
// configuration.
func theirTree(t *testing.T) *manifest {
	m := merged(t, bothTrees)
	for p, e := range m.Paths {
		switch p {
		case "etc/tool.conf":
			e.By = []string{"tool postinst"}
		case "usr/bin/tool":
			e.Owners, e.By = []string{"tool"}, []string{"neighbour preinst"}
		}
		m.Paths[p] = e
	}
	m.Gone = map[string][]string{"usr/bin/removed": {"remover"}}
	return m
}

func TestCompare(t *testing.T) {
	tests := map[string]struct {
		change string // old and new, or what hardpan has in addition
		said   string
		want   verdict
		paths  string
	}{
		"the same":             {"", "", equal, ""},
		"another mode":         {"tool.conf 0640=tool.conf 0644", "", wrong, "SILENT   /etc/tool.conf, of tool"},
		"another owner":        {"0:42=42:0", "", wrong, "SILENT   /etc/tool.conf, of tool"},
		"another content":      {"made by=left by", "", wrong, "SILENT   /etc/tool.conf, of tool"},
		"another target":       {"0:0 /usr/bin/tool=0:0 ../usr/bin/tool", "", wrong, "SILENT   /etc/tool, of no package"},
		"another type":         {"link etc/tool 0:0 /usr/bin/tool=file etc/tool 0644 0:0", "", wrong, "SILENT   /etc/tool, of no package"},
		"a hard link":          {"file usr/bin/alias 0755 0:0 program=hard usr/bin/alias usr/bin/tool", "", wrong, "SILENT   /usr/bin/alias, of no package\nSILENT   /usr/bin/tool, of tool"},
		"a path less":          {"link etc/tool 0:0 /usr/bin/tool=", "", wrong, "SILENT   /etc/tool, of no package"},
		"a path more":          {"file etc/more 0644 0:0", "", wrong, "SILENT   /etc/more, of no package"},
		"not compared":         {"dir usr/bin/__pycache__ 0755 0:0", "", equal, ""},
		"its script was named": {"made by=left by", "tool postinst:3: frob --all", reported, "reported /etc/tool.conf, of tool"},
		"another script was":   {"made by=left by", "other postinst:3: tool postinst", wrong, "SILENT   /etc/tool.conf, of tool"},
		"its package was not":  {"made by=left by", "something about tool", wrong, "SILENT   /etc/tool.conf, of tool"},
		// A preinst runs before files are unpacked, and is not what put them there.
		"only the preinst before it was named": {"tool 0755=tool 0700", "neighbour preinst:1: frob", wrong, "SILENT   /usr/bin/tool, of tool"},
		"should have been removed":             {"file usr/bin/removed 0644 0:0", "remover postinst:1: rm -f /usr/bin/removed", reported, "reported /usr/bin/removed, of remover"},
		"one named, one not":                   {"made by=left by\nfile etc/more 0644 0:0", "tool postinst:3: frob", wrong, "SILENT   /etc/more, of no package\nreported /etc/tool.conf, of tool"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := bothTrees
			for line := range strings.SplitSeq(tt.change, "\n") {
				if old, now, ok := strings.Cut(line, "="); ok {
					text = strings.Replace(text, old, now, 1)
				} else {
					text += "\n" + line
				}
			}
			packages := []string{"tool", "other", "neighbour", "remover"}
			ours, theirs := merged(t, text), theirTree(t)
			found := compare(ours, theirs)
			blame(found, theirs, nil, notices([]string{tt.said}, packages))
			var lines []string
			for _, d := range found {
				lines = append(lines, d.summary())
			}
			if got := strings.Join(lines, "\n"); got != tt.paths {
				t.Errorf("got\n%s\nwant\n%s", got, tt.paths)
			}
			if got := judge(&outcome{}, found, packages); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSharedFiles holds who is to blame where many scripts write to one file: a
// command that was reported as not done, if it is one that writes to it.
func TestSharedFiles(t *testing.T) {
	theirs := merged(t, "dir etc 0755 0:0\nfile etc/passwd 0644 0:0 two users")
	e := theirs.Paths["etc/passwd"]
	e.By = []string{"last postinst"}
	theirs.Paths["etc/passwd"] = e
	tests := map[string]struct {
		said string
		want bool // silent
	}{
		"nothing":             {"", true},
		"the last writer":     {"last postinst:1: perl -e 1", false},
		"a writer before it":  {"first postinst:9: adduser --system first", false},
		"one that writes not": {"first postinst:9: update-icons", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found := compare(merged(t, "dir etc 0755 0:0\nfile etc/passwd 0644 0:0 one user"), theirs)
			blame(found, theirs, nil, notices([]string{tt.said}, []string{"first", "last"}))
			if len(found) != 1 || found[0].Silent != tt.want {
				t.Errorf("got %v, want silent: %v", found, tt.want)
			}
		})
	}
}

func TestPathsOfHardpanAloneAreOfTheScriptThatMadeThem(t *testing.T) {
	ours, theirs := merged(t, "file made 0644 0:0"), &manifest{}
	origin := func(p string) string { return map[string]string{"made": "maker"}[p] }
	found := compare(ours, theirs)
	blame(found, theirs, origin, notices([]string{"maker postinst:2: unmake"}, []string{"maker"}))
	if len(found) != 1 || found[0].summary() != "reported /made, of maker" {
		t.Errorf("got %v", found)
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]verdict{
		"hardpan build: exit status 1: hardpan: a.yaml:7:14: tool postinst:12: perl: scripts in perl are not supported": reported,
		"hardpan build: exit status 1: hardpan: cannot read layer":                                                      wrong,
	}
	for refusal, want := range tests {
		if got := judge(&outcome{Refusal: refusal}, nil, []string{"tool"}); got != want {
			t.Errorf("%q: got %s, want %s", refusal, got, want)
		}
	}
}

func TestSameSet(t *testing.T) {
	locked := []pkg{{Name: "a", Version: "1", Architecture: "amd64"}, {Name: "b", Version: "2:1", Architecture: "all"}}
	tests := map[string]struct {
		installed []string
		want      string
	}{
		"the same":             {[]string{"a 1 amd64", "b 2:1 all"}, ""},
		"one less":             {[]string{"a 1 amd64"}, "dpkg lacks b 2:1 all"},
		"one more":             {[]string{"a 1 amd64", "b 2:1 all", "c 1 all"}, "dpkg has also c 1 all"},
		"another version":      {[]string{"a 1.1 amd64", "b 2:1 all"}, "dpkg lacks a 1 amd64; dpkg has also a 1.1 amd64"},
		"not wholly installed": {[]string{"a 1 amd64 (install ok half-configured)", "b 2:1 all"}, "dpkg lacks a 1 amd64; dpkg has also a 1 amd64 (install ok half-configured)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := sameSet(locked, tt.installed)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasSuffix(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
