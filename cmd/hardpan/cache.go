package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/builder"
)

func newCache(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "say how much room the cache takes",
		Long: `cache prints where the cache is and what takes how much room in it. Nothing in it
is removed by itself: everything can be made or fetched again, which takes time.`,
		Args: exactArgs(),
	}
	cacheFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.cacheUsage() }
	cmd.AddCommand(newCacheClear(a))
	return cmd
}

func newCacheClear(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "remove what the cache holds",
		Long: `clear removes what the cache holds: packages, layers, and the snapshots and caches of
build stages, which --stages alone removes. The next build fetches and makes again
what it needs.`,
		Args: exactArgs(),
	}
	flags := cmd.Flags()
	cacheFlag(flags)
	flags.Bool("stages", false, "remove only what build stages left: snapshots and caches")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.cacheClear(cmd.Context()) }
	return cmd
}

func (a *app) cacheUsage() error {
	dir, err := a.cacheDir()
	if err != nil {
		return err
	}
	u, err := builder.UsageOf(dir)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(u)
	}
	fmt.Fprintln(a.out, u.Dir)
	for _, row := range []struct {
		size int64
		what string
	}{
		{u.Blobs, "packages, layers and documents"}, {u.Entries, "what is remembered about them"},
		{u.Partial, "downloads to be resumed"}, {u.Snapshots, "snapshots of build stages"}, {u.Total(), "together"},
	} {
		fmt.Fprintf(a.out, "  %10s  %s\n", size(row.size), row.what)
	}
	return nil
}

func (a *app) cacheClear(ctx context.Context) error {
	dir, err := a.cacheDir()
	if err != nil {
		return err
	}
	return builder.ClearCache(ctx, dir, a.settings.GetBool("stages"))
}
