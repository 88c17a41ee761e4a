package generate

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Where pg_updatedicts finds dictionaries, and where it puts them.
const (
	pgCache = "/var/cache/postgresql/dicts"
	pgShare = "/usr/share/postgresql"
)

var (
	pgSources = []string{"/usr/share/hunspell", "/usr/share/myspell/dicts"}
	pgVersion = regexp.MustCompile(`^[0-9]+\.?[0-9]+$`)
	affixSet  = regexp.MustCompile(`(?m)^SET ([0-9A-Za-z_-]+)[ \t\r\f\v]*$`)
)

// pgUpdateDicts is pg_updatedicts(1): dictionaries of myspell and hunspell for the
// search in texts that PostgreSQL has.
func pgUpdateDicts(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) != 1 {
		return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
	}
	if err := p.FS.MkdirAll(pgCache, 0o755); err != nil {
		return fail(p, err)
	}
	fmt.Fprintln(p.Stdout, "Building PostgreSQL dictionaries from installed myspell/hunspell packages...")
	current := map[string]bool{}
	for _, dir := range pgSources {
		names, _ := p.FS.ReadDir(dir)
		for _, name := range names {
			aff := dir + "/" + name
			if n, err := p.FS.Lstat(aff); !strings.HasSuffix(name, ".aff") || strings.HasPrefix(name, ".") || err != nil || n.Type == tree.Symlink {
				continue
			}
			if err := pgDictionary(p, strings.TrimSuffix(aff, ".aff"), current); err != nil {
				return fail(p, err)
			}
		}
	}
	fmt.Fprintln(p.Stdout, "Removing obsolete dictionary files:")
	if err := pgObsolete(p, current); err != nil {
		return fail(p, err)
	}
	return 0, nil
}

// pgDictionary makes the files of one dictionary, which current notes.
func pgDictionary(p *shell.Proc, stem string, current map[string]bool) error {
	if !isFile(p, stem+".dic") {
		fmt.Fprintf(p.Stderr, "ERROR: %s.aff does not have corresponding %s.dic, ignoring\n", stem, stem)
		return nil
	}
	affix, err := p.FS.ReadFile(stem + ".aff")
	if err != nil {
		return err
	}
	set := affixSet.FindSubmatch(affix)
	if set == nil {
		fmt.Fprintf(p.Stderr, "ERROR: no encoding defined in %s.aff, ignoring\n", stem)
		return nil
	}
	words, err := p.FS.ReadFile(stem + ".dic")
	if err != nil {
		return err
	}
	locale := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, path.Base(stem))
	made := []string{locale + ".affix", locale + ".dict"}
	from(p, stem+".aff", stem+".dic")
	fmt.Fprintf(p.Stdout, "  %s\n", locale)
	for i, text := range [][]byte{affix, words} {
		current[pgCache+"/"+made[i]] = true
		utf, err := toUTF8(string(set[1]), text)
		if err != nil {
			return fmt.Errorf("%s: %w", stem, err)
		}
		if err := p.FS.WriteFile(pgCache+"/"+made[i], utf, 0o644); err != nil {
			return err
		}
	}
	for _, v := range pgVersions(p) {
		if err := pgLinks(p, pgShare+"/"+v+"/tsearch_data", made, current); err != nil {
			return err
		}
	}
	return nil
}

// toUTF8 is iconv(1) to UTF-8.
func toUTF8(from string, text []byte) ([]byte, error) {
	switch strings.ToUpper(from) {
	case "UTF-8", "UTF8":
		if !utf8.Valid(text) {
			return nil, shell.Unsupported("a dictionary that is not in UTF-8, as it says,")
		}
		return text, nil
	case "ISO8859-1", "ISO-8859-1":
		var b strings.Builder
		for _, c := range text {
			b.WriteRune(rune(c))
		}
		return []byte(b.String()), nil
	}
	return nil, shell.Unsupported("a dictionary in %s", from)
}

// pgVersions returns the versions of PostgreSQL that are installed.
func pgVersions(p *shell.Proc) []string {
	var found []string
	names, _ := p.FS.ReadDir("/usr/lib/postgresql")
	for _, v := range names {
		if isFile(p, "/usr/lib/postgresql/"+v+"/bin/postgres") {
			found = append(found, v)
		}
	}
	names, _ = p.FS.ReadDir("/etc/postgresql")
	for _, v := range names {
		clusters, _ := p.FS.ReadDir("/etc/postgresql/" + v)
		for _, c := range clusters {
			if p.FS.Exists("/etc/postgresql/" + v + "/" + c + "/postgresql.conf") {
				found = append(found, v)
			}
		}
	}
	found = slices.DeleteFunc(found, func(v string) bool { return !pgVersion.MatchString(v) })
	slices.Sort(found)
	return slices.Compact(found)
}

// pgListClusters is pg_lsclusters(1) where there are none.
func pgListClusters(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) != 2 || p.Args[1] != "-h" {
		return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
	}
	versions, _ := p.FS.ReadDir("/etc/postgresql")
	for _, v := range versions {
		if clusters, _ := p.FS.ReadDir("/etc/postgresql/" + v); pgVersion.MatchString(v) && len(clusters) > 0 {
			return 0, shell.Unsupported("pg_lsclusters with the cluster %s/%s", v, clusters[0])
		}
	}
	return 0, nil
}

// pgLinks links the files of a dictionary into the directory of a version.
func pgLinks(p *shell.Proc, dir string, made []string, current map[string]bool) error {
	if !p.FS.IsDir(dir) {
		return nil
	}
	for _, name := range made {
		current[dir+"/"+name] = true
	}
	for _, name := range made {
		if n, err := p.FS.Lstat(dir + "/" + name); err == nil && n.Type != tree.Symlink {
			return nil // the administrator's
		}
	}
	for _, name := range made {
		if _, err := p.FS.Lstat(dir + "/" + name); err == nil {
			if err := p.FS.Remove(dir + "/" + name); err != nil {
				return err
			}
		}
		if err := p.FS.Symlink(pgCache+"/"+name, dir+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// pgObsolete removes what is there of dictionaries that are not.
func pgObsolete(p *shell.Proc, current map[string]bool) error {
	var old []string
	names, _ := p.FS.ReadDir(pgCache)
	for _, name := range names {
		old = append(old, pgCache+"/"+name)
	}
	versions, _ := p.FS.ReadDir(pgShare)
	for _, suffix := range []string{".affix", ".dict"} {
		for _, v := range versions {
			dir := pgShare + "/" + v + "/tsearch_data"
			names, _ := p.FS.ReadDir(dir)
			for _, name := range names {
				if n, err := p.FS.Lstat(dir + "/" + name); err == nil && n.Type == tree.Symlink && strings.HasSuffix(name, suffix) {
					old = append(old, dir+"/"+name)
				}
			}
		}
	}
	for _, name := range old {
		if current[name] || strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		fmt.Fprintf(p.Stdout, "  %s\n", name)
		if err := p.FS.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
