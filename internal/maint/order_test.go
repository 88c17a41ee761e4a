package maint

import (
	"strings"
	"testing"
)

// TestConfigureOrder has what "dpkg --configure --pending" says that it sets up, in
// that order. A "!" marks those with a postinst.
func TestConfigureOrder(t *testing.T) {
	for _, tt := range []struct{ name, packages, want string }{
		{
			name:     "without dependencies, dpkg's table decides",
			packages: "libcom-err2, libelf1t64, libkeyutils1, libtirpc-common, nginx-common",
			want:     "libkeyutils1 libtirpc-common nginx-common libcom-err2 libelf1t64",
		},
		{
			name:     "who waits for another goes to the end",
			packages: "gawk: readline-common libsigsegv2 libreadline8t64, libreadline8t64: readline-common, libsigsegv2, readline-common",
			want:     "libsigsegv2 readline-common libreadline8t64 gawk",
		},
		{
			name:     "of a circle without postinsts, the last link is cut",
			packages: "dmsetup: libdevmapper1.02.1, libdevmapper1.02.1: dmsetup, xfsprogs: libdevmapper1.02.1",
			want:     "dmsetup libdevmapper1.02.1 xfsprogs",
		},
		{
			name:     "of a circle with postinsts, the link that was followed first is cut",
			packages: "dovecot-core!: dovecot-sieve, dovecot-sieve!: dovecot-core, dovecot-imapd!: dovecot-core",
			want:     "dovecot-sieve dovecot-core dovecot-imapd",
		},
	} {
		img := &Image{}
		for text := range strings.SplitSeq(tt.packages, ", ") {
			name, depends, _ := strings.Cut(text, ": ")
			p := Package{Name: strings.TrimSuffix(name, "!"), Scripts: map[string]string{}}
			if p.Name != name {
				p.Scripts["postinst"] = "#!/bin/sh\n"
			}
			if depends != "" {
				p.Control = "Depends: " + strings.ReplaceAll(depends, " ", ", ") + "\n"
			}
			img.Packages = append(img.Packages, p)
		}
		batch := img.Batches()[0].Packages
		var got []string
		done := map[int]bool{}
		d := img.dependencies()
		q := &queue{
			d: d, installed: func(i int) bool { return done[i] }, pending: func(int) bool { return false },
			awaits: func(int) (int, bool) { return 0, false },
			configure: func(i int) error {
				done[i] = true
				got = append(got, img.Packages[i].Name)
				return nil
			},
		}
		if err := q.run(d.inTableOrder(batch)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: configured %q, want %q", tt.name, strings.Join(got, " "), tt.want)
		}
	}
}

// TestBatches has that apt comes first, with each alternative of what it depends on.
func TestBatches(t *testing.T) {
	img := &Image{Packages: []Package{
		{Name: "adduser", Control: "Depends: passwd\n"},
		{Name: "apt", Control: "Depends: base-passwd | adduser, keyring\n"},
		{Name: "base-passwd", Control: "Essential: yes\n"},
		{Name: "early"}, {Name: "keyring"}, {Name: "passwd"},
		{Name: "systemd", Control: "Pre-Depends: early\n"},
	}}
	var got []string
	for _, b := range img.Batches() {
		var names []string
		for _, i := range b.Packages {
			names = append(names, img.Packages[i].Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	if text, want := strings.Join(got, ", "), "base-passwd, passwd adduser keyring apt, early, systemd"; text != want {
		t.Errorf("batches %q, want %q", text, want)
	}
}
