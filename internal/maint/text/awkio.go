package text

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
)

// awkInput is what the rules read: the files of ARGV.
type awkInput struct {
	records *awkRecords // nil where the next file is to be opened
	at      int         // of ARGV
	opened  int
}

// awkRecords is a text that is read record by record.
type awkRecords struct {
	rest   string
	status int // of the command that it is from
}

// awkOutput is a file or a command that gets output.
type awkOutput struct {
	w       *bufio.Writer
	file    *rootfs.File
	command string
	pipe    *bytes.Buffer // what the command is to read
}

func (o *awkOutput) flush() error { return o.w.Flush() }

func (a *awk) check(err error) {
	if err != nil {
		a.stop(err)
	}
}

// write prints text.
func (a *awk) write(o *awkOutput, text string) {
	_, err := o.w.WriteString(text)
	a.check(err)
}

// output returns where a redirection goes, which stays open.
func (a *awk) output(redirect, name string) *awkOutput {
	if o := a.outputs[name]; o != nil {
		return o
	}
	o := &awkOutput{}
	switch {
	case redirect == "|":
		o.command, o.pipe = name, &bytes.Buffer{}
		o.w = bufio.NewWriter(o.pipe)
	case name == "/dev/stdout" || name == "-":
		return a.out
	case name == "/dev/stderr":
		a.check(a.out.flush())
		o.w = bufio.NewWriterSize(a.p.Stderr, 16)
	default:
		var w io.Writer
		var err error
		if redirect == ">>" && !strings.HasPrefix(name, "/dev/") {
			w, err = a.p.FS.Append(a.p.Path(name), 0o666&^a.p.Umask)
		} else {
			w, err = create(a.p, name)
		}
		if err != nil {
			if fatal(err) == nil {
				err = fmt.Errorf("cannot open %q (%s)", name, reason(err))
			}
			a.stop(err)
		}
		o.file, _ = w.(*rootfs.File)
		o.w = bufio.NewWriter(w)
	}
	a.outputs[name] = o
	return o
}

// closeOutput ends a redirection, and returns the status of a command.
func (a *awk) closeOutput(name string) int {
	o := a.outputs[name]
	delete(a.outputs, name)
	a.check(o.flush())
	switch {
	case o.file != nil:
		a.check(o.file.Close())
	case o.pipe != nil:
		return a.system(o.command, o.pipe, nil)
	}
	return 0
}

func (a *awk) closeAll() {
	a.check(a.out.flush())
	var names []string
	for name := range a.outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a.closeOutput(name)
	}
}

// system runs a command of the shell.
func (a *awk) system(command string, in io.Reader, out io.Writer) int {
	a.check(a.out.flush())
	for _, o := range a.outputs {
		a.check(o.flush())
	}
	q := *a.p
	if in != nil {
		q.Stdin = in
	}
	if out != nil {
		q.Stdout = out
	}
	status, err := q.Run(a.ctx, "sh", "-c", command)
	a.check(err)
	return status
}

// next returns the next record.
func (r *awkRecords) next(a *awk) (string, bool) {
	separator := a.special(specialRS)
	if separator == "" {
		r.rest = strings.TrimLeft(r.rest, "\n")
	}
	if r.rest == "" {
		return "", false
	}
	from, to := -1, -1
	switch {
	case separator == "":
		if i := strings.Index(r.rest, "\n\n"); i >= 0 {
			from, to = i, i+2
		} else if strings.HasSuffix(r.rest, "\n") {
			from, to = len(r.rest)-1, len(r.rest)
		}
	case len(separator) == 1 && (separator == " " || !isMeta(separator[0])):
		if i := strings.IndexByte(r.rest, separator[0]); i >= 0 {
			from, to = i, i+1
		}
	default:
		if loc := a.find(r.rest, separator); loc != nil && loc[1] > loc[0] {
			from, to = loc[0], loc[1]
		}
	}
	if from < 0 {
		from, to = len(r.rest), len(r.rest)
	}
	record := r.rest[:from]
	r.rest = r.rest[to:]
	return record, true
}

func isMeta(c byte) bool { return strings.IndexByte(`\^$.[]|()*+?{}`, c) >= 0 }

// nextRecord reads the next record of the input.
func (a *awk) nextRecord() bool {
	text, ok := a.read()
	if !ok {
		return false
	}
	a.setRecord(awkFromIn(text))
	return true
}

// read returns the next record of the input, and counts it.
func (a *awk) read() (string, bool) {
	for {
		if a.input.records == nil && !a.openNext() {
			return "", false
		}
		if text, ok := a.input.records.next(a); ok {
			a.count(specialNR)
			a.count(specialFNR)
			return text, true
		}
		a.input.records = nil
	}
}

func (a *awk) count(special int) {
	a.globals[special].value = awkNum(a.globals[special].value.num() + 1)
}

// openNext opens the next file of ARGV, or the standard input if there is none.
func (a *awk) openNext() bool {
	argc := int(a.globals[a.global("ARGC")].value.num())
	argv := a.globals[a.global("ARGV")].elements(a)
	for a.input.at++; a.input.at < argc; a.input.at++ {
		if !argv.has(strconv.Itoa(a.input.at)) {
			continue
		}
		name := argv.get(strconv.Itoa(a.input.at)).str("%.6g")
		if name == "" || a.assignArgument(name) {
			continue
		}
		a.input.opened++
		b, err := read(a.p, name)
		if err != nil {
			if fatal(err) == nil {
				err = fmt.Errorf("cannot open %s (%s)", name, reason(err))
			}
			a.stop(err)
		}
		a.begin(name, b)
		return true
	}
	if a.input.opened > 0 {
		return false
	}
	a.input.opened++
	b, err := read(a.p, "-")
	a.check(err)
	a.begin("", b)
	return true
}

func (a *awk) begin(name string, b []byte) {
	a.globals[specialFILENAME].value = awkStr(name)
	a.globals[specialFNR].value = awkInt(0)
	a.input.records = &awkRecords{rest: string(b)}
}

// getline reads a record from the input, a file or a command.
func (a *awk) getline(e *awkGetline) awkValue {
	text, ok := "", false
	if e.from == nil {
		text, ok = a.read()
	} else {
		name := e.from.eval(a).str(a.convfmt())
		r, err := a.source(name, e.pipe)
		if err != nil {
			if fatal(err) != nil {
				a.stop(err)
			}
			return awkInt(-1)
		}
		text, ok = r.next(a)
	}
	if !ok {
		return awkInt(0)
	}
	if e.to != nil {
		e.to.assign(a, awkFromIn(text))
	} else {
		a.setRecord(awkFromIn(text))
	}
	return awkInt(1)
}

// source returns the records of a file or of the output of a command.
func (a *awk) source(name string, pipe bool) (*awkRecords, error) {
	if r := a.inputs[name]; r != nil {
		return r, nil
	}
	r := &awkRecords{}
	if pipe {
		var out bytes.Buffer
		r.status = a.system(name, nil, &out)
		r.rest = out.String()
	} else {
		b, err := read(a.p, name)
		if err != nil {
			return nil, err
		}
		r.rest = string(b)
	}
	a.inputs[name] = r
	return r, nil
}

// close ends a file or a command by its name.
func (a *awk) close(name string) int {
	if a.outputs[name] != nil {
		return a.closeOutput(name)
	}
	if r := a.inputs[name]; r != nil {
		delete(a.inputs, name)
		return r.status
	}
	return -1
}
