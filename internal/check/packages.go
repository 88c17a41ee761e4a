package check

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
)

const (
	noDatabase = "there is no package database that is read"
	noLists    = "the package database does not list the files of packages"
	tooLarge   = "the package database is too large to be read"
)

// database says why questions about the package database are not asked.
func (q *question) database() string {
	switch s := q.System(); {
	case q.Incomplete:
		return tooLarge
	case s.Database == "":
		return noDatabase
	case !s.Lists:
		return noLists
	}
	return applies
}

func packageFilesMissing(q *question) string {
	if why := q.database(); why != applies {
		return why
	}
	left := map[string]bool{}
	if q.Record != nil {
		for _, s := range q.Record.Stripped {
			left[strings.TrimPrefix(s.Path, "/")] = true
		}
	}
	owners := q.System().Owner
	for _, name := range sortedKeys(owners) {
		if name == "." || q.File(name) != nil || left[name] || excluded(name) {
			continue
		}
		q.found(Finding{Path: "/" + name, Message: "package " + owners[name] + " lists a file that the image lacks", Value: owners[name]})
	}
	return applies
}

// excluded are files that dpkg's path-exclude and the like leave out of small images.
func excluded(name string) bool {
	for _, id := range []string{"documentation", "packaging-metadata", "translations"} {
		if harden.RuleOf(id).Strip.Leaves(name) {
			return true
		}
	}
	if slices.Contains([]string{"run", "dev", "proc", "sys", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"}, name) { // mounted, or made by apt when it runs
		return true
	}
	return slices.ContainsFunc([]string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/groff/", "usr/share/lintian/", "usr/share/linda/", "usr/share/gnome/help/", "usr/share/help/", "usr/share/omf/"}, func(p string) bool {
		return strings.HasPrefix(name+"/", p)
	}) || strings.HasPrefix(name, "run/") || strings.HasPrefix(name, "dev/")
}

func packageFilesChanged(q *question) string {
	if why := q.database(); why != applies {
		return why
	}
	sums := q.System().Sums
	if len(sums) == 0 {
		return "the package database has no MD5 sums of files"
	}
	for f := range q.All() {
		sum, ok := sums[f.Path]
		if ok && f.Type == facts.Regular && !f.Vouched && sum != f.MD5 && !strings.HasPrefix(f.Path, "etc/") {
			q.found(at(f, "it is not the file that package "+q.System().Owner[f.Path]+" shipped", q.System().Owner[f.Path]))
		}
	}
	return applies
}

func unexplainedFile(q *question) string {
	if why := q.database(); why != applies && q.Record == nil {
		return why
	}
	for f := range q.All() {
		if f.Type != facts.Regular || f.ELF == nil && !f.Executable() {
			continue
		}
		if _, listed := q.System().Owner[f.Path]; listed || q.explained(f) {
			continue
		}
		q.found(at(f, "no package and no record has it", mode(f)))
	}
	return applies
}

// explained reports whether the record of the build has the file.
func (q *question) explained(f *facts.File) bool {
	if q.Record == nil {
		return false
	}
	if _, ok := q.Record.Lookup(f.Path); ok {
		return true
	}
	return q.Record.Partial && f.Layer < len(q.Record.Layers) && len(q.Record.Layers[f.Layer].Packages) > 0
}
