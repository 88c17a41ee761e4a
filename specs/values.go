package specs

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// valueError says what is wrong with a value, without its position: "found x,
// expected y", and what to do.
type valueError struct{ message, hint string }

func (e *valueError) Error() string { return e.message }
func (e *valueError) Hint() string  { return e.hint }

func badValue(found, expected, hint string) error {
	return &valueError{fmt.Sprintf("found %s, expected %s", quote(found), expected), hint}
}

// quote shows a value in an error: quoted, on one line, and not all of a long one.
func quote(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:77]) + "..."
	}
	return strconv.Quote(s)
}

// ID is a numeric user or group id, from 0 to 2^32-2; the largest 32-bit number
// means "unchanged" to chown(2).
type ID uint32

const maxID = 1<<32 - 2

// Mode is a set of permission bits, including set-user-id (04000), set-group-id
// (02000) and sticky (01000), as in chmod(1).
type Mode uint32

// UnmarshalText reads one to four octal digits, which may follow a further zero.
func (m *Mode) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 8, 32)
	if err != nil || n > 07777 || len(b) < 3 || len(b) > 5 {
		return badValue(string(b), `a quoted octal mode such as "0644"`, "")
	}
	*m = Mode(n)
	return nil
}

// MarshalText returns the four octal digits.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String returns the four octal digits, such as "0755".
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// Duration is a length of time, written with its units: 30s, 1m30s.
type Duration time.Duration

var durationPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(patternDuration) })

// UnmarshalText reads a number with a unit (h, m, s, ms), or several in a row.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || !durationPattern().Match(b) {
		return badValue(string(b), "a duration such as 30s or 1m30s", "")
	}
	if v < time.Millisecond {
		return badValue(string(b), "at least 1ms", "")
	}
	*d = Duration(v)
	return nil
}

// MarshalText returns the duration as Go writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the duration as Go writes it, such as "1m30s".
func (d Duration) String() string { return time.Duration(d).String() }

// Date is a day, "2006-01-02", or "" for none.
type Date string

// UnmarshalText reads a day of the calendar in the form of RFC 3339.
func (d *Date) UnmarshalText(b []byte) error {
	if _, err := time.Parse(time.DateOnly, string(b)); err != nil {
		return badValue(string(b), "a date such as 2025-08-09", "")
	}
	*d = Date(b)
	return nil
}

// MarshalText returns the date as it was read.
func (d Date) MarshalText() ([]byte, error) { return []byte(d), nil }

// Time returns the date's first moment in UTC, or the zero time for none.
func (d Date) Time() time.Time {
	t, _ := time.Parse(time.DateOnly, string(d))
	return t
}

// Distro is the distribution and release that an image's packages come from.
type Distro struct {
	Family   string // "debian"
	Codename string // "trixie", "bookworm", "sid", ...
}

var distroPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(patternDistro) })

// UnmarshalText reads "debian/CODENAME".
func (d *Distro) UnmarshalText(b []byte) error {
	family, codename, _ := strings.Cut(string(b), "/")
	if !distroPattern().Match(b) {
		var hint string
		if c := nearest(string(b), []string{"trixie", "bookworm", "sid"}); c != "" {
			hint = "write debian/" + c
		}
		return badValue(string(b), "debian/CODENAME such as debian/trixie", hint)
	}
	*d = Distro{family, codename}
	return nil
}

// MarshalText returns "debian/CODENAME".
func (d Distro) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns "debian/CODENAME".
func (d Distro) String() string {
	if d == (Distro{}) {
		return ""
	}
	return d.Family + "/" + d.Codename
}

// Platform is an operating system and processor that an image is for, in the
// words of the OCI image spec (image index, platform).
type Platform struct {
	OS           string // "linux"
	Architecture string // "amd64", "arm64", "arm", ...
	Variant      string // "v7" or "v5" for arm, else ""
}

// debianArchs has the platforms that Debian builds for (trixie's and bookworm's
// release notes, section 2.1), each with Debian's name of the architecture.
var debianArchs = []struct{ platform, arch string }{
	{"linux/amd64", "amd64"},
	{"linux/arm64", "arm64"},
	{"linux/arm/v7", "armhf"},
	{"linux/arm/v5", "armel"},
	{"linux/386", "i386"},
	{"linux/ppc64le", "ppc64el"},
	{"linux/riscv64", "riscv64"},
	{"linux/s390x", "s390x"},
}

func platformNames() []string {
	names := make([]string, len(debianArchs))
	for i, p := range debianArchs {
		names[i] = p.platform
	}
	return names
}

// UnmarshalText reads "linux/ARCHITECTURE" or "linux/ARCHITECTURE/VARIANT", of
// those that Debian builds for.
func (p *Platform) UnmarshalText(b []byte) error {
	names := platformNames()
	if !slices.Contains(names, string(b)) {
		hint := "one of " + strings.Join(names, ", ")
		for _, d := range debianArchs {
			if string(b) == d.arch || string(b) == "linux/"+d.arch || string(b) == d.platform+"/v8" {
				hint = "write " + d.platform
			}
		}
		return badValue(string(b), "a platform that Debian builds for", hint)
	}
	parts := strings.Split(string(b), "/")
	*p = Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return nil
}

// MarshalText returns the platform as [Platform.String] does.
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String returns "linux/amd64", "linux/arm/v7" and so on.
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// DebianArch returns Debian's name of the architecture, such as "armhf", or "" for
// a platform that Debian does not build for.
func (p Platform) DebianArch() string {
	for _, d := range debianArchs {
		if d.platform == p.String() {
			return d.arch
		}
	}
	return ""
}

// Port is a port, or a range of them, that an image listens on.
type Port struct {
	First, Last uint16
	Protocol    string // "tcp", "udp" or "sctp"
}

// UnmarshalText reads "8000", "8000/udp" or "8000-8010/tcp".
func (p *Port) UnmarshalText(b []byte) error {
	ports, protocol, ok := strings.Cut(string(b), "/")
	if !ok {
		protocol = "tcp"
	}
	first, last, isRange := strings.Cut(ports, "-")
	if !isRange {
		last = first
	}
	from, err1 := parsePort(first)
	to, err2 := parsePort(last)
	if err1 != nil || err2 != nil || from > to || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return badValue(string(b), "a port such as 8000, 8000/udp or 8000-8010/tcp", "")
	}
	*p = Port{from, to, protocol}
	return nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || s[0] == '0' {
		return 0, fmt.Errorf("not a port")
	}
	return uint16(n), nil
}

// MarshalText returns the port as [Port.String] does.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String returns "8000/tcp" or "8000-8010/tcp".
func (p Port) String() string {
	if p.First == p.Last {
		return fmt.Sprintf("%d/%s", p.First, p.Protocol)
	}
	return fmt.Sprintf("%d-%d/%s", p.First, p.Last, p.Protocol)
}

// PackageRequest is one entry of a list of packages.
type PackageRequest struct {
	Name    string
	Arch    string // "amd64", "any", ..., or "" for the image's own
	Version string // exact or a glob of * and ?, or "" for the newest
	Exclude bool   // "!name": never in the image
}

var requestPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(patternPackage) })

// UnmarshalText reads "name", "name:arch", "name=version" or "!name". Names are
// those of Debian Policy 5.6.7, versions those of 5.6.12 with * and ?.
func (r *PackageRequest) UnmarshalText(b []byte) error {
	m := requestPattern().FindStringSubmatch(string(b))
	if m == nil {
		hint := ""
		if s := strings.ToLower(string(b)); s != string(b) && requestPattern().MatchString(s) {
			hint = "write " + s
		}
		return badValue(string(b), "a package: name, name:arch, name=version, or !name", hint)
	}
	if m[1] != "" {
		*r = PackageRequest{Name: m[1], Exclude: true}
		return nil
	}
	*r = PackageRequest{Name: m[2], Arch: m[3], Version: m[4]}
	return nil
}

// MarshalText returns the request as [PackageRequest.String] does.
func (r PackageRequest) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the request as a spec has it.
func (r PackageRequest) String() string {
	if r.Exclude {
		return "!" + r.Name
	}
	s := r.Name
	if r.Arch != "" {
		s += ":" + r.Arch
	}
	if r.Version != "" {
		s += "=" + r.Version
	}
	return s
}

// Size is a number of bytes, written with a binary unit: 512MiB, 2GiB.
type Size int64

// sizeUnits are the units of a size (IEC 80000-13), the largest first.
var sizeUnits = []struct {
	name  string
	shift uint
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

// UnmarshalText reads a whole number with a unit.
func (s *Size) UnmarshalText(b []byte) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(string(b), u.name)
		n, err := strconv.ParseInt(digits, 10, 64)
		if ok && err == nil && n > 0 && n <= 1<<50>>u.shift {
			*s = Size(n << u.shift)
			return nil
		}
	}
	return badValue(string(b), "a size such as 512MiB or 2GiB", "")
}

// MarshalText returns the size in the largest unit that divides it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size in the largest unit that divides it, such as "2GiB".
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s&(1<<u.shift-1) == 0 {
			return strconv.FormatInt(int64(s>>u.shift), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Machine returns the platform of the machine that the program runs on.
func Machine() Platform { return Platform{OS: "linux", Architecture: runtime.GOARCH} }
