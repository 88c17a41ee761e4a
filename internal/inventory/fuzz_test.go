package inventory

import (
	"strings"
	"testing"
)

// Databases are anybody's: whatever they say, each package has a name, and no reason is
// longer than a line.
func FuzzDatabases(f *testing.F) {
	f.Add("Package: a\nStatus: install ok installed\nVersion: 1\nDepends: b (>= 1) | c, d\n\n", "P:a\nV:1\nD:so:x>1 b\np:so:x=1\nF:x\nR:y\n\n")
	f.Add("Package: a\nVersion: 1\nSource: b (2)\nEssential: yes\nPre-Depends: (\n", "D:\np:\nP:\n")
	f.Fuzz(func(t *testing.T, status, installed string) {
		inv := &Inventory{}
		inv.dpkg([][]byte{[]byte(status)})
		inv.apk(installed)
		for _, p := range inv.Packages {
			if p.Name == "" || strings.Contains(p.Why, "\n") {
				t.Errorf("%+v", p)
			}
		}
	})
}
