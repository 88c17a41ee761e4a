package dictionaries

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// The perl code that dictionaries-common shares among config scripts.
const (
	selectScript = "/usr/share/dictionaries-common/dc-debconf-select.pl"
	guessScript  = "/usr/share/dictionaries-common/dc-debconf-default-value.pl"
)

var singleClass = regexp.MustCompile(`(?m)^my \$class\s*= "(ispell|wordlist)";$`)

// Config runs the config script of dictionaries-common, or of a word list or a
// dictionary of ispell, which are in perl. ok is false where the script is none of
// these.
func Config(p *shell.Proc, ask Ask, text string) (ok bool, err error) {
	if strings.Contains(text, "dictionaries-common.config-footer") && strings.Contains(text, "sub dc_debconf_select ()") {
		return true, commonConfig(p, ask)
	}
	m := singleClass.FindStringSubmatch(text)
	if m == nil || !strings.Contains(text, `"`+selectScript+`"`) || !strings.Contains(text, "dc_debconf_select($class);") {
		return false, nil
	}
	there := p.FS.Exists(selectScript)
	if strings.Contains(text, "-e $has_elanguages") {
		there = there && p.FS.Exists("/usr/share/dictionaries-common/elanguages")
	}
	if !there {
		return true, nil
	}
	c := wordlist
	if m[1] == "ispell" {
		c = ispell
	}
	return true, choose(p, ask, c, "")
}

// commonConfig is the config script of dictionaries-common itself.
func commonConfig(p *shell.Proc, ask Ask) error {
	for _, old := range []string{
		"dictionaries-common/languages", "dictionaries-common/move_old_usr_dict", "dictionaries-common/remove_old_usr_dict_link",
		"shared/packages-ispell", "shared/packages-wordlist",
	} {
		ask(p, "unregister", old)
	}
	first := !p.FS.Exists(selectScript)
	for _, c := range []class{ispell, wordlist} {
		priority := ""
		if first {
			_, priority = guessFor(p, ask, c)
		}
		if err := choose(p, ask, c, priority); err != nil {
			return err
		}
		if priority != "" {
			ask(p, "fset", c.question(), "seen", "true")
		}
	}
	return nil
}

// languages returns what the packages of a class provide, by name of the package: the
// languages in one string.
func languages(p *shell.Proc, ask Ask, c class) (owners []string, of map[string]string) {
	of = map[string]string{}
	code, list := ask(p, "metaget", "shared/packages-"+c.name, "owners")
	if code != 0 {
		return nil, of
	}
	owners = splitPerl(comma, list)
	for _, pkg := range owners {
		if code, l := ask(p, "metaget", pkg+"/languages", "default"); code == 0 {
			of[pkg] = strings.Trim(l, spaces)
		}
	}
	return owners, of
}

// choose asks for the default of a class (dc_debconf_select). An empty priority is one
// that is not known yet.
func choose(p *shell.Proc, ask Ask, c class, priority string) error {
	_, of := languages(p, ask, c)
	choices := map[string]bool{}
	for _, list := range of {
		for _, l := range splitPerl(comma, list) {
			choices[l] = true
		}
	}
	_, list := ask(p, "metaget", c.question(), "choices-c")
	old := splitPerl(comma, list)
	if len(old) > 0 {
		old = old[:len(old)-1] // the manual entry
	}
	oldList := strings.Join(slices.SortedFunc(slices.Values(old), byLetters), ", ")
	newList := strings.Join(slices.SortedFunc(maps.Keys(choices), byLetters), ", ")
	if len(choices) == 0 {
		return nil
	}
	guess := func() {
		if !p.FS.Exists(guessScript) {
			return
		}
		if _, g := guessFor(p, ask, c); g != "" {
			priority = g
		}
	}
	if oldList == "" {
		guess()
	}
	value := current(p, ask, c, choices)
	if value == "" {
		guess()
		_, value = ask(p, "get", c.question())
	}
	if priority == "" {
		if priority = "high"; strings.HasPrefix(value, "Manual") || choices[value] {
			priority = "medium"
		}
	}
	if newList != oldList {
		ask(p, "fset", c.question(), "seen", "false")
		if p.FS.IsDir(cacheDir) {
			if err := p.FS.WriteFile(c.flag(), []byte("1\n"), 0o666&^p.Umask); err != nil {
				return err
			}
		}
	}
	if _, seen := ask(p, "fget", c.question(), "seen"); seen == "false" {
		all, shown := allChoices(p, ask, of)
		ask(p, "subst", c.question(), "choices", all)
		ask(p, "subst", c.question(), "echoices", shown)
	}
	ask(p, "input", priority, c.question())
	ask(p, "go")
	ask(p, "subst", c.question(), "echoices", newList)
	return nil
}

// current returns the default of a class: what has been noted, if there is such a
// language, and else what the question says.
func current(p *shell.Proc, ask Ask, c class, choices map[string]bool) string {
	_, value := ask(p, "get", c.question())
	noted := ""
	if b, err := p.FS.ReadFile(c.defaultFile()); err == nil {
		for line := range strings.Lines(string(b)) {
			if line = strings.Trim(line, spaces); line != "" && line[0] != '#' {
				noted = line
				break
			}
		}
	}
	if noted != "" && noted != value && choices[noted] {
		ask(p, "set", c.question(), noted)
		return noted
	}
	return value
}

// allChoices returns the languages as values and as they are shown, both in the order
// of the latter.
func allChoices(p *shell.Proc, ask Ask, of map[string]string) (values, shown string) {
	name := map[string]string{}
	for _, pkg := range slices.Sorted(maps.Keys(of)) {
		langs := splitPerl(comma, of[pkg])
		elangs := langs
		if code, l := ask(p, "metaget", pkg+"/elanguages", "default"); code == 0 {
			if e := splitPerl(comma, strings.Trim(l, spaces)); len(e) == len(langs) {
				elangs = e
			}
		}
		for i, l := range langs {
			name[l] = elangs[i]
		}
	}
	keys := slices.SortedFunc(maps.Keys(name), func(a, b string) int { return cmp.Or(byLetters(name[a], name[b]), cmp.Compare(a, b)) })
	var names []string
	for _, k := range keys {
		names = append(names, name[k])
	}
	return strings.Join(keys, ", "), strings.Join(names, ", ")
}

// equivalents are the names in packages by language, country and rank.
var equivalents = map[string]string{
	"bg": "bulgarian", "ca": "catalan", "cs": "czech", "da": "danish", "de": "ngerman", "de:1": "ogerman", "de_CH": "swiss",
	"en_US": "american", "en_US:1": "miscfiles", "en_CA": "canadian", "en_CA:1": "american", "en_GB": "british", "en_AU": "british",
	"eo": "esperanto", "es": "spanish", "fi": "finnish", "fo": "faroese", "fr": "french", "ga": "irish", "gd": "gaelic",
	"gl": "galician-minimos", "gv": "manx", "hu": "hungarian", "it": "italian", "lt": "lithuanian", "nb": "norwegian->bokma",
	"nl": "dutch", "nn": "norwegian->nynorsk", "pl": "polish", "pt": "portuguese", "pt_BR": "brazilian", "ru": "russian",
	"sv": "swedish", "tl": "tagalog", "uk": "ukrainian",
}

// guessFor chooses a default from the language of the installation and answers the
// question with it. The priority is that at which it is to be asked, "" where nothing
// was found (dc_set_default_value_for_class).
func guessFor(p *shell.Proc, ask Ask, c class) (guessed, priority string) {
	owners, _ := languages(p, ask, c)
	if len(owners) == 0 {
		return "", ""
	}
	values, defaults := map[string]string{}, map[string]string{}
	for _, pkg := range owners {
		_, values[pkg] = ask(p, "get", pkg+"/languages")
		if code, v := ask(p, "get", pkg+"/defaults"); code == 0 {
			defaults[pkg] = v
		}
	}
	language, country := locale(p, ask)
	country = strings.ToUpper(country)
	find := func(key string) bool {
		guessed = named(key, c.name[:1], values, defaults)
		return guessed != ""
	}
	if find(language+"_"+country) || find(language+"_"+country+":1") || find(language) || find(language+":1") {
		priority = "low"
	} else if slices.ContainsFunc(byLikeness(language), find) {
		priority = "medium"
	} else {
		return "", ""
	}
	if code, old := ask(p, "get", c.question()); code != 0 || old == "" || old == "0" {
		ask(p, "set", c.question(), guessed)
	}
	return guessed, priority
}

// byLikeness returns the keys of the equivalents, those of the language first, and
// then those of English.
func byLikeness(language string) []string {
	rank := func(key string) string {
		r := []byte("111")
		for i, like := range []bool{
			key == language || strings.HasPrefix(key, language+"_") || strings.HasPrefix(key, language+":"),
			strings.HasPrefix(key, "en_US"), strings.HasPrefix(key, "en_"),
		} {
			if like {
				r[i] = '0'
			}
		}
		return string(r)
	}
	return slices.SortedFunc(maps.Keys(equivalents), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

// named returns the language that a package for a key provides, "" where there is no
// such package (dc_extractlangname).
func named(key, prefix string, values, defaults map[string]string) string {
	name, variant, _ := strings.Cut(equivalents[key], "->")
	if name == "" {
		return ""
	}
	for _, suffix := range []string{"", "-insane", "-huge", "-large", "-medium", "-small", "-gut"} {
		pkg := prefix + name + suffix
		if name == "miscfiles" {
			pkg = name + suffix
		}
		text, ok := values[pkg]
		if !ok {
			continue
		}
		if d, ok := defaults[pkg]; ok {
			text = d
		}
		found := slices.DeleteFunc(splitPerl(comma, text), func(l string) bool { return !strings.Contains(lower(l), variant) })
		slices.SortFunc(found, func(a, b string) int {
			return cmp.Or(cmp.Compare(fmt.Sprint(strings.Contains(lower(a), "tex")), fmt.Sprint(strings.Contains(lower(b), "tex"))), cmp.Compare(a, b))
		})
		if len(found) == 0 {
			return ""
		}
		return found[0]
	}
	return ""
}

// locale returns language and country of the installation.
func locale(p *shell.Proc, ask Ask) (language, country string) {
	if p.FS.Exists("/etc/default/locale") {
		language = p.Getenv("LANG")
	}
	if language == "" {
		if code, l := ask(p, "get", "debian-installer/language"); code == 0 {
			language = l
		}
	}
	language = cmp.Or(language, p.Getenv("LANG"), p.Getenv("LC_MESSAGES"), p.Getenv("LC_ALL"))
	switch language {
	case "":
		return "en", "UNSET"
	case "C", "POSIX":
		language = "en"
	default:
		language, _, _ = strings.Cut(language, ":")
		if at := strings.IndexAny(language, ".@"); at >= 0 {
			language = language[:at]
		}
		language, country, _ = strings.Cut(language, "_")
	}
	if country == "" {
		code, v := ask(p, "get", "debian-installer/country")
		if country = v; code != 0 || v == "" {
			country = "unset"
		}
	}
	return strings.Trim(language, spaces), strings.Trim(country, spaces)
}
