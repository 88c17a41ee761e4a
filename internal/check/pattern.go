package check

import (
	"regexp"
	"sync"
)

// A pattern is a regular expression that is compiled when it is first asked, so that
// verbs which judge nothing do not pay for it at their start.
type pattern struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

func compiled(text string) *pattern { return &pattern{text: text} }

func (p *pattern) get() *regexp.Regexp {
	p.once.Do(func() { p.re = regexp.MustCompile(p.text) })
	return p.re
}

// MatchString is that of [regexp.Regexp].
func (p *pattern) MatchString(s string) bool { return p.get().MatchString(s) }
