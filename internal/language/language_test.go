package language

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"debug/buildinfo"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read gives a reader the content in parts of that many bytes.
func read(t testing.TB, name string, content []byte, part int) *File {
	t.Helper()
	r := NewReader(name, int64(len(content)))
	if r == nil {
		return nil
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{r}, struct{ io.Reader }{bytes.NewReader(content)}, make([]byte, part))
	check(t, err)
	f, err := r.Close()
	check(t, err)
	return f
}

// text writes what a file says on lines, what is in a package below it.
func (f *File) text() string {
	if f == nil {
		return "nothing\n"
	}
	var b strings.Builder
	var write func(p *Package, indent string)
	write = func(p *Package, indent string) {
		name := p.Name
		if p.Namespace != "" {
			name = p.Namespace + ":" + name
		}
		fmt.Fprintf(&b, "%s%s %s %s", indent, p.Type, name, p.Version)
		for _, part := range [][2]string{{"licence", strings.Join(p.Licence, " & ")}, {"by", p.Supplier}, {"home", p.Homepage}, {"sources", p.Repository}, {"in", p.Within}, {"needs", strings.Join(p.Requires, " ")}} {
			if part[1] != "" {
				fmt.Fprintf(&b, ", %s %s", part[0], part[1])
			}
		}
		b.WriteString("\n")
		for i := range p.Contains {
			write(&p.Contains[i], indent+"  ")
		}
	}
	for i := range f.Packages {
		write(&f.Packages[i], "")
	}
	for _, name := range f.Files {
		b.WriteString(name + "\n")
	}
	if f.Unread != "" {
		b.WriteString("unread: " + f.Unread + "\n")
	}
	return b.String()
}

func TestText(t *testing.T) {
	for _, c := range []struct{ name, path, content, want string }{
		{"a wheel's metadata", "opt/venv/lib/python3.13/site-packages/Flask_Login-0.6.dist-info/METADATA", `Metadata-Version: 2.4
Name: Flask_Login
Version: 0.6
License-Expression: MIT OR Apache-2.0
License: something else
Author: A. Person
Author-email: a@example.org
Project-URL: Documentation, https://docs.example.org
Project-URL: Homepage, https://example.org
Project-URL: Source Code, https://git.example.org/f.git
Requires-Dist: Flask>=1.0.4
Requires-Dist: typing_extensions ; python_version < "3.11"
Requires-Dist: pytest[all] (>=7) ; extra == 'test'

Name: not this one
`, "pypi Flask_Login 0.6, licence MIT OR Apache-2.0, by A. Person <a@example.org>, home https://example.org, sources https://git.example.org/f.git, needs flask typing-extensions\n"},
		{"an egg's", "usr/lib/python3/dist-packages/six-1.16.egg-info/PKG-INFO", "Name: six\nVersion: 1.16\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\nAuthor-email: B <b@example.org>, c@example.org\n",
			"pypi six 1.16, licence OSI Approved :: MIT License, by B <b@example.org>\n"},
		{"one in a file", "usr/lib/python3/dist-packages/old-1.egg-info", "Name: old\nVersion: 1\n", "pypi old 1\n"},
		{"a licence's whole text", "a.dist-info/METADATA", "Name: a\nVersion: 1\nLicense: Do what\n        you like.\nSummary: x\n", "pypi a 1, licence Do what\nyou like.\n"},
		{"metadata without a version", "a.dist-info/METADATA", "Name: a\n\nVersion: 1\n", "unread: it has no Name and Version of a Python distribution\n"},
		{"metadata of control characters", "a.dist-info/METADATA", "Name: a\x1b[31m\nVersion: 1\n", "unread: it has no Name and Version of a Python distribution\n"},
		{"no text at all", "a.dist-info/METADATA", "\x00\xff\xfe", "unread: it has no Name and Version of a Python distribution\n"},
		{"too much metadata", "a.dist-info/METADATA", "Name: a\nVersion: 1\n\n" + strings.Repeat("x", maxText), "unread: it has more than 4194304 bytes\n"},
		{"a record", "opt/venv/lib/python3.13/site-packages/a-1.dist-info/RECORD", "../../../bin/a,sha256=x,1\n\"a/odd,name.py\",,\n/etc/a.conf,,\n../../../../../../../../x,,\n",
			"opt/venv/bin/a\nopt/venv/lib/python3.13/site-packages/a/odd,name.py\netc/a.conf\nx\n"},
		{"a record that is none", "a-1.dist-info/RECORD", "a\"b,,\n", "unread: parse error on line 1, column 2: bare \" in non-quoted-field\n"},
		{"installed files", "site/a.egg-info/installed-files.txt", "../a/__init__.py\nPKG-INFO\n", "site/a/__init__.py\nsite/a.egg-info/PKG-INFO\n"},
		{"METADATA elsewhere", "srv/METADATA", "Name: a\nVersion: 1\n", "nothing\n"},

		{"an npm package", "srv/app/node_modules/@s/left/package.json", `{"name": "@s/left", "version": "1.2.3", "license": "MIT", "author": "A <a@example.org> (https://example.org)", "homepage": "https://example.org/#readme", "repository": {"type": "git", "url": "git+https://example.org/left.git"},
			"dependencies": {"b": "^1"}, "optionalDependencies": {"a": "1"}, "peerDependencies": {"b": "1"}, "devDependencies": {"c": "1"}}`,
			"npm @s/left 1.2.3, licence MIT, by A <a@example.org>, home https://example.org/#readme, sources git+https://example.org/left.git, needs a b\n"},
		{"one with old licences", "node_modules/a/package.json", `{"name": "a", "version": "1", "licenses": [{"type": "MIT"}, {"url": "https://example.org/x"}], "maintainers": [{"name": "M", "email": "m@example.org"}]}`,
			"npm a 1, licence MIT & https://example.org/x, by M <m@example.org>\n"},
		{"an application", "srv/app/package.json", `{"name": "app", "version": "0.1.0", "license": false, "repository": "github:a/b", "dependencies": []}`, "npm app 0.1.0, sources github:a/b\n"},
		{"a directory of modules", "node_modules/a/dist/package.json", `{"name": "a", "version": "1"}`, "nothing\n"},
		{"a kind of modules", "srv/app/esm/package.json", `{"type": "module"}`, "nothing\n"},
		{"a broken one", "node_modules/a/package.json", `{"name": `, "unread: package.json: unexpected end of JSON input\n"},
		{"a deep one", "node_modules/a/package.json", strings.Repeat("[", 1<<20), "unread: package.json: invalid character '[' exceeded max depth\n"},
		{"a name that is none", "node_modules/a/package.json", `{"name": "<b>", "version": "1"}`, "nothing\n"},
	} {
		for _, part := range []int{1 << 15, 7} {
			if got := read(t, c.path, []byte(c.content), part).text(); got != c.want {
				t.Errorf("%s, in parts of %d: got\n%swant\n%s", c.name, part, got, c.want)
			}
		}
	}
}

// jar makes an archive of names and contents, those that end in .jar stored.
func jar(t testing.TB, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		h := &zip.FileHeader{Name: members[i], Method: zip.Deflate}
		if strings.HasSuffix(h.Name, ".jar") {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		check(t, err)
		_, err = io.WriteString(w, members[i+1])
		check(t, err)
	}
	check(t, z.Close())
	return b.Bytes()
}

func properties(group, artifact, version string) string {
	return "#Created by Maven\ngroupId=" + group + "\nartifactId = " + artifact + "\nversion: " + version + "\n"
}

func TestJars(t *testing.T) {
	const pomXML = `<?xml version="1.0" encoding="ISO-8859-1"?><project xmlns="http://maven.apache.org/POM/4.0.0"><url>https://example.org</url><scm><url>https://example.org/x.git</url></scm><organization><name>Example</name></organization>` +
		`<licenses><license><name>Apache License, Version 2.0</name></license><license><url>https://example.org/l</url></license></licenses></project>`
	inner := jar(t, "META-INF/maven/org.example/inner/pom.properties", properties("org.example", "inner", "3"))
	library := jar(t, "META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nBundle-SymbolicName: org.example.lib;singleton:=tr\r\n ue\r\nBundle-License: MIT;link=x\r\nImplementation-Vendor: V\r\n\r\nName: x\r\nImplementation-Vendor: W\r\n")
	for _, c := range []struct {
		name, path string
		content    []byte
		want       string
	}{
		{"what Maven left", "srv/a-1.0.jar", jar(t, "META-INF/maven/org.example/a/pom.properties", properties("org.example", "a", "1.0"), "META-INF/maven/org.example/a/pom.xml", pomXML),
			"maven org.example:a 1.0, licence Apache License, Version 2.0 & https://example.org/l, by Example, home https://example.org, sources https://example.org/x.git\n"},
		{"a manifest", "srv/lib-2.1-rc1.jar", library, "maven org.example:lib 2.1-rc1, licence MIT, by V\n"},
		{"nothing but a name", "srv/app.jar", jar(t, "A.class", "x"), "maven app \n"},
		{"others put into one", "srv/fat-1.jar", jar(t, "META-INF/maven/g.x/part/pom.properties", properties("g.x", "part", "7"), "META-INF/maven/g.x/fat/pom.properties", properties("g.x", "fat", "${revision}")),
			"maven g.x:fat 1\n  maven g.x:part 7\n"},
		{"jars in it, stored and packed", "srv/boot-1.jar", jar(t, "BOOT-INF/lib/lib-2.jar", string(library), "WEB-INF/lib/outer.war", string(jar(t, "lib/inner-3.jar", string(inner)))),
			"maven boot 1\n  maven org.example:lib 2, licence MIT, by V, in BOOT-INF/lib/lib-2.jar\n  maven outer , in WEB-INF/lib/outer.war\n    maven org.example:inner 3, in WEB-INF/lib/outer.war/lib/inner-3.jar\n"},
		{"no archive", "srv/a-1.jar", []byte("no archive"), "unread: zip: not a valid zip file\n"},
		{"cut off", "srv/a-1.jar", library[:len(library)-30], "unread: zip: not a valid zip file\n"},
		{"a broken jar in it", "srv/a-1.jar", jar(t, "lib/b-1.jar", "no", "META-INF/maven/g.x/a/pom.properties", properties("g.x", "a", "1")), "maven g.x:a 1\nunread: lib/b-1.jar: zip: not a valid zip file\n"},
		{"jars without end", "srv/a-1.jar", nested(t, 8), "maven a 1\n  maven a 2, in a-2.jar\n    maven a 3, in a-2.jar/a-3.jar\n      maven a 4, in a-2.jar/a-3.jar/a-4.jar\n        maven a 5, in a-2.jar/a-3.jar/a-4.jar/a-5.jar\n" +
			"unread: a-2.jar: a-3.jar: a-4.jar: a-5.jar: a-6.jar: it is a jar in more than 4 others\n"},
		{"a text that unpacks to much", "srv/a-1.jar", jar(t, "META-INF/MANIFEST.MF", strings.Repeat(" ", maxText+1)), "maven a 1\nunread: META-INF/MANIFEST.MF: it has more than 4194304 bytes\n"},
		{"many members", "srv/a-1.jar", bytes.Repeat(member, maxMembers+1), "unread: it has more than 200000 members\n"},
		{"a name out of the archive", "srv/a-1.jar", jar(t, "../../lib-2.jar", string(library)), "maven a 1\n  maven org.example:lib 2, licence MIT, by V, in ../../lib-2.jar\n"},
	} {
		for _, part := range []int{1 << 15, 3} {
			if got := read(t, c.path, c.content, part).text(); got != c.want {
				t.Errorf("%s, in parts of %d: got\n%swant\n%s", c.name, part, got, c.want)
			}
		}
	}
}

// nested returns a jar that has a jar that has a jar.
func nested(t *testing.T, depth int) []byte {
	content := jar(t, "x", "y")
	for i := depth; i > 1; i-- {
		content = jar(t, fmt.Sprintf("a-%d.jar", i), string(content))
	}
	return content
}

// A jar that is larger than what is held in memory is read from a file, and one in it
// has its digests.
func TestLargeJar(t *testing.T) {
	noise := make([]byte, maxHeld+1)
	rand.Read(noise)
	f := read(t, "srv/large-1.jar", jar(t, "noise", string(noise), "lib/b-2.jar", string(jar(t, "x", "y"))), 1<<15)
	if got := f.text(); got != "maven large 1\n  maven b 2, in lib/b-2.jar\n" || len(f.SHA512) != 128 || len(f.Packages[0].Contains[0].Digests.SHA512) != 128 {
		t.Error(got)
	}
}

// A jar that unpacks to more than it may ends where the bound is.
func TestUnpackedTooMuch(t *testing.T) {
	bomb := jar(t, "lib/a-1.war", strings.Repeat("\x00", 1<<20), "lib/b-1.war", strings.Repeat("\x00", 1<<20))
	u := &unpacking{left: 1<<20 + 10}
	if _, err := u.jar("x.jar", "", bytes.NewReader(bomb), int64(len(bomb)), 0); err == nil || !strings.Contains(err.Error(), "lib/a-1.war: zip: not a valid zip file") {
		t.Error(err)
	}
	if u.left >= 0 {
		t.Errorf("%d bytes are left", u.left)
	}
	u = &unpacking{left: 1 << 30, packages: maxPackages}
	if _, err := u.jar("x.jar", "", bytes.NewReader(bomb), int64(len(bomb)), 0); err == nil || !strings.Contains(err.Error(), errTooMuch.Error()) {
		t.Error(err)
	}
}

// This test's own program says what debug/buildinfo reads out of it, whichever parts
// it comes in, and so does one that is built in the other common mode.
func TestPrograms(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	programs := map[string]string{"this test": self}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.org/hello\n\ngo 1.21\n"), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println() }\n"), 0o644))
	programs["pie"] = filepath.Join(dir, "pie")
	build := exec.Command("go", "build", "-trimpath", "-buildmode=pie", "-ldflags=-s -w", "-o", programs["pie"], ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOTOOLCHAIN=local", "GOFLAGS=")
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", b, err)
	}
	for name, file := range programs {
		content, err := os.ReadFile(file)
		check(t, err)
		info, err := buildinfo.ReadFile(file)
		check(t, err)
		want, err := json.Marshal(goProgram(info.GoVersion, info).Packages)
		check(t, err)
		for _, part := range []int{32 << 10, 1000, 4096} {
			f := read(t, "usr/bin/x", content, part)
			if f == nil || len(f.SHA512) != 128 {
				t.Errorf("%s: %+v", name, f)
				continue
			}
			if got, _ := json.Marshal(f.Packages); string(got) != string(want) {
				t.Errorf("%s, in parts of %d: got %s, want %s", name, part, got, want)
			}
		}
	}
	if got := read(t, "usr/bin/sh", append([]byte("\x7fELF"), make([]byte, 1<<17)...), 1000).text(); got != "nothing\n" {
		t.Error(got)
	}
}

// What a program says can be cut off or old.
func TestProgramsThatSayLittle(t *testing.T) {
	header := string(magic) + "\x08\x02" + strings.Repeat("\x00", 16)
	mark := strings.Repeat("m", 15) + "\n"
	modules := mark + "path\tx\nmod\texample.org/x\tv1.0.0\th1:a=\ndep\texample.org/y\tv2.0.0\n=>\t./y\t\t\ndep\texample.org/z\tv3.0.0\n=>\texample.org/fork\tv3.0.1\th1:b=\n" + strings.Repeat("m", 16)
	for _, c := range []struct{ name, after, want string }{
		{"a list that is cut off", header + "\x06go1.99\xff\xff\xff\x7f", "unread: the list of modules in it is cut off, or longer than what is read\n"},
		{"replaced ones", header + "\x06go1.99" + varint(len(modules)) + modules, "golang example.org/x v1.0.0\n  golang stdlib 1.99, licence BSD-3-Clause, by The Go Authors, home https://go.dev/\n  golang example.org/y \n  golang example.org/fork v3.0.1\n"},
		{"without modules", header + "\x06go1.99\x00", "golang stdlib 1.99, licence BSD-3-Clause, by The Go Authors, home https://go.dev/\n"},
		{"before Go 1.18", string(magic) + "\x08\x00", "unread: Go before 1.18 built it, whose list of modules is not read\n"},
		{"a length that is none", header + strings.Repeat("\xff", 20), "unread: the version of Go in it is cut off\n"},
		{"not aligned", "x" + header, "nothing\n"},
	} {
		for class, program := range map[string][]byte{"64 bits": program64(c.after), "32 bits, big-endian": program32(c.after)} {
			if got := read(t, "usr/bin/x", program, 1000).text(); got != c.want {
				t.Errorf("%s, %s: got\n%swant\n%s", c.name, class, got, c.want)
			}
		}
	}
}

// program64 returns an ELF file with one segment, which is loaded and writable and has
// those bytes (elf(5)).
func program64(content string) []byte {
	b := make([]byte, smallestProgram)
	copy(b, "\x7fELF\x02\x01")
	order := binary.LittleEndian
	order.PutUint64(b[32:], 64)
	order.PutUint16(b[54:], 56)
	order.PutUint16(b[56:], 1)
	order.PutUint32(b[64:], 1)
	order.PutUint32(b[68:], 6)
	order.PutUint64(b[72:], 2*headSize)
	order.PutUint64(b[96:], smallestProgram)
	copy(b[2*headSize:], content)
	return b
}

// program32 is the same in the other class and byte order.
func program32(content string) []byte {
	b := make([]byte, smallestProgram)
	copy(b, "\x7fELF\x01\x02")
	order := binary.BigEndian
	order.PutUint32(b[28:], 52)
	order.PutUint16(b[42:], 32)
	order.PutUint16(b[44:], 1)
	order.PutUint32(b[52:], 1)
	order.PutUint32(b[56:], 2*headSize)
	order.PutUint32(b[68:], smallestProgram)
	order.PutUint32(b[76:], 6)
	copy(b[2*headSize:], content)
	return b
}

func varint(n int) string { return string([]byte{byte(n&0x7f | 0x80), byte(n >> 7)}) }

func FuzzReader(f *testing.F) {
	f.Add("a.dist-info/METADATA", []byte("Name: a\nVersion: 1\nRequires-Dist: b\n"))
	f.Add("a.dist-info/RECORD", []byte("a,,\n"))
	f.Add("node_modules/a/package.json", []byte(`{"name": "a", "version": "1", "license": {"type": "MIT"}, "dependencies": {"b": "1"}}`))
	f.Add("a-1.jar", jar(f, "META-INF/MANIFEST.MF", "A: b\n", "lib/b.jar", string(jar(f, "META-INF/maven/g.x/a/pom.properties", properties("g.x", "a", "1")))))
	f.Add("usr/bin/a", program64(string(magic)+"\x08\x02"+strings.Repeat("\x00", 16)+"\x06go1.99\x00"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		whole := read(t, name, content, 32<<10)
		if parts := read(t, name, content, 5); whole.text() != parts.text() {
			t.Errorf("whole:\n%sin parts:\n%s", whole.text(), parts.text())
		}
		if whole != nil {
			for _, p := range whole.Packages {
				if !isName(p.Name) {
					t.Errorf("the name %q", p.Name)
				}
			}
		}
	})
}
