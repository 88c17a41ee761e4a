package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/oci"
)

func newExplain(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain IMAGE PATH",
		Short: "say where a path of an image comes from",
		Long: `explain prints the origin of a path: the package, the maintainer script's
command or the line of the spec that it comes from. IMAGE is a registry
reference, an OCI layout, an OCI archive or a docker archive; nothing but the
image is needed.`,
		Example: `  hardpan explain dist/python-3.13 /etc/ssl/certs/ca-certificates.crt
  hardpan explain registry.example.com/base/python:3.13 /usr/bin/python3`,
		Args: exactArgs("IMAGE", "PATH"),
	}
	flags := cmd.Flags()
	flags.String("platform", "", "`platform` to look at (default: the first of the image)")
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.explain(cmd.Context(), args[0], args[1]) }
	return cmd
}

func (a *app) explain(ctx context.Context, image, path string) error {
	if platform := a.settings.GetString("platform"); platform != "" {
		if _, err := oci.ParsePlatform(platform); err != nil {
			return usageError{err: err}
		}
	}
	e, err := builder.Explain(ctx, image, path, builder.ExplainOptions{
		Platform: a.settings.GetString("platform"), Insecure: a.settings.GetBool("insecure-registry"),
	})
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(e)
	}
	printExplanation(a.out, e)
	return nil
}

func printExplanation(w io.Writer, e *builder.Explanation) {
	for i, step := range e.Steps {
		head := step.Path
		if i > 0 {
			head = "-> " + head
		}
		fmt.Fprintf(w, "%s\n  %s, mode %s, owner %s", head, step.Type, step.Mode, step.Owner)
		if step.Capability != "" {
			fmt.Fprintf(w, ", capabilities %s", step.Capability)
		}
		switch {
		case step.Link != "":
			fmt.Fprintf(w, ", to %s", step.Link)
		case step.Type == "file":
			fmt.Fprintf(w, ", %s", size(step.Size))
		}
		fmt.Fprintf(w, "\n  from %s\n", step.Origin)
		switch p := step.Package; {
		case p == nil:
		case p.SHA256 == "": // of a base image, whose database says no more
			fmt.Fprintf(w, "  source %s %s\n", p.Source, p.SourceVersion)
		default:
			fmt.Fprintf(w, "  package file %s, sha256 %s\n  of archive %s, source %s %s\n", p.Path, p.SHA256, p.Archive, p.Source, p.SourceVersion)
			fmt.Fprintf(w, "  in the image because %s\n", reason(p.Why))
		}
		fmt.Fprintf(w, "  layer %d of %d, %s\n", step.Layer+1, e.Layers, step.LayerDigest)
	}
}

// reason completes "in the image because".
func reason(why string) string {
	if why == "requested" {
		return "the spec names it"
	}
	return why
}
