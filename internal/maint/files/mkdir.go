package files

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

var mkdir = program("p|parents m|mode= v|verbose Z context?", (*job).mkdir)

// pathError is a failure of a system call that the caller found out by itself.
func pathError(no syscall.Errno) error { return &fs.PathError{Op: "", Path: "", Err: no} }

// mkdir is mkdir(1).
func (j *job) mkdir(context.Context) error {
	if len(j.Operands) == 0 {
		return j.missing()
	}
	var m mode
	if j.Has("mode") {
		var ok bool
		if m, ok = parseMode(j.Value("mode")); !ok {
			return j.usage("invalid mode '%s'", j.Value("mode"))
		}
	}
	for _, name := range j.Operands {
		if err := j.mkdirOne(name, m); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) mkdirOne(name string, m mode) error {
	if j.Has("parents") {
		if ok, err := j.parents(name); !ok || err != nil {
			return err
		}
		if j.isDir(name) {
			return nil
		}
	}
	if err := j.makeDir(name, m); err != nil {
		return j.fail(err, "cannot create directory '%s'", name)
	}
	return j.tell("%s: created directory '%s'", j.Args[0], name)
}

// makeDir makes a directory, of the mode m where it is not nil. The set-group-id bit
// that it inherits stays, unless the mode says otherwise.
func (j *job) makeDir(name string, m mode) error {
	if err := j.FS.Mkdir(j.Path(name), 0o777&^j.Umask); err != nil || m == nil {
		return err
	}
	n, err := j.stat(name)
	if err != nil {
		return err
	}
	return j.FS.Chmod(j.Path(name), m.apply(0o777, true, j.Umask)|n.Mode&m.kept())
}

// parents makes the directories above name that are missing. They are made for
// their owner to write in, whatever the umask says.
func (j *job) parents(name string) (bool, error) {
	trimmed := strings.TrimRight(name, "/")
	for i := 1; i < len(trimmed); i++ {
		if trimmed[i] != '/' || trimmed[i-1] == '/' {
			continue
		}
		dir := trimmed[:i]
		n, err := j.stat(dir)
		switch {
		case err == nil && n.Type == tree.Dir:
			continue
		case err == nil:
			err = pathError(syscall.ENOTDIR)
		case errors.Is(err, fs.ErrNotExist):
			err = j.FS.Mkdir(j.Path(dir), 0o777&^j.Umask|0o300)
		}
		if err != nil {
			if errors.Is(err, syscall.EEXIST) {
				err = pathError(syscall.ENOTDIR) // a link that leads nowhere
			}
			return false, j.fail(err, "cannot create directory '%s'", dir)
		}
		made := "created"
		if j.Args[0] == "install" {
			made = "creating"
		}
		if err := j.tell("%s: %s directory '%s'", j.Args[0], made, dir); err != nil {
			return false, err
		}
	}
	return true, nil
}
