package generate

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var (
	helpFile = regexp.MustCompile(`^[\w.-]+\.(?:txt|([[:alpha:]]{2})x)(?:.gz)?$`)
	helpGlob = regexp.MustCompile(`^[^.].*\.(gz|txt|..x)$`)
	helpTag  = regexp.MustCompile(`\*([^*\s|]+)\*`)
)

// helpztags is helpztags(1) of vim-common: it makes the file of the tags of help
// texts, one for each language.
func helpztags(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) == 1 {
		return p.Errorf("no directories given")
	}
	tags := map[string]map[string]string{} // over all directories, as the program has it
	for _, dir := range p.Args[1:] {
		names, err := p.FS.ReadDir(p.Path(dir))
		if err != nil {
			continue
		}
		fmt.Fprintf(p.Stdout, "Processing %s\n", dir)
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !helpGlob.MatchString(n) })
		suffix := func(n string) int { // the glob goes through its alternatives one by one
			return slices.IndexFunc([]string{".gz", ".txt", ""}, func(s string) bool { return strings.HasSuffix(n, s) })
		}
		slices.SortStableFunc(names, func(a, b string) int { return suffix(a) - suffix(b) })
		for _, name := range names {
			m := helpFile.FindStringSubmatch(name)
			if m == nil {
				continue
			}
			text, err := readHelp(p, p.Path(dir)+"/"+name)
			if err != nil {
				return fail(p, err)
			}
			file := "tags"
			if m[1] != "" {
				file += "-" + m[1]
			}
			addTags(tags, file, name, text)
		}
		for _, file := range slices.Sorted(maps.Keys(tags)) {
			var b strings.Builder
			for _, tag := range slices.Sorted(maps.Keys(tags[file])) {
				fmt.Fprintf(&b, "%s\t%s\t/*%s*\n", tag, tags[file][tag], strings.ReplaceAll(tag, `\`, `\\`))
			}
			if err := p.FS.WriteFile(p.Path(dir)+"/"+file, []byte(b.String()), 0o644&^p.Umask); err != nil {
				return fail(p, err)
			}
		}
	}
	return 0, nil
}

// addTags adds the tags of a text: words between stars, with white space around
// them.
func addTags(tags map[string]map[string]string, file, name string, text []byte) {
	const space = " \t\n\v\f\r"
	for line := range bytes.Lines(text) {
		for at := 0; at < len(line); {
			m := helpTag.FindSubmatchIndex(line[at:])
			if m == nil {
				break
			}
			from, to := at+m[0], at+m[1]
			before := from == 0 || strings.IndexByte(space, line[from-1]) >= 0
			after := to == len(line) || strings.IndexByte(space, line[to]) >= 0
			if !before || !after {
				at = from + 1
				continue
			}
			if tags[file] == nil {
				tags[file] = map[string]string{}
			}
			tags[file][string(line[from+1:to-1])] = name
			at = to
		}
	}
}

func readHelp(p *shell.Proc, name string) ([]byte, error) {
	b, err := p.FS.ReadFile(name)
	if err != nil || !strings.HasSuffix(name, ".gz") {
		return b, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxInfo+1))
	if err == nil && len(text) > maxInfo {
		return nil, shell.Unsupported("helpztags: %s: a text of more than %d bytes", name, maxInfo)
	}
	return text, err
}
