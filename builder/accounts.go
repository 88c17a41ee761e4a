package builder

import (
	"fmt"

	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/tree"
)

// addAccounts writes the accounts of the packages and the spec, and makes the home
// directories of the spec's users.
func (b *build) addAccounts(img *maint.Image) error {
	file, err := maint.Accounts(img)
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
	origin := &tree.Origin{Kind: tree.FromBuilder, Command: "accounts of the packages"}
	if len(b.spec.Accounts.Users)+len(b.spec.Accounts.Groups) > 0 {
		origin.Command += " and of the spec"
		origin.Spec = b.specOrigin("accounts").Spec
	}
	if err := file.Write(img.Tree, b.epoch.Unix(), origin); err != nil {
		return fmt.Errorf("cannot write accounts: %w", err)
	}
	return b.addHomes(img.Tree)
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
