package builder

import (
	"context"
	"fmt"
	"hash"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
)

// Predicate is a document about an image that was built, to be attested.
type Predicate struct {
	Subject  store.Digest `json:"subject"`   // of the index or of one platform's image
	Type     string       `json:"type"`      // a URI
	Document []byte       `json:"predicate"` // JSON
}

// Describer makes documents about an index and each of its images, which depend on
// nothing but the index and Key.
type Describer struct {
	Key      string
	Describe func(ctx context.Context, index *oci.Index, s *store.Store) ([]Predicate, error)
	// Watch, unless nil, makes what looks at a layer while it is written, so that Describe
	// need not read it.
	Watch func() Watcher
}

// A Watcher learns what is in a layer while it is written.
type Watcher interface {
	layer.Watcher
	// Hashed says that the content of a file that comes next goes through sum, a SHA-256 of
	// the caller's, which has all of it when the entry after it comes; nil ends that.
	Hashed(sum hash.Hash)
	// Keep is told when the layer is written, which has that diff ID.
	Keep(diffID store.Digest, s *store.Store) error
}

// describe returns what the build has to say of the index and of each platform's image,
// and what became of the tests that were run and of the hardening rules.
func (b *build) describe(ctx context.Context, res *Result) ([]Predicate, error) {
	x, stages := res.Index, res.Stages
	locked, err := b.lock.Encode()
	if err != nil {
		return nil, err
	}
	bundle, err := b.bundle()
	if err != nil {
		return nil, err
	}
	var all []Predicate
	var records []*record.Record
	sandboxes := map[string]any{}
	for _, s := range stages {
		if s.Sandbox != nil {
			sandboxes[s.Platform+" "+s.Stage] = s.Sandbox
		}
	}
	origin := func(of store.Digest, records ...*record.Record) error {
		text, err := provenance.Predicate(records, string(store.DigestOf(locked)), b.o.Builder, sandboxes)
		all = append(all, Predicate{of, provenance.Type, text}, Predicate{of, provenance.LockType, locked})
		if bundle != nil {
			all = append(all, Predicate{of, provenance.SpecType, bundle})
		}
		return err
	}
	for _, img := range x.Images {
		rec, err := b.recordOf(img)
		if err != nil {
			return nil, fmt.Errorf("cannot describe the image for %s: %w", img.Platform, err)
		}
		records = append(records, rec)
		if err := origin(img.Digest, rec); err != nil {
			return nil, err
		}
		if passed := namesPassed(res.Tests, img.Digest); len(passed) > 0 {
			text, err := provenance.TestResult(rec, passed)
			if err != nil {
				return nil, err
			}
			all = append(all, Predicate{img.Digest, provenance.TestResultType, text})
		}
		text, err := b.attestHardening(ctx, img)
		if err != nil {
			return nil, err
		}
		all = append(all, Predicate{img.Digest, check.ResultType, text})
	}
	if err := origin(x.Digest, records...); err != nil {
		return nil, err
	}
	return all, nil
}

// recordOf returns the record of an image, which the gate has read where it was asked.
func (b *build) recordOf(img *oci.Image) (*record.Record, error) {
	if known := b.known[img.Digest]; known != nil && known.Record != nil {
		return known.Record, nil
	}
	return record.Decode(img.Config.Record)
}
