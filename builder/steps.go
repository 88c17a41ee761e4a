package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

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
	if errors.Is(err, fs.ErrNotExist) && r.bottom().image != nil {
		err = &stepError{err.Error(), "the image that the stage stands on has no shell: commands need /bin/sh"}
	}
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
