package audit

import (
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
)

// weigh says how much risk a file is, and why: the gravest finding decides; many of one
// grade do not make the next, but are told.
func weigh(r *Report) Risk {
	risk := Risk{Counts: map[harden.Severity]int{}, Reasons: []string{}}
	for _, f := range r.Findings {
		risk.Counts[f.Severity]++
		risk.Level = max(risk.Level, f.Severity)
	}
	for s := harden.Critical; s > harden.Info; s-- {
		if n := risk.Counts[s]; n > 0 && (s == risk.Level || s == harden.High) {
			risk.Reasons = append(risk.Reasons, fmt.Sprintf("%s: %s", count(n, s.String()+" finding"), subjects(r, s)))
		}
	}
	if lower := r.Count(harden.Low) - risk.Counts[risk.Level]; risk.Level > harden.Low && lower > 0 {
		risk.Reasons = append(risk.Reasons, count(lower, "further finding")+" of less weight")
	}
	if risk.Level <= harden.Low {
		risk.Reasons = append(risk.Reasons, "nothing was found that is a way in, or up")
	}
	if n := len(r.Missing); n > 0 {
		var names []string
		for _, m := range r.Missing {
			names = append(names, m.Subject)
		}
		risk.Reasons = append(risk.Reasons, "no instruction provides "+strings.Join(names, ", "))
	}
	if n := len(r.Good); n > 0 {
		risk.Reasons = append(risk.Reasons, fmt.Sprintf("on the other side: %s done well", count(n, "thing")))
	}
	return risk
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// subjects names the rules that findings of a severity break, each once.
func subjects(r *Report, s harden.Severity) string {
	var names []string
	seen := map[string]int{}
	for _, f := range r.Findings {
		if f.Severity != s {
			continue
		}
		if seen[f.Rule]++; seen[f.Rule] == 1 {
			names = append(names, f.Rule)
		}
	}
	for i, n := range names {
		if seen[n] > 1 {
			names[i] = fmt.Sprintf("%s (%d)", n, seen[n])
		}
	}
	return strings.Join(names, ", ")
}
