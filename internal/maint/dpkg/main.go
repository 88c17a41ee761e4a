package dpkg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// asked are the actions of dpkg that dpkg-query does for it.
var asked = map[string]string{
	"s": "--status", "status": "--status", "l": "--list", "list": "--list", "L": "--listfiles", "listfiles": "--listfiles",
	"S": "--search", "search": "--search", "W": "--show", "show": "--show", "control-path": "--control-path",
	"control-list": "--control-list", "control-show": "--control-show",
}

// assertions are the features that --assert-FEATURE knows (dpkg(1)).
var assertions = []string{
	"support-predepends", "working-epoch", "long-filenames", "multi-conrep", "multi-arch",
	"versioned-provides", "protected-field",
}

// dpkg is dpkg(1), as far as it tells something.
func (d *Dpkg) dpkg(ctx context.Context, p *shell.Proc) (int, error) {
	opts, rest, err := options(p.Args[1:], "admindir", "root", "instdir", "D", "debug", "ignore-depends", "log", "status-fd", "status-logger")
	if err != nil {
		return fail(p, "%v", err)
	}
	for _, o := range opts {
		if strings.HasPrefix(o.name, "force-") || strings.HasPrefix(o.name, "no-force-") || strings.HasPrefix(o.name, "refuse-") {
			continue
		}
		if feature, ok := strings.CutPrefix(o.name, "assert-"); ok {
			if !slices.Contains(assertions, feature) {
				return fail(p, "unknown --assert-<feature>")
			}
			return 0, nil
		}
		switch o.name {
		case "admindir", "root", "instdir":
			if o.value != "/" && o.value != "/var/lib/dpkg" {
				return 0, shell.Unsupported("dpkg --%s=%s", o.name, o.value)
			}
		case "D", "debug", "no-act", "dry-run", "simulate", "no-pager", "log", "no-debsig", "ignore-depends":
		case "print-architecture":
			return print(p, d.sys.Architecture+"\n")
		case "print-foreign-architectures":
			return print(p, strings.Join(append(slices.Clone(d.sys.Foreign), ""), "\n"))
		case "compare-versions":
			return compareVersions(p, rest)
		case "validate-version":
			return validateVersion(p, rest)
		case "validate-pkgname", "validate-archname", "validate-trigname":
			return validateName(p, strings.TrimPrefix(o.name, "validate-"), rest)
		case "get-selections":
			return d.selections(p, rest)
		case "version":
			return print(p, fmt.Sprintf("Debian 'dpkg' package management program version %s (%s).\n"+notice, Version, d.sys.Architecture))
		default:
			if action, ok := asked[o.name]; ok {
				q := *p
				q.Args = slices.Concat([]string{"dpkg-query", action, "--"}, rest)
				return d.query(ctx, &q)
			}
			if !slices.Contains(otherActions, o.name) {
				return fail(p, "unknown option %s", dashed(o.name))
			}
			return 0, shell.Unsupported("dpkg %s", dashed(o.name))
		}
	}
	return fail(p, "need an action option")
}

// notice is what follows the version of each program.
const notice = `This is free software; see the GNU General Public License version 2 or
later for copying conditions. There is NO warranty.
`

// otherActions are what dpkg could do and this one does not.
var otherActions = []string{
	"i", "install", "unpack", "A", "record-avail", "configure", "triggers-only", "r", "remove", "P", "purge", "V", "verify",
	"set-selections", "clear-selections", "update-avail", "merge-avail", "clear-avail", "forget-old-unavail",
	"p", "print-avail", "C", "audit", "yet-to-unpack", "predep-package", "add-architecture", "remove-architecture",
	"b", "build", "c", "contents", "I", "info", "f", "field", "e", "control", "x", "extract", "X", "vextract",
	"ctrl-tarfile", "fsys-tarfile", "help", "force-help", "command-fd", "recursive", "R", "O", "selected-only",
	"G", "refuse-downgrade", "E", "skip-same-version", "B", "auto-deconfigure", "pre-invoke", "post-invoke",
	"path-exclude", "path-include", "verify-format", "no-triggers", "triggers", "status-fd", "status-logger", "abort-after",
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// relations are those of --compare-versions. Each has its answer where the first
// version is lesser, equal or greater, and where the first, both or only the
// second is empty (relationinfos in dpkg's src/main/enquiry.c).
var relations = map[string][6]bool{
	"le": {true, true, false, true, true, false}, "lt": {true, false, false, true, false, false},
	"eq": {false, true, false, false, true, false}, "ne": {true, false, true, true, false, true},
	"ge": {false, true, true, false, true, true}, "gt": {false, false, true, false, false, true},
	"le-nl": {true, true, false, false, true, true}, "lt-nl": {true, false, false, false, false, true},
	"ge-nl": {false, true, true, true, true, false}, "gt-nl": {false, false, true, true, false, false},
	"<": {true, true, false, true, true, false}, "<=": {true, true, false, true, true, false},
	"<<": {true, false, false, true, false, false}, "=": {false, true, false, false, true, false},
	">": {false, true, true, false, true, true}, ">=": {false, true, true, false, true, true},
	">>": {false, false, true, false, false, true},
}

// compareVersions is dpkg --compare-versions.
func compareVersions(p *shell.Proc, args []string) (int, error) {
	if len(args) != 3 {
		return fail(p, "--compare-versions takes three arguments: <version> <relation> <version>")
	}
	answers, ok := relations[args[1]]
	if !ok {
		return fail(p, "--compare-versions bad relation")
	}
	if args[1] == "<" || args[1] == ">" {
		warn(p, "--compare-versions used with obsolete relation operator '%s'", args[1])
	}
	var empty [2]bool
	for i, v := range []string{args[0], args[2]} {
		if empty[i] = v == "" || v == "<unknown>"; empty[i] {
			continue
		}
		if err := checkVersion(v); err != nil {
			if _, soft := errors.AsType[softError](err); !soft {
				return fail(p, "version '%s' has bad syntax: %v", v, err)
			}
			warn(p, "version '%s' has bad syntax: %v", v, err)
		}
	}
	var i int
	switch {
	case empty[0] && empty[1]:
		i = 4
	case empty[0]:
		i = 3
	case empty[1]:
		i = 5
	default:
		i = 1 + debian.CompareVersions(strings.TrimSpace(args[0]), strings.TrimSpace(args[2]))
	}
	if answers[i] {
		return 0, nil
	}
	return 1, nil
}

// softError is a fault of a version that dpkg only warns of.
type softError string

func (e softError) Error() string { return string(e) }

// checkVersion says what is wrong with a version as dpkg's parseversion does.
func checkVersion(v string) error {
	v = strings.Trim(v, " \t\n\v\f\r")
	if v == "" {
		return errors.New("version string is empty")
	}
	if strings.ContainsAny(v, " \t\n\v\f\r") {
		return errors.New("version string has embedded spaces")
	}
	if epoch, rest, ok := strings.Cut(v, ":"); ok {
		n := 0
		switch {
		case epoch == "":
			return errors.New("epoch in version is empty")
		case strings.Trim(epoch, "0123456789") != "":
			return errors.New("epoch in version is not number")
		case rest == "":
			return errors.New("nothing after colon in version number")
		}
		if _, err := fmt.Sscan(epoch, &n); err != nil || n > 1<<31-1 {
			return errors.New("epoch in version is too big")
		}
		v = rest
	}
	upstream, revision := v, ""
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		if upstream, revision = v[:i], v[i+1:]; revision == "" {
			return errors.New("revision number in version is empty")
		}
	}
	letters := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	switch {
	case upstream == "":
		return errors.New("version number is empty")
	case upstream[0] < '0' || upstream[0] > '9':
		return softError("version number does not start with digit")
	case strings.Trim(upstream, letters+".-+~:") != "":
		return softError("invalid character in version number")
	case strings.Trim(revision, letters+".-+~") != "":
		return softError("invalid character in revision number")
	}
	return nil
}

// validateVersion is dpkg --validate-version.
func validateVersion(p *shell.Proc, args []string) (int, error) {
	if len(args) != 1 {
		return fail(p, "--validate-version takes one <version> argument")
	}
	err := checkVersion(args[0])
	if err == nil {
		return 0, nil
	}
	if _, soft := errors.AsType[softError](err); soft {
		warn(p, "version '%s' has bad syntax: %v", args[0], err)
		return 1, nil
	}
	return fail(p, "version '%s' has bad syntax: %v", args[0], err)
}

// validateName is dpkg --validate-pkgname and its like.
func validateName(p *shell.Proc, kind string, args []string) (int, error) {
	if len(args) != 1 {
		return fail(p, "--validate-%s takes one argument", kind)
	}
	name, err := args[0], error(nil)
	switch kind {
	case "pkgname":
		if err = checkName(name); err != nil {
			return fail(p, "package name '%s' is invalid: %v", name, err)
		}
	case "trigname":
		if err = checkTrigger(name); err != nil {
			return fail(p, "trigger name '%s' is invalid: %v", name, err)
		}
	case "archname":
		if err = debian.CheckArchitecture(name); err != nil {
			return fail(p, "architecture name '%s' is invalid: %v", name, err)
		}
	}
	return 0, nil
}

// checkName says what is wrong with a package's name (pkg_name_is_illegal).
func checkName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	switch {
	case name == "":
		return errors.New("may not be empty string")
	case !strings.ContainsRune(letters, rune(name[0])):
		return errors.New("must start with an alphanumeric character")
	}
	if bad := strings.TrimLeft(name, letters+"-+._"); bad != "" {
		return fmt.Errorf("character '%c' not allowed (only letters, digits and characters '-+._')", bad[0])
	}
	return nil
}

// selections is dpkg --get-selections.
func (d *Dpkg) selections(p *shell.Proc, patterns []string) (int, error) {
	var b strings.Builder
	for _, pkg := range d.matching(p, "dpkg", patterns, nil) {
		if pkg.State == NotInstalled && !slices.Contains(d.sys.Packages, pkg) {
			continue
		}
		tabs := 6 - len(d.qualified(pkg))/8
		fmt.Fprintf(&b, "%s%s%s\n", d.qualified(pkg), strings.Repeat("\t", max(tabs, 1)), "install")
	}
	return print(p, b.String())
}
