package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// tildes is where in a word a tilde leads home (XCU 2.6.1).
type tildes int

const (
	noTilde     tildes = iota
	tildeFirst         // at its beginning
	tildeColons        // and after each colon, in assignments
	tildeValue         // after "=" and each colon, in what bash finds to be like one
)

// unquote takes away the backslashes that quote in double quotes and here-documents
// (XCU 2.2.3).
func unquote(s string, q quoting) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	special := "$`\\\n"
	if q == inQuotes {
		special += `"`
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		if i+1 == len(s) || strings.IndexByte(special, s[i+1]) < 0 {
			b.WriteByte('\\')
			s = s[i+1:]
			if s != "" && s[0] != '\\' {
				b.WriteByte(s[0])
				s = s[1:]
			}
			continue
		}
		if s[i+1] != '\n' {
			b.WriteByte(s[i+1])
		}
		s = s[i+2:]
	}
	return b.String() + s
}

// literal adds unquoted text of the script.
func (x *expander) literal(s string, split bool, tilde tildes, first, last bool) error {
	if tilde != noTilde && strings.IndexByte(s, '~') >= 0 {
		return x.tilde(s, split, tilde, first, last)
	}
	return x.unescaped(s, split)
}

// unescaped adds text in which backslashes quote.
func (x *expander) unescaped(s string, split bool) error {
	plain := x.add
	if split {
		plain = func(s string, _ bool) error { return x.addSplit(s) }
	}
	for s != "" {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return plain(s, false)
		}
		if err := plain(s[:i], false); err != nil {
			return err
		}
		if i+1 == len(s) {
			return x.add(`\`, true)
		}
		if s[i+1] != '\n' {
			if err := x.add(s[i+1:i+2], true); err != nil {
				return err
			}
		}
		s = s[i+2:]
	}
	return nil
}

// tilde is literal for text with tildes.
func (x *expander) tilde(s string, split bool, how tildes, first, last bool) error {
	begins := first && how != tildeValue
	if how == tildeValue && first {
		name, rest, _ := strings.Cut(s, "=")
		if err := x.unescaped(name+"=", split); err != nil {
			return err
		}
		s, begins = rest, true
	}
	for s != "" {
		end := len(s)
		if how != tildeFirst {
			if i := strings.IndexByte(s, ':'); i >= 0 {
				end = i
			}
		}
		part := s[:end]
		if begins && strings.HasPrefix(part, "~") {
			user := part[1:]
			slash := strings.IndexByte(user, '/')
			if slash >= 0 {
				user = user[:slash]
			}
			ends := slash >= 0 || end < len(s) || last
			if home, ok := x.homeOf(user); ok && ends && !strings.Contains(user, `\`) {
				if err := x.add(home, true); err != nil {
					return err
				}
				part = part[1+len(user):]
			}
		}
		if end < len(s) {
			part, end = part+":", end+1
		}
		if err := x.unescaped(part, split); err != nil {
			return err
		}
		s, begins = s[end:], true
	}
	return nil
}

func (x *expander) homeOf(user string) (string, bool) {
	if user != "" {
		return x.r.home(user)
	}
	v := x.r.find("HOME")
	if v == nil || !v.set {
		return "", false
	}
	return v.value, true
}

// single adds what is in single quotes. In double quotes, as in "${x:-'a'}", they are
// ordinary characters, and what the parser took for quoted is not.
func (x *expander) single(p *syntax.SglQuoted, q quoting) error {
	if q != unquoted {
		if p.Dollar {
			return Unsupported("$' in double quotes")
		}
		if strings.ContainsAny(p.Value, "$`\\{}\"") {
			return Unsupported("quotes and expansions in the braces of \"${...'%s'}\"", p.Value)
		}
		return x.add("'"+p.Value+"'", true)
	}
	switch {
	case p.Dollar && x.r.bash:
		return x.add(ansiC(p.Value), true)
	case p.Dollar:
		return x.add("$"+p.Value, true)
	}
	return x.add(p.Value, true)
}
