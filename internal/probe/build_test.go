package probe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The binaries are made by this test, as the JSON Schema of specs is:
//
//go:generate go test -count=1 -run ^TestBinariesAreCurrent$ . -update

var update = flag.Bool("update", false, "compile the probe anew, for all platforms")

// target is an architecture by Debian's name with the compiler for it and its flags.
type target struct {
	arch     string
	compiler string // the package of this name, "gcc-" + triplet, brings it
	qemu     string // runs its programs on other machines, of package qemu-user-static
	flags    []string
}

var targets = []target{
	{"amd64", "x86_64-linux-gnu-gcc", "qemu-x86_64-static", []string{"-fcf-protection=full", "-fstack-clash-protection"}},
	{"arm64", "aarch64-linux-gnu-gcc", "qemu-aarch64-static", []string{"-mbranch-protection=standard", "-fstack-clash-protection"}},
	{"armhf", "arm-linux-gnueabihf-gcc", "qemu-arm-static", nil},
	{"armel", "arm-linux-gnueabi-gcc", "qemu-arm-static", nil},
	{"i386", "i686-linux-gnu-gcc", "qemu-i386-static", []string{"-fcf-protection=full", "-fstack-clash-protection"}},
	{"ppc64el", "powerpc64le-linux-gnu-gcc", "qemu-ppc64le-static", []string{"-fstack-clash-protection"}},
	{"riscv64", "riscv64-linux-gnu-gcc", "qemu-riscv64-static", nil},
	{"s390x", "s390x-linux-gnu-gcc", "qemu-s390x-static", []string{"-fstack-clash-protection"}},
}

// flags are what all platforms are compiled with. There is no stack protector: it
// would need the only writable memory besides the stack, and no buffer of the probe
// is written to by the probe itself.
var flags = strings.Fields(`-std=gnu11 -Os -ffreestanding -nostdlib -static-pie -fPIE -fvisibility=hidden
	-ffunction-sections -fno-asynchronous-unwind-tables -fno-stack-protector -fno-jump-tables -ftrivial-auto-var-init=zero
	-Wall -Wextra -Werror
	-Wl,--build-id=none -Wl,--hash-style=sysv -Wl,-z,noexecstack -Wl,--gc-sections -Wl,--fatal-warnings -s`)

// sources are what the binaries are made of.
var sources = []string{"probe.c", "probe.lds", "sys.h"}

// manifest says what made the binaries.
type manifest struct {
	Version  string            `json:"version"`
	Sources  map[string]string `json:"sources"` // sha256 by name
	Flags    []string          `json:"flags"`
	Binaries map[string]made   `json:"binaries"` // by architecture
}

// made is one binary.
type made struct {
	Compiler string   `json:"compiler"` // command, and what it says of its version
	Linker   string   `json:"linker"`
	Flags    []string `json:"flags,omitempty"` // beside those of all
	Size     int      `json:"size"`            // bytes
	SHA256   string   `json:"sha256"`
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	b, err := os.ReadFile("bin/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func sourceDigests(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range sources {
		b, err := os.ReadFile(filepath.Join("src", name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = digest(b)
	}
	return all
}

// TestBinariesAreCurrent holds the binaries that are checked in to the manifest, and
// the manifest to the sources: a change of these needs `make probe`, which is this
// test with -update. No compiler is needed for that.
func TestBinariesAreCurrent(t *testing.T) {
	if *update {
		makeAll(t)
		return
	}
	m := readManifest(t)
	if got := sourceDigests(t); !maps.Equal(got, m.Sources) {
		t.Errorf("the binaries were made of sources %v, now they are %v; run: make probe", m.Sources, got)
	}
	if m.Version != Version {
		t.Errorf("the binaries are version %s, the package says %s", m.Version, Version)
	}
	if !slices.Equal(m.Flags, flags) {
		t.Errorf("the binaries were made with %q, expected %q; run: make probe", m.Flags, flags)
	}
	files, err := filepath.Glob("bin/*")
	if err != nil || len(files) != len(targets)+1 || len(m.Binaries) != len(targets) {
		t.Errorf("found %q (error %v) and %d entries of the manifest, expected a binary for each of %d platforms", files, err, len(m.Binaries), len(targets))
	}
	for _, to := range targets {
		b, err := Binary(to.arch)
		if err != nil {
			t.Error(err)
			continue
		}
		want := m.Binaries[to.arch]
		if got := (made{want.Compiler, want.Linker, to.flags, len(b), digest(b)}); !slices.Equal(got.Flags, want.Flags) || got.Size != want.Size || got.SHA256 != want.SHA256 {
			t.Errorf("%s: found %+v, the manifest says %+v", to.arch, got, want)
		}
	}
}

// TestRebuild compiles the probe where a compiler is there. One of the version that
// made the checked-in binary makes the same bytes; the work of another is looked at
// by TestProbe instead.
func TestRebuild(t *testing.T) {
	m := readManifest(t)
	for _, to := range targets {
		t.Run(to.arch, func(t *testing.T) {
			t.Parallel()
			b, how := to.build(t)
			want := m.Binaries[to.arch]
			if how.Compiler != want.Compiler || how.Linker != want.Linker {
				t.Skipf("the binary was made by %s and %s, this machine has %s and %s: it is compared with that of this machine by what it does", want.Compiler, want.Linker, how.Compiler, how.Linker)
			}
			if digest(b) != want.SHA256 {
				t.Errorf("%s made %d bytes with sha256 %s, the manifest says %d bytes with %s; run: make probe", how.Compiler, len(b), digest(b), want.Size, want.SHA256)
			}
		})
	}
}

// makeAll compiles the probe for all platforms into bin.
func makeAll(t *testing.T) {
	m := manifest{Version: Version, Sources: sourceDigests(t), Flags: flags, Binaries: map[string]made{}}
	for _, to := range targets {
		b, how := to.build(t)
		m.Binaries[to.arch] = how
		if err := os.WriteFile("bin/"+to.arch, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("bin/manifest.json", append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// builds has what [target.build] made, for it takes a while.
var builds sync.Map // of architecture to built

type built struct {
	binary []byte
	made
}

// build compiles the probe for one platform. It skips the test where there is no
// compiler, and fails it where all are to be made.
func (to target) build(t *testing.T) ([]byte, made) {
	t.Helper()
	if b, ok := builds.Load(to.arch); ok {
		return b.(built).binary, b.(built).made
	}
	if _, err := exec.LookPath(to.compiler); err != nil {
		message := fmt.Sprintf("the host has no %s, of Debian's package gcc-%s", to.compiler, strings.TrimSuffix(strings.ReplaceAll(to.compiler, "_", "-"), "-gcc"))
		if *update {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	dir := t.TempDir()
	script, out := filepath.Join(dir, "probe.lds"), filepath.Join(dir, "probe")
	to.run(t, "-E", "-P", "-x", "c", "-o", script, "src/probe.lds")
	to.run(t, slices.Concat(flags, to.flags, []string{"-T", script, "-o", out, "src/probe.c"})...)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	linker, _, _ := strings.Cut(to.run(t, "-Wl,--version", "-nostdlib", "-o", filepath.Join(dir, "none")), "\n")
	compiler, _, _ := strings.Cut(to.run(t, "--version"), "\n")
	how := made{Compiler: compiler, Linker: linker, Flags: to.flags, Size: len(b), SHA256: digest(b)}
	builds.Store(to.arch, built{b, how})
	return b, how
}

func (to target) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(to.compiler, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, errs.String())
	}
	return out.String()
}
