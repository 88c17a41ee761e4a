package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// isAssignment reports whether a word begins with a name and "=".
func isAssignment(w *syntax.Word) bool {
	l, ok := w.Parts[0].(*syntax.Lit)
	if !ok {
		return false
	}
	name, _, ok := strings.Cut(l.Value, "=")
	return ok && syntax.ValidName(name)
}

// assignmentWord expands a word that is an assignment, where a tilde leads home after "=" too.
func (r *run) assignmentWord(w *syntax.Word) (string, error) {
	l := w.Parts[0].(*syntax.Lit)
	name, first, _ := strings.Cut(l.Value, "=")
	c := syntax.Word{Parts: slices.Clone(w.Parts)}
	rest := *l
	rest.Value = first
	c.Parts[0] = &rest
	s, err := r.value(&c)
	return name + "=" + s, err
}

// assignments runs a command that is assignments only, or redirections.
func (r *run) assignments(assigns []*syntax.Assign, redirs []*syntax.Redirect) (failed bool, err error) {
	saved, err := r.redirect(redirs, "")
	defer func() {
		if err2 := r.undo(saved); err == nil {
			err = err2
		}
	}()
	if err != nil {
		return r.redirectFailed(err, false)
	}
	for _, a := range assigns {
		if err := r.assignment(a); err != nil {
			return false, r.placed(nil, r.refuse("", err))
		}
	}
	r.status = 0
	if r.substituted {
		r.status = r.substStatus
	}
	if r.status != 0 {
		r.failed = place{r.line, "command substitution"}
	}
	return false, nil
}

// temporary makes the assignments before a command, for as long as it runs; those
// before a special builtin stay (XCU 2.15).
func (r *run) temporary(assigns []*syntax.Assign, stay bool) (restore func(), err error) {
	if len(assigns) == 0 {
		return func() {}, nil
	}
	type hidden struct {
		name string
		old  *variable
	}
	var saved []hidden
	restore = func() {
		for _, h := range slices.Backward(saved) {
			r.restore(h.name, h.old)
		}
	}
	for _, a := range assigns {
		name := a.Name.Value
		if !stay {
			saved = append(saved, hidden{name, r.hide(name)})
		}
		if err := r.assignment(a); err != nil {
			restore()
			return nil, r.refuse("", err)
		}
		if !stay {
			r.vars.get(name).exported = true
		}
	}
	return restore, nil
}

// assignment makes one assignment.
func (r *run) assignment(a *syntax.Assign) error {
	name := a.Name.Value
	if !r.bash && (a.Array != nil || a.Index != nil || a.Append) {
		return Unsupported("arrays and += in a script for sh")
	}
	if r.bash && machineVariables[name] {
		return Unsupported("setting %s", name)
	}
	if a.Array != nil {
		return r.assignArray(a)
	}
	value, err := r.value(a.Value)
	if err != nil {
		return err
	}
	if a.Index != nil {
		return r.assignElement(a, value)
	}
	old := r.find(name)
	switch {
	case old != nil && old.isList:
		list := slices.Clone(old.list)
		if len(list) == 0 {
			list = []string{""}
		}
		if a.Append {
			value = list[0] + value
		}
		list[0] = value
		return r.assignList(name, list)
	case a.Append && old != nil:
		value = old.value + value
	}
	return r.assign(name, value)
}

func (r *run) assignArray(a *syntax.Assign) error {
	list, err := r.arrayValues(a)
	if err != nil {
		return err
	}
	return r.appendArray(a, list)
}

// arrayValues expands the words of an array.
func (r *run) arrayValues(a *syntax.Assign) ([]string, error) {
	var words []*syntax.Word
	for _, e := range a.Array.Elems {
		if e.Index != nil {
			return nil, Unsupported("an array with indexes")
		}
		words = append(words, e.Value)
	}
	list, release, err := r.fieldsOf(words)
	release()
	return list, err
}

// appendArray assigns an array, or appends to one.
func (r *run) appendArray(a *syntax.Assign, list []string) error {
	if old := r.find(a.Name.Value); a.Append && old != nil {
		if old.isList {
			list = append(slices.Clone(old.list), list...)
		} else if old.set {
			list = append([]string{old.value}, list...)
		}
	}
	return r.assignList(a.Name.Value, list)
}

func (r *run) assignElement(a *syntax.Assign, value string) error {
	if w, ok := a.Index.(*syntax.Word); !ok || len(w.Parts) == 0 {
		if _, ok := a.Index.(*syntax.BinaryArithm); !ok {
			return Unsupported("this index of an array")
		}
	}
	i, err := r.number(a.Index)
	if err != nil {
		return err
	}
	var list []string
	if old := r.find(a.Name.Value); old != nil && old.isList {
		list = slices.Clone(old.list)
	} else if old != nil && old.set {
		list = []string{old.value}
	}
	if i < 0 {
		i += int64(len(list))
	}
	switch n := int64(len(list)); {
	case i < 0 || i > n:
		return Unsupported("an array with gaps")
	case i == n:
		list = append(list, "")
	}
	if a.Append {
		value = list[i] + value
	}
	list[i] = value
	return r.assignList(a.Name.Value, list)
}
