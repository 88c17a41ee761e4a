package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/sign"
)

// ErrRebuild is the reason of a no where an image was to be built again, and could not
// be or came out otherwise.
var ErrRebuild = errors.New("not what its attested spec and lock build")

// A Rebuilder builds an image again from what is attested of it. what says in words
// what else is to be known of it, "" for nothing. An error is the answer to the
// question, but for one of the context.
type Rebuilder func(ctx context.Context, in *provenance.Inputs) (index *oci.Index, what string, err error)

const askRebuild = "rebuild"

// rebuild builds the image again and compares: each platform's image, and the index
// that lists them. What cannot be built again is refused, since somebody asked.
func (x *examined) rebuild(ctx context.Context, o *Options) ([]sign.Question, error) {
	subjects, said := x.subjects, x.attested[0]
	all := func(err error) ([]sign.Question, error) {
		return []sign.Question{{Subject: subjects[0], Kind: askRebuild, Answer: err.Error(), Err: err}}, nil
	}
	if x.unsigned[0] {
		return all(fmt.Errorf("%w: cannot be built again: %w", ErrRebuild, errUnsigned))
	}
	for _, needed := range []struct{ name, predicate string }{{"provenance", provenance.Type}, {"lock", provenance.LockType}, {"spec", provenance.SpecType}} {
		if len(said[needed.predicate]) == 0 {
			return all(fmt.Errorf("%w: cannot be built again: no %s is attested", ErrRebuild, needed.name))
		}
	}
	in, err := said.inputs()
	if err != nil {
		return all(fmt.Errorf("%w: cannot be built again: %w", ErrRebuild, err))
	}
	index, what, err := o.Rebuild(ctx, in)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	other := ""
	if in.Version != o.Version {
		other = fmt.Sprintf("; it was built by hardpan %.40s, this is %s", in.Version, o.Version)
	}
	if err != nil {
		return all(fmt.Errorf("%w: %w%s", ErrRebuild, err, other))
	}
	if what != "" {
		other += "; " + what
	}
	var list []sign.Question
	for _, s := range subjects {
		where, err := builtOtherwise(ctx, x.Source, s, index)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			where = "it cannot be compared: " + err.Error()
		}
		q := sign.Question{OK: true, Answer: "built again it is the same, " + string(s.Digest) + other}
		if where != "" {
			q = no(fmt.Errorf("%w: %s%s", ErrRebuild, where, other))
		}
		q.Subject, q.Kind = s, askRebuild
		list = append(list, q)
	}
	return list, nil
}

// builtOtherwise says in what a subject differs from what was built again.
func builtOtherwise(ctx context.Context, src *oci.Source, s sign.Subject, index *oci.Index) (string, error) {
	if s.Name != sign.IndexName {
		was, err := src.Image(s.Platform)
		if err != nil {
			return "", err
		}
		is, err := index.Image(s.Platform)
		if errors.Is(err, oci.ErrPlatform) {
			return "its spec does not build it", nil
		}
		if err != nil {
			return "", err
		}
		return difference(ctx, was, is)
	}
	if s.Digest == index.Digest {
		return "", nil
	}
	for _, was := range src.Images {
		if is, err := index.Image(was.Platform); err != nil || is.Digest != was.Digest {
			return fmt.Sprintf("the image for %s is another", was.Platform), nil
		}
	}
	if where := documentsDiffer("index", src.Index.Manifest, index.Manifest); where != "" {
		return where, nil
	}
	return fmt.Sprintf("the index is %s, built again it is %s", s.Digest, index.Digest), nil
}
