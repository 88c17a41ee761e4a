package services

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// item is one line of a tmpfiles.d file (tmpfiles.d(5)).
type item struct {
	kind      byte
	force     bool // +
	boot      bool // !
	may       bool // -: errors do not count
	replace   bool // =
	given     bool // ?: only where the target is there
	path      string
	mode      *uint32
	modeNew   bool // the mode is for what is made only
	masked    bool // the mode is masked by what is there
	uid, gid  *uint32
	ownerNew  bool
	argument  string
	recursive bool
}

// confDirs are where tmpfiles.d files are, the most important first.
var confDirs = []string{"/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"}

// files returns the paths of the files that names mean, or of all.
func (t *temporary) files(names []string, status *int) []string {
	var files []string
	if len(names) == 0 {
		at := map[string]string{}
		for _, dir := range slices.Backward(confDirs) {
			inside, err := t.FS.ReadDir(dir)
			if err != nil {
				continue
			}
			for _, name := range inside {
				if strings.HasSuffix(name, ".conf") {
					at[name] = dir + "/" + name
				}
			}
		}
		for name := range at {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			files = append(files, at[name])
		}
		return files
	}
	for _, name := range names {
		found := ""
		if strings.HasPrefix(name, "/") {
			found = name
		}
		for _, dir := range confDirs {
			if found == "" && t.FS.Exists(dir+"/"+name) {
				found = dir + "/" + name
			}
		}
		if found == "" || !t.FS.Exists(found) {
			say(t.Stderr, "Failed to open '%s': No such file or directory", name)
			*status = 1
			continue
		}
		files = append(files, found)
	}
	return files
}

// read reads the lines of one file. Wrong ones are left out.
func (t *temporary) read(file string, status *int) []item {
	b, err := t.FS.ReadFile(file)
	if err != nil {
		*status = 1
		return nil
	}
	var items []item
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		it, use, err := t.parse(line)
		if err != nil {
			say(t.Stderr, "%s:%d: %v", file, number, err)
			*status = dataError
			continue
		}
		if use {
			items = append(items, it)
		}
	}
	return items
}

// words splits a line as extract_many_words does: quotes and the escapes of C
// count in the first six words; the rest is the argument.
func words(line string) (list []string, rest string) {
	for len(list) < 6 {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return list, ""
		}
		var w strings.Builder
		quote := byte(0)
		i := 0
		for ; i < len(line); i++ {
			c := line[i]
			switch {
			case quote == 0 && (c == ' ' || c == '\t'):
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
				continue
			case quote != 0 && c == quote:
				quote = 0
				continue
			default:
				w.WriteByte(c)
				continue
			}
			break
		}
		list, line = append(list, w.String()), line[i:]
	}
	return list, strings.TrimSpace(line)
}

// parse reads one line; use is false where it is for another machine.
func (t *temporary) parse(line string) (it item, use bool, err error) {
	w, argument := words(line)
	if len(w) < 2 {
		return it, false, errors.New("syntax error")
	}
	it = item{kind: w[0][0], argument: unquote(argument)}
	coded := false
	for _, m := range w[0][1:] {
		switch m {
		case '+':
			it.force = true
		case '!':
			it.boot = true
		case '-':
			it.may = true
		case '=':
			it.replace = true
		case '?':
			it.given = true
		case '~':
			coded = true
		case '$':
		case '^':
			return it, false, nil // a credential, of which there is none
		default:
			return it, false, fmt.Errorf("unknown modifier '%c'", m)
		}
	}
	if it.kind == 'F' {
		it.kind, it.force = 'f', true
	}
	if it.path, use = t.expand(w[1]); !use {
		return it, false, nil
	}
	if !strings.HasPrefix(it.path, "/") {
		return it, false, fmt.Errorf("path '%s' not absolute", it.path)
	}
	it.path = path.Clean(it.path)
	field := func(i int) string {
		if i < len(w) && w[i] != "-" {
			return w[i]
		}
		return ""
	}
	if m := field(2); m != "" {
		for m != "" && (m[0] == ':' || m[0] == '~') {
			it.modeNew, it.masked = it.modeNew || m[0] == ':', it.masked || m[0] == '~'
			m = m[1:]
		}
		n, err := strconv.ParseUint(m, 8, 12)
		if err != nil {
			return it, false, fmt.Errorf("invalid mode '%s'", w[2])
		}
		mode := uint32(n)
		it.mode = &mode
	}
	for i, file := range []string{"/etc/passwd", "/etc/group"} {
		name := field(3 + i)
		if name == "" {
			continue
		}
		if strings.HasPrefix(name, ":") {
			it.ownerNew, name = true, name[1:]
		}
		id, ok := t.id(name, file)
		if !ok {
			return it, false, fmt.Errorf("failed to resolve '%s'", name)
		}
		if i == 0 {
			it.uid = &id
		} else {
			it.gid = &id
		}
	}
	if it.argument == "-" {
		it.argument = ""
	}
	if coded {
		b, err := base64.StdEncoding.DecodeString(it.argument)
		if err != nil {
			return it, false, errors.New("argument is not in base64")
		}
		it.argument = string(b)
	} else if it.argument, use = t.expand(it.argument); !use {
		return it, false, nil
	}
	it.recursive = it.kind == 'Z'
	return it, true, nil
}

func (t *temporary) id(name, file string) (uint32, bool) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), true
	}
	b, err := t.FS.ReadFile(file)
	if err != nil {
		return 0, name == "root"
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[0] == name {
			n, err := strconv.ParseUint(strings.TrimSpace(f[2]), 10, 32)
			return uint32(n), err == nil
		}
	}
	return 0, name == "root"
}

// expand expands specifiers. Those of the machine or the boot are not known: ok is
// false, and the line is for another day.
func (t *temporary) expand(s string) (out string, ok bool) {
	known := map[byte]string{
		't': "/run", 'S': "/var/lib", 'C': "/var/cache", 'L': "/var/log", 'T': "/tmp", 'V': "/var/tmp",
		'h': "/root", 'u': "root", 'U': "0", 'g': "root", 'G': "0", '%': "%",
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		v, ok := known[s[i]]
		if !ok {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
}
