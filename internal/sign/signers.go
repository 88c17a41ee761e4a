package sign

import (
	"context"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// Signed says whether v signed an image: its index, where it has one. It returns nil or
// the reason for a no, which wraps one of the errors of this package; err is that
// something could not be read.
func Signed(ctx context.Context, src *oci.Source, v *Verifier) (refusal, err error) {
	s := Subjects(src)[0]
	f, err := findAbout(ctx, src, s.Digest)
	if err != nil {
		return nil, err
	}
	if v, err = v.judged(ctx, map[store.Digest]found{s.Digest: f}); err != nil {
		return nil, err
	}
	var r Report
	if r.signature(v, s, f, false, promise{}) {
		return nil, nil
	}
	return r.Questions[0].Err, nil
}
