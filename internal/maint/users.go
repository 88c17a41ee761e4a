package maint

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/script"
	"github.com/hardpan/hardpan/internal/tree"
)

// The originals of base-passwd.
const (
	passwdMaster = "usr/share/base-passwd/passwd.master"
	groupMaster  = "usr/share/base-passwd/group.master"
)

// BaseAccounts returns the accounts of base-passwd, or the smallest useful ones
// where the image has no such package.
func BaseAccounts(t *tree.Tree) (*accounts.File, error) {
	passwd, err := t.ReadFile(passwdMaster)
	if errors.Is(err, fs.ErrNotExist) {
		return accounts.Minimal(), nil
	} else if err != nil {
		return nil, err
	}
	group, err := t.ReadFile(groupMaster)
	if err != nil {
		return nil, err
	}
	return accounts.Parse(passwd, group, nil, nil)
}

// Accounts returns the base accounts and, in the order of configuration, those
// that the packages' scripts make: with adduser and its like where the arguments
// are constant, and with systemd-sysusers. The spec's accounts are for the
// caller to add, and the files to write, with [accounts.File.Write].
func Accounts(img *Image) (*accounts.File, error) {
	f, err := BaseAccounts(img.Tree)
	if err != nil {
		return nil, err
	}
	if img.calls == nil {
		img.calls, _ = readScripts(img)
	}
	err = img.each(func(p *Package, name string, c script.Call) error {
		if err := addAccounts(img, f, c); err != nil {
			return fmt.Errorf("%s %s:%d: %w", p.Name, name, c.Line, err)
		}
		return nil
	}, "adduser", "addgroup", "useradd", "groupadd", "usermod", "systemd-sysusers")
	return f, err
}

func addAccounts(img *Image, f *accounts.File, c script.Call) error {
	if c.Name() == "systemd-sysusers" {
		for _, name := range sysusersFiles(c) {
			if err := addSysusers(img, f, name); err != nil {
				return err
			}
		}
		return nil
	}
	// A call under a condition that cannot be known is mostly one that asks
	// whether the account is there already.
	if !c.Known {
		return nil
	}
	if user, group, ok := accounts.Membership(c.Args); ok {
		if f.User(user) == nil || f.Group(group) == nil {
			return nil
		}
		return f.AddMember(group, user)
	}
	s, ok, err := accounts.Adduser(c.Args)
	if err != nil || !ok {
		return err
	}
	return f.AddSystem(s)
}

// sysusersFiles returns the files that a call of systemd-sysusers names; those
// are all that debhelper's scripts ask for.
func sysusersFiles(c script.Call) []string {
	var files []string
	for _, a := range c.Args[1:] {
		if strings.HasSuffix(a, ".conf") && !strings.HasPrefix(a, "-") {
			files = append(files, path.Base(a))
		}
	}
	return files
}

func addSysusers(img *Image, f *accounts.File, name string) error {
	b, err := img.Tree.ReadFile(path.Join("usr/lib/sysusers.d", name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	list, members, err := accounts.Sysusers(b)
	if err != nil {
		return fmt.Errorf("/usr/lib/sysusers.d/%s %w", name, err)
	}
	for _, s := range list {
		if err := f.AddSystem(s); err != nil {
			return err
		}
	}
	for _, m := range members {
		if err := f.AddMember(m.Group, m.User); err != nil {
			return err
		}
	}
	return nil
}
