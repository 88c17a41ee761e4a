package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/verify"
)

func newVerify(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "verify the signatures and attestations of an image",
		Long: `verify asks whether the index of an image and each platform's image are signed
with a key, whether each attestation is the key's and about this image, and
whether the layers are what the manifests say. It prints one row for each
question, and exits with 3 where the answer of one is no. IMAGE is a registry
reference, an OCI layout or an OCI archive; but for the registry it needs no
network.

The key is a public one: hardpan.pub or cosign.pub.`,
		Example: `  hardpan verify dist/python-3.13 --key hardpan.pub
  hardpan verify registry.example.com/base/python:3.13 --key cosign.pub --output json`,
		Args: exactArgs("IMAGE"),
	}
	flags := cmd.Flags()
	flags.String("key", "", "`file` of the public key")
	flags.Bool("rebuild", false, "build the image again from the attested spec and lock, and compare")
	flags.String("source", "", "`directory` of the spec in a checkout, for --rebuild of an image whose build stages read files from there")
	archiveFlags(flags)
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) verify(ctx context.Context, image string) error {
	text, err := a.keyFile()
	if err != nil {
		return err
	}
	verifier, err := sign.LoadVerifier(text)
	if err != nil {
		return usagef("%s: %w", a.settings.GetString("key"), err)
	}
	src, err := oci.Open(ctx, image, oci.OpenOptions{Insecure: a.settings.GetBool("insecure-registry")})
	if errors.Is(err, oci.ErrMismatch) {
		return gateError{err} // a manifest or config that is not what was signed
	}
	if err != nil {
		return err
	}
	defer src.Close()
	o := verify.Options{Version: version}
	if a.settings.GetBool("rebuild") {
		if o.Rebuild, err = a.rebuilder(); err != nil {
			return err
		}
	}
	report, err := verify.Image(ctx, src, verifier, o)
	if err != nil {
		return fmt.Errorf("cannot verify %s: %w", image, err)
	}
	if a.json() {
		err = a.printJSON(report)
	} else {
		printReport(a.out, report)
	}
	if no := len(report.Refused()); err == nil && no > 0 {
		err = gateError{fmt.Errorf("%s: %d of %d questions are answered with no", image, no, len(report.Questions))}
	}
	return err
}

func printReport(w io.Writer, r *sign.Report) {
	fmt.Fprintf(w, "%s\nkey %s\n", r.Image, r.Key)
	for _, q := range r.Questions {
		answer := "no "
		switch {
		case q.Unanswered:
			answer = " - "
		case q.OK:
			answer = "yes"
		}
		kind := q.Kind
		if q.Type != "" {
			kind += " " + q.Type
		}
		fmt.Fprintf(w, "  %s  %-12s  %s: %s\n", answer, q.Subject.Name, oneLine(kind), oneLine(q.Answer))
	}
}
