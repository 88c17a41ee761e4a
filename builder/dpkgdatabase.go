package builder

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// The directory of dpkg's database, and the version of its info directory's layout in
// which files of Multi-Arch: same packages have the architecture in their names
// (dpkg(1), Files).
const (
	dpkgDir    = "var/lib/dpkg/"
	infoFormat = "1\n"
)

// addDpkgDatabase gives the system of a stage the database of an installed Debian, with
// every package configured, so that dpkg, its tools and what asks them work in it.
// Images have none: see databaseDir.
func (b *build) addDpkgDatabase(p specs.Platform, a *assembly) error {
	origin := &tree.Origin{Kind: tree.FromBuilder, Command: "dpkg's database"}
	write := func(name, text string, mode uint32) error {
		return a.tree.WriteFile(dpkgDir+name, []byte(text), mode, origin)
	}
	var status strings.Builder
	for _, m := range a.members {
		c := &m.files.control
		status.WriteString(strings.TrimRight(c.Paragraph, "\n") + "\n\n")
		at := "info/" + m.Name
		if strings.Contains(c.Paragraph, "\nMulti-Arch: same\n") {
			at += ":" + m.Architecture
		}
		if err := write(at+".list", fileList(m), 0o644); err != nil {
			return err
		}
		for name, text := range c.Scripts {
			if err := write(at+"."+name, text, 0o755); err != nil {
				return err
			}
		}
		for name, text := range map[string]string{"templates": c.Templates, "triggers": c.Triggers} {
			if text == "" {
				continue
			}
			if err := write(at+"."+name, text, 0o644); err != nil {
				return err
			}
		}
		if sums := databaseFiles(m.Name)[1]; a.tree.Lookup(sums) != nil {
			if err := a.tree.Symlink(dpkgDir+at+".md5sums", "../"+strings.TrimPrefix(sums, dpkgDir), origin); err != nil {
				return err
			}
		}
		if len(c.Conffiles) > 0 {
			if err := write(at+".conffiles", conffileList(c.Conffiles), 0o644); err != nil {
				return err
			}
		}
	}
	if err := write("status", status.String(), 0o644); err != nil {
		return err
	}
	if err := write("info/format", infoFormat, 0o644); err != nil {
		return err
	}
	for _, name := range []string{"available", "diversions", "statoverride"} { // scripts may have made the last two
		if a.tree.Lookup(dpkgDir+name) == nil {
			if err := write(name, "", 0o644); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{"updates", "triggers", "parts"} {
		if err := a.tree.Mkdir(dpkgDir+dir, 0o755, origin); err != nil {
			return err
		}
	}
	return write("arch", p.DebianArch()+"\n", 0o644)
}

// fileList returns the paths of a package as dpkg lists them.
func fileList(m *member) string {
	paths := []string{"/."}
	for i := range m.files.Entries {
		if e := &m.files.Entries[i]; !e.Made {
			paths = append(paths, "/"+e.Path)
		}
	}
	slices.Sort(paths)
	return strings.Join(paths, "\n") + "\n"
}

func conffileList(conffiles map[string]string) string {
	var paths []string
	for name := range conffiles {
		paths = append(paths, "/"+name+"\n")
	}
	slices.Sort(paths)
	return strings.Join(paths, "")
}
