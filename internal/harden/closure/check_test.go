package closure

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/ldso"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

// libc is what every dynamic program of the tests needs.
const libc = `
/lib symlink usr/lib
/lib64 symlink usr/lib64
/usr/lib64/ld.so.2 symlink ../lib/x86_64-linux-gnu/ld.so.2
/usr/lib/x86_64-linux-gnu/ld.so.2 elf amd64 soname=ld.so.2
/usr/lib/x86_64-linux-gnu/libc.so.6 elf amd64 soname=libc.so.6 needed=ld.so.2 interp=/lib64/ld.so.2
`

const program = "elf amd64 interp=/lib64/ld.so.2 needed=libc.so.6"

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name       string
		tree       string
		entrypoint string
		env        map[string]string
		want       string // "SEVERITY MESSAGE" a line
	}{
		{"no entrypoint", libc, "", nil, ""},
		{"nothing missing", libc + "/usr/bin/app " + program, "/usr/bin/app -v", nil, ""},
		{"empty tree", "", "", nil, ""},
		{"static", "/app elf amd64 static", "/app", nil, ""},
		{"entrypoint is missing", libc, "/app", nil,
			"error /app is the entrypoint, but no path of the image"},
		{"entrypoint is a directory", "/app dir", "/app", nil,
			"error /app is the entrypoint, but is a directory"},
		{"entrypoint is not executable", "/app elf 0644 amd64 static", "/app", nil,
			"error /app is the entrypoint, but is not executable (mode 0644)"},
		{"entrypoint is for another machine", "/app elf arm64 static", "/app", nil,
			"error /app is the entrypoint, but is for another machine: EM_AARCH64, 64 bits"},
		{"entrypoint is data", `/app file 0755 "hello"`, "/app", nil,
			"error /app is the entrypoint, but is neither an ELF file nor a script with an interpreter line"},
		{"entrypoint is a broken ELF file", `/app file 0755 "\x7fELFxx"`, "/app", nil,
			"error /app is the entrypoint, but is a malformed ELF file"},
		{"entrypoint is a loop of links", "/app symlink b\n/b symlink app", "/app", nil,
			"error /app is the entrypoint, but cannot be found (resolve /app: too many levels of symbolic links)"},
		{"entrypoint by PATH", "/opt/bin/app elf amd64 static", "app", map[string]string{"PATH": "/bin:/opt/bin"}, ""},
		{"entrypoint by the default PATH", "/usr/local/bin/app elf amd64 static", "app", nil, ""},
		{"entrypoint not in PATH", "/opt/app elf amd64 static", "app", map[string]string{"PATH": "/bin"},
			"error app is the entrypoint, but no directory of PATH has it: /bin"},
		{"entrypoint in PATH is passed over if not executable",
			"/a/app elf 0600 amd64 static\n/b/app elf amd64 static", "app", map[string]string{"PATH": "/a:/b"}, ""},
		{"relative to the work-dir", "/srv/bin/app elf amd64 static", "bin/app", nil, ""},
		{"a hard link", "/app elf amd64 static\n/b hardlink /app", "/b", nil, ""},

		{"interpreter is missing", `/app file 0755 "#!/bin/sh -e\n"`, "/app", nil,
			"error /app needs the interpreter /bin/sh, which no path of the image has: /app -> /bin/sh"},
		{"interpreter of an interpreter", `
			/app file 0755 "#! /opt/run\t-x  y \n"
			/opt/run file 0755 "#!/bin/none"`, "/app", nil,
			"error /app needs the interpreter /bin/none, which no path of the image has: /app -> /opt/run -> /bin/none"},
		{"interpreter runs itself", `/app file 0755 "#!/app\n"`, "/app", nil,
			"error /app needs the interpreter /app, the 6th interpreter in a row, of which Linux follows 5: /app -> /app -> /app -> /app -> /app -> /app -> /app"},
		{"interpreter lacks a library", libc + `
			/app file 0755 "#!/usr/bin/run\n"
			/usr/bin/run elf amd64 interp=/lib64/ld.so.2 needed=librun.so.1`, "/app", nil,
			"error /app needs librun.so.1, which no path of the image has: /app -> /usr/bin/run -> librun.so.1"},
		{"env finds the interpreter", libc + "/usr/bin/python3 " + program + `
			/usr/bin/env elf amd64 static
			/app file 0755 "#!/usr/bin/env python3\n"`, "/app", nil, ""},
		{"env with options", `
			/usr/bin/env elf amd64 static
			/app file 0755 "#!/usr/bin/env -S -i A=b ruby -w\n"`, "/app", nil,
			"error /app needs the interpreter ruby, which no path of the image has in PATH: /app -> /usr/bin/env -> ruby"},
		{"env as the entrypoint", `/usr/bin/env elf amd64 static`, "env A=b perl x", nil,
			"error /usr/bin/env needs the interpreter perl, which no path of the image has in PATH: /usr/bin/env -> perl"},

		{"dynamic linker is missing", `/app elf amd64 interp=/lib64/ld.so.2 needed=libc.so.6`, "/app", nil,
			"error /app needs the dynamic linker /lib64/ld.so.2, which no path of the image has: /app -> /lib64/ld.so.2"},
		{"library of a library", libc + `
			/usr/sbin/nginx elf amd64 interp=/lib64/ld.so.2 needed=libngx.so,libc.so.6
			/usr/lib/libngx.so elf amd64 needed=libssl.so.3`, "/usr/sbin/nginx", nil,
			"error /usr/sbin/nginx needs libssl.so.3, which no path of the image has: /usr/sbin/nginx -> libngx.so -> libssl.so.3"},
		{"another program's library", libc + `
			/usr/bin/b elf amd64 interp=/lib64/ld.so.2 needed=libx.so.1
			/usr/bin/a elf amd64 interp=/lib64/ld.so.2 needed=libx.so.1`, "", nil, `
			error /usr/bin/a needs libx.so.1, which no path of the image has: /usr/bin/a -> libx.so.1
			error /usr/bin/b needs libx.so.1, which no path of the image has: /usr/bin/b -> libx.so.1`},
		{"library for another machine only", libc + `
			/usr/bin/a elf amd64 interp=/lib64/ld.so.2 needed=libx.so.1
			/usr/lib/libx.so.1 elf i386 soname=libx.so.1`, "", nil,
			"error /usr/bin/a needs libx.so.1, which is at /lib/libx.so.1 but for another machine: /usr/bin/a -> libx.so.1"},
		{"files of other machines are data", `/usr/share/fw elf arm64 interp=/ld needed=libx.so`, "", nil, ""},
		{"programs and libraries among the architecture-independent files are data", `
			/usr/share/go/testdata/prog elf amd64 interp=/lib64/ld.so.2 needed=libc.so.6
			/usr/share/go/testdata/libx.so_ elf amd64 needed=libc.so.6`, "", nil, `
			warning /usr/share/go/testdata/prog needs the dynamic linker /lib64/ld.so.2, which no path of the image has: /usr/share/go/testdata/prog -> /lib64/ld.so.2
			warning /usr/share/go/testdata/libx.so_ needs libc.so.6, which no path of the image has: /usr/share/go/testdata/libx.so_ -> libc.so.6`},
		{"the entrypoint is no data wherever it lies", `/usr/share/app elf amd64 interp=/lib64/ld.so.2`, "/usr/share/app", nil,
			"error /usr/share/app needs the dynamic linker /lib64/ld.so.2, which no path of the image has: /usr/share/app -> /lib64/ld.so.2"},
		{"library behind links", libc + "/usr/bin/a " + program + `,libx.so.1
			/usr/lib/libx.so.1 symlink /etc/alternatives/libx
			/etc/alternatives/libx symlink ../../opt/libx.so.1.2
			/opt/libx.so.1.2 elf amd64 soname=libx.so.1`, "", nil, ""},
		{"library by ld.so.conf", libc + "/usr/bin/a " + program + `,libx.so.1
			/etc/ld.so.conf file "include ld.so.conf.d/*.conf\n"
			/etc/ld.so.conf.d/x.conf file "/opt/x\n"
			/opt/x/libx.so.1 elf amd64 soname=libx.so.1`, "", nil, ""},
		{"library by LD_LIBRARY_PATH", libc + "/usr/bin/a " + program + `,libx.so.1
			/opt/x/libx.so.1 elf amd64 soname=libx.so.1`, "", map[string]string{"LD_LIBRARY_PATH": "/opt/y:/opt/x"}, ""},
		{"library by RUNPATH", libc + "/opt/bin/a " + program + `,libx.so.1 runpath=$ORIGIN/../${LIB}
			/opt/lib/x86_64-linux-gnu/libx.so.1 elf amd64 soname=libx.so.1`, "", nil, ""},
		{"RUNPATH is not passed on", libc + "/opt/a " + program + `,libx.so.1 runpath=$ORIGIN
			/opt/libx.so.1 elf amd64 soname=libx.so.1 needed=liby.so.1
			/opt/liby.so.1 elf amd64 soname=liby.so.1`, "", nil,
			"error /opt/a needs liby.so.1, which the image has only at /opt/liby.so.1, where the dynamic linker does not look: /opt/a -> libx.so.1 -> liby.so.1"},
		{"RPATH is passed on", libc + "/opt/a " + program + `,libx.so.1 rpath=$ORIGIN
			/opt/libx.so.1 elf amd64 soname=libx.so.1 needed=liby.so.1
			/opt/liby.so.1 elf amd64 soname=liby.so.1`, "", nil, ""},
		{"RUNPATH voids RPATH", libc + "/opt/a " + program + `,libx.so.1 rpath=$ORIGIN runpath=/none
			/opt/libx.so.1 elf amd64 soname=libx.so.1`, "", nil,
			"error /opt/a needs libx.so.1, which the image has only at /opt/libx.so.1, where the dynamic linker does not look: /opt/a -> libx.so.1"},
		{"already loaded by another library", libc + "/opt/a " + program + `,liby.so.1,libx.so.1 runpath=$ORIGIN
			/opt/libx.so.1 elf amd64 soname=libx.so.1 needed=liby.so.1
			/opt/liby.so.1 elf amd64 soname=liby.so.1`, "", nil, ""},
		{"no default directories", libc + `/a elf amd64 interp=/lib64/ld.so.2 needed=libc.so.6 nodeflib`, "", nil,
			"error /a needs libc.so.6, which the image has only at /usr/lib/x86_64-linux-gnu/libc.so.6, where the dynamic linker does not look: /a -> libc.so.6"},
		{"needed by path", libc + "/a " + program + ",/opt/libx.so", "", nil,
			"error /a needs /opt/libx.so, which no path of the image has: /a -> /opt/libx.so"},
		{"only for newer processors", libc + "/a " + program + `,libx.so.1
			/usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1 elf amd64 soname=libx.so.1`, "", nil,
			"warning /a needs libx.so.1, which the image has only for newer processors, at /lib/glibc-hwcaps/x86-64-v3/libx.so.1: /a -> libx.so.1"},
		{"for newer processors too", libc + "/a " + program + `,libx.so.1
			/usr/lib/libx.so.1 elf amd64 soname=libx.so.1
			/usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1 elf amd64 soname=libx.so.1`, "", nil, ""},

		{"plugin finds what its program has loaded", libc + `
			/opt/jvm/libjava.so elf amd64 needed=libjvm.so,libc.so.6
			/opt/jvm/libnet.so elf amd64 needed=libjvm.so,libc.so.6
			/opt/jvm/server/libjvm.so elf amd64 soname=libjvm.so needed=libc.so.6`, "", nil,
			"warning /opt/jvm/libjava.so needs libjvm.so, which the image has only at /opt/jvm/server/libjvm.so, where the dynamic linker does not look unless the program has loaded it before: /opt/jvm/libjava.so -> libjvm.so, and 1 more"},
		{"plugin lacks a library", libc + `
			/usr/lib/python3/_ssl.so elf amd64 needed=libssl.so.3,libc.so.6`, "", nil,
			"error /usr/lib/python3/_ssl.so needs libssl.so.3, which no path of the image has: /usr/lib/python3/_ssl.so -> libssl.so.3"},
		{"plugin lacks a library that is only recommended", libc + `
			/usr/lib/jvm/libjsound.so elf amd64 needed=libasound.so.2,libc.so.6`, "", nil,
			"warning /usr/lib/jvm/libjsound.so needs libasound.so.2, which no path of the image has; package fixture only recommends it: /usr/lib/jvm/libjsound.so -> libasound.so.2"},
		{"a program must have what is only recommended", libc + "/usr/bin/a " + program + ",libasound.so.2", "", nil,
			"error /usr/bin/a needs libasound.so.2, which no path of the image has: /usr/bin/a -> libasound.so.2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			image := treetest.New(t, test.tree)
			got := check(t, image, "amd64", Options{
				Entrypoint: strings.Fields(test.entrypoint), Env: test.env, WorkDir: "/srv",
				Recommends: func(pkg string) []string { return map[string][]string{"fixture": {"alsa", "libasound2t64"}}[pkg] },
			})
			want := strings.ReplaceAll(strings.TrimSpace(test.want), "\t", "")
			if got != want {
				t.Errorf("problems:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func check(t *testing.T, image *tree.Tree, arch string, o Options) string {
	t.Helper()
	problems, err := Check(image, arch, o)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.Severity.String()+" "+p.Error())
	}
	return strings.Join(lines, "\n")
}

func TestHint(t *testing.T) {
	image := treetest.New(t, libc+"/usr/bin/a "+program+",libssl.so.3,libx.so.1")
	problems, err := Check(image, "amd64", Options{Provider: func(name string) string {
		return map[string]string{"libssl.so.3": "libssl3t64"}[name]
	}})
	if err != nil || len(problems) != 2 {
		t.Fatalf("problems %v, error %v", problems, err)
	}
	if got, want := problems[0].Hint(), "add libssl3t64"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	want := "add the package that has libx.so.1, whose name may begin with libx1, or leave out fixture"
	if got := problems[1].Hint(); got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
}

// The hint must be one that works: with it the same image has no problem.
func TestHintOfLibraryElsewhere(t *testing.T) {
	image := treetest.New(t, libc+"/usr/bin/a "+program+",libx.so.1\n/opt/x/libx.so.1 elf amd64 soname=libx.so.1")
	problems, err := Check(image, "amd64", Options{})
	if err != nil || len(problems) != 1 {
		t.Fatalf("problems %v, error %v", problems, err)
	}
	if got, want := problems[0].Hint(), "set LD_LIBRARY_PATH to /opt/x in the environment, or leave out what needs it"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	if problems, err = Check(image, "amd64", Options{Env: map[string]string{"LD_LIBRARY_PATH": "/opt/x"}}); err != nil || len(problems) != 0 {
		t.Errorf("with the hint taken: problems %v, error %v", problems, err)
	}
}

// A script whose interpreter hardening left out is a warning, once for all such
// scripts; one that lacks another interpreter is nothing to speak of.
func TestLeftOut(t *testing.T) {
	const scripts = `
		/usr/bin/a file 0755 "#!/usr/bin/perl -w\n"
		/usr/bin/b file 0755 "#! /usr/bin/perl"
		/usr/bin/c file 0755 "#!/usr/bin/env perl\n"
		/usr/bin/d file 0755 "#!/bin/sh\n"
		/usr/bin/e file 0644 "#!/usr/bin/perl\n"
		/usr/bin/f file 0755 "no script, only /usr/bin/perl"
		/usr/share/g file 0755 "#!/usr/bin/perl\n"
		/usr/bin/perl elf amd64 static`
	const warnings = "warning /usr/bin/a needs the interpreter /usr/bin/perl, which is in perl-base, left out as only for maintainer scripts: /usr/bin/a -> /usr/bin/perl, and 1 more\n" +
		"warning /usr/bin/c needs the interpreter perl, which is in perl-base, left out as only for maintainer scripts: /usr/bin/c -> perl"
	for _, test := range []struct {
		name, without, entrypoint, want string
	}{
		{"all there", "", "", ""},
		{"the interpreter is left out", "usr/bin/perl", "", warnings},
		{"an entrypoint's is missing", "usr/bin/perl", "/usr/bin/b",
			"error /usr/bin/b needs the interpreter /usr/bin/perl, which no path of the image has: /usr/bin/b -> /usr/bin/perl\n" + strings.Replace(warnings, ", and 1 more", "", 1)},
	} {
		image := treetest.New(t, scripts)
		for n := range image.All() {
			if n.Type == tree.File && n.ELF == nil {
				head, err := readHead(n)
				if err != nil {
					t.Fatal(err)
				}
				n.Interpreter = Interpreter(head)
			}
		}
		image.Remove(test.without)
		perl := func(name string) string {
			if strings.HasSuffix(name, "perl") {
				return "perl-base"
			}
			return ""
		}
		o := Options{Entrypoint: strings.Fields(test.entrypoint), LeftOut: perl, Provider: perl}
		if got := check(t, image, "amd64", o); got != test.want {
			t.Errorf("%s: problems\n%s\nwant\n%s", test.name, got, test.want)
		}
		if problems, _ := Check(image, "amd64", o); test.entrypoint != "" && problems[0].Hint() != "add perl-base" {
			t.Errorf("%s: hint %q", test.name, problems[0].Hint())
		}
		o.LeftOut = nil
		if got := check(t, image, "amd64", o); strings.Contains(got, "warning") {
			t.Errorf("%s: nothing was left out, and yet %s", test.name, got)
		}
	}
}

func TestInterpreter(t *testing.T) {
	for head, want := range map[string]string{
		"#!/bin/sh -e\n": "/bin/sh", "#! /usr/bin/env  perl\n": "perl", "#!/usr/bin/env -S A=b perl -w\n": "perl", "#!/usr/bin/env\n": "/usr/bin/env",
		"": "", "#!": "", "#\n!/bin/sh": "", "\x7fELF": "", "#!" + strings.Repeat(" ", ScriptHead) + "/bin/sh\n": "",
	} {
		if got := Interpreter([]byte(head)); got != want {
			t.Errorf("%q is run by %q, want %q", head, got, want)
		}
	}
}

func TestUnknownArchitecture(t *testing.T) {
	if _, err := Check(treetest.New(t, ""), "m68k", Options{}); err == nil || !strings.Contains(err.Error(), `architecture "m68k"`) {
		t.Errorf("error %v", err)
	}
}

func TestEveryArchitecture(t *testing.T) {
	for arch, triplet := range map[string]string{
		"arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf", "i386": "i386-linux-gnu",
		"ppc64el": "powerpc64le-linux-gnu", "riscv64": "riscv64-linux-gnu", "s390x": "s390x-linux-gnu",
	} {
		t.Run(arch, func(t *testing.T) {
			text := strings.NewReplacer("ARCH", arch, "TRIPLET", triplet).Replace(`
				/bin/a elf ARCH interp=/lib/TRIPLET/ld.so.1 needed=libc.so.6
				/lib/TRIPLET/ld.so.1 elf ARCH soname=ld.so.1
				/usr/lib/TRIPLET/libc.so.6 elf ARCH soname=libc.so.6`)
			if got := check(t, treetest.New(t, text), arch, Options{Entrypoint: []string{"a"}}); got != "" {
				t.Error(got)
			}
			image := treetest.New(t, text)
			image.Remove("usr/lib/" + triplet + "/libc.so.6")
			if got := check(t, image, arch, Options{Entrypoint: []string{"a"}}); !strings.HasPrefix(got, "error /bin/a needs libc.so.6") {
				t.Errorf("problems %q without the C library", got)
			}
		})
	}
}

func TestPackageName(t *testing.T) {
	for soname, want := range map[string]string{
		"libasound.so.2": "libasound2", "libz.so": "", "libgtk-3.so.0": "libgtk-3-0", "libGL.so.1": "libgl1", ".so.1": "",
	} {
		if got := packageName(soname); got != want {
			t.Errorf("package of %s begins with %q, want %q", soname, got, want)
		}
	}
}

// The host's own shell and what it needs pass the check.
func TestHost(t *testing.T) {
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		t.Skip("needs a Debian host: ", err)
	}
	arch := map[string]string{"amd64": "amd64", "arm64": "arm64"}[hostArch]
	if arch == "" {
		t.Skip("needs an amd64 or arm64 host, this is ", hostArch)
	}
	abi, err := ldso.ABIOf(arch)
	if err != nil {
		t.Fatal(err)
	}
	// Every program, but of the libraries only those beside the C library: enough
	// for the shell, and read in no time.
	kept := regexp.MustCompile(`^(usr/)?((s?bin|lib64)(/.*)?|lib|lib/` + abi.Triplet + `(/[^/]*\.so[^/]*)?)$|^usr$|^etc(/ld\.so\.conf.*|/alternatives.*)?$`)
	image := treetest.Load(t, "/", kept.MatchString)
	problems, err := Check(image, arch, Options{Entrypoint: []string{"sh"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Path(), "/bin/sh") || strings.HasPrefix(p.Path(), "/usr/bin/sh") {
			t.Error(p)
		}
	}
	t.Logf("%d paths, %d problems of other programs", image.Len(), len(problems))
}

// FuzzShebang holds that an interpreter is a word of the first line.
func FuzzShebang(f *testing.F) {
	for _, line := range []string{"#!/bin/sh\n", "#! /usr/bin/env -S a b\n", "#!", "#!\t \n/bin/sh", "#!/a\x00b"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		interpreter, argument, ok := shebang(head)
		first, _, _ := strings.Cut(string(head), "\n")
		if ok && (interpreter == "" || strings.ContainsAny(interpreter, " \t\n\x00") || !strings.Contains(first, interpreter)) {
			t.Errorf("interpreter %q of %q", interpreter, head)
		}
		if !strings.Contains(first, argument) {
			t.Errorf("argument %q of %q", argument, head)
		}
		envCommand([]string{argument})
	})
}

const hostArch = runtime.GOARCH
