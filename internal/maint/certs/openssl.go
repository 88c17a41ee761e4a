package certs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// openssl is openssl(1): rehash, and what asks for nothing.
func openssl(ctx context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) > 1 {
		switch p.Args[1] {
		case "rehash":
			q := *p
			q.Args = append([]string{"openssl rehash"}, p.Args[2:]...)
			return rehashCommand(ctx, &q)
		case "version":
			fmt.Fprintln(p.Stdout, "OpenSSL 3.5")
			return 0, nil
		}
	}
	return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
}

// rehashCommand is "openssl rehash" and c_rehash.
func rehashCommand(_ context.Context, p *shell.Proc) (int, error) {
	dirs := slices.DeleteFunc(slices.Clone(p.Args[1:]), func(a string) bool { return a == "-v" })
	if len(dirs) == 0 {
		dirs = []string{etcCerts}
	}
	for _, dir := range dirs {
		if strings.HasPrefix(dir, "-") {
			return 0, shell.Unsupported("%s %s", p.Args[0], dir)
		}
		if err := rehash(p.FS, p.Path(dir)); err != nil {
			return p.Fail(err)
		}
	}
	return 0, nil
}

// rehash makes the links that "openssl rehash" makes in a directory: for each file
// with exactly one certificate <hash>.<n>, where n tells subjects with one hash
// apart, in the order of the files' names. Links of that form that are there go.
func rehash(f *rootfs.FS, dir string) error {
	names, err := f.ReadDir(dir)
	if err != nil {
		return err
	}
	names = slices.Clone(names)
	taken := map[string][]string{} // by hash: the DER of each certificate
	links := map[string]string{}
	var order []string
	for _, name := range names {
		if ext := path.Ext(name); !slices.Contains([]string{".pem", ".crt", ".cer", ".crl"}, ext) || name == bundle {
			continue
		}
		text, err := f.ReadFile(dir + "/" + name)
		if err != nil {
			continue // a link to nothing, or a directory
		}
		der, err := Parse(text)
		if errors.Is(err, ErrNotOne) {
			continue
		}
		hash, err := subjectHash(der)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", dir, name, err)
		}
		if slices.Contains(taken[hash], string(der)) {
			continue // the same certificate under another name
		}
		link := fmt.Sprintf("%s.%d", hash, len(taken[hash]))
		taken[hash] = append(taken[hash], string(der))
		links[link] = name
		order = append(order, link)
	}
	for _, name := range names {
		if target, err := f.Readlink(dir + "/" + name); err == nil && isHash(name) && links[name] != target {
			if err := f.Remove(dir + "/" + name); err != nil {
				return err
			}
		}
	}
	for _, link := range order {
		at := dir + "/" + link
		if _, err := f.Readlink(at); err == nil {
			continue
		}
		restore := from(f, dir+"/"+links[link])
		err := f.Symlink(links[link], at)
		restore()
		if err != nil {
			return err
		}
	}
	return nil
}

// isHash reports whether a name is one that rehash gives.
func isHash(name string) bool {
	hash, n, ok := strings.Cut(name, ".")
	return ok && len(hash) == 8 && strings.Trim(hash, "0123456789abcdef") == "" && n != "" && strings.Trim(n, "0123456789") == ""
}

func subjectHash(der []byte) (string, error) {
	subject, err := Subject(der)
	if err != nil {
		return "", err
	}
	return Hash(subject)
}

// keystoreJAR is the program of ca-certificates-java that writes Java's keystore.
const keystoreJAR = "/usr/share/ca-certificates-java/ca-certificates-java.jar"

// java is java(1), as far as the scripts of ca-certificates-java call it.
func java(_ context.Context, p *shell.Proc) (int, error) {
	if p.Look(p.Args[0]) == "" {
		fmt.Fprintf(p.Stderr, "%s: not found\n", p.Args[0])
		return 127, nil
	}
	password, jar := "changeit", ""
	for args := p.Args[1:]; len(args) > 0; args = args[1:] {
		switch a := args[0]; {
		case a == "-version":
			fmt.Fprintln(p.Stderr, `openjdk version "21"`)
			return 0, nil
		case a == "-jar" && len(args) > 1:
			jar, args = args[1], args[1:]
		case a == "-storepass" && len(args) > 1:
			password, args = args[1], args[1:]
		case strings.HasPrefix(a, "-Xm"):
		default:
			return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
		}
	}
	if jar != keystoreJAR {
		return 0, shell.Unsupported("running Java's %s", strings.Join(p.Args, " "))
	}
	if _, err := io.Copy(io.Discard, p.Stdin); err != nil { // the changes; the store is made of all there are
		return 0, err
	}
	if err := writeKeystore(p.FS, password); err != nil {
		return p.Fail(err)
	}
	return 0, nil
}

// writeKeystore writes the keystore of the certificates that are trusted.
func writeKeystore(f *rootfs.FS, password string) error {
	names, err := f.ReadDir(etcCerts)
	if err != nil {
		return err
	}
	trusted := map[string][]byte{}
	for _, name := range names {
		target, err := f.Readlink(etcCerts + "/" + name)
		if err != nil || !strings.HasSuffix(name, ".pem") || !strings.HasPrefix(target, shipped) && !strings.HasPrefix(target, local) {
			continue
		}
		text, err := f.ReadFile(etcCerts + "/" + name)
		if err != nil {
			return err
		}
		der, err := Parse(text)
		if err != nil {
			continue // keytool would refuse it too, with a warning
		}
		trusted["debian:"+name] = der
	}
	store, err := Keystore(trusted, password)
	if err != nil {
		return err
	}
	defer from(f, etcCerts+"/*.pem")()
	return f.WriteFile(etcCerts+"/java/cacerts", store, 0o644)
}
