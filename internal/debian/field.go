package debian

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// packageField is a field of a Packages stanza that [Package] keeps.
type packageField int

const (
	fieldName packageField = iota
	fieldVersion
	fieldArchitecture
	fieldMultiArch
	fieldEssential
	fieldImportant
	fieldProtected
	fieldPriority
	fieldSection
	fieldSource
	fieldDepends
	fieldPreDepends
	fieldRecommends
	fieldSuggests
	fieldEnhances
	fieldProvides
	fieldConflicts
	fieldBreaks
	fieldReplaces
	fieldFilename
	fieldSize
	fieldSHA256
	fieldSHA512
	fieldInstalledSize
	fieldMaintainer
	fieldHomepage
	packageFields // how many there are
)

// fieldNames are the fields' names in an index (Debian wiki, RepositoryFormat).
var fieldNames = [packageFields]string{
	"Package", "Version", "Architecture", "Multi-Arch", "Essential", "Important", "Protected",
	"Priority", "Section", "Source", "Depends", "Pre-Depends", "Recommends", "Suggests",
	"Enhances", "Provides", "Conflicts", "Breaks", "Replaces", "Filename", "Size", "SHA256",
	"SHA512", "Installed-Size", "Maintainer", "Homepage",
}

// PackageFromParagraph returns the package that a stanza of a Packages index
// describes. The name, version, architecture, size, SHA-256 and file name must
// be there and well formed; an error names the field. A file name is refused
// that is absolute or leaves the archive's base.
func PackageFromParagraph(p Paragraph) (Package, error) {
	var values [packageFields]string
	for id, name := range fieldNames {
		values[id] = p.Get(name)
	}
	return packageFromFields(&values)
}

func packageFromFields(v *[packageFields]string) (Package, error) {
	p := Package{
		Name:         v[fieldName],
		Version:      v[fieldVersion],
		Architecture: v[fieldArchitecture],
		Essential:    strings.EqualFold(v[fieldEssential], "yes"),
		Protected:    strings.EqualFold(v[fieldProtected], "yes") || strings.EqualFold(v[fieldImportant], "yes"),
		Priority:     v[fieldPriority],
		Section:      v[fieldSection],
		Depends:      v[fieldDepends],
		PreDepends:   v[fieldPreDepends],
		Recommends:   v[fieldRecommends],
		Suggests:     v[fieldSuggests],
		Enhances:     v[fieldEnhances],
		Provides:     v[fieldProvides],
		Conflicts:    v[fieldConflicts],
		Breaks:       v[fieldBreaks],
		Replaces:     v[fieldReplaces],
		SHA256:       v[fieldSHA256],
		SHA512:       v[fieldSHA512],
		Maintainer:   v[fieldMaintainer],
		Homepage:     v[fieldHomepage],
	}
	if err := checkName(p.Name); err != nil {
		return Package{}, fmt.Errorf("field Package: %w", err)
	}
	if err := p.setFields(v); err != nil {
		return Package{}, fmt.Errorf("package %s: %w", p.Name, err)
	}
	return p, nil
}

// setFields fills in the fields that have a syntax of their own.
func (p *Package) setFields(v *[packageFields]string) (err error) {
	if err := CheckVersion(p.Version); err != nil {
		return fmt.Errorf("field Version: %w", err)
	}
	if err := CheckArchitecture(p.Architecture); err != nil {
		return fmt.Errorf("field Architecture: %w", err)
	}
	switch ma := v[fieldMultiArch]; ma {
	case "", "no":
	case "same", "foreign", "allowed":
		p.MultiArch = ma
	default:
		return fmt.Errorf("field Multi-Arch: found %.40q, expected same, foreign, allowed or no", ma)
	}
	if p.Source, p.SourceVersion, err = parseSource(v[fieldSource]); err != nil {
		return fmt.Errorf("field Source: %w", err)
	}
	if p.Source == "" {
		p.Source = p.Name
	}
	if p.SourceVersion == "" {
		p.SourceVersion = p.Version
	}
	if p.Filename, err = cleanFilename(v[fieldFilename]); err != nil {
		return fmt.Errorf("field Filename: %w", err)
	}
	if p.Size, err = parseSize(v[fieldSize]); err != nil || p.Size == 0 {
		return fmt.Errorf("field Size: found %.40q, expected a number of bytes", v[fieldSize])
	}
	if p.InstalledSize, err = parseSize(v[fieldInstalledSize]); err != nil && v[fieldInstalledSize] != "" {
		return fmt.Errorf("field Installed-Size: found %.40q, expected a number of KiB", v[fieldInstalledSize])
	}
	if !isHex(p.SHA256, 64) {
		return fmt.Errorf("field SHA256: found %.80q, expected 64 hex digits", p.SHA256)
	}
	if p.SHA512 != "" && !isHex(p.SHA512, 128) {
		return fmt.Errorf("field SHA512: found %.140q, expected 128 hex digits", p.SHA512)
	}
	return nil
}

// checkName checks a package's name by Debian Policy 5.6.1.
func checkName(s string) error {
	if len(s) < 2 {
		return fmt.Errorf("found %q, expected a package name of at least two characters", s)
	}
	for i := range len(s) {
		c := s[i]
		lower := c >= 'a' && c <= 'z' || isDigit(c)
		if !lower && (i == 0 || c != '+' && c != '-' && c != '.') {
			return fmt.Errorf("found %q in package name %.80q", rune(c), s)
		}
	}
	return nil
}

// CheckArchitecture reports whether s can be the name of an architecture: lower
// case letters, digits and inner hyphens (Debian Policy 11.1).
func CheckArchitecture(s string) error {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || isDigit(c) || c == '-' && i > 0 && i < len(s)-1) {
			return fmt.Errorf("found %.40q, expected an architecture", s)
		}
	}
	if s == "" {
		return errors.New("found nothing, expected an architecture")
	}
	return nil
}

// parseSource reads "name" or "name (version)".
func parseSource(s string) (name, version string, err error) {
	name, version, ok := strings.Cut(s, " ")
	if name != "" {
		if err := checkName(name); err != nil {
			return "", "", err
		}
	}
	if !ok {
		return name, "", nil
	}
	version = strings.TrimSpace(version)
	if len(version) < 3 || version[0] != '(' || version[len(version)-1] != ')' {
		return "", "", fmt.Errorf("found %.80q, expected name (version)", s)
	}
	version = version[1 : len(version)-1]
	return name, version, CheckVersion(version)
}

// cleanFilename returns the path that a Filename field names. Flat archives
// write "./name.deb".
func cleanFilename(s string) (string, error) {
	name := strings.TrimPrefix(s, "./")
	for i := range len(name) {
		if name[i] < ' ' || name[i] == 0x7f || name[i] == '\\' {
			return "", fmt.Errorf("found %q in %.120q", rune(name[i]), s)
		}
	}
	// A cleaned relative path has ".." in front or not at all.
	if name == "" || name == "." || name == ".." || name[0] == '/' ||
		strings.HasPrefix(name, "../") || path.Clean(name) != name {
		return "", fmt.Errorf("found %.120q, expected a clean path below the archive's base", s)
	}
	return name, nil
}

func parseSize(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

func isHex(s string, digits int) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == digits
}
