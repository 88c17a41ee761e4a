//go:build linux

package main

import "testing"

// TestAllowList is as strict about what has to be compared as about what may differ.
func TestAllowList(t *testing.T) {
	tests := map[string]bool{
		"var/lib/dpkg/status":                             true,
		"var/lib/dpkg/status.d/libc6":                     true,
		"var/lib/dpkg/info/libc6.postinst":                true,
		"var/lib/dpkg/triggers/File":                      true,
		"var/log/dpkg.log":                                true,
		"var/cache/ldconfig/aux-cache":                    true,
		"usr/lib/python3/__pycache__":                     true,
		"usr/lib/python3/__pycache__/abc.cpython-313.pyc": true,
		"etc/machine-id":                                  true,
		"var/cache/fontconfig/4c599c202bc5c08e2d34565a40eac3b2-le64.cache-9": true,
		"var/cache/man/de/index.db": true,

		"var/cache/man": false,

		"var/lib/dpkg/alternatives":            false,
		"var/lib/dpkg/alternatives/awk":        false,
		"var/lib/dpkg/diversions":              false,
		"var/lib/dpkg/statoverride":            false,
		"var/lib/dpkg-other":                   false,
		"var/log/nginx/access.log":             false,
		"var/cache/fontconfig/CACHEDIR.TAG":    false,
		"etc/ld.so.cache":                      false,
		"etc/passwd-":                          false,
		"etc/.pwd.lock":                        false,
		"etc/pam.d/common-auth":                false,
		"etc/rc2.d/S01nginx":                   false,
		"etc/systemd/system/x.wants/y.service": false,
		"var/lib/systemd/deb-systemd-helper-enabled/x.service.dsh-also": false,
		"usr/share/pyc":   false,
		"home/machine-id": false,
	}
	for p, want := range tests {
		if got := mayDiffer(p) != ""; got != want {
			t.Errorf("%s: may differ is %v, want %v", p, got, want)
		}
	}
	for _, a := range allowed {
		if a.why == "" {
			t.Errorf("%s: no reason", a.pattern)
		}
	}
}
