package text

import (
	"errors"
	"io/fs"
	"slices"

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

// from runs do, which makes files of the content of others: their origin says so.
func from(p *shell.Proc, inputs []string, do func() error) error {
	was := p.FS.Origin
	if was == nil {
		return do()
	}
	o := *was
	o.Inputs = slices.Clone(o.Inputs)
	for _, name := range inputs {
		if name != "-" {
			o.Inputs = append(o.Inputs, p.Path(name))
		}
	}
	p.FS.Origin = &o
	defer func() { p.FS.Origin = was }()
	return do()
}

// reason is the text of an error without the path.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return shell.Strerror(pe.Err)
	}
	return err.Error()
}
