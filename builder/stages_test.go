package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sample"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

// The sandbox's inside is this test binary.
func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// newStages returns a place to build in whose archive has an essential shell. It
// skips the test where the host has no namespaces.
func newStages(t *testing.T) *bench {
	t.Helper()
	if _, err := sandbox.Open(t.TempDir()); errors.Is(err, sandbox.ErrUnsupported) {
		t.Skipf("SKIPPED: no stage was run: %v", err)
	}
	packages, err := sample.Stage()
	if err != nil {
		t.Fatal(err)
	}
	s, err := archivetest.New(sample.Debian(packages...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b := &bench{t, s, t.TempDir()}
	t.Cleanup(func() { b.sweep() })
	if err := os.CopyFS(b.dir, os.DirFS("testdata/stages")); err != nil {
		t.Fatal(err)
	}
	return b
}

// sweep removes the snapshots, whose files may belong to other ids than ours.
func (b *bench) sweep() {
	space, err := sandbox.Open(filepath.Join(b.dir, "cache", "snapshots"))
	if err == nil {
		err = space.RemoveAll(context.WithoutCancel(b.Context()))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Log(err)
	}
}

// stages writes a spec for the machine's platform.
func (b *bench) stages(text string) Options {
	b.write("spec.yaml", "platforms: ["+specs.Machine().String()+"]\ncontents: {packages: [base-files]}\n"+text)
	return b.options("spec.yaml")
}

// copied returns the paths of an image that came from stages, with what explain
// says of each.
func copiedPaths(t *testing.T, res *Result) string {
	t.Helper()
	img := res.Index.Images[0]
	dumpTree(t, img)
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, l := range img.Layers {
		for _, e := range entries(t, l) {
			if row, ok := rec.Lookup(e.name); !ok {
				t.Errorf("the record does not know %s", e.name)
			} else if strings.HasPrefix(row.Origin.String(), "stage ") {
				origin, _, _ := strings.Cut(row.Origin.String(), ", spec ")
				fmt.Fprintf(&out, "/%s %s %04o %d:%d", e.name, e.kind, e.mode, e.uid, e.gid)
				if e.link != "" {
					fmt.Fprintf(&out, " -> %s", e.link)
				}
				fmt.Fprintf(&out, " | %s\n", origin)
			}
		}
	}
	return out.String()
}

// TestStages says which paths of stages enter the image, and what explain says of them.
func TestStages(t *testing.T) {
	for _, c := range []struct {
		name, spec, want string
	}{{
		name: "one stage: a directory with all that it may hold",
		spec: `
stages:
  - name: build
    run:
      - |
        write /out/tool.bin one
        chmod 0755 /out/tool.bin
        ln tool.bin /out/tool
        link /out/tool.bin /out/twin
      - write /out/etc/conf two
copy: [{from: build, source: /out, path: /opt/x}]
`,
		want: `
/opt/x/etc/conf file 0644 0:0 | stage build, step 2: write /out/etc/conf two
/opt/x/tool symlink 0777 0:0 -> tool.bin | stage build, step 1: write /out/tool.bin one ...
/opt/x/tool.bin file 0755 0:0 | stage build, step 1: write /out/tool.bin one ...
/opt/x/twin hardlink 0755 0:0 -> opt/x/tool.bin | stage build, step 1: write /out/tool.bin one ...
/opt/x dir 0755 0:0 | stage build, step 1: write /out/tool.bin one ...
/opt/x/etc dir 0755 0:0 | stage build, step 2: write /out/etc/conf two
`,
	}, {
		name: "files from beside the spec, with patterns and excludes; owners and modes of the copy",
		spec: `
stages:
  - name: build
    files:
      - {source: src, path: /src, exclude: ["*.tmp", sub/secret]}
      - {source: "src/sub/*", path: /flat}
      - {source: script, path: /usr/local/bin/script}
    run: [cp /src/a /out/a, cp /flat/b /out/b, cp /usr/local/bin/script /out/script]
copy:
  - {from: build, source: /src, path: /srv, uid: 7, gid: 8, mode: "0400"}
  - {from: build, source: /out/a, path: /usr/share/a}
`,
		want: `
/srv/a file 0400 7:8 | stage build, input of the stage
/srv/sub/b file 0400 7:8 | stage build, input of the stage
/usr/share/a file 0644 0:0 | stage build, step 1: cp /src/a /out/a
/srv dir 0755 7:8 | stage build, input of the stage
/srv/sub dir 0755 7:8 | stage build, input of the stage
`,
	}, {
		name: "stages that stand on others and take from others; what a package of the stage brought",
		spec: `
stages:
  - name: tools
    contents: {packages: [kit]}
    environment: {WHERE: tools}
    run: [write /made/one 1]
  - name: more
    from: tools
    run: [cp /made/one /made/two, printenv WHERE /made/where, rm /made/one]
  - name: pack
    copy: [{from: more, source: /made, path: /in}]
    run: [cp /in/two /out/two]
copy:
  - {from: more, source: /made, path: /opt/made}
  - {from: more, source: /usr/share/kit/data, path: /opt/kit}
  - {from: pack, source: /out/two, path: /opt/two}
`,
		want: `
/opt/kit file 0644 0:0 | stage more, package kit 1.0-1
/opt/made/two file 0644 0:0 | stage more, step 1: cp /made/one /made/two
/opt/made/where file 0644 0:0 | stage more, step 2: printenv WHERE /made/where
/opt/two file 0644 0:0 | stage pack, step 1: cp /in/two /out/two
/opt/made dir 0755 0:0 | stage more, step 1: stage tools: write /made/one 1
`,
	}, {
		name: "a fixed world: time, host, environment, user",
		spec: `
stages:
  - name: build
    environment: {LANG: de_DE.UTF-8, OWN: "1"}
    work-dir: /work
    run: [printenv SOURCE_DATE_EPOCH /out/epoch, printenv LANG /out/lang, printenv HARDPAN_TEST_LEAK /out/leak, write here here]
copy: [{from: build, source: /out/epoch, path: /opt/epoch}, {from: build, source: /work/here, path: /opt/here}, {from: build, source: /out/leak, path: /opt/leak}]
`,
		want: `
/opt/epoch file 0644 0:0 | stage build, step 1: printenv SOURCE_DATE_EPOCH /out/epoch
/opt/here file 0644 0:0 | stage build, step 4: write here here
/opt/leak file 0644 0:0 | stage build, step 3: printenv HARDPAN_TEST_LEAK /out/leak
`,
	}} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("HARDPAN_TEST_LEAK", "the caller's")
			b := newStages(t)
			res := b.build(b.stages(c.spec))
			if got := copiedPaths(t, res); got != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("copied (- want, + have):\n%s", difference(strings.TrimPrefix(c.want, "\n"), got))
			}
			// The same from nothing, with other ids and another cache.
			o := b.options("spec.yaml")
			o.CacheDir = filepath.Join(b.dir, "cache", "second")
			again := b.build(o)
			if again.Digest != res.Digest {
				t.Errorf("the second build gives %s, the first %s", again.Digest, res.Digest)
			}
			space, err := sandbox.Open(filepath.Join(o.CacheDir, "snapshots"))
			if err != nil {
				t.Fatal(err)
			}
			if err := space.RemoveAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if leak := fileOf(t, res, "opt/leak"); strings.Contains(leak, "caller") {
				t.Errorf("the stage sees the caller's environment: %q", leak)
			}
		})
	}
}

// fileOf returns the content of a file of the image, "" where there is none.
func fileOf(t *testing.T, res *Result, name string) string {
	t.Helper()
	for _, l := range res.Index.Images[0].Layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Name == name {
				text, err := io.ReadAll(tr)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
		}
		r.Close()
	}
	return ""
}

// TestStagesRefused holds what is said of stages that cannot be built or copied from.
func TestStagesRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	stage := func(run string) string {
		return "stages:\n  - name: build\n    contents: {packages: [kit]}\n    run:\n      - |\n        " + strings.ReplaceAll(run, "\n", "\n        ") + "\n"
	}
	const take = "copy: [{from: build, source: /out, path: /opt/x}]\n"
	for _, c := range []struct{ name, spec, want, hint string }{
		{"a command that fails", stage("echo compiling\nexit 3") + take,
			`step 1 (echo compiling ...): exited with 3, expected 0; its last line: "compiling"`, ""},
		{"a source that is not there", stage("write /other x") + take, "cannot copy /out out of stage build: the stage has no /out", "look at what its commands make"},
		{"a link planted for copy", stage("ln /etc/shadow /out") + take, "it is a symbolic link to /etc/shadow", "copy what it leads to"},
		{"a hard link to what is not copied", stage("write /away x\nmkdir /out\nlink /away /out/x\nwrite /out/y y") + "copy: [{from: build, source: /out, path: /opt/x, exclude: [y]}]\n", "", ""},
		{"a named pipe", stage("mkdir /out\nmkfifo /out/pipe") + take, "/out/pipe is a named pipe, which has no place in an image", "remove it in the stage, or exclude it"},
		{"a socket", stage("mkdir /out\nsocket /out/s") + take, "/out/s is a socket", "exclude it"},
		{"set-user-id", stage("write /out/su x\nchmod 4755 /out/su") + take,
			"profile strict keeps out /opt/x/su (privilege-bits; stage build, step 1: write /out/su x ...", "waive: [{rule: privilege-bits"},
		{"set-user-id of a stage's package", stage("echo") + "copy: [{from: build, source: /usr/bin/gate, path: /usr/bin/gate}]\n",
			"(privilege-bits; stage build, package kit 1.0-1", ""},
		{"a header", stage("echo") + "copy: [{from: build, source: /usr/include, path: /usr/include}]\n",
			"profile strict keeps out /usr/include/kit.h (development-files; stage build, package kit 1.0-1", "waive: [{rule: development-files"},
		{"a shell", stage("cp /usr/bin/sh /out/sh\nchmod 0755 /out/sh") + take, "/opt/x/sh (shell-present; sh, by its name", "shell-present"},
		{"a path that a package has", stage("write /out/os-release x") + "copy: [{from: build, source: /out, path: /usr/lib}]\n", "/usr/lib/os-release: file of stage build", "exclude it"},
		{"a network", stage("dial "+listener.Addr().String()) + take, "exited with 1", ""},
		{"a listener of the host by another address", stage("dial 127.0.0.1:1") + take, "exited with 1", ""},
		{"a secret that is not there", "stages: [{name: build, run: [echo], secrets: [{id: token, env: HARDPAN_NO_SUCH}]}]\n" + take,
			"secret token: the environment has no variable HARDPAN_NO_SUCH", ""},
		{"a secret that is kept", "stages: [{name: build, run: [cp /run/secrets/token /out/x], secrets: [{id: token, env: HARDPAN_TEST_SECRET}]}]\n" + take,
			"wrote secret token into /out/x, which is kept", "remove the file in the same command"},
		{"a secret in a cache", "stages: [{name: build, caches: [/keep], run: [cp /run/secrets/token /keep/x], secrets: [{id: token, env: HARDPAN_TEST_SECRET}]}]\n" + take,
			"wrote secret token into /keep/x, which is kept", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("HARDPAN_TEST_SECRET", "hunter2-and-more")
			b := newStages(t)
			_, err := Build(t.Context(), b.stages(c.spec))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one with %q", err, c.want)
			}
			if !strings.HasPrefix(err.Error(), b.dir) {
				t.Errorf("error %v has no place", err)
			}
			h, _ := errors.AsType[interface {
				error
				Hint() string
			}](err)
			if c.hint != "" && (h == nil || !strings.Contains(h.Hint(), c.hint)) {
				t.Errorf("hint of %v, want one with %q", h, c.hint)
			}
			if name := grep(t, b.dir, "hunter2-and-more"); name != "" {
				t.Errorf("the secret is in %s", name)
			}
			if _, err := os.Stat(filepath.Join(b.dir, "out")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was published: %v", err)
			}
		})
	}
}

// A secret is in nothing that a build leaves behind: not in the image, the record, the cache or the
// events of the steps.
func TestSecretsStayOut(t *testing.T) {
	b := newStages(t)
	const secret = "correct-horse-battery"
	t.Setenv("HARDPAN_TEST_SECRET", secret)
	o := b.stages(`
stages:
  - name: build
    secrets: [{id: token, env: HARDPAN_TEST_SECRET}]
    run: [cat /run/secrets/token, write /out/x done]
copy: [{from: build, source: /out, path: /opt/x}]
`)
	var log strings.Builder
	o.OnStep = func(e StepEvent) { fmt.Fprintf(&log, "%+v\n", e) }
	b.build(o)
	if strings.Contains(log.String(), secret) || !strings.Contains(log.String(), "***") {
		t.Errorf("the log has the secret, or not its place:\n%s", log.String())
	}
	if name := grep(t, b.dir, secret); name != "" {
		t.Errorf("%s has the secret", name)
	}
	if name := grep(t, b.dir, "write /out/x done"); name == "" {
		t.Error("the search finds nothing: the record of the step should be there")
	}
}

// grep returns a file below dir that has text, "" where there is none. What belongs to
// other ids is looked at by root only.
func grep(t *testing.T, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		if bytes.Contains(b, []byte(text)) {
			found = name
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What has not changed is not run again; what has, and what follows it, is.
func TestStagesAreCached(t *testing.T) {
	b := newStages(t)
	spec := func(second string) Options {
		return b.stages(`
stages:
  - name: tools
    run: [write /tools/x one]
  - name: build
    from: tools
    files: [{source: src, path: /src}]
    caches: [/keep]
    run: [cp /src/a /out/a, ` + second + `, random /out/c]
copy: [{from: build, source: /out, path: /opt/x}]
`)
	}
	ran := func(o Options) string {
		var steps []string
		o.OnStep = func(e StepEvent) {
			if e.Done && !e.Cached && e.Step > 0 {
				steps = append(steps, fmt.Sprintf("%s%d", e.Stage, e.Step))
			}
		}
		b.build(o)
		return strings.Join(steps, " ")
	}
	for _, c := range []struct{ what, second, want string }{
		{"first", "write /out/b 1", "tools1 build1 build2 build3"},
		{"nothing changed", "write /out/b 1", ""},
		{"the second command", "write /out/b 2", "build2 build3"},
		{"as at first", "write /out/b 1", ""},
	} {
		if got := ran(spec(c.second)); got != c.want {
			t.Errorf("%s: ran %q, want %q", c.what, got, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(b.dir, "src", "a"), []byte("other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := ran(spec("write /out/b 1")), "build1 build2 build3"; got != want {
		t.Errorf("an input: ran %q, want %q", got, want)
	}
}

// A cache keeps from build to build what commands write there.
func TestStagesKeepCaches(t *testing.T) {
	b := newStages(t)
	for _, run := range []string{"write /keep/x kept", "cp /keep/x /out/x"} {
		res := b.build(b.stages(`
stages:
  - name: build
    caches: [/keep]
    run: [write /out/y y, ` + run + `]
copy: [{from: build, source: /out, path: /opt}]
`))
		if got := copiedPaths(t, res); strings.Contains(got, "opt/x") != strings.HasPrefix(run, "cp") {
			t.Errorf("%s: have\n%s", run, got)
		}
	}
}

// TestCheckReproducible names what comes out otherwise the second time.
func TestCheckReproducible(t *testing.T) {
	b := newStages(t)
	o := b.stages(`
stages:
  - name: build
    run: [write /out/same x, random /out/other, random /elsewhere]
copy: [{from: build, source: /out, path: /opt/x}]
`)
	o.CheckReproducible = true
	_, err := Build(t.Context(), o)
	different, ok := errors.AsType[*DifferenceError](err)
	if !ok || len(different.Differences) != 1 || different.Differences[0].Path != "/out/other" || different.Differences[0].What != "content" || different.Differences[0].Step != 2 {
		t.Fatalf("error is %v", err)
	}
	o = b.stages(`
stages:
  - name: build
    run: [write /out/same x, random /elsewhere]
copy: [{from: build, source: /out, path: /opt/x}]
`)
	o.CheckReproducible = true
	if res := b.build(o); len(res.Differences) != 1 || res.Differences[0].Path != "/elsewhere" || res.Differences[0].Copied {
		t.Errorf("differences are %+v", res.Differences)
	}
}

// A file of the network is taken by its digest, once, and nothing else is.
func TestFetch(t *testing.T) {
	b := newStages(t)
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		fmt.Fprint(w, "from the network\n")
	}))
	defer srv.Close()
	spec := func(sum, gid string) Options {
		return b.stages(fmt.Sprintf(`
stages:
  - name: build
    fetch: [{url: %q, sha256: %s, path: /in/file, mode: "0600"}]
    run: [cp /in/file /out/file]
copy: [{from: build, source: /out, path: /opt/x, gid: %s}]
`, srv.URL+"/file", sum, gid))
	}
	const wrong = "3f1a6ad3bb8e6a0fbd1b0b9a5d4cbcb8a3b3d4f4f3ad1d4ef3e6e90fb5ec8ba4"
	if _, err := Build(t.Context(), spec(wrong, "0")); err == nil || !strings.Contains(err.Error(), wrong) {
		t.Fatalf("error is %v, want one with the digest", err)
	}
	right := fmt.Sprintf("%x", sha256.Sum256([]byte("from the network\n")))
	res := b.build(spec(right, "0"))
	if got := fileOf(t, res, "opt/x/file"); got != "from the network\n" {
		t.Errorf("file is %q", got)
	}
	before := asked
	b.build(spec(right, "1"))
	if asked != before {
		t.Errorf("asked the server %d times more for what is in the cache", asked-before)
	}
}
