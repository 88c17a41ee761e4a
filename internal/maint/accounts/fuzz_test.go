package accounts_test

import (
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// readable fails unless the files that commands left can be read: each line has its
// fields, and no name is there twice.
func readable(t *testing.T, tr *tree.Tree, after string) {
	t.Helper()
	if _, err := accounts.Read(tr); err != nil {
		t.Errorf("%s: %v", after, err)
	}
}

func FuzzSysusers(f *testing.F) {
	f.Add([]byte("u messagebus - \"System Message Bus\" /nonexistent -\nm a b\ng render -\n"))
	f.Add([]byte("r - 500-510\nu! x 12:34 'y %% z' %T\nu y /etc\nu z -:adm\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sh := newShell(t)
		if err := sh.FS.WriteFile("/usr/lib/sysusers.d/a.conf", text, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = sh.Run(t.Context(), shell.Script{Name: "script", Text: "systemd-sysusers"}) // may refuse the file
		readable(t, sh.FS.Tree, string(text))
	})
}

func FuzzTools(f *testing.F) {
	for _, line := range []string{
		"adduser --system --group --home /var/lib/x --gecos G x", "adduser --disabled-password --gecos , x", "useradd -r -K SYS_UID_MAX=200 -G adm,audio -m x",
		"usermod -l y -G mail -u 5 -L man", "groupmod -n x -g 7 adm", "gpasswd -M man,daemon mail", "userdel -r man", "chage -E 2030-01-01 -M 5 man",
		"chfn -f a -o b man", "systemd-sysusers --inline u\tx\t5:6", "deluser man audio", "groupadd -U man -f -g 5 x", "passwd -l man", "update-passwd", "getent passwd 5",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, " ")
		if accounts.Commands()[words[0]] == nil || strings.Contains(line, "\x00") { // no argument can hold that
			return
		}
		sh := newShell(t)
		_, _ = sh.Run(t.Context(), shell.Script{Name: "script", Text: `"$@"`, Args: words}) // may refuse the call
		readable(t, sh.FS.Tree, line)
	})
}
