package dictionaries

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// class is a kind of dictionary that has a default: word lists, and dictionaries of
// ispell.
type class struct {
	name   string
	dir    string   // of the files
	links  []string // to the default, below etcDir and dir
	suffix []string // of the files that these links lead to
}

var (
	wordlist = class{"wordlist", "/usr/share/dict", []string{"words"}, []string{""}}
	ispell   = class{"ispell", "/usr/lib/ispell", []string{"default.hash", "default.aff"}, []string{".hash", ".aff"}}
)

func (c class) question() string    { return "dictionaries-common/default-" + c.name }
func (c class) defaultFile() string { return cacheDir + "/" + c.name + "-default" }
func (c class) flag() string        { return cacheDir + "/flag-" + c.name + "-new" }

// updateDefault is update-default-wordlist(8) and update-default-ispell(8): without
// --triggered they ask for their trigger, and with it they make the default what the
// question says.
func updateDefault(ctx context.Context, p *shell.Proc, ask Ask, c class) (int, error) {
	triggered, skipLinks := false, false
	for _, a := range p.Args[1:] {
		switch a {
		case "--triggered":
			triggered = true
		case "--skip-symlinks":
			skipLinks = true
		case "--rebuild":
		default:
			return 0, shell.Unsupported("%s: option %s", p.Args[0], a)
		}
	}
	s := &session{p: p}
	if err := s.update(c.name); err != nil {
		return p.Fail(err)
	}
	all, err := s.load(c.name)
	if err != nil {
		return p.Fail(err)
	}
	if len(all) > 0 && c.name == "ispell" {
		return 0, shell.Unsupported("registering dictionaries of ispell")
	}
	if err := s.defaultLinks(c, len(all) > 0); err != nil {
		return p.Fail(err)
	}
	if !triggered {
		if ok, err := activate(ctx, p, p.Args[0]); ok || err != nil {
			return 0, err
		}
	}
	if p.FS.Exists(c.flag()) {
		if err := p.FS.Remove(c.flag()); err != nil {
			return p.Fail(err)
		}
	}
	value := s.chosen(ask, c, all)
	if err := s.setDefault(c, value); err != nil {
		return p.Fail(err)
	}
	if c.name == "ispell" {
		return s.afterIspell(ctx)
	}
	if value == "" || skipLinks {
		return 0, nil
	}
	return s.linkDefault(c, all[value])
}

// defaultLinks makes the links among the files of a class to those of the
// administrator, or removes both where nothing of the class is installed.
func (s *session) defaultLinks(c class, some bool) error {
	for _, link := range c.links {
		own, chosen := c.dir+"/"+link, etcDir+"/"+link
		if some {
			if !s.p.FS.Exists(own) && s.p.FS.IsDir(c.dir) {
				if _, err := s.p.FS.Lstat(own); err == nil {
					continue // a link to nothing is in the way
				}
				if err := s.p.FS.Symlink(chosen, own); err != nil {
					return err
				}
			}
			continue
		}
		for _, at := range []string{chosen, own} {
			n, err := s.p.FS.Lstat(at)
			if err == nil && n.Type == tree.Symlink && !s.p.FS.Exists(s.p.Path(n.Link)) {
				if err := s.p.FS.Remove(at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// chosen returns the language that is to be the default, "" where none is or where
// the links are the administrator's. The question gets a value that there is.
func (s *session) chosen(ask Ask, c class, all map[string]dictionary) string {
	code, value := ask(s.p, "get", c.question())
	if code != 0 || value == "0" {
		value = ""
	}
	switch {
	case value == "" && len(all) == 0 || isManual(value):
		return ""
	case len(all) == 0:
		ask(s.p, "set", c.question(), "")
		return ""
	}
	if all[value] != nil {
		return value
	}
	names := slices.SortedFunc(maps.Keys(all), byLetters)
	choices := strings.Join(names, ", ")
	ask(s.p, "subst", c.question(), "choices", choices)
	ask(s.p, "subst", c.question(), "echoices", choices)
	ask(s.p, "set", c.question(), names[0])
	ask(s.p, "fset", c.question(), "seen", "false")
	ask(s.p, "input", "critical", c.question())
	ask(s.p, "go")
	if _, value = ask(s.p, "get", c.question()); isManual(value) {
		return ""
	}
	return value
}

func isManual(value string) bool { return strings.HasPrefix(lower(value), "manual") }

// byLetters orders without regard to case.
func byLetters(a, b string) int { return cmp.Or(cmp.Compare(lower(a), lower(b)), cmp.Compare(a, b)) }

// setDefault notes the default of a class.
func (s *session) setDefault(c class, value string) error {
	old := etcDir + "/ispell-default"
	remove := func(name string) error {
		if _, err := s.p.FS.Lstat(name); err != nil {
			return nil
		}
		return s.p.FS.Remove(name)
	}
	if value != "" {
		return s.write(c.defaultFile(), value)
	}
	if err := remove(c.defaultFile()); err != nil || c.name != "ispell" {
		return err
	}
	if err := remove(old); err != nil {
		return err
	}
	return s.write(old, "")
}

// linkDefault makes the administrator's links lead to the files of the default.
func (s *session) linkDefault(c class, d dictionary) (int, error) {
	for i, suffix := range c.suffix {
		to := c.dir + "/" + d["hash-name"] + suffix
		if !s.p.FS.Exists(to) {
			fmt.Fprintf(s.p.Stderr, "%s:\n  Could not make the default symlink to \"%s\".\n", s.p.Args[0], to)
			return 2, nil
		}
		from := etcDir + "/" + c.links[i]
		if _, err := s.p.FS.Lstat(from); err == nil {
			if err := s.p.FS.Remove(from); err != nil {
				return s.p.Fail(err)
			}
		}
		if err := s.p.FS.Symlink(to, from); err != nil {
			return s.p.Fail(err)
		}
	}
	return 0, nil
}

// afterIspell is what update-default-ispell does last, where there are no dictionaries
// of ispell.
func (s *session) afterIspell(ctx context.Context) (int, error) {
	if err := s.write(cacheDir+"/ispell-dicts-list.txt", ""); err != nil {
		return s.p.Fail(err)
	}
	err := s.write(cacheDir+"/emacsen-ispell-default.el", ";; File automatically generated by update-default-ispell\n;;\n"+
		";; Do not manually edit!! Use select-default-ispell script instead\n\n(set-variable 'debian-ispell-dictionary nil)\n")
	if err != nil {
		return s.p.Fail(err)
	}
	if status, err := s.p.Run(ctx, "ispell-autobuildhash", "--triggered"); status != 0 || err != nil {
		return status, err
	}
	for _, do := range []func() error{s.emacsen, s.jed, s.squirrelmail} {
		if err := do(); err != nil {
			return s.p.Fail(err)
		}
	}
	return 0, nil
}
