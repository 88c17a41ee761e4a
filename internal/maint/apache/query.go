package apache

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// What a2query tells of apache2 2.4 without looking.
const (
	moduleMagic = "20120211"
	moduleDir   = "/usr/lib/apache2/modules/"
)

var (
	mpmModule = regexp.MustCompile(`mpm_(event|worker|prefork)`)
	ending    = regexp.MustCompile(`\.(conf|load)`)
)

// query is one call of a2query(1).
type query struct {
	*shell.Proc
	quiet bool
}

func a2query(_ context.Context, p *shell.Proc) (int, error) {
	args := slices.Clone(p.Args)
	for _, a := range args[1:] {
		if strings.HasPrefix(a, "-") && strings.ContainsAny(a, "hv") {
			return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
		}
	}
	if last := args[len(args)-1]; len(args) > 1 && slices.Contains([]string{"-m", "-s", "-c"}, last) {
		args = append(args, "") // all of that kind
	}
	q := *p
	q.Args = args
	c, err := getopt.Parse(&q, "m= s= c= a M d q")
	if err != nil {
		return 0, err
	}
	out := query{p, c.Has("q")}
	modules, ok := out.names("/etc/apache2/mods-enabled", ".load")
	if !ok {
		return 1, nil
	}
	mpm := "invalid"
	for _, m := range modules {
		found := mpmModule.FindStringSubmatch(m)
		if found != nil && mpm != "invalid" {
			out.warn("There is more than one MPM loaded. Do not proceed due to undefined results")
			return 1, nil
		}
		if found != nil {
			mpm = found[1]
		}
	}
	if slices.Contains(modules, "mpm_itk") {
		return 0, shell.Unsupported("a2query with mpm_itk")
	}
	for _, kind := range []string{"mod", "site", "conf"} {
		if !c.Has(kind[:1]) {
			continue
		}
		k := kinds[kind]
		if enabled, ok := out.names("/etc/apache2/"+k.dir+"-enabled", k.suffix); !ok {
			return 1, nil
		} else if status := out.state(k.word, c.Value(kind[:1]), enabled); status != 0 {
			return status, nil
		}
	}
	for _, fact := range []struct{ option, value string }{{"a", moduleMagic}, {"M", mpm}, {"d", moduleDir}} {
		if c.Has(fact.option) {
			out.print("%s", fact.value)
		}
	}
	return 0, nil
}

func (q *query) print(format string, args ...any) {
	if !q.quiet {
		fmt.Fprintf(q.Stdout, format+"\n", args...)
	}
}

func (q *query) warn(format string, args ...any) {
	if !q.quiet {
		fmt.Fprintf(q.Stderr, format+"\n", args...)
	}
}

// names returns what is enabled in a directory.
func (q *query) names(dir, suffix string) (list []string, ok bool) {
	files, err := q.FS.ReadDir(dir)
	if err != nil {
		q.warn("%s: No such file or directory", dir)
		return nil, false
	}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f, suffix); ok {
			list = append(list, name)
		}
	}
	return list, true
}

// state prints who enabled what the pattern names, all where it is empty, or who
// disabled it, which the status says too.
func (q *query) state(word, pattern string, enabled []string) int {
	pattern = strings.TrimPrefix(pattern, "mod")
	if at := ending.FindStringIndex(pattern); at != nil {
		pattern = pattern[:at[0]] + pattern[at[1]:]
	}
	verbose := map[string]string{"admin": "site administrator", "maint": "maintainer script", "": "unknown"}
	found := false
	for _, name := range enabled {
		if pattern == "" || pattern == name {
			q.print("%s (enabled by %s)", name, verbose[q.by(word, "enabled", name)])
			found = true
		}
	}
	if found {
		return 0
	}
	switch q.by(word, "disabled", pattern) {
	case "maint":
		q.warn("No %s matches %s (disabled by maintainer script)", word, pattern)
		return 33
	case "admin":
		q.warn("No %s matches %s (disabled by site administrator)", word, pattern)
		return 32
	}
	q.warn("No %s matches %s", word, pattern)
	return 1
}

// by returns who enabled or disabled something, "" where nobody noted it.
func (q *query) by(word, what, name string) string {
	for _, who := range []string{"maint", "admin"} {
		if q.FS.Exists(path.Join(stateDir, word, what+"_by_"+who, strings.TrimSuffix(name, ".conf"))) {
			return who
		}
	}
	return ""
}
