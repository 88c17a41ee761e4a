package generate

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// The files of update-shells(8).
const (
	shellsFile     = "/etc/shells"
	shellsState    = "/var/lib/shells.state"
	shellsTemplate = "/usr/share/debianutils/shells"
	shellsDir      = "/usr/share/debianutils/shells.d"
)

// readShells returns the shells that a file lists, without comments.
func readShells(p *shell.Proc, name string) []string {
	b, err := p.FS.ReadFile(name)
	if err != nil {
		return nil
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "#")
		if line != "" {
			all = append(all, line)
		}
	}
	return all
}

// realShell is the path of a shell whose directory has no link in it.
func realShell(p *shell.Proc, name string) string {
	dir := path.Dir(name)
	if real, err := p.FS.RealPath(dir); err == nil {
		dir = real
	}
	return dir + "/" + path.Base(name)
}

// updateShells is update-shells(8): it brings the shells of packages into
// /etc/shells, and takes those out that no package has any longer.
func updateShells(_ context.Context, p *shell.Proc) (int, error) {
	for _, a := range p.Args[1:] {
		if a != "--verbose" {
			return 0, shell.Unsupported("update-shells %s", a)
		}
	}
	source := shellsFile
	if !p.FS.Exists(source) {
		source = shellsTemplate
	}
	n, err := p.FS.Stat(source)
	if err != nil {
		return fail(p, err)
	}
	old, err := p.FS.ReadFile(source)
	if err != nil {
		return fail(p, err)
	}
	packaged := packagedShells(p)
	state := readShells(p, shellsState)
	var lines, have []string
	for line := range strings.Lines(string(old)) {
		line = strings.TrimSuffix(line, "\n")
		name, _, _ := strings.Cut(line, "#")
		if name != "" && !slices.Contains(packaged, name) && slices.Contains(state, name) || name != "" && slices.Contains(have, name) {
			continue
		}
		lines, have = append(lines, line), append(have, name)
	}
	for _, name := range packaged {
		if !slices.Contains(have, name) && !slices.Contains(state, name) {
			lines = append(lines, name)
		}
	}
	stateNode := &tree.Node{Mode: 0o644}
	if there, err := p.FS.Stat(shellsState); err == nil {
		stateNode = there
	}
	if err := replaceFile(p, shellsFile, lines, n); err != nil {
		return fail(p, err)
	}
	if err := replaceFile(p, shellsState, packaged, stateNode); err != nil {
		return fail(p, err)
	}
	return 0, nil
}

// packagedShells returns the shells of packages, each by its name and by its real
// path.
func packagedShells(p *shell.Proc) []string {
	files := []string{shellsTemplate}
	names, _ := p.FS.ReadDir(shellsDir) // none is an empty one
	for _, name := range names {
		if name[0] != '.' {
			files = append(files, shellsDir+"/"+name)
		}
	}
	var all []string
	for _, f := range files {
		for _, name := range readShells(p, f) {
			for _, n := range []string{name, realShell(p, name)} {
				if !slices.Contains(all, n) {
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// replaceFile writes a file anew, with the mode and owner of like.
func replaceFile(p *shell.Proc, name string, lines []string, like *tree.Node) error {
	text := ""
	if len(lines) > 0 {
		text = strings.Join(lines, "\n") + "\n"
	}
	mode, uid, gid := like.Mode, like.UID, like.GID
	temporary := name + ".tmp"
	if err := p.FS.WriteFile(temporary, []byte(text), 0o644); err != nil {
		return err
	}
	if err := p.FS.Chown(temporary, uid, gid, true); err != nil {
		return err
	}
	if err := p.FS.Chmod(temporary, mode); err != nil {
		return err
	}
	return p.FS.Rename(temporary, name)
}

// addShell is add-shell(8).
func addShell(_ context.Context, p *shell.Proc) (int, error) { return changeShells(p, true) }

// removeShell is remove-shell(8).
func removeShell(_ context.Context, p *shell.Proc) (int, error) { return changeShells(p, false) }

func changeShells(p *shell.Proc, add bool) (int, error) {
	if len(p.Args) < 2 {
		fmt.Fprintf(p.Stdout, "usage: %s shellname [shellname ...]\n", p.Args[0])
		return 1, nil
	}
	n, err := p.FS.Stat(shellsFile)
	if err != nil {
		return fail(p, err)
	}
	b, err := p.FS.ReadFile(shellsFile)
	if err != nil {
		return fail(p, err)
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	for _, name := range p.Args[1:] {
		for _, name := range []string{name, realShell(p, name)} {
			if !add {
				lines = slices.DeleteFunc(lines, func(l string) bool { return l == name })
			} else if !slices.Contains(lines, name) {
				lines = append(lines, name)
			}
		}
	}
	if err := replaceFile(p, shellsFile, lines, n); err != nil {
		return fail(p, err)
	}
	return 0, nil
}
