package builder

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// stageFormat names what this package makes of a stage. It changes when that does,
// so that no cache answers for an older program.
const stageFormat = "stage3"

// StepEvent is told while a stage runs.
type StepEvent struct {
	Platform string // that is built for
	Stage    string
	Step     int // of the stage's commands, from 1; 0 is the stage's system and inputs
	Steps    int
	Command  string
	Line     string        // of the command's output; "" for the beginning and the end
	Done     bool          // the step has ended
	Cached   bool          // it was not run, since nothing has changed
	Elapsed  time.Duration // of a step that has ended
}

// StageStats is what a person wants to know of a stage.
type StageStats struct {
	Platform string         `json:"platform"` // that is built for
	Stage    string         `json:"stage"`
	Steps    int            `json:"steps"`             // commands
	Ran      int            `json:"ran"`               // of them, by this build; the others were replayed
	Network  string         `json:"network"`           // "none" or "host"
	Sandbox  *sandbox.Facts `json:"sandbox,omitempty"` // that its last command ran in, by this build or an earlier one
}

// stageRun is one stage on its way, for one platform of the image.
type stageRun struct {
	b      *build // of the image
	stage  *specs.Stage
	index  int            // in the spec's stages
	target specs.Platform // that the image is for
	runs   specs.Platform // that its programs are for
	space  *sandbox.Space

	parent   *stageRun       // that it stands on
	system   *stageSystem    // that it stands on otherwise
	packages []*lock.Package // of the system
	links    []link          // what it adds: its inputs and its commands
	inputs   []record.StageInput
	stats    StageStats

	mu    sync.Mutex
	ready bool // each snapshot is there
}

// link is one snapshot of a stage over those before it.
type link struct {
	key  string
	step int // from 1, 0 for the inputs
}

// stageRun returns the run of a stage for a platform, with its keys known and nothing
// run yet.
func (b *build) stageRun(ctx context.Context, name string, target specs.Platform) (*stageRun, error) {
	id := target.String() + " " + name
	if r, ok := b.stages[id]; ok {
		return r, nil
	}
	index := slices.IndexFunc(b.spec.Stages, func(s specs.Stage) bool { return s.Name == name })
	s := &b.spec.Stages[index]
	space, err := b.space()
	if err != nil {
		return nil, b.specError([]any{"stages", index}, fmt.Errorf("stage %s cannot run: %w", name, err))
	}
	r := &stageRun{b: b, stage: s, index: index, target: target, runs: target, space: space}
	if s.Platform == specs.PlatformBuild {
		if r.runs, err = b.buildPlatform(index); err != nil {
			return nil, err
		}
	}
	r.stats = StageStats{Platform: target.String(), Stage: name, Steps: len(s.Run), Network: s.Network}
	if err := r.ground(ctx); err != nil {
		return nil, err
	}
	if err := r.chain(ctx); err != nil {
		return nil, err
	}
	b.stages[id] = r
	return r, nil
}

// ground finds what the stage stands on.
func (r *stageRun) ground(ctx context.Context) (err error) {
	s := r.stage
	switch {
	case specs.IsImage(s.From):
		img, err := r.b.existing(ctx, s.From, r.runs, "stages", r.index, "from")
		r.system = &stageSystem{image: img}
		return err
	case s.From != "":
		if r.parent, err = r.b.stageRun(ctx, s.From, r.target); err == nil {
			r.runs = r.parent.runs
		}
		return err
	}
	sub, err := r.b.systemBuild(r.b.spec.System(s), r.b.systemOf(s))
	if err == nil {
		r.system, err = sub.systemFor(ctx, r.runs)
	}
	if err != nil {
		return fmt.Errorf("stage %s: %w", s.Name, err)
	}
	for _, m := range sub.members(r.runs) {
		r.packages = append(r.packages, m.Package)
	}
	return nil
}

// bottom returns the system at the bottom of the stages that this one stands on.
func (r *stageRun) bottom() *stageSystem {
	for r.parent != nil {
		r = r.parent
	}
	return r.system
}

// space returns the place of snapshots in the cache.
func (b *build) space() (*sandbox.Space, error) {
	var err error
	if b.snapshots == nil {
		b.snapshots, err = sandbox.Open(filepath.Join(b.store.Dir(), snapshotDir))
	}
	return b.snapshots, err
}

// buildPlatform returns the machine's platform for a stage that is to run on it. The
// lock must have its packages.
func (b *build) buildPlatform(index int) (specs.Platform, error) {
	here := specs.Machine()
	if _, ok := b.lock.Platforms[here.String()]; !ok {
		err := fmt.Errorf("stage %s runs on the building machine's platform, %s, which the spec's platforms do not have", b.spec.Stages[index].Name, here)
		return here, b.specError([]any{"stages", index, "platform"}, err)
	}
	return here, nil
}

// chain sets the stage's links. The key of each says all that it depends on.
func (r *stageRun) chain(ctx context.Context) error {
	at := stageFormat + "\x00"
	if r.parent != nil {
		at += r.parent.key()
	} else {
		at += r.system.key()
	}
	add := func(step int, parts ...string) {
		at = string(store.DigestOf([]byte(strings.Join(append([]string{at}, parts...), "\x00"))))
		r.links = append(r.links, link{key: at, step: step})
	}
	inputs, err := r.inputsKey(ctx)
	if err != nil {
		return err
	}
	if inputs != "" {
		add(0, inputs)
	}
	env := strings.Join(r.environment(), "\x00")
	for i, command := range r.stage.Run {
		add(i+1, command, env, r.stage.WorkDir, r.stage.Network, r.runs.String(), strings.Join(r.secretIDs(), " "), strings.Join(r.stage.Caches, " "))
	}
	if len(r.links) == 0 {
		add(0, "nothing")
	}
	return nil
}

// key is what all that the stage holds depends on.
func (r *stageRun) key() string { return r.links[len(r.links)-1].key }

// on returns the snapshots of the stage up to the first n links, lowest first.
func (r *stageRun) on(n int) []string {
	var on []string
	if r.parent != nil {
		on = r.parent.on(len(r.parent.links))
	} else {
		on = []string{r.system.key()}
	}
	for _, l := range r.links[:n] {
		on = append(on, l.key)
	}
	return on
}

// all returns the snapshots of the whole stage.
func (r *stageRun) all() []string { return r.on(len(r.links)) }

// ensure makes every snapshot of the stage that is missing. A snapshot whose ground
// had to be made anew is still good: the key says that the ground is the same.
func (r *stageRun) ensure(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ready {
		return nil
	}
	if r.parent != nil {
		if err := r.parent.ensure(ctx); err != nil {
			return err
		}
	} else if err := r.unpackSystem(ctx); err != nil {
		return fmt.Errorf("stage %s: cannot unpack its system: %w", r.stage.Name, err)
	}
	for i, l := range r.links {
		if r.space.Has(l.key) {
			if l.step > 0 {
				r.tell(StepEvent{Step: l.step, Done: true, Cached: true})
			}
			continue
		}
		if err := r.make(ctx, l, r.on(i)); err != nil {
			return err
		}
	}
	r.ready = true
	return nil
}

func (r *stageRun) unpackSystem(ctx context.Context) error {
	if r.space.Has(r.system.key()) {
		return nil
	}
	start := time.Now()
	r.tell(StepEvent{})
	if err := r.system.unpack(ctx, r.space); err != nil {
		return err
	}
	r.tell(StepEvent{Done: true, Elapsed: time.Since(start)})
	return nil
}

func (r *stageRun) make(ctx context.Context, l link, on []string) error {
	if l.step == 0 {
		if err := r.addInputs(ctx, l.key, on); err != nil {
			return fmt.Errorf("stage %s: %w", r.stage.Name, err)
		}
		return nil
	}
	return r.run(ctx, l, on)
}

// tell tells the caller what goes on.
func (r *stageRun) tell(e StepEvent) {
	if r.b.o.OnStep == nil {
		return
	}
	e.Platform, e.Stage, e.Steps = r.target.String(), r.stage.Name, len(r.stage.Run)
	if e.Step > 0 {
		e.Command = r.stage.Run[e.Step-1]
	}
	r.b.telling.Lock()
	defer r.b.telling.Unlock()
	r.b.o.OnStep(e)
}

// prepare runs the stages that the image copies from, those that stand on no other
// side by side.
func (b *build) prepare(ctx context.Context, p specs.Platform, copies []*stageCopy) error {
	var runs []*stageRun
	for _, c := range copies {
		if !slices.Contains(runs, c.run) {
			runs = append(runs, c.run)
		}
	}
	return parallel(ctx, b.o.Jobs, runs, func(ctx context.Context, r *stageRun) error { return r.ensure(ctx) })
}

// stageStats returns what there is to say of the stages, by platform and name.
func (b *build) stageStats() []StageStats {
	var list []StageStats
	for _, id := range slices.Sorted(maps.Keys(b.stages)) {
		r := b.stages[id]
		var facts sandbox.Facts
		if b.store.Get("facts", r.key(), &facts) {
			r.stats.Sandbox = &facts
		}
		list = append(list, r.stats)
	}
	return list
}

// recordStages returns the stages that the image for a platform was made with, in the
// spec's order.
func (b *build) recordStages(p specs.Platform) []record.Stage {
	var list []record.Stage
	for i := range b.spec.Stages {
		r, ok := b.stages[p.String()+" "+b.spec.Stages[i].Name]
		if !ok {
			continue
		}
		s := record.Stage{
			Name: r.stage.Name, Platform: r.runs.String(), From: r.stage.From, Inputs: r.inputs, Run: r.stage.Run,
			Network: r.stage.Network, Secrets: r.secretIDs(),
		}
		if r.system != nil && r.system.image != nil {
			s.Base = string(r.system.image.Digest)
		}
		for _, pkg := range r.packages {
			s.Packages = append(s.Packages, *pkg)
		}
		list = append(list, s)
	}
	return append(list, b.recordScripts(p)...)
}

// environment returns the variables of the stage's commands, all of them, sorted.
// What the host has is not among them, so that steps are the same everywhere.
func (r *stageRun) environment() []string {
	set := map[string]bool{}
	env := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "USER": "root",
		"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "DEBIAN_FRONTEND": "noninteractive",
		"SOURCE_DATE_EPOCH": fmt.Sprint(r.b.epoch.Unix()), // reproducible-builds.org
		// nproc(1) and what asks it say this, however many processors there are.
		"OMP_NUM_THREADS": fmt.Sprint(visibleProcessors),
		// As BuildKit names them.
		"TARGETPLATFORM": r.target.String(), "TARGETOS": r.target.OS, "TARGETARCH": r.target.Architecture, "TARGETVARIANT": r.target.Variant,
		"BUILDPLATFORM": r.runs.String(),
	}
	for _, v := range r.bottom().environment() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for at := r; at != nil; at = at.parent { // a stage has the variables of those it stands on
		for k, v := range at.stage.Environment {
			if !set[k] {
				env[k], set[k] = v, true
			}
		}
	}
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(a, b) })
	return list
}

// visibleProcessors is how many processors commands of a stage are told that there
// are: builds that ask write the same on every machine.
const visibleProcessors = 4

func (r *stageRun) secretIDs() []string {
	ids := make([]string, len(r.stage.Secrets))
	for i, s := range r.stage.Secrets {
		ids[i] = s.ID
	}
	return ids
}
