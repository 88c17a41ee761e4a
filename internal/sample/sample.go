// Package sample is the archive that the tests of the whole program build from:
// few and tiny packages, each of them there for one thing that a build has to get
// right. Its packages are the same bytes at every run, so that golden files can
// depend on them. Nothing but tests may import it.
package sample

import (
	"fmt"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

// Debian returns an archive that answers for "debian/trixie" with the sample's
// packages and those given.
func Debian(more ...archivetest.Package) archivetest.Archive {
	return archivetest.Debian(append(Packages(), more...)...)
}

// Packages returns the packages of the sample.
func Packages() []archivetest.Package {
	packages := []archivetest.Package{
		baseFiles(), data(), common(),
		// Two that ship one path and do not say so.
		{Name: "clash-one", Files: []archivetest.File{{Path: "/usr/share/clash/file", Content: "one\n"}}},
		{Name: "clash-two", Files: []archivetest.File{{Path: "/usr/share/clash/file", Content: "two\n"}}},
		// Two that cannot be in one image.
		{Name: "left", Fields: map[string]string{"Conflicts": "right"}},
		{Name: "right", Files: []archivetest.File{{Path: "/usr/share/right/file", Content: "right\n"}}},
		// A dependency with alternatives, of which the first is not there, and a
		// virtual package that has one provider.
		{Name: "mailer", Fields: map[string]string{"Depends": "default-mta | mail-transport-agent"},
			Files: []archivetest.File{{Path: "/usr/share/mailer/file", Content: "mailer\n"}}},
		{Name: "postman", Fields: map[string]string{"Provides": "mail-transport-agent"},
			Files: []archivetest.File{{Path: "/usr/share/postman/file", Content: "postman\n"}}},
		// One that asks for what is not there.
		{Name: "broken", Fields: map[string]string{"Depends": "hello (>= 3), nowhere"}},
		// One with a version older than the one that a pin may ask for.
		{Name: "tool", Version: "1.0-1", DataCompression: "zst", ControlCompression: "gz",
			Files: []archivetest.File{{Path: "/usr/share/tool/file", Content: "tool 1.0\n"}}},
		{Name: "tool", Version: "1.2-1", DataCompression: "gz", ControlCompression: "none",
			Files: []archivetest.File{{Path: "/usr/share/tool/file", Content: "tool 1.2\n"}}},
	}
	for _, arch := range []string{"amd64", "arm64"} {
		packages = append(packages, libc(arch), hello(arch), next(arch), unlinked(arch))
	}
	return packages
}

// baseFiles has the links of a merged /usr and the name of the system.
func baseFiles() archivetest.Package {
	return archivetest.Package{
		Name: "base-files", Version: "13.8",
		Files: []archivetest.File{
			{Path: "/bin", Target: "usr/bin"},
			{Path: "/lib", Target: "usr/lib"},
			{Path: "/usr/bin/"},
			{Path: "/usr/lib/os-release", Content: "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\n"},
			{Path: "/etc/os-release", Target: "../usr/lib/os-release"},
			{Path: "/etc/debian_version", Content: "13.0\n"},
			{Path: "/tmp/", Mode: 0o1777},
			{Path: "/var/log/", GID: 4, Group: "adm", Mode: 0o2750},
		},
		Conffiles: []string{"/etc/debian_version"},
	}
}

// triplet is the name of an architecture's library directory (Debian's multiarch).
func triplet(arch string) string {
	return map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[arch]
}

func loader(arch string) string {
	return map[string]string{"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}[arch]
}

// elfFile returns an ELF file for the architecture with these facts.
func elfFile(arch string, e tree.ELF) string {
	e.Class, e.Type = 64, 3 // ET_DYN
	e.Machine = map[string]uint16{"amd64": 62, "arm64": 183}[arch]
	e.Dynamic = true
	return string(treetest.EncodeELF(&e))
}

// libc has a library and the loader below /lib, above /usr as older packages do.
func libc(arch string) archivetest.Package {
	return archivetest.Package{
		Name: "libc6", Version: "2.41-12", Architecture: arch,
		Fields: map[string]string{"Multi-Arch": "same", "Source": "glibc"},
		Files: []archivetest.File{
			{Path: "/usr/lib/" + triplet(arch) + "/libc.so.6", Content: elfFile(arch, tree.ELF{Soname: "libc.so.6"}), Mode: 0o755},
			{Path: loader(arch), Content: elfFile(arch, tree.ELF{Soname: "ld.so"}), Mode: 0o755},
			{Path: "/usr/share/doc/libc6/copyright", Content: "LGPL\n"},
		},
	}
}

// hello is a program with a file of each kind: a conffile, links of both kinds,
// documentation, a set-user-id bit, an alternative, and a directory with an owner.
func hello(arch string) archivetest.Package {
	return archivetest.Package{
		Name: "hello", Version: "2.10-3", Architecture: arch,
		Fields: map[string]string{"Depends": "libc6 (>= 2.36), hello-data (>= 2)", "Recommends": "mailer"},
		Files: []archivetest.File{
			{Path: "/usr/bin/hello", Mode: 0o755, Content: elfFile(arch, tree.ELF{Interp: loader(arch), Needed: []string{"libc.so.6"}})},
			{Path: "/usr/bin/hi", Target: "hello"},
			{Path: "/usr/bin/hello-again", Target: "./usr/bin/hello", Type: '1'},
			{Path: "/usr/bin/hello-su", Mode: 0o4755, Content: "#!/usr/bin/hello\n"},
			{Path: "/etc/hello.conf", Content: "greeting=hello\n"},
			{Path: "/var/lib/hello/", UID: 100, GID: 101, User: "hello", Group: "hello", Mode: 0o2750},
			{Path: "/usr/share/doc/hello/copyright", Content: "GPL-3+\n"},
			{Path: "/usr/share/doc/hello/changelog.gz", Content: "not really compressed\n"},
			{Path: "/usr/share/man/man1/hello.1.gz", Content: "a manual\n"},
			{Path: "/usr/share/locale/de/LC_MESSAGES/hello.mo", Content: "hallo\n"},
		},
		Conffiles: []string{"/etc/hello.conf"},
		Control: map[string]string{
			"postinst": "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n" +
				"  update-alternatives --install /usr/bin/greet greet /usr/bin/hello 10\nfi\n",
		},
	}
}

// next has another path on each architecture.
func next(arch string) archivetest.Package {
	return archivetest.Package{
		Name: "hello-next", Version: "1:2.12-1", Architecture: arch, DataCompression: "none",
		Files: []archivetest.File{{Path: "/usr/share/hello-next/" + arch, Content: arch + "\n"}},
	}
}

// unlinked is a program whose library nobody ships.
func unlinked(arch string) archivetest.Package {
	return archivetest.Package{
		Name: "unlinked", Architecture: arch, Fields: map[string]string{"Depends": "libc6"},
		Files: []archivetest.File{
			{Path: "/usr/bin/unlinked", Mode: 0o755, Content: elfFile(arch, tree.ELF{Interp: loader(arch), Needed: []string{"libgone.so.1", "libc.so.6"}})},
		},
	}
}

// data took a file over from common, and says so.
func data() archivetest.Package {
	return archivetest.Package{
		Name: "hello-data", Version: "2.0-1", Fields: map[string]string{"Replaces": "hello-common (<< 2)"},
		Files: []archivetest.File{
			{Path: "/usr/share/hello/greeting", Content: "hello of hello-data\n"},
			{Path: "/usr/share/hello/data", Content: fmt.Sprintf("%0512d\n", 7)},
		},
	}
}

func common() archivetest.Package {
	return archivetest.Package{
		Name: "hello-common", Version: "1.0-1",
		Files: []archivetest.File{
			{Path: "/usr/share/hello/greeting", Content: "hello of hello-common\n"},
			{Path: "/usr/share/hello/common", Content: "common\n"},
		},
	}
}

// Tools returns packages that maintainer scripts call, and some that depend on them:
// cookies only for its scripts, cookie-jar also for a program of its own.
func Tools() []archivetest.Package {
	postinst := func(name string) map[string]string {
		return map[string]string{"postinst": "#!/bin/sh\nset -e\nupdate-alternatives --install /usr/bin/" + name + "-alternative " + name + " /usr/bin/" + name + " 10\n"}
	}
	shared := func(name, text string) archivetest.File {
		return archivetest.File{Path: "/usr/share/" + name + "/file", Content: text + "\n"}
	}
	packages := []archivetest.Package{
		{Name: "debconf", Version: "1.5.91", Fields: map[string]string{"Provides": "debconf-2.0", "Depends": "perl-base"},
			Files: []archivetest.File{shared("debconf", "questions"), {Path: "/usr/bin/debconf", Mode: 0o755, Content: "#!/usr/bin/perl -w\n"}}, Control: postinst("debconf")},
		{Name: "adduser", Version: "3.152", Fields: map[string]string{"Depends": "passwd"},
			Files: []archivetest.File{{Path: "/usr/bin/adduser", Mode: 0o755, Content: "#!/usr/bin/perl\n"}}, Control: postinst("adduser")},
		{Name: "passwd", Version: "1:4.17.4-2", Files: []archivetest.File{shared("passwd", "accounts")}},
		{Name: "cookies", Version: "1.0-1", Fields: map[string]string{"Depends": "adduser, debconf (>= 0.5) | debconf-2.0"},
			Files: []archivetest.File{shared("cookies", "cookies"), {Path: "/usr/bin/cookies", Mode: 0o755, Content: "#!/usr/bin/perl\n"}}, Control: postinst("cookies")},
		{Name: "cookie-jar", Version: "1.0-1", Fields: map[string]string{"Depends": "debconf"}, Files: []archivetest.File{shared("cookie-jar", "jar")}},
	}
	for _, arch := range []string{"amd64", "arm64"} {
		packages = append(packages, archivetest.Package{
			Name: "perl-base", Version: "5.40.1-6", Architecture: arch, Fields: map[string]string{"Depends": "libc6"},
			Files: []archivetest.File{
				{Path: "/usr/bin/perl", Mode: 0o755, Content: elfFile(arch, tree.ELF{Interp: loader(arch), Needed: []string{"libc.so.6"}})},
			},
		})
	}
	return packages
}
