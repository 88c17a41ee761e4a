package generate

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// The files of update-mime(8).
const (
	mailcapFile    = "/etc/mailcap"
	mailcapDefault = "/usr/lib/mime/mailcap"
	mailcapOrder   = "/etc/mailcap.order"
	mimePackages   = "/usr/lib/mime/packages"
	applications   = "/usr/share/applications"
)

// mailcapEntry is a line of the mailcap (RFC 1524) and the package, or the desktop
// entry, that brings it.
type mailcapEntry struct {
	line, by string
	priority int
}

// kind sorts entries for all types after those for one.
func (e mailcapEntry) kind() int {
	k := 0
	if wholeType.MatchString(e.line) {
		k++
	}
	if strings.HasPrefix(e.line, "*/") {
		k += 2
	}
	return k
}

var (
	mimeSkip     = regexp.MustCompile(`(^|/)[.#]|~$`)
	mimeBlank    = regexp.MustCompile(`^\s*($|#)`)
	mimePriority = regexp.MustCompile(`(?i)priority\s*=\s*(\d+)\s*($|;)`)
	noPriority   = regexp.MustCompile(`\s*priority\s*=\s*\d+\s*($|;)`)
	lastStop     = regexp.MustCompile(`\s*;\s*$`)
	mimeType     = regexp.MustCompile(`^(.*?)(;|\s)`)
	wholeType    = regexp.MustCompile(`^\S+/\*`)
	userBegins   = regexp.MustCompile(`^# ----- .* Begins `)
	userEnds     = regexp.MustCompile(`^# ----- .* Ends `)
	orderComment = regexp.MustCompile(`\s*#.*$`)
)

// updateMIME is update-mime(8): it makes /etc/mailcap of what packages and desktop
// entries bring.
func updateMIME(_ context.Context, p *shell.Proc) (int, error) {
	if p.Getenv("DPKG_RUNNING_VERSION") != "" && len(p.Args) > 1 && p.Args[1] != "--triggered" {
		return 0, nil // a postinst from before there was a trigger
	}
	if len(p.Args) > 1 && p.Args[1] != "--triggered" {
		return 0, shell.Unsupported("update-mime %s", p.Args[1])
	}
	if p.FS.Exists("/etc/update-mime.conf") {
		return 0, shell.Unsupported("update-mime: /etc/update-mime.conf, which is perl code,")
	}
	b, err := p.FS.ReadFile(mailcapFile)
	if err != nil {
		if b, err = p.FS.ReadFile(mailcapDefault); err != nil {
			return 0, nil
		}
	}
	entries, files := mailcapEntries(p)
	if entries, err = orderMailcap(p, entries); err != nil {
		return 0, err
	}
	frame, ok := mailcapFrame(string(b))
	if !ok {
		return p.Errorf("Error: '%s' is not in required format -- not updated", mailcapFile)
	}
	out := strings.Builder{}
	out.WriteString(frame + "\n" + strings.Repeat("#", 79) + "\n\n")
	for _, e := range entries {
		line := e.line
		if at := noPriority.FindStringIndex(line); at != nil {
			line = line[:at[0]] + line[at[1]:]
		}
		out.WriteString(lastStop.ReplaceAllString(line, "") + "\n")
	}
	from(p, files...)
	if err := p.FS.WriteFile(mailcapFile+".new", []byte(out.String()), 0o644); err != nil {
		return fail(p, err)
	}
	if err := p.FS.Rename(mailcapFile+".new", mailcapFile); err != nil {
		return fail(p, err)
	}
	return 0, nil
}

// mailcapFrame returns what is kept of a mailcap: all to the line that ends the
// user's section.
func mailcapFrame(text string) (string, bool) {
	begun, end := false, 0
	for line := range strings.Lines(text) {
		end += len(line)
		if begun && userEnds.MatchString(line) {
			return strings.ReplaceAll(text[:end], "install-mime", "update-mime"), true
		}
		begun = begun || userBegins.MatchString(line)
	}
	return "", false
}

// mailcapEntries returns all entries, and the files that they are from.
func mailcapEntries(p *shell.Proc) (entries []mailcapEntry, files []string) {
	packages := map[string]bool{}
	for _, file := range perlGlob(p, mimePackages) {
		b, err := p.FS.ReadFile(file)
		if err != nil || mimeSkip.MatchString(file) {
			continue
		}
		by := file[strings.LastIndex(file, "/")+1:]
		packages[by] = true
		files = append(files, file)
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSuffix(line, "\n")
			if mimeBlank.MatchString(line) {
				continue
			}
			e := mailcapEntry{line, by, 5}
			if m := mimePriority.FindStringSubmatch(line); m != nil {
				if n, err := strconv.Atoi(m[1]); err == nil && n <= 9 {
					e.priority = n
				}
			}
			entries = append(entries, e)
		}
	}
	for _, file := range desktopEntries(p, applications) {
		b, err := p.FS.ReadFile(file)
		by := strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".desktop")
		if err != nil || packages[by] {
			continue
		}
		packages[by] = true
		lines := mailcapOfDesktop(by, string(b))
		for _, line := range lines {
			entries = append(entries, mailcapEntry{line, by, 5})
		}
		if len(lines) > 0 {
			files = append(files, file)
		}
	}
	return entries, files
}

// perlGlob returns the paths in a directory in the order of perl's glob: without
// regard to case.
func perlGlob(p *shell.Proc, dir string) []string {
	list, _ := p.FS.ReadDir(dir) // none is an empty one
	names := slices.Clone(list)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, ".") })
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = dir + "/" + name
	}
	return names
}

// desktopEntries returns the desktop entries of a directory, those of the
// directories in it first.
func desktopEntries(p *shell.Proc, dir string) []string {
	if mimeSkip.MatchString(dir) {
		return nil
	}
	var below, files []string
	for _, name := range perlGlob(p, dir) {
		n, err := p.FS.Stat(name)
		switch {
		case err != nil:
		case n.Type == tree.Dir && !isLink(p, name):
			below = append(below, desktopEntries(p, name)...)
		case n.Type == tree.File && strings.HasSuffix(name, ".desktop") && !mimeSkip.MatchString(name):
			files = append(files, name)
		}
	}
	return append(below, files...)
}

func isLink(p *shell.Proc, name string) bool {
	_, err := p.FS.Readlink(name)
	return err == nil
}

var (
	desktopGroup    = regexp.MustCompile(`^\[.*\]$`)
	desktopTerminal = regexp.MustCompile(`(?i)^Terminal=(\w+)`)
	desktopName     = regexp.MustCompile(`(?i)^Name=(.+)`)
	desktopIcon     = regexp.MustCompile(`(?i)^Icon=(.+)`)
	desktopExec     = regexp.MustCompile(`(?i)^Exec=(.*)$`)
	desktopTry      = regexp.MustCompile(`(?i)^TryExec=(.*)`)
	desktopTypes    = regexp.MustCompile(`(?i)MimeType=(.*)`)
	execStop        = regexp.MustCompile(`((?:\\\\)*)\\?;`)
	execFile        = regexp.MustCompile(`%[fFuU]`)
	typesBetween    = regexp.MustCompile(`\s*;\s*`)
)

// mailcapOfDesktop returns the lines of the mailcap that a desktop entry comes to.
func mailcapOfDesktop(name, text string) []string {
	var icon, exec, terminal, test string
	var types []string
	inGroup := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if mimeBlank.MatchString(line) {
			continue
		}
		if desktopGroup.MatchString(line) {
			inGroup = line == "[Desktop Entry]"
			continue
		}
		if !inGroup {
			continue
		}
		if m := desktopTerminal.FindStringSubmatch(line); m != nil {
			if m[1] == "true" {
				terminal = "needsterminal"
			}
		} else if m := desktopName.FindStringSubmatch(line); m != nil {
			name = m[1]
		} else if m := desktopIcon.FindStringSubmatch(line); m != nil {
			icon = m[1]
		} else if m := desktopExec.FindStringSubmatch(line); m != nil {
			exec = execFile.ReplaceAllString(execStop.ReplaceAllString(m[1], `${1}\;`), "%s")
			if !strings.Contains(exec, "%s") {
				exec += " %s"
			}
		} else if m := desktopTry.FindStringSubmatch(line); m != nil {
			test = "test=command -v " + m[1] + " > /dev/null 2>&1"
		} else if m := desktopTypes.FindStringSubmatch(line); m != nil {
			types = append(types, slices.DeleteFunc(typesBetween.Split(m[1], -1), func(t string) bool { return t == "" })...)
		}
	}
	if exec == "" || len(types) == 0 {
		return nil
	}
	const display = `test -n "$DISPLAY"`
	switch {
	case terminal != "" && test != "":
		terminal += "; " + test
	case terminal != "":
	case test != "":
		terminal = test + " && " + display
	default:
		terminal = "test=" + display
	}
	exec = strings.ReplaceAll(strings.ReplaceAll(exec, "%c", name), "%i", "--icon "+icon)
	for i, t := range types {
		types[i] = t + "; " + exec + "; " + terminal
	}
	return types
}

// orderMailcap sorts entries by priority, those for one type first, and puts in
// front what /etc/mailcap.order names.
func orderMailcap(p *shell.Proc, entries []mailcapEntry) ([]mailcapEntry, error) {
	byPriority := map[int][]mailcapEntry{}
	for _, e := range entries {
		byPriority[e.priority] = append(byPriority[e.priority], e)
	}
	var sorted []mailcapEntry
	for _, priority := range slices.Backward(slices.Sorted(maps.Keys(byPriority))) {
		list := byPriority[priority]
		slices.SortStableFunc(list, func(a, b mailcapEntry) int { return a.kind() - b.kind() })
		sorted = append(sorted, list...)
	}
	b, _ := p.FS.ReadFile(mailcapOrder) // none orders nothing
	var first []mailcapEntry
	for line := range strings.Lines(string(b)) {
		line = orderComment.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
		if strings.TrimSpace(line) == "" {
			continue
		}
		pkg, types := line, ""
		if i := strings.LastIndex(line, ":"); i >= 0 {
			pkg = line[:i]
			if f := strings.Fields(line[i+1:] + " "); len(f) > 0 && strings.HasPrefix(line[i+1:], f[0]) {
				types = f[0]
			}
		}
		match, err := regexp.Compile("^" + strings.ReplaceAll(cmp.Or(types, "*/*"), "*", ".*") + "$")
		if err != nil {
			return nil, shell.Unsupported("update-mime: type %q in %s", types, mailcapOrder)
		}
		rest := sorted[:0:0]
		for _, e := range sorted {
			if m := mimeType.FindStringSubmatch(e.line); e.by == pkg && m != nil && match.MatchString(m[1]) {
				first = append(first, e)
			} else {
				rest = append(rest, e)
			}
		}
		sorted = rest
	}
	return append(first, sorted...), nil
}
