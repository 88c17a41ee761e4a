//go:build linux

package imagetest

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/specs"
)

// checkFacts checks what can be seen in the image of a platform without running it.
func checkFacts(t *testing.T, s *shipped, p specs.Platform) {
	img := s.open(t, p.String())
	entries, err := unpack(img, "", account{})
	if err != nil {
		t.Errorf("%s: %v", p, err)
		return
	}
	f := facts{t, s, p, img, entries}
	f.config()
	f.modes()
	f.nothingToAttackWith()
	f.machines()
	f.libraries()
	f.accounts()
	f.database()
	f.record()
	f.release()
	f.labels()
	f.listed()
}

type facts struct {
	t        *testing.T
	image    *shipped
	platform specs.Platform
	img      *oci.Image
	entries  map[string]*entry
}

func (f *facts) errorf(format string, args ...any) {
	f.t.Helper()
	f.t.Errorf("%s: %s", f.platform, fmt.Sprintf(format, args...))
}

var numericUser = regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`)

func (f *facts) config() {
	if user := f.img.Config.User; !numericUser.MatchString(user) {
		f.errorf("config: user is %q, expected numbers that are not root's", user)
	}
	if dir := f.img.Config.WorkingDir; f.find(dir) == nil || f.find(dir).Typeflag != tar.TypeDir {
		f.errorf("config: working directory %s is no directory of the image", dir)
	} else if !f.mayEnter(dir) {
		f.errorf("config: user %s may not enter working directory %s", f.img.Config.User, dir)
	}
}

// find returns the entry of an absolute path, nil where there is none.
func (f *facts) find(name string) *entry { return f.entries[strings.TrimPrefix(path.Clean(name), "/")] }

// mayEnter reports whether the image's user may search the directory and those above.
func (f *facts) mayEnter(dir string) bool {
	uid, gid, _ := strings.Cut(f.img.Config.User, ":")
	for ; dir != "/"; dir = path.Dir(dir) {
		e := f.find(dir)
		switch {
		case e == nil:
			return false
		case strconv.Itoa(e.Uid) == uid && e.Mode&0o100 != 0:
		case strconv.Itoa(e.Uid) != uid && strconv.Itoa(e.Gid) == gid && e.Mode&0o010 != 0:
		case strconv.Itoa(e.Uid) != uid && strconv.Itoa(e.Gid) != gid && e.Mode&0o001 != 0:
		default:
			return false
		}
	}
	return true
}

// modes: no program gives its caller rights, and nothing but the usual
// directories of temporary files can be written by anyone.
func (f *facts) modes() {
	for name, e := range f.entries {
		if e.Typeflag != tar.TypeDir && e.Mode&0o6000 != 0 {
			f.errorf("/%s has mode %04o", name, e.Mode)
		}
		if e.Typeflag != tar.TypeSymlink && e.Mode&0o002 != 0 && e.Mode&0o1000 == 0 {
			f.errorf("/%s has mode %04o, anyone may write to it", name, e.Mode)
		}
	}
}

// forbidden are the programs that strict images have none of: shells, what
// installs software, what fetches it, and what changes the user.
var forbidden = []string{
	"sh", "bash", "dash", "ash", "ksh", "zsh", "csh", "busybox", "perl",
	"apt", "apt-get", "apt-cache", "dpkg", "dpkg-deb", "aptitude", "pip", "pip3", "npm", "npx", "yarn", "corepack",
	"curl", "wget", "su", "sudo", "passwd", "mount", "login", "newgrp", "chsh", "useradd",
}

func (f *facts) nothingToAttackWith() {
	if !f.image.strict() {
		return
	}
	for name := range f.entries {
		dir, base := path.Split(name)
		if !strings.HasSuffix(dir, "bin/") && !strings.HasSuffix(dir, "sbin/") {
			continue
		}
		if base == "curl" && f.waives("network-client-present") {
			continue
		}
		if slices.Contains(forbidden, base) || strings.HasPrefix(base, "perl5") {
			f.errorf("a strict image has /%s", name)
		}
	}
	for _, name := range []string{"var/lib/dpkg/status", "var/lib/apt", "etc/apt", "var/cache/apt"} {
		if f.entries[name] != nil {
			f.errorf("a strict image has /%s", name)
		}
	}
}

// waives reports whether the spec says that the image may break the rule.
func (f *facts) waives(rule string) bool {
	return slices.ContainsFunc(f.image.spec.Hardening.Waive, func(w specs.Waiver) bool { return w.Rule == rule })
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

func (f *facts) machines() {
	found := 0
	for name, e := range f.entries {
		if e.machine == elf.EM_NONE {
			continue
		}
		found++
		if e.machine != machines[f.platform.Architecture] {
			f.errorf("/%s is for %s", name, e.machine)
		}
	}
	if libc := f.entries["usr/share/doc/libc6/copyright"] != nil; libc && found == 0 {
		f.errorf("no ELF file found in an image that has libc6")
	}
}

// cached matches a line of `ldconfig -p`: a library and where it is.
var cached = regexp.MustCompile(`(?m)^\t(\S+) \(.*\) => (/\S+)$`)

// libraries: the host's ldconfig, which reads caches of every architecture, finds
// in ld.so.cache the libraries that the image has.
func (f *facts) libraries() {
	e := f.entries["etc/ld.so.cache"]
	if e == nil {
		if f.entries["usr/share/doc/libc6/copyright"] != nil {
			f.errorf("an image with libc6 has no /etc/ld.so.cache")
		}
		return
	}
	tool, err := exec.LookPath("ldconfig")
	if err != nil {
		f.t.Log("SKIPPED: the host has no ldconfig (apt-get install libc-bin): no /etc/ld.so.cache was read with it")
		return
	}
	name := filepath.Join(f.t.TempDir(), "ld.so.cache")
	if err := os.WriteFile(name, e.content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	out, err := exec.Command(tool, "-p", "-C", name).CombinedOutput()
	if err != nil {
		f.errorf("ldconfig -p: %v\n%s", err, out)
		return
	}
	found := map[string]bool{}
	for _, m := range cached.FindAllStringSubmatch(string(out), -1) {
		found[m[1]] = true
		if !f.reaches(m[2]) {
			f.errorf("/etc/ld.so.cache has %s at %s, which the image has not", m[1], m[2])
		}
	}
	if !found["libc.so.6"] || !found["libgcc_s.so.1"] {
		f.errorf("/etc/ld.so.cache has not all libraries of glibc's image:\n%s", out)
	}
}

// reaches reports whether an absolute path leads, through links, to a file.
func (f *facts) reaches(name string) bool {
	for range 40 {
		at, rest := "", strings.Split(strings.Trim(path.Clean(name), "/"), "/")
		moved := false
		for i, part := range rest {
			at = path.Join(at, part)
			e := f.entries[at]
			if e == nil {
				return false
			}
			if e.Typeflag == tar.TypeSymlink {
				target := e.Linkname
				if !path.IsAbs(target) {
					target = path.Join("/", path.Dir(at), target)
				}
				name, moved = path.Join(append([]string{target}, rest[i+1:]...)...), true
				break
			}
		}
		if !moved {
			return true
		}
	}
	return false
}

// accounts: the files are valid by the tools that Debian has for it, nobody has a
// password, and every owner has a name.
func (f *facts) accounts() {
	dir := f.t.TempDir()
	uids, gids := map[int]bool{}, map[int]bool{}
	for _, name := range []string{"passwd", "group", "shadow", "gshadow"} {
		e := f.entries["etc/"+name]
		if e == nil {
			f.errorf("there is no /etc/%s", name)
			return
		}
		if err := os.WriteFile(filepath.Join(dir, name), e.content, 0o600); err != nil {
			f.t.Fatal(err)
		}
		for line := range strings.Lines(string(e.content)) {
			fields := strings.Split(strings.TrimSpace(line), ":")
			switch id, _ := strconv.Atoi(fields[2]); name {
			case "passwd":
				uids[id] = true
			case "group":
				gids[id] = true
			default:
				if !strings.HasPrefix(fields[1], "!") && !strings.HasPrefix(fields[1], "*") {
					f.errorf("/etc/%s: account %q is not locked", name, fields[0])
				}
			}
		}
	}
	for name, e := range f.entries {
		if !uids[e.Uid] || !gids[e.Gid] {
			f.errorf("/%s belongs to %d:%d, which have no names", name, e.Uid, e.Gid)
		}
	}
	uid, gid, _ := strings.Cut(f.img.Config.User, ":")
	if u, _ := strconv.Atoi(uid); !uids[u] {
		f.errorf("the image runs as user %s, who is not in /etc/passwd", uid)
	}
	if g, _ := strconv.Atoi(gid); !gids[g] {
		f.errorf("the image runs as group %s, which is not in /etc/group", gid)
	}
	for _, check := range [][]string{{"pwck", "-q", "-r", "passwd", "shadow"}, {"grpck", "-r", "group", "gshadow"}} {
		f.shadowTool(dir, check)
	}
}

func (f *facts) shadowTool(dir string, check []string) {
	tool, err := exec.LookPath(check[0])
	if err != nil {
		f.t.Logf("SKIPPED: the host has no %s (apt-get install passwd): /etc/%s was not checked with it", check[0], check[len(check)-1])
		return
	}
	cmd := exec.Command(tool, check[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		f.errorf("%s: %v\n%s", strings.Join(check, " "), err, out)
	}
}

// database: scanners find each package of the lock in the form that they read,
// and no other.
func (f *facts) database() {
	const dir = "var/lib/dpkg/status.d/"
	locked, err := lock.Read(lock.Path(f.image.file))
	if err != nil {
		f.t.Fatal(err)
	}
	want := map[string]string{}
	for _, p := range locked.Platforms[f.platform.String()].Packages {
		if p.In(f.image.variant) {
			want[p.Name] = p.Version + " " + p.Architecture
		}
	}
	got := map[string]string{}
	for name, e := range f.entries {
		file, ok := strings.CutPrefix(name, dir)
		if !ok || strings.HasSuffix(file, ".md5sums") {
			continue
		}
		p, err := debian.NewControlReader(bytes.NewReader(e.content)).Next()
		if err != nil {
			f.errorf("/%s: %v", name, err)
			continue
		}
		if p.Get("Package") != file || p.Get("Status") != "install ok installed" || p.Get("Maintainer") == "" {
			f.errorf("/%s: package %q with status %q", name, p.Get("Package"), p.Get("Status"))
		}
		got[p.Get("Package")] = p.Get("Version") + " " + p.Get("Architecture")
	}
	if !maps.Equal(got, want) {
		f.errorf("the package database has\n%v\nthe lock has\n%v", got, want)
	}
}

// record: it lists exactly the paths that the layers have, as they have them.
func (f *facts) record() {
	rec, err := record.Decode(f.img.Config.Record)
	if err != nil {
		f.errorf("%v", err)
		return
	}
	for name, e := range f.entries {
		row, ok := rec.Lookup(name)
		owner := fmt.Sprintf("%d:%d", e.Uid, e.Gid)
		switch {
		case !ok:
			f.errorf("/%s is not in the record", name)
		case row.Layer != e.layer || row.Owner != owner && e.Typeflag != tar.TypeLink || e.Typeflag == tar.TypeReg && row.Size != e.Size:
			f.errorf("/%s: record has layer %d, owner %s, %d bytes; the image has %d, %s, %d",
				name, row.Layer, row.Owner, row.Size, e.layer, owner, e.Size)
		case row.Origin.String() == "":
			f.errorf("/%s has no origin", name)
		}
	}
	for _, name := range rec.Paths.Path {
		if f.entries[name] == nil {
			f.errorf("the record has /%s, which no layer has", name)
		}
	}
	// The verb reads the same record; one path shows that it finds it.
	got, err := builder.Explain(f.t.Context(), f.image.layout, "/etc/passwd", builder.ExplainOptions{Platform: f.platform.String()})
	if err != nil || len(got.Steps) != 1 || got.Steps[0].Origin == "" {
		f.errorf("explain /etc/passwd: %+v, %v", got, err)
	}
}

var releases = map[string]string{"bookworm": "12", "trixie": "13"}

func (f *facts) release() {
	link, file := f.entries["etc/os-release"], f.entries["usr/lib/os-release"]
	if link == nil || link.Linkname != "../usr/lib/os-release" || file == nil {
		f.errorf("/etc/os-release is not a link to a file of the image")
		return
	}
	suite := f.image.spec.Distro.Codename
	for _, line := range []string{"ID=debian", `VERSION_ID="` + releases[suite] + `"`, "VERSION_CODENAME=" + suite} {
		if !slices.Contains(strings.Split(string(file.content), "\n"), line) {
			f.errorf("/usr/lib/os-release has no line %s", line)
		}
	}
	if e := f.entries["etc/ssl/certs/ca-certificates.crt"]; e == nil || bytes.Count(e.content, []byte("BEGIN CERTIFICATE")) < 100 {
		f.errorf("/etc/ssl/certs/ca-certificates.crt has fewer than 100 certificates")
	}
	if e := f.entries["tmp"]; e == nil || fs.FileMode(e.Mode) != 0o1777 {
		f.errorf("/tmp is not a directory with mode 1777")
	}
}
