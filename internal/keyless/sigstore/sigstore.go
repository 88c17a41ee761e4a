package sigstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hardpan/hardpan/internal/keyless"
)

// maxRequest bounds what is read, in bytes.
const maxRequest = 512 << 20

// Serve reads a request and writes the response.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	return json.NewEncoder(out).Encode(answer(ctx, in))
}

func answer(ctx context.Context, in io.Reader) *keyless.Response {
	var r keyless.Request
	if err := json.NewDecoder(io.LimitReader(in, maxRequest)).Decode(&r); err != nil {
		return failure(fmt.Errorf("cannot read the request: %w", err))
	}
	switch {
	case r.Sign != nil:
		bundles, signer, err := sign(ctx, r.Sign)
		if err != nil {
			return failure(err)
		}
		return &keyless.Response{Bundles: bundles, Signer: signer}
	case r.Verify != nil:
		verdicts, err := judge(r.Verify)
		if err != nil {
			return failure(err)
		}
		return &keyless.Response{Verdicts: verdicts}
	}
	return failure(errors.New("the request asks for nothing"))
}

func failure(err error) *keyless.Response {
	r := &keyless.Response{Error: err.Error()}
	if h, ok := errors.AsType[*hinted](err); ok {
		r.Hint = h.hint
	}
	return r
}

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
