package sboms

import (
	"maps"
	"slices"
	"strings"
)

// statedLicence returns what a package of a programming language says of its licence:
// SPDX expressions, names as people write them, addresses, or whole texts.
func statedLicence(texts []string, choice bool, file string) Licence {
	if len(texts) == 0 {
		return Licence{Expression: noAssertion, Source: file + " states none"}
	}
	custom := map[string]CustomLicence{}
	var terms []term
	for _, text := range texts {
		t, ok := parseExpression(text)
		if !ok {
			name, _, _ := strings.Cut(text, "\n")
			c := CustomLicence{Name: name, Text: text}
			if name == text {
				c.Text = ""
			}
			c.ID = customID(c.Name, c.Text)
			custom[c.ID] = c
			t = term{id: c.ID}
		}
		terms = append(terms, t)
	}
	operator := "AND"
	if choice {
		operator = "OR"
	}
	slices.SortFunc(terms, func(a, b term) int { return strings.Compare(a.String(), b.String()) })
	l := Licence{Expression: join(operator, terms).String(), Source: file + " states it"}
	for _, id := range slices.Sorted(maps.Keys(custom)) {
		l.Custom = append(l.Custom, custom[id])
	}
	return l
}

// commonNames are names that people give to licences of SPDX's list, in lower case and
// without "the", "license", "version" and the like between, and the addresses of their
// texts.
var commonNames = map[string]string{
	"mit": "MIT", "expat": "MIT", "mit/x11": "MIT", "opensource.org/licenses/mit": "MIT", "www.opensource.org/licenses/mit-license.php": "MIT", "opensource.org/licenses/mit-license.php": "MIT",
	"apache 2.0": "Apache-2.0", "apache 2": "Apache-2.0", "apache software 2.0": "Apache-2.0", "apache-2": "Apache-2.0", "asl 2.0": "Apache-2.0", "apache v2.0": "Apache-2.0",
	"www.apache.org/licenses/license-2.0": "Apache-2.0", "www.apache.org/licenses/license-2.0.txt": "Apache-2.0", "apache.org/licenses/license-2.0.txt": "Apache-2.0", "opensource.org/licenses/apache-2.0": "Apache-2.0",
	"bsd 3-clause": "BSD-3-Clause", "3-clause bsd": "BSD-3-Clause", "new bsd": "BSD-3-Clause", "modified bsd": "BSD-3-Clause", "revised bsd": "BSD-3-Clause", "opensource.org/licenses/bsd-3-clause": "BSD-3-Clause",
	"bsd 2-clause": "BSD-2-Clause", "2-clause bsd": "BSD-2-Clause", "simplified bsd": "BSD-2-Clause", "opensource.org/licenses/bsd-2-clause": "BSD-2-Clause",
	"isc (iscl)": "ISC", "unlicense (unlicense)": "Unlicense", "python software foundation": "PSF-2.0", "psf": "PSF-2.0",
	"mozilla public 2.0 (mpl 2.0)": "MPL-2.0", "mozilla public 2.0": "MPL-2.0", "mpl 2.0": "MPL-2.0",
	"eclipse public 1.0": "EPL-1.0", "epl 1.0": "EPL-1.0", "eclipse public 2.0": "EPL-2.0", "eclipse public v2.0": "EPL-2.0", "eclipse public - v 2.0": "EPL-2.0", "epl 2.0": "EPL-2.0", "www.eclipse.org/legal/epl-2.0": "EPL-2.0", "www.eclipse.org/legal/epl-v20.html": "EPL-2.0",
	"eclipse distribution - v 1.0": "BSD-3-Clause", "edl 1.0": "BSD-3-Clause",
	"gnu general public v2 (gplv2)": "GPL-2.0-only", "gnu general public v2 or later (gplv2+)": "GPL-2.0-or-later", "gnu general public v3 (gplv3)": "GPL-3.0-only", "gnu general public v3 or later (gplv3+)": "GPL-3.0-or-later",
	"gplv2": "GPL-2.0-only", "gplv3": "GPL-3.0-only", "gplv3+": "GPL-3.0-or-later", "gplv2+": "GPL-2.0-or-later",
	"gnu lesser general public v2 (lgplv2)": "LGPL-2.0-only", "gnu lesser general public v2 or later (lgplv2+)": "LGPL-2.0-or-later", "gnu lesser general public v3 (lgplv3)": "LGPL-3.0-only", "gnu lesser general public v3 or later (lgplv3+)": "LGPL-3.0-or-later",
	"gpl2 w/ cpe": "GPL-2.0-only WITH Classpath-exception-2.0", "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0", "zero-clause bsd (0bsd)": "0BSD",
}

// commonID returns the identifier of a licence by a name that people give it, "" where
// the name can mean several.
func commonID(name string) string {
	low := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "OSI Approved :: ")))
	low = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(low, "https://"), "http://"), "/")
	if id := commonNames[low]; id != "" {
		return id
	}
	words := slices.DeleteFunc(strings.Fields(strings.ReplaceAll(low, ",", " ")), func(w string) bool {
		return slices.Contains([]string{"the", "license", "licence", "licenses", "version"}, w)
	})
	return commonNames[strings.Join(words, " ")]
}

// parseExpression reads a licence expression (SPDX 2.3, annex D) whose licences are all
// of SPDX's list, or a common name of one.
func parseExpression(s string) (term, bool) {
	if id := commonID(s); id != "" {
		return term{id: id}, true
	}
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s))
	if len(words) == 0 || len(words) > 200 {
		return term{}, false
	}
	p := &expression{words: words}
	t, ok := p.either()
	return t, ok && len(p.words) == 0
}

// expression is one that is being read, word by word.
type expression struct{ words []string }

// take takes the next word if it is that one, in either case.
func (p *expression) take(word string) bool {
	if len(p.words) == 0 || !strings.EqualFold(p.words[0], word) {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *expression) either() (term, bool) { return p.joined("OR", p.all) }

func (p *expression) all() (term, bool) { return p.joined("AND", p.one) }

func (p *expression) joined(operator string, operand func() (term, bool)) (term, bool) {
	var operands []term
	for {
		t, ok := operand()
		if !ok {
			return term{}, false
		}
		operands = append(operands, t)
		if !p.take(operator) {
			return join(operator, operands), true
		}
	}
}

// one reads a licence, with its exception if it has one, or what is in parentheses.
func (p *expression) one() (term, bool) {
	if p.take("(") {
		t, ok := p.either()
		return t, ok && p.take(")")
	}
	if len(p.words) == 0 {
		return term{}, false
	}
	name := p.words[0]
	p.words = p.words[1:]
	if p.take("WITH") {
		if len(p.words) == 0 {
			return term{}, false
		}
		name += " with " + p.words[0]
		p.words = p.words[1:]
	}
	id := spdxName(name)
	if strings.Contains(id, " OR ") {
		id = "(" + id + ")"
	}
	return term{id: id}, id != ""
}
