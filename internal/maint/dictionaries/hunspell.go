package dictionaries

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// emacsNames are the names that Emacs has for some dictionaries.
var emacsNames = map[string]string{
	"cs_CZ": "czech", "da_DK": "dansk", "de_DE": "german8", "en_GB": "british", "en_US": "american", "eo": "esperanto",
	"es": "castellano8", "es_ES": "castellano8", "fi_FI": "finnish", "fr_FR": "francais", "he_IL": "hebrew", "it_IT": "italiano",
	"nl_NL": "nederlands", "nn_NO": "norsk", "pl_PL": "polish", "pt_BR": "brasileiro", "pt_PT": "portugues", "ru_RU": "russian",
	"sk_SK": "slovak", "sl_SI": "slovenian", "sv_SE": "svenska",
}

var (
	affixEnd = regexp.MustCompile(`(?s).aff$`)
	isoName  = regexp.MustCompile(`(?i)^iso(\d)`)
)

// affixName is the name of the dictionary of an affix file.
func affixName(path string) string {
	return affixEnd.ReplaceAllString(path[strings.LastIndexAny(path, `/\`)+1:], "")
}

// option returns the value of an option of an affix file (hunspell(5)).
func option(name string, lines []string) (string, bool) {
	for _, line := range lines {
		if v, ok := strings.CutPrefix(strings.TrimLeft(line, spaces), name); ok {
			return strings.Trim(v, spaces), true
		}
	}
	return "", false
}

const spaces = " \t\n\r\f\v"

// describe makes the record of a dictionary from its affix file.
func describe(name, affix string) dictionary {
	d := dictionary{"hash-name": name, "emacsen-name": name, "package": "auto-detect"}
	lines := strings.Split(affix, "\n")
	if v, ok := option("SET", lines); ok {
		d["coding-system"] = lower(isoName.ReplaceAllString(v, "iso-$1"))
	}
	if v, ok := option("WORDCHARS", lines); ok {
		d["otherchars"] = "[" + v + "]"
	}
	if v, ok := option("TRY", lines); ok {
		var beyond, octal strings.Builder
		for i := range len(v) {
			if v[i] >= 0x80 {
				beyond.WriteByte(v[i])
				fmt.Fprintf(&octal, `\%o`, v[i])
			}
		}
		d["additionalchars"] = beyond.String()
		d["casechars"] = "[a-zA-Z" + octal.String() + "]"
		d["not-casechars"] = "[^a-zA-Z" + octal.String() + "]"
	}
	return d
}

// withInstalled adds the dictionaries of hunspell that are there to those that are
// declared, which come first.
func (s *session) withInstalled(declared map[string]dictionary) (map[string]dictionary, error) {
	if !s.p.FS.IsDir(hunspellDir) {
		return map[string]dictionary{}, nil
	}
	found, locales, err := s.installed()
	if err != nil {
		return nil, err
	}
	names, hashes := map[string]bool{}, map[string]bool{}
	for _, d := range declared {
		if name, ok := d["emacsen-name"]; ok {
			names[name] = true
			if name != "english_american" {
				hashes[d["hash-name"]] = true
			}
		}
	}
	for lang, d := range found {
		known := names[d["emacsen-name"]] || hashes[lang]
		for locale := range locales[lang] {
			known = known || hashes[locale]
		}
		if known {
			delete(found, lang)
		}
	}
	maps.Copy(found, declared)
	return found, nil
}

// installed returns the dictionaries of hunspell that are there, and for each the
// locales that it is for: its own and those of the links to it.
func (s *session) installed() (map[string]dictionary, map[string]map[string]bool, error) {
	files, err := glob(s.p, hunspellDir, ".aff")
	if err != nil {
		return nil, nil, err
	}
	found, locales := map[string]dictionary{}, map[string]map[string]bool{}
	for _, file := range files {
		n, err := s.p.FS.Lstat(file)
		if err != nil {
			return nil, nil, err
		}
		if !s.p.FS.Exists(file) {
			continue // a link to nothing
		}
		lang, of := affixName(file), affixName(file)
		if n.Type == tree.Symlink {
			of = affixName(n.Link)
		} else {
			b, err := s.p.FS.ReadFile(file)
			if err != nil {
				return nil, nil, err
			}
			found[lang] = describe(lang, string(b))
		}
		if locales[of] == nil {
			locales[of] = map[string]bool{}
		}
		locales[of][lang] = true
	}
	for lang, d := range found {
		d["hunspell-locales"] = strings.Join(slices.Sorted(maps.Keys(locales[lang])), ", ")
		if name, ok := emacsNames[lang]; ok {
			d["emacsen-name"] = name
		}
	}
	return found, locales, nil
}
