package accounts

import (
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
)

// Database is the users and groups of an image as its programs see them: what
// /etc/passwd and /etc/group say, of which lines that are none are passed over
// (nsswitch.conf(5), the service files).
type Database struct {
	Users  []User
	Groups []Group
}

// Names reads the database of an image. Files that are missing are empty ones.
func Names(fs *rootfs.FS) *Database {
	d := &Database{}
	for _, v := range splitLines(fs, "/etc/passwd", 7) {
		uid, err1 := strconv.ParseUint(v[2], 10, 32)
		gid, err2 := strconv.ParseUint(v[3], 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		d.Users = append(d.Users, User{Name: v[0], Password: v[1], UID: uint32(uid), GID: uint32(gid), Gecos: v[4], Home: v[5], Shell: v[6]})
	}
	for _, v := range splitLines(fs, "/etc/group", 4) {
		if gid, err := strconv.ParseUint(v[2], 10, 32); err == nil {
			d.Groups = append(d.Groups, Group{Name: v[0], Password: v[1], GID: uint32(gid), Members: list(v[3])})
		}
	}
	return d
}

// splitLines returns the fields of the lines of a file that have so many.
func splitLines(fs *rootfs.FS, name string, fields int) [][]string {
	b, err := fs.ReadFile(name)
	if err != nil {
		return nil
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(v) == fields && v[0] != "" && v[0][0] != '#' {
			out = append(out, v)
		}
	}
	return out
}

// User returns the first user of that name.
func (d *Database) User(name string) (User, bool) {
	for _, u := range d.Users {
		if u.Name == name {
			return u, true
		}
	}
	return User{}, false
}

// UserID returns the first user of that id.
func (d *Database) UserID(uid uint32) (User, bool) {
	for _, u := range d.Users {
		if u.UID == uid {
			return u, true
		}
	}
	return User{}, false
}

// Group returns the first group of that name.
func (d *Database) Group(name string) (Group, bool) {
	for _, g := range d.Groups {
		if g.Name == name {
			return g, true
		}
	}
	return Group{}, false
}

// GroupID returns the first group of that id.
func (d *Database) GroupID(gid uint32) (Group, bool) {
	for _, g := range d.Groups {
		if g.GID == gid {
			return g, true
		}
	}
	return Group{}, false
}

// UserName returns the name of a user, its number where it has none.
func (d *Database) UserName(uid uint32) string {
	if u, ok := d.UserID(uid); ok {
		return u.Name
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// GroupName returns the name of a group, its number where it has none.
func (d *Database) GroupName(gid uint32) string {
	if g, ok := d.GroupID(gid); ok {
		return g.Name
	}
	return strconv.FormatUint(uint64(gid), 10)
}
