package debconf

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// The codes of the protocol (Debconf specification, "Configuration management
// commands").
const (
	success      = 0
	escapedData  = 1
	badParams    = 10
	syntaxError  = 20
	invisible    = 30
	badVersion   = 30
	internal     = 100
	protocol     = "2.0"
	wrongNumber  = "Incorrect number of arguments"
	capabilities = "multiselect escape "
)

// reply is one line of the answers: the code, and a text after a space. A text
// that is empty has its space all the same.
type reply string

const done reply = "0" // success, without a text

func say(code int, text string) reply { return reply(strconv.Itoa(code) + " " + text) }

// request is one line of the protocol.
type request struct {
	*shell.Proc
	args []string
}

// arity is how many arguments a command takes; most of -1 is no bound.
type arity struct{ least, most int }

var commands = map[string]struct {
	arity
	do func(*Debconf, request) reply
}{
	"beginblock": {arity{0, -1}, (*Debconf).nothing}, "endblock": {arity{0, -1}, (*Debconf).nothing},
	"title": {arity{0, -1}, (*Debconf).nothing}, "clear": {arity{0, 0}, (*Debconf).clear},
	"settitle": {arity{1, 1}, (*Debconf).settitle}, "info": {arity{0, 1}, (*Debconf).info},
	"version": {arity{0, 1}, (*Debconf).version}, "capb": {arity{0, -1}, (*Debconf).capb},
	"input": {arity{2, 2}, (*Debconf).input}, "go": {arity{0, 0}, (*Debconf).goOn},
	"get": {arity{1, 1}, (*Debconf).get}, "set": {arity{1, -1}, (*Debconf).set}, "reset": {arity{1, 1}, (*Debconf).reset},
	"subst": {arity{2, -1}, (*Debconf).subst}, "fget": {arity{2, 2}, (*Debconf).fget}, "fset": {arity{3, -1}, (*Debconf).fset},
	"metaget": {arity{2, 2}, (*Debconf).metaget}, "register": {arity{2, 2}, (*Debconf).registerQuestion},
	"unregister": {arity{1, 1}, (*Debconf).unregister}, "purge": {arity{0, 0}, (*Debconf).purge},
	"progress": {arity{1, -1}, (*Debconf).progress}, "data": {arity{3, -1}, (*Debconf).data},
	"visible": {arity{2, 2}, (*Debconf).visible}, "exist": {arity{1, 1}, (*Debconf).exist},
	"x_loadtemplatefile": {arity{1, 2}, (*Debconf).loadFile},
}

// process answers one line of the protocol.
func (d *Debconf) process(p *shell.Proc, line string) reply {
	words := strings.Fields(line)
	if d.escape {
		words = unescapeSplit(line)
	}
	if len(words) == 0 {
		return say(syntaxError, `Bad line "`+line+`" received from confmodule.`)
	}
	name := strings.ToLower(words[0])
	if name == "stop" {
		d.stopped = true
		return done
	}
	c, ok := commands[name]
	if !ok {
		return say(syntaxError, `Unsupported command "`+name+`" (full line was "`+line+`") received from confmodule.`)
	}
	if n := len(words) - 1; n < c.least || c.most >= 0 && n > c.most {
		return say(syntaxError, wrongNumber)
	}
	r := c.do(d, request{p, words[1:]})
	if text, ok := strings.CutPrefix(string(r), "0 "); ok && d.escape && (name == "get" || name == "metaget") {
		return say(escapedData, escaped(text))
	}
	first, _, _ := strings.Cut(string(r), "\n")
	return reply(first)
}

// unescapeSplit splits a line of the escaped protocol into words.
func unescapeSplit(line string) []string {
	var words []string
	var word strings.Builder
	in := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			in = true
			if line[i] == 'n' {
				word.WriteByte('\n')
			} else {
				word.WriteByte(line[i])
			}
		case c == ' ' || c == '\t':
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			in = true
			word.WriteByte(c)
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

func escaped(s string) string { return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s) }

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] == 'n' {
				b.WriteByte('\n')
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (d *Debconf) nothing(request) reply { return done }

func unknown(name string) reply { return say(badParams, name+" doesn't exist") }

func unknownQuoted(name string) reply { return say(badParams, `"`+name+`" doesn't exist`) }

func (d *Debconf) clear(request) reply { d.pending = nil; return done }

func (d *Debconf) settitle(r request) reply {
	if d.questions[r.args[0]] == nil {
		return unknownQuoted(r.args[0])
	}
	return done
}

func (d *Debconf) info(r request) reply {
	if len(r.args) == 1 && d.questions[r.args[0]] == nil {
		return unknownQuoted(r.args[0])
	}
	return done
}

func (d *Debconf) version(r request) reply {
	if len(r.args) == 1 {
		major, _ := strconv.Atoi(strings.SplitN(r.args[0], ".", 2)[0])
		if major < 2 {
			return say(badVersion, "Version too low ("+r.args[0]+")")
		}
		if major > 2 {
			return say(badVersion, "Version too high ("+r.args[0]+")")
		}
	}
	return say(success, protocol)
}

func (d *Debconf) capb(r request) reply {
	d.escape = slices.Contains(r.args, "escape")
	return say(success, capabilities)
}

func (d *Debconf) input(r request) reply {
	name := r.args[1]
	if d.questions[name] == nil {
		return unknownQuoted(name)
	}
	if !slices.Contains([]string{"low", "medium", "high", "critical"}, r.args[0]) {
		return say(syntaxError, `"`+r.args[0]+`" is not a valid priority`)
	}
	d.pending = append(d.pending, name)
	return say(invisible, "question skipped")
}

// goOn gives the questions of the input before it their answers without asking: a
// value that is none of the choices becomes the first of them.
func (d *Debconf) goOn(request) reply {
	for _, name := range d.pending {
		q := d.questions[name]
		if q == nil {
			continue
		}
		v := d.value(q)
		switch d.templates[q.template]["type"] {
		case "select":
			choices := split(d.expand(q, d.templates[q.template].get("choices-c")))
			if !slices.Contains(choices, v) {
				if v = ""; len(choices) > 0 {
					v = choices[0]
				}
			}
		case "error", "text":
			v = ""
		}
		q.value = &v
	}
	d.pending = nil
	return say(success, "ok")
}

var separator = regexp.MustCompile(`\\[, ]|,\s+`)

// split splits a list of choices at commas; "\," and "\ " stand for themselves.
func split(list string) []string {
	var items []string
	var item strings.Builder
	at := 0
	for _, m := range separator.FindAllStringIndex(list, -1) {
		item.WriteString(list[at:m[0]])
		if list[m[0]] == '\\' {
			item.WriteByte(list[m[0]+1])
		} else {
			items = append(items, item.String())
			item.Reset()
		}
		at = m[1]
	}
	if item.WriteString(list[at:]); item.Len() > 0 {
		items = append(items, item.String())
	}
	return items
}

var variable = regexp.MustCompile(`(?s)(\\?)\$\{([^{}]+)\}`)

// expand puts the values of SUBST into a text.
func (d *Debconf) expand(q *question, text string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		parts := variable.FindStringSubmatch(m)
		if parts[1] != "" {
			return "${" + parts[2] + "}"
		}
		return q.vars[parts[2]]
	})
}

func (d *Debconf) get(r request) reply {
	q := d.questions[r.args[0]]
	if q == nil {
		return unknown(r.args[0])
	}
	return say(success, (d.value(q)))
}

func (d *Debconf) set(r request) reply {
	q := d.questions[r.args[0]]
	if q == nil {
		return unknown(r.args[0])
	}
	v := strings.Join(r.args[1:], " ")
	q.value = &v
	return say(success, "value set")
}

func (d *Debconf) reset(r request) reply {
	q := d.questions[r.args[0]]
	if q == nil {
		return unknown(r.args[0])
	}
	v := d.templates[q.template].get("default")
	q.value, q.flags["seen"] = &v, "false"
	return done
}

func (d *Debconf) subst(r request) reply {
	q := d.questions[r.args[0]]
	if q == nil {
		return unknown(r.args[0])
	}
	q.vars[r.args[1]] = strings.Join(r.args[2:], " ")
	return done
}

func (d *Debconf) fget(r request) reply {
	q := d.questions[r.args[0]]
	if q == nil {
		return unknown(r.args[0])
	}
	flag, not := r.args[1], false
	if flag == "isdefault" {
		flag, not = "seen", true
	}
	if (q.flags[flag] == "true") != not {
		return say(success, "true")
	}
	if v := q.flags[flag]; v != "" && !not {
		return say(success, v)
	}
	return say(success, "false")
}

func (d *Debconf) fset(r request) reply {
	q := d.questions[r.args[0]]
	if q == nil {
		return unknown(r.args[0])
	}
	flag, v := r.args[1], strings.Join(r.args[2:], " ")
	if flag == "isdefault" { // the old name for the opposite of seen
		q.flags["seen"] = strconv.FormatBool(v != "true")
		return say(success, strconv.FormatBool(v == "true"))
	}
	q.flags[flag] = v
	return say(success, v)
}

func (d *Debconf) metaget(r request) reply {
	q := d.questions[r.args[0]]
	if q == nil {
		return unknown(r.args[0])
	}
	field := strings.ToLower(r.args[1])
	base, _, _ := strings.Cut(field, "-")
	switch base {
	case "value":
		return say(success, (d.value(q)))
	case "owners":
		owners := slices.Sorted(slices.Values(q.owners))
		return say(success, strings.Join(owners, ", "))
	case "description", "extended_description", "choices":
		return say(success, (d.expand(q, d.templates[q.template].get(field))))
	}
	return say(success, (d.templates[q.template].get(field)))
}

func (d *Debconf) registerQuestion(r request) reply {
	t, name := r.args[0], r.args[1]
	if d.questions[t] == nil {
		return say(badParams, `No such template, "`+t+`"`)
	}
	q := d.questions[name]
	if q == nil {
		q = d.register(name, t, d.owner)
	}
	q.template = t
	if !slices.Contains(q.owners, d.owner) {
		q.owners = append(q.owners, d.owner)
	}
	return done
}

func (d *Debconf) disown(name string) {
	q := d.questions[name]
	q.owners = slices.DeleteFunc(q.owners, func(o string) bool { return o == d.owner })
	if len(q.owners) == 0 {
		delete(d.questions, name)
	}
}

func (d *Debconf) unregister(r request) reply {
	name := r.args[0]
	if d.questions[name] == nil {
		return unknown(name)
	}
	if slices.Contains(d.pending, name) {
		return say(badParams, name+" is busy, cannot unregister right now")
	}
	d.disown(name)
	return done
}

func (d *Debconf) purge(request) reply {
	for name := range d.questions {
		d.disown(name)
	}
	return done
}

func (d *Debconf) progress(r request) reply {
	n := len(r.args) - 1
	want, ok := map[string]int{"start": 3, "set": 1, "step": 1, "info": 1, "stop": 0}[strings.ToLower(r.args[0])]
	if !ok {
		return say(syntaxError, "Unknown subcommand")
	}
	if n != want {
		return say(syntaxError, wrongNumber)
	}
	if name := r.args[n]; (want == 3 || strings.EqualFold(r.args[0], "info")) && d.questions[name] == nil {
		return unknown(name)
	}
	return say(success, "OK")
}

func (d *Debconf) data(r request) reply {
	name, item := r.args[0], strings.ToLower(r.args[1])
	value := unescape(strings.Join(r.args[2:], " "))
	t := d.templates[name]
	switch {
	case t == nil && item != "type":
		return say(badParams, "Template data field '"+r.args[1]+"' received before type field")
	case t != nil && item == "type":
		return say(badParams, "Template type already set")
	case t == nil:
		d.templates[name] = template{"type": value}
		d.register(name, name, d.owner)
	default:
		t[item] = value
	}
	return done
}

func (d *Debconf) visible(r request) reply {
	q := d.questions[r.args[1]]
	if q == nil {
		return unknown(r.args[1])
	}
	high := r.args[0] == "high" || r.args[0] == "critical"
	return say(success, strconv.FormatBool(high && q.flags["seen"] != "true"))
}

func (d *Debconf) exist(r request) reply {
	return say(success, strconv.FormatBool(d.questions[r.args[0]] != nil))
}

func (d *Debconf) loadFile(r request) reply {
	owner := d.owner
	if len(r.args) > 1 {
		owner = r.args[1]
	}
	text, err := r.FS.ReadFile(r.Path(r.args[0]))
	if err != nil {
		return say(badParams, "failed to open "+r.args[0]+": No such file or directory")
	}
	if err := d.load(string(text), owner); err != nil {
		return say(internal, err.Error())
	}
	return done
}
