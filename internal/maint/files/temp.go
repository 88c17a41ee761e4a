package files

import (
	"context"
	"errors"
	"strings"
	"syscall"
)

var (
	mktemp   = program("d|directory u|dry-run q|quiet p= tmpdir? suffix= t", (*job).mktemp)
	tempfile = program("d|directory= p|prefix= s|suffix= m|mode= n|name=", (*job).tempfile)
)

// mktemp is mktemp(1). Its names are not random: equal scripts are to have equal
// effects.
func (j *job) mktemp(context.Context) error {
	template, given := "tmp.XXXXXXXXXX", len(j.Operands) > 0
	if len(j.Operands) > 1 {
		return j.usage("too many templates")
	}
	if given {
		template = j.Operands[0]
	}
	suffix := j.Value("suffix")
	if !j.Has("suffix") {
		i := strings.LastIndexByte(template, 'X')
		template, suffix = template[:i+1], template[i+1:]
	}
	stem := strings.TrimRight(template, "X")
	if len(template)-len(stem) < 3 {
		return j.usage("too few X's in template '%s'", template+suffix)
	}
	if strings.Contains(suffix, "/") {
		return j.usage("invalid suffix '%s', contains directory separator", suffix)
	}
	dir := j.tempDir(given)
	if dir != "" {
		if strings.HasPrefix(template, "/") {
			return j.usage("invalid template, '%s'; with --tmpdir, it may not be absolute", template)
		}
		stem = join(dir, stem)
	}
	return j.makeTemp(stem, len(template)-len(strings.TrimRight(template, "X")), suffix)
}

// tempDir returns the directory for a temporary file, "" where the template names
// it.
func (j *job) tempDir(given bool) string {
	option := j.Last("p", "tmpdir")
	if option == "" && !j.Has("t") && given {
		return ""
	}
	dir := j.Value(option)
	if env := j.Getenv("TMPDIR"); env != "" && (dir == "" || j.Has("t")) {
		dir = env
	}
	if dir == "" {
		return "/tmp"
	}
	return dir
}

// makeTemp makes a file or directory of a name that is not there, and prints it.
func (j *job) makeTemp(stem string, xs int, suffix string) error {
	what := "file"
	if j.Has("directory") && j.Args[0] != "tempfile" {
		what = "directory"
	}
	for i := range maxTemp {
		name := stem + numbered(i, xs) + suffix
		_, err := j.FS.Lstat(j.Path(name))
		if err == nil {
			continue
		}
		switch {
		case !errors.Is(err, syscall.ENOENT) || j.Has("dry-run"):
		case what == "directory":
			err = j.FS.Mkdir(j.Path(name), 0o700)
		default:
			err = j.FS.WriteFile(j.Path(name), nil, 0o600)
		}
		if err != nil && !j.Has("dry-run") {
			if j.Has("quiet") {
				j.status = 1
				return nil
			}
			return j.fail(err, "failed to create %s via template '%s'", what, stem+strings.Repeat("X", xs)+suffix)
		}
		return j.say("%s", name)
	}
	return j.fail(pathError(syscall.EEXIST), "failed to create %s via template '%s'", what, stem+strings.Repeat("X", xs)+suffix)
}

// maxTemp is how many names are tried; three letters, the fewest, make more.
const maxTemp = 10000

// numbered writes i in n letters.
func numbered(i, n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	b := []byte(strings.Repeat("a", n))
	for k := n - 1; k >= 0 && i > 0; k-- {
		b[k] = letters[i%len(letters)]
		i /= len(letters)
	}
	return string(b)
}

// tempfile is tempfile(1) of debianutils before 5.
func (j *job) tempfile(context.Context) error {
	dir := j.Getenv("TMPDIR")
	if j.Has("directory") {
		dir = j.Value("directory")
	}
	if dir == "" {
		dir = "/tmp"
	}
	if j.Has("name") {
		return j.usage("-n is obsolete")
	}
	prefix := j.Value("prefix")
	if !j.Has("prefix") {
		prefix = "file"
	}
	return j.makeTemp(join(dir, prefix), 6, j.Value("suffix"))
}
