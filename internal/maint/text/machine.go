package text

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// says returns a command that prints a line and has a status, whatever it is asked.
func says(stdout, stderr string, status int) shell.Command {
	return func(_ context.Context, p *shell.Proc) (int, error) {
		if stderr != "" {
			if _, err := p.Errorf("%s", stderr); err != nil {
				return 1, err
			}
		}
		_, err := io.WriteString(p.Stdout, stdout)
		return status, err
	}
}

// tty is tty(1): no script has a terminal.
func tty(_ context.Context, p *shell.Proc) (int, error) {
	opts, _, err := options(p, "s", "silent=s quiet=s")
	if err != nil {
		return 2, err
	}
	if len(opts) == 0 {
		_, err = io.WriteString(p.Stdout, "not a tty\n")
	}
	return 1, err
}

// hostname is hostname(1), which may not set a name.
func hostname(_ context.Context, p *shell.Proc) (int, error) {
	opts, args, err := options(p, "aAdfFiIsy", "alias=a all-fqdns=A domain=d fqdn=f long=f ip-address=i all-ip-addresses=I short=s nis=y yp=y")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	switch {
	case f["y"] && len(args) == 0:
		return p.Errorf("Local domain name not set")
	case len(args) > 0 || f["F"] || f["i"] || f["I"] || f["A"]:
		return 1, shell.Unsupported("hostname: option or operand of %q", p.Args)
	case f["d"] || f["a"]:
		_, err = io.WriteString(p.Stdout, "\n")
	default:
		_, err = io.WriteString(p.Stdout, nodeName+"\n")
	}
	return 0, err
}

// nproc is nproc(1).
func nproc(_ context.Context, p *shell.Proc) (int, error) {
	if _, _, err := options(p, "", "all ignore:"); err != nil {
		return 1, err
	}
	_, err := io.WriteString(p.Stdout, "1\n")
	return 0, err
}

// logger is logger(1): nobody reads a log. With -s it prints its message too.
func logger(_ context.Context, p *shell.Proc) (int, error) {
	opts, args, err := options(p, "+def:hin:p:P:st:TuS:", "file:=f priority:=p tag:=t stderr=s id:: udp=d tcp=T no-act server:=n port:=P socket:=u size:=S skip-empty=e journald::")
	if err != nil {
		return 1, err
	}
	tag := "root"
	for _, o := range opts {
		if o.name == "t" {
			tag = o.value
		}
	}
	if flags(opts)["s"] && len(args) > 0 {
		_, err = fmt.Fprintf(p.Stderr, "<13>%s: %s\n", tag, strings.Join(args, " "))
	}
	return 0, err
}

// getconf is getconf(1).
func getconf(_ context.Context, p *shell.Proc) (int, error) {
	_, args, err := options(p, "+v:", "")
	if err != nil {
		return 2, err
	}
	if len(args) == 0 {
		return 2, shell.Unsupported("getconf: a call without a name")
	}
	value := map[string]string{
		"PAGE_SIZE": "4096", "PAGESIZE": "4096", "_NPROCESSORS_ONLN": "1", "_NPROCESSORS_CONF": "1",
		"ARG_MAX": "2097152", "PATH": "/bin:/usr/bin", "CLK_TCK": "100", "OPEN_MAX": "1024", "NAME_MAX": "255", "PATH_MAX": "4096",
		"HOST_NAME_MAX": "64", "LOGIN_NAME_MAX": "256", "CHAR_BIT": "8", "INT_MAX": "2147483647", "NGROUPS_MAX": "65536",
		"_POSIX_VERSION": "200809", "POSIX_VERSION": "200809",
	}[args[0]]
	if args[0] == "LONG_BIT" || args[0] == "WORD_BIT" {
		m, err := machine(p)
		if err != nil {
			return 1, err
		}
		value = "64"
		if args[0] == "WORD_BIT" || m == "i686" || m == "armv7l" {
			value = "32"
		}
	}
	if value == "" {
		return 1, shell.Unsupported("getconf: the variable %s", args[0])
	}
	_, err = io.WriteString(p.Stdout, value+"\n")
	return 0, err
}

var localeCategories = []string{
	"LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES", "LC_PAPER", "LC_NAME", "LC_ADDRESS",
	"LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION",
}

// locale is locale(1).
func locale(_ context.Context, p *shell.Proc) (int, error) {
	opts, args, err := options(p, "am", "all-locales=a charmaps=m")
	if err != nil {
		return 1, err
	}
	var b strings.Builder
	switch {
	case flags(opts)["m"]:
		return 1, shell.Unsupported("locale -m")
	case flags(opts)["a"]:
		if p.FS.Exists("/usr/lib/locale/locale-archive") {
			return 1, shell.Unsupported("locale -a with a locale archive")
		}
		names, _ := p.FS.ReadDir("/usr/lib/locale") // without it, there are the built-in ones
		all := []string{"C", "POSIX"}
		for _, name := range names {
			if p.FS.Exists("/usr/lib/locale/" + name + "/LC_CTYPE") {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		b.WriteString(strings.Join(slices.Compact(all), "\n") + "\n")
	case len(args) == 1 && args[0] == "charmap":
		charmap := "UTF-8"
		if bytewise(p) {
			charmap = "ANSI_X3.4-1968"
		}
		b.WriteString(charmap + "\n")
	case len(args) > 0:
		return 1, shell.Unsupported("locale: %s", args[0])
	default:
		writeLocale(&b, p)
	}
	_, err = io.WriteString(p.Stdout, b.String())
	return 0, err
}

func writeLocale(b *strings.Builder, p *shell.Proc) {
	lang, all := p.Getenv("LANG"), p.Getenv("LC_ALL")
	fmt.Fprintf(b, "LANG=%s\nLANGUAGE=%s\n", lang, p.Getenv("LANGUAGE"))
	for _, name := range localeCategories {
		switch own := p.Getenv(name); {
		case all != "":
			fmt.Fprintf(b, "%s=%q\n", name, all)
		case own != "":
			fmt.Fprintf(b, "%s=%s\n", name, own)
		case lang != "":
			fmt.Fprintf(b, "%s=%q\n", name, lang)
		default:
			fmt.Fprintf(b, "%s=\"POSIX\"\n", name)
		}
	}
	fmt.Fprintf(b, "LC_ALL=%s\n", all)
}

// lsbRelease is lsb_release(1) of lsb-release-minimal: it says what os-release(5) does.
func lsbRelease(_ context.Context, p *shell.Proc) (int, error) {
	opts, _, err := options(p, "aicdrsv", "all=a id=i codename=c description=d release=r short=s version=v")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	file, err := p.FS.ReadFile("/etc/os-release")
	if err != nil {
		return p.Fail(err)
	}
	release := osRelease(string(file))
	id := release["ID"]
	if id != "" {
		id = strings.ToUpper(id[:1]) + id[1:]
	}
	var lines []string
	for _, field := range []struct{ option, label, value string }{
		{"i", "Distributor ID", id},
		{"d", "Description", release["PRETTY_NAME"]},
		{"r", "Release", release["VERSION_ID"]},
		{"c", "Codename", release["VERSION_CODENAME"]},
	} {
		switch {
		case !f["a"] && !f[field.option]:
		case f["s"] && field.option == "d" && f["a"]:
			lines = append(lines, `"`+field.value+`"`)
		case f["s"]:
			lines = append(lines, field.value)
		default:
			lines = append(lines, field.label+":\t"+field.value)
		}
	}
	if len(lines) == 0 || f["v"] || f["a"] {
		if _, err := io.WriteString(p.Stderr, "No LSB modules are available.\n"); err != nil {
			return 1, err
		}
	}
	if len(lines) > 0 {
		_, err = io.WriteString(p.Stdout, strings.Join(lines, "\n")+"\n")
	}
	return 0, err
}

// osRelease reads os-release(5).
func osRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok {
			values[name] = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\$`, "$", "\\`", "`").Replace(strings.Trim(value, `"'`))
		}
	}
	return values
}
