package record

import (
	"iter"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/store"
)

// Base is an existing image that an image stands on: its layers are the lowest, unless
// they were written anew.
type Base struct {
	Reference string       `json:"reference"` // as the spec has it
	Digest    store.Digest `json:"digest"`    // of the platform's manifest
	Named     store.Digest `json:"named"`     // of what the reference leads to, an index or the manifest
	Layers    int          `json:"layers"`    // how many of the image's lowest are the base's; 0 where they were written anew

	// Packages are those of the base that are in the image. Of one that hardpan did not
	// install, its own database says name, version, architecture and source.
	Packages []lock.Package `json:"packages,omitempty"`
	Archives []lock.Archive `json:"archives,omitempty"` // that they were taken from
	Distro   string         `json:"distro,omitempty"`
	Spec     string         `json:"spec,omitempty"` // digest of its spec

	Components []Component `json:"components,omitempty"` // programs that hardpan added to it

	// Overwritten are files of the base that the image has in another version. The bytes
	// are in a layer below.
	Overwritten []Overwritten `json:"overwritten,omitempty"`

	Base *Base `json:"base,omitempty"` // that the base stands on itself
}

// Overwritten is a file of a base image that the image's own layer has again.
type Overwritten struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of the bytes below
	Size   int64  `json:"size"`   // of them
	Layer  string `json:"layer"`  // digest of the layer that they are in
}

// BasePackages returns the packages of the images that the image stands on, less those
// that it has in another version.
func (r *Record) BasePackages() iter.Seq2[*lock.Package, *Base] {
	return func(yield func(*lock.Package, *Base) bool) {
		seen := map[string]bool{}
		for i := range r.Packages {
			seen[r.Packages[i].Name] = true
		}
		for base := r.Base; base != nil; base = base.Base {
			for i := range base.Packages {
				if p := &base.Packages[i]; !seen[p.Name] {
					seen[p.Name] = true
					if !yield(p, base) {
						return
					}
				}
			}
		}
	}
}
