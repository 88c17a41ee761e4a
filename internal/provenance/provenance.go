package provenance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
)

// Type is the predicate type of what [Predicate] returns.
const Type = "https://slsa.dev/provenance/v1"

// LockType is the predicate type of the lock that an image was built from.
const LockType = "https://github.com/hardpan/hardpan/blob/main/docs/provenance.md#lock-v1"

// BuildType names the meaning of the parameters: docs/provenance.md describes it.
const BuildType = "https://github.com/hardpan/hardpan/blob/main/docs/provenance.md#build-v1"

// external are the parameters that whoever asked for the build chose.
type external struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Variant  string   `json:"variant,omitempty"`
	Distro   string   `json:"distro"`
	Spec     string   `json:"spec"`              // digest of the spec with all that it inherits
	Lock     string   `json:"lock,omitempty"`    // digest of the lock file
	From     string   `json:"from,omitempty"`    // existing image that it stands on
	Flatten  bool     `json:"flatten,omitempty"` // whose layers were written anew
	Platform []string `json:"platforms"`
}

// internal are those that hardpan chose.
type internal struct {
	Profile string `json:"hardeningProfile"`
	Created string `json:"created"` // the image's time, which every file is at most as new as
	// Sandbox says what was executed: nothing of the image, for scripts are interpreted.
	Sandbox string  `json:"sandbox"`
	Stages  []stage `json:"stages,omitempty"`
}

// stage is a build stage whose commands ran in a sandbox.
type stage struct {
	Platform string   `json:"platform"` // that was built for
	Name     string   `json:"name"`
	Runs     string   `json:"runs"` // platform of its programs
	From     string   `json:"from,omitempty"`
	Commands []string `json:"commands"`
	Network  string   `json:"network"`
	Secrets  []string `json:"secrets,omitempty"` // ids of what its commands could see
	Sandbox  any      `json:"sandbox,omitempty"` // see [Predicate]
}

// executed says in a sentence what was executed.
func executed(records []*record.Record) string {
	for _, r := range records {
		if len(r.Stages) > 0 {
			return "nothing of the image was executed: maintainer scripts were interpreted; commands of build stages ran in namespaces of their own"
		}
	}
	return "nothing of the image was executed: maintainer scripts were interpreted"
}

func stages(records []*record.Record, sandboxes map[string]any) []stage {
	var list []stage
	for _, r := range records {
		for _, s := range r.Stages {
			list = append(list, stage{r.Platform, s.Name, s.Platform, s.From, s.Run, s.Network, s.Secrets, sandboxes[r.Platform+" "+s.Name]})
		}
	}
	return list
}

// Predicate returns the provenance of what the records describe: one for the image of
// a platform, several for an index of them. locked is the digest of the lock file,
// "sha256:...", or "" where it is not known. sandboxes has, by platform and name of a
// stage, "linux/amd64 build", what is known of the sandbox that its commands ran in.
func Predicate(records []*record.Record, locked string, b Builder, sandboxes map[string]any) ([]byte, error) {
	if len(records) == 0 {
		return nil, fmt.Errorf("provenance of no image")
	}
	first := records[0]
	params := external{Name: first.Name, Version: first.Version, Variant: first.Variant, Distro: first.Distro, Spec: first.Spec, Lock: locked}
	if base := first.Base; base != nil {
		params.From, params.Flatten = base.Reference, base.Layers == 0
	}
	for _, r := range records {
		params.Platform = append(params.Platform, r.Platform)
	}
	slices.Sort(params.Platform)
	p := predicate{
		BuildDefinition: buildDefinition{
			BuildType:          BuildType,
			ExternalParameters: params,
			InternalParameters: internal{
				Profile: first.Profile, Created: first.Created.UTC().Format("2006-01-02T15:04:05Z"),
				Sandbox: executed(records), Stages: stages(records, sandboxes),
			},
			ResolvedDependencies: append(b.source(), dependencies(records)...),
		},
		RunDetails: runDetails{
			Builder:  builder{ID: b.ID, Version: map[string]string{"hardpan": b.Version}},
			Metadata: metadata{InvocationID: b.Invocation},
		},
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot encode provenance: %w", err)
	}
	return text, nil
}

// dependencies returns the signed indexes and the packages, each once.
func dependencies(records []*record.Record) []descriptor {
	all := map[string]descriptor{}
	for _, r := range records {
		archives := map[string]*lock.Archive{}
		for i := range r.Archives {
			a := &r.Archives[i]
			archives[a.ID] = a
			d := index(a)
			all["0"+d.URI] = d
		}
		for i := range r.Packages {
			d := pkg(&r.Packages[i], archives[r.Packages[i].Archive])
			all["1"+d.URI] = d
		}
		if r.Base != nil {
			d := image(r.Base.Reference, string(r.Base.Digest))
			all["2"+d.Name+d.Digest["sha256"]] = d
		}
		for _, s := range r.Stages {
			for i := range s.Packages {
				d := pkg(&s.Packages[i], archives[s.Packages[i].Archive])
				all["1"+d.URI] = d
			}
			for _, d := range inputs(&s) {
				all["2"+d.Name+d.Digest["sha256"]] = d
			}
		}
	}
	var list []descriptor
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[key])
	}
	return list
}

// InputOf is the annotation of a dependency that was put into a build stage, with the
// stage's name. Such dependencies are pinned by the spec, not by the lock.
const InputOf = "stage"

// image describes an existing image for one platform.
func image(reference, manifest string) descriptor {
	return descriptor{Name: reference, Digest: digests(manifest), MediaType: "application/vnd.oci.image.manifest.v1+json"}
}

// inputs describes what a stage was made of beside packages.
func inputs(s *record.Stage) []descriptor {
	var list []descriptor
	if s.Base != "" {
		list = append(list, image(s.From, s.Base))
	}
	for _, in := range s.Inputs {
		d := descriptor{Name: in.Source, URI: in.URL, Digest: digests(in.Digest)}
		switch {
		case in.Stage != "": // whose own inputs are listed
			continue
		case in.URL != "":
			d.Name = in.URL
		}
		d.Annotations = map[string]any{InputOf: s.Name}
		list = append(list, d)
	}
	return list
}

// index describes the signed index of an archive.
func index(a *lock.Archive) descriptor {
	return descriptor{
		Name: a.ID, URI: archive.PublicBase(a.URI, a.Suite) + "/dists/" + a.Suite + "/InRelease", Digest: digests(a.InRelease),
		Annotations: map[string]any{"date": a.Date.UTC().Format("2006-01-02T15:04:05Z"), "signedBy": a.SignedBy},
	}
}

// NameOf returns the name that a package has among the dependencies.
func NameOf(p *lock.Package) string { return p.Name + " " + p.Version + " " + p.Architecture }

// pkg describes a package's file.
func pkg(p *lock.Package, a *lock.Archive) descriptor {
	d := descriptor{
		Name: NameOf(p), Digest: digests("sha256:" + p.SHA256), MediaType: "application/vnd.debian.binary-package",
	}
	if p.SHA512 != "" {
		d.Digest["sha512"] = p.SHA512
	}
	if a != nil {
		d.URI = archive.PublicBase(a.URI, a.Suite) + "/" + p.Path
	}
	return d
}

func digests(d string) map[string]string {
	algorithm, hex, _ := strings.Cut(d, ":")
	return map[string]string{algorithm: hex}
}
