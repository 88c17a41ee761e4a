package builder

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// makers knows what made the paths of a stage.
type makers struct {
	made   map[string]tree.Origin
	system *record.Record
}

// makers reads which command of the stage, or of those it stands on, wrote each path
// last.
func (r *stageRun) makers(ctx context.Context) (*makers, error) {
	m := &makers{made: map[string]tree.Origin{}}
	var chain []*stageRun
	for at := r; at != nil; at = at.parent {
		chain = append(chain, at)
	}
	slices.Reverse(chain)
	for _, at := range chain {
		for _, l := range at.links {
			changes, err := r.space.Changes(ctx, l.key)
			if err != nil {
				return nil, err
			}
			o := tree.Origin{Command: "input of the stage"}
			if l.step > 0 {
				o = tree.Origin{Step: l.step, Command: at.stage.Run[l.step-1]}
			}
			if at != r {
				o.Command = "stage " + at.stage.Name + ": " + o.Command
			}
			for _, c := range changes {
				m.made[strings.Trim(c.Path, "/")] = o
			}
		}
	}
	var err error
	m.system, err = r.bottom().record()
	return m, err
}

// of returns what made a path, without what it was copied by.
func (m *makers) of(name string) tree.Origin {
	if o, ok := m.made[name]; ok {
		return o
	}
	row, ok := m.system.Lookup(name)
	switch {
	case !ok:
		return tree.Origin{Command: "system of the stage"}
	case row.Origin.Package == "":
		return tree.Origin{Command: "system of the stage: " + row.Origin.Command}
	}
	o := tree.Origin{Package: row.Origin.Package, Version: row.Origin.Version, SHA256: row.Origin.SHA256}
	if row.Origin.Script != "" {
		o.Script, o.Command = row.Origin.Script, row.Origin.Command
	}
	return o
}

// stageProvider returns the package that brought a library into a stage's system, which
// is what an image with a program of that stage lacks.
func (b *build) stageProvider(p specs.Platform, library string) string {
	for _, s := range b.spec.Stages {
		r := b.stages[p.String()+" "+s.Name]
		if r == nil {
			continue
		}
		rec, err := r.bottom().record()
		if err != nil {
			continue // only a hint depends on it
		}
		for i, name := range rec.Paths.Path {
			if path.Base(name) == path.Base(library) {
				if o := rec.Origins[rec.Paths.Origin[i]]; o.Package != "" {
					return o.Package
				}
			}
		}
	}
	return ""
}

// refusal collects what a copy brings that the image's policy keeps out. What
// packages bring is left out in silence; who copies a path has asked for it, and is
// told.
type refusal struct {
	paths []string
	rules []string
}

func (r *refusal) judge(policy *harden.Policy, n *tree.Node, tools []tool.Tool) {
	if n.Type == tree.Dir {
		return
	}
	rule := policy.Drop(n.Path)
	if rule == nil && n.Type != tree.Symlink {
		_, rule = policy.Mode(n.Path, n.Mode)
		if rule == nil && n.Capability != "" {
			rule = policy.Capability(n.Path)
		}
	}
	what := ""
	if rule == nil && n.Type == tree.File {
		var is tool.Tool
		if rule, is = policy.Refuse(n.Path, tools); rule != nil {
			what = is.String() + "; "
		}
	}
	if rule == nil {
		return
	}
	r.paths = append(r.paths, fmt.Sprintf("/%s (%s; %s%s)", n.Path, rule.ID, what, n.Origin))
	if !slices.Contains(r.rules, rule.ID) {
		r.rules = append(r.rules, rule.ID)
	}
}

// maxRefused is how many paths an error names one by one.
const maxRefused = 10

func (r *refusal) err(profile string) error {
	if len(r.paths) == 0 {
		return nil
	}
	list := strings.Join(r.paths[:min(maxRefused, len(r.paths))], ", ")
	if more := len(r.paths) - maxRefused; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return &copyError{
		fmt.Sprintf("profile %s keeps out %s", profile, list),
		fmt.Sprintf("exclude them from the copy, or write hardening: {waive: [{rule: %s, reason: ...}]}", r.rules[0]),
	}
}
