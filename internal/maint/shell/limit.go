package shell

import (
	"bytes"
	"context"
	"fmt"
)

// Limits bound what scripts may cost. The zero value is the default.
type Limits struct {
	Steps  int   // commands, rounds of loops and the like of all scripts; 0 is 5 million
	Output int64 // what commands print, bytes of all scripts; 0 is 256 MB
}

const (
	defaultSteps  = 5_000_000
	defaultOutput = 256 << 20

	maxScript = 512 << 10 // bytes of a script's text
	maxValue  = 16 << 20  // bytes of a variable's value, or of one command's words
	maxHeld   = 128 << 20 // bytes of all variables, words, pipes and substitutions at a time
	maxCalls  = 200       // functions, subshells, sourced files and scripts in one another
	maxDepth  = 5000      // constructs of any kind in one another, while they run
)

// LimitError says that scripts ran for too long, or made too much.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return e.What + ": the limit for maintainer scripts" }

// budget is what scripts have used.
type budget struct {
	Limits
	steps  int
	units  int   // of small work that make no step yet
	output int64 // bytes
	held   int64 // bytes
}

// unitsPerStep is how much small work, such as the comparison of a byte, counts as
// one step.
const unitsPerStep = 1024

// unitsPerRound is how much small work a round of a loop of sed or awk counts as.
const unitsPerRound = unitsPerStep / 16

// begin makes the budget ready for a script. What others used stays used, but for
// the memory, which is free.
func (b *budget) begin(l Limits) {
	b.Limits, b.held = l, 0
	if b.Steps == 0 {
		b.Steps = defaultSteps
	}
	if b.Output == 0 {
		b.Output = defaultOutput
	}
}

// step counts one command.
func (b *budget) step(ctx context.Context) error {
	if b.steps++; b.steps > b.Steps {
		return &LimitError{fmt.Sprintf("%d commands", b.Steps)}
	}
	if b.steps%16 == 0 {
		return ctx.Err()
	}
	return nil
}

// work counts n units of small work.
func (b *budget) work(ctx context.Context, n int) error {
	b.units += n
	if b.units < unitsPerStep {
		return nil
	}
	b.steps += b.units / unitsPerStep
	b.units %= unitsPerStep
	if b.steps > b.Steps {
		return &LimitError{fmt.Sprintf("%d commands", b.Steps)}
	}
	return ctx.Err()
}

// hold counts n bytes as held, or as free again where n is negative.
func (b *budget) hold(n int) error {
	if b.held += int64(n); b.held > maxHeld {
		return &LimitError{fmt.Sprintf("%d MB in variables and words", maxHeld>>20)}
	}
	return nil
}

// output collects what scripts print, within the limit for all.
type output struct {
	buf    bytes.Buffer
	budget *budget
	held   int // of what is counted as held; what a whole script prints is not
	counts bool
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	if o.budget.output += int64(len(p)); o.budget.output > o.budget.Output {
		return 0, &LimitError{fmt.Sprintf("%d MB of output", o.budget.Output>>20)}
	}
	if o.counts {
		o.held += len(p)
		if err := o.budget.hold(len(p)); err != nil {
			return 0, err
		}
	}
	return o.buf.Write(p)
}

func (o *output) bytes() []byte { return o.buf.Bytes() }

// free says that what was collected is not held any more.
func (o *output) free() { _ = o.budget.hold(-o.held); o.held = 0 }

// step counts one command.
func (r *run) step() error { return r.shell.budget.step(r.ctx) }

// work counts n units of small work, such as the comparison of a byte.
func (r *run) work(n int) error { return r.shell.budget.work(r.ctx, n) }

// enter counts a construct that runs inside another; the caller calls leave.
func (r *run) enter() error {
	if r.depth++; r.depth > maxDepth {
		return &LimitError{fmt.Sprintf("%d constructs in one another", maxDepth)}
	}
	return nil
}

func (r *run) leave() { r.depth-- }

// enterCall is enter for what a script can repeat without end.
func (r *run) enterCall() error {
	if r.nested++; r.nested > maxCalls {
		return &LimitError{fmt.Sprintf("%d calls in one another", maxCalls)}
	}
	return r.enter()
}

func (r *run) leaveCall() { r.nested--; r.leave() }
