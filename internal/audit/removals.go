package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// maxMade is how many paths are followed to where they are removed.
const maxMade = 2000

// removals judges how things are taken away again: by name, and in the step that made
// them.
func (j *judge) removals() {
	installed := map[string]*dockerfile.Step{} // in the image's stages
	made := map[string]*dockerfile.Step{}      // paths
	for step := range j.steps(false) {
		image := j.inImage(step)
		if image {
			for _, p := range brought(step) {
				if len(made) < maxMade {
					made[p] = step
				}
			}
		}
		if step.Name != "RUN" {
			continue
		}
		for _, c := range step.Commands() {
			p, ok := c.Packaging()
			switch {
			case ok && p.Verb == dockerfile.Install && image && system(p.Manager):
				for _, pkg := range p.Packages {
					if installed[pkg.Name] == nil {
						installed[pkg.Name] = step
					}
				}
			case ok && p.Verb == dockerfile.Remove && len(p.Packages) == 0 && system(p.Manager):
				j.removesNothing(step, c, p, image)
			case ok && p.Verb == dockerfile.Remove && image:
				j.removedLater(step, c, p, installed)
			case image && (c.Name == "rm" || c.Name == "rmdir"):
				j.deletedLater(step, c, made)
			}
		}
	}
}

func (j *judge) removesNothing(step *dockerfile.Step, c *dockerfile.Command, p dockerfile.Packaging, image bool) {
	what := fmt.Sprintf("%s %s names no package and removes nothing that was installed by name; build tools may remain", p.Tool, p.Written)
	if image {
		j.found("remove-without-names", step, c.Line, what, c.String())
		return
	}
	j.foundAs(harden.Info, "remove-without-names", step, c.Line, what+"; the stage is thrown away", c.String())
}

func (j *judge) removedLater(step *dockerfile.Step, c *dockerfile.Command, p dockerfile.Packaging, installed map[string]*dockerfile.Step) {
	var names []string
	var first *dockerfile.Step
	for _, pkg := range p.Packages {
		if at := installed[pkg.Name]; at != nil && at != step {
			names = append(names, pkg.Name)
			if first == nil {
				first = at
			}
		}
	}
	if len(names) > 0 {
		j.found("deleted-content", step, c.Line, fmt.Sprintf("%s: installed in the layer of line %d and removed in another one, so that it stays in the image", strings.Join(names, ", "), first.Line), c.String())
	}
}

// brought returns the paths that a step's COPY, ADD or downloads make.
func brought(step *dockerfile.Step) []string {
	var paths []string
	var sources []string
	dest := ""
	switch c := step.Command.(type) {
	case *instructions.CopyCommand:
		sources, dest = c.SourcePaths, c.DestPath
	case *instructions.AddCommand:
		sources, dest = c.SourcePaths, c.DestPath
	default:
		for _, c := range step.Commands() {
			if out, ok := downloaded(c); ok && strings.HasPrefix(out, "/") {
				paths = append(paths, out)
			}
		}
		return paths
	}
	at := absolute(step.Dir, dest)
	paths = append(paths, at)
	for _, s := range sources {
		if name := s[strings.LastIndex(s, "/")+1:]; name != "" && name != "." && (strings.HasSuffix(dest, "/") || dest == "." || len(sources) > 1) {
			paths = append(paths, strings.TrimSuffix(at, "/")+"/"+name)
		}
	}
	return paths
}

func (j *judge) deletedLater(step *dockerfile.Step, c *dockerfile.Command, made map[string]*dockerfile.Step) {
	for _, w := range c.Operands() {
		target := absolute(c.Dir, strings.TrimSuffix(strings.TrimSuffix(w, "*"), "/"))
		if target == "" || target == "/" {
			continue
		}
		var lines []int
		for p, at := range made {
			if at != step && (p == target || strings.HasPrefix(p, target+"/")) {
				lines = append(lines, at.Line)
			}
		}
		if len(lines) > 0 {
			j.found("deleted-content", step, c.Line, fmt.Sprintf("%s: brought in the layer of line %d and removed in another one, so that it stays in the image", w, slices.Min(lines)), c.String())
		}
	}
}

// absolute returns a path from the root, "" where it is not known.
func absolute(dir, p string) string {
	switch {
	case strings.HasPrefix(p, "/"):
	case dir == "" && p != "":
		p = "/" + p
	default:
		p = dir + "/" + p
	}
	for strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/") && p != "/" {
		p = strings.TrimSuffix(strings.TrimSuffix(p, "."), "/")
		if p == "" {
			return "/"
		}
	}
	return strings.ReplaceAll(p, "/./", "/")
}
