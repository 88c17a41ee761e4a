package audit

import (
	"cmp"
	"slices"

	"github.com/hardpan/hardpan/internal/harden"
)

// Report is what is to be said of one file.
type Report struct {
	File   string `json:"file"` // as it was named
	Kind   string `json:"kind"` // "dockerfile" or "spec"
	SHA256 string `json:"sha256"`
	// Image is what the file makes, in a line: base and stages, or name and version.
	Image     string    `json:"image"`
	Risk      Risk      `json:"risk"`
	Findings  []Finding `json:"findings"`
	Good      []Remark  `json:"good"`      // what is done well
	Missing   []Remark  `json:"missing"`   // what no instruction does, and who could
	NotJudged []Remark  `json:"notJudged"` // what cannot be known without a build
}

// Risk is the judgement of the whole.
type Risk struct {
	Level   harden.Severity         `json:"level"`
	Counts  map[harden.Severity]int `json:"counts"` // findings of each severity
	Reasons []string                `json:"reasons"`
}

// Finding is one place that breaks a rule.
type Finding struct {
	Rule     string           `json:"rule"`
	Title    string           `json:"title"` // what holds of a file that keeps the rule
	Severity harden.Severity  `json:"severity"`
	Score    Score            `json:"score"`
	CWE      string           `json:"cwe,omitempty"` // CWE-732
	Line     int              `json:"line"`          // 0 where no line is at fault
	Column   int              `json:"column,omitempty"`
	End      int              `json:"endLine,omitempty"` // of the instruction
	Stage    string           `json:"stage,omitempty"`
	Found    string           `json:"found"`              // what is there
	Evidence string           `json:"evidence,omitempty"` // the text that shows it
	Risk     string           `json:"risk"`
	Fix      string           `json:"remediation"`
	Controls []harden.Control `json:"controls"`
}

// Score is a CVSS v3.1 base score (FIRST, CVSS v3.1 specification, section 7).
type Score struct {
	Vector string  `json:"vector"`
	Number float64 `json:"number"`
}

// Remark is something that no rule is broken by.
type Remark struct {
	Subject  string           `json:"subject"` // a word or two
	Text     string           `json:"text"`
	Line     int              `json:"line,omitempty"`
	Controls []harden.Control `json:"controls,omitempty"`
}

// Count returns how many findings have the severity or a graver one.
func (r *Report) Count(least harden.Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity >= least {
			n++
		}
	}
	return n
}

// finish sorts the findings, the gravest first, and weighs them.
func (r *Report) finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Score.Number, a.Score.Number), cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Found, b.Found))
	})
	r.Findings = slices.CompactFunc(r.Findings, func(a, b Finding) bool {
		return a.Rule == b.Rule && a.Line == b.Line && a.Found == b.Found
	})
	for _, list := range []*[]Remark{&r.Good, &r.Missing, &r.NotJudged} {
		if *list == nil {
			*list = []Remark{}
		}
	}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	r.Risk = weigh(r)
}
