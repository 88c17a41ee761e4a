package specs

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Position is a place in a spec file.
type Position struct {
	File   string // as given to Load, or the path of a parent
	Line   int    // from 1; 0 means the file as a whole
	Column int    // in characters, from 1
}

// String returns "file:line:column", or "file" for the file as a whole.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is one thing that is wrong with a spec.
type Error struct {
	Position Position
	Message  string // one line: what was found and what was expected
	Advice   string // what to do about it, or ""
	Err      error  // the cause, or nil
}

// Error returns "file:line:column: message".
func (e *Error) Error() string { return e.Position.String() + ": " + e.Message }

// Hint returns what to do about the error, or "".
func (e *Error) Hint() string { return e.Advice }

// Unwrap returns the error's cause, such as one that is [io/fs.ErrNotExist].
func (e *Error) Unwrap() error { return e.Err }

// Errors is all that is wrong with a spec, sorted by file and position.
type Errors []*Error

// Error returns one line per error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one, for [errors.Is] and [errors.As].
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, err := range e {
		all[i] = err
	}
	return all
}

// problems collects errors while a spec is read.
type problems struct {
	list Errors
	root reflect.Type // of another document than a spec, or nil
}

func (p *problems) add(pos Position, hint, format string, args ...any) {
	p.list = append(p.list, &Error{Position: pos, Message: fmt.Sprintf(format, args...), Advice: hint})
}

// addError adds err as found at pos, with the hint it carries.
func (p *problems) addError(pos Position, label string, err error) {
	e := &Error{Position: pos, Message: label + err.Error()}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		e.Advice = h.Hint()
	}
	p.list = append(p.list, e)
}

// err returns what was collected, sorted and without repetitions (a variant
// shares most of its base, and so most of its base's errors), or nil.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b *Error) int {
		return cmp.Or(
			strings.Compare(a.Position.File, b.Position.File),
			cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column),
			strings.Compare(a.Message, b.Message))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(p.list, func(e *Error) bool {
		key := e.Position.String() + withoutIndexes(e.Message)
		known := seen[key]
		seen[key] = true
		return known
	})
}

// withoutIndexes returns a message without its digits: an item that a variant
// inherits has another index there when the variant removes one before it.
func withoutIndexes(message string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, message)
}

// nearest returns the candidate that name is most likely a slip of the pen for,
// or "" where none is near.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// didYouMean returns "; did you mean ...?" for the nearest candidate, or "".
func didYouMean(name string, candidates []string) string {
	if c := nearest(name, candidates); c != "" {
		return fmt.Sprintf("; did you mean %q?", c)
	}
	return ""
}

// editDistance counts the insertions, deletions, changes and swaps of neighbours
// that lead from a to b (Damerau and Levenshtein, optimal string alignment),
// with case, "-" and "_" counting nothing.
func editDistance(a, b string) int {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	a, b = fold(a), fold(b)
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
