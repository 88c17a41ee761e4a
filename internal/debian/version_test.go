package debian

import (
	"errors"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

func TestCompareVersions(t *testing.T) {
	// Each line is in ascending order; "=" stands between equal versions.
	for _, line := range []string{
		"1.0~rc1 < 1.0 < 1.0+b1 < 1.0.1 < 1.1",
		"1.0 = 0:1.0 = 1.0-0 = 1.00 = 01.0",
		"9 < 10 < 1:1 < 2:0",
		"1.2-1~bpo12+1 < 1.2-1 < 1.2-1+deb13u1 < 1.2-1.1 < 1.2-2",
		"1~~ < 1~~a < 1~ < 1 < 1-1 < 1a < 1+ < 1.",
		"2.41-12 < 2.41-12+deb13u1 < 2.41-12+deb13u10",
		"1:1.3.dfsg+really1.3.1-1+b1 < 1:1.3.dfsg+really1.3.1-1+b10",
		"18446744073709551615 < 18446744073709551616",
		"1-2-3 < 1-2-4",
	} {
		fields := strings.Fields(line)
		for i := 0; i+2 < len(fields); i += 2 {
			a, b := fields[i], fields[i+2]
			want := -1
			if fields[i+1] == "=" {
				want = 0
			}
			if got := CompareVersions(a, b); got != want {
				t.Errorf("CompareVersions(%q, %q) = %d, want %d", a, b, got, want)
			}
			if got := CompareVersions(b, a); got != -want {
				t.Errorf("CompareVersions(%q, %q) = %d, want %d", b, a, got, -want)
			}
		}
	}
}

func TestCheckVersion(t *testing.T) {
	for _, good := range []string{"1", "1:2.3-4", "1.0~rc1+dfsg-1.1+b2", "0:0", "1:2:3-4-5", "v1"} {
		if err := CheckVersion(good); err != nil {
			t.Errorf("CheckVersion(%q): %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":            `version is empty`,
		"a:1":         `version "a:1": epoch is "a", expected a number`,
		":1":          `version ":1": epoch is "", expected a number`,
		"1:":          `version "1:": upstream version is empty`,
		"1-":          `version "1-": revision after '-' is empty`,
		"1 2":         `version "1 2": ' ' in the upstream version`,
		"1-2/3":       `version "1-2/3": '/' in the revision`,
		"1_0":         `version "1_0": '_' in the upstream version`,
		"-1":          `version "-1": upstream version is empty`,
		"1\n":         `version "1\n": '\n' in the upstream version`,
		"9999999999:": `version "9999999999:": epoch is "9999999999", expected a number`,
	} {
		if err := CheckVersion(bad); err == nil || err.Error() != want {
			t.Errorf("CheckVersion(%q) = %v, want %s", bad, err, want)
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0~rc1-1", "1.0-1", "2:0.1")
	f.Add("1", "01", "1-0")
	f.Add("a1b", "a~", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, bc, ac := CompareVersions(a, b), CompareVersions(b, c), CompareVersions(a, c)
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q differs from itself", a)
		}
		if CompareVersions(b, a) != -ab {
			t.Errorf("%q and %q: %d, the other way round %d", a, b, ab, CompareVersions(b, a))
		}
		if ab == bc && ac != ab || ab == 0 && ac != bc || bc == 0 && ac != ab {
			t.Errorf("not transitive: %q, %q, %q: %d %d %d", a, b, c, ab, bc, ac)
		}
	})
}

// TestCompareVersionsDpkg compares generated pairs with what dpkg says.
func TestCompareVersionsDpkg(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the comparison with dpkg")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("SKIPPED: needs a Debian linux: dpkg is not installed")
	}
	random := rand.New(rand.NewPCG(1, 2))
	base := ""
	for range 200 {
		a := randomVersion(random)
		b := randomVersion(random)
		if base != "" && random.IntN(2) == 0 {
			b = base + string("0~+.a1"[random.IntN(6)])
		}
		base = a
		op := [...]string{"lt", "eq", "gt"}[CompareVersions(a, b)+1]
		var exit *exec.ExitError
		if err := exec.Command("dpkg", "--compare-versions", a, op, b).Run(); errors.As(err, &exit) {
			t.Errorf("dpkg says that %q %s %q does not hold", a, op, b)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// randomVersion returns a version that dpkg reads without a complaint.
func randomVersion(r *rand.Rand) string {
	part := func(alphabet string) string {
		s := string("0123456789"[r.IntN(10)])
		for range r.IntN(6) {
			s += string(alphabet[r.IntN(len(alphabet))])
		}
		return s
	}
	v := part("0019abz~+.")
	if r.IntN(3) == 0 {
		v = string("0129"[r.IntN(4)]) + ":" + v
	}
	if r.IntN(2) == 0 {
		v += "-" + part("0019ab~+.")
	}
	return v
}
