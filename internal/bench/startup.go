package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sandbox"
)

// serverImports is what a small server of Python's standard library imports.
const serverImports = "import asyncio, http.server, json, ssl"

// startRounds are how often each start is measured.
const startRounds = 11

// startup measures how long Python takes to start a server's imports, in an image with
// its modules compiled to bytecode and in one without, in turn.
func (b *bench) startup(ctx context.Context) error {
	space, err := sandbox.Open(filepath.Join(b.dir, "startup"))
	if err != nil {
		return err
	}
	defer space.RemoveAll(ctx)
	names := []string{"plain", "compiled"}
	for _, name := range names {
		if err := b.unpackImage(ctx, space, name); err != nil {
			return err
		}
	}
	walls := map[string][]float64{}
	var ratios []float64
	for round := range startRounds + 1 {
		for _, name := range names {
			res, err := space.Run(ctx, sandbox.Step{
				On: []string{name}, ReadOnly: true, Args: []string{"/usr/bin/python3", "-c", serverImports}, Env: []string{"LANG=C.UTF-8"}, UID: 1000, GID: 1000,
			})
			if err != nil {
				return err
			}
			if res.ExitCode != 0 {
				return fmt.Errorf("python3 of %s exited with %d", name, res.ExitCode)
			}
			if round > 0 {
				walls[name] = append(walls[name], res.Elapsed.Seconds())
			}
		}
		if round > 0 {
			ratios = append(ratios, walls["compiled"][round-1]/walls["plain"][round-1])
		}
	}
	fmt.Printf("\nPython until %q is done, %d rounds\n", serverImports, startRounds)
	fmt.Printf("  without bytecode  %s s\n  with bytecode     %s s, %s of it\n", spread(walls["plain"]), spread(walls["compiled"]), spread(ratios))
	return nil
}

// unpackImage unpacks the image of a spec as a snapshot of that name.
func (b *bench) unpackImage(ctx context.Context, space *sandbox.Space, name string) error {
	src, err := oci.Open(ctx, filepath.Join(b.dir, "dist", name), oci.OpenOptions{})
	if err != nil {
		return err
	}
	defer src.Close()
	var layers []sandbox.Layer
	for _, l := range src.Images[0].Layers {
		layers = append(layers, sandbox.Layer{Open: l.Uncompressed})
	}
	return space.Unpack(ctx, name, layers)
}
