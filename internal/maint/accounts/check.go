package accounts

import (
	"context"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

var (
	pwck  = tool("q|quiet r|read-only badname s|sort R|root=", 1, (*job).pwck)
	grpck = tool("r|read-only s|sort q|quiet S|silence-warnings R|root=", 1, (*job).grpck)
)

// checker is pwck(8) or grpck(8), which say what is wrong. They mend nothing here: it
// is asked for, and nobody answers.
type checker struct {
	*job
	wrong bool
}

func (c *checker) complain(format string, args ...any) error {
	c.wrong = true
	return c.say(format, args...)
}

// check runs the checks over a file and its shadow.
func (j *job) check(kind string, file, shadow *table, each func(*checker, []string) error) error {
	if j.Has("sort") || len(j.Operands) > 0 {
		return shell.Unsupported("%s: sorting, or files of another name,", j.Args[0])
	}
	c := &checker{job: j}
	if err := c.lines(kind+" file", kind, file, each); err != nil {
		return err
	}
	if shadow.exists {
		for _, v := range file.entries() {
			if shadow.index(v[0]) < 0 {
				if err := c.complain("no matching %s file entry in %s\nadd %s '%s' in %s? No", kind, shadow.name, userOr(kind), v[0], shadow.name); err != nil {
					return err
				}
			}
		}
		if err := c.lines("shadow "+kind+" file", kind, shadow, func(c *checker, v []string) error {
			if file.index(v[0]) >= 0 {
				return nil
			}
			return c.complain("no matching %s file entry in %s\ndelete line '%s'? No", kind, file.name, strings.Join(v, ":"))
		}); err != nil {
			return err
		}
	}
	if !c.wrong {
		return lock(j.FS)
	}
	j.status = 2
	return j.say("%s: no changes", j.Args[0])
}

func userOr(kind string) string {
	if kind == "password" {
		return "user"
	}
	return kind
}

// lines checks the lines of one file: their form, and that no name is there twice.
func (c *checker) lines(what, kind string, t *table, each func(*checker, []string) error) error {
	names := map[string]int{}
	for _, v := range t.entries() {
		names[v[0]]++
	}
	for _, line := range t.lines {
		if isNIS(line) {
			continue
		}
		v := t.entry(line)
		problem := ""
		switch {
		case v == nil:
			problem = "invalid " + what + " entry"
		case names[v[0]] > 1:
			problem = "duplicate " + strings.TrimSuffix(what, " file") + " entry"
		}
		if problem != "" {
			if err := c.complain("%s\ndelete line '%s'? No", problem, line); err != nil {
				return err
			}
		}
		if v == nil || problem != "" && strings.HasPrefix(what, "shadow") {
			continue
		}
		if err := each(c, v); err != nil {
			return err
		}
	}
	return nil
}

// pwck is pwck(8).
func (j *job) pwck(context.Context) error {
	return j.check("password", j.passwd, j.shadow, func(c *checker, v []string) error {
		if !validUser(v[0]) && !j.Has("badname") {
			if err := c.complain("invalid user name '%s': use --badname to ignore", v[0]); err != nil {
				return err
			}
		}
		if j.Has("quiet") {
			return nil
		}
		if gid, ok := number(v[3]); ok && j.group.byID(gid) == nil {
			if err := c.complain("user '%s': no group %s", v[0], v[3]); err != nil {
				return err
			}
		}
		if v[5] != "" && !j.FS.Exists(v[5]) {
			if err := c.complain("user '%s': directory '%s' does not exist", v[0], v[5]); err != nil {
				return err
			}
		}
		if n, err := j.FS.Stat(v[6]); v[6] != "" && (err != nil || n.Type == tree.Dir || n.Mode&0o111 == 0) {
			return c.complain("user '%s': program '%s' does not exist", v[0], v[6])
		}
		return nil
	})
}

// grpck is grpck(8).
func (j *job) grpck(context.Context) error {
	return j.check("group", j.group, j.gshadow, func(c *checker, v []string) error {
		if !validGroup(v[0]) {
			if err := c.complain("invalid group name '%s'", v[0]); err != nil {
				return err
			}
		}
		for _, m := range slices.Compact(members(v)) {
			if j.passwd.index(m) < 0 {
				if err := c.complain("group %s: no user %s\ndelete member '%s'? No", v[0], m, m); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
