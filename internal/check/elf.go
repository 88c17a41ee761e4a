package check

import (
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
)

// elfs asks each ELF file of the image.
func (q *question) elfs(about string, of func(*facts.ELF) bool, ask func(*facts.File, *facts.ELF)) string {
	some := false
	for f := range q.All() {
		if f.ELF != nil && f.Type == facts.Regular && of(f.ELF) {
			some = true
			ask(f, f.ELF)
		}
	}
	if !some {
		return "the image has no " + about
	}
	return applies
}

func anyELF(*facts.ELF) bool         { return true }
func isProgram(e *facts.ELF) bool    { return e.Program }
func isDynamic(e *facts.ELF) bool    { return e.Dynamic || !e.Program }
func callsKnown(e *facts.ELF) bool   { return e.Symbols && e.Program && e.Language == "" }
func boundAtStart(e *facts.ELF) bool { return e.Program && e.Dynamic }

func elfExecutableStack(q *question) string {
	return q.elfs("ELF files", anyELF, func(f *facts.File, e *facts.ELF) {
		switch {
		case e.NXStack:
		case e.NoStack:
			q.foundAs(harden.Medium, at(f, "it does not say that its stack is not to be executable", "no PT_GNU_STACK"))
		default:
			q.found(at(f, "its stack is executable", "PT_GNU_STACK"))
		}
	})
}

func elfWritableCode(q *question) string {
	return q.elfs("ELF files", anyELF, func(f *facts.File, e *facts.ELF) {
		switch {
		case e.RWX:
			q.found(at(f, "a segment is writable and executable", "RWX"))
		case e.TextRel:
			q.foundAs(harden.Medium, at(f, "its code is relocated when it is loaded", "DT_TEXTREL"))
		}
	})
}

func elfRPath(q *question) string {
	r := q.Runner()
	return q.elfs("dynamic ELF files", isDynamic, func(f *facts.File, e *facts.ELF) {
		for i, list := range [][]string{e.RPath, e.RunPath} {
			tag := []string{"RPATH", "RUNPATH"}[i]
			for _, dir := range list {
				if why := q.unsafeRPath(f, dir, r); why != "" {
					q.found(at(f, tag+" has a directory "+why, dir))
				}
			}
		}
	})
}

// unsafeRPath says why libraries should not be looked for in a directory (ld.so(8)).
func (q *question) unsafeRPath(f *facts.File, dir string, r facts.Runner) string {
	for _, origin := range []string{"$ORIGIN", "${ORIGIN}"} {
		if rest, ok := strings.CutPrefix(dir, origin); ok {
			dir = path.Join("/", path.Dir(f.Path), rest)
		}
	}
	switch {
	case dir == "" || !path.IsAbs(dir):
		return "that is the working directory or below it"
	case strings.HasPrefix(path.Clean(dir)+"/", "/home/"), strings.HasPrefix(path.Clean(dir)+"/", "/build/"), strings.HasPrefix(path.Clean(dir)+"/", "/root/"):
		return "of whoever built it"
	}
	return strings.TrimPrefix(q.unsafeDirectory(dir, r), "which is ")
}

func elfPIE(q *question) string {
	return q.elfs("ELF programs", isProgram, func(f *facts.File, e *facts.ELF) {
		if !e.PIE {
			s := q.rule.Severity
			if e.Language == "Go" { // its memory is safe but for cgo, and position-independence is not its default
				s = harden.Info
			}
			q.foundAs(s, at(f, "it is at a fixed address", "EXEC"))
		}
	})
}

func elfRELRO(q *question) string {
	return q.elfs("dynamic ELF files", isDynamic, func(f *facts.File, e *facts.ELF) {
		if !e.RELRO && e.Language == "" {
			q.found(at(f, "its relocations stay writable", "no PT_GNU_RELRO"))
		}
	})
}

func elfBindNow(q *question) string {
	return q.elfs("dynamic ELF programs", boundAtStart, func(f *facts.File, e *facts.ELF) {
		if e.RELRO && !e.BindNow {
			q.found(at(f, "symbols are resolved when they are called", "partial RELRO"))
		}
	})
}

func elfStackProtector(q *question) string {
	return q.elfs("dynamic ELF programs whose calls are known", callsKnown, func(f *facts.File, e *facts.ELF) {
		if !e.Stack {
			q.found(at(f, "it does not call __stack_chk_fail", "no canary"))
		}
	})
}

func elfFortify(q *question) string {
	fortifiable := func(e *facts.ELF) bool { return callsKnown(e) && e.Plain+e.Fortify > 0 }
	return q.elfs("dynamic ELF programs that call functions with checking variants", fortifiable, func(f *facts.File, e *facts.ELF) {
		if e.Fortify == 0 {
			q.found(at(f, "it calls none of the checking variants", "not fortified"))
		}
	})
}
