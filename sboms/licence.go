package sboms

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Licence is under which terms a package is, as its copyright file states it.
type Licence struct {
	// Expression is an SPDX licence expression (SPDX 2.3, annex D), or NOASSERTION
	// where the file does not state the licences in a form that a program can read.
	Expression string
	// Custom has what the LicenseRef- parts of Expression stand for, by ID.
	Custom []CustomLicence
	// Copyright has the notices of the file, one a line.
	Copyright string
	// Upstream is what the file says of where the upstream sources came from.
	Upstream string
	// Source says in words where the expression is from.
	Source string
}

// CustomLicence is a licence that SPDX has no identifier for.
type CustomLicence struct {
	ID   string // "LicenseRef-NAME-HASH"
	Name string // the short name in the copyright file
	Text string // as the file has it, "" where it has none
}

// noAssertion says that nobody states it (SPDX 2.3, clause 7.13).
const noAssertion = "NOASSERTION"

// A term is a licence expression: one licence, or some joined by an operator.
type term struct {
	id       string // of one licence
	operator string // "AND" or "OR"
	operands []term
}

// String returns the term in SPDX's syntax, where AND binds stronger than OR.
func (t term) String() string {
	if t.operator == "" {
		return t.id
	}
	texts := make([]string, len(t.operands))
	for i, o := range t.operands {
		texts[i] = o.String()
		if o.operator == "OR" && t.operator == "AND" {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, " "+t.operator+" ")
}

// join returns the operands joined, each once; AND and OR are associative.
func join(operator string, operands []term) term {
	var flat []term
	for _, o := range operands {
		parts := []term{o}
		if o.operator == operator {
			parts = o.operands
		}
		for _, p := range parts {
			if !slices.ContainsFunc(flat, func(f term) bool { return f.String() == p.String() }) {
				flat = append(flat, p)
			}
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return term{operator: operator, operands: flat}
}

// parseSynopsis reads the first line of a License field: short names joined by "and"
// and "or", of which "and" binds stronger and a comma before either weaker than both
// (copyright-format 1.0, "License specification: Syntax"). name turns the name of a
// licence, with its exception if it has one, into its identifier. It reports whether
// the line has that form.
func parseSynopsis(s string, name func(string) string) (term, bool) {
	words := strings.Fields(strings.ReplaceAll(s, ",", " , "))
	var weak []term // joined by what followed a comma
	var weakOps []string
	for {
		end := slices.Index(words, ",")
		part := words
		if end >= 0 {
			part = words[:end]
		}
		t, ok := parseClause(part, name)
		if !ok {
			return term{}, false
		}
		weak = append(weak, t)
		if end < 0 {
			return combine(weak, weakOps), true
		}
		if words = words[end+1:]; len(words) == 0 || conjunction(words[0]) == "" {
			return term{}, false
		}
		weakOps = append(weakOps, conjunction(words[0]))
		words = words[1:]
	}
}

// parseClause reads names joined by "and" and "or", without commas.
func parseClause(words []string, name func(string) string) (term, bool) {
	var operands []term
	var operators []string
	for {
		end := slices.IndexFunc(words, func(w string) bool { return conjunction(w) != "" })
		one := words
		if end >= 0 {
			one = words[:end]
		}
		if !isLicenceName(one) {
			return term{}, false
		}
		operands = append(operands, term{id: name(strings.Join(one, " "))})
		if end < 0 {
			return combine(operands, operators), true
		}
		operators = append(operators, conjunction(words[end]))
		words = words[end+1:]
	}
}

// combine joins the operands, "AND" before "OR".
func combine(operands []term, operators []string) term {
	groups := [][]term{{operands[0]}}
	for i, op := range operators {
		if op == "OR" {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], operands[i+1])
	}
	either := make([]term, len(groups))
	for i, g := range groups {
		either[i] = join("AND", g)
	}
	return join("OR", either)
}

func conjunction(word string) string {
	switch strings.ToLower(word) {
	case "and":
		return "AND"
	case "or":
		return "OR"
	}
	return ""
}

var nameWord = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9.+_/~-]*$`)

// isLicenceName reports whether the words are one short name, or one "with" an
// exception.
func isLicenceName(words []string) bool {
	if len(words) == 0 || !nameWord.MatchString(words[0]) {
		return false
	}
	return len(words) == 1 || len(words) > 2 && strings.EqualFold(words[1], "with")
}

//go:embed spdx-license-ids.txt
var licenceIDs string

// spdxIDs has the identifiers of the SPDX licence list 3.28.0, without the
// deprecated ones, by their lower-case form.
var spdxIDs = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for id := range strings.Lines(licenceIDs) {
		id = strings.TrimSpace(id)
		m[strings.ToLower(id)] = id
	}
	return m
})

// debianNames are the short names of copyright-format 1.0 ("License specification:
// Short name") that are not SPDX's; those of the GNU licences follow from gnuName.
// Without a version the lowest one is meant.
var debianNames = map[string]string{
	"apache": "Apache-1.0", "apache-1": "Apache-1.0", "apache-2": "Apache-2.0",
	"artistic": "Artistic-1.0", "artistic-1": "Artistic-1.0", "artistic-2": "Artistic-2.0",
	"cc0": "CC0-1.0", "cc0-1": "CC0-1.0",
	"cddl": "CDDL-1.0", "cddl-1": "CDDL-1.0", "cpl": "CPL-1.0", "cpl-1": "CPL-1.0",
	"efl": "EFL-1.0", "efl-1": "EFL-1.0", "efl-2": "EFL-2.0", "expat": "MIT",
	"lppl": "LPPL-1.0", "lppl-1": "LPPL-1.0", "mpl": "MPL-1.0", "mpl-1": "MPL-1.0", "mpl-2": "MPL-2.0",
	"perl":   "Artistic-1.0-Perl OR GPL-1.0-or-later",
	"python": "Python-2.0", "python-2": "Python-2.0", "psf-2": "PSF-2.0",
	"bsd-2": "BSD-2-Clause", "bsd2": "BSD-2-Clause", "bsd-3": "BSD-3-Clause", "bsd3": "BSD-3-Clause", // which count clauses
	"boost-1": "BSL-1.0", "openldap-2.8": "OLDAP-2.8", "ufl-1": "Ubuntu-font-1.0", "wtfpl-2": "WTFPL", "zlib/libpng": "Zlib",
	"qpl": "QPL-1.0", "qpl-1": "QPL-1.0", "w3c-software": "W3C", "zope": "ZPL-1.1", "zope-2": "ZPL-2.0",
}

// debianExceptions are the exceptions, as they stand after "with", of which SPDX's
// list has one version only.
var debianExceptions = map[string]string{
	"font exception": "Font-exception-2.0", "classpath exception": "Classpath-exception-2.0",
	"texinfo exception": "Texinfo-exception", "texinfo-exception": "Texinfo-exception", "libtool exception": "Libtool-exception", "llvm exception": "LLVM-exception",
	"autoconf-exception-2.0": "Autoconf-exception-2.0", "autoconf-exception-3.0": "Autoconf-exception-3.0",
	"autoconf-exception-macro": "Autoconf-exception-macro", "gcc-exception-3.1": "GCC-exception-3.1",
	"bison-exception-2.2": "Bison-exception-2.2", "classpath-exception-2.0": "Classpath-exception-2.0",
	"font-exception-2.0": "Font-exception-2.0", "libtool-exception": "Libtool-exception",
	"llvm-exception": "LLVM-exception", "linux-syscall-note": "Linux-syscall-note",
	"linux-syscall-note exception": "Linux-syscall-note",
}

var gnuName = regexp.MustCompile(`^(gpl|lgpl|agpl|gfdl|gfdl-niv)(?:-?v?([0-9]+(?:\.[0-9]+)?))?(\+)?$`)

// spdxName returns what a short name is in SPDX's terms, or "" where SPDX has no
// name for it. Case does not matter in either. "Name with X exception" is one name.
func spdxName(short string) string {
	low := strings.ToLower(short)
	if id := spdxIDs()[low]; id != "" {
		return id
	}
	base, exception, ok := strings.Cut(low, " with ")
	if !ok {
		base, exception, ok = strings.Cut(low, "-with-") // as some write it who know SPDX's syntax
	}
	if ok {
		licence, with := spdxName(base), debianExceptions[strings.Join(strings.Fields(exception), " ")]
		if licence == "" || with == "" || strings.Contains(licence, " ") {
			return ""
		}
		return licence + " WITH " + with
	}
	if m := gnuName.FindStringSubmatch(low); m != nil {
		return gnuID(m[1], m[2], m[3] != "")
	}
	if id := debianNames[strings.TrimSuffix(low, ".0")]; id != "" {
		return id
	}
	if id := debianNames[low]; id != "" {
		return id
	}
	return spdxIDs()[strings.TrimSuffix(low, "-license")]
}

// gnuID returns the identifier of a GNU licence, such as "LGPL-2.1-or-later".
func gnuID(family, version string, later bool) string {
	lowest := map[string]string{"gpl": "1.0", "lgpl": "2.0", "agpl": "1.0", "gfdl": "1.1", "gfdl-niv": "1.1"}
	if version == "" {
		version = lowest[family]
	} else if !strings.Contains(version, ".") {
		version += ".0"
	}
	name := strings.ToUpper(family) + "-" + version
	if family == "gfdl-niv" {
		name = "GFDL-" + version + "-no-invariants"
	}
	if later {
		return spdxIDs()[strings.ToLower(name+"-or-later")]
	}
	return spdxIDs()[strings.ToLower(name+"-only")]
}

// customID returns the identifier of a licence that SPDX does not know. The same name
// stands for different texts in different packages, so that the text is part of it.
func customID(name, text string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, name)
	if len(id) > 60 {
		id = id[:60]
	}
	if id = strings.Trim(id, "-."); id == "" {
		id = "unnamed"
	}
	sum := sha256.Sum256([]byte(name + "\n" + text))
	return "LicenseRef-" + id + "-" + hex.EncodeToString(sum[:4])
}
