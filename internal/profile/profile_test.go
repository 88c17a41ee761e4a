package profile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/hardpan/hardpan/internal/profile"
	"github.com/hardpan/hardpan/internal/profile/profiletest"
	"github.com/hardpan/hardpan/internal/store"
)

func of(t *testing.T, c profiletest.Case, o profile.Options) *profile.Profile {
	t.Helper()
	o.Store = shared()
	p, err := profile.Of(t.Context(), profiletest.Image(t, c), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shared remembers the program of the images, which all of them have.
var shared = sync.OnceValue(func() *store.Store {
	dir, err := os.MkdirTemp("", "hardpan-profile-")
	if err != nil {
		panic(err)
	}
	temporary = dir
	st, err := store.Open(dir)
	if err != nil {
		panic(err)
	}
	return st
})

var temporary string

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(temporary)
	os.Exit(code)
}

func write(t *testing.T, p *profile.Profile, name string) string {
	t.Helper()
	f, ok := profile.FormatOf(name)
	if !ok {
		t.Fatalf("no format %s", name)
	}
	b, err := p.Write(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What images say about themselves, and what they leave open.
func TestFacts(t *testing.T) {
	cases := map[string]profiletest.Case{}
	for _, c := range profiletest.Cases(t) {
		cases[c.Name] = c
	}
	for name, want := range map[string]string{
		"full": `
			name web-service, reference web-service:1.2
			user &{1000 1001} ports [53/udp 8000/tcp] internal [9090/tcp]
			writable [/app/data /tmp] memory 268435456 cpus 0.5 processes 64
			expected [/usr/bin/script /usr/bin/service-1.0]
			unknown: the image has no record of a build by hardpan: what follows is what its config says
			unknown: which registry the image is pulled from: it is called web-service:1.2 here; --image names it`,
		"bare": `
			name app, reference app
			user &{1234 0} ports [] internal []
			writable [] memory 0 cpus 0 processes 0
			expected [/usr/bin/service-1.0]
			unknown: the image has no record of a build by hardpan: what follows is what its config says
			unknown: which registry the image is pulled from: it is called app here; --image names it
			unknown: where it writes: the image names no volume, and has no label dev.hardpan.run.writable
			unknown: how much it needs: the image has no label dev.hardpan.run.memory, dev.hardpan.run.cpus, dev.hardpan.run.processes
			unknown: whether it works with a read-only root, which is enforced all the same: the image has no label dev.hardpan.run.read-only-root
			unknown: whether it works with no new privileges, which is enforced all the same: the image has no label dev.hardpan.run.no-new-privileges
			unknown: whether it works with no capabilities, which is enforced all the same: the image has no label dev.hardpan.run.capabilities`,
		"root": `
			name app, reference app
			user <nil> ports [80/tcp] internal []
			writable [] memory 0 cpus 0 processes 0
			expected []
			unknown: which user runs it: the image names none, and so it is root
			unknown: what "/bin/missing" is: no file of the image`,
		"nothing": `
			name app, reference app
			user <nil> ports [] internal []
			writable [] memory 0 cpus 0 processes 0
			expected []
			unknown: what it runs: the image has no entrypoint and no cmd, so that each program of it is expected
			unknown: which system calls it makes: machine code for s390x is not understood`,
		"evil": `
			writable [/ok] memory 0 cpus 0 processes 0
			unknown: label dev.hardpan.run.memory has "-1", expected a size such as 256MiB
			unknown: label dev.hardpan.run.cpus has "NaN", expected a number such as 0.5
			unknown: label dev.hardpan.run.processes has "1e9", expected a number such as 64
			unknown: label dev.hardpan.run.ports.internal has "0/tcp", expected ports such as 9090/tcp
			unknown: label dev.hardpan.run.ports.internal has 9090/tcp, which is no port of the image
			unknown: why "/usr" is to be written: what is mounted there would hide the image's own files, and so nothing is
			unknown: what "/x,exec" is that it writes to: expected a path without special characters`,
	} {
		t.Run(name, func(t *testing.T) {
			f := of(t, cases[name], profile.Options{}).Facts
			got := fmt.Sprintf("name %s, reference %s\nuser %v ports %v internal %v\nwritable %v memory %d cpus %v processes %d\nexpected %v\n",
				f.Name, f.Reference, f.User, f.Ports, f.Internal, f.Writable, f.Memory, f.CPUs, f.Processes, f.Expected)
			for _, u := range f.Unknown {
				got += "unknown: " + u + "\n"
			}
			lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(want, "\t", "")), "\n")
			for _, line := range lines {
				if !slices.Contains(strings.Split(got, "\n"), line) {
					t.Errorf("there is no line\n%s\nin\n%s", line, got)
				}
			}
			if name == "full" && strings.Count(got, "\n") != len(lines) {
				t.Errorf("more than expected:\n%s", got)
			}
		})
	}
}

// The reference that the image was opened by, with its digest, is what is pulled.
func TestReference(t *testing.T) {
	c := profiletest.Cases(t)[0]
	for _, test := range []struct {
		o    profile.Options
		want string
	}{
		{profile.Options{Repository: "registry.example.com/base/web", Digest: "sha256:aa"}, "registry.example.com/base/web@sha256:aa"},
		{profile.Options{Repository: "registry.example.com/base/web", Digest: "sha256:aa", Reference: "other/web:1"}, "other/web:1"},
	} {
		if got := of(t, c, test.o).Facts.Reference; got != test.want {
			t.Errorf("%+v: %s, expected %s", test.o, got, test.want)
		}
	}
}

// What the store remembers gives the same profile, without a look at the layers.
func TestStore(t *testing.T) {
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	img := profiletest.Image(t, profiletest.Cases(t)[0])
	var first string
	for i := range 2 {
		p, err := profile.Of(t.Context(), img, profile.Options{Store: st})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = string(b)
			img.Layers[0].Open = nil // which nobody calls again
		} else if string(b) != first {
			t.Errorf("the second time\n%s\nexpected\n%s", b, first)
		}
	}
}

// A program that a later layer removes has no part in the profile.
func TestRemovedProgram(t *testing.T) {
	whole := profiletest.Cases(t)[1]
	without := whole
	without.Files = []profiletest.File{{Path: "usr/bin/.wh.service-1.0"}}
	img, top := profiletest.Image(t, whole), profiletest.Image(t, without)
	before := of(t, whole, profile.Options{}).Seccomp.Allowed
	img.Layers = append(img.Layers, top.Layers...)
	p, err := profile.Of(t.Context(), img, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Seccomp.Allowed >= before || !slices.Contains(p.Facts.Unknown, "which system calls it makes: the image has no program; add one, and ask again") {
		t.Errorf("%d calls, with the program %d; unknown: %v", p.Seccomp.Allowed, before, p.Facts.Unknown)
	}
}

// The documents of an image that says everything, byte for byte.
func TestGolden(t *testing.T) {
	p := of(t, profiletest.Cases(t)[0], profile.Options{Key: []byte(profiletest.Key), Reference: "registry.example.com/web-service:1.2"})
	for _, f := range profile.Formats {
		if f.Name == "seccomp" {
			continue // of the machine's architecture, and the compiler's
		}
		name := filepath.Join("testdata", "golden", f.File)
		got := write(t, p, f.Name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s\nexpected\n%s\nUPDATE=1 writes it anew", name, err, got, want)
		}
	}
}

// Admission policies fit the schemas of the custom resources; testdata/schema has them,
// since Kyverno's and policy-controller's modules bring hundreds of others.
func TestAdmission(t *testing.T) {
	for format, file := range map[string]string{
		"kyverno": "kyverno-clusterpolicy-v1.json", "policy-controller": "policy-controller-clusterimagepolicy-v1beta1.json",
	} {
		schema, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range profiletest.Cases(t) {
			p := of(t, c, profile.Options{Key: []byte(profiletest.Key)})
			docs := strings.Split(write(t, p, format), "\n---\n")
			for _, doc := range docs {
				var v any
				if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(v); err != nil {
					t.Errorf("%s of %s: %v\n%s", format, c.Name, err, doc)
				}
			}
			for _, predicate := range []string{"https://slsa.dev/provenance/v1", "https://spdx.dev/Document", "https://cyclonedx.org/bom", "provenance.md#lock-v1"} {
				if !strings.Contains(docs[len(docs)-1], predicate) {
					t.Errorf("%s of %s does not ask for %s", format, c.Name, predicate)
				}
			}
		}
		if bad := schema.Validate(map[string]any{"spec": map[string]any{"nothing": true}}); bad == nil {
			t.Errorf("%s takes a member that there is not", file)
		}
	}
	p := of(t, profiletest.Cases(t)[0], profile.Options{})
	if f, _ := profile.FormatOf("kyverno"); p.HasKey() {
		t.Error("there is a key")
	} else if _, err := p.Write(f); err == nil || err.Error() != "cannot write kyverno: "+profile.ErrNoKey.Error() {
		t.Errorf("without a key: %v", err)
	}
}

// AppArmor's parser takes every profile.
func TestAppArmor(t *testing.T) {
	parser := "/usr/sbin/apparmor_parser" // of Debian's package apparmor; not in every user's PATH
	if _, err := os.Stat(parser); err != nil {
		t.Skip("SKIPPED: the host has no apparmor_parser: no AppArmor profile was parsed")
	}
	for _, c := range profiletest.Cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			p := of(t, c, profile.Options{})
			text := write(t, p, "apparmor")
			cmd := exec.Command(parser, "--skip-kernel-load", "--skip-cache", "--names")
			cmd.Stdin = strings.NewReader(text)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "hardpan-"+p.Facts.Name+"\n") {
				t.Errorf("%v: %s\n%s", err, out, text)
			}
			cmd = exec.Command(parser, "--skip-kernel-load", "--skip-cache")
			cmd.Stdin = strings.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s\n%s", err, out, text)
			}
		})
	}
}

// The script is one of a POSIX shell, and no word of the image is more than a word.
func TestDockerRun(t *testing.T) {
	for _, c := range profiletest.Cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			p := of(t, c, profile.Options{Reference: "example.com/a'b $(id):1"})
			dir := t.TempDir()
			script, engine := filepath.Join(dir, "run.sh"), filepath.Join(dir, "engine")
			for name, text := range map[string]string{script: write(t, p, "docker-run"), engine: "#!/bin/sh\nfor a; do echo \"[$a]\"; done\n"} {
				if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("/bin/sh", script, "one", "two words")
			cmd.Env = append(os.Environ(), "ENGINE="+engine)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			words := strings.Split(strings.TrimSpace(string(out)), "\n")
			if got, want := strings.Join(words[len(words)-3:], ""), "[example.com/a'b $(id):1][one][two words]"; got != want {
				t.Errorf("the last words are %s, expected %s", got, want)
			}
			for _, want := range []string{"[run]", "[--read-only]", "[--cap-drop=ALL]", "[--security-opt=no-new-privileges]"} {
				if !slices.Contains(words, want) {
					t.Errorf("no %s in %v", want, words)
				}
			}
			if c.Name != "full" {
				return
			}
			for _, want := range []string{"[--user=1000:1001]", "[--tmpfs=/app/data:rw,noexec,nosuid,nodev,uid=1000,gid=1001,mode=0700]", "[--pids-limit=64]",
				"[--memory=268435456b]", "[--cpus=0.5]", "[--publish=8000:8000/tcp]", "[--security-opt=seccomp=" + dir + "/seccomp.json]"} {
				if !slices.Contains(words, want) {
					t.Errorf("no %s in %v", want, words)
				}
			}
			if slices.Contains(words, "[--publish=9090:9090/tcp]") {
				t.Error("an internal port is published")
			}
		})
	}
}

// The rules of the seccomp profile: nothing twice, and clone without new namespaces.
func TestSeccompRules(t *testing.T) {
	p := of(t, profiletest.Cases(t)[0], profile.Options{})
	var doc struct {
		DefaultErrnoRet int
		Syscalls        []struct {
			Names  []string
			Action string
			Args   []struct{ Value uint64 }
		}
	}
	if err := json.Unmarshal([]byte(write(t, p, "seccomp")), &doc); err != nil {
		t.Fatal(err)
	}
	rules := map[string]int{}
	for _, s := range doc.Syscalls {
		for _, name := range s.Names {
			rules[name]++
			if name == "clone" && (len(s.Args) != 1 || s.Args[0].Value != 0x7e020000) {
				t.Errorf("clone is allowed with %v", s.Args)
			}
			if s.Action == "SCMP_ACT_ALLOW" && (name == "mount" || name == "clone3" || name == "unshare" || name == "bpf") {
				t.Errorf("%s is allowed", name)
			}
		}
	}
	for _, name := range []string{"clone", "read", "write", "futex", "exit_group", "execve", "mmap"} {
		if rules[name] != 1 {
			t.Errorf("%d rules for %s, expected 1", rules[name], name)
		}
	}
	if doc.DefaultErrnoRet != 38 || p.Seccomp.Allowed >= p.Seccomp.Default {
		t.Errorf("error %d, %d calls allowed of %d", doc.DefaultErrnoRet, p.Seccomp.Allowed, p.Seccomp.Default)
	}
}
