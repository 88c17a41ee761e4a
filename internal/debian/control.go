package debian

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// A Field is one field of a control paragraph.
type Field struct {
	Name  string
	Value string // without the leading space; continuation lines keep theirs, joined by '\n'
	Line  int    // line of the field's name, counted from 1
}

// A Paragraph is one stanza of a control file, its fields in the file's order
// (Debian Policy 5.1; deb822(5)).
type Paragraph []Field

// Get returns the value of the named field, whose case does not matter, or "".
func (p Paragraph) Get(name string) string {
	for _, f := range p {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// maxControlLine bounds one line of a control file; the longest in Debian's
// indexes are dependency lists of some 20 kB.
const maxControlLine = 1 << 20

// ControlReader reads the paragraphs of a control file one by one.
type ControlReader struct {
	lines *bufio.Scanner
	line  int
}

// NewControlReader returns a reader of the control file r.
func NewControlReader(r io.Reader) *ControlReader {
	return &ControlReader{lines: newLineScanner(r)}
}

// Next returns the next paragraph, or io.EOF after the last. Lines that begin
// with '#' are comments. An error of syntax names the line.
func (r *ControlReader) Next() (Paragraph, error) {
	var p Paragraph
	for r.lines.Scan() {
		r.line++
		line := string(trimRight(r.lines.Bytes()))
		switch {
		case line == "":
			if len(p) > 0 {
				return p, nil
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if len(p) == 0 {
				return nil, errContinuation(r.line)
			}
			p[len(p)-1].Value += "\n" + line
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || !validFieldName(name) {
				return nil, errField(r.line, line)
			}
			if p.has(name) {
				return nil, errDuplicate(r.line, name)
			}
			p = append(p, Field{Name: name, Value: strings.TrimLeft(value, " \t"), Line: r.line})
		}
	}
	if err := scanError(r.lines, r.line); err != nil {
		return nil, err
	}
	if len(p) > 0 {
		return p, nil
	}
	return nil, io.EOF
}

func (p Paragraph) has(name string) bool {
	for _, f := range p {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

func validFieldName[T string | []byte](name T) bool {
	if len(name) == 0 || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

func errContinuation(line int) error {
	return fmt.Errorf("line %d: continuation line without a field", line)
}

func errField(line int, found string) error {
	return fmt.Errorf("line %d: found %.60q, expected \"Field: value\"", line, found)
}

func errDuplicate(line int, name string) error {
	return fmt.Errorf("line %d: field %s is there twice in one paragraph", line, name)
}
