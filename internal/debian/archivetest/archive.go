package archivetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Archive describes what an archive publishes.
type Archive struct {
	Suites []Suite
}

// Suite describes one suite. Only Name is required.
type Suite struct {
	Name          string    // the directory below dists/
	Suite         string    // Name where empty
	Codename      string    // Name where empty
	Origin        string    // "Debian" where empty
	Date          time.Time // Epoch where zero
	ValidUntil    time.Time // no limit where zero
	Architectures []string  // amd64 and arm64 where empty
	Packages      []Package
	Fields        map[string]string // further fields of the Release; empty values leave out a default
	Compressions  []string          // forms of the indexes: "xz" and "gz" where empty; "none" publishes the text too
	AllApart      bool              // packages of architecture "all" are in an index of their own
	NoByHash      bool
	Detached      bool   // Release and Release.gpg instead of InRelease
	Keys          []*Key // who signs; the server's key where empty
}

// Debian returns an archive that answers for "debian/trixie": the packages in
// trixie, nothing in trixie-updates and trixie-security.
func Debian(packages ...Package) Archive {
	return Archive{Suites: []Suite{
		{Name: "trixie", Suite: "stable", Packages: packages},
		{Name: "trixie-updates", Suite: "stable-updates"},
		{Name: "trixie-security", Suite: "stable-security"},
	}}
}

// Build returns the files of the archive by path. key signs where a suite names
// no keys.
func (a Archive) Build(key *Key) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, s := range a.Suites {
		if err := s.build(files, key); err != nil {
			return nil, fmt.Errorf("suite %s: %w", s.Name, err)
		}
	}
	return files, nil
}

func (s Suite) build(files map[string][]byte, key *Key) error {
	stanzas := make(map[string]string, len(s.Packages))
	for _, p := range s.Packages {
		deb, err := p.Deb()
		if err != nil {
			return err
		}
		files[p.Filename()] = deb
		stanzas[p.Filename()] = stanza(p, deb)
	}
	indexes, err := s.indexes(stanzas)
	if err != nil {
		return err
	}
	dir := "dists/" + s.Name
	for name, content := range indexes {
		if s.published(name) {
			files[path.Join(dir, name)] = content
			if !s.NoByHash {
				files[path.Join(dir, path.Dir(name), "by-hash/SHA256", fmt.Sprintf("%x", sha256.Sum256(content)))] = content
			}
		}
	}
	return s.sign(files, s.ReleaseFile(indexes), key)
}

// stanza is the entry of a package in an index.
func stanza(p Package, deb []byte) string {
	return fmt.Sprintf("%sFilename: %s\nSize: %d\nSHA256: %x\n", p.ControlFile(), p.Filename(), len(deb), sha256.Sum256(deb))
}

// published reports whether an index that the Release lists is really there: like
// Debian, the plain text is listed only.
func (s Suite) published(name string) bool {
	return path.Ext(name) != "" || slices.Contains(s.Compressions, "none")
}

func (s Suite) architectures() []string {
	if len(s.Architectures) == 0 {
		return []string{"amd64", "arm64"}
	}
	return s.Architectures
}

func (s Suite) components() []string {
	all := []string{"main"}
	for _, p := range s.Packages {
		if !slices.Contains(all, p.component()) {
			all = append(all, p.component())
		}
	}
	return all
}

// indexes returns the Packages indexes in all their forms, by name below the suite.
func (s Suite) indexes(stanzas map[string]string) (map[string][]byte, error) {
	compressions := s.Compressions
	if len(compressions) == 0 {
		compressions = []string{"xz", "gz"}
	}
	archs := s.architectures()
	if s.AllApart {
		archs = append(slices.Clone(archs), "all")
	}
	indexes := make(map[string][]byte)
	for _, component := range s.components() {
		for _, arch := range archs {
			name := path.Join(component, "binary-"+arch, "Packages")
			text := s.index(component, arch, stanzas)
			indexes[name] = text
			for _, kind := range compressions {
				if kind == "none" {
					continue
				}
				packed, err := Compress(kind, text)
				if err != nil {
					return nil, err
				}
				indexes[name+"."+kind] = packed
			}
		}
	}
	return indexes, nil
}

// index returns the text of one index, in the order of the packages' names.
func (s Suite) index(component, arch string, stanzas map[string]string) []byte {
	packages := slices.DeleteFunc(slices.Clone(s.Packages), func(p Package) bool {
		fits := p.architecture() == arch || p.architecture() == "all" && !s.AllApart
		return p.component() != component || !fits
	})
	slices.SortStableFunc(packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	for i, p := range packages {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(stanzas[p.Filename()])
	}
	return b.Bytes()
}

const dateLayout = "Mon, 02 Jan 2006 15:04:05 UTC"

func (s Suite) date() time.Time {
	if s.Date.IsZero() {
		return Epoch
	}
	return s.Date
}

// ReleaseFile returns the text of the Release that lists these files, by name below
// the suite.
func (s Suite) ReleaseFile(indexes map[string][]byte) []byte {
	archs := s.architectures()
	if s.AllApart {
		archs = append(slices.Clone(archs), "all")
	}
	fields := map[string]string{
		"Origin":          orDefault(s.Origin, "Debian"),
		"Suite":           orDefault(s.Suite, s.Name),
		"Codename":        orDefault(s.Codename, s.Name),
		"Date":            s.date().UTC().Format(dateLayout),
		"Architectures":   strings.Join(archs, " "),
		"Components":      strings.Join(s.components(), " "),
		"Acquire-By-Hash": "yes",
	}
	if s.NoByHash {
		delete(fields, "Acquire-By-Hash")
	}
	if !s.ValidUntil.IsZero() {
		fields["Valid-Until"] = s.ValidUntil.UTC().Format(dateLayout)
	}
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(indexes)) {
		fmt.Fprintf(&list, "\n %x %d %s", sha256.Sum256(indexes[name]), len(indexes[name]), name)
	}
	fields["SHA256"] = list.String()
	maps.Copy(fields, s.Fields)
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if v := fields[name]; v != "" {
			fmt.Fprintf(&b, "%s:%s%s\n", name, map[bool]string{false: " "}[v[0] == '\n'], v)
		}
	}
	return b.Bytes()
}

func (s Suite) sign(files map[string][]byte, release []byte, key *Key) error {
	dir, keys := "dists/"+s.Name, s.Keys
	if len(keys) == 0 {
		keys = []*Key{key}
	}
	if s.Detached {
		signature, err := keys[0].DetachSign(release, s.date())
		files[dir+"/Release"], files[dir+"/Release.gpg"] = release, signature
		return err
	}
	signed, err := ClearSign(release, s.date(), 0, keys...)
	files[dir+"/InRelease"] = signed
	return err
}
