package specs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// nologin is the shell of an account that nobody logs in to.
const nologin = "/usr/sbin/nologin"

// baseUsers and baseGroups are the accounts of every Debian system, from
// passwd.master and group.master of base-passwd 3.6.1 (bookworm) and 3.6.7 (trixie).
// The shells of root and sync are not those of an image, which may have none.
var baseUsers = []User{
	{"root", 0, 0, "/root", nologin, "root"}, {"daemon", 1, 1, "/usr/sbin", nologin, "daemon"},
	{"bin", 2, 2, "/bin", nologin, "bin"}, {"sys", 3, 3, "/dev", nologin, "sys"},
	{"sync", 4, 65534, "/bin", nologin, "sync"}, {"games", 5, 60, "/usr/games", nologin, "games"},
	{"man", 6, 12, "/var/cache/man", nologin, "man"}, {"lp", 7, 7, "/var/spool/lpd", nologin, "lp"},
	{"mail", 8, 8, "/var/mail", nologin, "mail"}, {"news", 9, 9, "/var/spool/news", nologin, "news"},
	{"uucp", 10, 10, "/var/spool/uucp", nologin, "uucp"}, {"proxy", 13, 13, "/bin", nologin, "proxy"},
	{"www-data", 33, 33, "/var/www", nologin, "www-data"}, {"backup", 34, 34, "/var/backups", nologin, "backup"},
	{"list", 38, 38, "/var/list", nologin, "Mailing List Manager"}, {"irc", 39, 39, "/run/ircd", nologin, "ircd"},
	{"_apt", 42, 65534, "/nonexistent", nologin, ""}, {"nobody", 65534, 65534, "/nonexistent", nologin, "nobody"},
}

var baseGroups = []Group{
	{Name: "root", GID: 0}, {Name: "daemon", GID: 1}, {Name: "bin", GID: 2}, {Name: "sys", GID: 3},
	{Name: "adm", GID: 4}, {Name: "tty", GID: 5}, {Name: "disk", GID: 6}, {Name: "lp", GID: 7},
	{Name: "mail", GID: 8}, {Name: "news", GID: 9}, {Name: "uucp", GID: 10}, {Name: "man", GID: 12},
	{Name: "proxy", GID: 13}, {Name: "kmem", GID: 15}, {Name: "dialout", GID: 20}, {Name: "fax", GID: 21},
	{Name: "voice", GID: 22}, {Name: "cdrom", GID: 24}, {Name: "floppy", GID: 25}, {Name: "tape", GID: 26},
	{Name: "sudo", GID: 27}, {Name: "audio", GID: 29}, {Name: "dip", GID: 30}, {Name: "www-data", GID: 33},
	{Name: "backup", GID: 34}, {Name: "operator", GID: 37}, {Name: "list", GID: 38}, {Name: "irc", GID: 39},
	{Name: "src", GID: 40}, {Name: "shadow", GID: 42}, {Name: "utmp", GID: 43}, {Name: "video", GID: 44},
	{Name: "sasl", GID: 45}, {Name: "plugdev", GID: 46}, {Name: "staff", GID: 50}, {Name: "games", GID: 60},
	{Name: "users", GID: 100}, {Name: "nogroup", GID: 65534},
}

// BaseAccounts returns the accounts of every Debian system. Their ids never change
// (Debian Policy 9.2.2), so a package may give files to them without making them.
func BaseAccounts() Accounts {
	return Accounts{Users: slices.Clone(baseUsers), Groups: slices.Clone(baseGroups)}
}

// Resolve returns the ids that RunAs stands for; none is root's. A user's group,
// where RunAs has none, is that of the account; for a number without an account it
// is root's, as runtimes have it (OCI image config, User).
func (a *Accounts) Resolve() (uid, gid ID, err error) {
	if a.RunAs == "" {
		return 0, 0, nil
	}
	user, group, hasGroup := strings.Cut(a.RunAs, ":")
	uid, gid, err = a.user(user)
	if err == nil && hasGroup {
		gid, err = a.group(group)
	}
	return uid, gid, err
}

func (a *Accounts) user(name string) (uid, gid ID, err error) {
	n, isNumber, err := parseID(name)
	if err != nil {
		return 0, 0, err
	}
	var names []string
	for _, u := range a.Users {
		if u.Name == name || isNumber && u.UID == n {
			return u.UID, u.GID, nil
		}
		names = append(names, u.Name)
	}
	for _, u := range baseUsers {
		if u.Name == name || isNumber && u.UID == n {
			return u.UID, u.GID, nil
		}
		names = append(names, u.Name)
	}
	if isNumber {
		return n, 0, nil
	}
	return 0, 0, &valueError{fmt.Sprintf("user %q is neither declared nor one of Debian's base users%s", name, didYouMean(name, names)),
		"declare it in accounts.users; one that a package makes has to be declared, too"}
}

func (a *Accounts) group(name string) (ID, error) {
	n, isNumber, err := parseID(name)
	if isNumber || err != nil {
		return n, err
	}
	var names []string
	for _, g := range a.Groups {
		if g.Name == name {
			return g.GID, nil
		}
		names = append(names, g.Name)
	}
	for _, g := range baseGroups {
		if g.Name == name {
			return g.GID, nil
		}
		names = append(names, g.Name)
	}
	return 0, &valueError{fmt.Sprintf("group %q is neither declared nor one of Debian's base groups%s", name, didYouMean(name, names)),
		"declare it in accounts.groups; one that a package makes has to be declared, too"}
}

func parseID(s string) (n ID, isNumber bool, err error) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false, nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || v > maxID {
		return 0, true, badValue(s, fmt.Sprintf("an id from 0 to %d", int64(maxID)), "")
	}
	return ID(v), true, nil
}

// accounts checks what accounts' entries say of each other.
func (v *validator) accounts() {
	a := &v.s.Accounts
	v.groups(a)
	v.users(a)
	if _, _, err := a.Resolve(); err != nil {
		v.addError(v.s.Position("accounts", "run-as"), "accounts.run-as: ", err)
	}
}

func (v *validator) groups(a *Accounts) {
	byID := map[ID]string{}
	for _, g := range baseGroups {
		byID[g.GID] = g.Name
	}
	for i, g := range a.Groups {
		path := fmt.Sprintf("accounts.groups[%d]", i)
		at := v.s.Position("accounts", "groups", i, "gid")
		if other, taken := byID[g.GID]; taken && other != g.Name {
			v.add(at, "", "%s.gid: %d is already the id of group %q", path, g.GID, other)
		} else if id, err := (&Accounts{}).group(g.Name); err == nil && id != g.GID {
			v.add(at, "", "%s.gid: found %d, expected %d, the id that Debian gives group %q", path, g.GID, id, g.Name)
		}
		byID[g.GID] = g.Name
		for j, m := range g.Members {
			if _, _, err := a.user(m); err != nil {
				v.addError(v.s.Position("accounts", "groups", i, "members", j), fmt.Sprintf("%s.members[%d]: ", path, j), err)
			}
		}
	}
}

func (v *validator) users(a *Accounts) {
	byID, gids := map[ID]string{}, map[ID]bool{}
	for _, u := range baseUsers {
		byID[u.UID] = u.Name
	}
	for _, g := range baseGroups {
		gids[g.GID] = true
	}
	for _, g := range a.Groups {
		gids[g.GID] = true
	}
	for i, u := range a.Users {
		path := fmt.Sprintf("accounts.users[%d]", i)
		at := v.s.Position("accounts", "users", i, "uid")
		if other, taken := byID[u.UID]; taken && other != u.Name {
			v.add(at, "", "%s.uid: %d is already the id of user %q", path, u.UID, other)
		} else if id, _, err := (&Accounts{}).user(u.Name); err == nil && id != u.UID {
			v.add(at, "", "%s.uid: found %d, expected %d, the id that Debian gives user %q", path, u.UID, id, u.Name)
		}
		byID[u.UID] = u.Name
		if !gids[u.GID] {
			v.add(v.s.Position("accounts", "users", i, "gid"), fmt.Sprintf("add {name: %s, gid: %d} to accounts.groups", u.Name, u.GID),
				"%s.gid: %d is neither a declared group nor one of Debian's base groups", path, u.GID)
		}
	}
}
