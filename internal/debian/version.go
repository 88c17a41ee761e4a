package debian

import (
	"errors"
	"fmt"
	"strings"
)

// CheckVersion reports whether s is a version, [epoch:]upstream[-revision], in
// the characters that Debian Policy 5.6.12 allows. An upstream version that does
// not begin with a digit passes, as dpkg lets it pass when it reads an index.
func CheckVersion(s string) error {
	if s == "" {
		return errors.New("version is empty")
	}
	rest := s
	if epoch, after, ok := strings.Cut(s, ":"); ok {
		if epoch == "" || len(epoch) > 9 || strings.Trim(epoch, "0123456789") != "" {
			return fmt.Errorf("version %.80q: epoch is %.20q, expected a number", s, epoch)
		}
		rest = after
	}
	upstream := rest
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		upstream = rest[:i]
		revision := rest[i+1:]
		if revision == "" {
			return fmt.Errorf("version %.80q: revision after '-' is empty", s)
		}
		if c, bad := firstOutside(revision, "+.~"); bad {
			return fmt.Errorf("version %.80q: %q in the revision", s, c)
		}
	}
	if upstream == "" {
		return fmt.Errorf("version %.80q: upstream version is empty", s)
	}
	if c, bad := firstOutside(upstream, "+.~:-"); bad {
		return fmt.Errorf("version %.80q: %q in the upstream version", s, c)
	}
	return nil
}

// firstOutside returns the first byte of s that is neither alphanumeric nor in extra.
func firstOutside(s, extra string) (rune, bool) {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !isLetter(c) && strings.IndexByte(extra, c) < 0 {
			return rune(c), true
		}
	}
	return 0, false
}

// CompareVersions returns -1, 0 or 1 as version a is older than, equal to or
// newer than b, by the order of Debian Policy 5.6.12 as dpkg implements it. A
// missing epoch is 0 and a missing revision sorts as "0". It orders any two
// strings; [CheckVersion] tells whether they are versions.
func CompareVersions(a, b string) int {
	if a == b {
		return 0
	}
	epochA, upstreamA, revisionA := splitVersion(a)
	epochB, upstreamB, revisionB := splitVersion(b)
	if c := comparePart(epochA, epochB); c != 0 {
		return c
	}
	if c := comparePart(upstreamA, upstreamB); c != 0 {
		return c
	}
	return comparePart(revisionA, revisionB)
}

func splitVersion(s string) (epoch, upstream, revision string) {
	if i := strings.IndexByte(s, ':'); i >= 0 {
		epoch, s = s[:i], s[i+1:]
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}

// comparePart compares by turns a run without digits, byte by byte, and a run of
// digits, as a number of any length.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		for (a != "" && !isDigit(a[0])) || (b != "" && !isDigit(b[0])) {
			if oa, ob := versionOrder(a), versionOrder(b); oa != ob {
				return sign(oa - ob)
			}
			a, b = a[1:], b[1:]
		}
		var numA, numB string
		numA, a = cutNumber(a)
		numB, b = cutNumber(b)
		if len(numA) != len(numB) {
			return sign(len(numA) - len(numB))
		}
		if c := strings.Compare(numA, numB); c != 0 {
			return c
		}
	}
	return 0
}

// versionOrder is the weight of s's first byte: a tilde before the end, the end
// and digits before letters, letters before the rest.
func versionOrder(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case isLetter(s[0]):
		return int(s[0])
	default:
		return int(s[0]) + 256
	}
}

// cutNumber returns the digits that s begins with, without leading zeros, and the rest.
func cutNumber(s string) (number, rest string) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return strings.TrimLeft(s[:n], "0"), s[n:]
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
