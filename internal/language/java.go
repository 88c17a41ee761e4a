package language

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Bounds of reading a jar: how deep jars are in jars, and how many bytes are unpacked
// of all of them together.
const (
	maxDepth    = 4
	maxUnpacked = 1 << 30
	maxPackages = 20_000
)

// isArchive reports whether a path ends as archives of Java do (JAR, Jakarta EE, Jenkins).
func isArchive(name string) bool {
	return slices.Contains([]string{".jar", ".war", ".ear", ".par", ".sar", ".nar", ".kar", ".rar", ".jpi", ".hpi", ".lpkg"}, strings.ToLower(path.Ext(name)))
}

var (
	// errTooMuch is about a jar that unpacks to more than is read.
	errTooMuch = errors.New("it unpacks to more than is read")
	// errMachine is about what the machine, and not the jar, is the cause of.
	errMachine = errors.New("cannot keep a jar while it is read")
)

// unpacking reads one jar and those within it.
type unpacking struct {
	left     int64 // of maxUnpacked
	packages int   // so far
}

// readArchive reads a jar. Its error is the machine's.
func readArchive(name string, s *spool) (*File, error) {
	if s.refused != "" {
		return &File{Unread: s.refused}, nil
	}
	u := &unpacking{left: maxUnpacked}
	packages, err := u.jar(name, "", s.reader(), s.size, 0)
	if errors.Is(err, errMachine) {
		return nil, err
	}
	f := &File{Packages: packages}
	if err != nil {
		f.Unread = clean(err.Error())
	}
	return f, nil
}

// jar returns the packages of a jar: one that contains the others. within is its path
// in the file.
func (u *unpacking) jar(name, within string, r io.ReaderAt, size int64, depth int) ([]Package, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, err
	}
	c := &contents{poms: map[string]*pom{}}
	var failed error
	for _, f := range z.File {
		err := u.member(c, f, r, within, depth)
		if err == nil {
			continue
		}
		if errors.Is(err, errMachine) {
			return nil, err
		}
		if failed == nil {
			failed = fmt.Errorf("%s: %w", f.Name, err)
		}
		if errors.Is(err, errTooMuch) {
			break
		}
	}
	p, ok := c.pkg(name)
	if u.packages += 1 + len(c.poms); u.packages > maxPackages {
		return nil, errTooMuch
	}
	if !ok {
		return c.nested, failed
	}
	p.Within = within
	return []Package{p}, failed
}

// contents is what a jar says of itself, and the jars in it.
type contents struct {
	manifest map[string]string
	poms     map[string]*pom // by their directory
	nested   []Package
}

// pom is what Maven leaves in a jar, META-INF/maven/GROUP/ARTIFACT/pom.properties and
// pom.xml.
type pom struct {
	group, artifact, version string
	project                  project
}

// project is what is read of pom.xml (Maven, "POM Reference").
type project struct {
	URL string `xml:"url"`
	SCM struct {
		URL string `xml:"url"`
	} `xml:"scm"`
	Organization struct {
		Name string `xml:"name"`
	} `xml:"organization"`
	Licenses []struct {
		Name string `xml:"name"`
		URL  string `xml:"url"`
	} `xml:"licenses>license"`
}

// member reads a member of a jar that says something.
func (u *unpacking) member(c *contents, f *zip.File, r io.ReaderAt, within string, depth int) error {
	dir, base := path.Split(f.Name)
	mavens := strings.HasPrefix(dir, "META-INF/maven/")
	switch {
	case f.Name == "META-INF/MANIFEST.MF":
		b, err := u.text(f)
		if err == nil && c.manifest == nil {
			c.manifest = readManifest(b)
		}
		return err
	case mavens && base == "pom.properties":
		b, err := u.text(f)
		if err != nil {
			return err
		}
		p, properties := c.pom(dir), readProperties(b)
		p.group, p.artifact, p.version = properties["groupId"], properties["artifactId"], properties["version"]
	case mavens && base == "pom.xml":
		b, err := u.text(f)
		if err != nil {
			return err
		}
		d := xml.NewDecoder(bytes.NewReader(b))
		d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names are ASCII but for accents
		return d.Decode(&c.pom(dir).project)
	case isArchive(f.Name) && !f.FileInfo().IsDir():
		if depth == maxDepth {
			return fmt.Errorf("it is a jar in more than %d others", maxDepth)
		}
		nested, err := u.inner(f, r, clean(path.Join(within, f.Name)), depth+1)
		c.nested = append(c.nested, nested...)
		return err
	}
	return nil
}

func (c *contents) pom(dir string) *pom {
	if c.poms[dir] == nil {
		c.poms[dir] = &pom{}
	}
	return c.poms[dir]
}

// text returns a member that says something.
func (u *unpacking) text(f *zip.File) ([]byte, error) {
	m, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	b, err := io.ReadAll(io.LimitReader(m, maxText+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxText {
		return nil, fmt.Errorf("it has more than %d bytes", maxText)
	}
	if u.left -= int64(len(b)); u.left < 0 {
		return nil, errTooMuch
	}
	return b, nil
}

// inner reads a jar in a jar: where it lies, if it is stored there, or unpacked.
func (u *unpacking) inner(f *zip.File, r io.ReaderAt, within string, depth int) (packages []Package, err error) {
	m, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	hashes := newHashes()
	unpacked := &spool{}
	defer func() { err = closing(unpacked, err) }()
	stored := f.Method == zip.Store
	buffer := make([]byte, 64<<10)
	for size := int64(0); ; {
		n, err := m.Read(buffer)
		size += int64(n)
		if u.left -= int64(n); u.left < 0 {
			return nil, errTooMuch
		}
		hashes.Write(buffer[:n])
		if !stored {
			if err := unpacked.write(buffer[:n]); err != nil {
				return nil, err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	var at io.ReaderAt = unpacked.reader()
	size := unpacked.size
	if stored {
		offset, err := f.DataOffset()
		if err != nil {
			return nil, err
		}
		size = int64(f.UncompressedSize64)
		at = io.NewSectionReader(r, offset, size)
	} else if unpacked.refused != "" {
		return nil, errors.New(unpacked.refused)
	}
	packages, err = u.jar(f.Name, within, at, size, depth)
	if len(packages) == 1 && packages[0].Within == within {
		packages[0].Digests = hashes.digests()
	}
	return packages, err
}

// hashes are those of [Digests].
type hashes struct {
	io.Writer
	digests func() *Digests
}

func newHashes() hashes {
	short, long, longer := sha1.New(), sha256.New(), sha512.New()
	return hashes{io.MultiWriter(short, long, longer), func() *Digests {
		return &Digests{SHA1: hex.EncodeToString(short.Sum(nil)), SHA256: hex.EncodeToString(long.Sum(nil)), SHA512: hex.EncodeToString(longer.Sum(nil))}
	}}
}

// fileVersion cuts a file's name into that of the artifact and its version, as Maven
// joins them.
var fileVersion = regexp.MustCompile(`^(.+?)[-_]v?([0-9][0-9A-Za-z.+_-]*)$`)

// pkg returns the jar as a package: the artifact of which Maven left a description and
// that the file is named after, or the only one; else what the manifest and the file's
// name say. Others whose descriptions it has were put into it.
func (c *contents) pkg(name string) (Package, bool) {
	base := path.Base(name)
	stem, version := strings.TrimSuffix(base, path.Ext(base)), ""
	if m := fileVersion.FindStringSubmatch(stem); m != nil {
		stem, version = m[1], m[2]
	}
	var own *pom
	var others []Package
	described := c.described()
	for _, p := range described {
		if own == nil && (p.artifact == stem || len(described) == 1) {
			own = p
		} else {
			others = append(others, p.pkg())
		}
	}
	p := Package{Type: Maven, Name: stem, Version: version}
	if own != nil {
		p = own.pkg()
	}
	m := c.manifest
	p.Version = first(isVersion, p.Version, version, m["implementation-version"], m["specification-version"], m["plugin-version"], m["bundle-version"])
	if p.Namespace == "" {
		p.Namespace = first(isGroup, m["implementation-vendor-id"], group(m["bundle-symbolicname"], p.Name), group(m["automatic-module-name"], p.Name))
	}
	p.Supplier = cmp.Or(p.Supplier, clean(m["implementation-vendor"]), clean(m["bundle-vendor"]))
	if p.Licence == nil {
		if licence, _, _ := strings.Cut(cmp.Or(m["bundle-license"], m["plugin-license-name"]), ";"); licence != "" {
			p.Licence = []string{clean(licence)}
		}
	}
	p.Contains = append(others, c.nested...)
	return p, isName(p.Name)
}

// described returns the artifacts that Maven left a description of.
func (c *contents) described() []*pom {
	var list []*pom
	for _, p := range c.poms {
		if isName(p.artifact) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *pom) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.artifact, b.artifact), strings.Compare(a.version, b.version))
	})
	return list
}

func (p *pom) pkg() Package {
	pkg := Package{Type: Maven, Name: p.artifact, Namespace: first(isGroup, p.group), Version: first(isVersion, p.version),
		Supplier: clean(p.project.Organization.Name), Homepage: clean(p.project.URL), Repository: clean(p.project.SCM.URL)}
	pkg.Choice = true // as the reference says of several
	for _, l := range p.project.Licenses {
		if text := clean(cmp.Or(l.Name, l.URL)); text != "" && len(pkg.Licence) < 20 {
			pkg.Licence = append(pkg.Licence, text)
		}
	}
	return pkg
}

// group cuts an artifact's name off the name of a bundle or module, which begins with
// the group.
func group(symbolic, artifact string) string {
	symbolic, _, _ = strings.Cut(symbolic, ";")
	symbolic = strings.TrimSpace(symbolic)
	return strings.TrimSuffix(strings.TrimSuffix(symbolic, "."+artifact), "."+strings.ReplaceAll(artifact, "-", "."))
}

func isVersion(s string) bool { return isName(s) && !strings.Contains(s, "${") }

func isGroup(s string) bool {
	return isVersion(s) && strings.Contains(s, ".") && !strings.Contains(s, "/")
}

// first returns the first text that is good, "" where none is.
func first(good func(string) bool, texts ...string) string {
	for _, s := range texts {
		if good(s) {
			return s
		}
	}
	return ""
}

// readManifest returns the main section of a manifest, names in lower case (JAR File
// Specification, "JAR Manifest"). A line that begins with a space continues the one
// before.
func readManifest(b []byte) map[string]string {
	fields := map[string]string{}
	name := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if rest, ok := strings.CutPrefix(line, " "); ok {
			if name != "" && len(fields[name]) < maxField {
				fields[name] += rest
			}
			continue
		}
		before, after, _ := strings.Cut(line, ":")
		name = strings.ToLower(before)
		fields[name] = strings.TrimSpace(after)
	}
	return fields
}

// readProperties reads the simple form of properties (java.util.Properties.load).
func readProperties(b []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if i := strings.IndexAny(line, "=:"); i > 0 && line[0] != '#' && line[0] != '!' {
			values[strings.TrimSpace(line[:i])] = strings.TrimSpace(line[i+1:])
		}
	}
	return values
}
