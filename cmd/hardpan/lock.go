package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/builder"
)

func newLock(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lock SPEC",
		Short: "resolve a spec's packages and write its lock",
		Long: `lock resolves the packages of a spec, for every platform and variant, from the
signed indexes of its archives, and writes the result beside the spec with the
ending .lock. Commit it: builds then use exactly these packages. It pins the images
that the spec and its stages stand on by their digests, too.`,
		Args: exactArgs("SPEC"),
	}
	sourceFlags(cmd.Flags())
	insecureFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.lock(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) lock(ctx context.Context, spec string) error {
	o, err := a.options(spec)
	if err != nil {
		return err
	}
	progress := newProgress(a.err)
	o.Progress = progress
	o.Outputs.InsecureRegistry = a.settings.GetBool("insecure-registry")
	res, err := builder.Lock(ctx, o)
	progress.Wait()
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(res)
	}
	fmt.Fprintf(a.out, "wrote %s\n", res.Path)
	for _, p := range res.Platforms {
		fmt.Fprintf(a.out, "  %-12s %d packages, %s to fetch\n", p.Platform, p.Packages, size(p.Size))
		if len(p.Installed) > 0 {
			fmt.Fprintf(a.out, "  %-12s counts on %s of the base image\n", "", strings.Join(p.Installed, ", "))
		}
		printLeftOut(a.out, p.LeftOut)
	}
	for _, change := range res.Changes {
		fmt.Fprintf(a.out, "  %s\n", change)
	}
	return nil
}
