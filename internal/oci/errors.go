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

	// ErrNotLayout is wrapped by errors about a directory that is in use for
	// something else than an OCI image layout.
	ErrNotLayout = errors.New("not an OCI image layout")
)

// missingBlob is the error about one that is not there.
type missingBlob store.Digest

func (e missingBlob) Error() string { return "blob " + string(e) + " is missing" }

func (e missingBlob) Is(target error) bool { return target == ErrMissing || target == fs.ErrNotExist }

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
