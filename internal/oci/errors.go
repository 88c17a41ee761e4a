package oci

import (
	"errors"
	"io/fs"

	"github.com/hardpan/hardpan/internal/store"
)

var (
	// ErrMismatch is wrapped by errors about content that does not have the digest
	// or size that names it.
	ErrMismatch = errors.New("content does not match its descriptor")

	// ErrMissing is wrapped by errors about a blob that a manifest or index names, and that
	// is not where the image is. They wrap [fs.ErrNotExist], too.
	ErrMissing = errors.New("blob is missing")

	// ErrInvalid is wrapped by errors about a document or archive that is not what
	// its format prescribes.
	ErrInvalid = errors.New("not a valid image")

	// ErrTooLarge is wrapped by errors about a manifest, index or config above
	// [MaxDocument] bytes.
	ErrTooLarge = errors.New("document too large")

	// ErrPlatform is wrapped by errors about a platform that an image does not have,
	// or one that would have to be chosen.
	ErrPlatform = errors.New("no such platform")

	// ErrUnread is wrapped by errors about artifacts that could not be read, where that
	// says nothing of what they are: a registry that does not answer, or refuses to.
	ErrUnread = errors.New("artifacts cannot be read")

	// ErrNotLayout is wrapped by errors about a directory that is in use for
	// something else than an OCI image layout.
	ErrNotLayout = errors.New("not an OCI image layout")
)

// missingBlob is the error about one that is not there.
type missingBlob store.Digest

func (e missingBlob) Error() string { return "blob " + string(e) + " is missing" }

func (e missingBlob) Is(target error) bool { return target == ErrMissing || target == fs.ErrNotExist }

// unread marks an error about artifacts as [ErrUnread], unless it is about their content.
func unread(err error) error {
	for _, content := range []error{ErrInvalid, ErrMismatch, ErrTooLarge, fs.ErrNotExist} {
		if errors.Is(err, content) {
			return err
		}
	}
	return unreadError{err}
}

// An unreadError has the words of its cause.
type unreadError struct{ error }

func (e unreadError) Unwrap() error { return e.error }

func (e unreadError) Is(target error) bool { return target == ErrUnread }

// MaxDocument is the largest manifest, index or config that is written or read, in
// bytes: the limit that registries (OCI distribution spec, Pushing Manifests) and
// the readers of podman and skopeo have.
const MaxDocument = 4 << 20

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func withHint(err error, hint string) error { return &hinted{err, hint} }

func (e *hinted) Unwrap() error { return e.error }

// Hint says what to do about the error.
func (e *hinted) Hint() string { return e.hint }
