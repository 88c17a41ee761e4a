package debian

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// ReadPackages reads a decompressed Packages index in one pass and yields its
// packages in the file's order, as [PackageFromParagraph] would. An error, which
// names the line, ends it. Of a stanza it keeps only what [Package] has, so that
// an index of 70,000 packages reads in a fraction of a second.
func ReadPackages(r io.Reader) iter.Seq2[Package, error] {
	return func(yield func(Package, error) bool) {
		ir := indexReader{lines: newLineScanner(r), words: map[string]string{}}
		for {
			p, err := ir.next()
			if err == io.EOF {
				return
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// indexReader collects the wanted values of a stanza in one buffer, so that a
// package costs one allocation however many fields it has.
type indexReader struct {
	lines *bufio.Scanner
	line  int
	begin int // line of the stanza's first field

	text  []byte
	spans [packageFields]struct{ from, to int }
	seen  [packageFields]bool
	// words holds the values that thousands of packages share.
	words map[string]string
}

// next returns the next package or io.EOF.
func (r *indexReader) next() (Package, error) {
	r.text, r.seen, r.begin = r.text[:0], [packageFields]bool{}, 0
	current := packageFields // the field whose continuation lines are wanted
	for r.lines.Scan() {
		r.line++
		line := trimRight(r.lines.Bytes())
		switch {
		case len(line) == 0:
			if r.begin > 0 {
				return r.pkg()
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if r.begin == 0 {
				return Package{}, errContinuation(r.line)
			}
			if current != packageFields {
				r.text = append(append(r.text, '\n'), line...)
				r.spans[current].to = len(r.text)
			}
		default:
			var err error
			if current, err = r.field(line); err != nil {
				return Package{}, err
			}
		}
	}
	if err := scanError(r.lines, r.line); err != nil {
		return Package{}, err
	}
	if r.begin > 0 {
		return r.pkg()
	}
	return Package{}, io.EOF
}

// field takes in a line that begins a field and returns which one it is, or
// packageFields for one that is not kept.
func (r *indexReader) field(line []byte) (packageField, error) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !validFieldName(line[:colon]) {
		return 0, errField(r.line, string(line))
	}
	if r.begin == 0 {
		r.begin = r.line
	}
	id := lookupField(line[:colon])
	if id == packageFields {
		return id, nil
	}
	if r.seen[id] {
		return 0, errDuplicate(r.line, string(line[:colon]))
	}
	r.seen[id] = true
	value := line[colon+1:]
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	r.spans[id].from = len(r.text)
	r.text = append(r.text, value...)
	r.spans[id].to = len(r.text)
	return id, nil
}

// pkg makes a package of the stanza read.
func (r *indexReader) pkg() (Package, error) {
	text := string(r.text)
	var values [packageFields]string
	for id := range packageFields {
		if !r.seen[id] {
			continue
		}
		span := r.spans[id]
		switch id {
		case fieldArchitecture, fieldMultiArch, fieldPriority, fieldSection, fieldMaintainer, fieldHomepage:
			values[id] = r.word(r.text[span.from:span.to])
		default:
			values[id] = text[span.from:span.to]
		}
	}
	p, err := packageFromFields(&values)
	if err != nil {
		return Package{}, fmt.Errorf("stanza at line %d: %w", r.begin, err)
	}
	return p, nil
}

// word returns b as a string, the same for the same bytes.
func (r *indexReader) word(b []byte) string {
	s, ok := r.words[string(b)]
	if !ok {
		s = string(b)
		r.words[s] = s
	}
	return s
}

func lookupField(name []byte) packageField {
	for id, known := range fieldNames {
		if len(known) == len(name) && (known == string(name) || strings.EqualFold(known, string(name))) {
			return packageField(id)
		}
	}
	return packageFields
}

// trimRight drops white space at the end, which bytes.TrimRight does too, but
// this is called for every line of an index of 56 MB.
func trimRight(line []byte) []byte {
	for len(line) > 0 {
		switch line[len(line)-1] {
		case ' ', '\t', '\r':
			line = line[:len(line)-1]
		default:
			return line
		}
	}
	return line
}

func newLineScanner(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxControlLine)
	return lines
}

func scanError(lines *bufio.Scanner, line int) error {
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d: longer than %d bytes", line+1, maxControlLine)
	}
	return err
}
