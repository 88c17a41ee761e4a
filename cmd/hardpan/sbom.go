package main

import (
	"context"

	"github.com/spf13/cobra"

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
and that its completeness is unknown.`,
		Example: `  hardpan sbom dist/python-3.13 > python.spdx.json
  hardpan sbom registry.example.com/base/python:3.13 --format cyclonedx --platform linux/arm64`,
		Args: exactArgs("IMAGE"),
	}
	flags := cmd.Flags()
	flags.String("format", "spdx", "spdx or cyclonedx")
	flags.String("platform", "", "`platform` to look at (default: the first of the image)")
	flags.Bool("insecure-registry", false, "allow plain HTTP to the registry; to loopback it always is allowed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.sbom(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) sbom(ctx context.Context, image string) error {
	format := a.settings.GetString("format")
	encode := map[string]func(*sboms.Image) ([]byte, error){"spdx": sboms.SPDX, "cyclonedx": sboms.CycloneDX}[format]
	if encode == nil {
		return usagef("format is %q, expected spdx or cyclonedx", format)
	}
	open := oci.OpenOptions{Insecure: a.settings.GetBool("insecure-registry")}
	if platform := a.settings.GetString("platform"); platform != "" {
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
	described, err := sboms.Read(ctx, src.Images[0])
	if err != nil {
		return err
	}
	described.ToolVersion = version
	document, err := encode(described)
	if err != nil {
		return err
	}
	_, err = a.out.Write(document)
	return err
}

// attestSBOMs returns both SBOMs of each platform's image and of the index.
func attestSBOMs(ctx context.Context, index *oci.Index, st *store.Store) ([]builder.Predicate, error) {
	var all []builder.Predicate
	add := func(of store.Digest, spdx, cyclonedx []byte) {
		all = append(all, builder.Predicate{Subject: of, Type: sboms.SPDXType, Document: spdx}, builder.Predicate{Subject: of, Type: sboms.CycloneDXType, Document: cyclonedx})
	}
	var parts []sboms.Part
	for _, img := range index.Images {
		described, err := sboms.ReadStored(ctx, img, st)
		if err != nil {
			return nil, err
		}
		described.ToolVersion = version
		spdx, err := sboms.SPDX(described)
		if err != nil {
			return nil, err
		}
		cyclonedx, err := sboms.CycloneDX(described)
		if err != nil {
			return nil, err
		}
		add(img.Digest, spdx, cyclonedx)
		parts = append(parts, sboms.Part{Image: described, SPDX: spdx})
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
