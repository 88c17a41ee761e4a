package builder

import (
	"errors"
	"fmt"

	"github.com/hardpan/hardpan/internal/debian/resolve"
	"github.com/hardpan/hardpan/specs"
)

// ErrSpec is wrapped by errors that a change of the spec, its lock or the call
// mends, as opposed to work that failed.
var ErrSpec = errors.New("the spec has to change")

// ErrNoLock is wrapped by the error of a build that needs a lock and has none.
var ErrNoLock = errors.New("no lock")

// Errors is several independent errors, each a line of its own.
type Errors []error

func (e Errors) Error() string { return errors.Join(e...).Error() }

// Unwrap returns the errors one by one, for [errors.Is] and [errors.As].
func (e Errors) Unwrap() []error { return e }

// specFault marks an error as one of the spec or the call without changing its words.
type specFault struct{ error }

func (e specFault) Unwrap() []error { return []error{e.error, ErrSpec} }

// requestError puts the place of the package in the spec in front of an error.
func requestError(spec *specs.Spec, p specs.Platform, err error) error {
	re, ok := errors.AsType[*resolve.RequestError](err)
	if !ok {
		return fmt.Errorf("%s: cannot resolve packages: %w", p, err)
	}
	return positioned(spec, []any{"contents", "packages", re.Index}, re.Err)
}

// positioned returns err as an error at the place of a value in the spec.
func positioned(spec *specs.Spec, path []any, err error) error {
	e := &specs.Error{Position: spec.Position(path...), Message: err.Error(), Err: err}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		e.Advice = h.Hint()
	}
	return e
}

func (b *build) specError(path []any, err error) error { return positioned(b.spec, path, err) }
