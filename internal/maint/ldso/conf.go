package ldso

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// ConfPath is the file that names the directories of libraries (ldconfig(8)).
const ConfPath = "/etc/ld.so.conf"

// ErrIncludeLoop is wrapped by the error for configuration files that include
// each other without end.
var ErrIncludeLoop = errors.New("configuration files include each other")

// Bounds on configuration files: how deep they include each other and how many
// are read. The real ldconfig has none and runs until its memory ends.
const (
	maxIncludeDepth = 32
	maxIncludes     = 10_000
)

// Dirs returns the absolute paths of the directories that /etc/ld.so.conf of t
// names, with the files it includes, in order and as written there, whether they
// exist or not. An image without the file has none. The error wraps
// [ErrIncludeLoop] or says which file cannot be read.
func Dirs(t *tree.Tree) ([]string, error) {
	c := conf{t: t}
	if err := c.parse(ConfPath, 0); err != nil {
		return nil, err
	}
	return c.dirs, nil
}

type conf struct {
	t    *tree.Tree
	dirs []string
	read int // files so far
}

const blanks = " \t\n\v\f\r" // of isspace(3)

func (c *conf) parse(name string, depth int) error {
	if c.read++; depth > maxIncludeDepth || c.read > maxIncludes {
		return fmt.Errorf("%s: %w", name, ErrIncludeLoop)
	}
	// A name that leads nowhere or to no file is passed over, as ldconfig does.
	if n, err := c.t.Resolve(name); err != nil || n.Type == tree.Dir {
		return nil
	}
	text, err := c.t.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		line, _, _ = strings.Cut(line, "\x00")
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimLeft(line, blanks)
		if rest, ok := directive(line, "include"); ok {
			for pattern := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == ' ' || r == '\t' }) {
				if err := c.include(name, pattern, depth); err != nil {
					return err
				}
			}
			continue
		}
		if _, ok := directive(strings.ToLower(line), "hwcap"); ok {
			continue // of old releases, ignored by all that Debian supports
		}
		if dir := strings.TrimRight(strings.TrimRight(line, blanks), "/"); dir != "" {
			c.dirs = append(c.dirs, dir)
		}
	}
	return nil
}

// directive returns what follows the word at the start of line and a blank.
func directive(line, word string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(line, word)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return rest[1:], true
}

func (c *conf) include(from, pattern string, depth int) error {
	if !strings.HasPrefix(pattern, "/") {
		pattern = path.Dir(from) + "/" + pattern
	}
	for _, name := range glob(c.t, pattern) {
		if err := c.parse(name, depth+1); err != nil {
			return fmt.Errorf("included by %s: %w", from, err)
		}
	}
	return nil
}

// glob returns the sorted absolute paths that match pattern as glob(3) matches:
// through symbolic links, and a leading dot only where the pattern has one.
func glob(t *tree.Tree, pattern string) []string {
	found := []string{"/"}
	// path.Match negates a class with ^, glob(7) with !.
	pattern = strings.ReplaceAll(pattern, "[!", "[^")
	for part := range strings.SplitSeq(pattern, "/") {
		if part == "" {
			continue
		}
		var next []string
		for _, dir := range found {
			next = append(next, match(t, dir, part)...)
		}
		found = next
	}
	slices.Sort(found)
	return found
}

func match(t *tree.Tree, dir, part string) []string {
	if !strings.ContainsAny(part, `*?[\`) {
		name := path.Join(dir, part)
		if p, err := t.RealPath(name); err != nil || t.Lookup(p) == nil {
			return nil
		}
		return []string{name}
	}
	d, err := t.Resolve(dir)
	if err != nil || d.Type != tree.Dir {
		return nil
	}
	var found []string
	for _, name := range t.ReadDir(d.Path) {
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(part, ".") {
			continue
		}
		if ok, _ := path.Match(part, name); ok {
			found = append(found, path.Join(dir, name))
		}
	}
	return found
}
