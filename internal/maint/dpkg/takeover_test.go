package dpkg

import "testing"

// TestTakeOver: what was taken over is written as it was, and what cannot be read is
// refused.
func TestTakeOver(t *testing.T) {
	files := map[string][]byte{
		DiversionsPath: []byte("/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.old\n:\n"),
		OverridesPath:  []byte("root mail 2755 /usr/bin/dotlock\n#7 #8 644 /a b\nroot nobodys 640 /x\n"),
		"etc/passwd":   []byte("root:x:0:0::/root:/bin/sh\n"), "etc/group": []byte("root:x:0:\nmail:x:8:\n"),
	}
	d := New(System{})
	if err := d.TakeOver(files); err != nil {
		t.Fatal(err)
	}
	if got := d.Diversions(); len(got) != 2 || got[0] != (Diversion{"dash", "/bin/sh", "/bin/sh.distrib"}) || got[1] != (Diversion{"", "/usr/bin/x", "/usr/bin/x.old"}) {
		t.Errorf("diversions are %v", got)
	}
	if o, ok := d.Override("/usr/bin/dotlock"); !ok || o != (Override{Path: "/usr/bin/dotlock", User: "root", Group: "mail", GID: 8, Mode: 0o2755}) {
		t.Errorf("override %+v", o)
	}
	if o, ok := d.Override("/a b"); !ok || o.UID != 7 || o.GID != 8 {
		t.Errorf("override %+v", o)
	}
	if len(d.Overrides()) != 2 {
		t.Errorf("overrides are %v", d.Overrides())
	}
	if len(d.Files()) != 0 {
		t.Error("nothing changed, and files are written")
	}
	for name, bad := range map[string]string{DiversionsPath: "/a\n/b\n", OverridesPath: "root root 0644\n"} {
		if New(System{}).TakeOver(map[string][]byte{name: []byte(bad)}) == nil {
			t.Errorf("%s: %q is read", name, bad)
		}
	}
	if New(System{}).TakeOver(map[string][]byte{OverridesPath: []byte("root root 9 /x\n")}) == nil {
		t.Error("a mode of 9 is read")
	}
}
