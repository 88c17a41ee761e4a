package builder

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sandbox"
)

// judge compares what a command did with what its test expects. It returns "" for a
// test that passed.
func judge(res *sandbox.Result, test *record.Test, limit time.Duration, out *testOutput) (why, hint string) {
	switch {
	case res.Exceeded == "time":
		return fmt.Sprintf("took longer than %v", limit), "raise its timeout, if it needs more"
	case res.Exceeded != "":
		return "went over its limit of " + res.Exceeded, "raise its limit, if it needs more"
	case res.Signal != "":
		return fmt.Sprintf("was killed by signal %s, expected exit code %d", res.Signal, test.ExitCode), ""
	case res.ExitCode != test.ExitCode:
		return fmt.Sprintf("exited with %d, expected %d", res.ExitCode, test.ExitCode), out.hint()
	case !out.found:
		return fmt.Sprintf("its output lacks %.200q", test.Output), ""
	}
	return "", ""
}

// testOutput looks for a text in a command's output, however long that is, and keeps
// its last lines.
type testOutput struct {
	stepOutput
	want   []byte
	window []byte // the end of what was written, shorter than want
	found  bool
}

func newTestOutput(want string) *testOutput {
	return &testOutput{stepOutput: stepOutput{tell: func(string) {}}, want: []byte(want), found: want == ""}
}

// Write implements [io.Writer].
func (o *testOutput) Write(b []byte) (int, error) {
	if !o.found {
		o.window = append(o.window, b...)
		if o.found = bytes.Contains(o.window, o.want); !o.found {
			keep := min(len(o.want)-1, len(o.window))
			o.window = append([]byte(nil), o.window[len(o.window)-keep:]...)
		}
	}
	return o.stepOutput.Write(b)
}

// maxEnd is how many lines of output a failed test shows.
const maxEnd = 8

// end returns the last lines that say anything.
func (o *testOutput) end() []string {
	var lines []string
	for _, line := range o.tail {
		if line = strings.TrimRight(line, " \t"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-maxEnd):]
}

// hint says what of a test's surroundings may be why it failed.
func (o *testOutput) hint() string {
	text := strings.ToLower(strings.Join(o.tail, "\n"))
	switch {
	case strings.Contains(text, "read-only file system"), strings.Contains(text, "erofs"):
		return "the root of a test is read-only: name the directories that a container writes to under writable"
	case o.lacksNetwork():
		return "tests have no network"
	}
	return ""
}
