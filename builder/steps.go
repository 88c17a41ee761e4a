package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// secretsDir is where a stage's commands find their secrets, as with BuildKit.
const secretsDir = "/run/secrets"

// secret is the value of one of a stage's secrets.
type secret struct {
	id    string
	value []byte
}

// secrets reads the values of the stage's secrets from the caller's environment and
// files.
func (r *stageRun) secrets() ([]secret, error) {
	var list []secret
	for i, s := range r.stage.Secrets {
		var value []byte
		var err error
		if s.Env != "" {
			v, ok := os.LookupEnv(s.Env)
			if !ok {
				err = fmt.Errorf("secret %s: the environment has no variable %s", s.ID, s.Env)
			}
			value = []byte(v)
		} else if value, err = os.ReadFile(s.File); err != nil {
			err = fmt.Errorf("secret %s: %w", s.ID, err)
		}
		if err == nil && len(bytes.TrimSpace(value)) < minSecret {
			err = fmt.Errorf("secret %s has %d bytes, expected at least %d: nobody could tell whether it got out", s.ID, len(bytes.TrimSpace(value)), minSecret)
		}
		if err != nil {
			return nil, r.b.specError([]any{"stages", r.index, "secrets", i}, err)
		}
		list = append(list, secret{s.ID, value})
	}
	return list, nil
}

// minSecret is the length, in bytes, below which finding a secret's bytes in a file
// says nothing.
const minSecret = 4

// run runs one command of the stage and keeps what it changed.
func (r *stageRun) run(ctx context.Context, l link, on []string) error {
	secrets, err := r.secrets()
	if err != nil {
		return err
	}
	r.tell(StepEvent{Step: l.step})
	out := &stepOutput{tell: func(line string) { r.tell(StepEvent{Step: l.step, Line: line}) }, secrets: secrets}
	limits := r.stage.Limits
	step := sandbox.Step{
		On: on, Keep: l.key, Args: []string{"/bin/sh", "-ec", r.stage.Run[l.step-1]}, Env: r.environment(), Dir: r.stage.WorkDir,
		Arch: r.runs.DebianArch(), Clock: r.b.epoch, Stdout: out, Stderr: out,
		Limits: sandbox.Limits{
			Time: time.Duration(limits.Time), Memory: int64(limits.Memory), Processes: limits.Processes, Disk: int64(limits.Disk),
		},
	}
	if r.stage.Network == specs.NetworkHost {
		step.Network = sandbox.NetworkHost
	}
	step.Mounts = r.mounts(secrets)
	res, err := r.space.Run(ctx, step)
	out.flush()
	if err == nil && (res.ExitCode != 0 || res.Signal != "" || res.Exceeded != "") {
		err = r.failure(res, out)
	}
	if err == nil {
		err = r.leaks(ctx, l, on, secrets)
	}
	if err != nil {
		r.space.Remove(context.WithoutCancel(ctx), l.key)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		at := r.b.spec.Position("stages", r.index, "run", l.step-1)
		return fmt.Errorf("%s: stage %s, step %d (%s): %w", at, r.stage.Name, l.step, oneLine(r.stage.Run[l.step-1]), err)
	}
	r.stats.Ran++
	if err := r.b.store.Set("facts", l.key, &res.Facts); err != nil {
		return err
	}
	r.tell(StepEvent{Step: l.step, Done: true, Elapsed: res.Elapsed})
	return nil
}

// oneLine returns the first line of a command.
func oneLine(command string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(command), "\n")
	if rest != "" {
		first += " ..."
	}
	return first
}

// mounts returns what is mounted over the stage's system while a command runs.
func (r *stageRun) mounts(secrets []secret) []sandbox.Mount {
	var list []sandbox.Mount
	for _, s := range secrets {
		list = append(list, sandbox.Mount{Bytes: s.value, Target: path.Join(secretsDir, s.id), ReadOnly: true})
	}
	for _, dir := range r.stage.Caches {
		list = append(list, sandbox.Mount{Cache: r.cache(dir), Target: dir})
	}
	return list
}

// cache names one of the stage's caches, which is its own.
func (r *stageRun) cache(dir string) string {
	return strings.Join([]string{r.b.spec.Name, r.stage.Name, r.runs.String(), dir}, " ")
}

// failure says how a command failed.
func (r *stageRun) failure(res *sandbox.Result, out *stepOutput) error {
	e := &stepError{}
	switch {
	case res.Exceeded != "":
		e.text = "went over its limit of " + res.Exceeded
		e.hint = "raise limits." + res.Exceeded + " of the stage"
	case res.Signal != "":
		e.text = "was killed by signal " + res.Signal
	default:
		e.text = fmt.Sprintf("exited with %d, expected 0", res.ExitCode)
	}
	if last := out.last(); last != "" {
		e.text += "; its last line: " + last
	}
	if e.hint == "" && r.stage.Network == specs.NetworkNone && out.lacksNetwork() {
		e.hint = "stages have no network: name what it needs under fetch, files or contents, or set network: host"
	}
	if e.hint == "" && res.Hint() != "" {
		e.hint = res.Hint()
	}
	return e
}

// stepError says how a command of a stage failed, and what may mend it.
type stepError struct{ text, hint string }

func (e *stepError) Error() string { return e.text }
func (e *stepError) Hint() string  { return e.hint }

// stepOutput passes on a command's output by lines, without the secrets in it.
type stepOutput struct {
	mu      sync.Mutex
	tell    func(line string)
	secrets []secret
	rest    []byte
	tail    []string // the last lines
}

// maxLine is where a line of output is cut, in bytes, and maxTail how many lines are
// kept for the error.
const (
	maxLine = 4096
	maxTail = 20
)

func (o *stepOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest = append(o.rest, b...)
	for {
		i := bytes.IndexByte(o.rest, '\n')
		if i < 0 && len(o.rest) > maxLine {
			i = maxLine
			o.line(o.rest[:i])
			o.rest = o.rest[i:]
			continue
		}
		if i < 0 {
			return len(b), nil
		}
		o.line(o.rest[:i])
		o.rest = o.rest[i+1:]
	}
}

func (o *stepOutput) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rest) > 0 {
		o.line(o.rest)
		o.rest = nil
	}
}

func (o *stepOutput) line(b []byte) {
	text := string(bytes.TrimRight(b, "\r"))
	for _, s := range o.secrets {
		for line := range strings.Lines(string(s.value)) { // a secret of several lines is printed by lines
			if line = strings.TrimSpace(line); len(line) >= minSecret {
				text = strings.ReplaceAll(text, line, "***")
			}
		}
	}
	if o.tail = append(o.tail, text); len(o.tail) > maxTail {
		o.tail = o.tail[1:]
	}
	o.tell(text)
}

// last returns the last line that says anything.
func (o *stepOutput) last() string {
	for i := len(o.tail) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(o.tail[i]); line != "" {
			return fmt.Sprintf("%.200q", line)
		}
	}
	return ""
}

func (o *stepOutput) lacksNetwork() bool {
	text := strings.ToLower(strings.Join(o.tail, "\n"))
	for _, sign := range []string{"resolve host", "name resolution", "network is unreachable", "no such host", "could not resolve", "eai_again", "enetunreach"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// leaks refuses a step that wrote a secret into a file that is kept.
func (r *stageRun) leaks(ctx context.Context, l link, on []string, secrets []secret) error {
	if len(secrets) == 0 {
		return nil
	}
	for _, dir := range r.stage.Caches {
		err := r.space.ExportCache(ctx, r.cache(dir), func(h *tar.Header, content io.Reader) error {
			return findSecret(path.Join(dir[1:], h.Name), content, secrets)
		})
		if err != nil {
			// What found its way there would be seen by every later build.
			return errors.Join(err, r.space.RemoveCaches(context.WithoutCancel(ctx), r.cache(dir)))
		}
	}
	changes, err := r.space.Changes(ctx, l.key)
	if err != nil {
		return err
	}
	var paths []string
	for _, c := range changes {
		if err := findSecret(c.Path, strings.NewReader(c.Path+"\n"+c.Link), secrets); err != nil {
			return err
		}
		if !c.Removed && c.Type == 0 {
			paths = append(paths, c.Path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return r.space.Export(ctx, append(on, l.key), paths, func(h *tar.Header, content io.Reader) error {
		return findSecret(h.Name, content, secrets)
	})
}

// findSecret returns an error where a secret is among the bytes of a file.
func findSecret(name string, content io.Reader, secrets []secret) error {
	longest := 0
	for _, s := range secrets {
		longest = max(longest, len(s.value))
	}
	window := make([]byte, 0, 256<<10+longest)
	for {
		n, err := content.Read(window[len(window):cap(window)])
		window = window[:len(window)+n]
		for _, s := range secrets {
			if bytes.Contains(window, bytes.TrimSpace(s.value)) {
				return &stepError{
					text: fmt.Sprintf("wrote secret %s into /%s, which is kept", s.id, name),
					hint: "remove the file in the same command, or keep it in " + secretsDir,
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if keep := min(longest, len(window)); len(window) > cap(window)/2 {
			copy(window, window[len(window)-keep:])
			window = window[:keep]
		}
	}
}

// inputsKey finds out what the stage's inputs are, and returns the text that they
// depend on, "" where there are none.
func (r *stageRun) inputsKey(ctx context.Context) (string, error) {
	var parts []string
	add := func(in record.StageInput, more ...string) {
		r.inputs = append(r.inputs, in)
		parts = append(parts, fmt.Sprintf("%+v %q", in, more))
	}
	for i := range r.stage.Files {
		f := &r.stage.Files[i]
		digest, err := r.b.spec.StageFilesDigest(f)
		if err != nil {
			return "", r.b.specError([]any{"stages", r.index, "files", i}, err)
		}
		add(record.StageInput{Path: f.Path, Source: f.Source, Digest: "sha256:" + digest}, modeText(f.Mode))
	}
	for _, f := range r.stage.Fetch {
		add(record.StageInput{Path: f.Path, URL: f.URL, Digest: "sha256:" + f.SHA256}, modeText(f.Mode))
	}
	for i := range r.stage.Copy {
		c := &r.stage.Copy[i]
		from, err := r.b.stageRun(ctx, c.From, r.target)
		if err != nil {
			return "", err
		}
		add(record.StageInput{Path: c.Path, Stage: c.From, Source: c.Source, Digest: from.key()}, copyText(c))
	}
	return strings.Join(parts, "\x00"), nil
}

func modeText(m *specs.Mode) string {
	if m == nil {
		return ""
	}
	return m.String()
}

// addInputs makes the snapshot with the stage's files, downloads and copies.
func (r *stageRun) addInputs(ctx context.Context, key string, on []string) error {
	for i, f := range r.stage.Fetch {
		client, err := r.b.client()
		if err != nil {
			return err
		}
		digest, err := store.FromHex(f.SHA256)
		if err == nil {
			err = client.FetchURL(ctx, f.URL, digest, r.b.o.Progress)
		}
		if err != nil {
			return r.b.specError([]any{"stages", r.index, "fetch", i}, err)
		}
	}
	for _, c := range r.stage.Copy {
		from, err := r.b.stageRun(ctx, c.From, r.target)
		if err == nil {
			err = from.ensure(ctx)
		}
		if err != nil {
			return err
		}
	}
	return r.space.Add(ctx, key, on, func(w *tar.Writer) error {
		for i := range r.stage.Files {
			if err := r.addFiles(w, &r.stage.Files[i]); err != nil {
				return r.b.specError([]any{"stages", r.index, "files", i}, err)
			}
		}
		for i := range r.stage.Fetch {
			if err := r.addFetched(w, &r.stage.Fetch[i]); err != nil {
				return err
			}
		}
		for i := range r.stage.Copy {
			if err := r.addCopied(ctx, w, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// header returns the tar header of an input.
func (r *stageRun) header(name string, typeflag byte, mode int64) *tar.Header {
	return &tar.Header{Name: strings.TrimPrefix(name, "/"), Typeflag: typeflag, Mode: mode, ModTime: r.b.epoch, Format: tar.FormatPAX}
}

func (r *stageRun) addFiles(w *tar.Writer, f *specs.StageFile) error {
	paths, err := r.b.spec.StageFiles(f)
	if err != nil {
		return err
	}
	for i := range paths {
		p := &paths[i]
		mode := int64(p.Mode)
		if f.Mode != nil && p.Type == 0 {
			mode = int64(*f.Mode)
		}
		h := r.header(path.Join(f.Path, p.Name), tar.TypeReg, mode)
		switch p.Type {
		case fs.ModeDir:
			h.Typeflag = tar.TypeDir
		case fs.ModeSymlink:
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, p.Link, 0o777
		default:
			h.Size = p.Size
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := copyInto(w, func() (io.ReadCloser, error) { return p.Open() }); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyInto(w io.Writer, open func() (io.ReadCloser, error)) error {
	content, err := open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(w, content)
	return err
}

func (r *stageRun) addFetched(w *tar.Writer, f *specs.Fetch) error {
	digest, err := store.FromHex(f.SHA256)
	if err != nil {
		return err
	}
	size, _ := r.b.store.Stat(digest)
	mode := int64(0o644)
	if f.Mode != nil {
		mode = int64(*f.Mode)
	}
	h := r.header(f.Path, tar.TypeReg, mode)
	h.Size = size
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	return copyInto(w, func() (io.ReadCloser, error) { return r.b.store.Open(digest) })
}

// addCopied copies paths of an earlier stage.
func (r *stageRun) addCopied(ctx context.Context, w *tar.Writer, i int) error {
	c := &r.stage.Copy[i]
	from, err := r.b.stageRun(ctx, c.From, r.target)
	if err != nil {
		return err
	}
	err = from.export(ctx, c, func(h *tar.Header, content io.Reader) error {
		h.Name = strings.TrimPrefix(h.Name, "/")
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(w, content)
		return err
	})
	if err != nil {
		return r.b.specError([]any{"stages", r.index, "copy", i}, err)
	}
	return nil
}
