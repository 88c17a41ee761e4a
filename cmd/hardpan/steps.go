package main

import (
	"fmt"
	"io"
	"time"

	"github.com/hardpan/hardpan/builder"
)

// stepPrinter returns what prints the commands of build stages as they run, a line
// at a time, each with the stage in front of it.
func stepPrinter(w io.Writer, p *progress) func(builder.StepEvent) {
	return func(e builder.StepEvent) {
		line := ""
		switch took := e.Elapsed.Round(10 * time.Millisecond); {
		case e.Cached:
			line = oneLine(e.Command) + " (unchanged)"
		case e.Step == 0 && e.Done:
			line = fmt.Sprintf("system unpacked in %v", took)
		case e.Step == 0:
			return
		case e.Done:
			line = fmt.Sprintf("done in %v", took)
		case e.Line != "":
			line = "| " + oneLine(e.Line)
		default:
			line = oneLine(e.Command)
		}
		p.print(w, fmt.Sprintf("%s: %s %d/%d: %s\n", e.Platform, e.Stage, e.Step, e.Steps, line))
	}
}
