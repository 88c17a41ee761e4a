package shell

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// read is XCU read.
func read(r *run, args []string) error {
	raw, list := false, ""
	delimiter := byte('\n')
	names := args[1:]
	for len(names) > 0 && len(names[0]) > 1 && names[0][0] == '-' {
		option := names[0]
		names = names[1:]
		if option == "--" {
			break
		}
		for i, letter := range option[1:] {
			switch {
			case letter == 'r':
				raw = true
				continue
			case letter == 's' && r.bash:
				continue
			case letter != 'p' && !r.bash:
				return r.fault("read: Illegal option -%c", letter)
			}
			value := option[i+2:]
			if value == "" {
				if len(names) == 0 {
					return r.fault("read: No arg for -%c option", letter)
				}
				value, names = names[0], names[1:]
			}
			switch letter {
			case 'p': // nobody sees it
			case 'd':
				if delimiter = 0; value != "" {
					delimiter = value[0]
				}
			case 'a':
				list = value
			default:
				return Unsupported("read -%c", letter)
			}
			break
		}
	}
	line, quoted, whole, err := r.readLine(raw, delimiter)
	if err != nil {
		return err
	}
	switch {
	case list != "":
		var fields []string
		if fields, err = r.splitLine(line, quoted, -1); err == nil {
			err = r.assignList(list, fields)
		}
	case len(names) == 0 && r.bash:
		err = r.assign("REPLY", string(line))
	case len(names) == 0:
		return r.fault("read: arg count")
	default:
		err = r.assignFields(names, line, quoted)
	}
	if err != nil {
		return r.refuse("read", err)
	}
	r.status = oneIf(!whole)
	return nil
}

func (r *run) assignFields(names []string, line []byte, quoted []bool) error {
	fields, err := r.splitLine(line, quoted, len(names))
	if err != nil {
		return err
	}
	for i, name := range names {
		if !syntax.ValidName(name) {
			return r.fault("read: %s: bad variable name", name)
		}
		value := ""
		if i < len(fields) {
			value = fields[i]
		}
		if err := r.assign(name, value); err != nil {
			return err
		}
	}
	return nil
}

// readLine reads up to a delimiter, byte by byte, so that the rest is left for the
// next who reads. quoted says which bytes stood behind a backslash; whole is false at
// the end of the input.
func (r *run) readLine(raw bool, delimiter byte) (line []byte, quoted []bool, whole bool, err error) {
	in := r.stdin()
	if s := r.fd(0); s.r == nil {
		return nil, nil, false, nil
	}
	var c [1]byte
	escaped := false
	for {
		if len(line) > maxValue {
			return nil, nil, false, &LimitError{fmt.Sprintf("line of %d bytes", len(line))}
		}
		if err := r.work(32); err != nil {
			return nil, nil, false, err
		}
		switch n, err := in.Read(c[:]); {
		case err != nil && err != io.EOF && ignoreClosed(err) != nil:
			return nil, nil, false, err
		case n == 0:
			return line, quoted, false, nil
		case escaped:
			if escaped = false; c[0] != '\n' {
				line, quoted = append(line, c[0]), append(quoted, true)
			}
		case c[0] == '\\' && !raw:
			escaped = true
		case c[0] == delimiter:
			return line, quoted, true, nil
		case c[0] != 0:
			line, quoted = append(line, c[0]), append(quoted, false)
		}
	}
}

// splitLine splits a line at IFS into at most n fields, of which the last has all
// that is left; n is -1 for any number. What stood behind a backslash does not
// separate.
func (r *run) splitLine(line []byte, quoted []bool, n int) ([]string, error) {
	ifs := r.ifs()
	separates := func(i int) bool { return !quoted[i] && strings.IndexByte(ifs, line[i]) >= 0 }
	blank := func(i int) bool { return separates(i) && strings.IndexByte(" \t\n", line[i]) >= 0 }
	at := 0
	skip := func() {
		for at < len(line) && blank(at) {
			at++
		}
	}
	field := func() string { // and what separates it from the next
		from := at
		for at < len(line) && !separates(at) {
			at++
		}
		s := string(line[from:at])
		skip()
		if at < len(line) && separates(at) {
			at++
			skip()
		}
		return s
	}
	var fields []string
	if err := r.work(8 * len(line)); err != nil {
		return nil, err
	}
	skip()
	for at < len(line) && (n < 0 || len(fields) < n-1) {
		fields = append(fields, field())
	}
	if n < 0 || at == len(line) {
		return fields, nil
	}
	from := at
	if last := field(); at == len(line) {
		return append(fields, last), nil
	}
	end := len(line)
	for end > from && blank(end-1) {
		end--
	}
	return append(fields, string(line[from:end])), nil
}

// getopts is XCU getopts.
func getopts(r *run, args []string) error {
	if len(args) < 3 {
		return r.fault("getopts: Usage: getopts optstring var [arg...]")
	}
	letters, name, list := args[1], args[2], args[3:]
	if len(list) == 0 {
		list = r.params
	}
	quiet := strings.HasPrefix(letters, ":")
	index, err := strconv.Atoi(r.get("OPTIND"))
	if err != nil || index < 1 {
		index = 1
	}
	at := r.optPlace
	set := func(value string, status int) error {
		next := index
		if at > 0 && !r.bash { // for dash the word is done when its first letter is read
			next++
		}
		for _, v := range [][2]string{{name, value}, {"OPTIND", strconv.Itoa(next)}} {
			if !syntax.ValidName(v[0]) {
				return r.fault("getopts: %s: bad variable name", v[0])
			}
			if err := r.assign(v[0], v[1]); err != nil {
				return r.refuse("getopts", err)
			}
		}
		r.optPlace, r.status = at, status
		return nil
	}
	if at > 0 && !r.bash {
		index--
	}
	if at == 0 || index < 1 || index > len(list) || at >= len(list[index-1]) {
		at = 0
		if index = max(index, 1); index > len(list) || len(list[index-1]) < 2 || list[index-1][0] != '-' {
			return set("?", 1)
		}
		if list[index-1] == "--" {
			index++
			return set("?", 1)
		}
		at = 1
	}
	arg := list[index-1]
	letter := arg[at : at+1]
	if at++; at >= len(arg) {
		index, at = index+1, 0
	}
	known := strings.TrimPrefix(letters, ":")
	i := strings.Index(known, letter)
	if i < 0 || letter == ":" {
		r.optArg(quiet, letter, "Illegal option -"+letter)
		return set("?", 0)
	}
	if !strings.HasPrefix(known[i+1:], ":") {
		if err := r.assign("OPTARG", ""); err != nil {
			return r.refuse("getopts", err)
		}
		if r.bash {
			r.unset("OPTARG")
		}
		return set(letter, 0)
	}
	var value string
	switch {
	case at > 0:
		value, index, at = arg[at:], index+1, 0
	case index <= len(list):
		value, index = list[index-1], index+1
	default:
		r.optArg(quiet, letter, "No arg for -"+letter+" option")
		if quiet {
			return set(":", 0)
		}
		return set("?", 0)
	}
	if err := r.assign("OPTARG", value); err != nil {
		return r.refuse("getopts", err)
	}
	return set(letter, 0)
}

// optArg tells of an option that is wrong: in OPTARG, or in words.
func (r *run) optArg(quiet bool, letter, message string) {
	if quiet {
		_ = r.assign("OPTARG", letter) // one letter is within any limit
		return
	}
	r.unset("OPTARG")
	_, _ = io.WriteString(r.stderr(), message+"\n") // it is for nobody
}
