package dockerfile

import (
	"fmt"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// File is a Dockerfile that was read.
type File struct {
	Name   string
	Escape rune // of line continuations: \ or `
	Args   []Variable
	Stages []*Stage
	// Ignored are the lines with comments that tell hadolint to look away.
	Ignored []int
	// Odd is what the parser takes although it should not be written.
	Odd []Remark
}

// Remark is something said of a line.
type Remark struct {
	Line int
	Text string
}

// Final returns the stage that becomes the image.
func (f *File) Final() *Stage { return f.Stages[len(f.Stages)-1] }

// Reaches reports whether the steps of s are part of the image: it is the final stage or
// one that this stands on.
func (f *File) Reaches(s *Stage) bool {
	for at := f.Final(); at != nil; at = at.Parent {
		if at == s {
			return true
		}
	}
	return false
}

// Chain returns the final stage and those that it stands on, the lowest first.
func (f *File) Chain() []*Stage { return f.Final().Chain() }

// Stage is a stage of a build and what it says of the image that it makes.
type Stage struct {
	Index     int
	Name      string // "" without AS
	Line      int
	Image     string // what FROM names, variables expanded
	Written   string // what FROM says
	Platform  string
	Parent    *Stage   // the earlier stage that FROM names
	Unknown   []string // variables of FROM without a value
	Steps     []*Step
	Env       *Env // of the image
	Args      *Env // build arguments
	Dir       string
	User      string
	UserLine  int // 0 where no USER is said
	Shell     []string
	Windows   bool
	Accounts  *Accounts
	Tree      *Tree
	duplicate bool
}

// Chain returns the stage and those that it stands on, the lowest first.
func (s *Stage) Chain() []*Stage {
	var chain []*Stage
	for at := s; at != nil; at = at.Parent {
		chain = append([]*Stage{at}, chain...)
	}
	return chain
}

// Base returns the image that the lowest stage of the chain stands on.
func (s *Stage) Base() *Stage {
	at := s
	for at.Parent != nil {
		at = at.Parent
	}
	return at
}

// Label is how a stage is named in a report.
func (s *Stage) Label() string {
	if s.Name != "" {
		return s.Name
	}
	return fmt.Sprint(s.Index)
}

// Duplicate reports whether an earlier stage has the same name.
func (s *Stage) Duplicate() bool { return s.duplicate }

// Step is an instruction.
type Step struct {
	Stage   *Stage
	Line    int // first, from 1
	End     int // last
	Name    string
	Text    string // on one line, without heredocs
	Command instructions.Command
	Unknown []string // variables without a value
	OnBuild bool     // it runs in the builds that stand on this one
	User    string   // that it runs as
	Dir     string   // that it runs in
	Script  *Script  // of RUN, and of CMD, ENTRYPOINT and HEALTHCHECK
}

// Commands returns all commands that the step calls, in their order.
func (s *Step) Commands() []*Command {
	if s.Script == nil {
		return nil
	}
	return s.Script.Commands
}

// Error says why a file cannot be read.
type Error struct {
	Name    string
	Line    int // 0 where no line is at fault
	Message string
	hint    string
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Message)
	}
	return e.Name + ": " + e.Message
}

// Hint says what to do, "" where nobody knows.
func (e *Error) Hint() string { return e.hint }
