package archive

import "errors"

// What a caller can decide on. Every error about an archive that is one of these
// wraps it; most have a Hint method that says what to do next.
var (
	// ErrSignature: a Release without a good signature of a trusted key.
	ErrSignature = errors.New("signature not accepted")
	// ErrExpired: a Release past its Valid-Until.
	ErrExpired = errors.New("release expired")
	// ErrRollback: a Release older than one that was seen before.
	ErrRollback = errors.New("release older than one seen before")
	// ErrRelease: a verified Release that is not the one asked for, or is malformed.
	ErrRelease = errors.New("release not accepted")
	// ErrMismatch: content of another size or digest than the signed one.
	ErrMismatch = errors.New("content differs from what is signed")
	// ErrNotFound: the archive does not have, or no longer has, what was asked for.
	ErrNotFound = errors.New("not in the archive")
	// ErrForbidden: the archive wants credentials that we do not have.
	ErrForbidden = errors.New("refused by the archive")
	// ErrUnreachable: the archive could not be asked, or failed every time.
	ErrUnreachable = errors.New("archive not reachable")
)

// failure is an error of one of the kinds above with a message of its own. The
// kind is for errors.Is and is not printed; nor is the hint.
type failure struct {
	kind error
	msg  string
	hint string
	err  error // cause, or nil; printed after msg
}

func (f *failure) Error() string {
	if f.err != nil {
		return f.msg + ": " + f.err.Error()
	}
	return f.msg
}

// Unwrap returns the kind and the cause.
func (f *failure) Unwrap() []error {
	if f.err != nil {
		return []error{f.kind, f.err}
	}
	return []error{f.kind}
}

// Hint returns what to do next, or "".
func (f *failure) Hint() string { return f.hint }
