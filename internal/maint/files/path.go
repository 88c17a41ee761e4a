package files

import (
	"context"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

var (
	readlink = program("f|canonicalize e|canonicalize-existing m|canonicalize-missing n|no-newline q|quiet s|silent v|verbose z|zero", (*job).readlink)
	realpath = program("e|canonicalize-existing E|canonicalize m|canonicalize-missing L|logical P|physical q|quiet s|strip|no-symlinks z|zero relative-to= relative-base=", (*job).realpath)
)

// absence says how much of a path may be missing.
type absence int

const (
	noneMisses absence = iota // all is there (-e)
	lastMisses                // all but the last element is there (-f)
	mayMiss                   // nothing need be there (-m)
)

// canonical returns the absolute path of an absolute name without links, "." or
// "..". Errors are those of system calls.
func (j *job) canonical(name string, m absence) (string, error) {
	var done []string
	rest := strings.FieldsFunc(name, isSlash)
	if len(name) == 0 {
		return "", pathError(syscall.ENOENT)
	}
	mustDir := strings.HasSuffix(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "." {
			continue
		}
		if part == ".." {
			done = done[:max(len(done)-1, 0)]
			continue
		}
		at := "/" + strings.Join(append(done, part), "/")
		n, err := j.FS.Lstat(at)
		switch {
		case err != nil:
			if m == noneMisses || m == lastMisses && (len(rest) > 0 || !missingFile(err)) {
				return "", err
			}
		case n.Type == tree.Symlink:
			if links++; links > 40 {
				if m == mayMiss {
					break
				}
				return "", pathError(syscall.ELOOP)
			}
			if strings.HasPrefix(n.Link, "/") {
				done = nil
			}
			rest = append(strings.FieldsFunc(n.Link, isSlash), rest...)
			continue
		case n.Type != tree.Dir && (len(rest) > 0 || mustDir) && m != mayMiss:
			return "", pathError(syscall.ENOTDIR)
		}
		done = append(done, part)
	}
	return "/" + strings.Join(done, "/"), nil
}

// readlink is readlink(1).
func (j *job) readlink(context.Context) error {
	if len(j.Operands) == 0 {
		return j.missing()
	}
	end := "\n"
	switch {
	case j.Has("zero"):
		end = "\x00"
	case j.Has("no-newline") && len(j.Operands) == 1:
		end = ""
	}
	for _, name := range j.Operands {
		var to string
		var err error
		switch j.Last("canonicalize", "canonicalize-existing", "canonicalize-missing") {
		case "":
			to, err = j.FS.Readlink(j.Path(name))
		case "canonicalize":
			to, err = j.canonical(j.Path(name), lastMisses)
		case "canonicalize-existing":
			to, err = j.canonical(j.Path(name), noneMisses)
		default:
			to, err = j.canonical(j.Path(name), mayMiss)
		}
		if err != nil {
			j.status = 1
			if !j.Has("verbose") {
				continue
			}
			if err := j.fail(err, "%s", name); err != nil {
				return err
			}
			continue
		}
		if _, err := j.Stdout.Write([]byte(to + end)); err != nil {
			return err
		}
	}
	return nil
}

// realpath is realpath(1).
func (j *job) realpath(context.Context) error {
	if len(j.Operands) == 0 {
		return j.missing()
	}
	to, under := "", ""
	for _, o := range []struct {
		option string
		dir    *string
	}{{"relative-to", &to}, {"relative-base", &under}} {
		if !j.Has(o.option) {
			continue
		}
		var err error
		if *o.dir, err = j.real(j.Value(o.option)); err != nil {
			return j.fail(err, "%s", j.Value(o.option))
		}
	}
	end := "\n"
	if j.Has("zero") {
		end = "\x00"
	}
	for _, name := range j.Operands {
		at, err := j.real(name)
		if err != nil {
			j.status = 1
			if !j.Has("quiet") {
				if err := j.fail(err, "%s", name); err != nil {
					return err
				}
			}
			continue
		}
		if _, err := j.Stdout.Write([]byte(relativeTo(at, to, under) + end)); err != nil {
			return err
		}
	}
	return nil
}

// relativeTo applies --relative-to and --relative-base, which may be "".
func relativeTo(at, to, under string) string {
	inside := func(p string) bool {
		return under == "" || under == "/" || p == under || strings.HasPrefix(p, under+"/")
	}
	if to == "" {
		to = under
	}
	if to == "" || !inside(at) || !inside(to) {
		return at
	}
	return relativePath(to, at)
}

// real is the path that realpath prints for an operand.
func (j *job) real(name string) (string, error) {
	m := lastMisses
	switch j.Last("canonicalize", "canonicalize-existing", "canonicalize-missing") {
	case "canonicalize-existing":
		m = noneMisses
	case "canonicalize-missing":
		m = mayMiss
	}
	switch j.Last("logical", "physical", "no-symlinks") {
	case "no-symlinks":
		at := clean(j.Path(name))
		if m == mayMiss {
			return at, nil
		}
		if _, err := j.canonical(at, m); err != nil && (m == noneMisses || !missingFile(err)) {
			return "", err
		}
		return at, nil
	case "logical":
		return j.canonical(clean(j.Path(name)), m)
	}
	return j.canonical(j.Path(name), m)
}

// clean returns an absolute path without "." and "..", links not minded.
func clean(name string) string {
	var done []string
	for _, part := range strings.FieldsFunc(name, isSlash) {
		switch part {
		case ".":
		case "..":
			done = done[:max(len(done)-1, 0)]
		default:
			done = append(done, part)
		}
	}
	return "/" + strings.Join(done, "/")
}
