package main

import (
	"context"
	"strings"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/verify"
)

// rebuilder returns what builds an image again for verify.
func (a *app) rebuilder() (verify.Rebuilder, error) {
	dir, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in *provenance.Inputs) (*oci.Index, string, error) {
		progress := newProgress(a.err)
		defer progress.Wait()
		res, err := builder.Rebuild(ctx, in, builder.RebuildOptions{
			Source: a.settings.GetString("source"), CacheDir: dir, Archive: a.archiveOptions(),
			AllowNetwork: a.settings.GetBool("allow-network"), InsecureRegistry: a.settings.GetBool("insecure-registry"),
			OnStep: stepPrinter(a.err, progress), Progress: progress,
		})
		if err != nil {
			return nil, "", err
		}
		return res.Index, strings.Join(res.Warnings, "; "), nil
	}, nil
}
