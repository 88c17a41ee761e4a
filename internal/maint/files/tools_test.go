package files_test

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// textTools are as much of the text tools as the cases need.
var textTools = map[string]shell.Command{
	"cat":  filter(func(text string, _ []string) string { return text }),
	"head": filter(func(text string, _ []string) string { return lines(text)[0] }), // head -1
	"sort": filter(func(text string, _ []string) string {
		return strings.Join(slices.Sorted(slices.Values(lines(text))), "")
	}),
	"tr": filter(func(text string, args []string) string { // tr '\\0' C
		return strings.ReplaceAll(text, "\x00", strings.ReplaceAll(args[1], `\n`, "\n"))
	}),
	"cut": filter(func(text string, _ []string) string { return text[:10] + "\n" }), // cut -c1-10
	"sed": filter(func(text string, args []string) string { // sed 's,EXPR,TEXT,'
		v := strings.Split(args[0], ",")
		return regexp.MustCompile(v[1]).ReplaceAllString(text, v[2])
	}),
	"grep": filter(func(text string, args []string) string { // grep -v TEXT
		return strings.Join(slices.DeleteFunc(lines(text), func(l string) bool { return strings.Contains(l, args[1]) }), "")
	}),
}

func lines(text string) []string {
	all := strings.SplitAfter(text, "\n")
	if len(all) > 1 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// filter returns a command that reads its standard input, or for cat its files.
func filter(do func(text string, args []string) string) shell.Command {
	return func(_ context.Context, p *shell.Proc) (int, error) {
		from := []string{"-"}
		if p.Args[0] == "cat" && len(p.Args) > 1 {
			from = p.Args[1:]
		}
		for _, name := range from {
			r, err := p.Open(name)
			if err != nil {
				return p.Fail(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				return 1, err
			}
			if _, err := io.WriteString(p.Stdout, do(string(text), p.Args[1:])); err != nil {
				return 1, err
			}
		}
		return 0, nil
	}
}
