package accounts

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// Text is the four files as bytes.
type Text struct {
	Passwd, Group, Shadow, GShadow []byte
}

// Text returns the files. day is the date of the last password change of every
// user that brings none of its own, in days since 1970.
func (f *File) Text(day int64) Text {
	var passwd, shadow, group, gshadow strings.Builder
	for _, u := range f.Users {
		fmt.Fprintf(&passwd, "%s:x:%d:%d:%s:%s:%s\n", u.Name, u.UID, u.GID, u.Gecos, u.Home, u.Shell)
		aging := fmt.Sprintf("%d:0:99999:7:::", day)
		if u.system {
			aging = fmt.Sprintf("%d::::::", day)
		}
		if u.aging != nil {
			aging = strings.Join(u.aging, ":")
		}
		fmt.Fprintf(&shadow, "%s:%s:%s\n", u.Name, cmp.Or(u.Password, "!"), aging)
	}
	for _, g := range f.Groups {
		members := strings.Join(g.Members, ",")
		fmt.Fprintf(&group, "%s:x:%d:%s\n", g.Name, g.GID, members)
		fmt.Fprintf(&gshadow, "%s:%s:%s:%s\n", g.Name, cmp.Or(g.Password, "!"), strings.Join(g.admins, ","), members)
	}
	return Text{[]byte(passwd.String()), []byte(group.String()), []byte(shadow.String()), []byte(gshadow.String())}
}

// shadowGID is the group "shadow" of base-passwd, which may read the hashes.
const shadowGID = 42

// Write puts /etc/passwd, group (0644 root:root), shadow and gshadow (0640
// root:shadow) into t. The time of the image, in seconds since 1970, is the
// last change of every password.
func (f *File) Write(t *tree.Tree, time int64, origin *tree.Origin) error {
	text := f.Text(time / 86400)
	for _, file := range []struct {
		path string
		b    []byte
		mode uint32
		gid  uint32
	}{
		{"etc/passwd", text.Passwd, 0o644, 0},
		{"etc/group", text.Group, 0o644, 0},
		{"etc/shadow", text.Shadow, 0o640, shadowGID},
		{"etc/gshadow", text.GShadow, 0o640, shadowGID},
	} {
		if err := t.WriteFile(file.path, file.b, file.mode, origin); err != nil {
			return fmt.Errorf("write /%s: %w", file.path, err)
		}
		t.Lookup(file.path).GID = file.gid
	}
	return nil
}
