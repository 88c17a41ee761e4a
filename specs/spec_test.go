package specs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const allKeys = "testdata/images/all-keys/1.0.yaml"

// TestAllKeysAreTried fails where a key is not in the fixture that has them all.
func TestAllKeysAreTried(t *testing.T) {
	b, err := os.ReadFile(allKeys)
	if err != nil {
		t.Fatal(err)
	}
	var p problems
	used := map[string]bool{}
	var walk func(n *node, typ reflect.Type)
	walk = func(n *node, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		for _, item := range n.items {
			walk(item, typ.Elem())
		}
		for _, e := range n.entries {
			if typ.Kind() != reflect.Struct {
				walk(e.value, typ.Elem())
				continue
			}
			f := fieldNamed(fieldsOf(typ), e.key)
			used[f.doc] = true
			walk(e.value, f.typ)
		}
	}
	walk(parse(allKeys, b, &p), documentType)
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	for key := range readComments(t, specFiles...) {
		typ, field, isField := strings.Cut(key, ".")
		if isField && !used[key] && typ != "field" && field != "origin" && field != "variant" && !isValueType(typ) {
			t.Errorf("%s has no value for %s", allKeys, key)
		}
	}
}

func isValueType(name string) bool {
	return name == "Platform" || name == "Distro" || name == "Port" || name == "PackageRequest"
}

// TestYAMLIsTheSpec loads what each fixture and its variants print: it must be the
// same spec, in both forms, and without vars or parents.
func TestYAMLIsTheSpec(t *testing.T) {
	for _, file := range fixtures(t) {
		if strings.Contains(file, "base") {
			continue // a parent only
		}
		base := loaded(t, file)
		for _, name := range append([]string{""}, base.VariantNames()...) {
			s, err := base.Variant(name)
			if err != nil {
				t.Fatal(err)
			}
			checkRoundTrip(t, s)
		}
	}
}

// checkRoundTrip prints s, loads that beside s's file, and compares.
func checkRoundTrip(t testing.TB, s *Spec) {
	t.Helper()
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(filepath.Dir(s.File()), ".printed-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Load(f.Name())
	if err != nil {
		t.Fatalf("what the spec prints is refused: %v\n%s", err, text)
	}
	text2, err := again.YAML()
	if err != nil || string(text2) != string(text) {
		t.Errorf("printed twice (error %v):\n%s\nand\n%s", err, text, text2)
	}
	c1, err1 := s.Canonical()
	c2, err2 := again.Canonical()
	if err1 != nil || err2 != nil || string(c1) != string(c2) {
		t.Errorf("canonical forms (errors %v, %v):\n%s\nand\n%s", err1, err2, c1, c2)
	}
	a, b := *s, *again
	a.origin, b.origin, a.variant, b.variant = nil, nil, "", ""
	if !reflect.DeepEqual(a, b) {
		t.Errorf("loaded:\n%+v\nand again:\n%+v", a, b)
	}
}

// TestCanonical has specs that say the same, and ones that do not.
func TestCanonical(t *testing.T) {
	canonical := func(files ...string) string {
		dir := writeFiles(t, files...)
		b, err := loaded(t, filepath.Join(dir, files[0])).Canonical()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	body := "paths: [{path: /a, type: file, source: a.txt}]\nenvironment: {A: x, B: y}\n"
	one := canonical("spec.yaml", header+body, "a.txt", "a")
	for name, same := range map[string]string{
		"another place, name and order": canonical("x/y.yaml", "# a comment\nenvironment: {B: y, A: x}\npaths:\n  - type: file\n    path: /a\n    source: b.txt\n"+header, "x/b.txt", "a"),
		"a parent and vars":             canonical("s.yaml", header+"extends: p/p.yaml\nenvironment: {B: \"${Y}\"}\n", "p/p.yaml", "apiVersion: hardpan/v1\nvars: {Y: y}\n"+strings.Replace(body, "B: y", "B: z", 1), "p/a.txt", "a"),
		"defaults written out":          canonical("spec.yaml", header+body+"layering: {budget: 60}\nhardening: {profile: strict}\n", "a.txt", "a"),
		"a variant of it":               canonical("spec.yaml", header+body+"variants: {debug: {cmd: [x]}}\n", "a.txt", "a"),
	} {
		if same != one {
			t.Errorf("%s:\n%s\nis not\n%s", name, same, one)
		}
	}
	for name, other := range map[string]string{
		"another byte in a source": canonical("spec.yaml", header+body, "a.txt", "b"),
		"another value":            canonical("spec.yaml", header+strings.Replace(body, "A: x", "A: z", 1), "a.txt", "a"),
		"another order of a list":  canonical("spec.yaml", header+body+"cmd: [a, b]\n", "a.txt", "a"),
	} {
		if other == one {
			t.Errorf("%s: the same canonical form", name)
		}
	}
}

func TestCanonicalNamesAMissingSource(t *testing.T) {
	dir := writeFiles(t, "spec.yaml", header+"paths: [{path: /a, type: file, source: a.txt}]\n", "a.txt", "a")
	s := loaded(t, filepath.Join(dir, "spec.yaml"))
	if err := os.Remove(filepath.Join(dir, "a.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Canonical(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"a.txt"`) {
		t.Errorf("found error %v, expected one that names a.txt", err)
	}
}

// TestPositions asks for places in the example of DESIGN.md.
func TestPositions(t *testing.T) {
	s := loaded(t, "testdata/images/python/3.13.yaml")
	for _, test := range []struct {
		path []any
		want string
	}{
		{[]any{"contents", "packages", 0}, "testdata/images/base/trixie.yaml:5:14"},
		{[]any{"contents", "packages", 1}, "testdata/images/python/3.13.yaml:10:7"},
		{[]any{"contents", "packages", 6}, "testdata/images/python/3.13.yaml:15:7"},
		{[]any{"contents", "repositories", 0}, "testdata/images/python/3.13.yaml:17:7"},
		{[]any{"contents", "repositories", 0, "uri"}, "testdata/images/python/3.13.yaml:17:13"},
		{[]any{"accounts", "run-as"}, "testdata/images/python/3.13.yaml:32:11"},
		{[]any{"paths", 1}, "testdata/images/python/3.13.yaml:35:5"},
		{[]any{"paths", 1, "mode"}, "testdata/images/python/3.13.yaml:35:71"},
		{[]any{"environment", "TZ"}, "testdata/images/base/trixie.yaml:6:19"},
		{[]any{"entrypoint"}, "testdata/images/python/3.13.yaml:42:1"},
		{[]any{"stages"}, "testdata/images/python/3.13.yaml:18:1"},
		{[]any{"version"}, "testdata/images/python/3.13.yaml:4:10"},
		{[]any{"accounts", "users", 0, "gecos"}, "testdata/images/python/3.13.yaml:30:11"}, // not there: the user
		{[]any{"layering", "budget"}, "testdata/images/python/3.13.yaml"},                  // not there at all
	} {
		if got := s.Position(test.path...).String(); got != test.want {
			t.Errorf("%v is at %s, want %s", test.path, got, test.want)
		}
	}
}

// TestRunAs resolves what an image runs as to numbers.
func TestRunAs(t *testing.T) {
	for _, test := range []struct {
		runAs    string
		uid, gid ID
	}{
		{"", 0, 0},
		{"root", 0, 0},
		{"www-data", 33, 33},
		{"_apt", 42, 65534},
		{"app", 1000, 100},
		{"1000", 1000, 100},
		{"1001", 1001, 0},
		{"1001:1002", 1001, 1002},
		{"app:adm", 1000, 4},
		{"app:team", 1000, 2000},
		{"4294967294:4294967294", maxID, maxID},
	} {
		dir := writeFiles(t, "spec.yaml", header+"accounts:\n  run-as: \""+test.runAs+"\"\n"+
			"  users: [{name: app, uid: 1000, gid: 100}]\n  groups: [{name: team, gid: 2000}]\n")
		if test.runAs == "" {
			dir = writeFiles(t, "spec.yaml", header)
		}
		s := loaded(t, filepath.Join(dir, "spec.yaml"))
		uid, gid, err := s.Accounts.Resolve()
		if err != nil || uid != test.uid || gid != test.gid {
			t.Errorf("run-as %q: got %d:%d, error %v; want %d:%d", test.runAs, uid, gid, err, test.uid, test.gid)
		}
	}
}

// TestVars has texts and what substitution makes of them.
func TestVars(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"plain", "plain"},
		{"${A}", "x"},
		{"${A}${B}", "x${notread}"},
		{"-${A}-", "-x-"},
		{"$A $( $", "$A $( $"},
		{"$$", "$"},
		{"$${A}", "${A}"},
		{"$$${A}", "$x"},
		{"$$$$", "$$"},
		{"${_1}", ""},
	} {
		var p problems
		n := &node{text: test.text}
		vars := map[string]string{"A": "x", "B": "${notread}", "_1": ""}
		if got := (&substituter{vars, &p}).tree(n).text; got != test.want || p.err() != nil {
			t.Errorf("%s: got %q (%v), want %q", test.text, got, p.err(), test.want)
		}
		if got := (&substituter{nil, &p}).tree(&node{text: escape(test.want)}).text; got != test.want {
			t.Errorf("%s escaped is read as %q", test.want, got)
		}
	}
}

func TestAliasesAreFine(t *testing.T) {
	dir := writeFiles(t, "spec.yaml", header+"entrypoint: &c [/bin/app]\nhealthcheck: {command: *c}\n")
	if s := loaded(t, filepath.Join(dir, "spec.yaml")); s.Healthcheck.Command[0] != "/bin/app" {
		t.Errorf("found %q", s.Healthcheck.Command)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := writeFiles(t, "large.yaml", header+"#"+strings.Repeat("x", maxSpecSize), "sub/file", "")
	for _, test := range []struct{ file, want string }{
		{"missing.yaml", "missing.yaml: cannot read spec: no such file or directory"},
		{"sub", "sub: cannot read spec: is a directory"},
		{"large.yaml", "large.yaml: spec is larger than 1048576 bytes"},
	} {
		_, err := Load(filepath.Join(dir, test.file))
		if err == nil || report(dir, err) != test.want {
			t.Errorf("found %v, want %s", err, test.want)
		}
		if got := errors.Is(err, fs.ErrNotExist); got != (test.file == "missing.yaml") {
			t.Errorf("%s: is it fs.ErrNotExist: %t", test.file, got)
		}
	}
}

// TestSourcesStayInside has links that lead out of the spec's directory.
func TestSourcesStayInside(t *testing.T) {
	dir := writeFiles(t, "spec/spec.yaml", header+"paths: [{path: /a, type: file, source: link}]\n", "outside", "secret")
	link := filepath.Join(dir, "spec/link")
	for _, target := range []string{"../outside", filepath.Join(dir, "outside")} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		_, err := Load(filepath.Join(dir, "spec/spec.yaml"))
		if want := `spec/spec.yaml:5:40: paths[0].source: cannot read "link": path escapes from parent`; err == nil || report(dir, err) != want {
			t.Errorf("a link to %s: found %v, want %s", target, err, want)
		}
		os.Remove(link)
	}
}

func TestOpenSource(t *testing.T) {
	s := loaded(t, "testdata/images/python/3.13.yaml")
	f, err := s.OpenSource(s.Contents.Repositories[0].SignedBy)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || !strings.HasPrefix(string(b), "stands for") {
		t.Errorf("found %q, error %v", b, err)
	}
	if _, err := s.OpenSource("3.13.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that the spec does not name: found error %v", err)
	}
}

// BenchmarkLoad loads the fixture with every key, its parent and its variant.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		loaded(b, allKeys)
	}
}

func TestUnknownVariant(t *testing.T) {
	_, err := loaded(t, "testdata/images/python/3.13.yaml").Variant("debgu")
	if want := `testdata/images/python/3.13.yaml: unknown variant "debgu"; did you mean "debug"?`; err == nil || err.Error() != want {
		t.Errorf("found %v, want %s", err, want)
	}
}

// TestTexts reads the texts of the values that have a type, and writes them back.
func TestTexts(t *testing.T) {
	for _, test := range []struct {
		text string
		want any
		back string // where it is not text
	}{
		{"0755", Mode(0o755), ""},
		{"04711", Mode(0o4711), "4711"},
		{"90s", Duration(90e9), "1m30s"},
		{"1.5h", Duration(5400e9), "1h30m0s"},
		{"2024-02-29", Date("2024-02-29"), ""},
		{"debian/trixie", Distro{"debian", "trixie"}, ""},
		{"debian/sid", Distro{"debian", "sid"}, ""},
		{"linux/arm/v7", Platform{"linux", "arm", "v7"}, ""},
		{"8000", Port{8000, 8000, "tcp"}, "8000/tcp"},
		{"8000-8010/sctp", Port{8000, 8010, "sctp"}, ""},
		{"libstdc++6", PackageRequest{Name: "libstdc++6"}, ""},
		{"libc6:any=2.41-12*", PackageRequest{Name: "libc6", Arch: "any", Version: "2.41-12*"}, ""},
		{"curl=1:8.14~rc1+dfsg-2", PackageRequest{Name: "curl", Version: "1:8.14~rc1+dfsg-2"}, ""},
		{"!openssl", PackageRequest{Name: "openssl", Exclude: true}, ""},
	} {
		v := reflect.New(reflect.TypeOf(test.want))
		err := v.Interface().(interface{ UnmarshalText([]byte) error }).UnmarshalText([]byte(test.text))
		if err != nil || v.Elem().Interface() != test.want {
			t.Errorf("%s: got %#v, error %v; want %#v", test.text, v.Elem().Interface(), err, test.want)
		}
		back, err := v.Interface().(interface{ MarshalText() ([]byte, error) }).MarshalText()
		if want := test.text; err != nil || string(back) != want && string(back) != test.back {
			t.Errorf("%s: written as %s, error %v", test.text, back, err)
		}
	}
}

func TestDebianArch(t *testing.T) {
	var got []string
	for _, name := range platformNames() {
		var p Platform
		if err := p.UnmarshalText([]byte(name)); err != nil {
			t.Error(err)
		}
		got = append(got, name+"="+p.DebianArch())
	}
	want := "linux/amd64=amd64 linux/arm64=arm64 linux/arm/v7=armhf linux/arm/v5=armel linux/386=i386 " +
		"linux/ppc64le=ppc64el linux/riscv64=riscv64 linux/s390x=s390x"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, " "), want)
	}
	if got := (Platform{OS: "linux", Architecture: "mips"}).DebianArch(); got != "" {
		t.Errorf("linux/mips: got %q", got)
	}
}

// TestGoodSpecs has what must not be refused, though it is near to what is.
func TestGoodSpecs(t *testing.T) {
	for name, body := range map[string]string{
		"nothing but the header":         "",
		"a number from a variable":       "vars: {UID: \"1000\", ALL: \"true\"}\npaths:\n  - {path: /a, type: directory, uid: \"${UID}\"}\n  - path: /b\n    type: permissions\n    gid: ${UID}\n    recursive: ${ALL}\n",
		"a mode of three digits":         "paths: [{path: /a, type: directory, mode: \"750\"}]\n",
		"a link to the directory above":  "paths: [{path: /x/x, type: symlink, target: /x}]\n",
		"a path below permissions":       "paths: [{path: /x, type: permissions, mode: \"0755\"}, {path: /x/y, type: empty-file}]\n",
		"root's permissions":             "paths: [{path: /, type: permissions, mode: \"0555\"}]\n",
		"a base user with another shell": "accounts: {users: [{name: root, uid: 0, shell: /bin/bash}]}\n",
		"a number as a port":             "ports: [8000, 8000/udp, 1-65535/sctp]\n",
		"numeric run-as":                 "accounts: {run-as: \"1000:1000\"}\n",
		"a package of two architectures": "contents: {packages: [\"libc6:amd64\", \"libc6:i386\", libc6]}\n",
		"comments and Windows lines":     "# comment\r\nenvironment:\r\n  A: x # comment\r\n",
		"a script in a command":          "cmd:\n  - |\n    if true; then\n    \techo $HOME\n    fi\n",
		"a real-time signal":             "stop-signal: SIGRTMIN+3\n",
		"an empty variant":               "variants: {debug: {}}\n",
		"an empty value":                 "environment: {A: \"\"}\n",
	} {
		dir := writeFiles(t, "spec.yaml", "\ufeff"+header+body)
		s, err := Load(filepath.Join(dir, "spec.yaml"))
		if err != nil {
			t.Errorf("%s: %s", name, report(dir, err))
			continue
		}
		checkRoundTrip(t, s)
	}
}

func TestExcluded(t *testing.T) {
	for _, c := range []struct {
		patterns, name string
		want           bool
	}{
		{"*.a", "lib/x.a", true},
		{"*.a", "lib/x.so", false},
		{"include", "include", true},
		{"include", "opt/include/python3.11/Python.h", true}, // with all that is below
		{"include/", "include/x", true},
		{"bin/activate*", "bin/activate.fish", true},
		{"bin/activate*", "opt/bin/activate", false}, // with a slash it is the whole path
		{"**/activate*", "opt/bin/activate", true},
		{"a b", "c/b/d", true},
		{"**", ".", false}, // the source itself stays
		{"", "x", false},
	} {
		if got := Excluded(strings.Fields(c.patterns), c.name); got != c.want {
			t.Errorf("Excluded(%q, %q) is %v, want %v", c.patterns, c.name, got, c.want)
		}
	}
}
