package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/store"
)

// SpecType is the predicate type of the spec that an image was built from, a bundle of
// package specs.
const SpecType = "https://github.com/hardpan/hardpan/blob/main/docs/provenance.md#spec-v1"

// ErrInputs is wrapped by errors about documents that do not say together what an
// image was built from.
var ErrInputs = errors.New("what is attested does not say how to build the image")

// Inputs is what an image was built from, as its provenance says it.
type Inputs struct {
	Spec       []byte // the predicate, not read yet
	SpecDigest string // of the spec's canonical form
	Lock       *lock.Lock
	Variant    string
	Platforms  []string
	Created    time.Time // the image's time
	Version    string    // of the hardpan that built it
}

// ReadInputs reads the predicates of an image's provenance and lock, and checks that
// the lock is the one of the provenance. Whether the spec is, shows only where it is
// loaded. Errors wrap [ErrInputs].
func ReadInputs(provenance, locked, spec []byte) (*Inputs, error) {
	fail := func(format string, args ...any) (*Inputs, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrInputs}, args...)...)
	}
	var p predicate
	if err := json.Unmarshal(provenance, &p); err != nil {
		return fail("provenance: %w", err)
	}
	d, params := &p.BuildDefinition, &p.BuildDefinition.ExternalParameters
	if d.BuildType != BuildType {
		return fail("the build type is %.200q", d.BuildType)
	}
	in := &Inputs{Spec: spec, SpecDigest: params.Spec, Variant: params.Variant, Platforms: params.Platform, Version: p.RunDetails.Builder.Version["hardpan"]}
	var err error
	if in.Lock, err = lock.Decode(locked); err != nil {
		return fail("lock: %w", err)
	}
	text, err := in.Lock.Encode()
	if err != nil {
		return fail("lock: %w", err)
	}
	if is := store.DigestOf(text); string(is) != params.Lock {
		return fail("the lock is %s, the provenance was made with %.80s", is, params.Lock)
	}
	if len(in.Platforms) == 0 {
		return fail("the provenance names no platform")
	}
	if in.Created, err = time.Parse(time.RFC3339, d.InternalParameters.Created); err != nil {
		return fail("the image's time is %.40q", d.InternalParameters.Created)
	}
	return in, nil
}
