package maint

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/certs"
	"github.com/hardpan/hardpan/internal/tree"
)

// The places of update-ca-certificates(8).
const (
	certsConf  = "etc/ca-certificates.conf"
	certsDir   = "usr/share/ca-certificates"
	localDir   = "usr/local/share/ca-certificates"
	etcCerts   = "etc/ssl/certs"
	certBundle = etcCerts + "/ca-certificates.crt"
)

// certificatesStep is what the postinst of ca-certificates makes: the list of
// trusted certificates, a link to each, the bundle, and OpenSSL's hash links.
type certificatesStep struct{}

func (certificatesStep) Name() string { return "ca-certificates postinst: update-ca-certificates" }

func (certificatesStep) Applies(img *Image) bool { return img.Package("ca-certificates") != nil }

func (s certificatesStep) Apply(_ context.Context, img *Image) error {
	pkg := img.Package("ca-certificates")
	if err := s.localDirectory(img, pkg); err != nil {
		return err
	}
	trusted, err := s.configure(img, pkg)
	if err != nil {
		return err
	}
	local := find(img.Tree, localDir, ".crt")
	var bundle []byte
	for _, cert := range append(trusted, local...) {
		text, err := img.Tree.ReadFile(cert)
		if err != nil {
			return err
		}
		bundle = append(bundle, text...)
		if len(text) > 0 && text[len(text)-1] != '\n' { // sed -e '$a\'
			bundle = append(bundle, '\n')
		}
		name := path.Join(etcCerts, pemName(cert))
		origin := pkg.origin("postinst", "update-ca-certificates", "/"+cert)
		if err := img.put(&tree.Node{Path: name, Type: tree.Symlink, Mode: 0o777, Link: "/" + cert, Origin: origin}); err != nil {
			return err
		}
	}
	if err := hashLinks(img, pkg); err != nil {
		return err
	}
	inputs := []string{"/" + certsConf, "/" + certsDir + "/*/*.crt"}
	if len(local) > 0 {
		inputs = append(inputs, "/"+localDir+"/**.crt")
	}
	return img.put(&tree.Node{
		Path: certBundle, Type: tree.File, Mode: 0o644, Content: tree.Bytes(bundle),
		Origin: pkg.origin("postinst", "update-ca-certificates", inputs...),
	})
}

// localDirectory makes the directory for the administrator's certificates, with
// the mode and group of /usr/local.
func (certificatesStep) localDirectory(img *Image, pkg *Package) error {
	old, err := img.Tree.Resolve(localDir)
	if err == nil && old.Origin != nil && old.Origin.Kind != tree.FromBuilder {
		return nil
	}
	mode, gid := uint32(0o755), uint32(0)
	if n, err := img.Tree.Resolve("usr/local"); err == nil {
		mode, gid = n.Mode, n.GID
	}
	return img.put(&tree.Node{Path: localDir, Type: tree.Dir, Mode: mode, GID: gid, Origin: pkg.origin("postinst", "mkdir /"+localDir)})
}

// configure writes /etc/ca-certificates.conf and returns the certificates that
// it selects. A file that is there keeps its lines and what they deselect, and
// gets the certificates that it does not know appended: debconf's default is to
// trust new ones.
func (certificatesStep) configure(img *Image, pkg *Package) ([]string, error) {
	available := find(img.Tree, certsDir, ".crt")
	for i, c := range available {
		available[i] = strings.TrimPrefix(c, certsDir+"/")
	}
	conf, origin := "", pkg.origin("postinst", "cat > /"+certsConf, "/"+certsDir+"/*/*.crt")
	if img.has(certsConf) {
		b, err := img.Tree.ReadFile(certsConf)
		if err != nil {
			return nil, err
		}
		conf = string(b)
	} else if text := (site{img, pkg, "postinst"}).heredoc("/" + certsConf); text != "" {
		conf = text
	}
	lines := strings.FieldsFunc(conf, func(r rune) bool { return r == '\n' })
	for _, c := range available {
		if !slices.Contains(lines, c) && !slices.Contains(lines, "!"+c) {
			lines = append(lines, c)
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := img.put(&tree.Node{Path: certsConf, Type: tree.File, Mode: 0o644, Content: tree.Bytes(text), Origin: origin}); err != nil {
		return nil, err
	}
	var trusted []string
	for _, l := range lines {
		if l[0] != '#' && l[0] != '!' && img.has(path.Join(certsDir, l)) {
			trusted = append(trusted, path.Join(certsDir, l))
		}
	}
	return trusted, nil
}

// heredoc is the text that the script writes to a path under any condition.
func (s site) heredoc(name string) string {
	for _, c := range s.calls[s.pkg.Name+" "+s.script] {
		if c.Known && c.Args[0] == ">" && c.Args[1] == name && c.Input != "" {
			return c.Input
		}
	}
	return ""
}

// find returns the files below dir whose name ends in suffix, sorted by path as
// sort(1) does in the C locale. Links to files count, links to directories are
// not followed.
func find(t *tree.Tree, dir, suffix string) []string {
	var found []string
	for _, name := range t.ReadDir(dir) {
		p := path.Join(dir, name)
		n, err := t.Resolve(p)
		if err != nil {
			continue
		}
		switch {
		case t.Lookup(p).Type == tree.Dir:
			found = append(found, find(t, p, suffix)...)
		case strings.HasSuffix(name, suffix) && n.Type != tree.Dir:
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return found
}

// pemName is the name of the link to a certificate in /etc/ssl/certs.
func pemName(cert string) string {
	name := strings.TrimSuffix(path.Base(cert), ".crt")
	return strings.NewReplacer(" ", "_", "(", "=", ")", "=", ",", "_").Replace(name) + ".pem"
}

// hashLinks makes the links that "openssl rehash" makes in /etc/ssl/certs: for
// each file with exactly one certificate <hash>.<n>, where n tells subjects with
// one hash apart, in the order of the files' names.
func hashLinks(img *Image, pkg *Package) error {
	taken := map[string][]string{} // by hash: the DER of each certificate
	for _, name := range img.Tree.ReadDir(etcCerts) {
		if ext := path.Ext(name); ext != ".pem" && ext != ".crt" && ext != ".cer" || name == path.Base(certBundle) {
			continue
		}
		file := path.Join(etcCerts, name)
		text, err := img.Tree.ReadFile(file)
		if err != nil {
			continue // a link to nothing, or a directory
		}
		der, err := certs.Parse(text)
		if errors.Is(err, certs.ErrNotOne) {
			continue
		}
		hash, err := subjectHash(der)
		if err != nil {
			return fmt.Errorf("/%s: %w", file, err)
		}
		if slices.Contains(taken[hash], string(der)) {
			continue // the same certificate under another name
		}
		at := fmt.Sprintf("%s/%s.%d", etcCerts, hash, len(taken[hash]))
		taken[hash] = append(taken[hash], string(der))
		n := &tree.Node{Path: at, Type: tree.Symlink, Mode: 0o777, Link: name, Origin: pkg.origin("postinst", "openssl rehash", "/"+file)}
		if err := img.put(n); err != nil {
			return err
		}
	}
	return nil
}

func subjectHash(der []byte) (string, error) {
	subject, err := certs.Subject(der)
	if err != nil {
		return "", err
	}
	return certs.Hash(subject)
}

// keystoreStep is what ca-certificates-java makes of the same certificates: the
// keystore that Java trusts.
type keystoreStep struct{}

func (keystoreStep) Name() string {
	return "ca-certificates-java postinst: update-ca-certificates-java"
}

// Applies as the package does: only where there is a Java to use the keystore.
func (keystoreStep) Applies(img *Image) bool {
	pkg := img.Package("ca-certificates-java")
	if pkg == nil || !img.command("java") {
		return false
	}
	updates, _ := javaDefaults(img)
	return updates
}

// javaDefaults reads /etc/default/cacerts, a shell script that assigns
// constants: whether the keystore is to be made, and its password.
func javaDefaults(img *Image) (updates bool, password string) {
	password = "changeit"
	b, err := img.Tree.ReadFile("etc/default/cacerts")
	if err != nil {
		return false, password
	}
	for line := range strings.Lines(string(b)) {
		name, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		v = strings.Trim(v, `'"`)
		switch name {
		case "cacerts_updates":
			updates = v == "yes"
		case "storepass":
			password = v
		}
	}
	return updates, password
}

func (keystoreStep) Apply(_ context.Context, img *Image) error {
	pkg := img.Package("ca-certificates-java")
	trusted := map[string][]byte{}
	for _, name := range img.Tree.ReadDir(etcCerts) {
		n := img.Tree.Lookup(path.Join(etcCerts, name))
		if n.Type != tree.Symlink || !strings.HasSuffix(name, ".pem") || !strings.HasPrefix(n.Link, "/"+certsDir) && !strings.HasPrefix(n.Link, "/"+localDir) {
			continue
		}
		text, err := img.Tree.ReadFile(n.Path)
		if err != nil {
			return err
		}
		der, err := certs.Parse(text)
		if err != nil {
			continue // keytool would refuse it too, with a warning
		}
		trusted["debian:"+name] = der
	}
	_, password := javaDefaults(img)
	store, err := certs.Keystore(trusted, password)
	if err != nil {
		return err
	}
	return img.put(&tree.Node{
		Path: etcCerts + "/java/cacerts", Type: tree.File, Mode: 0o644, Content: tree.Bytes(store),
		Origin: pkg.origin("postinst", "update-ca-certificates-java", "/"+etcCerts+"/*.pem"),
	})
}
