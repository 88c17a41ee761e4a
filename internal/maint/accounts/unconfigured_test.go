package accounts_test

import (
	"testing"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// As adduser 3.152 does in a chroot without its configuration; where the program is
// left out of the image, nothing is missing.
func TestUnconfiguredAdduser(t *testing.T) {
	const script = `rm /etc/adduser.conf /etc/deluser.conf; addgroup --quiet --system scanner 2>&1; echo $?
adduser --system --quiet foo 2>/dev/null; echo $?; deluser --quiet nobody 2>/dev/null; echo $?; getent passwd foo; getent group scanner`
	for _, tt := range []struct {
		name, want string
		there      bool
	}{
		{"unpacked", "warn: `/etc/adduser.conf' does not exist. Using defaults.\nInsecure $ENV{PATH} while running with -T switch at /usr/share/perl5/Debian/AdduserLogging.pm line 161.\n25\n25\n25\n", true},
		{"left out", "0\n0\n0\nfoo:x:100:65534::/nonexistent:/usr/sbin/nologin\nscanner:x:101:\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sh := newShell(t)
			if tt.there {
				if err := sh.FS.MkdirAll("/usr/sbin", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := sh.FS.WriteFile("/usr/sbin/adduser", []byte("#!/usr/bin/perl -T\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			got, err := sh.Run(t.Context(), shell.Script{Name: "preinst", Text: script, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}})
			if err != nil {
				t.Logf("%v", err)
			}
			if string(got) != tt.want {
				t.Errorf("printed\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
