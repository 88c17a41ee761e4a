package lock

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// sample is a lock as it is written.
const sample = `{
  "lockVersion": 1,
  "request": {
    "distro": "debian/trixie",
    "platforms": [
      "linux/amd64"
    ],
    "packages": {
      "": [
        "hello",
        "!openssl"
      ],
      "debug": [
        "hello",
        "busybox"
      ]
    },
    "rules": {
      "": [
        "maintainer-script-tools"
      ]
    }
  },
  "archives": [
    {
      "id": "debian/trixie",
      "suite": "trixie",
      "date": "2025-08-09T00:00:00Z",
      "inRelease": "sha256:00",
      "signedBy": [
        "ABCD"
      ]
    },
    {
      "id": "debian/trixie-security",
      "suite": "trixie-security",
      "date": "2025-08-10T12:00:00+02:00",
      "validUntil": "2025-08-17T00:00:00Z",
      "inRelease": "sha256:11",
      "signedBy": [
        "ABCD"
      ]
    }
  ],
  "platforms": {
    "linux/amd64": {
      "packages": [
        {
          "name": "busybox",
          "version": "1:1.37.0-6",
          "architecture": "amd64",
          "source": "busybox",
          "sourceVersion": "1:1.37.0-6",
          "archive": "debian/trixie",
          "path": "pool/main/b/busybox/busybox_1.37.0-6_amd64.deb",
          "size": 463000,
          "sha256": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
          "why": "requested",
          "variants": [
            "debug"
          ]
        }
      ],
      "dropped": [
        {
          "name": "openssl",
          "neededBy": [
            "ca-certificates: openssl (>= 1.1.1)"
          ]
        },
        {
          "name": "debconf",
          "neededBy": [
            "tzdata: debconf (>= 0.5) | debconf-2.0"
          ],
          "why": "only for maintainer scripts: tzdata depends on debconf for questions at installation",
          "variants": [
            ""
          ]
        }
      ]
    }
  }
}
`

func TestRoundTrip(t *testing.T) {
	l, err := Decode([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Encode()
	if err != nil || string(b) != sample {
		t.Errorf("encoded again: %v\n%s", err, b)
	}
	if want := time.Date(2025, 8, 10, 10, 0, 0, 0, time.UTC); l.Epoch() != want {
		t.Errorf("epoch is %s, want that of the newest archive, %s", l.Epoch(), want)
	}
	pkg := &l.Platforms["linux/amd64"].Packages[0]
	if pkg.In("") || !pkg.In("debug") {
		t.Error("busybox is in debug and nowhere else")
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"version":         {`"lockVersion": 1`, `"lockVersion": 0`, "lockVersion is 0, expected 1"},
		"unknown key":     {`"distro"`, `"ditsro"`, `not a lock: json: unknown field "ditsro"`},
		"type":            {`"size": 463000`, `"size": "463000"`, `line 56: not a lock: json: cannot unmarshal string into Go struct field`},
		"syntax":          {`"suite": "trixie",`, `"suite": trixie,`, `line 27: not a lock: invalid character 'i' in literal true (expecting 'u')`},
		"two values":      {"\n}\n", "\n}\n{}\n", "more than one JSON value, expected one lock"},
		"nothing":         {sample, "", "not a lock: EOF"},
		"no name":         {`"name": "busybox"`, `"name": ""`, `linux/amd64: package "": name, version and architecture are needed`},
		"a path for name": {`"name": "busybox"`, `"name": "../busybox"`, `linux/amd64: package "../busybox": its name is not one of a Debian package`},
		"digest":          {`0123456789abcdef"`, `0123456789ABCDEF"`, `expected 64 hex digits`},
		"size":            {`463000`, `-1`, `linux/amd64: package "busybox": size is -1, expected bytes`},
		"climbing path":   {`pool/main`, `pool/../../main`, `expected a path below the archive`},
		"absolute path":   {`pool/main`, `/pool/main`, `expected a path below the archive`},
		"unknown archive": {`"archive": "debian/trixie"`, `"archive": "debian/sid"`, `linux/amd64: package "busybox": archive "debian/sid" is not one of the lock's`},
	} {
		text := strings.Replace(sample, c.old, c.new, 1)
		if _, err := Decode([]byte(text)); text == sample || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v, want %q", name, err, c.want)
		}
	}
	l, err := Decode([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	p := l.Platforms["linux/amd64"]
	p.Packages = append(p.Packages, p.Packages[0])
	l.Platforms["linux/amd64"] = p
	b, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(b); err == nil || err.Error() != `linux/amd64: package "busybox" is in it twice` {
		t.Errorf("twice: %v", err)
	}
}

func TestFits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Request)
		want   string // differences, or nothing
	}{
		"equal":     {func(*Request) {}, ""},
		"distro":    {func(r *Request) { r.Distro = "debian/sid" }, `distro: + "debian/sid"; distro: - "debian/trixie"`},
		"package":   {func(r *Request) { r.Packages[""] = []string{"hello", "curl"} }, `packages: + "curl"; packages: - "!openssl"`},
		"order":     {func(r *Request) { r.Packages[""] = []string{"!openssl", "hello"} }, `packages: order is ["hello" "!openssl"] in the lock, ["!openssl" "hello"] in the spec`},
		"in debug":  {func(r *Request) { r.Packages["debug"] = []string{"hello"} }, `packages of variant "debug": - "busybox"`},
		"variant":   {func(r *Request) { r.Packages["slim"] = nil }, `packages of variant "slim": only in the spec`},
		"no debug":  {func(r *Request) { delete(r.Packages, "debug") }, `packages of variant "debug": only in the lock`},
		"platform":  {func(r *Request) { r.Platforms = append(r.Platforms, "linux/arm64") }, `platforms: + "linux/arm64"`},
		"archive":   {func(r *Request) { r.Repositories = []string{"https://example.org stable main k"} }, `repositories: + "https://example.org stable main k"`},
		"a rule":    {func(r *Request) { r.Rules["debug"] = []string{"maintainer-script-tools"} }, `hardening of variant "debug": + "maintainer-script-tools"`},
		"no rules":  {func(r *Request) { r.Rules = nil }, `hardening: - "maintainer-script-tools"`},
		"two kinds": {func(r *Request) { r.Distro, r.Platforms = "debian/sid", nil }, `distro: + "debian/sid"; distro: - "debian/trixie"; platforms: - "linux/amd64"`},
	} {
		l, err := Decode([]byte(sample))
		if err != nil {
			t.Fatal(err)
		}
		asked, err := Decode([]byte(sample))
		if err != nil {
			t.Fatal(err)
		}
		c.change(&asked.Request)
		err = l.Fits(asked.Request)
		misfit, ok := errors.AsType[*MisfitError](err)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!ok || strings.Join(misfit.Differences, "; ") != c.want || misfit.Hint() == ""):
			t.Errorf("%s: have %v, want %s", name, err, c.want)
		}
	}
}

func TestChanges(t *testing.T) {
	lockOf := func(packages ...Package) *Lock {
		return &Lock{Platforms: map[string]Platform{"linux/amd64": {Packages: packages}}}
	}
	curl1, curl2, tool := Package{Name: "curl", Version: "1"}, Package{Name: "curl", Version: "2"}, Package{Name: "tool", Version: "1"}
	for _, c := range []struct {
		old, renewed *Lock
		want         string
	}{
		{nil, lockOf(curl1), ""},
		{lockOf(curl1), lockOf(curl1), ""},
		{lockOf(curl1), lockOf(curl2), "linux/amd64: curl 1 -> 2"},
		{lockOf(curl1), lockOf(tool), "linux/amd64: - curl 1; linux/amd64: + tool 1"},
		{lockOf(curl1), lockOf(curl1, curl2), "linux/amd64: curl 1 -> 1, 2"},
	} {
		if got := strings.Join(Changes(c.old, c.renewed), "; "); got != c.want {
			t.Errorf("have %q, want %q", got, c.want)
		}
	}
}

// images is a lock of a spec that stands on two images.
const images = `{
  "lockVersion": 1,
  "request": {
    "distro": "debian/trixie",
    "platforms": [
      "linux/amd64"
    ],
    "packages": {
      "": []
    },
    "images": [
      "example.com/base:1",
      "oci:tools"
    ]
  },
  "archives": [],
  "images": [
    {
      "reference": "example.com/base:1",
      "digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111",
      "platforms": {
        "linux/amd64": "sha256:2222222222222222222222222222222222222222222222222222222222222222"
      }
    },
    {
      "reference": "oci:tools",
      "digest": "sha256:3333333333333333333333333333333333333333333333333333333333333333",
      "platforms": {}
    }
  ],
  "platforms": {
    "linux/amd64": {
      "packages": []
    }
  }
}
`

func TestImages(t *testing.T) {
	decode := func(text string) *Lock {
		l, err := Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := decode(images)
	if b, err := l.Encode(); err != nil || string(b) != images {
		t.Errorf("encoded again: %v\n%s", err, b)
	}
	if img := l.Image("oci:tools"); img == nil || img.Digest[7] != '3' || l.Image("oci:tool") != nil {
		t.Errorf("oci:tools is %+v", img)
	}
	for old, want := range map[string]string{
		`"sha256:11`:          `image "example.com/base:1": digest is "sha:1111`,
		`"sha256:22`:          `image "example.com/base:1": linux/amd64 is "sha:2222`,
		`nce": "example.com/`: `image "oci:tools" is in it twice or not in its place`,
	} {
		new := map[string]string{`"sha256:11`: `"sha:11`, `"sha256:22`: `"sha:22`}[old]
		if new == "" {
			new = `nce": "zz.example.com/`
		}
		if _, err := Decode([]byte(strings.Replace(images, old, new, 1))); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: have %v, want %s", old, err, want)
		}
	}

	want := l.Request
	want.Images = []string{"example.com/base:2", "oci:tools"}
	if err := l.Fits(want); err == nil || err.Error() != `the lock does not fit the spec: images: + "example.com/base:2"; images: - "example.com/base:1"` {
		t.Errorf("another image: %v", err)
	}
	if err := l.Fits(l.Request); err != nil {
		t.Error(err)
	}
	answered := l.Images
	if l.Images = answered[:1]; l.Fits(l.Request) == nil {
		t.Error("a lock without an answer fits")
	}
	l.Images = answered

	renewed := decode(strings.ReplaceAll(strings.ReplaceAll(images, "sha256:1", "sha256:a"), "oci:tools", "oci:tool"))
	wantChanges := "image: example.com/base:1 sha256:111111111111 -> sha256:a11111111111; image: + oci:tool sha256:333333333333; image: - oci:tools sha256:333333333333"
	if got := strings.Join(Changes(l, renewed), "; "); got != wantChanges {
		t.Errorf("changes are %s", got)
	}
}

func TestPath(t *testing.T) {
	for spec, want := range map[string]string{"a.yaml": "a.lock", "x/3.13.yaml": "x/3.13.lock", "noending": "noending.lock"} {
		if got := Path(spec); got != want {
			t.Errorf("%s has %s, want %s", spec, got, want)
		}
	}
}

// What is accepted can be written and read again, and is what a build relies on.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"lockVersion":1,"request":{"distro":"","platforms":null,"packages":null},"archives":null,"platforms":{"x":{"packages":[]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Decode(b)
		if err != nil {
			return
		}
		for _, p := range l.Platforms {
			for _, pkg := range p.Packages {
				if strings.ContainsAny(pkg.Name, "/\x00\n") || strings.HasPrefix(pkg.Path, "/") || strings.Contains("/"+pkg.Path+"/", "/../") || pkg.Size <= 0 {
					t.Errorf("accepted %+v", pkg)
				}
			}
		}
		once, err := l.Encode()
		if err != nil {
			return // years beyond 9999 cannot be written
		}
		again, err := Decode(once)
		if err != nil {
			t.Fatalf("cannot read again what was written: %v\n%s", err, once)
		}
		if twice, _ := again.Encode(); string(twice) != string(once) {
			t.Errorf("wrote first\n%s\nthen\n%s", once, twice)
		}
	})
}
