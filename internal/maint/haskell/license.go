package haskell

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// licenses are the numbers that Cabal-syntax 3.10 gives to licenses of the SPDX list:
// those of the libraries in Debian, and other common ones.
var licenses = map[string]uint16{
	"0BSD": 0, "AFL-2.1": 9, "AFL-3.0": 10, "AGPL-3.0-only": 15, "AGPL-3.0-or-later": 16, "Apache-2.0": 25,
	"Artistic-2.0": 36, "BSD-1-Clause": 45, "BSD-2-Clause": 50, "BSD-2-Clause-Patent": 48, "BSD-3-Clause": 60,
	"BSD-3-Clause-Clear": 52, "BSD-4-Clause": 63, "BSL-1.0": 66, "CC-BY-4.0": 84, "CC-BY-SA-4.0": 121, "CC0-1.0": 123,
	"EPL-2.0": 175, "EUPL-1.2": 181, "GFDL-1.3-or-later": 210, "GPL-1.0-only": 217, "GPL-1.0-or-later": 218,
	"GPL-2.0-only": 219, "GPL-2.0-or-later": 220, "GPL-3.0-only": 221, "GPL-3.0-or-later": 222, "HPND": 227,
	"ISC": 241, "LGPL-2.0-only": 250, "LGPL-2.0-or-later": 251, "LGPL-2.1-only": 252, "LGPL-2.1-or-later": 253,
	"LGPL-3.0-only": 254, "LGPL-3.0-or-later": 255, "MIT": 283, "MIT-0": 275, "MPL-1.1": 287, "MPL-2.0": 289,
	"NCSA": 302, "OFL-1.1": 331, "OLDAP-2.8": 354, "OpenSSL": 356, "PostgreSQL": 373, "PSF-2.0": 374,
	"Python-2.0": 377, "Ruby": 387, "SGI-B-2.0": 396, "UPL-1.0": 428, "Unlicense": 427, "Vim": 429, "W3C": 434,
	"WTFPL": 437, "X11": 439, "ZPL-2.1": 456, "Zlib": 453, "bzip2-1.0.6": 69, "curl": 157,
}

// license is an SPDX expression in Cabal's form; an empty one is NONE.
type license []byte

// parseLicense reads an expression: identifiers, with AND before OR.
func parseLicense(text string) (license, error) {
	if text == "" || text == "NONE" {
		return nil, nil
	}
	return join(strings.Split(text, " OR "), 2, func(s string) (license, error) {
		return join(strings.Split(s, " AND "), 1, simpleLicense)
	})
}

// join makes one expression of several, which group to the right.
func join(parts []string, tag byte, parse func(string) (license, error)) (license, error) {
	last, err := parse(parts[len(parts)-1])
	for i := len(parts) - 2; i >= 0 && err == nil; i-- {
		var l license
		if l, err = parse(parts[i]); err == nil {
			last = append(append(license{tag}, l...), last...)
		}
	}
	return last, err
}

func simpleLicense(id string) (license, error) {
	var w writer
	w.tag(0) // a simple expression
	if name, ok := strings.CutPrefix(id, "LicenseRef-"); ok && name != "" && !strings.ContainsAny(name, " ()+:") {
		w.tag(2)
		w.tag(0) // of no other document
		w.string(name)
	} else if n, ok := licenses[id]; ok {
		w.tag(0)
		w.b = binary.BigEndian.AppendUint16(w.b, n)
	} else {
		return nil, fmt.Errorf("found license %q, which is not supported", id)
	}
	w.tag(0) // no exception
	return w.b, nil
}

func (l license) put(w *writer) {
	w.tag(0) // SPDX, and not one of Cabal's own names
	w.truth(l != nil)
	w.b = append(w.b, l...)
}
