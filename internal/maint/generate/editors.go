package generate

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// supportEditors writes what emacs, squirrelmail and, if asked, jed read.
func supportEditors(p *shell.Proc, jed bool) error {
	all, err := readDictionaries(p)
	if err != nil {
		return err
	}
	lisp, err := emacsDictionaries(all)
	if err != nil {
		return err
	}
	if err := p.FS.WriteFile(dictCache+"/emacsen-ispell-dicts.el", []byte(commented(";;; ")+lisp), 0o644); err != nil {
		return err
	}
	if err := p.FS.WriteFile(dictCache+"/sqspell.php", []byte(squirrelDictionaries(all)), 0o644); err != nil || !jed {
		return err
	}
	return p.FS.WriteFile(dictCache+"/jed-ispell-dicts.sl", []byte(commented("%%% ")), 0o644)
}

var (
	enchantHash = regexp.MustCompile(`^[a-z]{2}(|_[A-Z]{2})$`)
	namesHash   = regexp.MustCompile(`( |^)-d`)
	inBrackets  = regexp.MustCompile(`^.*\((.+)\)$`)
	texVariant  = regexp.MustCompile(`(?i)[^a-z]tex[^a-z]`)
)

func (d dictionary) or(field, other string) string {
	if value, ok := d[field]; ok {
		return value
	}
	return other
}

func (d dictionary) emacsName() string { return d.or("emacsen-name", d["hash-name"]) }

// emacsDictionaries returns the lists of dictionaries for emacs: those of hunspell,
// and those of them that enchant finds by their locale.
func emacsDictionaries(all map[string]dictionary) (string, error) {
	enchant := map[string]dictionary{}
	taken := map[string]bool{}
	for name, d := range all {
		if !enchantHash.MatchString(d["hash-name"]) {
			continue
		}
		if taken[d.emacsName()] {
			return "", shell.Unsupported("two dictionaries of hunspell with the name %s", d.emacsName())
		}
		taken[d.emacsName()] = true
		enchant[name] = d
	}
	lists, equivalents := "", "\n\n;; No emacsen-aspell-equivs entries were found\n"
	for _, class := range []struct {
		name string
		all  map[string]dictionary
	}{{"hunspell", all}, {"enchant", enchant}} {
		list, locales := emacsClass(class.name, class.all)
		lists += list
		if len(locales) == 0 {
			equivalents += "\n\n;; No emacsen-" + class.name + "-equivs entries were found\n"
			continue
		}
		text := "\n\n;; An alist that will try to map CLASS locales to emacsen names\n\n(setq debian-CLASS-equivs-alist '(\n"
		for _, locale := range slices.Sorted(maps.Keys(locales)) {
			text += "     (\"" + locale + "\" \"" + locales[locale] + "\")\n"
		}
		text += "))\n\n;; Get default value for debian-CLASS-dictionary. Will be used if\n" +
			";; spellchecker is CLASS and ispell-local-dictionary is not set.\n" +
			";; We need to get it here, after debian-CLASS-equivs-alist is loaded\n\n" +
			"(setq debian-CLASS-dictionary (debian-ispell-get-CLASS-default))\n\n"
		equivalents += strings.ReplaceAll(text, "CLASS", class.name)
	}
	return lists + equivalents, nil
}

// emacsClass returns the list of one class, and the names by locale.
func emacsClass(class string, all map[string]dictionary) (list string, locales map[string]string) {
	entries := map[string]string{}
	locales = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		d := all[key]
		if d["emacs-display"] == "no" {
			continue
		}
		arguments := d.or("ispell-args", "-d "+d["hash-name"])
		if !namesHash.MatchString(arguments) {
			arguments += " -d " + d["hash-name"]
		}
		many, extended := "nil", "nil"
		if d["many-otherchars"] == "yes" {
			many = "t"
		}
		if mode, ok := d["extended-character-mode"]; ok {
			extended = `"` + mode + `"`
		}
		others := d.or("otherchars", "[']")
		if !strings.Contains(others, `\"`) {
			others = strings.Replace(others, `"`, `\"`, 1)
		}
		for name := range strings.SplitSeq(d.or("emacsen-names", d.emacsName()), ",") {
			name = strings.TrimLeft(name, perlSpace)
			entries[name] = strings.Join([]string{
				`"` + name + `"`, `"` + d.or("casechars", "[a-zA-Z]") + `"`, `"` + d.or("not-casechars", "[^a-zA-Z]") + `"`, `"` + others + `"`,
				many, `("` + strings.Join(strings.Fields(arguments), `" "`) + `")`, extended, strings.ToLower(d.or("coding-system", "nil")),
			}, "\n     ")
			for locale := range strings.SplitSeq(d["hunspell-locales"], ",") {
				if locale = strings.Trim(locale, perlSpace); locale != "" {
					locales[locale] = name
				}
			}
		}
	}
	if len(entries) == 0 {
		return "", locales
	}
	list = "\n;; Adding " + class + " dicts\n\n"
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(entries))) {
		list += "(add-to-list 'debian-" + class + "-only-dictionary-alist\n  '(" + entries[name] + "))\n"
	}
	return list + "\n", locales
}

// squirrelDictionaries returns the list of dictionaries for squirrelmail.
func squirrelDictionaries(all map[string]dictionary) string {
	var list []string
	for key, d := range all {
		name, ok := d["squirrelmail"]
		if texVariant.MatchString(key) || strings.EqualFold(name, "no") {
			continue
		}
		if !ok {
			m := inBrackets.FindStringSubmatch(key)
			if m == nil {
				continue
			}
			name = m[1]
		}
		hash, chars, mode := "-d "+d["hash-name"], "", ""
		if c, ok := d["additionalchars"]; ok {
			chars = "-w " + c
		}
		if m, ok := d["extended-character-mode"]; ok {
			mode = "-T " + strings.TrimPrefix(m, "~")
		}
		for _, argument := range strings.Fields(d["ispell-args"]) {
			if strings.HasPrefix(argument, "-d") {
				hash = ""
			}
		}
		list = append(list, "  '"+name+" (hunspell)' => 'hunspell -a "+strings.Join([]string{hash, chars, mode, d["ispell-args"]}, " ")+"'")
	}
	slices.Sort(list)
	return "<?php\n" + commented("### ") + "$SQSPELL_APP = array (\n" + strings.Join(list, ",\n") + "\n);\n"
}
