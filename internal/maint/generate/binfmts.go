package generate

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// The directories of update-binfmts(8).
const (
	binfmtState  = "/var/lib/binfmts"
	binfmtImport = "/usr/share/binfmts"
)

// binfmt is a binary format: its fields by the name that files to import have for
// them.
type binfmt map[string]string

// binfmtOptions are the fields that a format may have, which --install takes too.
var binfmtOptions = []string{"magic", "extension", "offset", "mask", "detector", "credentials", "preserve", "fix-binary"}

// text is the file in the state directory (format_write in binfmt-support).
func (b binfmt) text() string {
	kind, what := "magic", b["magic"]
	if b["extension"] != "" {
		kind, what = "extension", b["extension"]
	}
	return strings.Join([]string{
		cmp.Or(b["package"], ":"), kind, cmp.Or(b["offset"], "0"), what, b["mask"], b["interpreter"], b["detector"],
		b["credentials"], b["preserve"], b["fix_binary"], "",
	}, "\n")
}

// updateBinfmts is update-binfmts(8), which registers formats for the next start:
// there is no kernel to be told of them.
func updateBinfmts(_ context.Context, p *shell.Proc) (int, error) {
	pkg, action := "", ""
	var operands []string
	given := binfmt{}
	for args := p.Args[1:]; len(args) > 0; args = args[1:] {
		name, value, joined := strings.Cut(args[0], "=")
		option := strings.TrimPrefix(name, "--")
		switch {
		case !strings.HasPrefix(name, "--"):
			operands = append(operands, args[0])
			continue
		case option == "package" || slices.Contains(binfmtOptions, option):
			if !joined && len(args) > 1 {
				value, args = args[1], args[1:]
			}
			if option == "package" {
				pkg = value
			} else {
				given[strings.ReplaceAll(option, "-", "_")] = value
			}
		case slices.Contains([]string{"install", "remove", "import", "unimport"}, option):
			action = option
		default:
			return 0, shell.Unsupported("update-binfmts %s", name)
		}
	}
	switch {
	case action == "install" && len(operands) == 2:
		given["interpreter"], given["package"] = operands[1], pkg
		return registerBinfmt(p, operands[0], given)
	case action == "import":
		if len(operands) == 0 {
			operands, _ = p.FS.ReadDir(binfmtImport) // none is an empty one
		}
		for _, name := range slices.Clone(operands) {
			if status, err := importBinfmt(p, pkg, name); status != 0 || err != nil {
				return status, err
			}
		}
		return 0, nil
	case action == "remove" && len(operands) == 2, action == "unimport":
		for _, name := range operands[:min(1, len(operands))] {
			if err := p.FS.RemoveAll(binfmtState + "/" + path.Base(name)); err != nil {
				return fail(p, err)
			}
		}
		return 0, nil
	}
	fmt.Fprintln(p.Stderr, "update-binfmts: you must use one of --install, --remove, --import, --unimport")
	return 2, nil
}

func importBinfmt(p *shell.Proc, pkg, name string) (int, error) {
	at := name
	if !strings.Contains(name, "/") {
		at = binfmtImport + "/" + name
	}
	text, err := p.FS.ReadFile(at)
	if err != nil {
		fmt.Fprintf(p.Stderr, "update-binfmts: warning: unable to open %s: No such file or directory\n", at)
		fmt.Fprintf(p.Stderr, "update-binfmts: warning: couldn't find information about '%s' to import\n", path.Base(at))
		return 2, nil
	}
	b := binfmt{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key != "" {
			b[strings.ToLower(key)] = strings.TrimSpace(value)
		}
	}
	if pkg != "" {
		b["package"] = pkg
	}
	from(p, at)
	return registerBinfmt(p, path.Base(at), b)
}

// registerBinfmt writes a format into the state directory. One of another package
// stays.
func registerBinfmt(p *shell.Proc, name string, b binfmt) (int, error) {
	if b["interpreter"] == "" || (b["magic"] == "") == (b["extension"] == "") {
		fmt.Fprintf(p.Stderr, "update-binfmts: warning: %s: either magic or extension, and an interpreter, are needed\n", name)
		return 2, nil
	}
	at := binfmtState + "/" + name
	if old, err := p.FS.ReadFile(at); err == nil {
		if by, _, _ := strings.Cut(string(old), "\n"); by != cmp.Or(b["package"], ":") {
			return 0, nil
		}
	}
	if err := p.FS.MkdirAll(binfmtState, 0o755&^p.Umask); err != nil {
		return fail(p, err)
	}
	if err := p.FS.WriteFile(at, []byte(b.text()), 0o644&^p.Umask); err != nil {
		return fail(p, err)
	}
	return 0, nil
}
