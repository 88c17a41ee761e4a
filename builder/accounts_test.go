package builder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// An image without base-passwd gets those of Debian's accounts that it refers to.
func TestBaseAccounts(t *testing.T) {
	id := func(n specs.ID) *specs.ID { return &n }
	for _, c := range []struct {
		name   string
		runAs  string
		owners [][2]uint32 // of files that packages brought
		paths  []specs.Path
		groups []specs.Group
		want   string // users and groups beside the minimal ones
	}{
		{"none needed", "", [][2]uint32{{0, 0}}, nil, nil, ""},
		{"run as", "www-data", nil, nil, nil, "www-data:33:33:/var/www; www-data:33"},
		{"run as, another group", "www-data:adm", nil, nil, nil, "www-data:33:33:/var/www; adm:4 www-data:33"},
		{"a group of a file", "", [][2]uint32{{0, 8}}, nil, nil, "; mail:8"},
		{"an owner of a file", "", [][2]uint32{{6, 0}}, nil, nil, "man:6:12:/var/cache/man; man:12"},
		{"an owner whose group is there", "", [][2]uint32{{42, 0}}, nil, nil, "_apt:42:65534:/nonexistent; "},
		{"owners by the spec", "", nil, []specs.Path{{UID: id(10), GID: id(50)}}, nil, "uucp:10:10:/var/spool/uucp; uucp:10 staff:50"},
		{"a member of a group", "", nil, nil, []specs.Group{{Name: "app", GID: 1000, Members: []string{"backup"}}}, "backup:34:34:/var/backups; backup:34"},
		{"ids of nobody in particular", "1000:1000", [][2]uint32{{1000, 1000}}, nil, nil, ""},
	} {
		b := &build{spec: &specs.Spec{Accounts: specs.Accounts{RunAs: c.runAs, Groups: c.groups}, Paths: c.paths}}
		tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
		for i, o := range c.owners {
			if err := tr.Set(&tree.Node{Path: fmt.Sprint(i), Type: tree.Dir, UID: o[0], GID: o[1]}); err != nil {
				t.Fatal(err)
			}
		}
		file := accounts.Minimal()
		users, groups := len(file.Users), len(file.Groups)
		for range 2 { // the second time everything is there
			if err := b.addBaseAccounts(tr, file); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		var u, g []string
		for _, a := range file.Users[users:] {
			u = append(u, fmt.Sprintf("%s:%d:%d:%s", a.Name, a.UID, a.GID, a.Home))
		}
		for _, a := range file.Groups[groups:] {
			g = append(g, fmt.Sprintf("%s:%d", a.Name, a.GID))
		}
		got := strings.Join(u, " ") + "; " + strings.Join(g, " ")
		if got != c.want && (got != "; " || c.want != "") {
			t.Errorf("%s: got %q, expected %q", c.name, got, c.want)
		}
	}
}
