package sboms

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
)

// jar makes an archive of names and contents.
func jar(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.Create(members[i])
		check(t, err)
		_, err = io.WriteString(w, members[i+1])
		check(t, err)
	}
	check(t, z.Close())
	return b.String()
}

// polyglot makes an image with packages of several languages: a venv, Debian's own
// Python packages, modules below modules, a jar in a jar, and files that say nothing.
func polyglot(t *testing.T) *oci.Image {
	t.Helper()
	const site, dist = "opt/venv/lib/python3.13/site-packages/", "usr/lib/python3/dist-packages/"
	return imageOf(t, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "amd64"}}, []member{
		{name: "usr/lib/os-release", content: "ID=debian\nVERSION_ID=13\n"},
		{name: "var/lib/dpkg/status", content: "Package: python3-six\nStatus: install ok installed\nVersion: 1.17-1\nArchitecture: all\nMaintainer: Debian Python Team <team@example.org>\n"},
		{name: "var/lib/dpkg/info/python3-six.list", content: "/usr/lib/python3/dist-packages/six.py\n/usr/lib/python3/dist-packages/six-1.17.egg-info\n/usr/lib/python3/dist-packages/six-1.17.egg-info/PKG-INFO\n"},
		{name: dist + "six.py", content: "six"},
		{name: dist + "six-1.17.egg-info/PKG-INFO", content: "Name: six\nVersion: 1.17\nLicense: MIT\nAuthor: B\n"},
		{name: site + "web_app-2.dist-info/METADATA", content: "Name: Web_App\nVersion: 2\nLicense-Expression: (mit or BSD-3-Clause) and LGPL-2.1+\nAuthor-email: The Example Team <x@example.org>\nRequires-Dist: six\nRequires-Dist: lib.core\nRequires-Dist: absent\n"},
		{name: site + "web_app-2.dist-info/RECORD", content: "web/__init__.py,,\n../../../bin/web,,\n/usr/lib/python3/dist-packages/six.py,,\n"},
		{name: site + "web_app-2.dist-info/licenses/LICENSE", content: "text"},
		{name: site + "web/__init__.py", content: "web"},
		{name: site + "web/other.py", content: "not in the record"},
		{name: "opt/venv/bin/web", content: "#!"},
		{name: site + "lib_core-1.dist-info/METADATA", content: "Name: lib-core\nVersion: 1\nClassifier: License :: OSI Approved :: Apache Software License\n"},
		{name: site + "broken-1.dist-info/METADATA", content: "no metadata"},
		{name: "app/package.json", content: `{"name": "app", "version": "1.0.0", "dependencies": {"a": "1", "b": "1"}}`},
		{name: "app/main.js", content: "main"},
		{name: "app/node_modules/a/package.json", content: `{"name": "a", "version": "1.1.0", "license": "MIT", "dependencies": {"b": "2"}}`},
		{name: "app/node_modules/a/index.js", content: "a"},
		{name: "app/node_modules/a/node_modules/b/package.json", content: `{"name": "b", "version": "2.0.0", "licenses": [{"type": "MIT"}, {"type": "Odd"}]}`},
		{name: "app/node_modules/b/package.json", content: `{"name": "b", "version": "1.0.0", "author": "B <b@example.org>"}`},
		{name: "app/node_modules/.package-lock.json", content: "{}"},
		{name: "srv/fat-1.jar", content: jar(t, "META-INF/maven/org.example/fat/pom.properties", "groupId=org.example\nartifactId=fat\nversion=1\n", "lib/in-2.jar", jar(t, "META-INF/MANIFEST.MF", "Implementation-Vendor: V\n"))},
		{name: "srv/broken.jar", content: "PK no"},
	})
}

// What Read says of packages of languages: licence, supplier, what contains and what
// needs what, and which files are whose.
func TestLanguages(t *testing.T) {
	img := describe(t, polyglot(t))
	var got strings.Builder
	for i := range img.Languages {
		p := &img.Languages[i]
		fmt.Fprintf(&got, "%d %s in %s", i, p.purl(), strings.TrimPrefix(p.ref(), "/")[:strings.Index(p.ref(), "#")-1])
		if p.Licence.Expression != noAssertion {
			expression := p.Licence.Expression
			for _, c := range p.Licence.Custom {
				expression = strings.ReplaceAll(expression, c.ID, "<"+c.Name+">")
			}
			got.WriteString(", " + expression)
		}
		if p.Supplier.Name != "" {
			got.WriteString(", " + p.Supplier.String())
		}
		fmt.Fprintf(&got, ", needs %d", p.DependsOn)
		if p.Parent >= 0 {
			fmt.Fprintf(&got, ", part of %d", p.Parent)
		}
		if p.Package >= 0 {
			got.WriteString(", of " + img.Packages[p.Package].Name)
		}
		if p.Digests != nil {
			fmt.Fprintf(&got, ", SHA-512 of %d digits", len(p.Digests.SHA512))
		}
		for _, f := range img.contents()[part{ofLanguage, i}] {
			got.WriteString(" " + path.Base(f.Path))
		}
		got.WriteString("\n")
	}
	for _, f := range img.Files {
		if f.Unread != "" {
			got.WriteString(f.Path + ": " + f.Unread + "\n")
		}
	}
	const want = `0 pkg:npm/b@2.0.0 in app/node_modules/a/node_modules/b/package.json, <Odd> OR MIT, needs [] package.json
1 pkg:npm/a@1.1.0 in app/node_modules/a/package.json, MIT, needs [0] index.js package.json
2 pkg:npm/b@1.0.0 in app/node_modules/b/package.json, Person: B (b@example.org), needs [] package.json
3 pkg:npm/app@1.0.0 in app/package.json, needs [1 2] main.js package.json
4 pkg:pypi/lib-core@1 in opt/venv/lib/python3.13/site-packages/lib_core-1.dist-info/METADATA, <OSI Approved :: Apache Software License>, needs [] METADATA
5 pkg:pypi/web-app@2 in opt/venv/lib/python3.13/site-packages/web_app-2.dist-info/METADATA, (MIT OR BSD-3-Clause) AND LGPL-2.1-or-later, Organization: The Example Team (x@example.org), needs [4 8] web __init__.py METADATA RECORD LICENSE
6 pkg:maven/org.example/fat@1 in srv/fat-1.jar, Organization: org.example, needs [7], SHA-512 of 128 digits fat-1.jar
7 pkg:maven/in/in@2 in srv/fat-1.jar!/lib/in-2.jar, Organization: V, needs [], part of 6, SHA-512 of 128 digits
8 pkg:pypi/six@1.17 in usr/lib/python3/dist-packages/six-1.17.egg-info/PKG-INFO, MIT, Person: B, needs [], of python3-six
/opt/venv/lib/python3.13/site-packages/broken-1.dist-info/METADATA: it has no Name and Version of a Python distribution
/srv/broken.jar: zip: not a valid zip file
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if list := img.contents()[part{ofPackage, 0}]; len(list) != 2 {
		t.Errorf("python3-six has the files %v", list)
	}
	if got := fmt.Sprint(img.languageRoots()); got != "map[-1:[3 5 6]]" {
		t.Errorf("the image needs %s", got)
	}
}

// Expressions and names of licences.
func TestStatedLicence(t *testing.T) {
	for _, c := range []struct {
		stated string // several are joined by " & ", of which one is to be chosen if it begins with "?"
		want   string
	}{
		{"MIT", "MIT"},
		{"mit or (apache-2.0 AND GPL-2.0+)", "MIT OR Apache-2.0 AND GPL-2.0-or-later"},
		{"(MIT OR ISC) AND BSD-2-Clause", "(MIT OR ISC) AND BSD-2-Clause"},
		{"GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"},
		{"The Apache Software License, Version 2.0", "Apache-2.0"},
		{"https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"},
		{"OSI Approved :: MIT License", "MIT"},
		{"OSI Approved :: BSD License", "<OSI Approved :: BSD License>"},
		{"BSD", "<BSD>"},
		{"MIT AND", "<MIT AND>"}, {"(MIT", "<(MIT>"}, {"MIT) OR (ISC", "<MIT) OR (ISC>"}, {"()", "<()>"}, {"MIT WITH", "<MIT WITH>"},
		{"SEE LICENSE IN LICENSE.md", "<SEE LICENSE IN LICENSE.md>"},
		{"MIT & ISC", "ISC AND MIT"}, {"?MIT & ISC", "ISC OR MIT"}, {"?MIT OR ISC & MIT", "MIT OR ISC"},
		{"", noAssertion},
		{strings.Repeat("(", 1000), "<" + strings.Repeat("(", 1000) + ">"},
	} {
		var texts []string
		stated, choice := strings.CutPrefix(c.stated, "?")
		if stated != "" {
			texts = strings.Split(stated, " & ")
		}
		l := statedLicence(texts, choice, "/x")
		got := l.Expression
		for _, custom := range l.Custom {
			got = strings.ReplaceAll(got, custom.ID, "<"+custom.Name+">")
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.stated, got, c.want)
		}
	}
}
