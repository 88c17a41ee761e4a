package generate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/generate"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// TestKeys has which files stand for random keys after a script, and its output.
func TestKeys(t *testing.T) {
	const cert = `openssl req -config /c -new -x509 -days 3650 -nodes -sha256 -out /cert -keyout /key >/dev/null && `
	for _, tt := range []struct{ script, want string }{
		{`umask 077; openssl rand -base64 -out /etc/cookie 42; echo $?`, "0\n0600 /etc/cookie"},
		{`openssl dhparam -out /etc/dh 2048; echo $?`, "0\n0644 /etc/dh"},
		{cert + `echo made`, "made\n0644 /cert 0600 /key"},
		{`openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=x -keyout /both -out /both; echo $?`, "0\n0600 /both"},
		{cert + `openssl x509 -hash -noout -in /cert`, "00000000\n0644 /cert 0600 /key"},
		{`ssh-keygen -q -f /etc/key -N '' -t rsa; echo $?; ssh-keygen -l -f /etc/key.pub; echo $?`, "0\n0\n0600 /etc/key 0644 /etc/key.pub"},
		{`openssl genrsa -out /key 2048; openssl req -new -x509 -key /key -config c -days 7 -out /cert; echo $?`, "0\n0644 /cert 0644 /key"},
		{`umask 077; mungekey -c; xrdp-keygen xrdp auto; dropbearkey -t rsa -f /etc/drop; echo $?`, "0\n0600 /etc/drop 0600 /etc/munge/munge.key 0600 /etc/xrdp/rsakeys.ini"},
		{`nvme gen-hostnqn >/a; echo $?; { echo '# c'; uuidgen; echo d; } >/b; [ -s /b ] && echo there; uuidgen >/dev/null; openssl rand 5 >>/c`, "0\nthere\n0644 /a 0644 /b 0644 /c"},
		{`uuidgen >/a; echo known >/a; cat </a`, "known\n"},
		{cert + `openssl x509 -text -in /cert | cat >/dev/null; openssl x509 -text -in /cert >/text`, "0644 /cert 0600 /key 0644 /text"},
		{`ssh-keygen -A; echo $?`, "0\n0600 /etc/ssh/ssh_host_ecdsa_key 0644 /etc/ssh/ssh_host_ecdsa_key.pub 0600 /etc/ssh/ssh_host_ed25519_key 0644 /etc/ssh/ssh_host_ed25519_key.pub 0600 /etc/ssh/ssh_host_rsa_key 0644 /etc/ssh/ssh_host_rsa_key.pub"},
		{`rndc-confgen -a -c /etc/rndc.key; [ -s /etc/rndc.key ] && echo there`, "there\n0600 /etc/rndc.key"},
	} {
		out, tr := run(t, map[string]string{"etc/ssh/sshd_config": "", "etc/munge/c": "", "etc/xrdp/c": ""}, tt.script)
		f := rootfs.New(tr, 0)
		var sealed []string
		for _, name := range f.Sealed() {
			n, err := f.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			sealed = append(sealed, fmt.Sprintf("%04o %s", n.Mode, name))
		}
		slices.SortFunc(sealed, func(a, b string) int { return strings.Compare(a[5:], b[5:]) })
		if got := out + strings.Join(sealed, " "); got != tt.want {
			t.Errorf("%s\nmakes %q\nwant  %q", tt.script, got, tt.want)
		}
	}
}

// TestKeysRefused has what would print a secret, or is about one that is known.
func TestKeysRefused(t *testing.T) {
	for _, script := range []string{
		`openssl rand -base64 32`, `x=$(uuidgen)`, `uuidgen | cat`, `certtool --outfile a`, `nvme list`, `openssl req -new -out /request -keyout /key`, `openssl x509 -noout -hash -in /etc/known.pem`,
		`ssh-keygen -y -f /etc/key`, `ssh-keygen -f /etc/there -N ''`, `rndc-confgen`, `openssl req -new -x509 -key /etc/known.pem -out /cert`, `mungekey -c -k /etc/there`, `sshd -D`, `chronyd -n`, `proftpd --configtest`, `apache2 -k start`, `smartctl -i /dev/sda`,
	} {
		if err := refusal(t, map[string]string{"etc/known.pem": "x", "etc/there": "x"}, script); err == nil {
			t.Errorf("%s is not refused", script)
		}
	}
}

// refusal runs a script and returns the error that ends it, if it asks for what is
// not supported.
func refusal(t *testing.T, files map[string]string, script string) error {
	t.Helper()
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	for name, text := range files {
		if err := tr.WriteFile(name, []byte(text), 0o644, nil); err != nil {
			t.Fatal(err)
		}
	}
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: generate.Commands(generate.Config{})}
	_, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: script, Env: []string{"PATH=/usr/bin:/bin"}})
	if refused, ok := errors.AsType[*shell.UnsupportedError](err); ok {
		return refused
	}
	return nil
}

// TestDaemons has what programs say of their configuration.
func TestDaemons(t *testing.T) {
	for _, tt := range []struct {
		files        map[string]string
		script, want string
	}{
		{nil, `sshd -G`, ""},
		{map[string]string{"etc/ssh/sshd_config": "Port 22\n#HostKey /x\n"}, `sshd -G`, "hostkey /etc/ssh/ssh_host_rsa_key\nhostkey /etc/ssh/ssh_host_ecdsa_key\nhostkey /etc/ssh/ssh_host_ed25519_key\n"},
		{map[string]string{"etc/ssh/sshd_config": "hostkey /x\n"}, `sshd -G`, "hostkey /x\n"},
		{map[string]string{"etc/chrony/chrony.conf": "# c\nconfdir /etc/chrony/conf.d\nrtcsync\n", "etc/chrony/conf.d/a.conf": "user  x\n", "etc/chrony/conf.d/b": "no\n"}, `chronyd -p`, "user x\nrtcsync\n"},
		{map[string]string{"conf": ""}, `exim4 -C /conf -bV; echo $?; exim4 -C /none -bV; echo $?`, "0\n1\n"},
		{nil, `proftpd -t; apache2 -t; echo $?; auditctl -s; echo $?; vgcfgbackup; echo $?; test-SSE3; echo $?; policy-rc.d apache2 start; echo $?; ufw app update all; echo $?`, "0\n1\n0\n0\n101\n0\n"},
	} {
		if got, _ := run(t, tt.files, tt.script); got != tt.want {
			t.Errorf("%s\nprints %q\nwant   %q", tt.script, got, tt.want)
		}
	}
}
