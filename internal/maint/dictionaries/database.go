package dictionaries

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// dictionary is the record of one: its fields, whose names are in small letters.
type dictionary map[string]string

// session is one run of a program. The perl code has one variable that each database
// is loaded into, and a database that is not there leaves in it what was loaded last.
type session struct {
	p      *shell.Proc
	loaded map[string]dictionary // by name of the language
}

func (s *session) write(name, text string) error {
	return s.p.FS.WriteFile(name, []byte(text), 0o666&^s.p.Umask)
}

// glob returns the paths of a directory's files that end so, in perl's order, which
// has no regard to case. Names with a dot in front are not among them.
func glob(p *shell.Proc, dir, suffix string) ([]string, error) {
	names, err := p.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		if strings.HasSuffix(name, suffix) && !strings.HasPrefix(name, ".") {
			found = append(found, dir+"/"+name)
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	return found, nil
}

var (
	between  = regexp.MustCompile(`\n\n+`)
	anyField = regexp.MustCompile(`(?m)^([^:]+):`)
	// what is after the colon may begin on the next line, if it is indented
	field = regexp.MustCompile(`(?m)^([^:]+):(?:\s*[ \t\r\f\v])?([^\n]+)\s*$`)
)

// parseInfo reads an info file: paragraphs of fields.
func parseInfo(name, text string) (map[string]dictionary, error) {
	all := map[string]dictionary{}
	for _, paragraph := range between.Split(strings.Trim(text, "\n"), -1) {
		if paragraph == "" {
			continue
		}
		d := dictionary{}
		paragraph = anyField.ReplaceAllStringFunc(paragraph, lower)
		for _, m := range field.FindAllStringSubmatch(paragraph, -1) {
			if d[m[1]] = m[2]; strings.TrimSpace(m[2]) == "" {
				delete(d, m[1])
			}
		}
		language, ok := d["language"]
		if !ok || d["hash-name"] == "" {
			return nil, shell.Unsupported("a record without Language or Hash-Name in %s", name)
		}
		delete(d, "language")
		all[language] = d
	}
	return all, nil
}

// lower is perl's lc of bytes.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// update writes the database of a class from what the packages declare and, for
// hunspell, from the dictionaries that are there.
func (s *session) update(class string) error {
	files, err := glob(s.p, infoDir+"/"+class, "")
	if err != nil {
		return err
	}
	all := map[string]dictionary{}
	for _, name := range files {
		if strings.HasSuffix(name, "~") {
			continue
		}
		b, err := s.p.FS.ReadFile(name)
		if err != nil {
			return err
		}
		declared, err := parseInfo(name, string(b))
		if err != nil {
			return err
		}
		for language, d := range declared {
			d["package"] = name[strings.LastIndexByte(name, '/')+1:]
			all[language] = d
		}
	}
	if class == "hunspell" {
		if all, err = s.withInstalled(all); err != nil {
			return err
		}
	}
	return s.dump(class, all)
}

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func quote(s string) string { return "'" + quoter.Replace(s) + "'" }

// dump writes a database, which is perl code.
func (s *session) dump(class string, all map[string]dictionary) error {
	if !s.p.FS.IsDir(cacheDir) {
		if err := s.p.FS.Mkdir(cacheDir, 0o777&^s.p.Umask); err != nil {
			return err
		}
	}
	var entries []string
	for _, language := range slices.Sorted(maps.Keys(all)) {
		var fields []string
		for _, f := range slices.Sorted(maps.Keys(all[language])) {
			fields = append(fields, "     "+quote(f)+" => "+quote(all[language][f]))
		}
		entries = append(entries, "  "+quote(language)+" => {\n"+strings.Join(fields, ",\n")+"\n  }")
	}
	return s.write(cacheDir+"/"+class+".db", comment("### ")+"\npackage Debian::DictionariesCommon::dbfile;\n\n%dictionaries = (\n"+
		strings.Join(entries, ",\n")+"\n);\n\n1;\n")
}

// comment is the head of a generated file.
func comment(mark string) string {
	return mark + "This file is part of the dictionaries-common package.\n" + mark + "It has been automatically generated.\n" + mark + "DO NOT EDIT!\n"
}

// load returns the database of a class, as dump has written it.
func (s *session) load(class string) (map[string]dictionary, error) {
	b, err := s.p.FS.ReadFile(cacheDir + "/" + class + ".db")
	if errors.Is(err, fs.ErrNotExist) {
		return s.loaded, nil
	}
	if err != nil {
		return nil, err
	}
	_, text, ok := strings.Cut(string(b), "%dictionaries = (\n")
	if !ok {
		return nil, shell.Unsupported("reading %s/%s.db, which something else has written,", cacheDir, class)
	}
	s.loaded = parseDump(text)
	return s.loaded, nil
}

var (
	openEntry = regexp.MustCompile(`^\s*,?\s*'((?:[^'\\]|\\.)*)' => \{`)
	oneField  = regexp.MustCompile(`^\s*,?\s*'((?:[^'\\]|\\.)*)' => '((?:[^'\\]|\\.)*)'`)
	unquoter  = strings.NewReplacer(`\\`, `\`, `\'`, `'`)
)

func parseDump(text string) map[string]dictionary {
	all := map[string]dictionary{}
	for {
		m := openEntry.FindStringSubmatch(text)
		if m == nil {
			return all
		}
		text = text[len(m[0]):]
		d := dictionary{}
		for {
			f := oneField.FindStringSubmatch(text)
			if f == nil {
				break
			}
			text = text[len(f[0]):]
			d[unquoter.Replace(f[1])] = unquoter.Replace(f[2])
		}
		all[unquoter.Replace(m[1])] = d
		_, text, _ = strings.Cut(text, "}")
	}
}
