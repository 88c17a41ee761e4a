package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/specs"
)

// Outputs says where an image is written. With none of the places set it is an
// OCI layout in dist/NAME-TAG below the current directory.
type Outputs struct {
	Layout        string // directory of an OCI layout
	Archive       string // file of an OCI archive
	DockerArchive string // file of an archive for docker load; needs one platform
	Push          string // registry reference, whose tag moves last
	DebugSymbols  string // file of a tar with the debugging symbols of stripped files; needs one platform

	Tags             []string // further tags of Push
	InsecureRegistry bool     // allow plain HTTP to a registry that is not loopback
	PushProgress     func(done, total int64)

	// Sign, unless nil, signs the image before it is published. Archives for docker
	// load hold no signatures.
	Sign *Signer
	// Describe makes what is attested of the index and of each platform's image beside
	// provenance and the lock.
	Describe []Describer
	// WithholdSpec keeps the text of the spec out of what is attested. Nobody can then
	// build the image again from its attestations.
	WithholdSpec bool
}

// check refuses what cannot be written whatever the image is, before any work.
func (o *Outputs) check(platforms []specs.Platform) error {
	if o.DockerArchive != "" && len(platforms) != 1 {
		return fmt.Errorf("a docker archive holds one platform, found %d: choose one with --platform", len(platforms))
	}
	if o.DebugSymbols != "" && len(platforms) != 1 {
		return fmt.Errorf("a file of debugging symbols is of one platform, found %d: choose one with --platform", len(platforms))
	}
	for _, file := range []string{o.Archive, o.DockerArchive, o.DebugSymbols} {
		if err := checkFile(file, o.Layout); err != nil {
			return err
		}
	}
	if o.Push == "" && len(o.Tags) > 0 {
		return fmt.Errorf("tags %s are of no use without a registry to push to", strings.Join(o.Tags, ", "))
	}
	if o.Push == "" {
		return nil
	}
	return oci.CheckPush(o.Push, oci.PushOptions{Tags: o.Tags, Insecure: o.InsecureRegistry})
}

// checkFile refuses a file that cannot be written where it is to be, as far as that can be
// seen before. Its directory may be one that is made for the layout.
func checkFile(name, layout string) error {
	if name == "" {
		return nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory, expected the name of a file", name)
	}
	dir := filepath.Dir(name)
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && layout != "" {
		if below, err := filepath.Rel(dir, layout); err == nil && filepath.IsLocal(below) {
			return nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return withHint(fmt.Errorf("cannot write %s: %s is not a directory", name, dir), "make it first")
	}
	return nil
}

// Written is one place that an image was written to.
type Written struct {
	Kind  string `json:"kind"`  // "OCI layout", "OCI archive", "docker archive" or "registry"
	Place string `json:"place"` // its path, or the pinned reference
}

// publish writes the image to its outputs. Layers in the cache that turn out to be damaged
// are made again, once: the same image, which is not judged and tested again.
func (b *build) publish(ctx context.Context, res *Result) (*Result, error) {
	err := b.write(ctx, res)
	if !healable(err) {
		return res, err
	}
	for _, img := range res.Index.Images {
		for _, l := range img.Layers {
			b.store.Verify(l.Digest) // removes a damaged one
		}
	}
	again, err := b.image(ctx)
	if err != nil {
		return nil, err
	}
	again.Hardening, again.Tests = res.Hardening, res.Tests
	return again, b.write(ctx, again)
}

// layout returns the layout to write, which is also what is written where nothing is
// asked for; "" for none.
func (b *build) layout() string {
	o := b.o.Outputs
	if o.Layout == "" && o.Archive == "" && o.DockerArchive == "" && o.Push == "" {
		return filepath.Join("dist", b.spec.Name+"-"+b.spec.Tag())
	}
	return o.Layout
}

// writeAhead begins to write the layers of packages to the layout, while the tree is
// grown and the image judged. A layer that the image does not have in the end is not in
// the layout.
func (b *build) writeAhead(members []*member) {
	if b.stage || b.early == "" {
		return
	}
	if b.ahead == nil {
		var err error
		if b.ahead, err = oci.NewAhead(b.early); err != nil {
			return // writing the layout will say why, should that fail too
		}
	}
	single, _ := share(members, max(1, b.spec.Layering.Budget-1))
	for _, m := range single {
		b.ahead.Put(storedLayer(b.store, m.files.Layer))
	}
}

func (b *build) write(ctx context.Context, res *Result) (err error) {
	defer func() {
		if kept := b.keeping.Wait(); err == nil {
			err = kept
		}
	}()
	o := b.o.Outputs
	artifacts, err := b.sign(ctx, res)
	if err != nil {
		return err
	}
	res.Written = nil
	wrote := func(kind, place string) { res.Written = append(res.Written, Written{kind, place}) }
	if layout := b.layout(); layout != "" {
		options := oci.LayoutOptions{RefName: res.Tag, Artifacts: artifacts, Ahead: b.ahead}
		if err := oci.WriteLayout(ctx, layout, res.Index, options); err != nil {
			return err
		}
		wrote("OCI layout", layout)
	}
	if o.Archive != "" {
		if err := oci.WriteArchive(ctx, o.Archive, res.Index, oci.LayoutOptions{RefName: res.Tag, Artifacts: artifacts}); err != nil {
			return err
		}
		wrote("OCI archive", o.Archive)
	}
	if o.DockerArchive != "" {
		tags := oci.DockerArchiveOptions{Tags: []string{res.Name + ":" + res.Tag}}
		if err := oci.WriteDockerArchive(ctx, o.DockerArchive, res.Index, tags); err != nil {
			return err
		}
		wrote("docker archive", o.DockerArchive)
	}
	if o.DebugSymbols != "" {
		if err := b.writeSymbols(o.DebugSymbols, res.Images[0].Symbols); err != nil {
			return err
		}
		wrote("debugging symbols", o.DebugSymbols)
	}
	if o.Push == "" {
		return nil
	}
	pinned, err := oci.Push(ctx, o.Push, res.Index, oci.PushOptions{
		Tags: o.Tags, Insecure: o.InsecureRegistry, Progress: o.PushProgress, Artifacts: artifacts,
	})
	if err == nil {
		wrote("registry", pinned)
	}
	return err
}
