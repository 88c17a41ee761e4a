package specs

import (
	"path/filepath"
	"strings"
	"testing"
)

// merges are parents and children without their header, and what of the merged
// spec is not a default.
var merges = []struct{ name, parent, child, want string }{
	{
		name:   "scalars win",
		parent: "work-dir: /parent\nstop-signal: SIGINT\n",
		child:  "stop-signal: SIGQUIT\n",
		want:   "work-dir: /parent\nstop-signal: SIGQUIT\n",
	},
	{
		name:   "maps merge",
		parent: "environment: {A: parent, B: parent}\nos-release: {name: Parent, id: parent}\n",
		child:  "environment: {B: child, C: child}\nos-release: {id: child}\n",
		want:   "environment:\n  A: parent\n  B: child\n  C: child\nos-release:\n  name: Parent\n  id: child\n",
	},
	{
		name:   "lists append, without repetitions",
		parent: "ports: [80/tcp, 443/tcp]\nhardening: {profile: none, keep: [/a]}\n",
		child:  "ports: [443/tcp, 8080/tcp]\nhardening: {keep: [/b]}\n",
		want:   "hardening:\n  profile: none\n  keep:\n    - /a\n    - /b\nports:\n  - 80/tcp\n  - 443/tcp\n  - 8080/tcp\n",
	},
	{
		name:   "an exclamation mark removes",
		parent: "ports: [80/tcp, 443/tcp]\n",
		child:  "ports: [\"!80/tcp\", 8080/tcp]\n",
		want:   "ports:\n  - 443/tcp\n  - 8080/tcp\n",
	},
	{
		name:   "commands are one value",
		parent: "entrypoint: [/bin/parent, --flag]\ncmd: [a, b]\n",
		child:  "entrypoint: [/bin/child]\n",
		want:   "entrypoint:\n  - /bin/child\ncmd:\n  - a\n  - b\n",
	},
	{
		name:   "a health check of another kind takes the place of its parent's",
		parent: "healthcheck: {command: [/bin/check], interval: 1m}\n",
		child:  "healthcheck: {http: \"http://127.0.0.1/\", timeout: 5s}\n",
		want:   "healthcheck:\n  http: http://127.0.0.1/\n  interval: \"1m0s\"\n  timeout: 5s\n",
	},
	{
		name:   "a request takes the place of the one for the same package",
		parent: "contents: {packages: [bash, curl, \"libc6:i386\"]}\n",
		child:  "contents: {packages: [curl=8.*, libc6, zsh]}\n",
		want:   "contents:\n  packages:\n    - bash\n    - \"curl=8.*\"\n    - libc6:i386\n    - libc6\n    - zsh\n",
	},
	{
		name:   "an excluded package is no longer requested, and stays excluded",
		parent: "contents: {packages: [bash, openssl=3.*, \"openssl:i386\", openssl-provider]}\n",
		child:  "contents: {packages: [\"!openssl\", \"!zsh\"]}\n",
		want:   "contents:\n  packages:\n    - bash\n    - openssl-provider\n    - \"!openssl\"\n    - \"!zsh\"\n",
	},
	{
		name:   "a requested package is no longer excluded",
		parent: "contents: {packages: [\"!openssl\", \"!zsh\"]}\n",
		child:  "contents: {packages: [openssl=3.*]}\n",
		want:   "contents:\n  packages:\n    - \"!zsh\"\n    - \"openssl=3.*\"\n",
	},
	{
		name: "an entry replaces its parent's in its place",
		parent: `
paths:
  - {path: /a, type: directory, uid: 1, gid: 1}
  - {path: /b, type: directory}
`,
		child: `
paths:
  - {path: /c, type: directory}
  - {path: /a, type: empty-file}
`,
		want: `
paths:
  - path: /a
    type: empty-file
    uid: 0
    gid: 0
    mode: "0644"
  - path: /b
    type: directory
    uid: 0
    gid: 0
    mode: "0755"
  - path: /c
    type: directory
    uid: 0
    gid: 0
    mode: "0755"
`,
	},
	{
		name: "repositories are known by uri and suite",
		parent: `
contents:
  repositories:
    - {uri: "https://example.com/debian", suite: stable, components: [main], signed-by: key.asc}
`,
		child: `
contents:
  repositories:
    - {uri: "https://example.com/debian", suite: stable, components: [contrib], signed-by: key.asc}
    - {uri: "https://example.com/debian", suite: testing, components: [main], signed-by: key.asc}
`,
		want: `
contents:
  repositories:
    - uri: https://example.com/debian
      suite: stable
      components:
        - contrib
      signed-by: key.asc
    - uri: https://example.com/debian
      suite: testing
      components:
        - main
      signed-by: key.asc
`,
	},
	{
		name:   "a child's vars reach into its parent",
		parent: "vars: {MAJOR: \"1\", DIR: /opt}\nwork-dir: ${DIR}/${MAJOR}\n",
		child:  "vars: {MAJOR: \"2\"}\n",
		want:   "work-dir: /opt/2\n",
	},
	{
		name:   "a child runs as its parent's user",
		parent: "accounts: {users: [{name: app, uid: 1000, gid: 100}]}\n",
		child:  "accounts: {run-as: app}\n",
		want: `
accounts:
  users:
    - name: app
      uid: 1000
      gid: 100
      home: /nonexistent
      shell: /usr/sbin/nologin
  run-as: app
`,
	},
}

// frame is what is around each merged spec in want: the header and the defaults.
func frame(want string) string {
	return "apiVersion: hardpan/v1\nname: app\nversion: \"1\"\ndistro: debian/trixie\n" + strings.TrimPrefix(want, "\n")
}

// withoutDefaults returns printed YAML without the defaults that every spec has.
func withoutDefaults(b []byte) string {
	s := string(b)
	for _, d := range []string{"platforms:\n  - linux/amd64\n  - linux/arm64\n", "hardening:\n  profile: strict\n",
		"layering:\n  budget: 60\n  compression: gzip\n"} {
		s = strings.Replace(s, d, "", 1)
	}
	return s
}

func loaded(t testing.TB, path string) *Spec {
	t.Helper()
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func printed(t testing.TB, s *Spec) string {
	t.Helper()
	b, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return withoutDefaults(b)
}

// TestExtends merges each child over its parent.
func TestExtends(t *testing.T) {
	for _, test := range merges {
		t.Run(test.name, func(t *testing.T) {
			dir := writeFiles(t, "key.asc", "key",
				"parent.yaml", "apiVersion: hardpan/v1\n"+strings.TrimPrefix(test.parent, "\n"),
				"child.yaml", header+"extends: parent.yaml\n"+strings.TrimPrefix(test.child, "\n"))
			if got, want := printed(t, loaded(t, filepath.Join(dir, "child.yaml"))), frame(test.want); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestVariantsMergeLikeChildren writes the same merges as a variant of the parent:
// it must give the same but for its tag suffix.
func TestVariantsMergeLikeChildren(t *testing.T) {
	for _, test := range merges {
		t.Run(test.name, func(t *testing.T) {
			child := "    " + strings.ReplaceAll(strings.TrimSpace(test.child), "\n", "\n    ")
			dir := writeFiles(t, "key.asc", "key",
				"spec.yaml", header+strings.TrimPrefix(test.parent, "\n")+"variants:\n  child:\n"+child+"\n")
			base := loaded(t, filepath.Join(dir, "spec.yaml"))
			v, err := base.Variant("child")
			if err != nil {
				t.Fatal(err)
			}
			if v.Tag() != "1-child" || v.VariantName() != "child" {
				t.Errorf("found tag %q of variant %q, expected 1-child of child", v.Tag(), v.VariantName())
			}
			got := strings.Replace(printed(t, v), "tag-suffix: \"-child\"\n", "", 1)
			if want := frame(test.want); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestParentsOfParents(t *testing.T) {
	dir := writeFiles(t,
		"top.yaml", "apiVersion: hardpan/v1\ndistro: debian/bookworm\nports: [1]\nvariants: {a: {ports: [11]}, b: {ports: [12]}}\n",
		"mid/mid.yaml", "apiVersion: hardpan/v1\nextends: ../top.yaml\nports: [2]\npaths: [{path: /a, type: file, source: files/a}]\n",
		"mid/files/a", "a's bytes",
		"low/low.yaml", header+"extends: ../mid/mid.yaml\nports: [3]\nvariants: {a: {tag-suffix: -x, ports: [13]}}\n")
	s := loaded(t, filepath.Join(dir, "low/low.yaml"))
	ports := func(s *Spec) string { return strings.Join(texts(s.Ports), " ") }
	if got := s.Distro.String() + " " + ports(s); got != "debian/trixie 1/tcp 2/tcp 3/tcp" {
		t.Errorf("got %s", got)
	}
	for _, test := range []struct{ variant, want string }{
		{"a", "1-x: 1/tcp 2/tcp 3/tcp 11/tcp 13/tcp"},
		{"b", "1-b: 1/tcp 2/tcp 3/tcp 12/tcp"},
	} {
		v, err := s.Variant(test.variant)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Tag() + ": " + ports(v); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
	// A source belongs to the file that names it.
	if s.Paths[0].Source != "../mid/files/a" {
		t.Errorf("found source %q", s.Paths[0].Source)
	}
	f, err := s.OpenSource(s.Paths[0].Source)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 20)
	if n, _ := f.Read(b); string(b[:n]) != "a's bytes" {
		t.Errorf("found %q", b[:n])
	}
	// So does a position.
	if got := s.Position("ports", 1).String(); got != filepath.Join(dir, "mid/mid.yaml")+":3:9" {
		t.Errorf("found ports[1] at %s", got)
	}
}

func texts[T interface{ String() string }](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}

// TestBadParents has the errors that need more than one file.
func TestBadParents(t *testing.T) {
	for _, test := range []struct {
		name  string
		files []string
		want  string
	}{
		{
			name: "a circle",
			files: []string{"spec.yaml", header + "extends: a.yaml\n", "a.yaml", "apiVersion: hardpan/v1\nextends: sub/b.yaml\n",
				"sub/b.yaml", "apiVersion: hardpan/v1\nextends: ../spec.yaml\n"},
			want: `sub/b.yaml:2:10: extends: "../spec.yaml" extends itself: spec.yaml -> a.yaml -> sub/b.yaml -> spec.yaml`,
		},
		{
			name:  "errors in both files",
			files: []string{"spec.yaml", header + "extends: base.yaml\nwork-dir: app\n", "base.yaml", "apiVersion: hardpan/v1\nports: [x]\nlabel: {a: b}\n"},
			want: `base.yaml:2:9: ports[0]: found "x", expected a port such as 8000, 8000/udp or 8000-8010/tcp
base.yaml:3:1: unknown key "label"; did you mean "labels"?
spec.yaml:6:11: work-dir: found "app", expected an absolute path`,
		},
		{
			name:  "a parent that is not YAML",
			files: []string{"spec.yaml", header + "extends: base.yaml\n", "base.yaml", "apiVersion: [\n"},
			want:  `base.yaml:2:1: cannot read YAML: did not find expected node content`,
		},
		{
			name:  "a parent that is a directory",
			files: []string{"spec.yaml", header + "extends: base\n", "base/file", ""},
			want:  `spec.yaml:5:10: extends: cannot read "base": is a directory`,
		},
		{
			name: "what the merged spec lacks",
			files: []string{"spec.yaml", "apiVersion: hardpan/v1\nextends: base.yaml\nname: app\nversion: \"1\"\n",
				"base.yaml", "apiVersion: hardpan/v1\n"},
			want: `spec.yaml:1:1: spec: distro is missing`,
		},
		{
			name: "an undefined variable in the parent",
			files: []string{"spec.yaml", header + "extends: base.yaml\n",
				"base.yaml", "apiVersion: hardpan/v1\nwork-dir: ${DIR}\n"},
			want: `base.yaml:2:11: undefined variable ${DIR}
  hint: define it in vars, or write $${DIR} for text that is to stay`,
		},
		{
			name: "a removal of what the parent does not have",
			files: []string{"spec.yaml", header + "extends: base.yaml\nports: [\"!90\"]\n",
				"base.yaml", "apiVersion: hardpan/v1\nports: [80]\n"},
			want: `spec.yaml:6:9: ports: "!90" removes nothing that the spec inherits; did you mean "80"?`,
		},
		{
			name: "a source above the parent's directory",
			files: []string{"spec.yaml", header + "extends: sub/base.yaml\n", "secret", "x",
				"sub/base.yaml", "apiVersion: hardpan/v1\npaths: [{path: /a, type: file, source: ../secret}]\n"},
			want: `sub/base.yaml:2:40: paths[0].source: found "../secret", expected a file at or below the spec's directory, without ".."
  hint: move the file beside the spec`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := writeFiles(t, test.files...)
			_, err := Load(filepath.Join(dir, "spec.yaml"))
			if err == nil {
				t.Fatal("the spec was taken")
			}
			if got := strings.ReplaceAll(report(dir, err), dir+"/", ""); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}
