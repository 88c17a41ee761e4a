package text

import (
	"errors"
	"io/fs"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// fatal returns the errors that end all scripts, nil for any other.
func fatal(err error) error {
	if _, ok := errors.AsType[*shell.UnsupportedError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*shell.LimitError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*rootfs.LimitError](err); ok {
		return err
	}
	return nil
}

// fail complains about a file as p.Fail does, by the name that the script gave it.
func fail(p *shell.Proc, name string, err error) (int, error) {
	if stop := fatal(err); stop != nil {
		return 1, stop
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Errorf("%s: %s", name, shell.Strerror(pe.Err))
	}
	return 1, err
}

// reason is the text of an error without the path.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return shell.Strerror(pe.Err)
	}
	return err.Error()
}
