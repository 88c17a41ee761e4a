package sboms

import (
	"fmt"
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	list, err := readStatus(strings.NewReader(`Package: libc6
Status: install ok installed
Version: 2.41-12
Architecture: amd64
Source: glibc
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Depends: libgcc-s1

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: all

Package: plus++
Version: 2-1+b1
Architecture: amd64
Source: plus (2-1)
Pre-Depends: libc6 (>= 2.36)
Depends: aa | bb (= 1:2), cc
Provides: plus-api (= 2)
`))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, c := range list {
		fmt.Fprintf(&got, "%s %s %s from %s %s by %q needs %q provides %q\n", c.name, c.version, c.architecture, c.source, c.sourceVersion, c.maintainer, c.depends, c.provides)
	}
	const want = `libc6 2.41-12 amd64 from glibc 2.41-12 by "GNU Libc Maintainers <debian-glibc@lists.debian.org>" needs "libgcc-s1" provides ""
plus++ 2-1+b1 amd64 from plus 2-1 by "" needs "libc6 (>= 2.36), aa | bb (= 1:2), cc" provides "plus-api (= 2)"
`
	if got.String() != want {
		t.Errorf("got:\n%swant:\n%s", got.String(), want)
	}
}

func TestStatusErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Version: 1\n", `package "": found the version "1", expected a package name and a version`},
		{"Package: a\n", `package "a": found the version "", expected a package name and a version`},
		{"Package: a\nVersion: 1\nDepends: bb (1)\n", `package "a": field Depends: relation "bb (1)": found (1), expected an operator and a version`},
		{"Package: a\nVersion: 1\nnonsense\n", `line 3: found "nonsense", expected "Field: value"`},
	} {
		if _, err := readStatus(strings.NewReader(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

// Which packages of an image satisfy the dependencies of another (Debian Policy 7.1, 7.5).
func TestRelate(t *testing.T) {
	for _, c := range []struct{ name, status, want string }{
		{"a version that will do", "Package: aa 1\nDepends: bb (>= 2)\n\nPackage: bb 2", "aa needs bb"},
		{"and one that will not", "Package: aa 1\nDepends: bb (>= 3)\n\nPackage: bb 2", "aa lacks bb (>= 3)"},
		{"the first alternative there is", "Package: aa 1\nDepends: xx | cc | bb\n\nPackage: bb 1\n\nPackage: cc 1", "aa needs cc"},
		{"a package that provides it", "Package: aa 1\nDepends: mta\n\nPackage: bb 1\nProvides: mta\n\nPackage: cc 1\nProvides: mta", "aa needs bb cc"},
		{"a version needs a version", "Package: aa 1\nDepends: api (>= 2)\n\nPackage: bb 1\nProvides: api", "aa lacks api (>= 2)"},
		{"a version provided", "Package: aa 1\nDepends: api (>= 2)\n\nPackage: bb 1\nProvides: api (= 3)", "aa needs bb"},
		{"both fields, each package once", "Package: aa 1\nPre-Depends: bb\nDepends: bb, cc\n\nPackage: bb 1\n\nPackage: cc 1", "aa needs bb cc"},
		{"itself", "Package: aa 1\nDepends: api\nProvides: api", ""},
	} {
		text := strings.NewReplacer(" 1\n", "\nVersion: 1\n", " 2\n", "\nVersion: 2\n").Replace(c.status + "\n")
		list, err := readStatus(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var packages []Package
		for _, control := range list {
			p := Package{control: control}
			p.Name, p.Version, p.Architecture = control.name, control.version, "amd64"
			packages = append(packages, p)
		}
		relate(packages)
		var got []string
		for _, p := range packages {
			if len(p.DependsOn) > 0 {
				got = append(got, p.Name+" needs")
			}
			for _, d := range p.DependsOn {
				got = append(got, packages[d].Name)
			}
			for _, u := range p.Unmet {
				got = append(got, p.Name+" lacks "+u)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzStatus(f *testing.F) {
	f.Add("Package: a\nStatus: install ok installed\nVersion: 1\nSource: b (2)\nDepends: cc | dd (>= 1), ee\nProvides: ff (= 1)\n\nPackage: cc\nVersion: 1\n")
	f.Add("Package: a\nVersion: 1\nSource:  (2)\n")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := readStatus(strings.NewReader(s))
		if err != nil {
			return
		}
		var packages []Package
		for _, c := range list {
			if c.name == "" || c.version == "" || c.source == "" || c.sourceVersion == "" {
				t.Errorf("incomplete: %+v", c)
			}
			p := Package{control: c}
			p.Name, p.Version = c.name, c.version
			packages = append(packages, p)
		}
		relate(packages)
		for i, p := range packages {
			for _, d := range p.DependsOn {
				if d == i || d >= len(packages) {
					t.Errorf("%s depends on %d of %d", p.Name, d, len(packages))
				}
			}
		}
	})
}
