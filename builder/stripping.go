package builder

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// debugDir is where, in a stage, the debugging symbols of stripped files are put.
// Below it they stand as gdb looks for them: by build id.
const debugDir = "/.hardpan-debug/.build-id"

// strip removes the debugging symbols from the ELF files that a copy takes, with the
// stage's own objcopy, and returns the key of the snapshot in which they are without.
// The symbols of files with a build id are in it too, below debugDir.
func (r *stageRun) strip(ctx context.Context, c *specs.Copy) (string, error) {
	key := string(store.DigestOf([]byte(strings.Join([]string{stageFormat, "strip", r.key(), copyText(c)}, "\x00"))))
	if r.space.Has(key) {
		return key, nil
	}
	files, err := r.withSymbols(ctx, c)
	if err != nil {
		return "", err
	}
	var script strings.Builder
	script.WriteString("command -v objcopy >/dev/null || exit 42\n")
	for _, f := range files {
		quoted := "'" + strings.ReplaceAll(f.path, "'", `'\''`) + "'"
		if f.buildID != "" {
			at := path.Join(debugDir, f.buildID[:2], f.buildID[2:]+".debug")
			fmt.Fprintf(&script, "mkdir -p %s\nobjcopy --only-keep-debug %s %s\nchmod 0644 %s\n", path.Dir(at), quoted, at, at)
		}
		fmt.Fprintf(&script, "objcopy --strip-debug --strip-unneeded %s\n", quoted)
	}
	out := &stepOutput{tell: func(string) {}}
	res, err := r.space.Run(ctx, sandbox.Step{
		On: r.all(), Keep: key, Args: []string{"/bin/sh", "-e"}, Stdin: strings.NewReader(script.String()), Env: r.environment(),
		Arch: r.runs.DebianArch(), Clock: r.b.epoch, Stdout: out, Stderr: out, Limits: sandbox.Limits{Time: time.Hour},
	})
	out.flush()
	switch {
	case err != nil:
		return "", err
	case res.ExitCode == 42:
		err = &copyError{"strip is true, and the stage has no objcopy", "add binutils to the stage's packages"}
	case res.ExitCode != 0:
		err = fmt.Errorf("objcopy failed: %s", out.last())
	}
	if err != nil {
		r.space.Remove(context.WithoutCancel(ctx), key)
	}
	return key, err
}

// symbolFile is an ELF file with symbols that no program needs to run.
type symbolFile struct {
	path    string // in the stage
	buildID string // in hex, "" where it has none
}

// withSymbols returns the ELF files that a copy takes.
func (r *stageRun) withSymbols(ctx context.Context, c *specs.Copy) ([]symbolFile, error) {
	var files []symbolFile
	err := r.export(ctx, c, func(h *tar.Header, content io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		probe := newELFProbe(io.Discard)
		defer probe.close()
		if _, err := io.Copy(probe, content); err != nil {
			return err
		}
		if facts := probe.facts(); facts != nil {
			inside, _ := below(strings.TrimPrefix(h.Name, "/"), strings.TrimPrefix(c.Path, "/"))
			files = append(files, symbolFile{path.Join(c.Source, inside), facts.BuildID})
		}
		return nil
	})
	slices.SortFunc(files, func(a, b symbolFile) int { return strings.Compare(a.path, b.path) })
	return files, err
}

// debugSymbols writes the symbols in a snapshot that strip made into the store, as a
// tar with paths below .build-id.
func (r *stageRun) debugSymbols(ctx context.Context, key string) (store.Digest, error) {
	blob, err := r.b.store.Create()
	if err != nil {
		return "", err
	}
	defer blob.Close()
	w := tar.NewWriter(blob)
	err = r.space.Export(ctx, append(r.all(), key), []string{strings.TrimPrefix(debugDir, "/")}, func(h *tar.Header, content io.Reader) error {
		h.Name = strings.TrimPrefix(strings.TrimPrefix(h.Name, "/"), path.Dir(debugDir)[1:]+"/")
		h.Uid, h.Gid, h.Uname, h.Gname, h.ModTime = 0, 0, "", "", r.b.epoch
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(w, content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // no file has a build id
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return blob.Commit("")
}

// writeSymbols writes one tar out of those in the store. Directories and files with
// the same build id, which are the same, are in it once.
func (b *build) writeSymbols(name string, blobs []store.Digest) error {
	err := store.ReplaceWith(name, func(out io.Writer) error {
		w := tar.NewWriter(out)
		seen := map[string]bool{}
		for _, d := range blobs {
			if err := b.appendTar(w, d, seen); err != nil {
				return err
			}
		}
		return w.Close()
	})
	if err != nil {
		return fmt.Errorf("cannot write debugging symbols: %w", err)
	}
	return nil
}

func (b *build) appendTar(w *tar.Writer, d store.Digest, seen map[string]bool) error {
	blob, err := b.store.Open(d)
	if err != nil {
		return err
	}
	defer blob.Close()
	r := tar.NewReader(blob)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if seen[h.Name] {
			continue
		}
		seen[h.Name] = true
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
}
