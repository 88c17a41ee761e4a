package tree

import (
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// capabilityTable is what setcap(8) is given, the attribute that it makes of it, and
// what getcap(8) prints then.
const capabilityTable = `
cap_net_raw+ep | 0100000200200000000000000000000000000000 | cap_net_raw=ep
cap_sys_nice,cap_net_bind_service,cap_net_admin+ep | 0100000200148000000000000000000000000000 | cap_net_bind_service,cap_net_admin,cap_sys_nice=ep
cap_net_raw=p | 0000000200200000000000000000000000000000 | cap_net_raw=p
CAP_NET_RAW=ep cap_net_admin+ep | 0100000200300000000000000000000000000000 | cap_net_admin,cap_net_raw=ep
=ep | 01000002ffffffff00000000ff01000000000000 | =ep
all=eip | 01000002ffffffffffffffffff010000ff010000 | =eip
= | 0000000200000000000000000000000000000000 | =
cap_setuid=ei | 0100000200000000800000000000000000000000 | cap_setuid=ei
=ep cap_kill-ep | 01000002dfffffff00000000ff01000000000000 | =ep cap_kill-ep
cap_net_raw=p+e | 0100000200200000000000000000000000000000 | cap_net_raw=ep
cap_net_raw+p-p | 0000000200000000000000000000000000000000 | =
cap_chown=p cap_kill=i | 0000000201000000200000000000000000000000 | cap_kill=i cap_chown+p
cap_chown=ep cap_kill=ei | 0100000201000000200000000000000000000000 | cap_kill=ei cap_chown+ep
12=ep | 0100000200100000000000000000000000000000 | cap_net_admin=ep
cap_chown=ip cap_kill=i | 0000000201000000210000000000000000000000 | cap_chown=ip cap_kill+i
all-e | 0000000200000000000000000000000000000000 | =
=ip cap_kill-i cap_chown-p | 00000002feffffffdfffffffff010000ff010000 | =ip cap_chown-p cap_kill-i
all=ep cap_chown-e | error
cap_a+ep | error
cap_net_raw | error
cap_net_raw+ | error
cap_net_raw+x | error
cap_net_raw+ep,cap_kill | error
+ep | error
64=ep | error
`

func TestCapability(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(capabilityTable)) {
		given, want, _ := strings.Cut(strings.TrimSpace(line), " | ")
		got := "error"
		if c, err := ParseCapability(given); err == nil {
			got = string(c) + " | " + c.String()
		}
		if got != want {
			t.Errorf("%q\n got %s\nwant %s", given, got, want)
		}
	}
}

// TestRealCapability compares the table with setcap and getcap.
func TestRealCapability(t *testing.T) {
	if _, err := exec.LookPath("setcap"); err != nil {
		t.Skip("SKIPPED: setcap and getcap (libcap2-bin) are not here: the table was not compared with them")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := exec.Command("touch", file).Run(); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("setcap", "cap_net_raw+ep", file).Run(); err != nil {
		t.Skipf("SKIPPED: capabilities cannot be set here: %v", err)
	}
	for line := range strings.Lines(strings.TrimSpace(capabilityTable)) {
		given, want, _ := strings.Cut(strings.TrimSpace(line), " | ")
		got := "error"
		if err := exec.Command("setcap", given, file).Run(); err == nil {
			value := make([]byte, 64)
			n, err := unix.Lgetxattr(file, "security.capability", value)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := exec.Command("getcap", file).Output()
			got = hex.EncodeToString(value[:n]) + " | " + strings.TrimSpace(strings.TrimPrefix(string(text), file))
		}
		if got != want {
			t.Errorf("%q\nsetcap made %s\n the table: %s", given, got, want)
		}
	}
}

func FuzzCapability(f *testing.F) {
	for line := range strings.Lines(strings.TrimSpace(capabilityTable)) {
		given, _, _ := strings.Cut(line, " | ")
		f.Add(given)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCapability(text)
		if err != nil {
			return
		}
		again, err := ParseCapability(c.String())
		if err != nil || again != c {
			t.Errorf("%q is %s, printed %q, which is %s, %v", text, c, c.String(), again, err)
		}
	})
}
