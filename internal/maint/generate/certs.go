package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/certs"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// bundle is one call of update-ca-certificates(8).
type bundle struct {
	*shell.Proc
	conf, dir, local, etc, name, hooks string
	fresh, all                         bool
	added, removed                     []string // as the hooks read them
	text                               []byte
	used                               []string // the certificates
}

func updateCACertificates(ctx context.Context, p *shell.Proc) (int, error) {
	b := &bundle{
		Proc: p, conf: "/etc/ca-certificates.conf", dir: "/usr/share/ca-certificates", local: "/usr/local/share/ca-certificates",
		etc: "/etc/ssl/certs", name: "ca-certificates.crt", hooks: "/etc/ca-certificates/update.d",
	}
	valued := map[string]*string{"--certsconf": &b.conf, "--certsdir": &b.dir, "--localcertsdir": &b.local, "--certbundle": &b.name, "--etccertsdir": &b.etc, "--hooksdir": &b.hooks}
	for args := p.Args[1:]; len(args) > 0; args = args[1:] {
		switch to := valued[args[0]]; {
		case to != nil && len(args) > 1:
			*to, args = args[1], args[1:]
		case args[0] == "--fresh" || args[0] == "-f":
			b.fresh = true
		case args[0] == "--default" || args[0] == "-d":
			b.fresh, b.all = true, true
		case args[0] == "--verbose" || args[0] == "-v":
			return 0, shell.Unsupported("update-ca-certificates --verbose")
		case args[0] == "--sysroot":
			return 0, shell.Unsupported("update-ca-certificates --sysroot")
		default:
			_, err := fmt.Fprintf(p.Stdout, "%s: [--verbose] [--fresh]\n", p.Args[0])
			return 0, err
		}
	}
	if err := b.run(ctx); err != nil {
		return fail(p, err)
	}
	return 0, nil
}

func (b *bundle) run(ctx context.Context) error {
	var conf []byte
	if n, err := b.FS.Stat(b.conf); err == nil && n.Size > 0 {
		if conf, err = b.FS.ReadFile(b.conf); err != nil {
			return err
		}
	} else {
		b.fresh = true
	}
	if !b.FS.IsDir(b.etc) {
		return fmt.Errorf("update-ca-certificates: %s is no directory", b.etc)
	}
	if b.fresh {
		fmt.Fprintf(b.Stdout, "Clearing symlinks in %s...\n", b.etc)
		if err := b.clear(); err != nil {
			return err
		}
		fmt.Fprintln(b.Stdout, "done.")
	}
	fmt.Fprintf(b.Stdout, "Updating certificates in %s...\n", b.etc)
	if err := b.collect(string(conf)); err != nil {
		return err
	}
	if len(b.added)+len(b.removed) > 0 {
		if err := orphans(b.FS, b.etc); err != nil {
			return err
		}
		if err := rehash(b.FS, b.etc); err != nil {
			return err
		}
	}
	if b.text != nil {
		from(b.Proc, append([]string{b.conf}, b.used...)...)
		at := b.etc + "/" + b.name
		if err := b.FS.WriteFile(at+".new", b.text, 0o644); err != nil {
			return err
		}
		if err := b.FS.Rename(at+".new", at); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.Stdout, "%d added, %d removed; done.\n", len(b.added), len(b.removed))
	return b.runHooks(ctx)
}

// clear removes the links to certificates, and those that lead nowhere.
func (b *bundle) clear() error {
	for _, at := range links(b.FS, b.etc) {
		to, err := b.FS.Readlink(at)
		if err != nil {
			return err
		}
		if strings.HasPrefix(to, b.dir) || strings.HasPrefix(to, b.local) {
			if err := b.FS.Remove(at); err != nil {
				return err
			}
		}
	}
	for _, at := range links(b.FS, b.etc) {
		if !isFile(b.Proc, at) {
			if err := b.FS.Remove(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// links returns the paths of all links below a directory.
func links(f *rootfs.FS, dir string) []string {
	var all []string
	names, err := f.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, name := range names {
		at := dir + "/" + name
		switch n, err := f.Lstat(at); {
		case err != nil:
		case n.Type == tree.Symlink:
			all = append(all, at)
		case n.Type == tree.Dir:
			all = append(all, links(f, at)...)
		}
	}
	return all
}

func orphans(f *rootfs.FS, dir string) error {
	for _, at := range links(f, dir) {
		if !f.Exists(at) {
			if err := f.Remove(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect finds the certificates that are trusted, in the order of the bundle.
func (b *bundle) collect(conf string) error {
	var listed []string
	for line := range strings.Lines(conf) {
		line = strings.TrimSuffix(line, "\n")
		if crt, ok := strings.CutPrefix(line, "!"); ok {
			if err := b.remove(b.dir + "/" + crt); err != nil {
				return err
			}
		} else if line != "" && line[0] != '#' {
			listed = append(listed, strings.TrimSpace(line))
		}
	}
	if b.all {
		for _, crt := range find(b.FS, b.dir, 0) {
			if err := b.add(crt); err != nil {
				return err
			}
		}
	}
	for _, crt := range listed {
		if !isFile(b.Proc, b.dir+"/"+crt) {
			fmt.Fprintf(b.Stderr, "W: %s/%s not found, but listed in %s.\n", b.dir, crt, b.conf)
			continue
		}
		if err := b.add(b.dir + "/" + crt); err != nil {
			return err
		}
	}
	for _, crt := range find(b.FS, b.local, 0) {
		if err := b.add(crt); err != nil {
			return err
		}
	}
	return nil
}

// maxDepth bounds a search through links to directories.
const maxDepth = 20

// find returns the files below a directory whose names end in .crt, links
// followed, as "find -L | sort" lists them.
func find(f *rootfs.FS, dir string, depth int) []string {
	names, err := f.ReadDir(dir)
	if err != nil || depth > maxDepth {
		return nil
	}
	var found []string
	for _, name := range names {
		at := dir + "/" + name
		switch n, err := f.Stat(at); {
		case err != nil:
		case n.Type == tree.Dir:
			found = append(found, find(f, at, depth+1)...)
		case n.Type == tree.File && strings.HasSuffix(name, ".crt"):
			found = append(found, at)
		}
	}
	slices.Sort(found)
	return found
}

// pem is the link to a certificate.
func (b *bundle) pem(crt string) string {
	name := strings.TrimSuffix(path.Base(crt), ".crt")
	return b.etc + "/" + strings.NewReplacer(" ", "_", "(", "=", ")", "=", ",", "_").Replace(name) + ".pem"
}

func (b *bundle) add(crt string) error {
	pem := b.pem(crt)
	if to, err := b.FS.Readlink(pem); err != nil || to != crt || !b.FS.Exists(pem) {
		from(b.Proc, crt)
		if err := b.FS.RemoveAll(pem); err != nil {
			return err
		}
		if err := b.FS.Symlink(crt, pem); err != nil {
			return err
		}
		b.added = append(b.added, "+"+pem)
	}
	text, err := b.FS.ReadFile(crt)
	if err != nil {
		return err
	}
	b.used = append(b.used, crt)
	b.text = append(b.text, text...)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		b.text = append(b.text, '\n')
	}
	return nil
}

func (b *bundle) remove(crt string) error {
	pem := b.etc + "/" + strings.TrimSuffix(path.Base(crt), ".crt") + ".pem"
	if _, err := b.FS.Readlink(pem); err != nil {
		return nil
	}
	b.removed = append(b.removed, "-"+pem)
	return b.FS.Remove(pem)
}

var hookName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// runHooks runs the scripts that want to know of changes.
func (b *bundle) runHooks(ctx context.Context) error {
	if b.hooks == "" || !b.FS.IsDir(b.hooks) {
		return nil
	}
	fmt.Fprintf(b.Stdout, "Running hooks in %s...\n", b.hooks)
	names, err := b.FS.ReadDir(b.hooks)
	if err != nil {
		return err
	}
	text := ""
	if changes := slices.Concat(b.added, b.removed); len(changes) > 0 {
		text = strings.Join(changes, "\n") + "\n"
	}
	for _, name := range slices.Clone(names) {
		n, err := b.FS.Stat(b.hooks + "/" + name)
		if err != nil || n.Type != tree.File || n.Mode&0o111 == 0 || !hookName.MatchString(name) {
			continue
		}
		q := *b.Proc
		q.Stdin, q.Dir = strings.NewReader(text), b.etc
		status, err := q.Run(ctx, b.hooks+"/"+name)
		if err != nil {
			return err
		}
		if status != 0 {
			fmt.Fprintf(b.Stdout, "E: %s exited with code %d.\n", b.hooks+"/"+name, status)
		}
	}
	_, err = io.WriteString(b.Stdout, "done.\n")
	return err
}

var hashName = regexp.MustCompile(`^[0-9a-f]{8}\.r?[0-9]+$`)

// rehash makes the links by which OpenSSL finds certificates in a directory
// (openssl-rehash(1)): for each file with exactly one certificate HASH.N, where N
// tells subjects with one hash apart, in the order of the files' names.
func rehash(f *rootfs.FS, dir string) error {
	names, err := f.ReadDir(dir)
	if err != nil {
		return err
	}
	wanted := map[string]string{}
	taken := map[string][][]byte{} // by hash
	for _, name := range names {
		if !slices.Contains([]string{".pem", ".crt", ".cer", ".crl"}, path.Ext(name)) {
			continue
		}
		text, err := f.ReadFile(dir + "/" + name)
		if err != nil {
			continue // leads nowhere, or is a directory
		}
		if bytes.Contains(text, []byte("BEGIN X509 CRL")) {
			return shell.Unsupported("openssl rehash of a revocation list, %s,", name)
		}
		der, err := certs.Parse(text)
		if errors.Is(err, certs.ErrNotOne) {
			continue
		}
		if err != nil {
			return err
		}
		subject, err := certs.Subject(der)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", dir, name, err)
		}
		hash, err := certs.Hash(subject)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", dir, name, err)
		}
		if slices.ContainsFunc(taken[hash], func(d []byte) bool { return bytes.Equal(d, der) }) {
			continue // the same certificate under another name
		}
		wanted[fmt.Sprintf("%s.%d", hash, len(taken[hash]))] = name
		taken[hash] = append(taken[hash], der)
	}
	for _, name := range slices.Clone(names) {
		if to, err := f.Readlink(dir + "/" + name); err == nil && hashName.MatchString(name) {
			if wanted[name] == to {
				delete(wanted, name)
			} else if err := f.Remove(dir + "/" + name); err != nil {
				return err
			}
		}
	}
	for name, to := range wanted {
		if err := f.Symlink(to, dir+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// cRehash is c_rehash(1).
func cRehash(_ context.Context, p *shell.Proc) (int, error) {
	return rehashAll(p, p.Args[1:])
}

// openssl is openssl(1), of which rehash is known, and what makes keys.
func openssl(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) > 1 {
		switch args := p.Args[2:]; p.Args[1] {
		case "rehash":
			return rehashAll(p, args)
		case "rand", "dhparam", "genrsa", "genpkey":
			return opensslOut(p, args)
		case "req":
			return opensslReq(p, args)
		case "x509":
			return opensslX509(p, args)
		}
	}
	return 0, shell.Unsupported("%s", strings.Join(p.Args[:min(2, len(p.Args))], " "))
}

func rehashAll(p *shell.Proc, args []string) (int, error) {
	dirs := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
	if len(dirs) == 0 {
		dirs = []string{"/usr/lib/ssl/certs"}
	}
	for _, dir := range dirs {
		if err := rehash(p.FS, path.Clean(p.Path(dir))); err != nil {
			return fail(p, err)
		}
	}
	return 0, nil
}
