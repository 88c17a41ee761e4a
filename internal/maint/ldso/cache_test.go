package ldso

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

// libraries is a tree with one of each thing that ldconfig decides on. ARCH and
// TRIPLET are replaced.
const libraries = `
/lib symlink usr/lib
/etc/ld.so.conf file "include /etc/ld.so.conf.d/*.conf\n\n"
/etc/ld.so.conf.d/.hidden.conf file "/opt/hidden\n"
/etc/ld.so.conf.d/libc.conf file "# default\n/usr/local/lib\n"
/etc/ld.so.conf.d/zz.conf file "  /opt/app/lib// # comment\n/usr/lib/TRIPLET\n/opt/missing\ninclude more/*.list\nhwcap 0 nosegneg\n"
/etc/ld.so.conf.d/more/a.list file "/opt/listed/lib\t\n"
/usr/local/lib/libz.so.1 elf ARCH soname=libz.so.1 needed=libc.so.6
/opt/app/lib/libapp.so elf ARCH needed=libc.so.6
/opt/app/lib/libnosoname.so.4 symlink libapp.so
/opt/listed/lib/libfoo.so.1 elf ARCH soname=libfoo.so.1 needed=libm.so.6
/opt/hidden/libhidden.so.1 elf ARCH soname=libhidden.so.1
/usr/lib/TRIPLET/libc.so.6 elf ARCH soname=libc.so.6 interp=/lib/ld-linux.so.2
/usr/lib/TRIPLET/libm.so.6 elf ARCH soname=libm.so.6 needed=libc.so.6
/usr/lib/TRIPLET/libbare.so.0 elf ARCH soname=libbare.so.0
/usr/lib/TRIPLET/libz.so.1.3.1 elf ARCH soname=libz.so.1 needed=libc.so.6
/usr/lib/TRIPLET/libz.so.1 symlink libz.so.1.3.1
/usr/lib/TRIPLET/libz.so symlink libz.so.1
/usr/lib/TRIPLET/libfoo.so.1.9 elf ARCH soname=libfoo.so.1 needed=libc.so.6
/usr/lib/TRIPLET/libfoo.so.1.10 elf ARCH soname=libfoo.so.1 needed=libc.so.6
/usr/lib/TRIPLET/libfoo.so.1 symlink libfoo.so.1.9
/usr/lib/TRIPLET/libimp.so.9.99 elf ARCH soname=libwrap.so.1 needed=libc.so.6
/usr/lib/TRIPLET/libwrap.so symlink libimp.so.9.99
/usr/lib/TRIPLET/libalias.so.7 symlink libother.so.1.0
/usr/lib/TRIPLET/libother.so.1.0 elf ARCH soname=libaaa.so.1 needed=libc.so.6
/usr/lib/TRIPLET/libdangling.so.3 symlink libdangling.so.3.1
/usr/lib/TRIPLET/libdangling.so symlink nowhere
/usr/lib/TRIPLET/liblinked.so.2 hardlink /usr/lib/TRIPLET/libm.so.6
/usr/lib/TRIPLET/libscript.so file "/* GNU ld script */ GROUP ( /lib/libc.so.6 ) padding padding padding\n"
/usr/lib/TRIPLET/libprog.so elf ARCH exec needed=libc.so.6
/usr/lib/TRIPLET/plugin.so elf ARCH soname=libplugin.so.1
/usr/lib/TRIPLET/ld-test.so.1 elf ARCH soname=ld-test.so.1
/usr/lib/TRIPLET/libnew.so.1.dpkg-new elf ARCH soname=libnew.so.1 needed=libc.so.6
/usr/lib/TRIPLET/libold.so.1.#prelink#.AbCdEf elf ARCH soname=libold.so.1 needed=libc.so.6
/usr/lib/TRIPLET/libdir.so.1 dir
/usr/lib/TRIPLET/libtodir.so.1 symlink libdir.so.1
/usr/lib/TRIPLET/glibc-hwcaps/x86-64-v3/libz.so.1.3.1 elf ARCH soname=libz.so.1 needed=libc.so.6 isa=0x6
/usr/lib/TRIPLET/glibc-hwcaps/x86-64-v3/libz.so.1 symlink libz.so.1.3.1
/usr/lib/TRIPLET/glibc-hwcaps/power9/libz.so.1 elf ARCH soname=libz.so.1 needed=libc.so.6
/usr/lib/TRIPLET/glibc-hwcaps/empty dir
/usr/lib/TRIPLET/glibc-hwcaps/README file "not a directory"
/usr/lib/TRIPLET/tls/libtls.so.1 elf ARCH soname=libtls.so.1 needed=libc.so.6
/usr/lib/TRIPLET/haswell/libz.so.1 elf ARCH soname=libz.so.1 needed=libc.so.6
/usr/lib/libi386.so.1 elf i386 soname=libi386.so.1 needed=libc.so.6
/usr/lib/libamd64.so.1 elf amd64 soname=libamd64.so.1 needed=libc.so.6
/usr/lib/libx32.so.1 elf x32 soname=libx32.so.1
/usr/lib/libarmel.so.1 elf armel soname=libarmel.so.1 needed=libc.so.6
/usr/lib/libs390x.so.1 elf s390x soname=libs390x.so.1 needed=libc.so.6
/usr/lib/libriscv64.so.1 elf riscv64 soname=libriscv64.so.1 needed=libc.so.6
`

func librariesOf(t *testing.T, arch string) *tree.Tree {
	abi, err := ABIOf(arch)
	if err != nil {
		t.Fatal(err)
	}
	return treetest.New(t, strings.NewReplacer("ARCH", arch, "TRIPLET", abi.Triplet).Replace(libraries))
}

// golden are the runs of the real ldconfig whose caches are in testdata, as
// SUITE-ARCH.cache: each is the static binary of Debian's libc-bin of that suite
// and architecture, run over the tree above. TestRealArchiveGolden renews them.
var golden = []struct{ suite, arch string }{
	{"trixie", "amd64"}, {"trixie", "arm64"}, {"trixie", "armhf"}, {"trixie", "i386"},
	{"trixie", "ppc64el"}, {"trixie", "riscv64"}, {"trixie", "s390x"},
	{"bookworm", "amd64"}, {"bookworm", "arm64"}, {"bookworm", "armhf"}, {"bookworm", "i386"},
	{"bookworm", "ppc64el"}, {"bookworm", "s390x"},
}

var generatorVersion = regexp.MustCompile(`\(Debian GLIBC ([^)]+)\)`)

// versionOf returns the version of libc-bin that wrote cache.
func versionOf(t *testing.T, cache []byte) string {
	t.Helper()
	m := generatorVersion.FindSubmatch(cache)
	if m == nil {
		t.Fatal("cache names no generator")
	}
	return string(m[1])
}

func TestCache(t *testing.T) {
	for _, g := range golden {
		t.Run(g.suite+"-"+g.arch, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", g.suite+"-"+g.arch+".cache"))
			if err != nil {
				t.Fatal(err)
			}
			image, version := librariesOf(t, g.arch), versionOf(t, want)
			got, err := Cache(image, g.arch, version)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("cache differs from ldconfig's\ngot  %q\nwant %q", got, want)
			}
			// The links that ldconfig makes do not change what it lists.
			apply(t, image, g.arch, version)
			if again, err := Cache(image, g.arch, version); err != nil || !bytes.Equal(again, want) {
				t.Errorf("cache differs once the links are made (%v)", err)
			}
		})
	}
}

func apply(t *testing.T, image *tree.Tree, arch, version string) {
	t.Helper()
	links, err := Links(image, arch, version)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		at, err := image.RealPath(l.Path)
		if err != nil {
			t.Fatal(err)
		}
		image.Remove(at)
		if l.Target != "" {
			if err := image.Symlink(at, l.Target, treetest.Origin); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLinks(t *testing.T) {
	const version = "2.41-12"
	image := librariesOf(t, "amd64")
	links, err := Links(image, "amd64", version)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, l := range links {
		got.WriteString(l.Path + " -> " + l.Target + "\n")
	}
	const want = `/usr/lib/x86_64-linux-gnu/libdangling.so.3 -> 
/usr/lib/x86_64-linux-gnu/libaaa.so.1 -> libother.so.1.0
/usr/lib/x86_64-linux-gnu/libfoo.so.1 -> libfoo.so.1.10
/usr/lib/x86_64-linux-gnu/libwrap.so.1 -> libimp.so.9.99
`
	if got.String() != want {
		t.Errorf("links:\n%swant:\n%s", &got, want)
	}
	apply(t, image, "amd64", version)
	if again, err := Links(image, "amd64", version); err != nil || len(again) != 0 {
		t.Errorf("second run makes %v (%v), expected nothing", again, err)
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct{ tree, arch, version, want string }{
		{"", "m68k", "2.41-1", `make /etc/ld.so.cache: architecture "m68k": the dynamic linker's rules are known for amd64, arm64, armhf, i386, ppc64el, riscv64 and s390x`},
		{"", "amd64", "1.2", `make /etc/ld.so.cache: version "1.2" of libc-bin: expected one like 2.41-12`},
		{"", "amd64", "", `make /etc/ld.so.cache: version "" of libc-bin: expected one like 2.41-12`},
		{`/etc/ld.so.conf file "include /etc/ld.so.conf\n"`, "amd64", "2.41-1", "configuration files include each other"},
	} {
		_, err := Cache(treetest.New(t, test.tree), test.arch, test.version)
		if err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

func TestDirs(t *testing.T) {
	for _, test := range []struct{ name, tree, want string }{
		{"none", ``, ``},
		{"plain", `/etc/ld.so.conf file "/a\n /b/ \n\n#/c\n/d#e\n"`, `/a /b /d`},
		{"last line without a newline", `/etc/ld.so.conf file "/a\n/b"`, `/a /b`},
		{"include, relative and by several patterns", `
			/etc/ld.so.conf file "include ld.so.conf.d/[!b].conf /x/*/y.conf\n/last\n"
			/etc/ld.so.conf.d/c.conf file "/c\n"
			/etc/ld.so.conf.d/b.conf file "/b\n"
			/etc/ld.so.conf.d/a.conf file "/a\n"
			/x symlink /elsewhere
			/elsewhere/dir/y.conf file "/y\n"`, `/a /c /y /last`},
		{"include without a blank is a directory", `/etc/ld.so.conf file "includes\n"`, `includes`},
		{"a link that leaves the root stays in it", `
			/etc/ld.so.conf symlink ../../../conf
			/conf file "/a"`, `/a`},
		{"dangling", `/etc/ld.so.conf symlink nowhere`, ``},
		{"a directory", `/etc/ld.so.conf dir`, ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Dirs(treetest.New(t, test.tree))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("directories %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzDirs feeds a configuration file that includes itself and another one.
func FuzzDirs(f *testing.F) {
	f.Add("/usr/local/lib\ninclude /etc/ld.so.conf.d/*.conf\n")
	f.Add("include \\[ [a-\n/a=libc6\n\x00#")
	f.Fuzz(func(t *testing.T, text string) {
		image := treetest.New(t, `/etc/ld.so.conf.d/a.conf file "/a\n"`)
		if err := image.WriteFile("etc/ld.so.conf", []byte(text), 0o644, treetest.Origin); err != nil {
			t.Fatal(err)
		}
		dirs, err := Dirs(image)
		if err != nil && !strings.Contains(err.Error(), ErrIncludeLoop.Error()) {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			if dir == "" || strings.ContainsAny(dir, "\n#\x00") || strings.HasSuffix(dir, "/") {
				t.Errorf("directory %q", dir)
			}
		}
	})
}
