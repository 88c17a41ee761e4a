package builder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/tree"
)

// packageName is what dpkg takes for a package's name (Debian Policy 5.6.7). It is part
// of paths.
var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// installed is a package that a base image has, as dpkg's database there has it.
type installed struct {
	debian.Package
	paragraph debian.Paragraph
	files     []string // paths in the tree, as far as the database lists them
	scripts   map[string]string
	triggers  string
}

// database is what dpkg's database in an image says.
type database struct {
	packages []*installed          // by name
	owners   map[string]*installed // by path of the tree
}

// The files of dpkg's database (dpkg(1), FILES).
const (
	statusFile = "var/lib/dpkg/status"
	infoDir    = "var/lib/dpkg/info"
)

// readDatabase reads the database of an image: dpkg's own, and the files of images
// without dpkg.
func readDatabase(t *tree.Tree) (database, error) {
	d := database{owners: map[string]*installed{}}
	names := []string{statusFile}
	for _, name := range t.ReadDir(databaseDir) {
		if !strings.HasSuffix(name, ".md5sums") {
			names = append(names, path.Join(databaseDir, name))
		}
	}
	for _, name := range names {
		text, err := t.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return d, err
		}
		if err := d.read(text); err != nil {
			return d, fmt.Errorf("/%s: %w", name, err)
		}
	}
	slices.SortStableFunc(d.packages, func(a, b *installed) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range d.packages {
		if err := d.describe(t, p); err != nil {
			return d, err
		}
	}
	return d, nil
}

// read reads paragraphs of installed packages (dpkg(1), Package states). Those of
// status.d, as distroless introduced it, may have no state. Of a package that is in the
// database for several architectures the first one counts.
func (d *database) read(text []byte) error {
	for paragraphs := debian.NewControlReader(bytes.NewReader(text)); ; {
		p, err := paragraphs.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		state := strings.Fields(p.Get("Status"))
		if len(state) > 0 && state[len(state)-1] != "installed" || slices.ContainsFunc(d.packages, func(o *installed) bool { return o.Name == p.Get("Package") }) {
			continue
		}
		in := &installed{paragraph: p, scripts: map[string]string{}}
		in.Package = debian.Package{
			Name: p.Get("Package"), Version: p.Get("Version"), Architecture: p.Get("Architecture"), MultiArch: p.Get("Multi-Arch"),
			Essential: p.Get("Essential") == "yes", Section: p.Get("Section"), Priority: p.Get("Priority"),
			Provides: p.Get("Provides"), Conflicts: p.Get("Conflicts"), Breaks: p.Get("Breaks"),
			Maintainer: p.Get("Maintainer"), Homepage: p.Get("Homepage"),
		}
		if !packageName.MatchString(in.Name) || in.Version == "" {
			return fmt.Errorf("package %.80q has the version %.80q, expected a name and a version", in.Name, in.Version)
		}
		in.Source, in.SourceVersion = in.Name, in.Version
		if name, version, _ := strings.Cut(p.Get("Source"), " "); name != "" { // "name" or "name (version)"
			in.Source = name
			if version = strings.Trim(version, " ()"); version != "" {
				in.SourceVersion = version
			}
		}
		d.packages = append(d.packages, in)
	}
}

// describe reads what the database has of a package beside its paragraph. Where two
// list a path, as where one replaces it, the later name owns it.
func (d *database) describe(t *tree.Tree, p *installed) error {
	lists := []struct{ name, cut string }{
		{path.Join(infoDir, p.Name+".list"), ""}, {path.Join(infoDir, p.Name+":"+p.Architecture+".list"), ""},
		{path.Join(databaseDir, p.Name+".md5sums"), "  "},
	}
	for _, l := range lists {
		text, err := readIfThere(t, l.name)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			if l.cut != "" {
				_, line, _ = strings.Cut(line, l.cut)
			}
			// The links of a merged /usr are where packages list directories.
			if at, ok := located(t, line); ok && strings.Contains(at, "/") {
				p.files = append(p.files, at)
				d.owners[at] = p
			}
		}
	}
	if l := path.Join(databaseDir, p.Name); t.Lookup(l) != nil {
		for _, at := range databaseFiles(p.Name) {
			if t.Lookup(at) != nil {
				d.owners[at] = p
			}
		}
	}
	for _, file := range []string{"postinst", "triggers"} {
		for _, prefix := range []string{p.Name, p.Name + ":" + p.Architecture} {
			text, err := readIfThere(t, path.Join(infoDir, prefix+"."+file))
			switch {
			case err != nil:
				return err
			case text == nil:
			case file == "triggers":
				p.triggers = string(text)
			default:
				p.scripts[file] = string(text)
			}
		}
	}
	return nil
}

func readIfThere(t *tree.Tree, name string) ([]byte, error) {
	if t.Lookup(name) == nil {
		return nil, nil
	}
	return t.ReadFile(name)
}

// without returns the text of a status file less the paragraphs of some packages.
func without(status []byte, packages []*installed) []byte {
	var kept bytes.Buffer
	for paragraph := range strings.SplitSeq(strings.TrimRight(string(status), "\n")+"\n", "\n\n") {
		name := ""
		for line := range strings.Lines(paragraph) {
			if field, value, ok := strings.Cut(line, ":"); ok && field == "Package" {
				name = strings.TrimSpace(value)
			}
		}
		if !slices.ContainsFunc(packages, func(p *installed) bool { return p.Name == name }) {
			kept.WriteString(strings.TrimRight(paragraph, "\n") + "\n\n")
		}
	}
	return kept.Bytes()
}

// located returns where in the tree a path of the database is. Packages list what they
// had above /usr once by that name.
func located(t *tree.Tree, name string) (string, bool) {
	name = tree.Clean(name)
	if at, err := t.RealPath(name); err == nil && t.Lookup(at) != nil {
		return at, true
	}
	merged := debian.MergedUsr(name, false)
	return merged, t.Lookup(merged) != nil
}

// candidates returns the packages for [resolve.Universe.OnBase].
func (d *database) candidates() []debian.Package {
	list := make([]debian.Package, len(d.packages))
	for i, p := range d.packages {
		list[i] = p.Package
	}
	return list
}

// find returns the package of that name, nil where the image has none.
func (d *database) find(name string) *installed {
	for _, p := range d.packages {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// maint returns the packages for the interpreter of scripts, less those that members
// take the place of.
func (d *database) maint(members []*member) []maint.Package {
	var list []maint.Package
	for _, p := range d.packages {
		if slices.ContainsFunc(members, func(m *member) bool { return m.Name == p.Name }) {
			continue
		}
		list = append(list, maint.Package{
			Name: p.Name, Version: p.Version, Architecture: p.Architecture, Scripts: p.scripts, Triggers: p.triggers,
			Control: p.control(), Files: func() []string {
				paths := make([]string, len(p.files))
				for i, name := range p.files {
					paths[i] = "/" + name
				}
				return paths
			},
		})
	}
	return list
}

// control returns the paragraph as a control file has it.
func (p *installed) control() string {
	var b strings.Builder
	for _, f := range p.paragraph {
		if f.Name != "Status" && f.Name != "Conffiles" {
			fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		}
	}
	return b.String()
}

// locked returns what is known of the package as a lock would have it.
func (p *installed) locked() lock.Package {
	return lock.Package{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Source: p.Source, SourceVersion: p.SourceVersion}
}

// conffiles returns the paths of the configuration files, which no policy strips.
func (d *database) conffiles() map[string]bool {
	paths := map[string]bool{}
	for _, p := range d.packages {
		for line := range strings.Lines(p.paragraph.Get("Conffiles")) {
			if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "/") {
				paths[debian.MergedUsr(tree.Clean(f[0]), false)] = true
			}
		}
	}
	return paths
}
