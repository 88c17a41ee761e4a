package text

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/regex"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// maxAwkMemory bounds the bytes of all strings and elements that one call of awk
// makes.
const maxAwkMemory = 256 << 20

// The variables with a meaning, which are the first globals.
const (
	specialNF = iota
	specialNR
	specialFNR
	specialFS
	specialOFS
	specialRS
	specialORS
	specialSUBSEP
	specialCONVFMT
	specialOFMT
	specialFILENAME
	specialRSTART
	specialRLENGTH
)

var awkSpecials = []string{"NF", "NR", "FNR", "FS", "OFS", "RS", "ORS", "SUBSEP", "CONVFMT", "OFMT", "FILENAME", "RSTART", "RLENGTH"}

// awk is mawk, Debian's awk. Unlike it, it goes through an array in the order in
// which its elements were made.
//
// Package goawk is not used: it goes through arrays in Go's random order, opens
// files and runs commands of the host without a way to redirect them, has Perl's
// choice among matches and not POSIX's, takes the carriage return from the ends
// of lines, and seeds its random numbers with the clock.
type awk struct {
	p       *shell.Proc
	ctx     context.Context
	program *awkProgram
	chars   bool // characters are not bytes

	globals []*awkVariable
	frame   []*awkVariable
	flow    awkFlow
	result  awkValue
	status  int
	memory  int
	depth   int

	record  string
	fields  []awkValue // from 1; valid if split
	split   bool
	stale   bool // the record is to be made from the fields
	input   awkInput
	out     *awkOutput
	outputs map[string]*awkOutput
	inputs  map[string]*awkRecords
	regexes map[string]*regex.Regexp
	random  awkRandom
}

// awkStop is what unwinds the program: an error of ours, or one of the program.
type awkStop struct{ err error }

// awkError is a fault of a running program.
type awkError struct{ text string }

func (e *awkError) Error() string { return e.text }

func (a *awk) stop(err error)   { panic(awkStop{err}) }
func (a *awk) fail(text string) { a.stop(&awkError{text}) }

func (a *awk) step() {
	a.check(a.p.Work(a.ctx, 1))
}

// room accounts for a value of so many bytes.
func (a *awk) room(size int) {
	if size > maxSedSpace {
		a.stop(&shell.LimitError{What: fmt.Sprintf("awk: a string of %d MB", size>>20)})
	}
	if a.memory += size; a.memory > maxAwkMemory {
		a.stop(&shell.LimitError{What: fmt.Sprintf("awk: %d MB of strings", maxAwkMemory>>20)})
	}
}

// runAwk is awk(1).
func runAwk(ctx context.Context, p *shell.Proc) (status int, err error) {
	a := &awk{
		p: p, ctx: ctx, chars: p.Args[0] == "gawk" && !bytewise(p),
		outputs: map[string]*awkOutput{}, inputs: map[string]*awkRecords{}, regexes: map[string]*regex.Regexp{},
	}
	a.out = &awkOutput{w: buffered(p)}
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(awkStop)
			if !ok {
				panic(r)
			}
			status, err = a.failed(s.err)
		}
	}()
	if err := a.start(); err != nil {
		return a.failed(err)
	}
	a.run()
	a.closeAll()
	return a.status, nil
}

// failed ends a call that cannot go on.
func (a *awk) failed(err error) (int, error) {
	if stop := fatal(limit(err)); stop != nil {
		return 2, stop
	}
	if err := a.out.flush(); err != nil {
		return 2, err
	}
	_, err = a.p.Errorf("%v", err)
	return 2, err
}

// start reads the command line and the program.
func (a *awk) start() error {
	opts, args, err := options(a.p, "+F:v:f:W:", "field-separator:=F assign:=v file:=f posix traditional version")
	if err != nil {
		return err
	}
	var sources, assigns []string
	separator, given := "", false
	for _, o := range opts {
		switch o.name {
		case "F":
			separator, given = o.value, true
		case "v":
			assigns = append(assigns, o.value)
		case "f":
			b, err := read(a.p, o.value)
			if err != nil {
				if fatal(err) != nil {
					return err
				}
				return fmt.Errorf("cannot open %s (%s)", o.value, reason(err))
			}
			sources = append(sources, string(b))
		case "posix", "traditional":
		default:
			return shell.Unsupported("awk: option -%s %s", o.name, o.value)
		}
	}
	if sources == nil {
		if len(args) == 0 {
			return shell.Unsupported("awk: a call without a program")
		}
		sources, args = args[:1], args[1:]
	}
	if a.program, err = parseAwk(strings.Join(sources, "\n")); err != nil {
		return err
	}
	a.prepare(args)
	if given {
		a.setSpecial(specialFS, awkStr(awkUnescape(separator)))
	}
	for _, text := range assigns {
		if !a.assignArgument(text) {
			return fmt.Errorf("improper assignment: -v %s", text)
		}
	}
	return nil
}

// prepare makes the variables.
func (a *awk) prepare(args []string) {
	argv, environ, argc := a.global("ARGV"), a.global("ENVIRON"), a.global("ARGC")
	a.globals = make([]*awkVariable, len(a.program.globals))
	for i := range a.globals {
		a.globals[i] = &awkVariable{}
	}
	for i, value := range map[int]string{specialFS: " ", specialOFS: " ", specialRS: "\n", specialORS: "\n", specialSUBSEP: "\x1c", specialCONVFMT: "%.6g", specialOFMT: "%.6g"} {
		a.globals[i].value = awkStr(value)
	}
	for _, i := range []int{specialNF, specialNR, specialFNR, specialRSTART} {
		a.globals[i].value = awkInt(0)
	}
	a.globals[specialRLENGTH].value = awkInt(-1)
	a.globals[argc].value = awkInt(len(args) + 1)
	list := a.globals[argv].elements(a)
	*list.get("0") = awkStr(a.p.Args[0])
	for i, arg := range args {
		*list.get(fmt.Sprint(i + 1)) = awkFromIn(arg)
	}
	env := a.globals[environ].elements(a)
	for _, kv := range a.p.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		*env.get(name) = awkFromIn(value)
	}
	a.split = true
}

// global returns the index of a global variable.
func (a *awk) global(name string) int {
	i, ok := a.program.globals[name]
	if !ok {
		i = len(a.program.globals)
		a.program.globals[name] = i
	}
	return i
}

// assignArgument makes an assignment of the command line, name=value.
func (a *awk) assignArgument(text string) bool {
	name, value, ok := strings.Cut(text, "=")
	if !ok || !variableName.MatchString(name) {
		return false
	}
	v := awkFromIn(awkUnescape(value))
	i, known := a.program.globals[name]
	switch {
	case !known: // the program does not use it
	case i < len(awkSpecials):
		a.setSpecial(i, v)
	default:
		a.globals[i].value = v
	}
	return true
}

// run runs the rules for all records (XCU awk, "overall program structure").
func (a *awk) run() {
	for _, b := range a.program.begin {
		if a.exec(b); a.flow == flowExit {
			break
		}
	}
	if a.flow != flowExit && len(a.program.rules)+len(a.program.end) > 0 {
		for a.nextRecord() {
			a.rules()
			if a.flow == flowExit {
				break
			}
			if a.flow == flowNextFile {
				a.input.records = nil
			}
			a.flow = flowOn
		}
	}
	a.flow = flowOn // exit goes on with the END rules
	for _, b := range a.program.end {
		if a.exec(b); a.flow == flowExit {
			break
		}
	}
}

func (a *awk) rules() {
	for _, r := range a.program.rules {
		if !a.selects(r) {
			continue
		}
		if r.action == nil {
			a.write(a.out, a.field(0).str(a.convfmt())+a.special(specialORS))
		} else {
			a.exec(r.action)
		}
		if a.flow != flowOn {
			return
		}
	}
}

func (a *awk) selects(r *awkRule) bool {
	switch {
	case r.from == nil:
		return true
	case r.to == nil:
		return r.from.eval(a).truth()
	}
	if !r.active && !r.from.eval(a).truth() {
		return false
	}
	r.active = !r.to.eval(a).truth()
	return true
}
