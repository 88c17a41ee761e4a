package sboms

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// What the License fields of copyright files say, and what that is in SPDX's terms.
func TestSynopsis(t *testing.T) {
	for _, c := range []struct{ synopsis, want string }{
		{"GPL-2+", "GPL-2.0-or-later"},
		{"GPL-2", "GPL-2.0-only"},
		{"gpl-3.0+", "GPL-3.0-or-later"},
		{"GPL", "GPL-1.0-only"}, // without a version the lowest one is meant
		{"GPL-2.0-or-later", "GPL-2.0-or-later"},
		{"LGPL-2.1+", "LGPL-2.1-or-later"},
		{"LGPL", "LGPL-2.0-only"},
		{"AGPL-3", "AGPL-3.0-only"},
		{"GFDL-1.3+", "GFDL-1.3-or-later"},
		{"GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"},
		{"Expat", "MIT"},
		{"BSD-3-clause", "BSD-3-Clause"},
		{"Apache-2", "Apache-2.0"},
		{"Artistic", "Artistic-1.0"},
		{"Artistic-2.0", "Artistic-2.0"},
		{"zlib", "Zlib"},
		{"CC-BY-SA-4.0", "CC-BY-SA-4.0"},
		{"Perl", "(Artistic-1.0-Perl OR GPL-1.0-or-later)"},
		{"GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0"},
		{"Expat and Expat", "MIT"},
		{"ISC or GPL-2 and Expat", "ISC OR GPL-2.0-only AND MIT"},
		{"ISC or GPL-2, and Expat", "(ISC OR GPL-2.0-only) AND MIT"},
		{"MPL-1.1 or GPL-2+ or LGPL-2.1+", "MPL-1.1 OR GPL-2.0-or-later OR LGPL-2.1-or-later"},
		{"Apache-2.0 AND MIT", "Apache-2.0 AND MIT"},
		{"GPL-3+ with Font exception", "GPL-3.0-or-later WITH Font-exception-2.0"},
		{"GPL-2+ with Libtool exception or MIT", "GPL-2.0-or-later WITH Libtool-exception OR MIT"},
		{"GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"},
		{"Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"},
		{"GPL2 with Classpath exception", "GPL-2.0-only WITH Classpath-exception-2.0"},
		{"GPLv3+ with Texinfo exception", "GPL-3.0-or-later WITH Texinfo-exception"},
		{"GPL-3.0-or-later-WITH-Autoconf-exception-macro", "GPL-3.0-or-later WITH Autoconf-exception-macro"},
		{"LGPL-2.1+-with-link-exception", "<LGPL-2.1+-with-link-exception>"},
		{"Boost-1.0", "BSL-1.0"},
		{"ISC-License", "ISC"},
		{"BSD-3-clause-No-Nuclear-License", "BSD-3-Clause-No-Nuclear-License"},
		{"BSD-3", "BSD-3-Clause"},
		{"OpenLDAP-2.8 or OpenLDAP", "OLDAP-2.8 OR <OpenLDAP>"},
		{"zlib/libpng", "Zlib"},
		{"BSD-3-clause~Intel or GPL-2", "<BSD-3-clause~Intel> OR GPL-2.0-only"},
		// Several versions of these exceptions have one name.
		{"GPL-2+ with Autoconf exception", "<GPL-2+ with Autoconf exception>"},
		{"GPL-3+ with Bison exception", "<GPL-3+ with Bison exception>"},
		// SPDX's exceptions for OpenSSL are those of single programs.
		{"GPL-2+ with OpenSSL exception", "<GPL-2+ with OpenSSL exception>"},
		{"public-domain", "<public-domain>"},
		{"Inner-Net and LGPL-2.1+", "<Inner-Net> AND LGPL-2.1-or-later"},
		{"GPL-9", "<GPL-9>"},
		{"BSD-3-clause-like", "<BSD-3-clause-like>"},
		// No expression.
		{"", "none"},
		{"and GPL-2", "none"},
		{"GPL-2 or", "none"},
		{"GPL-2, Expat", "none"},
		{"GPL-2 MIT", "none"},
		{"Permission is hereby granted, free of charge", "none"},
	} {
		got := "none"
		if term, ok := parseSynopsis(c.synopsis, func(name string) string {
			if id := spdxName(name); id != "" {
				if strings.Contains(id, " OR ") {
					return "(" + id + ")"
				}
				return id
			}
			return "<" + name + ">"
		}); ok {
			got = term.String()
		}
		if got != c.want {
			t.Errorf("%q is %s, want %s", c.synopsis, got, c.want)
		}
	}
}

// Each identifier that the tables lead to is one of SPDX's list, as CycloneDX's
// schema has it.
func TestTablesNameSPDXIdentifiers(t *testing.T) {
	b, err := os.ReadFile("testdata/schema/spdx.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Enum []string }
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	for name, ids := range debianNames {
		for id := range strings.SplitSeq(ids, " OR ") {
			if !slices.Contains(list.Enum, id) {
				t.Errorf("%s is %s, which is not SPDX's", name, id)
			}
		}
	}
	for name, id := range debianExceptions {
		if !slices.Contains(list.Enum, id) {
			t.Errorf("%s is %s, which is not SPDX's", name, id)
		}
	}
	if len(spdxIDs()) < 600 {
		t.Errorf("the list has %d identifiers", len(spdxIDs()))
	}
	for _, id := range spdxIDs() {
		if !slices.Contains(list.Enum, id) {
			t.Errorf("%s of the list is not SPDX's", id)
		}
	}
}
