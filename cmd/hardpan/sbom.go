package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/sboms"
)

func newSBOM(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sbom IMAGE",
		Short: "print what is in an image as SPDX or CycloneDX",
		Long: `sbom prints the packages and files of an image, where each comes from, with
digests, licences and dependencies, as SPDX 2.3 or CycloneDX 1.6 in JSON. IMAGE
is a registry reference, an OCI layout, an OCI archive or a docker archive. Of an
image that hardpan did not build it says what dpkg's database in the image says,
and that its completeness is unknown; of packages of apk, rpm and others it says,
with a warning, that they are not listed. Packages of Python, Node, Go and Java that
did not come as Debian packages are listed by what they say of themselves.

Of an image for several platforms it describes one; with --platform all it
describes the index: its images, and the document of each.`,
		Example: `  hardpan sbom dist/python-3.13 > python.spdx.json
  hardpan sbom registry.example.com/base/python:3.13 --format cyclonedx --platform linux/arm64
  hardpan sbom dist/python-3.13 --platform all > index.spdx.json`,
		Args: exactArgs("IMAGE"),
	}
	flags := cmd.Flags()
	flags.String("format", "spdx", "spdx or cyclonedx")
	flags.String("platform", "", "`platform` to look at, or all for the index (default: the first of the image)")
	flags.Bool("insecure-registry", false, "allow plain HTTP to the registry; to loopback it always is allowed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.sbom(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) sbom(ctx context.Context, image string) error {
	format, ok := documentFormats[a.settings.GetString("format")]
	if !ok {
		return usagef("format is %q, expected spdx or cyclonedx", a.settings.GetString("format"))
	}
	open := oci.OpenOptions{Insecure: a.settings.GetBool("insecure-registry")}
	platform := a.settings.GetString("platform")
	if platform != "" && platform != allPlatforms {
		var err error
		if open.Platform, err = oci.ParsePlatform(platform); err != nil {
			return usageError{err: err}
		}
	}
	src, err := oci.Open(ctx, image, open)
	if err != nil {
		return err
	}
	defer src.Close()
	images := src.Images[:1]
	if platform == allPlatforms {
		if src.Index == nil {
			return fmt.Errorf("image %s has one platform and no index, expected an index for --platform all", image)
		}
		images = src.Images
	}
	parts, err := describeAll(images, func(img *oci.Image) (*sboms.Image, error) { return sboms.Read(ctx, img) })
	if err != nil {
		return err
	}
	for _, part := range parts {
		for _, gap := range part.Gaps {
			fmt.Fprintf(a.err, "warning: the SBOM of %s is not complete: %s\n", oneLine(part.Platform), oneLine(gap))
		}
	}
	document, err := format.image(parts[0].Image)
	if platform == allPlatforms {
		var whole *sboms.Index
		if whole, err = sboms.IndexOf(src.Index, parts); err == nil {
			document, err = format.index(whole)
		}
	}
	if err != nil {
		return err
	}
	_, err = a.out.Write(document)
	return err
}

// allPlatforms is the value of --platform that stands for the index.
const allPlatforms = "all"

// documentFormat writes documents of one kind.
type documentFormat struct {
	image func(*sboms.Image) ([]byte, error)
	index func(*sboms.Index) ([]byte, error)
}

var documentFormats = map[string]documentFormat{
	"spdx": {sboms.SPDX, sboms.SPDXIndex}, "cyclonedx": {sboms.CycloneDX, sboms.CycloneDXIndex},
}

// describeAll describes images as parts of their index, with their SPDX documents,
// which that of the index refers to.
func describeAll(images []*oci.Image, read func(*oci.Image) (*sboms.Image, error)) ([]sboms.Part, error) {
	var parts []sboms.Part
	for _, img := range images {
		described, err := read(img)
		if err != nil {
			return nil, err
		}
		described.ToolVersion = version
		spdx, err := sboms.SPDX(described)
		if err != nil {
			return nil, err
		}
		parts = append(parts, sboms.Part{Image: described, SPDX: spdx})
	}
	return parts, nil
}

// describeSBOMs has the builder attest SBOMs.
func describeSBOMs() builder.Describer {
	layers := &sboms.Layers{}
	return builder.Describer{
		Key:   sboms.Format + " " + version,
		Watch: func() builder.Watcher { return layers.NewGatherer() },
		Describe: func(ctx context.Context, index *oci.Index, st *store.Store) ([]builder.Predicate, error) {
			return attestSBOMs(ctx, layers, index, st)
		},
	}
}

// attestSBOMs returns both SBOMs of each platform's image and of the index.
func attestSBOMs(ctx context.Context, layers *sboms.Layers, index *oci.Index, st *store.Store) ([]builder.Predicate, error) {
	var all []builder.Predicate
	add := func(of store.Digest, spdx, cyclonedx []byte) {
		all = append(all, builder.Predicate{Subject: of, Type: sboms.SPDXType, Document: spdx}, builder.Predicate{Subject: of, Type: sboms.CycloneDXType, Document: cyclonedx})
	}
	parts, cyclonedxs := make([]sboms.Part, len(index.Images)), make([][]byte, len(index.Images))
	var encoding errgroup.Group
	for i, img := range index.Images {
		described, err := layers.Read(ctx, img, st)
		if err != nil {
			return nil, errors.Join(err, encoding.Wait())
		}
		described.ToolVersion = version
		parts[i].Image = described
		encoding.Go(func() (err error) { parts[i].SPDX, err = sboms.SPDX(described); return err })
		encoding.Go(func() (err error) { cyclonedxs[i], err = sboms.CycloneDX(described); return err })
	}
	if err := encoding.Wait(); err != nil {
		return nil, err
	}
	for i, p := range parts {
		add(p.Digest, p.SPDX, cyclonedxs[i])
	}
	whole, err := sboms.IndexOf(index, parts)
	if err != nil {
		return nil, err
	}
	spdx, err := sboms.SPDXIndex(whole)
	if err != nil {
		return nil, err
	}
	cyclonedx, err := sboms.CycloneDXIndex(whole)
	add(index.Digest, spdx, cyclonedx)
	return all, err
}
