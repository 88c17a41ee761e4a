package tool

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program returns an ELF file of a type that holds the C strings.
func elfFile(kind elf.Type, interp bool, texts ...string) []byte {
	h := elf.Header64{Type: uint16(kind), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Phoff: 64, Phentsize: 56}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	segments := []elf.Prog64{{Type: uint32(elf.PT_LOAD)}}
	if interp {
		segments = append(segments, elf.Prog64{Type: uint32(elf.PT_INTERP)})
	}
	h.Phnum = uint16(len(segments))
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	binary.Write(&b, binary.LittleEndian, segments)
	b.Write(bytes.Repeat([]byte{0x90}, 8000)) // code, beyond what is kept
	for _, text := range texts {
		b.WriteString("\x00" + text)
	}
	b.WriteString("\x00")
	return b.Bytes()
}

var (
	plainProgram = string(elfFile(elf.ET_EXEC, false, "hello, world"))
	dashLike     = string(elfFile(elf.ET_DYN, true, "esac", "elif", "CDPATH", "until", "OPTIND=1", "IFS= \t\n"))
	bashLike     = string(elfFile(elf.ET_DYN, true, "BASH_VERSINFO", "BASH_SUBSHELL", "esac", "elif", "CDPATH", "until", "OPTIND"))
	boxLike      = string(elfFile(elf.ET_EXEC, false, "[[", "ash", "arping", "cttyhack"))
	staticPIE    = string(elfFile(elf.ET_DYN, false, "BASH_VERSINFO", "BASH_SUBSHELL"))
	pythonLike   = string(elfFile(elf.ET_DYN, true, "Py_BytesMain"))
	objectFile   = string(elfFile(elf.ET_REL, false))
)

func text(tools []Tool) string {
	var list []string
	for _, t := range tools {
		list = append(list, string(t.Kind)+" "+t.Name+" by "+string(t.By))
	}
	return strings.Join(list, ", ")
}

func TestRead(t *testing.T) {
	const script = "#!/usr/bin/python3\n"
	for _, c := range []struct {
		name    string
		mode    uint32
		content string
		want    string
	}{
		// What a program is called.
		{"usr/bin/bash", 0o755, plainProgram, "shell bash by name"},
		{"usr/bin/rbash", 0o755, script, "shell rbash by name"},
		{"app/tools/bash", 0o755, plainProgram, "shell bash by name"},
		{"usr/bin/apt-get", 0o755, plainProgram, "package-manager apt-get by name"},
		{"opt/venv/bin/pip3.13", 0o755, script, "package-manager pip by name"},
		{"usr/bin/x86_64-linux-gnu-gcc-12", 0o755, plainProgram, "compiler gcc by name"},
		{"usr/bin/arm-linux-gnueabihf-g++-12", 0o755, plainProgram, "compiler g++ by name"},
		{"usr/bin/g++", 0o755, plainProgram, "compiler g++ by name"},
		{"usr/libexec/gcc/x86_64-linux-gnu/14/cc1", 0o755, plainProgram, "compiler cc1 by name"},
		{"usr/bin/python3.13", 0o755, plainProgram, "interpreter python by name"},
		{"usr/bin/nc.openbsd", 0o755, plainProgram, "network-client nc.openbsd by name"},
		{"usr/bin/sudo", 0o4755, plainProgram, "privilege sudo by name"},
		{"usr/sbin/in.telnetd", 0o755, plainProgram, "remote-access in.telnetd by name"},

		// What is in it, whatever it is called and wherever it lies.
		{"app/server", 0o755, bashLike, "shell bash by content"},
		{"app/server", 0o755, dashLike, "shell shell by content"},
		{"usr/bin/dash", 0o755, dashLike, "shell dash by content"},
		{"app/server", 0o644, bashLike, "shell bash by content"}, // the dynamic linker runs it all the same
		{"app/server", 0o755, boxLike, "shell busybox by content, network-client busybox by content"},
		{"usr/bin/wget", 0o755, boxLike, "shell busybox by content, network-client busybox by content"},
		{"app/server", 0o755, staticPIE, "shell bash by content"},
		{"app/server", 0o755, pythonLike, "interpreter python by content"},

		// What is no program has no kind, whatever it is called.
		{"app/server", 0o755, plainProgram, ""},
		{"usr/share/bash-completion/completions/make", 0o644, "complete -F _make make\n", ""},
		{"usr/share/bash-completion/completions/make", 0o755, "complete -F _make make\n", ""},
		{"usr/bin/bash", 0o644, script, ""},
		{"usr/bin/bash", 0o755, "", ""},
		{"usr/bin/bash", 0o755, "\x7fELF", ""},
		{"etc/init.d/ssh", 0o755, "#!/bin/sh\n", ""},
		{"usr/lib/libbash.so", 0o644, string(elfFile(elf.ET_DYN, false, "BASH_VERSINFO", "BASH_SUBSHELL")), ""},
		{"usr/lib/libpython3.13.so.1.0", 0o755, string(elfFile(elf.ET_DYN, false, "Py_BytesMain")), ""},
		{"usr/share/doc/strings.txt", 0o644, strings.ReplaceAll(bashLike, "\x7fELF", "text"), ""},
		{"app/server", 0o755, string(elfFile(elf.ET_DYN, true, "xesac", "elif!", "CDPATHS", "un\x00til", "OPTIND")), ""},
		{"app/host", 0o755, plainProgram, ""},
		{"usr/bin/host", 0o755, plainProgram, "network-client host by name"},
		{"usr/bin/b2sum", 0o755, plainProgram, ""},
		{"usr/bin/x86_64", 0o755, plainProgram, ""},
		{"usr/lib64/ld-linux-x86-64.so.2", 0o755, plainProgram, ""},

		// Where a file lies.
		{"usr/include/stdio.h", 0o644, "#define EOF\n", "development header by path"},
		{"opt/venv/include/site/python3.13/greenlet/greenlet.h", 0o644, "", "development header by path"},
		{"srv/notes.h", 0o644, "", ""},
		{"usr/lib/libz.a", 0o644, "!<arch>\n/ ", "development static library by path"},
		{"srv/vitamin.a", 0o644, "carotene", ""},
		{"usr/lib/crt1.o", 0o644, objectFile, "development object file by path"},
		{"srv/notes.o", 0o644, "no object", ""},
		{"opt/venv/lib/python3.13/site-packages/pip/__main__.py", 0o644, "", "package-manager pip by path"},
		{"usr/lib/python3.13/ensurepip/__init__.py", 0o644, "", "package-manager ensurepip by path"},
		{"usr/lib/node_modules/npm/bin/npm-cli.js", 0o755, "#!/usr/bin/env node\n", "package-manager npm by path"},
		{"var/lib/apt/lists/mirror.example.org_debian_dists_trixie_InRelease", 0o644, "", "leftover apt package lists by path"},
		{"root/.cache/pip/http/1/2", 0o644, "", "leftover pip cache by path"},
		{"home/app/.npm/_cacache/index-v5/1", 0o644, "", "leftover npm cache by path"},
		{"app/.git/HEAD", 0o644, "ref: refs/heads/main\n", "leftover git repository by path"},
		{"app/.gitignore", 0o644, "", ""},
		{"var/log/apt/term.log", 0o640, "", "leftover log by path"},
		{"tmp/build.sh", 0o755, "#!/bin/sh\n", "leftover temporary file by path"},
		{"home/app/.bash_history", 0o600, "", "leftover history of a session by path"},
		{"etc/passwd-", 0o600, "", "leftover former version of a file by path"},
		{"etc/passwd", 0o644, "", ""},
	} {
		got, err := Read(c.name, c.mode, strings.NewReader(c.content))
		if err != nil {
			t.Fatal(err)
		}
		if text(got) != c.want {
			t.Errorf("%s, mode %o: %q, want %q", c.name, c.mode, text(got), c.want)
		}
	}
}

func TestApplet(t *testing.T) {
	box, err := Read("usr/bin/box", 0o755, strings.NewReader(boxLike))
	if err != nil {
		t.Fatal(err)
	}
	bash := []Tool{{Shell, "bash", ByContent}}
	for _, c := range []struct {
		name   string
		target []Tool
		want   string
	}{
		{"usr/bin/sh", box, "shell sh by link"},
		{"usr/bin/wget", box, "network-client wget by link"},
		{"usr/bin/awk", box, "interpreter awk by link"},
		{"usr/bin/ls", box, ""},
		{"usr/bin/sh", bash, "shell bash by content"},
		{"usr/bin/tool", bash, "shell bash by content"},
		{"usr/bin/ls", nil, ""},
		{"usr/bin/sh", nil, "shell sh by link"}, // to a program of unknown content
	} {
		if got := text(Applet(c.name, c.target)); got != c.want {
			t.Errorf("%s to %v: %q, want %q", c.name, c.target, got, c.want)
		}
	}
}

// TestHost finds the machine's own tools under other names.
func TestHost(t *testing.T) {
	for command, want := range map[string]Kind{
		"sh": Shell, "bash": Shell, "dash": Shell, "busybox": Shell, "dpkg": PackageManager, "apt-get": PackageManager, "make": Compiler,
		"perl": Interpreter, "python3": Interpreter, "awk": Interpreter, "curl": NetworkClient, "wget": NetworkClient, "ssh": NetworkClient,
		"sudo": Privilege, "sshd": RemoteAccess, "true": "", "ls": "", "grep": "", "sed": "", "tar": "", "gzip": "", "openssl": "", "xz": "",
	} {
		t.Run(command, func(t *testing.T) {
			file, err := exec.LookPath(command)
			if err == nil {
				file, err = filepath.EvalSymlinks(file)
			}
			if err != nil {
				t.Skip("this machine has no " + command)
			}
			f, err := os.Open(file)
			if err != nil {
				t.Skip(err)
			}
			defer f.Close()
			tools, err := Read("app/renamed", 0o755, f)
			if err != nil {
				t.Fatal(err)
			}
			if head := make([]byte, 4); want != "" {
				if _, err := f.ReadAt(head, 0); err == nil && string(head) != elf.ELFMAG {
					t.Skipf("%s is a script here", file)
				}
			}
			if (len(tools) > 0) != (want != "") || want != "" && tools[0].Kind != want {
				t.Errorf("%s is %q, want %q", file, text(tools), want)
			}
		})
	}
}

// FuzzSniffer holds that the answer does not depend on how the content arrives, and
// that no content is too much for it.
func FuzzSniffer(f *testing.F) {
	for _, seed := range []string{bashLike, boxLike, objectFile, "\x7fELF\x02\x01\x01", "#!/bin/sh\n", ""} {
		f.Add([]byte(seed), uint16(7))
	}
	f.Fuzz(func(t *testing.T, content []byte, size uint16) {
		var whole, parts Sniffer
		parts.Write([]byte(bashLike)) // what was read before leaves nothing behind
		parts.Reset()
		whole.Write(content)
		for b := content; len(b) > 0; {
			n := min(len(b), int(size)+1)
			parts.Write(b[:n])
			b = b[n:]
		}
		for _, name := range []string{"usr/bin/sh", "app/x"} {
			if a, b := text(Identify(name, 0o755, &whole)), text(Identify(name, 0o755, &parts)); a != b {
				t.Fatalf("%s: at once %q, in parts of %d %q", name, a, size+1, b)
			}
		}
	})
}
