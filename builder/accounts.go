package builder

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/tree"
)

// accountFiles are the files of the account database, in the order of
// [accounts.Parse].
var accountFiles = [4]string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"}

// addAccounts adds the spec's users and groups to those of the packages, and the
// users' home directories.
func (b *build) addAccounts(t *tree.Tree) error {
	file, err := readAccounts(t)
	if err != nil {
		return err
	}
	for i, g := range b.spec.Accounts.Groups {
		if err := file.AddGroup(accounts.Group{Name: g.Name, GID: uint32(g.GID)}); err != nil {
			return b.specError([]any{"accounts", "groups", i}, err)
		}
	}
	for i, u := range b.spec.Accounts.Users {
		user := accounts.User{Name: u.Name, UID: uint32(u.UID), GID: uint32(u.GID), Gecos: u.GECOS, Home: u.Home, Shell: u.Shell}
		if err := file.AddUser(user); err != nil {
			return b.specError([]any{"accounts", "users", i}, err)
		}
	}
	for i, g := range b.spec.Accounts.Groups {
		for _, m := range g.Members {
			if err := file.AddMember(g.Name, m); err != nil {
				return b.specError([]any{"accounts", "groups", i, "members"}, err)
			}
		}
	}
	origin := &tree.Origin{Kind: tree.FromBuilder, Command: "accounts of the base system"}
	if len(b.spec.Accounts.Users)+len(b.spec.Accounts.Groups) > 0 {
		origin = b.specOrigin("accounts")
	} else if t.Lookup(accountFiles[0]) != nil {
		return nil // the packages' scripts made them and the spec adds none
	}
	if err := file.Write(t, b.epoch.Unix(), origin); err != nil {
		return fmt.Errorf("cannot write accounts: %w", err)
	}
	return b.addHomes(t)
}

// readAccounts returns the accounts that the packages brought.
func readAccounts(t *tree.Tree) (*accounts.File, error) {
	var texts [4][]byte
	for i, name := range accountFiles {
		b, err := t.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		texts[i] = b
	}
	if len(texts[0]) == 0 {
		return accounts.Minimal(), nil
	}
	return accounts.Parse(texts[0], texts[1], texts[2], texts[3])
}

// noHome is the home directory of accounts that have none (Debian Policy 9.2.3).
const noHome = "/nonexistent"

// addHomes makes the home directories that are missing, private to their user.
func (b *build) addHomes(t *tree.Tree) error {
	for i, u := range b.spec.Accounts.Users {
		if u.Home == noHome || u.Home == "/" {
			continue
		}
		at, err := t.RealPath(u.Home)
		if err != nil {
			return b.specError([]any{"accounts", "users", i, "home"}, err)
		}
		if t.Lookup(at) != nil {
			continue
		}
		home := &tree.Node{
			Path: at, Type: tree.Dir, Mode: 0o750, UID: uint32(u.UID), GID: uint32(u.GID),
			ModTime: b.epoch.Unix(), Origin: b.specOrigin("accounts", "users", i),
		}
		if err := t.Add(home); err != nil {
			return b.specError([]any{"accounts", "users", i, "home"}, err)
		}
	}
	return nil
}
