package dpkg

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// query is dpkg-query(1).
func (d *Dpkg) query(_ context.Context, p *shell.Proc) (int, error) {
	opts, rest, err := options(p.Args[1:], "admindir", "root", "f", "showformat")
	if err != nil {
		return fail(p, "%v", err)
	}
	action, format := "", "${binary:Package}\t${Version}\n"
	for _, o := range opts {
		switch o.name {
		case "admindir", "root":
			if o.value != "/" && o.value != "/var/lib/dpkg" {
				return 0, shell.Unsupported("dpkg-query --%s=%s", o.name, o.value)
			}
		case "f", "showformat":
			format = o.value
		case "no-pager", "load-avail":
		case "version":
			return print(p, fmt.Sprintf("Debian %s package management program query tool version %s (%s).\n"+notice, p.Args[0], Version, d.sys.Architecture))
		case "s", "l", "L", "S", "W", "p", "c", "print-avail":
			action = o.name
		case "status", "list", "listfiles", "search", "show", "control-path", "control-list", "control-show":
			action = o.name
		default:
			return fail(p, "unknown option %s", dashed(o.name))
		}
	}
	switch action {
	case "W", "show":
		return d.show(p, format, rest)
	case "l", "list":
		return d.list(p, rest)
	case "L", "listfiles":
		return d.each(p, rest, "listfiles", d.files)
	case "s", "status":
		return d.each(p, rest, "status", d.status)
	case "S", "search":
		return d.search(p, rest)
	case "c", "control-path", "control-list", "control-show":
		return d.control(p, action, rest)
	case "p", "print-avail":
		return 0, shell.Unsupported("dpkg-query --print-avail")
	}
	return fail(p, "need an action option")
}

// glob returns the expression for a pattern of fnmatch(3) without flags.
func glob(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			end := strings.IndexByte(pattern[min(i+2, len(pattern)):], ']')
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			set := pattern[i+1 : i+2+end]
			i += 2 + end
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(set) + "]")
		case '\\':
			if i+1 < len(pattern) {
				i++
			}
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	re, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return regexp.MustCompile(`\A` + regexp.QuoteMeta(pattern) + `\z`)
	}
	return re
}

// known returns all packages that the database has an entry for, by name: the
// installed ones, those on their way, and every name in a relation of an
// installed one, which is an entry without anything in it.
func (d *Dpkg) known() []*Package {
	all := d.installed()
	have := map[string]bool{}
	for _, p := range all {
		have[p.Name] = true
	}
	for _, p := range slices.Clone(all) {
		for _, field := range []string{"Pre-Depends", "Depends", "Recommends", "Suggests", "Breaks", "Conflicts", "Enhances", "Replaces", "Provides"} {
			for r, err := range debian.EachRelation(p.Control.Get(field)) {
				if err != nil {
					break
				}
				if !have[r.Name] {
					have[r.Name] = true
					all = append(all, &Package{Name: r.Name})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *Package) int {
		return strings.Compare(a.Name+" "+a.Architecture, b.Name+" "+b.Architecture)
	})
	return all
}

// matching returns the packages that patterns select, each once and by name; with
// no pattern all installed ones. It complains of patterns that match nothing and
// then sets status to 1.
func (d *Dpkg) matching(p *shell.Proc, program string, patterns []string, status *int) []*Package {
	if len(patterns) == 0 {
		return d.installed()
	}
	known := d.known()
	taken := make([]bool, len(known))
	for _, pattern := range patterns {
		name, arch, _ := strings.Cut(pattern, ":")
		re, found := glob(strings.ToLower(name)), false
		for i, pkg := range known {
			if !re.MatchString(pkg.Name) || arch != "" && !glob(arch).MatchString(pkg.Architecture) {
				continue
			}
			found, taken[i] = true, true
		}
		if !found {
			fmt.Fprintf(p.Stderr, "%s: no packages found matching %s\n", program, pattern)
			if status != nil {
				*status = 1
			}
		}
	}
	var all []*Package
	for i, pkg := range known {
		if taken[i] {
			all = append(all, pkg)
		}
	}
	return all
}

// show is dpkg-query --show.
func (d *Dpkg) show(p *shell.Proc, format string, patterns []string) (int, error) {
	f, err := parseFormat(format)
	if err != nil {
		fmt.Fprintf(p.Stderr, "dpkg-query: error in show format: %v\n", err)
		return 2, nil
	}
	status := 0
	var b strings.Builder
	for _, pkg := range d.matching(p, "dpkg-query", patterns, &status) {
		f.write(&b, func(field string) string { return d.field(pkg, field) })
	}
	if _, err := print(p, b.String()); err != nil {
		return 1, err
	}
	return status, nil
}

// list is dpkg-query --list, whose columns are as wide as their contents because
// its output is no terminal.
func (d *Dpkg) list(p *shell.Proc, patterns []string) (int, error) {
	status := 0
	rows := [][]string{}
	width := []int{14, 12, 12, 33}
	for _, pkg := range d.matching(p, "dpkg-query", patterns, &status) {
		row := []string{d.qualified(pkg), "<none>", "<none>", "(no description available)"}
		if pkg.State != NotInstalled {
			summary, _, _ := strings.Cut(d.field(pkg, "Description"), "\n")
			row = []string{row[0], pkg.Version, pkg.Architecture, summary}
		}
		for i := range row {
			width[i] = max(width[i], len([]rune(row[i])))
		}
		rows = append(rows, append(row, d.field(pkg, "db:Status-Abbrev")))
	}
	if len(rows) == 0 {
		return status, nil
	}
	var b strings.Builder
	b.WriteString(`Desired=Unknown/Install/Remove/Purge/Hold
| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend
|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)
`)
	fmt.Fprintf(&b, "||/ %-*s %-*s %-*s %s\n+++", width[0], "Name", width[1], "Version", width[2], "Architecture", "Description")
	for _, w := range width {
		b.WriteString("-" + strings.Repeat("=", w))
	}
	b.WriteString("\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "%s %-*s %-*s %-*s %s\n", r[4], width[0], r[0], width[1], r[1], width[2], r[2], r[3])
	}
	if _, err := io.WriteString(p.Stdout, b.String()); err != nil {
		return 1, err
	}
	return status, nil
}

// each does one of the actions for each package that is named, and complains of
// those that are not installed.
func (d *Dpkg) each(p *shell.Proc, specs []string, action string, do func(*strings.Builder, *Package)) (int, error) {
	if len(specs) == 0 && action == "listfiles" {
		return fail(p, "--%s needs at least one package name argument", action)
	}
	for _, spec := range specs {
		name, _, _ := strings.Cut(spec, ":")
		if err := checkName(name); err != nil {
			return fail(p, "--%s needs a valid package name but '%s' is not: illegal package name in specifier '%s': %v", action, spec, spec, err)
		}
	}
	var pkgs []*Package
	if len(specs) == 0 {
		pkgs = d.installed()
	}
	status := 0
	var b strings.Builder
	for _, spec := range specs {
		pkg := d.find(spec)
		if pkg != nil && pkg.State != NotInstalled {
			pkgs = append(pkgs, pkg)
			continue
		}
		status = 1
		if action == "status" {
			fmt.Fprintf(p.Stderr, "dpkg-query: package '%s' is not installed and no information is available\n", strings.ToLower(spec))
			fmt.Fprintln(p.Stderr, "Use dpkg --info (= dpkg-deb --info) to examine archive files.")
		} else {
			fmt.Fprintf(p.Stderr, "dpkg-query: package '%s' is not installed\n", strings.ToLower(spec))
			fmt.Fprintln(p.Stderr, "Use dpkg --contents (= dpkg-deb --contents) to list archive files contents.")
		}
	}
	for i, pkg := range pkgs {
		if i > 0 {
			b.WriteByte('\n')
		}
		do(&b, pkg)
	}
	if _, err := print(p, b.String()); err != nil {
		return 1, err
	}
	return status, nil
}

// files writes what --listfiles prints of a package.
func (d *Dpkg) files(b *strings.Builder, pkg *Package) {
	for _, name := range pkg.Paths {
		b.WriteString(name + "\n")
		for _, v := range d.diversions {
			switch {
			case v.From != name:
			case v.Package == "":
				b.WriteString("locally diverted to: " + v.To + "\n")
			case v.Package == pkg.Name:
				b.WriteString("package diverts others to: " + v.To + "\n")
			default:
				b.WriteString("diverted by " + v.Package + " to: " + v.To + "\n")
			}
		}
	}
}

// paragraph is the order of the fields in dpkg's database (fieldinfos); others
// follow in the order that the package has.
var paragraph = []string{
	"Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size", "Origin", "Maintainer", "Bugs",
	"Architecture", "Multi-Arch", "Source", "Version", "Replaces", "Provides", "Depends", "Pre-Depends", "Recommends", "Suggests",
	"Breaks", "Conflicts", "Enhances", "Conffiles", "Description",
}

// status writes what --status prints of a package.
func (d *Dpkg) status(b *strings.Builder, pkg *Package) {
	for _, name := range paragraph {
		value := d.field(pkg, name)
		if value == "" || value == "no" && (name == "Essential" || name == "Protected" || name == "Multi-Arch") {
			continue
		}
		if name == "Conffiles" {
			value = "\n" + value
		} else {
			value = " " + value
		}
		b.WriteString(name + ":" + value + "\n")
	}
	for _, f := range pkg.Control {
		if !slices.ContainsFunc(paragraph, func(name string) bool { return strings.EqualFold(name, f.Name) }) {
			b.WriteString(f.Name + ": " + f.Value + "\n")
		}
	}
}

// search is dpkg-query --search.
func (d *Dpkg) search(p *shell.Proc, patterns []string) (int, error) {
	if len(patterns) == 0 {
		return fail(p, "--search needs at least one file name pattern argument")
	}
	owners := map[string][]string{}
	var names []string
	for _, pkg := range d.installed() {
		for _, name := range pkg.Paths {
			if owners[name] == nil {
				names = append(names, name)
			}
			owners[name] = append(owners[name], d.qualified(pkg))
		}
	}
	for _, v := range d.diversions {
		for _, name := range []string{v.From, v.To} {
			if owners[name] == nil && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	status := 0
	var b strings.Builder
	for _, pattern := range patterns {
		var match func(name string) bool
		trimmed := pattern
		switch {
		case !strings.ContainsRune("*[?/", rune((pattern + " ")[0])):
			match = glob("*" + pattern + "*").MatchString
		case strings.ContainsAny(pattern, `*[?\`):
			match = glob(pattern).MatchString
		default:
			trimmed = strings.TrimSuffix(strings.TrimRight(pattern, "/"), "/.")
			match = func(name string) bool { return name == trimmed }
		}
		found := false
		for _, name := range names {
			if match(name) {
				found = true
				d.owners(&b, name, owners[name])
			}
		}
		if !found {
			status = 1
			fmt.Fprintf(p.Stderr, "dpkg-query: no path found matching pattern %s\n", pattern)
		}
	}
	if _, err := print(p, b.String()); err != nil {
		return 1, err
	}
	return status, nil
}

func (d *Dpkg) owners(b *strings.Builder, name string, by []string) {
	for _, v := range d.diversions {
		if v.From != name && v.To != name {
			continue
		}
		what := "local diversion"
		if v.Package != "" {
			what = "diversion by " + v.Package
		}
		fmt.Fprintf(b, "%s from: %s\n%s to: %s\n", what, v.From, what, v.To)
	}
	if len(by) > 0 {
		b.WriteString(strings.Join(by, ", ") + ": " + name + "\n")
	}
}

// control is dpkg-query --control-path, --control-list and --control-show. Where
// dpkg's database is not in the image, a path of it is of no use to a script.
func (d *Dpkg) control(p *shell.Proc, action string, args []string) (int, error) {
	if len(args) == 0 {
		return fail(p, "--%s needs at least one package name argument", action)
	}
	pkg := d.find(args[0])
	if pkg == nil || pkg.State == NotInstalled {
		return fail(p, "package '%s' is not installed", args[0])
	}
	names := slices.Collect(func(yield func(string) bool) {
		for name := range pkg.ControlFiles {
			if (len(args) < 2 || name == args[1]) && !yield(name) {
				return
			}
		}
	})
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		at := "/var/lib/dpkg/info/" + pkg.Name + "." + name
		switch action {
		case "control-list":
			b.WriteString(name + "\n")
		case "control-show":
			b.WriteString(pkg.ControlFiles[name])
		default:
			if !p.FS.Exists(at) {
				return 0, shell.Unsupported("dpkg-query --control-path %s %s: dpkg's database", pkg.Name, name)
			}
			b.WriteString(at + "\n")
		}
	}
	if action == "control-show" && len(names) == 0 {
		return fail(p, "control file '%s' does not exist", strings.Join(args[1:], " "))
	}
	return print(p, b.String())
}
