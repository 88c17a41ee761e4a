package specs

import (
	"fmt"
	"strconv"
	"strings"
)

type baseUser struct {
	name     string
	uid, gid ID
}

// baseUsers and baseGroups are the accounts of every Debian system, from
// passwd.master and group.master of base-passwd 3.6.1 (bookworm) and 3.6.7 (trixie).
var baseUsers = []baseUser{
	{"root", 0, 0}, {"daemon", 1, 1}, {"bin", 2, 2}, {"sys", 3, 3}, {"sync", 4, 65534}, {"games", 5, 60},
	{"man", 6, 12}, {"lp", 7, 7}, {"mail", 8, 8}, {"news", 9, 9}, {"uucp", 10, 10}, {"proxy", 13, 13},
	{"www-data", 33, 33}, {"backup", 34, 34}, {"list", 38, 38}, {"irc", 39, 39}, {"_apt", 42, 65534},
	{"nobody", 65534, 65534},
}

var baseGroups = []struct {
	name string
	gid  ID
}{
	{"root", 0}, {"daemon", 1}, {"bin", 2}, {"sys", 3}, {"adm", 4}, {"tty", 5}, {"disk", 6}, {"lp", 7}, {"mail", 8},
	{"news", 9}, {"uucp", 10}, {"man", 12}, {"proxy", 13}, {"kmem", 15}, {"dialout", 20}, {"fax", 21}, {"voice", 22},
	{"cdrom", 24}, {"floppy", 25}, {"tape", 26}, {"sudo", 27}, {"audio", 29}, {"dip", 30}, {"www-data", 33},
	{"backup", 34}, {"operator", 37}, {"list", 38}, {"irc", 39}, {"src", 40}, {"shadow", 42}, {"utmp", 43},
	{"video", 44}, {"sasl", 45}, {"plugdev", 46}, {"staff", 50}, {"games", 60}, {"users", 100}, {"nogroup", 65534},
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
		if u.name == name || isNumber && u.uid == n {
			return u.uid, u.gid, nil
		}
		names = append(names, u.name)
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
		if g.name == name {
			return g.gid, nil
		}
		names = append(names, g.name)
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
		byID[g.gid] = g.name
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
		byID[u.uid] = u.name
	}
	for _, g := range baseGroups {
		gids[g.gid] = true
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
