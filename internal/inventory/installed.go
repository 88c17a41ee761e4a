package inventory

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/debian"
)

// installed takes the packages of the distribution's database.
func (inv *Inventory) installed() {
	img := inv.Image
	switch img.System().Database {
	case "dpkg":
		var texts [][]byte
		if text := img.Text("var/lib/dpkg/status"); text != nil {
			texts = append(texts, text)
		}
		for f, text := range img.Texts(func(name string) bool { return path.Dir(name) == "var/lib/dpkg/status.d" }) {
			if !strings.HasSuffix(f.Path, ".md5sums") {
				texts = append(texts, text)
			}
		}
		inv.dpkg(texts)
	case "apk":
		inv.apk(string(img.Text("lib/apk/db/installed")) + "\n\n" + string(img.Text("usr/lib/apk/db/installed")))
	}
	have := map[string]bool{}
	for _, p := range inv.Packages {
		have[p.Name] = true
	}
	for _, p := range img.System().Packages { // what could not be read whole
		if !have[p.Name] {
			inv.Packages = append(inv.Packages, Package{Name: p.Name, Version: p.Version})
		}
	}
}

// dpkg reads files of dpkg's status (dpkg-query(1), deb-control(5)). A paragraph that
// cannot be read ends its file.
func (inv *Inventory) dpkg(texts [][]byte) {
	wanted := map[string][]string{} // by the package that is needed
	essential := map[string]bool{}
	for _, text := range texts {
		for r := debian.NewControlReader(bytes.NewReader(text)); ; {
			p, err := r.Next()
			if err != nil {
				break
			}
			name, version := p.Get("Package"), p.Get("Version")
			if status := p.Get("Status"); name == "" || version == "" || status != "" && !strings.HasSuffix(status, " installed") {
				continue
			}
			pkg := Package{Name: name, Version: version, Architecture: p.Get("Architecture"), Source: name, SourceVersion: version}
			if source, v, _ := strings.Cut(p.Get("Source"), " "); source != "" { // "name" or "name (version)"
				pkg.Source = source
				if v = strings.Trim(v, " ()"); v != "" {
					pkg.SourceVersion = v
				}
			}
			inv.Packages = append(inv.Packages, pkg)
			essential[name] = p.Get("Essential") == "yes"
			for _, field := range []string{"Pre-Depends", "Depends"} {
				relations, _ := debian.ParseRelations(p.Get(field)) // a relation that is none explains nothing
				for _, alternatives := range relations {
					for _, r := range alternatives {
						if r.Name != name {
							wanted[r.Name] = append(wanted[r.Name], name)
						}
					}
				}
			}
		}
	}
	for i := range inv.Packages {
		p := &inv.Packages[i]
		if p.Why = needed(wanted[p.Name]); essential[p.Name] {
			p.Why = "essential"
		}
	}
}

// maxNamed is how many packages are named that need one.
const maxNamed = 3

// maxNeeding bounds the work for a database that says that all packages need all.
const maxNeeding = 1000

// needed says what needs a package, "" where nothing does.
func needed(by []string) string {
	slices.Sort(by)
	by = slices.Compact(by)
	switch {
	case len(by) == 0:
		return ""
	case len(by) <= maxNamed+1:
		return "needed by " + strings.Join(by, ", ")
	}
	return "needed by " + strings.Join(by[:maxNamed], ", ") + " and others"
}

// apk reads apk's database (apk-package(5)): a letter, a colon and a value a line. What
// packages need are names of packages or of what these provide, such as "so:libz.so.1".
func (inv *Inventory) apk(text string) {
	var p Package
	wanted, provided := map[string][]string{}, map[string][]string{}
	for line := range strings.SplitSeq(text+"\n", "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "P":
			p.Name = value
		case "V":
			p.Version = value
		case "A":
			p.Architecture = value
		case "o":
			p.Source = value
		case "D", "p":
			for word := range strings.FieldsSeq(value) {
				if end := strings.IndexAny(word, "<>=~"); end > 0 {
					word = word[:end]
				}
				if key == "D" {
					wanted[word] = append(wanted[word], p.Name)
				} else {
					provided[p.Name] = append(provided[p.Name], word)
				}
			}
		case "":
			if p.Name != "" {
				inv.Packages = append(inv.Packages, p)
			}
			p = Package{}
		}
	}
	for i := range inv.Packages {
		p := &inv.Packages[i]
		by := slices.Clone(wanted[p.Name][:min(len(wanted[p.Name]), maxNeeding)])
		for _, name := range provided[p.Name] {
			if by = append(by, wanted[name]...); len(by) > maxNeeding {
				break
			}
		}
		p.Why = needed(slices.DeleteFunc(by, func(name string) bool { return name == p.Name }))
	}
}

// TypeName names the type of a file, for a person.
func TypeName(f *facts.File) string {
	switch f.Type {
	case facts.Regular:
		return "file"
	case facts.Directory:
		return "directory"
	case facts.Symlink:
		return "symbolic link"
	case facts.Hardlink:
		return "hard link"
	}
	switch f.Kind {
	case '3':
		return "character device"
	case '4':
		return "block device"
	case '6':
		return "named pipe"
	}
	return "unknown type"
}
