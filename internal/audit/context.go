package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// buildContext is the directory of the Dockerfile, which is taken for the context of its
// build.
type buildContext struct {
	dir    string
	ignore string // name of the file with what the build does not see, "" where there is none
	match  *patternmatcher.PatternMatcher
	broken string // why that file cannot be used
}

// openContext reads the .dockerignore of a Dockerfile: its own one comes first
// (docs.docker.com, Build context, filename and location).
func openContext(name string) *buildContext {
	c := &buildContext{dir: filepath.Dir(name)}
	for _, candidate := range []string{filepath.Base(name) + ".dockerignore", ".dockerignore", ".containerignore"} {
		text, err := os.ReadFile(filepath.Join(c.dir, candidate))
		if err != nil {
			continue
		}
		c.ignore = candidate
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err == nil {
			c.match, err = patternmatcher.New(patterns)
		}
		if err != nil {
			c.broken = err.Error()
		}
		return c
	}
	return c
}

// sees reports whether the build sees a path of the context.
func (c *buildContext) sees(name string) bool {
	if c.match == nil {
		return true
	}
	ignored, err := c.match.MatchesOrParentMatches(name)
	return err != nil || !ignored
}

// copyFrom is the stage or image that a step copies from, "" for the context.
func copyFrom(step *dockerfile.Step) string {
	if c, ok := step.Command.(*instructions.CopyCommand); ok {
		return c.From
	}
	return ""
}

// copies returns what COPY or ADD take from the context, and the place in the image.
func copies(step *dockerfile.Step) (sources []string, dest string, ok bool) {
	switch c := step.Command.(type) {
	case *instructions.CopyCommand:
		return c.SourcePaths, c.DestPath, c.From == ""
	case *instructions.AddCommand:
		for _, s := range c.SourcePaths {
			if !isAddress(s) {
				sources = append(sources, s)
			}
		}
		return sources, c.DestPath, true
	}
	return nil, "", false
}

// wholeContext reports whether a source is all of the context.
func wholeContext(source string) bool {
	s := strings.TrimRight(strings.TrimPrefix(strings.TrimLeft(source, "/"), "./"), "/")
	return s == "." || s == "" || s == "*" || s == "**"
}

// revealing are what a build should never see, one of each kind.
var revealing = []string{".git/config", ".env", "id_rsa", "secrets/key.pem"}

// sources judges what is copied out of the context, and .dockerignore.
func (j *judge) sources() {
	var first, whole *dockerfile.Step
	for step := range j.steps(false) {
		sources, _, ok := copies(step)
		if !ok || len(sources) == 0 {
			continue
		}
		if first == nil {
			first = step
		}
		for _, s := range sources {
			switch {
			case wholeContext(s):
				if whole == nil {
					whole = step
				}
				j.found("copy-everything", step, step.Line, "all of the build's context is copied", step.Text)
			default:
				j.secretSource(step, s)
			}
		}
	}
	for step := range j.steps(true) {
		if c, ok := step.Command.(*instructions.CopyCommand); ok && c.From != "" {
			for _, s := range c.SourcePaths {
				if s == "/" {
					j.found("copy-filesystem", step, step.Line, "all of "+c.From+" is copied", step.Text)
				}
			}
		}
	}
	if first != nil {
		j.ignoreFile(first, whole)
	}
}

func (j *judge) ignoreFile(first, whole *dockerfile.Step) {
	c := j.context
	switch {
	case c.ignore == "":
		j.found("dockerignore-missing", first, first.Line, "files are copied, and there is no .dockerignore beside the file", first.Text)
	case c.broken != "":
		j.found("dockerignore-missing", first, first.Line, c.ignore+" cannot be read: "+c.broken, c.ignore)
	case whole != nil:
		var seen []string
		for _, name := range revealing {
			if c.sees(name) {
				seen = append(seen, name)
			}
		}
		if len(seen) > 0 {
			j.found("dockerignore-missing", whole, whole.Line, c.ignore+" lets the build see "+strings.Join(seen, ", "), whole.Text)
		}
	}
}
