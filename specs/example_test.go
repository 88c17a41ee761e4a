package specs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hardpan/hardpan/specs"
)

func ExampleLoad() {
	s, err := specs.Load("testdata/images/python/3.13.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Name, s.Tag(), s.Distro)
	for _, p := range s.Platforms {
		fmt.Println(p, "is Debian's", p.DebianArch())
	}
	for i, r := range s.Contents.Packages[5:] {
		fmt.Println(s.Position("contents", "packages", 5+i), r.Name, r.Version, r.Exclude)
	}
	// Output:
	// python 3.13 debian/trixie
	// linux/amd64 is Debian's amd64
	// linux/arm64 is Debian's arm64
	// testdata/images/python/3.13.yaml:14:7 curl 8.14.1-2* false
	// testdata/images/python/3.13.yaml:15:7 openssl  true
}

// All that is wrong with a spec is reported at once, with what to do about it.
func ExampleErrors() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	spec := `apiVersion: hardpan/v1
name: app
version: 1.10
distro: debian/trixie
entripoint: [/usr/bin/app]
`
	path := filepath.Join(dir, "app.yaml")
	if err := os.WriteFile(path, []byte(spec), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	_, err = specs.Load(path)
	var all specs.Errors
	if errors.As(err, &all) {
		for _, e := range all {
			fmt.Printf("line %d: %s (hint: %s)\n", e.Position.Line, e.Message, e.Hint())
		}
	}
	// Output:
	// line 3: version: found the number 1.10, expected text (hint: quote it: "1.10")
	// line 5: unknown key "entripoint"; did you mean "entrypoint"? (hint: )
}

func ExampleSpec_Variant() {
	s, err := specs.Load("testdata/images/python/3.13.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range s.VariantNames() {
		v, err := s.Variant(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(v.Tag(), v.Hardening.Profile, v.Contents.Packages[len(v.Contents.Packages)-1])
	}
	// Output: 3.13-debug standard busybox
}

func ExampleAccounts_Resolve() {
	a := specs.Accounts{RunAs: "www-data:adm"}
	uid, gid, err := a.Resolve()
	fmt.Println(uid, gid, err)
	// Output: 33 4 <nil>
}
