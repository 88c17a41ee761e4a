package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/lock"
)

// A signed package may hold anything. Each of these is refused with one line that
// says what, exit code 1, and nothing left behind. The package is bad 1.0 (all);
// "..." stands for "package bad 1.0 (all): ".
func TestBadPackage(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		deb  []byte
		want string
	}{
		"parent directory":     {deb(file("../etc/passwd", "x")), `...data.tar: path "../etc/passwd" climbs with ".."`},
		"parent in the middle": {deb(file("./usr/../../etc/passwd", "x")), `...data.tar: path "./usr/../../etc/passwd" climbs with ".."`},
		"absolute":             {deb(file("/etc/passwd", "x")), `...data.tar: path "/etc/passwd" is absolute`},
		"through a link":       {deb(link("./usr/x", "/etc"), file("./usr/x/passwd", "x")), `...data.tar: "usr/x/passwd" goes through "usr/x", which is not a directory`},
		"through a file":       {deb(file("./usr/x", "x"), file("./usr/x/passwd", "x")), `...data.tar: "usr/x/passwd" goes through "usr/x", which is not a directory`},
		"whiteout":             {deb(file("./etc/.wh.passwd", "")), `...data.tar: path "./etc/.wh.passwd" has a name that means a whiteout in a layer`},
		"opaque whiteout":      {deb(file("./etc/.wh..wh..opq", "")), `...data.tar: path "./etc/.wh..wh..opq" has a name that means a whiteout in a layer`},
		"character device":     {deb(special("./dev/null", tar.TypeChar)), `...data.tar: "dev/null" is a device node, expected a file, directory or link`},
		"block device":         {deb(special("./dev/sda", tar.TypeBlock)), `...data.tar: "dev/sda" is a device node, expected a file, directory or link`},
		"named pipe":           {deb(special("./run/pipe", tar.TypeFifo)), `...data.tar: "run/pipe" is a named pipe, expected a file, directory or link`},
		"hard link to nowhere": {deb(hardlink("./usr/a", "./usr/b")), `...data.tar: hard link "usr/a" leads to "usr/b", which is not a file before it`},
		"hard link outside":    {deb(hardlink("./usr/a", "../../etc/shadow")), `...data.tar: hard link "usr/a": path "../../etc/shadow" climbs with ".."`},
		"hard link to a link":  {deb(link("./usr/b", "/etc/shadow"), hardlink("./usr/a", "./usr/b")), `...data.tar: hard link "usr/a" leads to "usr/b", which is not a file before it`},
		"twice":                {deb(file("./usr/a", "1"), file("usr//a", "2")), `...data.tar: "usr/a" is in it twice`},
		"twice by merged /usr": {deb(file("./bin/a", "1"), file("./usr/bin/a", "2")), `...data.tar: "usr/bin/a" is in it twice, once above /usr`},
		"file and directory":   {deb(file("./usr/a", "1"), entry{Header: tar.Header{Name: "./usr/a/", Typeflag: tar.TypeDir}}), `...data.tar: "usr/a" is in it twice`},
		"newline":              {deb(file("./usr/a\nb", "x")), `...data.tar: path "./usr/a\nb" has control characters`},
		"escape":               {deb(file("./usr/\x1b[2J", "x")), `...data.tar: path "./usr/\x1b[2J" has control characters`},
		"link with a newline":  {deb(link("./usr/a", "b\nc")), `...data.tar: "usr/a" is a symbolic link to "b\nc", which is not a path`},
		"long path":            {deb(file("./"+strings.Repeat("a/", 2100)+"b", "x")), `...data.tar: path of 4203 bytes, expected 1 to 4096`},
		"owner":                {deb(entry{Header: tar.Header{Name: "./usr/a", Uid: 1 << 32, Format: tar.FormatGNU}}), `...data.tar: "usr/a" belongs to 4294967296:0, expected ids below 4294967295`},
		"database entry":       {deb(file("./var/lib/dpkg/status.d/bad", "x")), `/var/lib/dpkg/status.d/bad: file of hardpan, package database entry of bad is also file of package bad 1.0`},
		"cut in a member":      {deb(file("./usr/a", random(9000)))[:4000], `...data.tar: truncated .deb: it ends within its member`},
		"cut in a header":      {deb(file("./usr/a", "x"))[:100], `...truncated .deb: it ends within its member header`},
		"cut before the data":  {members(control("bad"))(), `...truncated .deb: a member is missing`},
		"no package":           {[]byte("hello, world, I am no package"), `...not a .deb: begins with "hello, w", expected "!<arch>\n"`},
		"unknown compression":  {archivetest.Ar([]archivetest.Member{{Name: "debian-binary", Content: []byte("2.0\n")}, {Name: "control.tar.lzma"}}), `...control.tar.lzma: compression ".lzma", expected .xz, .zst, .gz or none`},
		"damaged compression":  {members(control("bad"), archivetest.Member{Name: "data.tar.gz", Content: []byte("not gzip at all")})(), `...data.tar.gz: gzip: gzip: invalid header`},
		"another package":      {members(control("good"), archivetest.Member{Name: "data.tar"})(), `...its control file says Package "good", the lock says "bad"`},
		"bomb":                 {deb(file("./usr/a", string(make([]byte, 65*mib)))), `...data.tar: data.tar unpacks to more than the limit of 67112960 bytes`},
		"bomb of control":      {members(compressed("control.tar", file("./control", string(make([]byte, 33*mib)))))(), `...control: control.tar unpacks to more than the limit of 33554432 bytes`},
		"sparse bomb":          {members(control("bad"), sparse("data.tar", 1<<40))(), `...data.tar: data.tar unpacks to more than the limit of 67112960 bytes`},
		"sparse control":       {members(sparse("control.tar", 1<<40))(), `...control: control.tar unpacks to more than the limit of 33554432 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, args := lockedBuild(t, map[string][]byte{"bad": c.deb})
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), args, &stdout, &stderr)
			want := "hardpan: " + strings.Replace(c.want, "...", "package bad 1.0 (all): ", 1) + "\n"
			if code != exitFailed || stderr.String() != want || stdout.Len() > 0 {
				t.Errorf("exit code %d and\n%s%swant %d and\n%s", code, stdout.String(), stderr.String(), exitFailed, want)
			}
			for _, sub := range []string{"cache/tmp", "cache/partial", "out"} {
				if left, _ := os.ReadDir(filepath.Join(dir, sub)); len(left) > 0 {
					t.Errorf("left in %s: %v", sub, left)
				}
			}
		})
	}
}

// Packages that are strange and sound.
func TestStrangePackage(t *testing.T) {
	for name, c := range map[string]struct {
		debs map[string][]byte
		path string
		want string // in what explain says
	}{
		"link loop":                   {map[string][]byte{"a1": debOf("a1", link("./usr/a", "b"), link("./usr/b", "a"))}, "/usr/a", "the link leads to nothing in the image"},
		"link out of the root":        {map[string][]byte{"a1": debOf("a1", link("./usr/a", "../../../../../../etc/passwd"))}, "/usr/a", "-> /etc/passwd\n"},
		"below another package's":     {map[string][]byte{"a1": debOf("a1", link("./srv/a", "/opt/b")), "b1": debOf("b1", file("./srv/a/c", "x"))}, "/opt/b/c", "from package b1 1.0"},
		"link out of the root to one": {map[string][]byte{"a1": debOf("a1", link("./srv/a", "../../../../opt")), "b1": debOf("b1", file("./srv/a/c", "x"))}, "/opt/c", "from package b1 1.0"},
		"no files":                    {map[string][]byte{"a1": debOf("a1")}, "/var/lib/dpkg/status.d/a1", "package database entry of a1"},
		"late hard link":              {map[string][]byte{"a1": debOf("a1", file("./usr/share/man/man1/a.1", "x"), hardlink("./usr/bin/a", "./usr/share/man/man1/a.1"))}, "/usr/bin/a", "hardlink"},
		"space and quotes":            {map[string][]byte{"a1": debOf("a1", file("./usr/share/a b/\"c'", "x"))}, "/usr/share/a b/\"c'", "from package a1 1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, args := lockedBuild(t, c.debs)
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), args, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
				t.Fatalf("exit code %d: %s", code, stderr.String())
			}
			stdout.Reset()
			if code := run(t.Context(), []string{"explain", filepath.Join(dir, "out/image"), c.path}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), c.want) {
				t.Errorf("exit code %d: %s%s\nwant %q", code, stdout.String(), stderr.String(), c.want)
			}
		})
	}
	t.Run("below a link loop", func(t *testing.T) {
		_, args := lockedBuild(t, map[string][]byte{
			"a1": debOf("a1", link("./usr/a", "b"), link("./usr/b", "a")), "b1": debOf("b1", file("./usr/a/c", "x")),
		})
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, &stdout, &stderr)
		if want := "hardpan: package b1: resolve /usr/a/c: too many levels of symbolic links\n"; code != exitFailed || stderr.String() != want {
			t.Errorf("exit code %d and %q, want %q", code, stderr.String(), want)
		}
	})
}

// lockedBuild returns a directory and the arguments of a build in it, by a lock that
// has these packages, as if a signed index had named them.
func lockedBuild(t *testing.T, debs map[string][]byte) (dir string, args []string) {
	t.Helper()
	server, err := archivetest.New(archivetest.Archive{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	l := &lock.Lock{
		LockVersion: lock.Version,
		Request: lock.Request{Distro: "debian/trixie", Platforms: []string{"linux/amd64"}, Packages: map[string][]string{"": {}},
			Rules: map[string][]string{"": {"maintainer-script-tools"}}},
		Archives:  []lock.Archive{{ID: "debian/trixie", Suite: "trixie", Date: archivetest.Epoch}},
		Platforms: map[string]lock.Platform{},
	}
	var p lock.Platform
	spec := "apiVersion: hardpan/v1\nname: bad\nversion: \"1\"\ndistro: debian/trixie\nplatforms: [linux/amd64]\ncontents:\n  packages:\n"
	for name, deb := range debs {
		server.Put("pool/"+name+".deb", deb)
		l.Request.Packages[""] = append(l.Request.Packages[""], name)
		p.Packages = append(p.Packages, lock.Package{
			Name: name, Version: "1.0", Architecture: "all", Source: name, SourceVersion: "1.0", Archive: "debian/trixie",
			Path: "pool/" + name + ".deb", Size: int64(len(deb)), SHA256: fmt.Sprintf("%x", sha256.Sum256(deb)), InstalledSize: 1, Why: "requested",
		})
	}
	slices.Sort(l.Request.Packages[""])
	for _, name := range l.Request.Packages[""] {
		spec += "    - " + name + "\n"
	}
	slices.SortFunc(p.Packages, func(a, b lock.Package) int { return strings.Compare(a.Name, b.Name) })
	l.Platforms["linux/amd64"] = p
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, content := range map[string]string{"bad.yaml": spec, "bad.lock": string(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, []string{
		"build", filepath.Join(dir, "bad.yaml"), "--mirror", server.URL, "--keyring", server.Keyring, "--fail-on", "never",
		"--cache-dir", filepath.Join(dir, "cache"), "--layout", filepath.Join(dir, "out/image"),
	}
}

// entry is a member of a tar that is written as it is.
type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}, content}
}

func link(name, target string) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}}
}

func hardlink(name, target string) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target}}
}

func special(name string, flag byte) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: flag, Devmajor: 1, Devminor: 3}}
}

// deb returns the package bad with these files, debOf one of that name.
func deb(files ...entry) []byte { return debOf("bad", files...) }

func debOf(name string, files ...entry) []byte {
	return members(control(name), compressed("data.tar", files...))()
}

func members(list ...archivetest.Member) func() []byte {
	return func() []byte {
		return archivetest.Ar(append([]archivetest.Member{{Name: "debian-binary", Content: []byte("2.0\n")}}, list...))
	}
}

func control(name string) archivetest.Member {
	return compressed("control.tar", file("./control", "Package: "+name+"\nVersion: 1.0\nArchitecture: all\n"))
}

func compressed(name string, files ...entry) archivetest.Member {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		must(w.WriteHeader(&f.Header))
		_, err := w.Write([]byte(f.content))
		must(err)
	}
	must(w.Close())
	packed, err := archivetest.Compress("zst", b.Bytes())
	must(err)
	return archivetest.Member{Name: name + ".zst", Content: packed}
}

// sparse returns a tar with the file "control" of so many bytes, all but one of them
// in a hole (GNU tar manual, PAX format 1.0 of sparse files). No writer of tars
// makes one, so the header is written by hand.
func sparse(name string, size int64) archivetest.Member {
	var records string
	for _, kv := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=./control", "GNU.sparse.realsize=" + strconv.FormatInt(size, 10)} {
		n := len(kv) + 4 // a space, a newline and two digits
		records += fmt.Sprintf("%d %s\n", n, kv)
	}
	sparseMap := fmt.Sprintf("1\n%d\n1\n", size-1)
	body := sparseMap + strings.Repeat("\x00", 512-len(sparseMap)) + "x"
	return archivetest.Member{Name: name, Content: slices.Concat(
		block("././@PaxHeader", tar.TypeXHeader, records), block("./control", tar.TypeReg, body), make([]byte, 1024))}
}

// block returns an entry of a tar of any type.
func block(name string, flag byte, content string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content)), Format: tar.FormatUSTAR}))
	_, err := w.Write([]byte(content))
	must(err)
	must(w.Flush())
	h := b.Bytes()
	h[156] = flag
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h[:512] {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// random returns text that does not compress, the same every time.
func random(n int) string {
	var b []byte
	for i := 0; len(b) < n; i++ {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		b = append(b, sum[:]...)
	}
	return string(b[:n])
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
