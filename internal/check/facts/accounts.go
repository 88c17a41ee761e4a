package facts

import (
	"bytes"
	"strconv"
	"strings"
)

// User is a line of passwd(5).
type User struct {
	Name, Password, Home, Shell string
	UID, GID                    int64 // -1 where it is no number
	Line                        int
}

// Group is a line of group(5).
type Group struct {
	Name, Password string
	GID            int64
	Members        []string
	Line           int
}

// Shadow is a line of shadow(5), or of master.passwd(5) of the BSDs.
type Shadow struct {
	Name, Password string
	File           string // "etc/shadow"
	Line           int
}

// Accounts are what the files of /etc say.
type Accounts struct {
	Users  []User
	Groups []Group
	Shadow []Shadow
	// Malformed are lines with too few fields or ids that are no numbers: "etc/passwd:3".
	Malformed []string
}

// Accounts returns the accounts of the image.
func (i *Image) Accounts() *Accounts { return i.accounts }

// Bounds of what is kept: lines of each file, and members of a group.
const (
	maxAccounts = 1 << 16
	maxMembers  = 1 << 12
)

func (i *Image) readAccounts() *Accounts {
	a := &Accounts{}
	a.read("etc/passwd", i.Text("etc/passwd"), 7, func(line int, f []string) bool {
		u := User{Name: f[0], Password: f[1], UID: number(f[2]), GID: number(f[3]), Home: f[5], Shell: f[6], Line: line}
		a.Users = append(a.Users, u)
		return u.UID >= 0 && u.GID >= 0
	})
	a.read("etc/group", i.Text("etc/group"), 4, func(line int, f []string) bool {
		g := Group{Name: f[0], Password: f[1], GID: number(f[2]), Line: line}
		if f[3] != "" {
			g.Members = strings.SplitN(f[3], ",", maxMembers+1)
			g.Members = g.Members[:min(len(g.Members), maxMembers)]
		}
		a.Groups = append(a.Groups, g)
		return g.GID >= 0
	})
	for _, name := range []string{"etc/shadow", "etc/master.passwd"} {
		a.read(name, i.Text(name), 2, func(line int, f []string) bool {
			a.Shadow = append(a.Shadow, Shadow{f[0], f[1], name, line})
			return true
		})
	}
	return a
}

// read calls add for each line that has fields enough.
func (a *Accounts) read(name string, text []byte, fields int, add func(line int, fields []string) bool) {
	n := 0
	for raw := range bytes.SplitSeq(text, []byte{'\n'}) {
		line := string(raw)
		n++
		line = strings.TrimSuffix(line, "\r")
		f := strings.Split(line, ":")
		switch {
		case n > maxAccounts:
			return
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "-"):
			continue
		case strings.HasPrefix(line, "+") && !(name == "etc/shadow" && len(f) > 1): // of NIS (nsswitch.conf(5), compat)
			continue
		}
		if len(f) < fields || f[0] == "" || !add(n, f) {
			a.Malformed = append(a.Malformed, name+":"+strconv.Itoa(n))
		}
	}
}

func number(s string) int64 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return -1
	}
	return int64(n)
}

// User returns the account of that name, nil where there is none. The first line
// holds, as for getpwnam(3).
func (a *Accounts) User(name string) *User {
	for n := range a.Users {
		if a.Users[n].Name == name {
			return &a.Users[n]
		}
	}
	return nil
}

// ByUID returns the account with that number.
func (a *Accounts) ByUID(uid int64) *User {
	for n := range a.Users {
		if a.Users[n].UID == uid {
			return &a.Users[n]
		}
	}
	return nil
}

// Group returns the group of that name.
func (a *Accounts) Group(name string) *Group {
	for n := range a.Groups {
		if a.Groups[n].Name == name {
			return &a.Groups[n]
		}
	}
	return nil
}

// Runner is who runs the image.
type Runner struct {
	UID, GID int64   // -1 where the image does not say it
	Groups   []int64 // the further ones
	Named    string  // "" where the config has numbers
	Account  *User   // nil where passwd has none
}

// Runner resolves the config's user as a runtime does (OCI runtime spec, and
// moby's user.GetExecUser): "" is root, a number is itself, a name is looked up.
func (i *Image) Runner() Runner {
	user, group, hasGroup := strings.Cut(strings.TrimSpace(i.Config.User), ":")
	r := Runner{UID: number(user), GID: 0}
	switch {
	case user == "":
		r.UID, r.Account = 0, i.accounts.ByUID(0)
	case r.UID >= 0:
		r.Account = i.accounts.ByUID(r.UID)
	default:
		r.Named, r.Account = user, i.accounts.User(user)
		if r.Account != nil {
			r.UID = r.Account.UID
		}
	}
	if r.Account != nil {
		r.GID = r.Account.GID
		for _, g := range i.accounts.Groups {
			for _, m := range g.Members {
				if m == r.Account.Name && !hasGroup {
					r.Groups = append(r.Groups, g.GID)
				}
			}
		}
	}
	if hasGroup && group != "" {
		if r.GID = number(group); r.GID < 0 {
			if g := i.accounts.Group(group); g != nil {
				r.GID = g.GID
			}
		}
	}
	return r
}

// Writes reports whether who runs the image may write to a file or into a directory.
func (r Runner) Writes(f *File) bool {
	switch {
	case f.Type == Symlink:
		return false
	case int64(f.UID) == r.UID:
		return f.Mode&0o200 != 0
	case int64(f.GID) == r.GID:
		return f.Mode&0o020 != 0
	}
	for _, g := range r.Groups {
		if int64(f.GID) == g {
			return f.Mode&0o020 != 0
		}
	}
	return f.Mode&0o002 != 0
}
