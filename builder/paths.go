package builder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// specOrigin is the origin of what a line of the spec makes.
func (b *build) specOrigin(path ...any) *tree.Origin {
	pos := b.spec.Position(path...)
	return &tree.Origin{Kind: tree.FromSpec, Spec: fmt.Sprintf("%s:%d", b.specName(pos.File), pos.Line)}
}

// specName returns the name of a spec file in an origin: its last element, since
// the image must not depend on where the spec lies.
func (b *build) specName(file string) string { return file[strings.LastIndexByte(file, '/')+1:] }

// addPaths puts the spec's files, directories and links into the tree.
func (b *build) addPaths(t *tree.Tree) error {
	for i, p := range b.spec.Paths {
		if p.Type == specs.PathPermissions {
			continue
		}
		if err := b.addPath(t, i, p); err != nil {
			return b.specError([]any{"paths", i}, fmt.Errorf("cannot make %s: %w", p.Path, err))
		}
	}
	return nil
}

func (b *build) addPath(t *tree.Tree, i int, p specs.Path) error {
	at, err := t.RealPath(p.Path)
	if err != nil {
		return err
	}
	n := &tree.Node{Path: at, ModTime: b.epoch.Unix(), Origin: b.specOrigin("paths", i)}
	setMetadata(n, p)
	switch p.Type {
	case specs.PathDirectory:
		n.Type = tree.Dir
		if old := t.Lookup(at); old != nil && old.Type == tree.Symlink {
			if n.Path, err = linkedDir(t, at); err != nil {
				return err
			}
		}
	case specs.PathSymlink:
		n.Type, n.Link, n.Mode = tree.Symlink, p.Target, 0o777
	case specs.PathHardlink:
		return b.addHardlink(t, n, p)
	case specs.PathEmptyFile:
		setContent(n, nil)
	case specs.PathFile:
		if err := b.setFile(n, p); err != nil {
			return err
		}
	}
	return t.Set(n)
}

// linkedDir returns the directory that the symbolic link at leads to.
func linkedDir(t *tree.Tree, at string) (string, error) {
	end, err := t.Resolve(at)
	if err != nil {
		return "", err
	}
	if end.Type != tree.Dir {
		return "", fmt.Errorf("it is a link to /%s, which is a %s", end.Path, end.Type)
	}
	return end.Path, nil
}

// setMetadata gives n the owner and mode that the spec states; the rest stays.
func setMetadata(n *tree.Node, p specs.Path) {
	if p.UID != nil {
		n.UID = uint32(*p.UID)
	}
	if p.GID != nil {
		n.GID = uint32(*p.GID)
	}
	if p.Mode != nil {
		n.Mode = uint32(*p.Mode)
	}
}

// addHardlink gives a file of the spec a second name. Other files are in the
// layers of their packages, which a link cannot reach into.
func (b *build) addHardlink(t *tree.Tree, n *tree.Node, p specs.Path) error {
	target, err := t.Resolve(p.Target)
	if err != nil {
		return err
	}
	if target.Type != tree.File {
		return fmt.Errorf("its target %s is a %s, expected a file", p.Target, target.Type)
	}
	if target.Layered {
		return fmt.Errorf("its target %s belongs to %s; make a symlink", p.Target, target.Origin)
	}
	n.Type, n.Link = tree.Hardlink, target.Path
	n.Mode, n.UID, n.GID = target.Mode, target.UID, target.GID
	return t.Set(n)
}

func setContent(n *tree.Node, b []byte) {
	sum := sha256.Sum256(b)
	n.Type, n.Size, n.SHA256, n.Content = tree.File, int64(len(b)), hex.EncodeToString(sum[:]), tree.Bytes(b)
	if tree.IsELF(b) {
		n.ELF, _ = tree.ReadELF(bytes.NewReader(b)) // a damaged one is a file like any other
	}
}

// setFile gives n the content that the spec has inline or in a file beside it.
func (b *build) setFile(n *tree.Node, p specs.Path) error {
	if p.Source == "" {
		setContent(n, []byte(p.Content))
		return nil
	}
	f, err := b.spec.OpenSource(p.Source)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	n.Type, n.Size, n.SHA256 = tree.File, size, hex.EncodeToString(h.Sum(nil))
	n.Content = specFile{b.spec, p.Source}
	if e, err := tree.ReadELF(f); err == nil {
		n.ELF = e
	}
	return nil
}

// specFile is the content of a file beside the spec.
type specFile struct {
	spec *specs.Spec
	name string
}

// Open implements [tree.Content].
func (f specFile) Open() (io.ReadCloser, error) { return f.spec.OpenSource(f.name) }

// setPermissions changes modes and owners of what is in the tree, as the spec says.
func (b *build) setPermissions(t *tree.Tree) error {
	for i, p := range b.spec.Paths {
		if p.Type != specs.PathPermissions {
			continue
		}
		n, err := t.Resolve(p.Path)
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("no package of the image and no path of the spec brings it")
		}
		if err != nil {
			return b.specError([]any{"paths", i}, fmt.Errorf("cannot set permissions of %s: %w", p.Path, err))
		}
		setPermissions(linkedFile(t, n), p)
		if !p.Recursive {
			continue
		}
		for below := range t.All() {
			if strings.HasPrefix(below.Path, n.Path+"/") && below.Type != tree.Symlink {
				setPermissions(linkedFile(t, below), p)
			}
		}
	}
	alignHardlinks(t)
	return nil
}

// linkedFile returns the file that n is another name of, or n itself.
func linkedFile(t *tree.Tree, n *tree.Node) *tree.Node {
	for n.Type == tree.Hardlink && t.Lookup(n.Link) != nil {
		n = t.Lookup(n.Link)
	}
	return n
}

// alignHardlinks gives every name of a file the mode and the owner of the file,
// which have changed under one of its names only.
func alignHardlinks(t *tree.Tree) {
	for n := range t.All() {
		if n.Type == tree.Hardlink {
			file := linkedFile(t, n)
			n.Mode, n.UID, n.GID = file.Mode, file.UID, file.GID
		}
	}
}

// setPermissions changes one node. With a recursive change a file does not get a
// directory's search bits, like chmod's X.
func setPermissions(n *tree.Node, p specs.Path) {
	searchable := n.Type == tree.Dir || n.Mode&0o111 != 0
	setMetadata(n, p)
	if p.Mode != nil && p.Recursive && !searchable {
		n.Mode &^= 0o111
	}
}

// addOSRelease writes the fields of the spec's os-release over Debian's.
func (b *build) addOSRelease(t *tree.Tree) error {
	fields := osReleaseFields(b.spec.OSRelease)
	const file, link = "usr/lib/os-release", "etc/os-release"
	own, err := t.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		own = debianRelease(b.spec.Distro)
	case err != nil:
		return err
	case len(fields) == 0:
		return nil
	}
	origin := b.specOrigin("os-release")
	if len(fields) == 0 {
		origin = &tree.Origin{Kind: tree.FromBuilder, Command: "os-release of " + b.spec.Distro.String()}
	}
	if err := t.WriteFile(file, mergeRelease(own, fields), 0o644, origin); err != nil {
		return err
	}
	if t.Lookup(link) == nil {
		return t.Symlink(link, "../usr/lib/os-release", origin)
	}
	return nil
}

// osReleaseFields returns the fields that the spec sets, in the order of
// os-release(5).
func osReleaseFields(o specs.OSRelease) [][2]string {
	var set [][2]string
	for _, f := range [][2]string{
		{"PRETTY_NAME", o.PrettyName}, {"NAME", o.Name}, {"VERSION_ID", o.VersionID}, {"VERSION", o.Version},
		{"VERSION_CODENAME", o.VersionCodename}, {"ID", o.ID}, {"ID_LIKE", o.IDLike},
		{"VARIANT", o.Variant}, {"VARIANT_ID", o.VariantID}, {"VENDOR_NAME", o.VendorName}, {"CPE_NAME", o.CPEName},
		{"HOME_URL", o.HomeURL}, {"DOCUMENTATION_URL", o.DocumentationURL}, {"SUPPORT_URL", o.SupportURL},
		{"BUG_REPORT_URL", o.BugReportURL}, {"PRIVACY_POLICY_URL", o.PrivacyPolicyURL},
	} {
		if f[1] != "" {
			set = append(set, f)
		}
	}
	return set
}

// mergeRelease replaces fields of an os-release file and appends those it lacks.
func mergeRelease(own []byte, fields [][2]string) []byte {
	var out strings.Builder
	done := map[string]bool{}
	values := map[string]string{}
	for _, f := range fields {
		values[f[0]] = f[1]
	}
	for line := range strings.Lines(string(own)) {
		name, _, _ := strings.Cut(line, "=")
		if v, ok := values[name]; ok {
			line = name + "=" + quoteRelease(v) + "\n"
			done[name] = true
		}
		out.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	for _, f := range fields {
		if !done[f[0]] {
			out.WriteString(f[0] + "=" + quoteRelease(f[1]) + "\n")
		}
	}
	return []byte(out.String())
}

// quoteRelease quotes a value as a shell would read it (os-release(5)).
func quoteRelease(v string) string {
	plain := strings.IndexFunc(v, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}) < 0
	if plain && v != "" {
		return v
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(v) + `"`
}

// debianRelease is the os-release of an image without base-files, so that
// scanners know which distribution its packages come from. Its fields are those
// of base-files.
func debianRelease(d specs.Distro) []byte {
	number := map[string]string{"bookworm": "12", "trixie": "13", "forky": "14"}[d.Codename]
	pretty := "Debian GNU/Linux " + d.Codename + "/sid"
	text := fmt.Sprintf("NAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=%s\nID=debian\n", d.Codename)
	if number != "" {
		pretty = fmt.Sprintf("Debian GNU/Linux %s (%s)", number, d.Codename)
		text = fmt.Sprintf("NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"%s\"\nVERSION=\"%s (%s)\"\nVERSION_CODENAME=%s\nID=debian\n",
			number, number, d.Codename, d.Codename)
	}
	return []byte(fmt.Sprintf("PRETTY_NAME=\"%s\"\n", pretty) + text)
}
