package files

import (
	"path"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/pattern"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// findFlags are the tests and options without an argument.
var findFlags = map[string]func(f *finder) expression{
	"-true":  always(true, nil),
	"-false": always(false, nil),
	"-depth": always(true, func(f *finder) { f.depth = true }), "-d": always(true, func(f *finder) { f.depth = true }),
	"-follow":   always(true, func(f *finder) { f.follow = 'L' }),
	"-daystart": always(true, func(f *finder) { f.today = true }),
	// An image is one file system, read by nobody else, and no link count is relied on.
	"-xdev": always(true, nil), "-mount": always(true, nil), "-noleaf": always(true, nil), "-warn": always(true, nil),
	"-nowarn": always(true, nil), "-ignore_readdir_race": always(true, nil), "-noignore_readdir_race": always(true, nil),
	"-empty": func(f *finder) expression {
		return func(v *visit) (bool, error) {
			switch v.node.Type {
			case tree.Dir:
				return len(f.FS.Tree.ReadDir(v.node.Path)) == 0, nil
			case tree.Symlink:
				return false, nil
			}
			return v.node.Size == 0, nil
		}
	},
	"-nouser": func(f *finder) expression {
		return func(v *visit) (bool, error) { _, ok := f.names.UserID(v.node.UID); return !ok, nil }
	},
	"-nogroup": func(f *finder) expression {
		return func(v *visit) (bool, error) { _, ok := f.names.GroupID(v.node.GID); return !ok, nil }
	},
	"-readable": accessible, "-writable": accessible,
	"-executable": func(f *finder) expression {
		return func(v *visit) (bool, error) {
			n, err := f.stat(v.path)
			return err == nil && (n.Type == tree.Dir || n.Mode&0o111 != 0), nil
		}
	},
}

func always(ok bool, set func(*finder)) func(*finder) expression {
	return func(f *finder) expression {
		if set != nil {
			set(f)
		}
		return func(*visit) (bool, error) { return ok, nil }
	}
}

// accessible is true of what is there, for root may read and write it all.
func accessible(f *finder) expression {
	return func(v *visit) (bool, error) { _, err := f.stat(v.path); return err == nil, nil }
}

// findTest makes the test of a word with its argument.
type findTest func(f *finder, arg, word string) (expression, error)

// findTests are the tests and options with an argument.
var findTests map[string]findTest

func init() { // for several refer to the table's names
	findTests = map[string]findTest{
		"-name": nameTest, "-iname": nameTest, "-path": pathTest, "-wholename": pathTest, "-ipath": pathTest, "-iwholename": pathTest,
		"-regex": regexTest, "-iregex": regexTest, "-regextype": regexType, "-lname": linkTest, "-ilname": linkTest,
		"-type": typeTest, "-xtype": typeTest, "-perm": permTest, "-size": sizeTest, "-samefile": sameTest,
		"-user": ownerTest, "-uid": ownerTest, "-group": ownerTest, "-gid": ownerTest, "-links": linksTest, "-inum": inodeTest,
		"-newer": newerTest, "-anewer": newerTest, "-cnewer": newerTest, "-newermt": newerThanDate, "-newerct": newerThanDate, "-newermm": newerTest,
		"-mtime": ageTest, "-atime": ageTest, "-ctime": ageTest, "-mmin": ageTest, "-amin": ageTest, "-cmin": ageTest,
		"-maxdepth": depthOption, "-mindepth": depthOption,
	}
}

func depthOption(f *finder, arg, word string) (expression, error) {
	c, err := parseComparison(arg, word)
	if err != nil || c.sign != 0 {
		return nil, findErrorf("Expected a positive decimal integer argument to %s, but got '%s'", word, arg)
	}
	if word == "-maxdepth" {
		f.max = int(min(c.n, 1<<30))
	} else {
		f.min = int(min(c.n, 1<<30))
	}
	return always(true, nil)(f), nil
}

// glob returns a function that says whether a pattern matches all of a name, as
// fnmatch(3) does: a slash or a dot is like any other.
func glob(p string, fold bool) (func(string) bool, error) {
	expr, err := pattern.Regexp(p, pattern.EntireString)
	if err != nil {
		return func(s string) bool { return s == p }, nil // a bracket that nothing closes is itself
	}
	if fold {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, shell.Unsupported("find: the pattern %q", p)
	}
	return re.MatchString, nil
}

func folds(word string) bool { return strings.HasPrefix(word, "-i") }

func nameTest(_ *finder, arg, word string) (expression, error) {
	matches, err := glob(arg, folds(word))
	return func(v *visit) (bool, error) { return matches(base(v.path)), nil }, err
}

func pathTest(_ *finder, arg, word string) (expression, error) {
	matches, err := glob(arg, folds(word))
	return func(v *visit) (bool, error) { return matches(v.path), nil }, err
}

func linkTest(_ *finder, arg, word string) (expression, error) {
	matches, err := glob(arg, folds(word))
	return func(v *visit) (bool, error) { return v.node.Type == tree.Symlink && matches(v.node.Link), nil }, err
}

// typeTest is -type and -xtype, which looks at the other end of a link.
func typeTest(f *finder, arg, word string) (expression, error) {
	for letter := range strings.SplitSeq(arg, ",") {
		if len(letter) != 1 || !strings.Contains("bcdpflsD", letter) {
			return nil, findErrorf("Unknown argument to %s: %s", word, arg)
		}
	}
	return func(v *visit) (bool, error) {
		n := v.node
		if word == "-xtype" && v.link.Type == tree.Symlink {
			n = v.link
			if to, err := f.stat(v.path); err == nil && f.follow != 'L' {
				n = to
			}
		}
		return strings.Contains(arg, findLetter(n)), nil
	}, nil
}

func findLetter(n *tree.Node) string {
	if l := letterOf(n); l != "-" {
		return l
	}
	return "f"
}

func permTest(_ *finder, arg, word string) (expression, error) {
	kind, text := byte(0), arg
	if strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "/") {
		kind, text = arg[0], arg[1:]
	}
	m, ok := parseMode(text)
	if !ok {
		return nil, findErrorf("invalid mode '%s'", arg)
	}
	file, dir := m.apply(0, false, 0), m.apply(0, true, 0)
	return func(v *visit) (bool, error) {
		want := file
		if v.node.Type == tree.Dir {
			want = dir
		}
		mode := v.node.Mode & allBits
		switch kind {
		case '-':
			return mode&want == want, nil
		case '/':
			return want == 0 || mode&want != 0, nil
		}
		return mode == want, nil
	}, nil
}

var sizeUnits = map[byte]int64{'c': 1, 'w': 2, 'b': 512, 'k': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}

func sizeTest(_ *finder, arg, word string) (expression, error) {
	unit, number := int64(512), arg
	if arg != "" {
		if u, ok := sizeUnits[arg[len(arg)-1]]; ok {
			unit, number = u, arg[:len(arg)-1]
		}
	}
	c, err := parseComparison(number, word)
	return func(v *visit) (bool, error) { return c.holds((size(v.node) + unit - 1) / unit), nil }, err
}

func linksTest(f *finder, arg, word string) (expression, error) {
	c, err := parseComparison(arg, word)
	return func(v *visit) (bool, error) { return c.holds(int64(f.links(v.node))), nil }, err
}

func inodeTest(_ *finder, arg, word string) (expression, error) {
	c, err := parseComparison(arg, word)
	return func(v *visit) (bool, error) { return c.holds(int64(inode(v.node))), nil }, err
}

func ownerTest(f *finder, arg, word string) (expression, error) {
	group := strings.HasPrefix(word, "-g")
	of := func(v *visit) int64 {
		if group {
			return int64(v.node.GID)
		}
		return int64(v.node.UID)
	}
	lookup := userID
	if group {
		lookup = groupID
	}
	if word == "-user" || word == "-group" {
		if id, ok := lookup(f.names, arg); ok {
			return func(v *visit) (bool, error) { return of(v) == int64(id), nil }, nil
		}
		return nil, findErrorf("invalid %s name or %s argument to %s: '%s'", word[1:], map[bool]string{true: "GID", false: "UID"}[group], word, arg)
	}
	c, err := parseComparison(arg, word)
	return func(v *visit) (bool, error) { return c.holds(of(v)), nil }, err
}

func newerTest(f *finder, arg, word string) (expression, error) {
	n, err := f.stat(arg)
	if err != nil {
		return nil, findErrorf("'%s': %s", arg, reason(err))
	}
	return func(v *visit) (bool, error) { return v.node.ModTime > n.ModTime, nil }, nil
}

func newerThanDate(f *finder, arg, word string) (expression, error) {
	t, err := parseDate(arg, f.FS.Time)
	return func(v *visit) (bool, error) { return v.node.ModTime > t, nil }, err
}

// ageTest is -mtime and -mmin: how long before the image's time a file was changed.
func ageTest(f *finder, arg, word string) (expression, error) {
	c, err := parseComparison(arg, word)
	unit := int64(86400)
	if strings.HasSuffix(word, "min") {
		unit = 60
	}
	now := f.FS.Time
	if f.today {
		now += 86400 - now%86400
	}
	return func(v *visit) (bool, error) {
		age := now - v.node.ModTime
		if unit == 60 { // is rounded up
			age += 59
		}
		return c.holds(age / unit), nil
	}, err
}

func sameTest(f *finder, arg, _ string) (expression, error) {
	n, err := f.lstat(arg)
	if err != nil {
		return nil, findErrorf("'%s': %s", arg, reason(err))
	}
	return func(v *visit) (bool, error) { return v.node == n, nil }, nil
}

// dirOf is %h of -printf: what is before the last slash.
func dirOf(name string) string {
	trimmed := strings.TrimRight(name, "/")
	if trimmed == "" {
		return ""
	}
	if !strings.Contains(trimmed, "/") {
		return "."
	}
	return strings.TrimSuffix(path.Dir(trimmed), "/")
}
