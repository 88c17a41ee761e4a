package services

import (
	"context"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Commands returns the programs by name.
func Commands() map[string]shell.Command {
	return map[string]shell.Command{
		"deb-systemd-helper": debSystemdHelper,
		"deb-systemd-invoke": debSystemdInvoke,
		"systemctl":          systemctl,
		"update-rc.d":        updateRcD,
		"invoke-rc.d":        invokeRcD,
		"service":            service,
		"systemd-tmpfiles":   tmpfiles,
	}
}

// denied is the status of policy-rc.d for an action that it does not allow.
const denied = 101

// debSystemdInvoke is deb-systemd-invoke(1), whose actions the policy denies.
func debSystemdInvoke(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) < 3 {
		fmt.Fprintf(p.Stderr, "Syntax: %s <action> [<unit file> [<unit file> ...]]\n", p.Args[0])
		return 1, nil
	}
	return 0, nil
}

// invokeRcD is invoke-rc.d(8), whose actions the policy denies.
func invokeRcD(_ context.Context, p *shell.Proc) (int, error) {
	status := 0
	var operands []string
	for _, a := range p.Args[1:] {
		if len(operands) == 2 {
			break // the rest is for the init script
		}
		switch a {
		case "--quiet", "--try-anyway", "--no-fallback", "--skip-systemd-native":
		case "--disclose-deny", "--query":
			status = denied
		case "--force", "--help":
			return 0, shell.Unsupported("invoke-rc.d %s", a)
		default:
			if strings.HasPrefix(a, "--") {
				fmt.Fprintf(p.Stderr, "invoke-rc.d: syntax error: unknown option \"%s\"\n", a)
				return 103, nil
			}
			if len(strings.Fields(a)) != 1 {
				return 103, nil
			}
			operands = append(operands, a)
		}
	}
	if len(operands) < 2 {
		fmt.Fprintln(p.Stderr, "invoke-rc.d: syntax error: missing required parameter")
		return 103, nil
	}
	return status, nil
}

// service is service(8), which starts nothing either.
func service(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) < 3 || strings.HasPrefix(p.Args[1], "-") {
		return 0, shell.Unsupported("service %s", strings.Join(p.Args[1:], " "))
	}
	if n, err := p.FS.Stat("/etc/init.d/" + p.Args[1]); err != nil || n.Mode&0o111 == 0 {
		fmt.Fprintf(p.Stderr, "%s: unrecognized service\n", p.Args[1])
		return 1, nil
	}
	return 0, nil
}

// Unit files (systemd.unit(5)).

// setting is one assignment of the [Install] section.
type setting struct{ key, value string }

// installSection returns the assignments of a unit file's [Install] section. Lines
// that end in a backslash go on.
func installSection(text string) []setting {
	var all []setting
	in := false
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			in = line == "[Install]"
		case in:
			if key, value, ok := strings.Cut(line, "="); ok {
				all = append(all, setting{strings.TrimSpace(key), strings.TrimSpace(value)})
			}
		}
	}
	return all
}

// isFile reports whether name leads to a file.
func isFile(f *rootfs.FS, name string) bool {
	n, err := f.Stat(name)
	return err == nil && n.Type == tree.File
}

// isLink reports whether name is a link.
func isLink(f *rootfs.FS, name string) bool {
	_, err := f.Readlink(name)
	return err == nil
}

// say writes lines to a stream.
func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// unquote takes one pair of quotes off.
func unquote(s string) string {
	if len(s) > 1 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// removeEmpty removes a directory and those below it, where they hold nothing.
func removeEmpty(f *rootfs.FS, dir string) {
	names, err := f.ReadDir(dir)
	if err != nil {
		return
	}
	for _, name := range slices.Clone(names) {
		if below := path.Join(dir, name); f.IsDir(below) && !strings.HasPrefix(name, ".") {
			removeEmpty(f, below)
		}
	}
	_ = f.Remove(dir) // which fails where it holds something
}

var template = regexp.MustCompile(`^([^@]+@)([^.]*)(\.[a-z]+)$`)
