package generate

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// The super catalog of update-catalog(8), and the directory of what it names.
const (
	sgmlDir      = "/etc/sgml"
	superCatalog = "/var/lib/sgml-base/supercatalog"
)

// updateCatalog is update-catalog(8) of sgml-base.
func updateCatalog(ctx context.Context, p *shell.Proc) (int, error) {
	args := p.Args[1:]
	action, quiet, super := "", false, false
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		switch args[0] {
		case "--add", "--remove", "--update-super":
			if action != "" {
				return 1, nil
			}
			action = args[0]
		case "--quiet":
			quiet = true
		case "--super":
			super = true
		default:
			return 0, shell.Unsupported("update-catalog %s", args[0])
		}
		args = args[1:]
	}
	say := func(format string, a ...any) {
		if !quiet {
			fmt.Fprintf(p.Stdout, format+"\n", a...)
		}
	}
	switch {
	case action == "--update-super" && len(args) == 0:
		say("Updating the super catalog...")
		if err := updateSuper(p); err != nil {
			return fail(p, err)
		}
		return 0, nil
	case (action == "--add" || action == "--remove") && super && len(args) == 1:
		fmt.Fprintln(p.Stdout, "update-catalog: Suppressing action on super catalog. Invoking trigger instead.")
		status, err := p.Run(ctx, "dpkg-trigger", "/etc/sgml")
		if status != 0 && err == nil {
			err = updateSuper(p)
		}
		if err != nil {
			return fail(p, err)
		}
		return 0, nil
	case (action == "--add" || action == "--remove") && !super && len(args) == 2:
		catalog, entry := p.Path(args[0]), args[1]
		if action == "--add" {
			say("Adding entry %s to catalog %s...", entry, args[0])
		} else {
			say("Removing entry %s from catalog %s...", entry, args[0])
		}
		if err := changeCatalog(p, catalog, entry, action == "--add"); err != nil {
			return fail(p, err)
		}
		return 0, nil
	}
	return 1, nil
}

// changeCatalog adds an entry to a centralized catalog or removes it. The catalog
// that was there is kept beside it.
func changeCatalog(p *shell.Proc, catalog, entry string, add bool) error {
	match, err := regexp.Compile(entry) // as the program takes it
	if err != nil {
		match = regexp.MustCompile(regexp.QuoteMeta(entry))
	}
	var lines []string
	there := isFile(p, catalog)
	source := catalog
	if !there {
		source = "/usr/share/sgml-base/catalog.centralized"
	}
	b, err := p.FS.ReadFile(source)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case !there:
			lines = append(lines, strings.Replace(line, "CATALOG", catalog, 1))
		case !match.MatchString(line):
			lines = append(lines, line)
		}
	}
	if add {
		lines = append(lines, "CATALOG "+entry)
	}
	if there {
		if err := p.FS.Rename(catalog, catalog+".old"); err != nil {
			return err
		}
	}
	return p.FS.WriteFile(catalog, []byte(strings.Join(append(lines, ""), "\n")), 0o644)
}

// updateSuper writes the catalog of all catalogs in /etc/sgml whose references are
// there.
func updateSuper(p *shell.Proc) error {
	names, err := p.FS.ReadDir(sgmlDir)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("--\n## This file is created by update-catalog with update-super.\n## Please see update-catalog(8) for how to modify this file.\n--\n")
	for _, name := range names {
		if name[0] != '.' && len(name) > len(".cat") && strings.HasSuffix(name, ".cat") && complete(p, sgmlDir+"/"+name) {
			b.WriteString("CATALOG " + sgmlDir + "/" + name + "\n")
		}
	}
	if err := p.FS.WriteFile(superCatalog+".new", []byte(b.String()), 0o644); err != nil {
		return err
	}
	if p.FS.Exists(superCatalog) {
		if err := p.FS.Rename(superCatalog, superCatalog+".old"); err != nil {
			return err
		}
	}
	return p.FS.Rename(superCatalog+".new", superCatalog)
}

var catalogToken = regexp.MustCompile(`(?s)(?:\s+|--.*?--)+|'.*?'|".*?"|\S+`)

// complete reports whether all catalogs that a catalog refers to are there.
func complete(p *shell.Proc, catalog string) bool {
	b, err := p.FS.ReadFile(catalog)
	if err != nil {
		return false
	}
	base, keyword := path.Dir(catalog), ""
	for _, token := range catalogToken.FindAllString(string(b), -1) {
		if keyword == "" {
			if word := strings.ToLower(token); slices.Contains([]string{"catalog", "base"}, word) {
				keyword = word
			}
			continue
		}
		if strings.TrimLeft(token, " \t\r\n") != token || strings.HasPrefix(token, "--") {
			continue
		}
		if n := len(token); n > 1 && (token[0] == '"' || token[0] == '\'') && token[n-1] == token[0] {
			token = token[1 : n-1]
		}
		if keyword == "base" {
			base = token
		} else {
			at := token
			if !strings.HasPrefix(at, "/") {
				at = base + "/" + token
			}
			if !isFile(p, at) {
				return false
			}
		}
		keyword = ""
	}
	return true
}
