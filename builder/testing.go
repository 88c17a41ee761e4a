package builder

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// testFormat names how tests are run. It changes when that does, so that no cache
// answers for an older program.
const testFormat = "test1"

// Test builds the image of a spec, publishes nothing, and runs the spec's tests in it,
// also those that have passed before. Whether they passed the report says.
func Test(ctx context.Context, o Options) (*TestReport, error) {
	b, err := open(o)
	if err != nil {
		return nil, err
	}
	if _, err := b.platforms(); err != nil {
		return nil, err
	}
	if _, err := b.readLock(ctx); err != nil {
		return nil, err
	}
	res, err := b.image(ctx)
	if err != nil {
		return nil, err
	}
	tests, err := b.runTests(ctx, res, true)
	return &TestReport{Name: res.Name, Tag: res.Tag, Digest: res.Digest, Tests: tests}, err
}

// TestImageOptions say how an image is opened and where it is unpacked.
type TestImageOptions struct {
	CacheDir  string   // required
	Platforms []string // none means all of the image's
	Insecure  bool     // allow plain HTTP to the registry
	Jobs      int      // tests run at a time; 0 is one per CPU
}

// TestImage runs the tests that travel with an image that hardpan built. ref is what
// [oci.Open] takes. Errors wrap [ErrNoRecord] for one that it did not build.
func TestImage(ctx context.Context, ref string, o TestImageOptions) (*TestReport, error) {
	src, err := oci.Open(ctx, ref, oci.OpenOptions{Insecure: o.Insecure})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	images := src.Images
	if len(o.Platforms) > 0 {
		images = nil
	}
	for _, name := range o.Platforms {
		p, err := oci.ParsePlatform(name)
		if err != nil {
			return nil, specFault{err}
		}
		img, err := src.Image(p)
		if err != nil {
			return nil, specFault{fmt.Errorf("%s: %w", ref, err)}
		}
		images = append(images, img)
	}
	t := &tester{jobs: cmp.Or(o.Jobs, runtime.GOMAXPROCS(0)), fresh: true}
	if t.store, err = store.Open(o.CacheDir); err != nil {
		return nil, err
	}
	report := &TestReport{Digest: src.Digest}
	for _, img := range images {
		if len(img.Config.Record) == 0 {
			return nil, fmt.Errorf("cannot test %s: %w", ref, ErrNoRecord)
		}
		rec, err := record.Decode(img.Config.Record)
		if err != nil {
			return nil, fmt.Errorf("cannot test %s: %w", ref, err)
		}
		results, err := t.image(ctx, img, rec.Tests, rec.Writable)
		if err != nil {
			return nil, fmt.Errorf("cannot test %s: %w", ref, err)
		}
		report.Name, report.Tag = rec.Name, img.Config.Labels["org.opencontainers.image.version"]
		report.Tests = append(report.Tests, results...)
	}
	return report, nil
}

// recordTests returns the tests of the spec for the record.
func (b *build) recordTests() []record.Test {
	var list []record.Test
	for _, t := range b.spec.Tests {
		list = append(list, record.Test{
			Name: t.Name, Command: t.Command, ExitCode: t.ExitCode, Output: t.Output,
			Timeout: time.Duration(t.Timeout), Memory: int64(t.Memory), Processes: t.Processes,
		})
	}
	return list
}

// test runs the tests of the images and returns an error where they are not good
// enough to publish them. Tests that have passed on an image of that digest are not run
// again, unless fresh.
func (b *build) test(ctx context.Context, res *Result, fresh bool) ([]TestResult, error) {
	results, err := b.runTests(ctx, res, fresh)
	if err != nil {
		return nil, err
	}
	return results, testErrors(results, b.o.RequireTests)
}

func (b *build) runTests(ctx context.Context, res *Result, fresh bool) ([]TestResult, error) {
	if len(b.spec.Tests) == 0 {
		return nil, nil
	}
	t := &tester{store: b.store, space: b.snapshots, jobs: b.o.Jobs, fresh: fresh}
	var all []TestResult
	for _, img := range res.Index.Images {
		results, err := t.image(ctx, img, b.recordTests(), b.spec.Writable)
		if err != nil {
			return nil, fmt.Errorf("%s: cannot run the tests: %w", img.Platform, err)
		}
		for i := range results {
			results[i].Place = b.spec.Position("tests", i).String()
		}
		all = append(all, results...)
	}
	return all, nil
}

// tester runs tests of images.
type tester struct {
	store *store.Store
	space *sandbox.Space
	jobs  int
	fresh bool // those that have passed are run again
}

// image runs the tests of an image, those that its record has; what is writable beside
// its volumes is also the record's.
func (t *tester) image(ctx context.Context, img *oci.Image, tests []record.Test, writable []string) ([]TestResult, error) {
	key := testFormat + "\x00" + string(img.Digest)
	var results []TestResult
	if !t.fresh && t.store.Get("tests", key, &results) {
		for i := range results {
			results[i].Cached = true
		}
		return results, nil
	}
	if len(tests) == 0 {
		return nil, nil
	}
	var err error
	for range contenders {
		results = make([]TestResult, len(tests))
		for i, test := range tests {
			results[i] = TestResult{Image: img.Digest, Platform: img.Platform.String(), Name: test.Name, Command: test.Command, Status: TestNotRun}
		}
		if err = t.run(ctx, img, tests, writable, results); !errors.Is(err, sandbox.ErrNoSnapshot) {
			break
		}
	}
	if errors.Is(err, sandbox.ErrUnsupported) {
		notRun(results, err)
		return results, nil
	}
	if err == nil && !slices.ContainsFunc(results, func(r TestResult) bool { return r.Status != TestPassed }) {
		err = t.store.Set("tests", key, results)
	}
	return results, err
}

// contenders is how often an image is unpacked while other processes that test the
// same one remove it when they are done.
const contenders = 3

// notRun says why of the tests that were not run.
func notRun(results []TestResult, err error) {
	hint, _ := errors.AsType[interface {
		error
		Hint() string
	}](err)
	for i := range results {
		if r := &results[i]; r.Status == TestNotRun {
			if r.Why = err.Error(); hint != nil {
				r.Hint = hint.Hint()
			}
		}
	}
}

// run unpacks an image and runs its tests, side by side. The unpacked image goes
// afterwards: it takes about a second to make again, tests that have passed are not
// run again, and so the cache does not grow by each image that was ever tested.
func (t *tester) run(ctx context.Context, img *oci.Image, tests []record.Test, writable []string, results []TestResult) error {
	p := specs.Platform{OS: img.Platform.OS, Architecture: img.Platform.Architecture, Variant: img.Platform.Variant}
	if err := sandbox.Runs(p.DebianArch()); err != nil {
		return err
	}
	if t.space == nil {
		var err error
		if t.space, err = sandbox.Open(filepath.Join(t.store.Dir(), "snapshots")); err != nil {
			return err
		}
	}
	ground, err := unpackImage(ctx, t.space, img.Layers)
	if err != nil {
		return err
	}
	defer t.space.Remove(context.WithoutCancel(ctx), ground)
	step, err := t.step(ctx, ground, img, writable)
	if err != nil {
		return err
	}
	step.Arch = p.DebianArch()
	var order []int
	for i := range results {
		order = append(order, i)
	}
	return parallel(ctx, t.jobs, order, func(ctx context.Context, i int) error {
		return t.one(ctx, step, &tests[i], &results[i])
	})
}

// unpackImage makes the snapshot of an image, unless there is one, and returns its key,
// by which it is to be removed. Nothing else has that key, so that nobody who is not
// done with a system of the same layers, such as a stage, loses it.
func unpackImage(ctx context.Context, space *sandbox.Space, layers []oci.Layer) (string, error) {
	ids := "image\n"
	var contents []sandbox.Layer
	for _, l := range layers {
		ids += string(l.DiffID) + "\n"
		contents = append(contents, sandbox.Layer{Open: l.Uncompressed})
	}
	key := string(store.DigestOf([]byte(ids)))
	return key, space.Unpack(ctx, key, contents)
}

// step returns what the tests of an image share: how a runtime runs the image.
func (t *tester) step(ctx context.Context, ground string, img *oci.Image, writable []string) (sandbox.Step, error) {
	c := &img.Config
	st := sandbox.Step{
		On: []string{ground}, ReadOnly: true, Writable: slices.Concat(c.Volumes, writable), Env: c.Env, Dir: c.WorkingDir,
	}
	slices.Sort(st.Writable) // a directory before those in it
	st.Writable = slices.Compact(st.Writable)
	file, err := t.accounts(ctx, ground)
	if err != nil {
		return st, err
	}
	if st.UID, st.GID, err = identify(c.User, file); err != nil {
		return st, err
	}
	st.Groups = file.FurtherGroups(st.UID, st.GID)
	hasHome := slices.ContainsFunc(c.Env, func(v string) bool { return strings.HasPrefix(v, "HOME=") })
	if i := slices.IndexFunc(file.Users, func(u accounts.User) bool { return u.UID == st.UID }); i >= 0 && !hasHome {
		st.Env = append(slices.Clone(c.Env), "HOME="+file.Users[i].Home) // as runtimes do
	}
	return st, nil
}

// accounts reads the accounts of an unpacked image.
func (t *tester) accounts(ctx context.Context, ground string) (*accounts.File, error) {
	files := map[string][]byte{}
	for _, name := range []string{"etc/passwd", "etc/group"} {
		err := t.space.Export(ctx, []string{ground}, []string{name}, func(_ *tar.Header, r io.Reader) (err error) {
			files[name], err = io.ReadAll(io.LimitReader(r, maxAccounts))
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return accounts.Parse(files["etc/passwd"], files["etc/group"], nil, nil)
}

// maxAccounts bounds a file of accounts, in bytes.
const maxAccounts = 16 << 20

// identify returns the ids of a config's user (OCI image spec, config.md: user, uid,
// user:group, uid:gid, uid:group, user:gid).
func identify(user string, file *accounts.File) (uid, gid uint32, err error) {
	name, group, _ := strings.Cut(user, ":")
	number := func(s string) (uint32, bool) {
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err == nil
	}
	uid, isID := number(name)
	i := slices.IndexFunc(file.Users, func(u accounts.User) bool { return u.Name == name || isID && u.UID == uid })
	if i >= 0 {
		uid, gid = file.Users[i].UID, file.Users[i].GID
	} else if !isID && name != "" {
		return 0, 0, fmt.Errorf("the image's user %q is not in its /etc/passwd", name)
	}
	if group == "" {
		return uid, gid, nil
	}
	if id, isID := number(group); isID {
		return uid, id, nil
	}
	if g := file.Group(group); g != nil {
		return uid, g.GID, nil
	}
	return 0, 0, fmt.Errorf("the image's group %q is not in its /etc/group", group)
}

// emulation is how many times as long a test may take whose programs are emulated.
const emulation = 10

// one runs one test.
func (t *tester) one(ctx context.Context, st sandbox.Step, test *record.Test, r *TestResult) error {
	out := newTestOutput(test.Output)
	st.Args, st.Stdout, st.Stderr = test.Command, out, out
	st.Limits = sandbox.Limits{Time: test.Timeout, Memory: test.Memory, Processes: test.Processes}
	if st.Arch != specs.Machine().DebianArch() {
		st.Limits.Time *= emulation
	}
	res, err := t.space.Run(ctx, st)
	out.flush()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, sandbox.ErrUnsupported), errors.Is(err, sandbox.ErrNoSnapshot):
		return err
	case err != nil: // most often there is no such program
		r.Status, r.Why = TestFailed, err.Error()
		return nil
	}
	r.Elapsed = res.Elapsed
	if r.Why, r.Hint = judge(res, test, st.Limits.Time, out); r.Why == "" {
		r.Status = TestPassed
		return nil
	}
	r.Status, r.Output = TestFailed, out.end()
	return nil
}
