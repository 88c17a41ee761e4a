package builder

import (
	"context"
	"errors"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/resolve"
	"github.com/hardpan/hardpan/specs"
)

// solveOn resolves the packages of a system, which may stand on an existing image. What
// that has is not installed again: it stays in its version as long as every relation
// holds. An image that is flattened may have its packages replaced where one does not;
// then all of them are brought to the versions of the archives, so that what comes out
// is one state of these and no mixture.
func solveOn(ctx context.Context, u *resolve.Universe, p specs.Platform, sys system, base *baseImage) (*resolve.Solution, error) {
	if base == nil {
		sol, err := solve(ctx, u, sys)
		if err != nil {
			return nil, requestError(sys.spec, p, err)
		}
		return sol, nil
	}
	on, err := u.OnBase(base.candidates())
	if err != nil {
		return nil, positioned(sys.spec, []any{"from"}, err)
	}
	sol, err := solve(ctx, on, sys)
	if err == nil {
		return sol, nil
	}
	request, ok := errors.AsType[*resolve.RequestError](err)
	if !ok {
		return nil, requestError(sys.spec, p, err)
	}
	if sys.spec.Flatten && !request.Request.Exclude {
		if sol, err := renew(ctx, u, sys, base); err == nil {
			return sol, nil
		}
	}
	if _, free := solve(ctx, u, sys); free == nil || request.Request.Exclude {
		request.Err = &baseError{request.Err, sys.spec.Flatten || request.Request.Exclude}
	}
	return nil, requestError(sys.spec, p, err)
}

// renew resolves the packages of a system together with those of its base, in the
// versions of the archives. What these do not have stays.
func renew(ctx context.Context, u *resolve.Universe, sys system, base *baseImage) (*resolve.Solution, error) {
	var stay []debian.Package
	var again []resolve.Request
	for _, p := range base.packages {
		if u.Has(p.Name) {
			again = append(again, resolve.Request{Name: p.Name})
		} else {
			stay = append(stay, p.Package)
		}
	}
	on, err := u.OnBase(stay)
	if err != nil {
		return nil, err
	}
	sol, err := solve(ctx, on, sys, again...)
	if err != nil {
		return nil, err
	}
	renewed := *sol
	renewed.Packages = nil
	for _, s := range sol.Packages {
		switch old := base.find(s.Name); {
		case old == nil:
			renewed.Packages = append(renewed.Packages, s)
		case old.Version == s.Version:
			renewed.Installed = append(renewed.Installed, s)
		default:
			s.Reason.Replaces = old.Version
			renewed.Packages = append(renewed.Packages, s)
		}
	}
	return &renewed, nil
}

// baseError says that packages cannot be installed because of those that a base image
// has.
type baseError struct {
	err  error
	last bool // flattening does not help
}

func (e *baseError) Error() string { return e.err.Error() }
func (e *baseError) Unwrap() error { return e.err }
func (e *baseError) Hint() string {
	if e.last {
		return "take another base image"
	}
	return "take a newer base image, or write flatten: true, so that its packages may be replaced"
}
