package debian

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

const sha = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

const curlStanza = `Package: curl
Source: curl-source (8.14.1-2)
Version: 8.14.1-2+b1
Installed-Size: 505
Maintainer: Debian Curl Maintainers <team+curl@tracker.debian.org>
Architecture: amd64
Multi-Arch: foreign
Pre-Depends: dpkg (>= 1.17)
Depends: libc6 (>= 2.34),
 libcurl4t64 (= 8.14.1-2+b1),
 zlib1g
Recommends: ca-certificates
Description: command line tool
 for transferring data
 .
 Depends: is no field here
Homepage: https://curl.se/
Section: web
Priority: optional
Important: yes
Filename: pool/main/c/curl/curl_8.14.1-2+b1_amd64.deb
Size: 270000
SHA256: ` + sha + "\n"

func readAll(text string) (ps []Package, err error) {
	for p, err := range ReadPackages(strings.NewReader(text)) {
		if err != nil {
			return ps, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func TestReadPackages(t *testing.T) {
	second := "# a comment\npackage: zlib1g\nVersion: 1:1.3\nArchitecture: all\nFilename: ./zlib1g.deb\nSize: 1\nSHA256: " + sha
	ps, err := readAll("\n\n" + curlStanza + "\n" + second)
	if err != nil || len(ps) != 2 {
		t.Fatalf("found %d packages, %v, expected 2", len(ps), err)
	}
	want := Package{
		Name: "curl", Version: "8.14.1-2+b1", Architecture: "amd64", MultiArch: "foreign", Protected: true,
		Priority: "optional", Section: "web", Source: "curl-source", SourceVersion: "8.14.1-2",
		Depends:    "libc6 (>= 2.34),\n libcurl4t64 (= 8.14.1-2+b1),\n zlib1g",
		PreDepends: "dpkg (>= 1.17)", Recommends: "ca-certificates",
		Filename: "pool/main/c/curl/curl_8.14.1-2+b1_amd64.deb", Size: 270000, SHA256: sha,
		InstalledSize: 505, Homepage: "https://curl.se/",
		Maintainer: "Debian Curl Maintainers <team+curl@tracker.debian.org>",
	}
	if ps[0] != want {
		t.Errorf("found %+v\nexpected %+v", ps[0], want)
	}
	if z := ps[1]; z.Name != "zlib1g" || z.Source != "zlib1g" || z.SourceVersion != "1:1.3" || z.Filename != "zlib1g.deb" {
		t.Errorf("found %+v", z)
	}
}

// TestPackageErrors replaces one line of a good stanza by a bad one.
func TestPackageErrors(t *testing.T) {
	for _, tt := range []struct{ field, value, want string }{
		{"Package", "../curl", `field Package: found '.' in package name "../curl"`},
		{"Package", "c", `field Package: found "c", expected a package name of at least two characters`},
		{"Version", "1/2", `package curl: field Version: version "1/2": '/' in the upstream version`},
		{"Architecture", "amd64/..", `package curl: field Architecture: found "amd64/..", expected an architecture`},
		{"Architecture", "", `package curl: field Architecture: found nothing, expected an architecture`},
		{"Multi-Arch", "maybe", `package curl: field Multi-Arch: found "maybe", expected same, foreign, allowed or no`},
		{"Source", "a b", `package curl: field Source: found "a", expected a package name of at least two characters`},
		{"Filename", "", `package curl: field Filename: found "", expected a clean path below the archive's base`},
		{"Filename", "/etc/passwd", `package curl: field Filename: found "/etc/passwd", expected a clean path below the archive's base`},
		{"Filename", "pool/../../x", `package curl: field Filename: found "pool/../../x", expected a clean path below the archive's base`},
		{"Filename", "..", `package curl: field Filename: found "..", expected a clean path below the archive's base`},
		{"Filename", "pool//x", `package curl: field Filename: found "pool//x", expected a clean path below the archive's base`},
		{"Filename", "pool/\x1b[2Jx", `package curl: field Filename: found '\x1b' in "pool/\x1b[2Jx"`},
		{"Filename", `pool\x`, `package curl: field Filename: found '\\' in "pool\\x"`},
		{"Size", "-1", `package curl: field Size: found "-1", expected a number of bytes`},
		{"Size", "0", `package curl: field Size: found "0", expected a number of bytes`},
		{"Size", "99999999999999999999", `package curl: field Size: found "99999999999999999999", expected a number of bytes`},
		{"Installed-Size", "x", `package curl: field Installed-Size: found "x", expected a number of KiB`},
		{"SHA256", sha[1:], `package curl: field SHA256: found "` + sha[1:] + `", expected 64 hex digits`},
		{"SHA256", strings.ToUpper(sha), `package curl: field SHA256: found "` + strings.ToUpper(sha) + `", expected 64 hex digits`},
	} {
		var lines []string
		for line := range strings.SplitSeq(curlStanza, "\n") {
			if strings.HasPrefix(line, tt.field+":") {
				line = tt.field + ": " + tt.value
			}
			lines = append(lines, line)
		}
		_, err := readAll("\n" + strings.Join(lines, "\n"))
		if want := "stanza at line 2: " + tt.want; err == nil || err.Error() != want {
			t.Errorf("%s: %q gives %v, want %s", tt.field, tt.value, err, want)
		}
	}
}

func TestControlSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		" continued\n":                    "line 1: continuation line without a field",
		"\n\n\tb\n":                       "line 3: continuation line without a field",
		"Package: a\nno colon\n":          `line 2: found "no colon", expected "Field: value"`,
		"-Field: x\n":                     `line 1: found "-Field: x", expected "Field: value"`,
		"Two Words: x\n":                  `line 1: found "Two Words: x", expected "Field: value"`,
		"Package: aa\nPACKAGE: bb\n":      "line 2: field PACKAGE is there twice in one paragraph",
		strings.Repeat("x", 1<<20) + "\n": "line 1: longer than 1048576 bytes",
	} {
		if _, err := readParagraphs(text); err == nil || err.Error() != want {
			t.Errorf("ControlReader on %.40q: %v, want %s", text, err, want)
		}
		if _, err := readAll(text); err == nil || err.Error() != want {
			t.Errorf("ReadPackages on %.40q: %v, want %s", text, err, want)
		}
	}
}

// readParagraphs reads an index the slow way, which ReadPackages has to agree with.
func readParagraphs(text string) (ps []Package, err error) {
	r := NewControlReader(strings.NewReader(text))
	for {
		paragraph, err := r.Next()
		if err == io.EOF {
			return ps, nil
		}
		if err != nil {
			return ps, err
		}
		p, err := PackageFromParagraph(paragraph)
		if err != nil {
			return ps, err
		}
		ps = append(ps, p)
	}
}

func FuzzReadPackages(f *testing.F) {
	f.Add(curlStanza)
	f.Add("\n" + curlStanza + "\n#\n" + curlStanza)
	f.Add("Package: aa\nVersion: 1\n more\n")
	f.Fuzz(func(t *testing.T, text string) {
		fast, fastErr := readAll(text)
		slow, slowErr := readParagraphs(text)
		if slowErr == nil && fastErr != nil {
			t.Fatalf("ReadPackages fails: %v", fastErr)
		}
		if n := min(len(fast), len(slow)); fmt.Sprint(fast[:n]) != fmt.Sprint(slow[:n]) || len(slow) > len(fast) {
			t.Errorf("ReadPackages: %+v\nparagraphs: %+v", fast, slow)
		}
		for _, p := range fast {
			if strings.Contains("/"+p.Filename+"/", "/../") || strings.HasPrefix(p.Filename, "/") {
				t.Errorf("let through the file name %q", p.Filename)
			}
		}
	})
}

func FuzzControlReader(f *testing.F) {
	f.Add("Suites: trixie\nURIs: https://example.com/debian\n\n# comment\nEnabled: no\n")
	f.Add("Field:\n folded\n .\n more\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := NewControlReader(strings.NewReader(text))
		for line := 0; ; {
			p, err := r.Next()
			if err != nil {
				return
			}
			if len(p) == 0 {
				t.Fatal("a paragraph without fields")
			}
			for _, field := range p {
				if field.Line <= line {
					t.Errorf("field %q is on line %d after line %d", field.Name, field.Line, line)
				}
				line = field.Line
				if got := p.Get(strings.ToUpper(field.Name)); got != field.Value {
					t.Errorf("Get(%q) = %q, want %q", field.Name, got, field.Value)
				}
			}
		}
	})
}
