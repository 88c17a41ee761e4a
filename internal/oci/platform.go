package oci

import (
	"cmp"
	"fmt"
	"strings"
)

// Platform is what an image runs on, in the words of Go's GOOS and GOARCH (OCI
// image spec, image-index.md, platform).
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	OSVersion    string `json:"os.version,omitempty"` // only images for Windows have one
	Variant      string `json:"variant,omitempty"`    // of the CPU, such as "v7"
}

// ParsePlatform reads "os/architecture" or "os/architecture/variant", such as
// "linux/arm64".
func ParsePlatform(s string) (Platform, error) {
	part := strings.Split(s, "/")
	if len(part) < 2 || len(part) > 3 {
		return Platform{}, fmt.Errorf("platform %q: expected os/architecture, such as linux/amd64", s)
	}
	p := Platform{OS: part[0], Architecture: part[1]}
	if len(part) == 3 {
		if p.Variant = part[2]; p.Variant == "" {
			return Platform{}, fmt.Errorf("platform %q: the variant is empty", s)
		}
	}
	return p, p.validate()
}

func (p Platform) validate() error {
	for _, word := range []struct{ name, value string }{{"os", p.OS}, {"architecture", p.Architecture}, {"variant", p.Variant}} {
		if word.value == "" && word.name != "variant" {
			return fmt.Errorf("platform %q: the %s is empty", p, word.name)
		}
		if i := strings.IndexFunc(word.value, notPlatformRune); i >= 0 {
			return fmt.Errorf("platform %q: the %s has a character outside [a-z0-9._-]", p, word.name)
		}
	}
	return nil
}

func notPlatformRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
}

// String returns "os/architecture" and, where there is one, "/variant".
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	if p.OSVersion != "" {
		s += ":" + p.OSVersion
	}
	return s
}

// normal returns p with the variant that is the same as none left out: every
// arm64 is v8, and arm without a variant is v7 (containerd's platforms package).
func (p Platform) normal() Platform {
	switch {
	case p.Architecture == "arm64" && p.Variant == "v8":
		p.Variant = ""
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	}
	return p
}

// matches reports whether an image for p is what a caller who wants want asked
// for. An OS version that want leaves out does not matter.
func (p Platform) matches(want Platform) bool {
	p, want = p.normal(), want.normal()
	if want.OSVersion == "" {
		p.OSVersion = ""
	}
	return p == want
}

// unknown reports whether p is the placeholder under which an index lists what is
// not an image, such as BuildKit's attestations.
func (p Platform) unknown() bool { return p.OS == "unknown" || p.Architecture == "unknown" }

func comparePlatforms(a, b Platform) int {
	return cmp.Or(cmp.Compare(a.OS, b.OS), cmp.Compare(a.Architecture, b.Architecture),
		cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.OSVersion, b.OSVersion))
}
