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

		"etc/ssh/ssh_host_ecdsa_key.pub":        true,
		"etc/ssl/private/ssl-cert-snakeoil.key": true,
		"etc/ssl/certs/ssl-cert-snakeoil.pem":   true,
		"etc/nvme/hostid":                       true,
		"etc/nvme/discovery.conf":               false,
		"etc/ssl/certs/ca-certificates.crt":     false,
		"etc/ssl/private":                       false,
		"etc/ssh/sshd_config":                   false,
		"var/cache/man":                         false,

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

// TestNamesOfKeys has links that need not be there, as what they lead to is random.
func TestNamesOfKeys(t *testing.T) {
	for _, tt := range []struct {
		path string
		is   entry
		want bool
	}{
		{"etc/ssl/certs/0123abcd.0", entry{Type: link, Target: "ssl-cert-snakeoil.pem"}, true},
		{"etc/dovecot/private/dovecot.pem", entry{Type: link, Target: "/etc/ssl/certs/ssl-cert-snakeoil.pem"}, true},
		{"etc/ssl/certs/0123abcd.0", entry{Type: link, Target: "ISRG_Root_X1.pem"}, false},
		{"etc/ssl/certs/0123abcd.0", entry{Type: file, Target: "ssl-cert-snakeoil.pem"}, false},
	} {
		if got := isNameOfKey(tt.path, tt.is); got != tt.want {
			t.Errorf("%s -> %s: %v, want %v", tt.path, tt.is.Target, got, tt.want)
		}
	}
}
