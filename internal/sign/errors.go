package sign

import "errors"

// What [Verify] refuses, wrapped by [Question.Err].
var (
	// ErrNoSignature is that nothing is signed.
	ErrNoSignature = errors.New("no signature")
	// ErrOtherKey is a signature that does not verify with the key.
	ErrOtherKey = errors.New("not signed with this key")
	// ErrTampered is a signature that says it was made with the key and does not verify.
	ErrTampered = errors.New("changed after it was signed")
	// ErrReplayed is a good signature of another image.
	ErrReplayed = errors.New("signature of another image")
	// ErrSubject is a good attestation about another image.
	ErrSubject = errors.New("attestation about another image")
	// ErrDamaged is a document that is not what its format prescribes.
	ErrDamaged = errors.New("damaged document")
	// ErrStripped is an attestation that the signature speaks of and that is not there.
	ErrStripped = errors.New("attestation is missing")
	// ErrUnnamed is a good attestation that is not the one that the signature names.
	ErrUnnamed = errors.New("not the attestation that the signature names")
	// ErrUntrusted is a bundle whose certificate, log entry or time nothing vouches for.
	ErrUntrusted = errors.New("not vouched for")
	// ErrIdentity is a good signature of somebody who was not asked for.
	ErrIdentity = errors.New("signed by another identity")
	// ErrContent is a layer that is not what the manifest says.
	ErrContent = errors.New("damaged image")
)

// ErrPassword is wrapped by the error about a private key that the password does
// not open.
var ErrPassword = errors.New("the password is wrong or the key is damaged")

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint says what to do about the error.
func (e *hinted) Hint() string { return e.hint }
