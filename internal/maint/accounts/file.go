package accounts

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// User is one line of /etc/passwd with its line of /etc/shadow.
type User struct {
	Name  string
	UID   uint32
	GID   uint32 // of the primary group
	Gecos string
	Home  string
	Shell string

	// Password is the hash in /etc/shadow: "*" for a base account, "!" for a
	// locked one. "" becomes "!": there are no empty passwords.
	Password string
	aging    []string // the further fields of shadow(5), where they were read
	system   bool     // made at installation: its password does not age
}

// Group is one line of /etc/group with its line of /etc/gshadow.
type Group struct {
	Name    string
	GID     uint32
	Members []string

	Password string // hash in /etc/gshadow; "" becomes "!"
	admins   []string
}

// File is the accounts of one image. Its zero value has none.
type File struct {
	Users  []User  // in the order of the file
	Groups []Group // in the order of the file
}

// Errors that a caller may decide on.
var (
	ErrDuplicate = errors.New("already taken")
	ErrInvalid   = errors.New("invalid")
	ErrUnknown   = errors.New("unknown")
)

// maxID is the highest id that can be given; the two above mean "none"
// (Debian Policy 9.2.2).
const maxID = 4294967293

// nameRE is what Debian's useradd takes without --badname; a trailing dollar
// is for machine accounts.
var nameRE = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,30}[a-z0-9_$-]?$`)

// systemNameRE is nameRE with upper case; see checkSystemName.
var systemNameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,30}[A-Za-z0-9_$-]?$`)

// User returns the named user, nil where there is none. The pointer holds until
// the next user is added.
func (f *File) User(name string) *User {
	i := slices.IndexFunc(f.Users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Users[i]
}

// Group returns the named group, nil where there is none. The pointer holds
// until the next group is added.
func (f *File) Group(name string) *Group {
	i := slices.IndexFunc(f.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Groups[i]
}

// AddGroup appends a group. The error wraps [ErrDuplicate] where the name or id
// is taken, [ErrInvalid] where one cannot be.
func (f *File) AddGroup(g Group) error {
	if err := checkName("group", g.Name); err != nil {
		return err
	}
	return f.addGroup(g)
}

func (f *File) addGroup(g Group) error {
	if g.GID > maxID {
		return fmt.Errorf("group %q: gid %d, expected at most %d: %w", g.Name, g.GID, uint32(maxID), ErrInvalid)
	}
	for _, old := range f.Groups {
		switch {
		case old.Name == g.Name:
			return fmt.Errorf("group %q: name %w by gid %d", g.Name, ErrDuplicate, old.GID)
		case old.GID == g.GID:
			return fmt.Errorf("group %q: gid %d %w by %q", g.Name, g.GID, ErrDuplicate, old.Name)
		}
	}
	for _, m := range g.Members {
		if err := checkName("member", m); err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
	}
	f.Groups = append(f.Groups, g)
	return nil
}

// AddUser appends a user, whose primary group must be there. The error wraps
// [ErrDuplicate], [ErrInvalid] or, for the group, [ErrUnknown].
func (f *File) AddUser(u User) error {
	check := checkName
	if u.system {
		check = checkSystemName
	}
	if err := check("user", u.Name); err != nil {
		return err
	}
	if u.UID > maxID {
		return fmt.Errorf("user %q: uid %d, expected at most %d: %w", u.Name, u.UID, uint32(maxID), ErrInvalid)
	}
	for _, old := range f.Users {
		switch {
		case old.Name == u.Name:
			return fmt.Errorf("user %q: name %w by uid %d", u.Name, ErrDuplicate, old.UID)
		case old.UID == u.UID:
			return fmt.Errorf("user %q: uid %d %w by %q", u.Name, u.UID, ErrDuplicate, old.Name)
		}
	}
	if !slices.ContainsFunc(f.Groups, func(g Group) bool { return g.GID == u.GID }) {
		return fmt.Errorf("user %q: gid %d: %w group", u.Name, u.GID, ErrUnknown)
	}
	for what, v := range map[string]string{"home": u.Home, "shell": u.Shell} {
		if v != "" && !strings.HasPrefix(v, "/") || strings.ContainsAny(v, ":\n\x00") {
			return fmt.Errorf("user %q: %s %q, expected an absolute path: %w", u.Name, what, v, ErrInvalid)
		}
	}
	if strings.ContainsAny(u.Gecos, ":\n\x00") || strings.ContainsAny(u.Password, ":\n\x00") {
		return fmt.Errorf("user %q: a field holds a colon or a line break: %w", u.Name, ErrInvalid)
	}
	f.Users = append(f.Users, u)
	return nil
}

// AddSystemUser is AddUser for an account of a package, whose name Debian's programs
// let have upper case, and dots.
func (f *File) AddSystemUser(u User) error {
	u.system = true
	return f.AddUser(u)
}

// AddMember makes a user a member of a group that is there; twice is once.
func (f *File) AddMember(group, user string) error {
	g := f.Group(group)
	if g == nil {
		return fmt.Errorf("group %q: %w", group, ErrUnknown)
	}
	if f.User(user) == nil {
		return fmt.Errorf("group %q: member %q: %w user", group, user, ErrUnknown)
	}
	if !slices.Contains(g.Members, user) {
		g.Members = append(g.Members, user)
	}
	return nil
}

func checkName(what, name string) error {
	if !nameRE.MatchString(name) {
		return fmt.Errorf("%s name %q, expected %s: %w", what, name, "lower-case letters, digits, '_', '.' and '-', at most 32, not beginning with a digit", ErrInvalid)
	}
	return nil
}

// checkSystemName allows upper case too, as adduser(8) does with --allow-bad-names
// and systemd-sysusers always: Debian Policy 9.2.1 asks new packages for a name
// that begins with an underscore, and older ones have Debian-exim or Debian-snmp.
func checkSystemName(what, name string) error {
	if systemNameRE.MatchString(name) {
		return nil
	}
	return checkName(what, name)
}

// Parse reads the accounts of passwd, group, shadow and gshadow files, of which
// any may be empty. Errors name the file and line. Names that AddUser would
// refuse are kept: another tool made them.
func Parse(passwd, group, shadow, gshadow []byte) (*File, error) {
	f := &File{}
	if err := f.parsePasswd(passwd); err != nil {
		return nil, err
	}
	if err := f.parseGroup(group); err != nil {
		return nil, err
	}
	err := lines("shadow", shadow, 9, func(v []string) error {
		if u := f.User(v[0]); u != nil {
			u.Password, u.aging = v[1], v[2:]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = lines("gshadow", gshadow, 4, func(v []string) error {
		if g := f.Group(v[0]); g != nil {
			g.Password, g.admins = v[1], list(v[2])
		}
		return nil
	})
	return f, err
}

func (f *File) parsePasswd(file []byte) error {
	return lines("passwd", file, 7, func(v []string) error {
		uid, err := parseID(v[2])
		if err != nil {
			return err
		}
		gid, err := parseID(v[3])
		if err != nil {
			return err
		}
		if f.User(v[0]) != nil {
			return fmt.Errorf("user %q: name %w", v[0], ErrDuplicate)
		}
		f.Users = append(f.Users, User{Name: v[0], Password: hash(v[1]), UID: uid, GID: gid, Gecos: v[4], Home: v[5], Shell: v[6]})
		return nil
	})
}

func (f *File) parseGroup(file []byte) error {
	return lines("group", file, 4, func(v []string) error {
		gid, err := parseID(v[2])
		if err != nil {
			return err
		}
		if f.Group(v[0]) != nil {
			return fmt.Errorf("group %q: name %w", v[0], ErrDuplicate)
		}
		f.Groups = append(f.Groups, Group{Name: v[0], Password: hash(v[1]), GID: gid, Members: list(v[3])})
		return nil
	})
}

// hash is the password that a field of passwd or group itself says: none where
// it refers to the shadow file.
func hash(field string) string {
	if field == "x" {
		return ""
	}
	return field
}

// lines calls each with the fields of every line that is not empty.
func lines(name string, file []byte, fields int, each func([]string) error) error {
	sc := bufio.NewScanner(bytes.NewReader(file))
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		if sc.Text() == "" {
			continue
		}
		v := strings.Split(sc.Text(), ":")
		if len(v) != fields || v[0] == "" || strings.ContainsRune(sc.Text(), 0) {
			return fmt.Errorf("%s line %d: %d fields, expected %d with a name first: %w", name, n, len(v), fields, ErrInvalid)
		}
		if err := each(v); err != nil {
			return fmt.Errorf("%s line %d: %w", name, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > maxID {
		return 0, fmt.Errorf("id %q, expected a number up to %d: %w", s, uint32(maxID), ErrInvalid)
	}
	return uint32(n), nil
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
