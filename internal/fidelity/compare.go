//go:build linux

package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// verdict is the result of a case.
type verdict string

// The verdicts.
const (
	equal    verdict = "equal"    // every path that is compared is the same
	reported verdict = "reported" // it differs or was refused, and the build said where
	wrong    verdict = "WRONG"    // it differs in silence
)

// difference is one path that is not the same on both sides.
type difference struct {
	Path   string
	Ours   string   // hardpan's, empty where it has no such path
	Theirs string   // dpkg's, empty where it has no such path
	Blame  []string // packages whose scripts, or whose files, make the path what it is
	Silent bool     // the build named none of these
}

// summary says where the difference is, whether the build said so, and whose it is.
func (d difference) summary() string {
	mark := "reported"
	if d.Silent {
		mark = "SILENT  "
	}
	whose := "of no package"
	if len(d.Blame) > 0 {
		whose = "of " + strings.Join(d.Blame, ", ")
	}
	return fmt.Sprintf("%s /%s, %s", mark, d.Path, whose)
}

// String says also what the two sides have, in further lines.
func (d difference) String() string {
	value := func(s string) string {
		if s == "" {
			return "nothing"
		}
		return s
	}
	return fmt.Sprintf("%s\n      hardpan: %s\n      dpkg:    %s", d.summary(), value(d.Ours), value(d.Theirs))
}

// compare returns the paths that differ and may not, sorted.
func compare(ours, theirs *manifest) []difference {
	paths := map[string]bool{}
	for p := range ours.Paths {
		paths[p] = true
	}
	for p := range theirs.Paths {
		paths[p] = true
	}
	var found []difference
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		d := difference{Path: p}
		if e, ok := ours.Paths[p]; ok {
			d.Ours = e.String()
		}
		if e, ok := theirs.Paths[p]; ok {
			d.Theirs = e.String()
		}
		if d.Ours != d.Theirs && mayDiffer(p) == "" && !(d.Ours == "" && isNameOfKey(p, theirs.Paths[p])) {
			found = append(found, d)
		}
	}
	return found
}

// shared are files that many scripts change, one after the other, with the
// commands that do: dpkg's tree shows who changed it last, and a command that the
// build did not do may have come before.
var shared = []struct{ path, commands *regexp.Regexp }{
	{regexp.MustCompile(`^etc/((passwd|group|shadow|gshadow|subuid|subgid)-?|\.pwd\.lock)$`), regexp.MustCompile(`\b(adduser|addgroup|deluser|delgroup|(user|group)(add|mod|del)|passwd|chpasswd|chage|usermod|systemd-sysusers|shadowconfig)\b`)},
	{regexp.MustCompile(`^etc/ld\.so\.cache$`), regexp.MustCompile(`\bldconfig\b`)},
	{regexp.MustCompile(`^(etc/shells|var/lib/shells\.state)$`), regexp.MustCompile(`\b(add-shell|remove-shell|update-shells)\b`)},
	{regexp.MustCompile(`^usr/share/info/dir(\.old)?$`), regexp.MustCompile(`\b(install-info|update-info-dir)\b`)},
}

// blame fills in who makes each differing path what it is and whether the build
// said something about one of them.
func blame(found []difference, theirs *manifest, origin func(path string) string, said []notice) {
	for i := range found {
		d := &found[i]
		e := theirs.Paths[d.Path]
		d.Blame = append(d.Blame, e.Owners...)
		d.Blame = append(d.Blame, theirs.Gone[d.Path]...)
		for _, script := range e.By {
			pkg, kind, _ := strings.Cut(script, " ")
			// What a package ships lies there since a time after some preinst.
			if len(e.Owners) == 0 || kind != "preinst" {
				d.Blame = append(d.Blame, pkg)
			}
		}
		if d.Theirs == "" && origin != nil {
			d.Blame = append(d.Blame, origin(d.Path))
		}
		slices.Sort(d.Blame)
		d.Blame = slices.DeleteFunc(slices.Compact(d.Blame), func(s string) bool { return s == "" })
		d.Silent = !slices.ContainsFunc(said, func(n notice) bool { return n.covers(d) })
	}
}

// notice is a line in which a build says what it did not do.
type notice struct{ pkg, text string }

// covers says whether a difference is what the line is about.
func (n notice) covers(d *difference) bool {
	if slices.Contains(d.Blame, n.pkg) {
		return true
	}
	return d.Theirs != "" && slices.ContainsFunc(shared, func(s struct{ path, commands *regexp.Regexp }) bool {
		return s.path.MatchString(d.Path) && s.commands.MatchString(n.text)
	})
}

var aboutScript = regexp.MustCompile(`([a-z0-9][a-z0-9+.-]+)[:, ]+(?:preinst|postinst|config|triggers?)\b`)

// notices returns those of a build's lines that are about a script of one of the
// packages, as in "nginx-common postinst:12: ...". What follows is the command,
// whose arguments may be packages too.
func notices(lines, packages []string) []notice {
	var list []notice
	for _, line := range lines {
		for _, m := range aboutScript.FindAllStringSubmatch(line, -1) {
			if slices.Contains(packages, m[1]) {
				list = append(list, notice{m[1], line})
				break
			}
		}
	}
	return list
}

// judge returns the verdict on a case.
func judge(o *outcome, found []difference, packages []string) verdict {
	switch {
	case o.Refusal != "" && len(notices([]string{o.Refusal}, packages)) > 0:
		return reported
	case o.Refusal != "":
		return wrong
	case len(found) == 0:
		return equal
	case slices.ContainsFunc(found, func(d difference) bool { return d.Silent }):
		return wrong
	}
	return reported
}
