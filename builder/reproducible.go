package builder

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

// Difference is a path of a stage that came out otherwise when the stage ran again.
type Difference struct {
	Platform string `json:"platform"` // that is built for
	Stage    string `json:"stage"`
	Step     int    `json:"step"` // the command that wrote it, from 1
	Path     string `json:"path"`
	What     string `json:"what"`   // "content", "mode", ...
	Copied   bool   `json:"copied"` // into the image, whose digest it changes
}

// DifferenceError says that stages are not reproducible.
type DifferenceError struct {
	Differences []Difference // of what is copied into the image
}

func (e *DifferenceError) Error() string {
	var lines []string
	for _, d := range e.Differences {
		lines = append(lines, fmt.Sprintf("%s: stage %s, step %d: %s differs in %s", d.Platform, d.Stage, d.Step, d.Path, d.What))
	}
	return fmt.Sprintf("%d copied paths came out otherwise the second time: %s", len(lines), strings.Join(lines, "; "))
}

// Hint says what to do.
func (e *DifferenceError) Hint() string {
	return "look for times, random names and the order of directories in what writes them; SOURCE_DATE_EPOCH is set for the commands"
}

// twice checks the stages of the platforms, whether or not the image was in the cache.
func (b *build) twice(ctx context.Context, platforms []specs.Platform, res *Result) (err error) {
	if b.stages == nil {
		b.stages = map[string]*stageRun{}
	}
	for _, p := range platforms {
		for _, c := range b.spec.Copy {
			if _, err := b.stageRun(ctx, c.From, p); err != nil {
				return err
			}
		}
	}
	res.Differences, err = b.checkReproducible(ctx)
	return err
}

// checkReproducible runs every stage that something is copied from once more and
// compares. It returns what differs; the error is a [*DifferenceError] where some of it is
// in the image.
func (b *build) checkReproducible(ctx context.Context) ([]Difference, error) {
	var all, inImage []Difference
	for _, id := range slices.Sorted(maps.Keys(b.stages)) {
		list, err := b.stages[id].again(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	for _, d := range all {
		if d.Copied {
			inImage = append(inImage, d)
		}
	}
	if len(inImage) > 0 {
		return all, &DifferenceError{inImage}
	}
	return all, nil
}

// again runs the commands of the stage a second time on the same ground, each on what
// those before it made this time, and compares what each leaves behind.
func (r *stageRun) again(ctx context.Context) (list []Difference, err error) {
	if err := r.ensure(ctx); err != nil {
		return nil, err
	}
	second := &stageRun{b: r.b, stage: r.stage, index: r.index, target: r.target, runs: r.runs, space: r.space, parent: r.parent, system: r.system}
	var made []string
	defer func() {
		if e := r.space.Remove(context.WithoutCancel(ctx), made...); err == nil {
			err = e
		}
	}()
	for _, l := range r.links {
		if l.step > 0 {
			l.key += " again"
		}
		second.links = append(second.links, l)
	}
	for i, l := range second.links {
		if l.step == 0 {
			continue
		}
		made = append(made, l.key)
		if err := second.run(ctx, l, second.on(i)); err != nil {
			return nil, err
		}
		first, err := r.leftBehind(ctx, i)
		if err != nil {
			return nil, err
		}
		now, err := second.leftBehind(ctx, i)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(union(first, now))) {
			if what := differs(first[name], now[name]); what != "" {
				list = append(list, Difference{r.target.String(), r.stage.Name, l.step, name, what, r.copied(name)})
			}
		}
	}
	return list, nil
}

// trace is what a command left at a path.
type trace struct {
	sandbox.Change
	sum [sha256.Size]byte
}

// leftBehind returns what link i of the stage changed, by path.
func (r *stageRun) leftBehind(ctx context.Context, i int) (map[string]*trace, error) {
	changes, err := r.space.Changes(ctx, r.links[i].key)
	if err != nil {
		return nil, err
	}
	traces := map[string]*trace{}
	var files []string
	for _, c := range changes {
		traces[c.Path] = &trace{Change: c}
		if c.Type == 0 && !c.Removed {
			files = append(files, strings.TrimPrefix(c.Path, "/"))
		}
	}
	if len(files) == 0 {
		return traces, nil
	}
	err = r.space.Export(ctx, r.on(i+1), files, func(h *tar.Header, content io.Reader) error {
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			return err
		}
		if t := traces["/"+strings.Trim(h.Name, "/")]; t != nil {
			sum.Sum(t.sum[:0])
		}
		return nil
	})
	return traces, err
}

func union(a, b map[string]*trace) map[string]*trace {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// differs says in what two traces of a path differ, "" where they are equal.
func differs(a, b *trace) string {
	switch {
	case a == nil || b == nil || a.Removed != b.Removed:
		return "whether it is there"
	case a.Type != b.Type:
		return "type"
	case a.sum != b.sum || a.Size != b.Size && a.Type == 0 || a.Link != b.Link:
		return "content"
	case a.Mode != b.Mode:
		return "mode"
	case a.UID != b.UID || a.GID != b.GID:
		return "owner"
	case !a.ModTime.Equal(b.ModTime) && a.Type == 0:
		return "time"
	}
	return ""
}

// copied reports whether the image has a path of the stage.
func (r *stageRun) copied(name string) bool {
	for _, c := range r.b.spec.Copy {
		if c.From == r.stage.Name && (name == c.Source || strings.HasPrefix(name, strings.TrimSuffix(c.Source, "/")+"/")) {
			return true
		}
	}
	return false
}
