package specs

import (
	"github.com/bmatcuk/doublestar/v4"

	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// The patterns of the values with a type of their own. RE2 and ECMA-262 read
// them alike, so that the loader and the JSON Schema share them.
const (
	patternMode     = `^0?[0-7]{3,4}$`
	patternSize     = `^[1-9][0-9]*(KiB|MiB|GiB|TiB)$`
	patternDuration = `^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$`
	patternDate     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	patternDistro   = `^debian/[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	patternPort     = `^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?(/(tcp|udp|sctp))?$`
	patternPackage  = `^(?:!([a-z0-9][a-z0-9+.-]+)|([a-z0-9][a-z0-9+.-]+)(?::([a-z0-9][a-z0-9-]*))?(?:=([0-9A-Za-z.+:~*?-]+))?)$`
	patternVariable = `^[A-Za-z_][A-Za-z0-9_]*$`
	patternVariant  = `^[a-z0-9]+([._-][a-z0-9]+)*$`
	patternName     = `^[a-z0-9]+([._-][a-z0-9]+)*$`
)

// A format is what a string of the spec must look like.
type format struct {
	pattern  string                // regular expression, or "" for any text
	max      int                   // most bytes; 0: no limit
	expected string                // for the error: "expected ..."
	words    []string              // that a slip of the pen is compared with
	check    func(s string) error  // what a pattern cannot say; nil: nothing
	hint     func(s string) string // what to do about text that the pattern refuses; nil: nothing
	lines    bool                  // may have line breaks and tabs
}

// formats has every format= and keys= of the spec's types by name. A string
// without one is a line of text.
var formats = map[string]*format{
	"": {},
	// Any text, of several lines too.
	"text":    {lines: true},
	"content": {lines: true},
	// OCI distribution spec, "Pulling manifests": <name> and <reference>.
	"repository": {pattern: `^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`, max: 255,
		expected: "a repository name: lower-case letters and digits, with single . _ - or / between them"},
	"tag": {pattern: `^[A-Za-z0-9_][A-Za-z0-9._-]*$`, max: 128,
		expected: "a tag: at most 128 letters, digits, dots, dashes and underscores"},
	"tag-suffix": {pattern: `^[A-Za-z0-9._-]+$`, max: 127,
		expected: "the end of a tag: letters, digits, dots, dashes and underscores"},
	"name": {pattern: patternName, max: 64,
		expected: "a name of lower-case letters and digits, with single . _ or - between them"},
	"image": {pattern: patternImage, expected: "an image such as registry/name@sha256:..., registry/name:tag or oci:PATH", check: checkImage, hint: hintImage},
	"stage-base": {pattern: patternName + "|" + patternImage, expected: "an earlier stage, or an image such as registry/name@sha256:..., registry/name:tag or oci:PATH",
		check: checkImage, hint: hintImage},
	"path": {pattern: `^/`, expected: "an absolute path", check: checkPath},
	// The paths are words of a label, and no place that a runtime makes its own.
	"writable":    {pattern: `^/[^\s]+$`, expected: "an absolute path below the root, without spaces", check: checkPath},
	"passwd-path": {pattern: `^/[^:]*$`, expected: "an absolute path without a colon", check: checkPath},
	// passwd(5): fields are separated by colons.
	"passwd-field": {pattern: `^[^:]*$`, expected: "text without a colon"},
	"target":       {expected: "a path", check: checkTarget},
	"source":       {expected: "a file below the spec's directory", check: checkSource},
	"sources":      {expected: "files below the spec's directory", check: checkSources},
	"pattern":      {expected: "a pattern of paths", check: checkPattern},
	"key-file":     {expected: "a key file", check: checkKeyFile},
	// NAME_REGEX of adduser.conf(5), and the length that useradd(8) allows.
	"account": {pattern: `^[a-z][a-z0-9_-]*\$?$`, max: 32,
		expected: "a name by Debian's rules: a lower-case letter, then lower-case letters, digits, - and _, at most 32"},
	"run-as": {pattern: `^([a-z_][a-z0-9_-]*\$?|0|[1-9][0-9]{0,9})(:([a-z_][a-z0-9_-]*\$?|0|[1-9][0-9]{0,9}))?$`,
		expected: `a user, "uid", "uid:gid" or "user:group"`},
	"environment": {pattern: `^[A-Za-z_][A-Za-z0-9_]*$`, expected: "the name of an environment variable"},
	// Debian Policy 5.6.7, and the names of debconf's templates (debconf-devel(7)).
	"package":  {pattern: `^[a-z0-9][a-z0-9+.-]+$`, expected: "the name of a package"},
	"question": {pattern: `^[A-Za-z0-9][A-Za-z0-9+._-]*(/[A-Za-z0-9+._-]+)+$`, expected: "a question of debconf, such as tzdata/Areas"},
	"label": {pattern: `^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`, max: 255,
		expected: "a key such as org.example.name: letters and digits, with . _ - or / between them"},
	"signal": {pattern: `^(SIG(` + strings.Join(signals, "|") + `|RTMIN(\+[0-9]{1,2})?|RTMAX(-[0-9]{1,2})?)|[1-9]|[1-5][0-9]|6[0-4])$`,
		expected: "a signal such as SIGTERM or a number from 1 to 64", words: prefixed("SIG", signals)},
	"rule": {pattern: `^[a-z][a-z0-9]*(-[a-z0-9]+)*$`, max: 64, expected: "the name of a rule, such as shell-present"},
	// os-release(5).
	"os-id":          {pattern: `^[a-z0-9._-]+$`, expected: "lower-case letters, digits, dots, dashes and underscores"},
	"os-ids":         {pattern: `^[a-z0-9._-]+( [a-z0-9._-]+)*$`, expected: "ids separated by single spaces"},
	"sha256":         {pattern: `^[0-9a-f]{64}$`, expected: "64 lower-case hex digits"},
	"uri":            {pattern: `^(https?|file)://`, expected: "an http, https or file address", check: checkURI},
	"url":            {pattern: `^https?://`, expected: "an http or https address", check: checkURI},
	"health-url":     {pattern: `^http://`, expected: "an address such as http://127.0.0.1:8000/healthz", check: checkHealthURL, hint: hintHealthURL},
	"health-address": {pattern: `^[^/]+:[0-9]+$`, expected: "an address such as 127.0.0.1:5432", check: checkHealthAddress, hint: hintHealthAddress},
	"suite": {pattern: `^[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*)*/?$|^\./$`,
		expected: "a suite such as stable", check: checkSuite},
	"component": {pattern: `^[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*)*$`, expected: "a component such as main"},
	"predicate": {pattern: `^(spdx|cyclonedx|provenance|lock|spec|tests|hardening|openvex|vuln|[a-z][a-z0-9+.-]*://[^\s]+)$`, max: 200,
		expected: "spdx, cyclonedx, provenance, lock, spec, tests, hardening, openvex, vuln or a URI",
		words:    []string{"spdx", "cyclonedx", "provenance", "lock", "spec", "tests", "hardening", "openvex", "vuln"}},
	"fingerprint": {pattern: `^SHA256:[A-Za-z0-9+/]{43}$`, expected: "SHA256: and 43 letters, digits, + and /"},
	"days":        {pattern: `^[1-9][0-9]{0,4}d$`, expected: "days such as 30d"},
	// Debian Policy 5.6.12.
	"version":  {pattern: `^([0-9]+:)?[0-9][A-Za-z0-9.+~:-]*$`, expected: "a version of a Debian package"},
	"variable": {pattern: patternVariable, max: 64, expected: "a name of letters, digits and underscores"},
	"variant":  {pattern: patternVariant, max: 64, expected: "a name of lower-case letters and digits, with single . _ or - between them"},
}

// signals are Linux's signals by name (signal(7)), without SIG.
var signals = []string{"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
	"ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
	"WINCH", "IO", "POLL", "PWR", "SYS"}

func prefixed(prefix string, words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = prefix + w
	}
	return out
}

// expressions holds the formats' compiled patterns, made when first used:
// compiling them all would cost every start of the program.
var expressions sync.Map // of pattern to *regexp.Regexp

func matches(pattern, s string) bool {
	e, ok := expressions.Load(pattern)
	if !ok {
		e, _ = expressions.LoadOrStore(pattern, regexp.MustCompile(pattern))
	}
	return e.(*regexp.Regexp).MatchString(s)
}

// verify says whether s has the format.
func (f *format) verify(s string) error {
	if i := strings.IndexFunc(s, func(r rune) bool { return controls(r) && !(f.lines && (r == '\n' || r == '\t')) }); i >= 0 {
		return badValue(s, "text without control characters", "")
	}
	if f.pattern != "" && !matches(f.pattern, s) || f.max > 0 && len(s) > f.max {
		if strings.Contains(s, "@") && strings.Contains(s, "://") {
			return &valueError{"expected " + f.expected, ""} // it may hold a password
		}
		hint := ""
		if f.hint != nil {
			hint = f.hint(s)
		}
		return badValue(s, f.expected+didYouMean(s, f.words), hint)
	}
	if f.check != nil {
		return f.check(s)
	}
	return nil
}

// controls reports whether r is a character that changes how text is shown
// instead of being shown: a control character, or one that reorders the line
// (Unicode TR 36, section 3.3), which can make a spec read as what it is not.
func controls(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029
}

func checkPath(s string) error {
	clean := path.Clean(s)
	if slices.Contains(strings.Split(s, "/"), "..") {
		return badValue(s, `a path without ".."`, "")
	}
	if clean != s {
		return badValue(s, "a clean path", "write "+clean)
	}
	for part := range strings.SplitSeq(s, "/") {
		if strings.HasPrefix(part, ".wh.") {
			return badValue(s, `no name that begins with ".wh."`, "image layers use such names for deletions")
		}
		if len(part) > 255 {
			return badValue(s, "names of at most 255 bytes", "")
		}
	}
	if len(s) > 4095 {
		return badValue(s, "at most 4095 bytes", "")
	}
	return nil
}

func checkTarget(s string) error {
	if s == "" || len(s) > 4095 {
		return badValue(s, "a path of 1 to 4095 bytes", "")
	}
	return nil
}

// checkSource is the part of a source's check that needs no file.
func checkSource(s string) error {
	if path.IsAbs(s) || strings.Contains(s, `\`) {
		return badValue(s, "a file at or below the spec's directory", "write it relative to the spec")
	}
	if slices.Contains(strings.Split(s, "/"), "..") {
		return badValue(s, `a file at or below the spec's directory, without ".."`, "move the file beside the spec")
	}
	if path.Clean(s) != s || s == "." {
		hint := ""
		if path.Clean(s) != "." {
			hint = "write " + path.Clean(s)
		}
		return badValue(s, "a clean path of a file", hint)
	}
	return nil
}

// checkSources is checkSource for what may be a pattern.
func checkSources(s string) error {
	if isPattern(s) {
		if err := checkPattern(s); err != nil {
			return err
		}
	}
	return checkSource(s)
}

func checkPattern(s string) error {
	if !doublestar.ValidatePattern(s) || s == "" {
		return badValue(s, "a pattern such as src/**/*.c", "")
	}
	return nil
}

func checkKeyFile(s string) error {
	if path.IsAbs(s) {
		return checkPath(s)
	}
	return checkSource(s)
}

// checkURI refuses what a repository's address must not have. It shows nothing of
// the address, because what is wrong with it may be the password in it.
func checkURI(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return &valueError{"found an address that cannot be read, expected one by RFC 3986", ""}
	case u.User != nil:
		return &valueError{"found credentials in an address, expected none",
			"put them into ~/.netrc or the environment; a spec is published"}
	case u.Scheme != "file" && u.Host == "":
		return badValue(s, "an address with a host", "")
	case u.Scheme == "file" && u.Host != "":
		return badValue(s, "file:///PATH", "")
	case u.Fragment != "":
		return badValue(s, "an address without a fragment", "")
	}
	return nil
}

func checkSuite(s string) error {
	if slices.Contains(strings.Split(s, "/"), "..") {
		return badValue(s, `a suite without ".."`, "")
	}
	return nil
}
