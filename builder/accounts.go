package builder

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// addFirstAccounts gives an image without base-passwd the accounts of every Debian
// system, which the scripts of its packages count on; see trimAccounts. Those of a base
// image stay as they are.
func (b *build) addFirstAccounts(img *maint.Image, base *baseImage) error {
	if img.Package("base-passwd") != nil || base.hasAccounts() && len(img.Packages) == 0 {
		return nil
	}
	file, err := baseAccounts()
	if err != nil {
		return err
	}
	if base.hasAccounts() {
		all := file
		if file, err = base.accounts(); err != nil {
			return b.specError([]any{"from"}, err)
		}
		for _, g := range all.Groups {
			_ = file.AddGroup(g) // whose name or id is taken is not needed by that of Debian's
		}
		for _, u := range all.Users {
			_ = file.AddUser(u)
		}
	}
	return file.Write(img.Tree, b.epoch.Unix(), &tree.Origin{Kind: tree.FromBuilder, Command: "accounts of every Debian system"})
}

// baseAccounts are those of base-passwd.
func baseAccounts() (*accounts.File, error) {
	file := &accounts.File{}
	base := specs.BaseAccounts()
	for _, g := range base.Groups {
		if err := file.AddGroup(accounts.Group{Name: g.Name, GID: uint32(g.GID), Password: "*"}); err != nil {
			return nil, fmt.Errorf("cannot add a group of the base system: %w", err)
		}
	}
	for _, u := range base.Users {
		user := accounts.User{Name: u.Name, UID: uint32(u.UID), GID: uint32(u.GID), Gecos: u.GECOS, Home: u.Home, Shell: u.Shell, Password: "*"}
		if err := file.AddUser(user); err != nil {
			return nil, fmt.Errorf("cannot add an account of the base system: %w", err)
		}
	}
	return file, nil
}

// trimAccounts returns file, the least that the image is to have, with those accounts
// that scripts added to what addFirstAccounts wrote. What else the image needs addBaseAccounts adds.
func trimAccounts(found, file *accounts.File) (*accounts.File, error) {
	base, err := baseAccounts()
	if err != nil {
		return nil, err
	}
	for _, g := range found.Groups {
		if b := base.Group(g.Name); b != nil && len(g.Members) == 0 {
			continue
		}
		if old := file.Group(g.Name); old != nil {
			old.Members = g.Members
		} else if err := file.AddGroup(g); err != nil {
			return nil, err
		}
	}
	for _, u := range found.Users {
		if old := file.User(u.Name); old != nil {
			*old = u
			continue
		}
		if base.User(u.Name) != nil {
			continue
		}
		if !slices.ContainsFunc(file.Groups, func(g accounts.Group) bool { return g.GID == u.GID }) {
			for _, g := range found.Groups {
				if g.GID == u.GID {
					if err := file.AddGroup(g); err != nil {
						return nil, err
					}
				}
			}
		}
		if err := file.AddSystemUser(u); err != nil {
			return nil, err
		}
	}
	return file, nil
}

// addAccounts writes the accounts of the packages and the spec, and makes the home
// directories of the spec's users.
func (b *build) addAccounts(img *maint.Image, base *baseImage) error {
	t := img.Tree
	file, err := accounts.Read(t)
	if err != nil && base.hasAccounts() {
		return b.specError([]any{"from"}, fmt.Errorf("cannot read the accounts of base image %s: %w", base.reference, err))
	}
	if err != nil {
		return err
	}
	found := file.Text(0)
	least := accounts.Minimal()
	if base.hasAccounts() {
		if least, err = base.accounts(); err != nil {
			return err
		}
	}
	if img.Package("base-passwd") == nil {
		if file, err = trimAccounts(file, least); err != nil {
			return fmt.Errorf("cannot take over the accounts of the packages: %w", err)
		}
	}
	if err := b.declareAccounts(file); err != nil {
		return err
	}
	if err := b.addBaseAccounts(t, file); err != nil {
		return err
	}
	for i, g := range b.spec.Accounts.Groups {
		for _, m := range g.Members {
			if err := file.AddMember(g.Name, m); err != nil {
				return b.specError([]any{"accounts", "groups", i, "members"}, err)
			}
		}
	}
	now := file.Text(0)
	if reflect.DeepEqual(found, now) {
		return b.addHomes(t) // the files say it already
	}
	if base.hasAccounts() {
		if was, err := base.accounts(); err == nil && reflect.DeepEqual(was.Text(0), now) {
			if err := base.restore(t, accountFiles...); err != nil {
				return err
			}
			return b.addHomes(t)
		}
	}
	origin := &tree.Origin{Kind: tree.FromBuilder, Command: "accounts of the packages"}
	if len(b.spec.Accounts.Users)+len(b.spec.Accounts.Groups) > 0 {
		origin.Command += " and of the spec"
		origin.Spec = b.specOrigin("accounts").Spec
	}
	if err := file.Write(t, b.epoch.Unix(), origin); err != nil {
		return fmt.Errorf("cannot write accounts: %w", err)
	}
	return b.addHomes(t)
}

// declareAccounts adds the accounts of the spec to file. One that is there as the spec
// declares it, made by a package's script or a base image, stays as it is.
func (b *build) declareAccounts(file *accounts.File) error {
	for i, g := range b.spec.Accounts.Groups {
		old := file.Group(g.Name)
		if old != nil && old.GID == uint32(g.GID) {
			continue
		}
		if err := file.AddGroup(accounts.Group{Name: g.Name, GID: uint32(g.GID)}); err != nil {
			if old != nil {
				err = &takenError{err, fmt.Sprintf("{name: %s, gid: %d}", old.Name, old.GID)}
			}
			return b.specError([]any{"accounts", "groups", i}, err)
		}
	}
	for i, u := range b.spec.Accounts.Users {
		user := accounts.User{Name: u.Name, UID: uint32(u.UID), GID: uint32(u.GID), Gecos: u.GECOS, Home: u.Home, Shell: u.Shell}
		old := file.User(u.Name)
		if old != nil && isAccount(*old, user) {
			continue
		}
		if err := file.AddUser(user); err != nil {
			if old != nil {
				err = &takenError{err, fmt.Sprintf("{name: %s, uid: %d, gid: %d, home: %s, shell: %s}", old.Name, old.UID, old.GID, old.Home, old.Shell)}
			}
			return b.specError([]any{"accounts", "users", i}, err)
		}
	}
	return nil
}

// takenError says that an account of the spec is there already, and is another.
type takenError struct {
	error
	account string // as a spec declares it
}

func (e *takenError) Unwrap() error { return e.error }
func (e *takenError) Hint() string {
	return "a package or the base image makes it: declare it as it is, " + e.account + ", or another name"
}

// addBaseAccounts adds those accounts of every Debian system that the image needs,
// so that a program finds the user that it runs as, and every file has an owner
// and a group with a name. base-passwd would bring all of them.
func (b *build) addBaseAccounts(t *tree.Tree, file *accounts.File) error {
	need, err := b.neededAccounts(t)
	if err != nil {
		return err
	}
	base := specs.BaseAccounts()
	for _, u := range base.Users {
		if file.User(u.Name) != nil || !need.uids[u.UID] && !need.names[u.Name] {
			continue
		}
		need.gids[u.GID] = true
		user := accounts.User{Name: u.Name, UID: uint32(u.UID), GID: uint32(u.GID), Gecos: u.GECOS, Home: u.Home, Shell: u.Shell, Password: "*"}
		need.users = append(need.users, user)
	}
	for _, g := range base.Groups {
		if file.Group(g.Name) != nil || !need.gids[g.GID] {
			continue
		}
		if err := file.AddGroup(accounts.Group{Name: g.Name, GID: uint32(g.GID), Password: "*"}); err != nil {
			return fmt.Errorf("cannot add a group of the base system: %w", err)
		}
	}
	for _, u := range need.users {
		if err := file.AddUser(u); err != nil {
			return fmt.Errorf("cannot add an account of the base system: %w", err)
		}
	}
	return nil
}

// needed is what an image refers to its accounts by.
type needed struct {
	uids, gids map[specs.ID]bool
	names      map[string]bool // of users that are members of the spec's groups
	users      []accounts.User
}

// neededAccounts returns the owners of the tree, also those that the spec is yet
// to set, who the image is run as, and the members of the spec's groups.
func (b *build) neededAccounts(t *tree.Tree) (needed, error) {
	n := needed{uids: map[specs.ID]bool{}, gids: map[specs.ID]bool{}, names: map[string]bool{}}
	uid, gid, err := b.spec.Accounts.Resolve()
	if err != nil {
		return n, b.specError([]any{"accounts", "run-as"}, err)
	}
	n.uids[uid], n.gids[gid] = true, true
	for node := range t.All() {
		if node.Origin != nil && node.Origin.Base != "" {
			continue // whoever made the base image gave its files their owners
		}
		n.uids[specs.ID(node.UID)], n.gids[specs.ID(node.GID)] = true, true
	}
	for _, p := range b.spec.Paths {
		if p.UID != nil {
			n.uids[*p.UID] = true
		}
		if p.GID != nil {
			n.gids[*p.GID] = true
		}
	}
	for _, g := range b.spec.Accounts.Groups {
		for _, m := range g.Members {
			n.names[m] = true
		}
	}
	return n, nil
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

// accountFiles are the files that accounts are in.
var accountFiles = []string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"}

// hasAccounts reports whether there is a base image, and it has accounts.
func (base *baseImage) hasAccounts() bool {
	return base != nil && base.tree.Lookup("etc/passwd") != nil
}

// accounts returns those of the base image.
func (base *baseImage) accounts() (*accounts.File, error) {
	file, err := accounts.Read(base.tree)
	if err != nil {
		return nil, fmt.Errorf("cannot read the accounts of base image %s: %w", base.reference, err)
	}
	return file, nil
}

// restore makes paths what they are in the base image.
func (base *baseImage) restore(t *tree.Tree, names ...string) error {
	for _, name := range names {
		if old := base.tree.Lookup(name); old == nil {
			t.Remove(name)
		} else if err := t.Set(clone(old)); err != nil {
			return err
		}
	}
	return nil
}

// isAccount reports whether an account that is there is the one that a spec declares.
func isAccount(old, user accounts.User) bool {
	return old.UID == user.UID && old.GID == user.GID && old.Home == user.Home && old.Shell == user.Shell
}
