package accounts_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/tree"
)

const day = 20309 // 2025-08-09

func TestText(t *testing.T) {
	f, err := accounts.Parse(
		[]byte("root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),
		[]byte("root:*:0:\nadm:x:4:syslog\nshadow:*:42:\nusers:*:100:\nnogroup:*:65534:\n"),
		[]byte("nobody:!:19000:0:99999:7:::\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.AddGroup(accounts.Group{Name: "redis", GID: 101}); err != nil {
		t.Fatal(err)
	}
	for _, u := range []accounts.User{
		{Name: "redis", UID: 100, GID: 101, Home: "/var/lib/redis", Shell: "/usr/sbin/nologin", Password: "!"},
		{Name: "Debian-exim", UID: 102, GID: 65534, Home: "/nonexistent", Shell: "/usr/sbin/nologin", Password: "!*"},
	} {
		if err := f.AddSystemUser(u); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.AddGroup(accounts.Group{Name: "app", GID: 1000}); err != nil {
		t.Fatal(err)
	}
	if err := f.AddUser(accounts.User{Name: "app", UID: 1000, GID: 1000, Home: "/app", Shell: "/usr/sbin/nologin"}); err != nil {
		t.Fatal(err)
	}
	if err := f.AddMember("adm", "app"); err != nil {
		t.Fatal(err)
	}
	text := f.Text(day)
	for what, v := range map[string]struct{ got, want string }{
		"passwd": {string(text.Passwd), `root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
redis:x:100:101::/var/lib/redis:/usr/sbin/nologin
Debian-exim:x:102:65534::/nonexistent:/usr/sbin/nologin
app:x:1000:1000::/app:/usr/sbin/nologin
`},
		"group": {string(text.Group), "root:x:0:\nadm:x:4:syslog,app\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\nredis:x:101:\napp:x:1000:\n"},
		"shadow": {string(text.Shadow), `root:*:20309:0:99999:7:::
nobody:!:19000:0:99999:7:::
redis:!:20309::::::
Debian-exim:!*:20309::::::
app:!:20309:0:99999:7:::
`},
		"gshadow": {string(text.GShadow), "root:*::\nadm:!::syslog,app\nshadow:*::\nusers:*::\nnogroup:*::\nredis:!::\napp:!::\n"},
	} {
		if v.got != v.want {
			t.Errorf("%s:\n%s\nwant:\n%s", what, v.got, v.want)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	user := func(name string, uid, gid uint32, home string) func(*accounts.File) error {
		return func(f *accounts.File) error {
			return f.AddUser(accounts.User{Name: name, UID: uid, GID: gid, Home: home, Shell: "/bin/sh"})
		}
	}
	for name, tt := range map[string]struct {
		do   func(*accounts.File) error
		want error
		text string
	}{
		"name taken":    {user("root", 5, 0, "/"), accounts.ErrDuplicate, `user "root": name already taken by uid 0`},
		"id taken":      {user("toor", 0, 0, "/"), accounts.ErrDuplicate, `user "toor": uid 0 already taken by "root"`},
		"no group":      {user("app", 1000, 7, "/"), accounts.ErrUnknown, `user "app": gid 7: unknown group`},
		"relative home": {user("app", 1000, 0, "app"), accounts.ErrInvalid, `user "app": home "app", expected an absolute path: invalid`},
		"colon":         {user("app", 1000, 0, "/a:b"), accounts.ErrInvalid, `user "app": home "/a:b", expected an absolute path: invalid`},
		"id too high":   {user("app", 1<<32-1, 0, "/"), accounts.ErrInvalid, `user "app": uid 4294967295, expected at most 4294967293: invalid`},
		"upper case":    {user("App", 1000, 0, "/"), accounts.ErrInvalid, `user name "App", expected lower-case letters, digits, '_', '.' and '-', at most 32, not beginning with a digit: invalid`},
		"group taken":   {func(f *accounts.File) error { return f.AddGroup(accounts.Group{Name: "app", GID: 42}) }, accounts.ErrDuplicate, `group "app": gid 42 already taken by "shadow"`},
		"no member":     {func(f *accounts.File) error { return f.AddMember("tty", "app") }, accounts.ErrUnknown, `group "tty": member "app": unknown user`},
	} {
		err := tt.do(accounts.Minimal())
		if !errors.Is(err, tt.want) || err.Error() != tt.text {
			t.Errorf("%s: got error %v, want %s", name, err, tt.text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"root:x:0:0:root:/root\n":                  "passwd line 1: 6 fields, expected 7 with a name first: invalid",
		"\nroot:x:none:0:root:/root:/bin/sh\n":     `passwd line 2: id "none", expected a number up to 4294967293: invalid`,
		"a:x:1:1::/:/bin/sh\na:x:2:1::/:/bin/sh\n": `passwd line 2: user "a": name already taken`,
	} {
		if _, err := accounts.Parse([]byte(text), nil, nil, nil); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}

// The real checkers read what is written.
func TestWriteIsValid(t *testing.T) {
	for _, tool := range []string{"pwck", "grpck"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed", tool)
		}
	}
	f := accounts.Minimal()
	for i := range f.Users { // pwck wants homes and shells that are here
		f.Users[i].Home, f.Users[i].Shell = "/", "/bin/sh"
	}
	if err := f.AddGroup(accounts.Group{Name: "redis", GID: 101}); err != nil {
		t.Fatal(err)
	}
	if err := f.AddSystemUser(accounts.User{Name: "redis", UID: 100, GID: 101, Home: "/", Shell: "/bin/sh"}); err != nil {
		t.Fatal(err)
	}
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	if err := f.Write(tr, day*86400, &tree.Origin{Kind: tree.FromBuilder}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var at []string
	for name, mode := range map[string]uint32{"passwd": 0o644, "shadow": 0o640, "group": 0o644, "gshadow": 0o640} {
		n := tr.Lookup("etc/" + name)
		if n.Mode != mode || n.GID != map[uint32]uint32{0o644: 0, 0o640: 42}[mode] {
			t.Errorf("/etc/%s: mode %04o gid %d", name, n.Mode, n.GID)
		}
		b, err := tr.ReadFile("etc/" + name)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(at) // group, gshadow, passwd, shadow
	for _, args := range [][]string{{"grpck", "-r", at[0], at[1]}, {"pwck", "-q", "-r", at[2], at[3]}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("root:*:0:0:root:/root:/bin/bash\n"), []byte("root:*:0:\nadm:x:4:a,b\n"))
	f.Fuzz(func(t *testing.T, passwd, group []byte) {
		file, err := accounts.Parse(passwd, group, nil, nil)
		if err != nil {
			return
		}
		text := file.Text(day)
		again, err := accounts.Parse(text.Passwd, text.Group, text.Shadow, text.GShadow)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s%s", err, text.Passwd, text.Group)
		}
		if second := again.Text(day); string(second.Passwd) != string(text.Passwd) || string(second.Shadow) != string(text.Shadow) {
			t.Errorf("read again: %s%s, was %s%s", second.Passwd, second.Shadow, text.Passwd, text.Shadow)
		}
	})
}
