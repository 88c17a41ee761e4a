package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/internal/oci"
)

func newCopy(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "copy an image with its signatures and attestations",
		Long: `copy carries an image, for all its platforms, with the signatures and attestations
of its index and of each platform's image, and all else that refers to them (OCI 1.1
referrers), from one place to another: a registry, an OCI layout or an OCI archive,
which is one file to carry over an air gap. Nothing is changed on the way, so that
hardpan verify says the same on the other side.

FROM is what explain takes. TO is a reference to a registry, "oci:DIR" for a
layout or "oci-archive:FILE" for an archive; without a prefix a name that ends in
.tar is an archive, and one that begins with "/", "./" or "../", or is a layout
already, a layout. A layout and an archive have one image: that which was there is
replaced, and a layout in which several images are kept is refused.`,
		Example: `  hardpan copy registry.example.com/base/python:3.13 python.tar
  hardpan copy python.tar registry.internal/base/python:3.13`,
		Args: exactArgs("FROM", "TO"),
	}
	flags := cmd.Flags()
	flags.String("ref-name", "", "`name` of the image in a layout or an archive, such as a tag")
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.copy(cmd.Context(), args[0], args[1]) }
	return cmd
}

func (a *app) copy(ctx context.Context, from, to string) error {
	insecure := a.settings.GetBool("insecure-registry")
	src, err := oci.Open(ctx, from, oci.OpenOptions{Insecure: insecure})
	if err != nil {
		return err
	}
	defer src.Close()
	written, err := oci.Copy(ctx, src, to, oci.CopyOptions{
		RefName: a.settings.GetString("ref-name"), Push: oci.PushOptions{Insecure: insecure},
	})
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]string{"digest": string(src.Digest), "written": written})
	}
	_, err = fmt.Fprintf(a.out, "%s\n  copied to %s\n", src.Digest, written)
	return err
}
