package files

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

var (
	runParts = program("test list v|verbose d|debug report reverse exit-on-error stdin new-session lsbsysinit regex= u|umask= a|arg=", (*job).runParts)
	savelog  = program("+ m= u= g= t C d D r= c= l j J 1 2 3 4 5 6 7 8 9 p n x q", (*job).savelog)
)

// The names that run-parts(8) takes.
var (
	partName    = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	lsbPartName = regexp.MustCompile(`^([a-z0-9]+|_?([a-z0-9_.]+-)+[a-z0-9]+|[a-zA-Z0-9_-]+)$`)
)

// runParts is run-parts(8).
func (j *job) runParts(ctx context.Context) error {
	if len(j.Operands) != 1 {
		return j.invalid("missing operand")
	}
	valid := partName
	switch {
	case j.Has("regex"):
		re, err := regexp.CompilePOSIX(j.Value("regex"))
		if err != nil {
			return shell.Unsupported("run-parts: the expression %q", j.Value("regex"))
		}
		valid = re
	case j.Has("lsbsysinit"):
		valid = lsbPartName
	}
	dir := j.Operands[0]
	names, err := j.FS.ReadDir(j.Path(dir))
	if missingFile(err) {
		return nil // as the program of trixie, which says nothing either
	}
	if err != nil {
		return j.fail(err, "failed to open directory %s", dir)
	}
	names = slices.Clone(names)
	if j.Has("reverse") {
		slices.Reverse(names)
	}
	for _, name := range names {
		if !valid.MatchString(name) {
			continue
		}
		if stop, err := j.runPart(ctx, join(dir, name)); stop || err != nil {
			return err
		}
	}
	return nil
}

func (j *job) runPart(ctx context.Context, name string) (stop bool, err error) {
	n, err := j.stat(name)
	if err != nil {
		return false, j.fail(err, "failed to stat component %s", name)
	}
	switch {
	case n.Type == tree.Dir:
		return false, nil
	case j.Has("list"):
		return false, j.say("%s", name)
	case n.Mode&0o111 == 0:
		return false, nil
	case j.Has("test"):
		return false, j.say("%s", name)
	}
	args := []string{name}
	for _, o := range j.Options {
		if o.Name == "arg" {
			args = append(args, o.Value)
		}
	}
	if j.Has("verbose") {
		fmt.Fprintf(j.Stderr, "run-parts: executing %s\n", strings.Join(args, " "))
	}
	q := *j.Proc
	q.Umask = 0o022
	if mask, err := strconv.ParseUint(j.Value("umask"), 8, 9); err == nil {
		q.Umask = uint32(mask)
	}
	var printed bytes.Buffer
	if j.Has("report") && !j.Has("verbose") {
		q.Stdout = &printed
	}
	status, err := q.Run(ctx, args...)
	if err == nil && printed.Len() > 0 {
		_, err = fmt.Fprintf(j.Stdout, "%s:\n%s", name, printed.Bytes())
	}
	if err != nil || status == 0 {
		return false, err
	}
	j.status = status
	fmt.Fprintf(j.Stderr, "run-parts: %s exited with return code %d\n", name, status)
	return j.Has("exit-on-error"), nil
}

// savelog is savelog(8): LOG becomes LOG.0, LOG.0 becomes LOG.1.gz, and so on.
func (j *job) savelog(ctx context.Context) error {
	if j.Has("d") || j.Has("j") || j.Has("J") || j.Has("r") || j.Has("x") {
		return shell.Unsupported("savelog: options -d, -j, -J, -r and -x")
	}
	cycle := 7
	if j.Has("c") {
		var err error
		if cycle, err = strconv.Atoi(j.Value("c")); err != nil || cycle < 2 || cycle > 1000 {
			return j.usage("count must be at least 2")
		}
	}
	for _, name := range j.Operands {
		if err := j.rotate(ctx, name, cycle); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) rotate(ctx context.Context, name string, cycle int) error {
	n, err := j.stat(name)
	if err != nil {
		if j.Has("t") || j.Has("m") || j.Has("u") || j.Has("g") {
			return j.newLog(ctx, name)
		}
		return nil
	}
	if n.Size == 0 && j.Has("n") {
		return nil
	}
	for i := cycle - 2; i >= 0; i-- {
		for _, end := range []string{"", ".gz"} {
			from, to := fmt.Sprintf("%s.%d%s", name, i, end), fmt.Sprintf("%s.%d%s", name, i+1, end)
			if _, err := j.lstat(from); err != nil {
				continue
			}
			if err := j.FS.Rename(j.Path(from), j.Path(to)); err != nil {
				return j.fail(err, "cannot rename '%s'", from)
			}
			if end == "" && i == 0 && !j.Has("l") {
				if status, err := j.Run(ctx, "gzip", "-9f", to); status != 0 || err != nil {
					j.status = status
					return err
				}
			}
		}
	}
	if err := j.FS.Rename(j.Path(name), j.Path(name+".0")); err != nil {
		return j.fail(err, "cannot rename '%s'", name)
	}
	if err := j.newLog(ctx, name); err != nil {
		return err
	}
	return j.say("Rotated `%s' at %s.", name, strftime(j.FS.Time, "%a %b %e %H:%M:%S UTC %Y"))
}

// newLog makes the log that is empty now, where the options ask for it.
func (j *job) newLog(ctx context.Context, name string) error {
	if !j.Has("t") && !j.Has("m") && !j.Has("u") && !j.Has("g") {
		return nil
	}
	for _, words := range [][]string{{"touch", name}, {"chmod", j.Value("m"), name}, {"chown", j.Value("u"), name}, {"chgrp", j.Value("g"), name}} {
		if words[1] == "" {
			continue
		}
		if status, err := j.Run(ctx, words...); status != 0 || err != nil {
			j.status = status
			return err
		}
	}
	return nil
}
