package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// stageSystem is what a stage stands on, as layers: packages or an image.
type stageSystem struct {
	Layers []layer.Info `json:"layers"`
	Record store.Digest `json:"record"` // says which package brought what

	store *store.Store
	image *oci.Image // in place of the others, where the stage stands on one
}

// layers returns the layers, lowest first.
func (s *stageSystem) layers() []oci.Layer {
	if s.image != nil {
		return s.image.Layers
	}
	var strata []stratum
	for _, l := range s.Layers {
		strata = append(strata, stratum{Info: l})
	}
	return imageLayers(s.store, strata)
}

// key names the snapshot of the system, by what is in it.
func (s *stageSystem) key() string {
	var ids strings.Builder
	for _, l := range s.layers() {
		ids.WriteString(string(l.DiffID) + "\n")
	}
	return string(store.DigestOf([]byte(ids.String())))
}

// environment returns the variables that an image has for its processes.
func (s *stageSystem) environment() []string {
	if s.image == nil {
		return nil
	}
	return s.image.Config.Env
}

// systemBuild returns the build of a system that commands run in: as an image is
// made, without hardening. name is the system's in the lock.
func (b *build) systemBuild(spec *specs.Spec, name string) (*build, error) {
	canonical, err := spec.Canonical()
	if err != nil {
		return nil, err
	}
	sys := &build{o: b.o, store: b.store, base: b.base, spec: spec, system: name, stage: true, canonical: string(canonical),
		lock: b.lock, clients: b.clients, epoch: b.epoch, snapshots: b.snapshots}
	sys.press = newPress(b.store, sys.compression(), nil)
	return sys, nil
}

// systemFor returns the system of a build that [build.systemBuild] made, which it makes
// unless the store has it.
func (b *build) systemFor(ctx context.Context, p specs.Platform) (*stageSystem, error) {
	key, err := b.systemKey(p)
	if err != nil {
		return nil, err
	}
	sys := &stageSystem{}
	if b.store.Get("system", key, sys) && sys.stored(b.store) {
		return sys, nil
	}
	for range healing {
		if sys, err = b.makeSystem(ctx, p); !healable(err) {
			break
		}
		b.verifyPackages([]specs.Platform{p})
	}
	if err != nil {
		return nil, err
	}
	return sys, b.store.Set("system", key, sys)
}

// stored reports whether all that the system is made of is still in the store.
func (s *stageSystem) stored(st *store.Store) bool {
	s.store = st
	for _, l := range s.Layers {
		if size, ok := st.Stat(l.Digest); !ok || size != l.Size {
			return false
		}
	}
	_, ok := st.Stat(s.Record)
	return ok
}

// systemKey returns the text that the system depends on: packages and formats.
func (b *build) systemKey(p specs.Platform) (string, error) {
	parts := []string{stageFormat, imageFormat, unpackFormat, layer.Format, maint.Format, b.canonical, p.String(), b.epoch.Format(time.RFC3339)}
	for _, m := range b.members(p) {
		text, err := json.Marshal(m.Package)
		if err != nil {
			return "", err
		}
		parts = append(parts, string(text))
	}
	return strings.Join(parts, "\x00"), nil
}

func (b *build) makeSystem(ctx context.Context, p specs.Platform) (*stageSystem, error) {
	if err := b.fetch(ctx, b.needed([]specs.Platform{p})); err != nil {
		return nil, err
	}
	a, err := b.assemble(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	if err := b.addDpkgDatabase(p, a); err != nil {
		return nil, err
	}
	strata, err := upperLayers(ctx, b.press, a)
	if err != nil {
		return nil, err
	}
	sys := &stageSystem{store: b.store}
	var below []stratum
	for _, m := range a.members {
		below = append(below, stratum{Info: m.files.Layer, members: []*member{m}})
	}
	strata = append(below, strata...)
	for _, st := range strata {
		sys.Layers = append(sys.Layers, st.Info)
	}
	text, err := b.record(p, a, strata).Encode()
	if err != nil {
		return nil, err
	}
	sys.Record, err = b.store.Put(text)
	return sys, err
}

// unpack makes the snapshot of the system where it is missing.
func (s *stageSystem) unpack(ctx context.Context, space *sandbox.Space) error {
	if space.Has(s.key()) {
		return nil
	}
	var layers []sandbox.Layer
	for _, l := range s.layers() {
		layers = append(layers, sandbox.Layer{Open: l.Uncompressed})
	}
	return space.Unpack(ctx, s.key(), layers)
}

// record returns the record of the system. That of an image which hardpan did not
// build is empty.
func (s *stageSystem) record() (*record.Record, error) {
	if s.image != nil && len(s.image.Config.Record) == 0 {
		return &record.Record{}, nil
	}
	if s.image != nil {
		return record.Decode(s.image.Config.Record)
	}
	text, err := s.store.ReadFile(s.Record)
	if err != nil {
		return nil, fmt.Errorf("cannot read the record of a stage's system: %w", err)
	}
	return record.Decode(text)
}
