package text

import (
	"context"
	"io"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// What a process in an image is told about the machine: nothing of the one that
// builds it.
const (
	nodeName      = "localhost"
	kernelRelease = "6.12.0" // of the series of Debian 13
	kernelVersion = "#1 SMP Debian"
)

// loaders are the program interpreters of Debian's architectures, and what
// uname -m says on them.
var loaders = []struct{ path, machine, debian string }{
	{"/lib64/ld-linux-x86-64.so.2", "x86_64", "amd64"},
	{"/lib/ld-linux-aarch64.so.1", "aarch64", "arm64"},
	{"/lib/ld-linux-armhf.so.3", "armv7l", "armhf"},
	{"/lib64/ld64.so.2", "ppc64le", "ppc64el"},
	{"/lib/ld64.so.1", "s390x", "s390x"},
	{"/lib/ld-linux-riscv64-lp64d.so.1", "riscv64", "riscv64"},
	{"/lib/ld-linux.so.2", "i686", "i386"},
	{"/lib/ld-linux.so.3", "armv7l", "armel"},
	{"/lib64/ld-linux-loongarch-lp64d.so.1", "loongarch64", "loong64"},
}

// machine returns the image's kind of machine: that of the C library, or of the
// package whose script runs.
func machine(p *shell.Proc) (string, error) {
	for _, l := range loaders {
		if p.FS.Exists(l.path) {
			return l.machine, nil
		}
	}
	arch := p.Getenv("DPKG_MAINTSCRIPT_ARCH")
	for _, l := range loaders {
		if l.debian == arch {
			return l.machine, nil
		}
	}
	return "", shell.Unsupported("%s: the machine of an image without a C library", p.Args[0])
}

// uname is uname(1).
func uname(_ context.Context, p *shell.Proc) (int, error) {
	opts, args, err := options(p, "asnrvmpio", "all=a kernel-name=s sysname=s nodename=n release=r kernel-release=r kernel-version=v machine=m processor=p hardware-platform=i operating-system=o")
	if err != nil {
		return 1, err
	}
	if len(args) > 0 {
		return p.Errorf("extra operand '%s'", args[0])
	}
	f := flags(opts)
	if len(f) == 0 {
		f["s"] = true
	}
	var words []string
	for _, field := range "snrvmpio" {
		name := string(field)
		all := f["a"] && name != "p" && name != "i" // which are unknown, and then left out
		if !f[name] && !all {
			continue
		}
		word := map[string]string{"s": "Linux", "n": nodeName, "r": kernelRelease, "v": kernelVersion, "p": "unknown", "i": "unknown", "o": "GNU/Linux"}[name]
		if name == "m" {
			if word, err = machine(p); err != nil {
				return 1, err
			}
		}
		words = append(words, word)
	}
	_, err = io.WriteString(p.Stdout, strings.Join(words, " ")+"\n")
	return 0, err
}

// arch is arch(1).
func arch(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) > 1 {
		return 1, shell.Unsupported("arch: operand %s", p.Args[1])
	}
	m, err := machine(p)
	if err != nil {
		return 1, err
	}
	_, err = io.WriteString(p.Stdout, m+"\n")
	return 0, err
}
