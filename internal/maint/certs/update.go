package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// The places of update-ca-certificates(8).
const (
	conf     = "/etc/ca-certificates.conf"
	shipped  = "/usr/share/ca-certificates"
	local    = "/usr/local/share/ca-certificates"
	etcCerts = "/etc/ssl/certs"
	bundle   = "ca-certificates.crt"
	hooks    = "/etc/ca-certificates/update.d"
)

// Commands returns update-ca-certificates, what scripts want of openssl(1), and
// what they want of java(1) for its keystore.
func Commands() map[string]shell.Command {
	return map[string]shell.Command{
		"update-ca-certificates": updateCommand, "openssl": openssl, "c_rehash": rehashCommand, "java": java,
	}
}

// update is one call of update-ca-certificates.
type update struct {
	*shell.Proc
	ctx                                      context.Context
	conf, shipped, local, etc, bundle, hooks string
	fresh, all                               bool
	text                                     bytes.Buffer // the bundle
	inputs                                   []string
	added, removed                           []string
}

// updateCommand is update-ca-certificates(8), the script of package
// ca-certificates.
func updateCommand(ctx context.Context, p *shell.Proc) (int, error) {
	u := &update{Proc: p, ctx: ctx, conf: conf, shipped: shipped, local: local, etc: etcCerts, bundle: bundle, hooks: hooks}
	valued := map[string]*string{
		"--certsconf": &u.conf, "--certsdir": &u.shipped, "--localcertsdir": &u.local,
		"--certbundle": &u.bundle, "--etccertsdir": &u.etc, "--hooksdir": &u.hooks,
	}
	for args := p.Args[1:]; len(args) > 0; args = args[1:] {
		switch to := valued[args[0]]; {
		case to != nil && len(args) > 1:
			*to, args = args[1], args[1:]
		case args[0] == "--fresh" || args[0] == "-f":
			u.fresh = true
		case args[0] == "--default" || args[0] == "-d":
			u.all, u.fresh = true, true
		case args[0] == "--verbose" || args[0] == "-v":
		default:
			fmt.Fprintf(p.Stdout, "%s: [--verbose] [--fresh]\n", p.Args[0])
			return 0, nil
		}
	}
	if n, err := p.FS.Stat(u.conf); err != nil || n.Size == 0 {
		u.fresh = true
	}
	if err := u.run(); err != nil {
		return p.Fail(err)
	}
	return u.runHooks()
}

func (u *update) run() error {
	if u.fresh {
		if err := u.clear(); err != nil {
			return err
		}
	}
	if u.all {
		for _, cert := range u.find(u.shipped) {
			if err := u.add(cert); err != nil {
				return err
			}
		}
	}
	if err := u.configured(); err != nil {
		return err
	}
	for _, cert := range u.find(u.local) {
		if err := u.add(cert); err != nil {
			return err
		}
	}
	if len(u.added)+len(u.removed) > 0 {
		if err := u.dropOrphans(); err != nil {
			return err
		}
		if err := rehash(u.FS, u.etc); err != nil {
			return err
		}
	}
	if u.text.Len() > 0 {
		if err := u.writeBundle(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(u.Stdout, "%d added, %d removed; done.\n", len(u.added), len(u.removed))
	return err
}

// from sets the origin of what is made next.
func from(f *rootfs.FS, inputs ...string) (restore func()) {
	old := f.Origin
	if old != nil {
		o := *old
		o.Inputs = inputs
		f.Origin = &o
	}
	return func() { f.Origin = old }
}

func (u *update) writeBundle() error {
	defer from(u.FS, u.inputs...)()
	at := u.etc + "/" + u.bundle
	if old, err := u.FS.ReadFile(at); err == nil && bytes.Equal(old, u.text.Bytes()) {
		return nil
	}
	if err := u.FS.RemoveAll(at); err != nil {
		return err
	}
	return u.FS.WriteFile(at, u.text.Bytes(), 0o644)
}

// configured does what /etc/ca-certificates.conf says.
func (u *update) configured() error {
	text, err := u.FS.ReadFile(u.conf)
	if err != nil {
		return err
	}
	u.inputs = append(u.inputs, u.conf)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range lines {
		if name, off := strings.CutPrefix(strings.TrimSpace(line), "!"); off {
			if err := u.remove(u.shipped + "/" + name); err != nil {
				return err
			}
		}
	}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		cert := u.shipped + "/" + line
		if n, err := u.FS.Stat(cert); err != nil || n.Type != tree.File {
			fmt.Fprintf(u.Stderr, "W: %s not found, but listed in %s.\n", cert, u.conf)
			continue
		}
		if err := u.add(cert); err != nil {
			return err
		}
	}
	return nil
}

// clear removes the links to certificates, and those that lead nowhere.
func (u *update) clear() error {
	return u.links(func(at, target string) bool {
		return strings.HasPrefix(target, u.shipped) || strings.HasPrefix(target, u.local) || !u.FS.Exists(at)
	})
}

func (u *update) dropOrphans() error {
	return u.links(func(at, _ string) bool { return !u.FS.Exists(at) })
}

// links removes the links below /etc/ssl/certs for which drop is true.
func (u *update) links(drop func(at, target string) bool) error {
	names, err := u.FS.ReadDir(u.etc)
	if err != nil {
		return err
	}
	for _, name := range slices.Clone(names) {
		at := u.etc + "/" + name
		if target, err := u.FS.Readlink(at); err == nil && drop(at, target) {
			if err := u.FS.Remove(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// pemName is the name of the link to a certificate.
func pemName(cert string) string {
	return strings.NewReplacer(" ", "_", "(", "=", ")", "=", ",", "_").Replace(strings.TrimSuffix(path.Base(cert), ".crt")) + ".pem"
}

// add trusts a certificate: it gets a link, and a place in the bundle.
func (u *update) add(cert string) error {
	text, err := u.FS.ReadFile(cert)
	if err != nil {
		return err
	}
	pem := u.etc + "/" + pemName(cert)
	if target, err := u.FS.Readlink(pem); err != nil || target != cert {
		defer from(u.FS, cert)()
		if err := u.FS.RemoveAll(pem); err != nil {
			return err
		}
		if err := u.FS.Symlink(cert, pem); err != nil {
			return err
		}
		u.added = append(u.added, "+"+pem)
	}
	u.text.Write(text)
	if len(text) > 0 && text[len(text)-1] != '\n' { // sed -e '$a\'
		u.text.WriteByte('\n')
	}
	if input := path.Dir(cert) + "/*.crt"; !slices.Contains(u.inputs, input) {
		u.inputs = append(u.inputs, input)
	}
	return nil
}

func (u *update) remove(cert string) error {
	pem := u.etc + "/" + strings.TrimSuffix(path.Base(cert), ".crt") + ".pem"
	if _, err := u.FS.Readlink(pem); err != nil {
		return nil
	}
	u.removed = append(u.removed, "-"+pem)
	return u.FS.Remove(pem)
}

// find returns the certificates below dir, sorted by path. Links to files count,
// and so do those to directories (find -L).
func (u *update) find(dir string) []string {
	var found []string
	var walk func(at string, depth int)
	walk = func(at string, depth int) {
		names, err := u.FS.ReadDir(at)
		if err != nil || depth > 20 {
			return
		}
		for _, name := range names {
			p := at + "/" + name
			n, err := u.FS.Stat(p)
			switch {
			case err != nil:
			case n.Type == tree.Dir:
				walk(p, depth+1)
			case strings.HasSuffix(name, ".crt"):
				found = append(found, p)
			}
		}
	}
	walk(dir, 0)
	slices.Sort(found)
	return found
}

// runHooks tells the hooks what was added and removed.
func (u *update) runHooks() (int, error) {
	names, err := u.FS.ReadDir(u.hooks)
	if u.hooks == "" || errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return u.Fail(err)
	}
	list := strings.Join(append(slices.Clone(u.added), u.removed...), "\n")
	if list != "" {
		list += "\n"
	}
	for _, name := range slices.Clone(names) {
		hook := u.hooks + "/" + name
		n, err := u.FS.Stat(hook)
		if err != nil || n.Type != tree.File || n.Mode&0o111 == 0 || strings.Contains(name, ".") { // as run-parts(8)
			continue
		}
		u.Stdin = strings.NewReader(list)
		status, err := u.Run(u.ctx, hook)
		if err != nil {
			return 0, err
		}
		if status != 0 {
			fmt.Fprintf(u.Stdout, "E: %s exited with code %d.\n", hook, status)
		}
	}
	return 0, nil
}
