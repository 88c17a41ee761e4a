package dictionaries

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// or returns a field, or what stands for one that is not there.
func (d dictionary) or(name, otherwise string) string {
	if v, ok := d[name]; ok {
		return v
	}
	return otherwise
}

var (
	comma      = regexp.MustCompile(`\s*,\s*`)
	commaAfter = regexp.MustCompile(`,\s*`)
	blank      = regexp.MustCompile(`\s+`)
	dictOption = regexp.MustCompile(`( |^)-d`)
	plainHash  = regexp.MustCompile(`^[a-z]{2}(|_[A-Z]{2})\n?$`)
	texVariant = regexp.MustCompile(`(?i)[^a-z]tex[^a-z]`)
	inBrackets = regexp.MustCompile(`^(.*)\((.+)\)\n?$`)
)

// splitPerl is perl's split, which drops what is empty at the end.
func splitPerl(by *regexp.Regexp, s string) []string {
	if s == "" {
		return nil
	}
	parts := by.Split(s, -1)
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// enchant returns the dictionaries that enchant finds: those of hunspell, and then of
// aspell.
func (s *session) enchant() (map[string]dictionary, error) {
	merged, names := map[string]dictionary{}, map[string]bool{}
	for _, class := range []string{"hunspell", "aspell"} {
		all, err := s.load(class)
		if err != nil {
			return nil, err
		}
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if merged[k] != nil {
				continue
			}
			d := all[k]
			if l, ok := d[class+"-locales"]; ok {
				d["enchant-locales"] = l
			}
			name := d.or("emacsen-name", d["hash-name"])
			if !plainHash.MatchString(d["hash-name"]) || names[name] {
				continue
			}
			merged[k], names[name] = d, true
		}
	}
	return merged, nil
}

// emacsEntry is what Emacs is told of a dictionary, the items of a list.
func emacsEntry(name string, d dictionary) []string {
	many := "nil"
	if d["many-otherchars"] == "yes" {
		many = "t"
	}
	args := d.or("ispell-args", "-d "+d["hash-name"])
	if !dictOption.MatchString(args) {
		args += " -d " + d["hash-name"]
	}
	others := d.or("otherchars", "[']")
	if !strings.Contains(others, `\"`) {
		others = strings.Replace(others, `"`, `\"`, 1)
	}
	mode := "nil"
	if m, ok := d["extended-character-mode"]; ok {
		mode = `"` + m + `"`
	}
	return []string{
		`"` + name + `"`, `"` + d.or("casechars", "[a-zA-Z]") + `"`, `"` + d.or("not-casechars", "[^a-zA-Z]") + `"`, `"` + others + `"`,
		many, `("` + strings.Join(splitPerl(blank, args), `" "`) + `")`, mode, lower(d.or("coding-system", "nil")),
	}
}

// emacsen writes what Emacs is told: the dictionaries of each checker, and which is
// for what locale.
func (s *session) emacsen() error {
	var entries, locales strings.Builder
	for _, class := range []string{"ispell", "aspell", "hunspell", "enchant"} {
		load := func() (map[string]dictionary, error) { return s.load(class) }
		if class == "enchant" {
			load = s.enchant
		}
		all, err := load()
		if err != nil {
			return err
		}
		found, of := map[string][]string{}, map[string]string{}
		for _, k := range slices.Sorted(maps.Keys(all)) {
			d := all[k]
			if d["emacs-display"] == "no" {
				continue
			}
			name := d.or("emacsen-name", d["hash-name"])
			for _, name := range splitPerl(commaAfter, d.or("emacsen-names", name)) {
				found[name] = emacsEntry(name, d)
				for _, locale := range splitPerl(comma, d[class+"-locales"]) {
					of[locale] = name
				}
			}
		}
		writeEntries(&entries, class, found)
		if class != "ispell" {
			writeLocales(&locales, class, of)
		}
	}
	return s.write(cacheDir+"/emacsen-ispell-dicts.el", comment(";;; ")+entries.String()+locales.String())
}

func writeEntries(b *strings.Builder, class string, found map[string][]string) {
	if len(found) == 0 {
		return
	}
	b.WriteString("\n;; Adding " + class + " dicts\n\n")
	names := slices.Sorted(maps.Keys(found))
	slices.Reverse(names)
	for _, name := range names {
		b.WriteString("(add-to-list 'debian-" + class + "-only-dictionary-alist\n  '(" + strings.Join(found[name], "\n     ") + "))\n")
	}
	b.WriteString("\n")
}

func writeLocales(b *strings.Builder, class string, of map[string]string) {
	if len(of) == 0 {
		b.WriteString("\n\n;; No emacsen-" + class + "-equivs entries were found\n")
		return
	}
	b.WriteString("\n\n;; An alist that will try to map " + class + " locales to emacsen names\n\n(setq debian-" + class + "-equivs-alist '(\n")
	for _, locale := range slices.Sorted(maps.Keys(of)) {
		b.WriteString(`     ("` + locale + `" "` + of[locale] + "\")\n")
	}
	b.WriteString("))\n\n;; Get default value for debian-" + class + "-dictionary. Will be used if\n;; spellchecker is " + class +
		" and ispell-local-dictionary is not set.\n;; We need to get it here, after debian-" + class + "-equivs-alist is loaded\n\n(setq debian-" +
		class + "-dictionary (debian-ispell-get-" + class + "-default))\n\n")
}

// jed writes what Jed is told of dictionaries, which are those of aspell and ispell.
func (s *session) jed() error {
	for _, class := range []string{"aspell", "ispell"} {
		all, err := s.load(class)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return shell.Unsupported("registering dictionaries of %s", class)
		}
	}
	return s.write(cacheDir+"/jed-ispell-dicts.sl", comment("%%% "))
}

// squirrelmail writes the checkers' command lines for SquirrelMail, as PHP.
func (s *session) squirrelmail() error {
	var list []string
	for _, class := range []string{"aspell", "ispell", "hunspell"} {
		all, err := s.load(class)
		if err != nil {
			return err
		}
		for language, d := range all {
			if texVariant.MatchString(language) {
				continue
			}
			name, ok := d["squirrelmail"]
			if ok && lower(name) == "no" {
				continue
			}
			if !ok {
				m := inBrackets.FindStringSubmatch(language)
				if m == nil {
					continue
				}
				name = m[2]
			}
			list = append(list, "  '"+name+" ("+class+")' => '"+class+" -a "+parameters(d)+"'")
		}
	}
	slices.Sort(list)
	return s.write(cacheDir+"/sqspell.php", "<?php\n"+comment("### ")+"$SQSPELL_APP = array (\n"+strings.Join(list, ",\n")+"\n);\n")
}

// parameters are the options of a checker for a dictionary.
func parameters(d dictionary) string {
	hash, chars, mode, args := "", "", "", ""
	if v, ok := d["hash-name"]; ok {
		hash = "-d " + v
	}
	if v, ok := d["additionalchars"]; ok {
		chars = "-w " + v
	}
	if v, ok := d["extended-character-mode"]; ok {
		mode = "-T " + strings.TrimPrefix(v, "~")
	}
	if v, ok := d["ispell-args"]; ok {
		args = v
		for _, a := range splitPerl(blank, v) {
			if strings.HasPrefix(a, "-d") {
				hash = ""
			}
		}
	}
	return hash + " " + chars + " " + mode + " " + args
}
