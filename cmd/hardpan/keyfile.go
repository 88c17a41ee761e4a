package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/kms"
	"github.com/hardpan/hardpan/internal/sign"
)

// keyFile reads the file that --key names.
func (a *app) keyFile() ([]byte, error) {
	text, _, err := a.openKeyFile("name the file of the public key of who signed with --key")
	return text, err
}

// openKeyFile reads the file that --key names. The hint is for where it names none.
func (a *app) openKeyFile(hint string) ([]byte, fs.FileInfo, error) {
	name := a.settings.GetString("key")
	switch {
	case name == "":
		return nil, nil, usageError{err: errors.New("no key is given"), hint: hint}
	case kms.IsReference(name):
		name, _, _ = strings.Cut(name, "?") // after which somebody may have put a PIN
		return nil, nil, usageError{err: fmt.Errorf("key %s is not in a file, expected the file of a public key", name), hint: "hardpan key public writes it"}
	}
	f, err := os.Open(name)
	if uri, ok := strings.CutPrefix(name, "pkcs11:"); ok && err != nil { // as other programs write it (RFC 7512)
		uri, _, _ = strings.Cut(uri, "?")
		return nil, nil, usageError{err: fmt.Errorf("key pkcs11:%s is neither a file nor a reference NAME://KEY", uri), hint: "a key in a token is named pkcs11://" + uri}
	}
	if err != nil {
		return nil, nil, usagef("cannot read the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, usagef("cannot read the key: %w", err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, usagef("cannot read the key: %w", err)
	}
	return text, info, nil
}

// privateKey returns the file that --key names, and its password. A key that anybody who
// reads the file can use is refused where others may read it, as ssh does.
func (a *app) privateKey() (text, password []byte, err error) {
	text, info, err := a.openKeyFile("name its file with --key; hardpan key generate makes one")
	if err != nil {
		return nil, nil, err
	}
	if err := refuseCoreFiles(); err != nil {
		return nil, nil, err
	}
	name := a.settings.GetString("key")
	if password, err = a.password(fmt.Sprintf("password of %s: ", name), false); err != nil {
		return nil, nil, err
	}
	if isExposed(info, os.Geteuid()) && !sign.IsProtected(text, password) {
		return nil, nil, usageError{
			err:  fmt.Errorf("%s: others may read the private key, which no password protects: found mode %#o, expected 0600", name, info.Mode().Perm()),
			hint: "chmod 600 " + name,
		}
	}
	return text, password, nil
}

// isExposed reports whether group or others may read a file. Where the user cannot change
// that it does not count: a file of another's is one that somebody gave to read, such as a
// secret that Kubernetes mounts for a group.
func isExposed(info fs.FileInfo, user int) bool {
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o044 == 0 {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && (user == 0 || user == int(owner.Uid))
}
