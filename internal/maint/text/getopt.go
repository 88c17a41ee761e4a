package text

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// getoptCall is one call of getopt(1) of util-linux.
type getoptCall struct {
	name, short    string
	long           []string // with the colons that say whether they take a value
	alternative    bool     // long options may begin with one dash
	quiet, silent  bool
	unquoted       bool
	inOrder, stops bool // "-" and "+" before the short options
	out, rest      []string
	failed         bool
	stderr         io.Writer
}

// getopt is getopt(1): it reads the options of a script and prints them in one form.
func getopt(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) > 1 && (p.Args[1] == "-T" || p.Args[1] == "--test") {
		return 4, nil
	}
	g := &getoptCall{name: "getopt", stderr: p.Stderr}
	opts, args, err := options(p, "+ao:l:n:qQs:u", "alternative=a options:=o longoptions:=l long:=l name:=n quiet=q quiet-output=Q shell:=s unquoted=u")
	if err != nil {
		return 2, err
	}
	have := false
	for _, o := range opts {
		switch o.name {
		case "a":
			g.alternative = true
		case "o":
			g.short, have = o.value, true
		case "l":
			g.long = append(g.long, strings.FieldsFunc(o.value, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })...)
		case "n":
			g.name = o.value
		case "q":
			g.quiet = true
		case "Q":
			g.silent = true
		case "s":
			if !slices.Contains([]string{"sh", "bash"}, o.value) {
				return 0, shell.Unsupported("getopt --shell=%s", o.value)
			}
		case "u":
			g.unquoted = true
		}
	}
	if !have {
		if len(args) == 0 {
			fmt.Fprintln(p.Stderr, "getopt: missing optstring argument")
			return 2, nil
		}
		g.short, args = args[0], args[1:]
		if len(p.Args) > 1 && !strings.HasPrefix(p.Args[1], "-") {
			g.unquoted = true // the form from before there was any other
		}
		if len(args) > 0 && args[0] == "--" {
			args = args[1:]
		}
	}
	switch {
	case strings.HasPrefix(g.short, "+") || p.Getenv("POSIXLY_CORRECT") != "":
		g.stops = true
	case strings.HasPrefix(g.short, "-"):
		g.inOrder = true
	}
	g.short = strings.TrimLeft(g.short, "+-")
	g.read(args)
	if !g.silent {
		line := strings.Join(append(append(g.out, "--"), g.rest...), " ")
		if _, err := io.WriteString(p.Stdout, " "+line+"\n"); err != nil {
			return 0, err
		}
	}
	if g.failed {
		return 1, nil
	}
	return 0, nil
}

func (g *getoptCall) complain(format string, args ...any) {
	if !g.quiet {
		fmt.Fprintf(g.stderr, g.name+": "+format+"\n", args...)
	}
	g.failed = true
}

// quoted is a word as the shell has to have it.
func (g *getoptCall) quoted(word string) string {
	if g.unquoted {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (g *getoptCall) read(args []string) {
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case a == "--":
			for _, a := range args {
				g.rest = append(g.rest, g.quoted(a))
			}
			return
		case len(a) < 2 || a[0] != '-':
			if g.stops {
				for _, a := range append([]string{a}, args...) {
					g.rest = append(g.rest, g.quoted(a))
				}
				return
			}
			if g.inOrder {
				g.out = append(g.out, g.quoted(a))
			} else {
				g.rest = append(g.rest, g.quoted(a))
			}
		case a[1] == '-' || g.alternative && (len(a) > 2 || !strings.Contains(g.short, a[1:])) && g.knows(strings.TrimPrefix(a[1:], "-")):
			args = g.readLong(a, args)
		default:
			args = g.readShort(a[1:], args)
		}
	}
}

func (g *getoptCall) knows(word string) bool {
	name, _, _ := strings.Cut(word, "=")
	return slices.ContainsFunc(g.long, func(l string) bool { return strings.HasPrefix(l, name) })
}

func (g *getoptCall) readLong(word string, args []string) []string {
	name, value, has := strings.Cut(strings.TrimPrefix(word[1:], "-"), "=")
	var found []string
	for _, l := range g.long {
		switch full := strings.TrimRight(l, ":"); {
		case full == name:
			found = []string{l}
		case strings.HasPrefix(full, name) && !slices.ContainsFunc(found, func(f string) bool { return strings.TrimRight(f, ":") == name }):
			found = append(found, l)
		}
	}
	dashes := word[:len(word)-len(strings.TrimLeft(word, "-"))]
	switch {
	case len(found) == 0:
		g.complain("unrecognized option '%s%s'", dashes, strings.TrimPrefix(word[1:], "-"))
		return args
	case len(found) > 1:
		list := ""
		for _, f := range found {
			list += fmt.Sprintf(" '%s%s'", dashes, strings.TrimRight(f, ":"))
		}
		g.complain("option '%s' is ambiguous; possibilities:%s", word, list)
		return args
	}
	full := strings.TrimRight(found[0], ":")
	colons := len(found[0]) - len(full)
	switch {
	case colons == 0 && has:
		g.complain("option '%s%s' doesn't allow an argument", dashes, full)
		return args
	case colons == 1 && !has && len(args) == 0:
		g.complain("option '%s%s' requires an argument", dashes, full)
		return args
	case colons == 1 && !has:
		value, args = args[0], args[1:]
	}
	g.out = append(g.out, "--"+full)
	if colons > 0 {
		g.out = append(g.out, g.quoted(value))
	}
	return args
}

func (g *getoptCall) readShort(letters string, args []string) []string {
	for i := range len(letters) {
		at := strings.IndexByte(g.short, letters[i])
		if at < 0 || letters[i] == ':' {
			g.complain("invalid option -- '%c'", letters[i])
			continue
		}
		g.out = append(g.out, "-"+letters[i:i+1])
		value := letters[i+1:]
		switch takes := g.short[at+1:]; {
		case strings.HasPrefix(takes, "::"):
			g.out = append(g.out, g.quoted(value))
			return args
		case strings.HasPrefix(takes, ":"):
			if value == "" {
				if len(args) == 0 {
					g.complain("option requires an argument -- '%c'", letters[i])
					g.out = g.out[:len(g.out)-1]
					return args
				}
				value, args = args[0], args[1:]
			}
			g.out = append(g.out, g.quoted(value))
			return args
		}
	}
	return args
}
