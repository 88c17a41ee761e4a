package generate

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// emacsNames are what emacs calls the dictionaries of some locales.
var emacsNames = map[string]string{
	"cs_CZ": "czech", "da_DK": "dansk", "de_DE": "german8", "en_GB": "british", "en_US": "american", "eo": "esperanto",
	"es": "castellano8", "es_ES": "castellano8", "fi_FI": "finnish", "fr_FR": "francais", "he_IL": "hebrew", "it_IT": "italiano",
	"nl_NL": "nederlands", "nn_NO": "norsk", "pl_PL": "polish", "pt_BR": "brasileiro", "pt_PT": "portugues", "ru_RU": "russian",
	"sk_SK": "slovak", "sl_SI": "slovenian", "sv_SE": "svenska",
}

// hunspellDictionaries returns the dictionaries that packages describe, and those of
// which the files are there besides.
func hunspellDictionaries(p *shell.Proc) (map[string]dictionary, error) {
	described, err := describedDictionaries(p, dictInfo+"/hunspell")
	if err != nil || !p.FS.IsDir(hunspell) {
		return nil, err
	}
	all, err := installedDictionaries(p)
	if err != nil {
		return nil, err
	}
	names, hashes := map[string]bool{}, map[string]bool{}
	for _, d := range described {
		if name, ok := d["emacsen-name"]; ok {
			names[name] = true
			hashes[d["hash-name"]] = hashes[d["hash-name"]] || name != "english_american"
		}
	}
	maps.DeleteFunc(all, func(_ string, d dictionary) bool {
		known := func(locale string) bool { return hashes[locale] }
		return names[d["emacsen-name"]] || hashes[d["hash-name"]] || slices.ContainsFunc(strings.Split(d["hunspell-locales"], ", "), known)
	})
	maps.Copy(all, described)
	return all, nil
}

// describedDictionaries reads the descriptions that packages bring: paragraphs of
// fields.
func describedDictionaries(p *shell.Proc, dir string) (map[string]dictionary, error) {
	all := map[string]dictionary{}
	names, _ := p.FS.ReadDir(dir)
	for _, name := range names {
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		text, err := p.FS.ReadFile(dir + "/" + name)
		if err != nil {
			return nil, err
		}
		for paragraph := range strings.SplitSeq(string(text), "\n\n") {
			d := dictionary{"package": name}
			for line := range strings.Lines(paragraph) {
				line = strings.TrimSuffix(line, "\n")
				field, value, ok := strings.Cut(line, ":")
				value = strings.TrimLeft(value, " \t\r\f\v")
				if line == "" {
					continue
				}
				if !ok || field == "" || strings.ContainsAny(field, " \t'") {
					return nil, shell.Unsupported("the line %q in %s/%s", line, dir, name)
				}
				if value != "" {
					d[strings.ToLower(field)] = value
				}
			}
			if len(d) == 1 {
				continue
			}
			if d["language"] == "" || d["hash-name"] == "" {
				return nil, shell.Unsupported("a description without a language or a hash name in %s/%s", dir, name)
			}
			all[d["language"]] = d
			delete(d, "language")
		}
	}
	return all, nil
}

// installedDictionaries reads the affix files of hunspell (hunspell(5)).
func installedDictionaries(p *shell.Proc) (map[string]dictionary, error) {
	all, locales := map[string]dictionary{}, map[string][]string{}
	names, _ := p.FS.ReadDir(hunspell)
	var inputs []string
	for _, name := range names {
		lang, ok := strings.CutSuffix(name, ".aff")
		if !ok || strings.HasPrefix(name, ".") || !p.FS.Exists(hunspell+"/"+name) {
			continue
		}
		n, err := p.FS.Lstat(hunspell + "/" + name)
		if err != nil {
			return nil, err
		}
		if n.Type == tree.Symlink {
			to := strings.TrimSuffix(path.Base(n.Link), ".aff")
			locales[to] = append(locales[to], lang)
			continue
		}
		text, err := p.FS.ReadFile(hunspell + "/" + name)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, hunspell+"/"+name)
		all[lang] = affixDictionary(lang, string(text))
		locales[lang] = append(locales[lang], lang)
	}
	from(p, inputs...)
	for lang, d := range all {
		slices.Sort(locales[lang])
		d["hunspell-locales"] = strings.Join(locales[lang], ", ")
	}
	return all, nil
}

const perlSpace = " \t\n\v\f\r"

var isoSet = regexp.MustCompile(`(?i)^iso([0-9])`)

func affixDictionary(lang, text string) dictionary {
	d := dictionary{"hash-name": lang, "emacsen-name": lang, "package": "auto-detect"}
	if name, ok := emacsNames[lang]; ok {
		d["emacsen-name"] = name
	}
	value := func(word string) (string, bool) {
		for line := range strings.Lines(text) {
			if rest, ok := strings.CutPrefix(strings.TrimLeft(line, perlSpace), word); ok {
				return strings.Trim(rest, perlSpace), true
			}
		}
		return "", false
	}
	if set, ok := value("SET"); ok {
		d["coding-system"] = strings.ToLower(isoSet.ReplaceAllString(set, "iso-$1"))
	}
	if chars, ok := value("WORDCHARS"); ok {
		d["otherchars"] = "[" + chars + "]"
	}
	if chars, ok := value("TRY"); ok {
		var more, octal strings.Builder
		for i := range len(chars) {
			if chars[i] >= 0x80 {
				more.WriteByte(chars[i])
				fmt.Fprintf(&octal, `\%o`, chars[i])
			}
		}
		d["additionalchars"] = more.String()
		d["casechars"], d["not-casechars"] = "[a-zA-Z"+octal.String()+"]", "[^a-zA-Z"+octal.String()+"]"
	}
	return d
}
