package sign

import (
	"context"

	"github.com/hardpan/hardpan/internal/oci"
)

// Signed says whether v signed an image: its index, where it has one. It returns nil or
// the reason for a no, which wraps one of the errors of this package; err is that
// something could not be read.
func Signed(ctx context.Context, src *oci.Source, v *Verifier) (refusal, err error) {
	var r Report
	found, err := foundBundles(ctx, src)
	if err != nil {
		return nil, err
	}
	if v, err = v.judged(ctx, found); err != nil {
		return nil, err
	}
	s := Subjects(src)[0]
	signed, err := r.signature(ctx, src, v, s, found[s.Digest], false, promise{})
	if err != nil || signed {
		return nil, err
	}
	return r.Questions[0].Err, nil
}
