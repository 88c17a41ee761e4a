package accounts

import (
	"fmt"
	"strconv"
	"strings"
)

// Minimal returns the accounts of an image without base-passwd: those that
// programs and the kernel's id mapping count on, with base-passwd's ids.
func Minimal() *File {
	const nologin = "/usr/sbin/nologin"
	return &File{
		Users: []User{
			{Name: "root", Password: "*", Gecos: "root", Home: "/root", Shell: nologin},
			{Name: "nobody", Password: "*", UID: 65534, GID: 65534, Gecos: "nobody", Home: "/nonexistent", Shell: nologin},
		},
		Groups: []Group{
			{Name: "root", Password: "*"},
			{Name: "tty", Password: "*", GID: 5},
			{Name: "shadow", Password: "*", GID: 42},
			{Name: "nogroup", Password: "*", GID: 65534},
		},
	}
}

// System is what a package asks for: an account of the system.
type System struct {
	User  string // "" for a group only
	Group string // "" for nogroup with adduser, for a group of the user's name with sysusers
	ID    string // "" for the first free one
	Gecos string
	Home  string // default /nonexistent
	Shell string // default /usr/sbin/nologin

	// Sysusers says that systemd-sysusers allots the id, which it takes from the
	// top of the range; adduser takes it from the bottom.
	Sysusers bool
}

// The ids of system accounts that are made at installation (Debian Policy 9.2.2).
const (
	firstSystemID = 100
	lastSystemID  = 999

	// usersGID is the gid of base-passwd's group users, the only one of the base
	// system in this range: it is not free in an image without base-passwd either,
	// to which the group is added where a file belongs to it.
	usersGID = 100
)

// AddSystem adds an account as Debian's tools do at installation. An account
// that is there already is left as it is.
func (f *File) AddSystem(s System) error {
	if s.User == "" {
		_, err := f.systemGroup(s.Group, s.ID, s.Sysusers)
		return err
	}
	if f.User(s.User) != nil {
		return nil
	}
	uid, err := f.systemID(s.ID, f.takenUIDs(s.Sysusers), s.Sysusers)
	if err != nil {
		return fmt.Errorf("user %q: %w", s.User, err)
	}
	gid := uint32(65534) // nogroup, adduser's choice for system users
	switch {
	case s.Group == s.User || s.Group == "" && s.Sysusers:
		wanted := s.ID
		if s.Sysusers { // gives user and group one id
			wanted = strconv.Itoa(int(uid))
		}
		if gid, err = f.systemGroup(s.User, wanted, s.Sysusers); err != nil {
			return err
		}
	case s.Group != "":
		if n, err := strconv.ParseUint(s.Group, 10, 32); err == nil {
			gid = uint32(n)
		} else if g := f.Group(s.Group); g != nil {
			gid = g.GID
		} else {
			return fmt.Errorf("user %q: group %q: %w", s.User, s.Group, ErrUnknown)
		}
	}
	u := User{Name: s.User, UID: uid, GID: gid, Gecos: s.Gecos, Home: s.Home, Shell: s.Shell, Password: "!", system: true}
	if s.Sysusers {
		u.Password = "!*" // systemd's own mark for a locked account
	}
	if u.Home == "" {
		u.Home = "/nonexistent"
		if s.Sysusers {
			u.Home = "/"
		}
	}
	if u.Shell == "" {
		u.Shell = "/usr/sbin/nologin"
	}
	return f.AddUser(u)
}

func (f *File) systemGroup(name, id string, sysusers bool) (uint32, error) {
	if g := f.Group(name); g != nil {
		return g.GID, nil
	}
	taken := map[uint32]bool{}
	if sysusers {
		taken = f.takenUIDs(false)
	}
	taken[usersGID] = true
	for _, g := range f.Groups {
		taken[g.GID] = true
	}
	gid, err := f.systemID(id, taken, sysusers)
	if err != nil {
		return 0, fmt.Errorf("group %q: %w", name, err)
	}
	if err := checkSystemName("group", name); err != nil {
		return 0, err
	}
	return gid, f.addGroup(Group{Name: name, GID: gid})
}

// takenUIDs returns the ids that a new user may not have.
func (f *File) takenUIDs(groupsToo bool) map[uint32]bool {
	taken := map[uint32]bool{}
	for _, u := range f.Users {
		taken[u.UID] = true
	}
	if groupsToo {
		for _, g := range f.Groups {
			taken[g.GID] = true
		}
	}
	return taken
}

// systemID returns the wanted id, or the first of the range that is not taken:
// adduser counts up and looks at users or groups alone, systemd-sysusers counts
// down and takes an id that is free as both.
func (f *File) systemID(wanted string, taken map[uint32]bool, fromTop bool) (uint32, error) {
	if wanted != "" && wanted != "-" {
		wanted, _, _ = strings.Cut(wanted, ":")
		return parseID(wanted)
	}
	for i := range uint32(lastSystemID - firstSystemID + 1) {
		n := firstSystemID + i
		if fromTop {
			n = lastSystemID - i
		}
		if !taken[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no id from %d to %d is free", firstSystemID, lastSystemID)
}
