package dpkg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// architectures has, by Debian's name, the GNU CPU, the GNU system, the CPU, the
// ABI, the bits and the endianness (dpkg's cputable, ostable, tupletable), and
// the multiarch triplet where it is another than the GNU type.
var architectures = map[string][7]string{
	"amd64":    {"x86_64", "linux-gnu", "amd64", "base", "64", "little"},
	"arm64":    {"aarch64", "linux-gnu", "arm64", "base", "64", "little"},
	"armel":    {"arm", "linux-gnueabi", "arm", "eabi", "32", "little"},
	"armhf":    {"arm", "linux-gnueabihf", "arm", "eabihf", "32", "little"},
	"i386":     {"i686", "linux-gnu", "i386", "base", "32", "little", "i386-linux-gnu"},
	"loong64":  {"loongarch64", "linux-gnu", "loong64", "base", "64", "little"},
	"mips64el": {"mips64el", "linux-gnuabi64", "mips64el", "abi64", "64", "little"},
	"ppc64el":  {"powerpc64le", "linux-gnu", "ppc64el", "base", "64", "little"},
	"riscv64":  {"riscv64", "linux-gnu", "riscv64", "base", "64", "little"},
	"s390x":    {"s390x", "linux-gnu", "s390x", "base", "64", "big"},
}

// architecture is dpkg-architecture(1), as far as it tells the variables.
func (d *Dpkg) architecture(_ context.Context, p *shell.Proc) (int, error) {
	vars := map[string]string{}
	set := func(kind, arch string) error {
		a, ok := architectures[arch]
		if !ok {
			return shell.Unsupported("dpkg-architecture for %s", arch)
		}
		gnu := a[0] + "-" + a[1]
		multiarch := gnu
		if a[6] != "" {
			multiarch = a[6]
		}
		for name, v := range map[string]string{
			"ARCH": arch, "ARCH_ABI": a[3], "ARCH_LIBC": "gnu", "ARCH_OS": "linux", "ARCH_CPU": a[2], "ARCH_BITS": a[4], "ARCH_ENDIAN": a[5],
			"GNU_CPU": a[0], "GNU_SYSTEM": a[1], "GNU_TYPE": gnu, "MULTIARCH": multiarch,
		} {
			vars["DEB_"+kind+"_"+name] = v
		}
		return nil
	}
	for _, kind := range []string{"BUILD", "HOST", "TARGET"} {
		if err := set(kind, d.sys.Architecture); err != nil {
			return 0, err
		}
	}
	query := ""
	args := p.Args[1:]
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		value := func(short string) string {
			if v := strings.TrimPrefix(a, short); v != "" {
				return v
			}
			if len(args) == 0 {
				return ""
			}
			v := args[0]
			args = args[1:]
			return v
		}
		switch {
		case a == "-l" || a == "--list":
		case strings.HasPrefix(a, "-q"):
			query = value("-q")
		case a == "--query":
			query = value(a)
		case strings.HasPrefix(a, "-a"):
			arch := value("-a")
			if err := errors.Join(set("HOST", arch), set("TARGET", arch)); err != nil {
				return 0, shell.Unsupported("dpkg-architecture for %s", arch)
			}
		case strings.HasPrefix(a, "-A"):
			if err := set("TARGET", value("-A")); err != nil {
				return 0, err
			}
		case strings.HasPrefix(a, "-i"):
			r := debian.Relation{Restriction: value("-i")}
			if r.AppliesTo(vars["DEB_HOST_ARCH"]) {
				return 0, nil
			}
			return 1, nil
		case a == "-f" || a == "--force":
		default:
			return 0, shell.Unsupported("dpkg-architecture %s", a)
		}
	}
	if query != "" {
		v, ok := vars[query]
		if !ok {
			return fail(p, "%s is not a supported variable name", query)
		}
		return print(p, v+"\n")
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		b.WriteString(name + "=" + vars[name] + "\n")
	}
	return print(p, b.String())
}

// vendor is dpkg-vendor(1), over the image's /etc/dpkg/origins.
func vendor(_ context.Context, p *shell.Proc) (int, error) {
	name := p.Getenv("DEB_VENDOR")
	args := slices.Clone(p.Args[1:])
	action, value := "", ""
	for i := 0; i < len(args); i++ {
		option, v, joined := strings.Cut(args[i], "=")
		if !joined && i+1 < len(args) {
			v = args[i+1]
			i++
		}
		switch option {
		case "--vendor":
			name = v
		case "--is", "--derives-from", "--query":
			action, value = option, v
		default:
			return 0, shell.Unsupported("dpkg-vendor %s", option)
		}
	}
	if name == "" {
		name = "default"
	}
	switch action {
	case "--is":
		info := origin(p, name)
		return status(strings.EqualFold(info.Get("Vendor"), value)), nil
	case "--query":
		v := origin(p, name).Get(value)
		if v == "" {
			return 1, nil
		}
		return print(p, v+"\n")
	case "--derives-from":
		for range 10 { // a chain of parents, which might be a ring
			info := origin(p, name)
			if info == nil {
				return 1, nil
			}
			if strings.EqualFold(info.Get("Vendor"), value) {
				return 0, nil
			}
			if name = info.Get("Parent"); name == "" {
				return 1, nil
			}
		}
		return 1, nil
	}
	return fail(p, "need an action option")
}

func status(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

// origin reads the file of a vendor, nil where there is none.
func origin(p *shell.Proc, name string) debian.Paragraph {
	for _, n := range []string{name, strings.ToLower(name), strings.ReplaceAll(strings.ToLower(name), " ", "-")} {
		b, err := p.FS.ReadFile("/etc/dpkg/origins/" + n)
		if err != nil {
			continue
		}
		info, err := debian.NewControlReader(bytes.NewReader(b)).Next()
		if err == nil || errors.Is(err, io.EOF) {
			return info
		}
	}
	return nil
}

// realpath is dpkg-realpath(1).
func realpath(_ context.Context, p *shell.Proc) (int, error) {
	end := "\n"
	args := p.Args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		option, value, joined := strings.Cut(args[0], "=")
		switch option {
		case "-z", "--zero":
			end = "\x00"
		case "--root", "--instdir":
			if !joined && len(args) > 1 {
				value, args = args[1], args[1:]
			}
			if value != "" && value != "/" {
				return 0, shell.Unsupported("dpkg-realpath %s %s", option, value)
			}
		case "--":
		default:
			return 0, shell.Unsupported("dpkg-realpath %s", option)
		}
		args = args[1:]
		if option == "--" {
			break
		}
	}
	if len(args) == 0 {
		fmt.Fprintf(p.Stderr, "%s: error: missing pathname\n", p.Args[0])
		return 1, nil
	}
	at, err := p.FS.RealPath(path.Clean(p.Path(args[0])))
	if err != nil {
		return p.Fail(err)
	}
	return print(p, at+end)
}
