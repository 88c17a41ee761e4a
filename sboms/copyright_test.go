package sboms

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"

func TestCopyright(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"one licence", format + "\nFiles: *\nCopyright: 1998 A\n 1999 B\nLicense: Expat\n Permission is\n", `
MIT
copyright 1998 A
copyright 1999 B`},
		{"the texts stand by themselves", format + `
Files: *
Copyright: 1998 A
License: Odd and GPL-2+

Files: debian/*
Copyright: 1998 A
 2001 B
License: GPL-2+

License: Odd
 Do what
 .
  you like.

License: GPL-2+
 On Debian systems see /usr/share/common-licenses/GPL-2.
`, `
GPL-2.0-or-later AND <Odd>
copyright 1998 A
copyright 2001 B
<Odd> Do what|| you like.`},
		{"alternatives are kept together", format + "\nFiles: a\nCopyright: A\nLicense: BSD-3-clause or GPL-2\n\nFiles: b\nCopyright: B\nLicense: ISC\n", `
(BSD-3-Clause OR GPL-2.0-only) AND ISC
copyright A
copyright B`},
		{"one name, two texts", format + "\nFiles: a\nCopyright: A\nLicense: public-domain\n by A\n\nFiles: b\nCopyright: B\nLicense: public-domain\n by B\n", `
<public-domain> AND <public-domain>
copyright A
copyright B
<public-domain> by A
<public-domain> by B`},
		{"a text in place of a name", format + "\nFiles: *\nCopyright: A\nLicense:\n Anyone may.\n", `
<>
copyright A
<> Anyone may.`},
		{"a sentence in place of a name", format + "\nFiles: *\nCopyright: A\nLicense: Anyone may use it\n", `
<Anyone may use it>
copyright A
<Anyone may use it> `},
		{"the header speaks for all", format + "License: ISC\nCopyright: A\n", `
ISC
copyright A`},
		{"a draft of the format", "Format: http://dep.debian.net/deps/dep5\n\nFiles: *\nCopyright: A\nLicense: ISC\n", `
ISC
copyright A`},
		{"an older one", "Format: http://svn.debian.org/wsvn/dep/web/deps/dep5.mdwn?rev=174\n\nFiles: *\nCopyright: A\nLicense: ISC\n", `
ISC
copyright A`},
		{"free-form", "This package was debianized by A.\n\nLicense: GPL-2\n", "error: it is free-form text"},
		{"another format", "Format: nothing\n\nFiles: *\nLicense: GPL-2\n", "error: it is free-form text"},
		{"nothing", "", "error: it is free-form text"},
		{"no files", format, "error: it has no paragraph with Files"},
		{"no licence", format + "\nFiles: *\nCopyright: A\n", "error: line 3: a paragraph with Files has no License"},
		{"no field", format + "\nFiles: *\nCopyright: A\nLicense: ISC\nand more\n", `error: line 6: found "and more", expected "Field: value"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := describeLicence(readCopyright([]byte(c.file))); got != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// describeLicence returns a licence as text, with <NAME> for identifiers that have a hash.
func describeLicence(l Licence, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	lines := []string{l.Expression}
	for notice := range strings.SplitSeq(l.Copyright, "\n") {
		lines = append(lines, "copyright "+notice)
	}
	var texts []string
	for _, c := range l.Custom {
		lines[0] = strings.ReplaceAll(lines[0], c.ID, "<"+c.Name+">")
		texts = append(texts, "<"+c.Name+"> "+strings.ReplaceAll(c.Text, "\n", "|"))
	}
	slices.Sort(texts)
	return strings.Join(append(lines, texts...), "\n")
}

var spdxToken = regexp.MustCompile(`^(LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9.+-]+)$`)

// checkExpression is the grammar of SPDX 2.3, annex D, as far as it is used.
func checkExpression(l Licence) error {
	depth, operand := 0, true // an operand is to come
	for token := range strings.FieldsSeq(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(l.Expression)) {
		switch {
		case token == "(" && operand:
			depth++
		case token == ")" && !operand && depth > 0:
			depth--
		case slices.Contains([]string{"AND", "OR", "WITH"}, token) && !operand:
			operand = true
		case operand && spdxToken.MatchString(token):
			operand = false
			if strings.HasPrefix(token, "LicenseRef-") && !slices.ContainsFunc(l.Custom, func(c CustomLicence) bool { return c.ID == token }) {
				return fmt.Errorf("%s is not explained", token)
			}
		default:
			return fmt.Errorf("unexpected %q in %q", token, l.Expression)
		}
	}
	if depth != 0 || operand {
		return fmt.Errorf("%q ends too early", l.Expression)
	}
	return nil
}

func FuzzCopyright(f *testing.F) {
	for _, license := range []string{"GPL-2+ or Artistic, and Expat", "GPL-2+ with Font exception", "Odd\n text\n .\n more", "(A)", ", and", "Perl and ISC"} {
		f.Add([]byte(format + "\nFiles: *\nCopyright: 1998 A\nLicense: " + license + "\n"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := readCopyright(b)
		if err != nil {
			return
		}
		if err := checkExpression(l); err != nil {
			t.Error(err)
		}
		if again, _ := readCopyright(b); fmt.Sprint(again) != fmt.Sprint(l) {
			t.Errorf("read twice: %v and %v", l, again)
		}
	})
}
