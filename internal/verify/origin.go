package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

// predicate is what is compared of a provenance.
type predicate struct {
	BuildDefinition struct {
		BuildType          string
		ExternalParameters struct {
			Lock, Variant, From string
			Platforms           []string
		}
		InternalParameters struct {
			Stages []stage
		}
		ResolvedDependencies []struct {
			Name, URI   string
			Digest      map[string]string
			Annotations map[string]any
		}
	}
	RunDetails struct {
		Builder struct{ ID string }
	}
}

// stage is a build stage as the provenance has it.
type stage struct {
	Platform, Name, Runs, From string
}

// origin compares the provenance of an image with its lock: the lock is the one that
// the provenance names, and the packages and indexes are those of the lock.
func origin(said, locked []byte) sign.Question {
	switch {
	case said == nil:
		return unanswered("no provenance is attested")
	case locked == nil:
		return unanswered("no lock is attested")
	}
	var p predicate
	if err := json.Unmarshal(said, &p); err != nil {
		return no(fmt.Errorf("%w: provenance: %w", ErrDocument, err))
	}
	if p.BuildDefinition.BuildType != provenance.BuildType {
		return unanswered(fmt.Sprintf("the build type is %.200q", p.BuildDefinition.BuildType))
	}
	l, err := lock.Decode(locked)
	if err != nil {
		return no(fmt.Errorf("%w: lock: %w", ErrDocument, err))
	}
	text, err := l.Encode()
	if err != nil {
		return no(fmt.Errorf("%w: lock: %w", ErrDocument, err))
	}
	if is := store.DigestOf(text); string(is) != p.BuildDefinition.ExternalParameters.Lock {
		return no(fmt.Errorf("%w: the lock is %s, the provenance was made with %.80s", ErrProvenance, is, p.BuildDefinition.ExternalParameters.Lock))
	}
	params := &p.BuildDefinition.ExternalParameters
	want := dependencies(l, params.Platforms, params.Variant, p.BuildDefinition.InternalParameters.Stages)
	if base := l.Image(params.From); base != nil {
		for _, platform := range params.Platforms {
			want[store.Digest(base.Platforms[platform]).Hex()] = params.From
		}
	}
	var differences []string
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		name, ok := want[d.Digest["sha256"]]
		switch {
		case d.Digest["sha256"] == "": // the commit of the spec
		case d.Annotations[provenance.InputOf] != nil: // which the spec pins
		case !ok:
			differences = append(differences, fmt.Sprintf("%.200s is not in the lock", d.Name))
		case name != d.Name:
			differences = append(differences, fmt.Sprintf("%.200s is %s in the lock", d.Name, name))
		}
		delete(want, d.Digest["sha256"])
	}
	for _, digest := range slices.Sorted(maps.Keys(want)) {
		differences = append(differences, want[digest]+" is in the lock only")
	}
	if len(differences) > 0 {
		return no(fmt.Errorf("%w: %s", ErrProvenance, summary(differences)))
	}
	return sign.Question{OK: true, Answer: fmt.Sprintf("made from the attested lock, %.19s", store.DigestOf(text))}
}

// dependencies returns what the lock has for some platforms, a variant and its build
// stages, by SHA-256.
func dependencies(l *lock.Lock, platforms []string, variant string, stages []stage) map[string]string {
	all := map[string]string{}
	for _, a := range l.Archives {
		all[store.Digest(a.InRelease).Hex()] = a.ID
	}
	add := func(platform, system string) {
		locked := l.Platforms[platform]
		for i := range locked.Packages {
			if p := &locked.Packages[i]; p.In(system) {
				all[p.SHA256] = provenance.NameOf(p)
			}
		}
	}
	for _, platform := range platforms {
		add(platform, variant)
	}
	for _, s := range stages {
		if img := l.Image(s.From); img != nil {
			if digest := img.Platforms[s.Runs]; digest != "" {
				all[store.Digest(digest).Hex()] = s.From
			}
			continue
		}
		if s.From != "" { // another stage, which is listed too
			continue
		}
		system := variant + "@" + s.Name
		if _, ok := l.Request.Packages[system]; !ok {
			system = "@" + s.Name
		}
		add(s.Runs, system)
	}
	return all
}
