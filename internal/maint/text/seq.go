package text

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var (
	seqNumber = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)(e\d\d?)?$`)
	seqFormat = regexp.MustCompile(`^([^%]|%%)*%[-+ #0']*\d*(\.\d+)?[efgEFG]([^%]|%%)*$`)
)

// seq is seq(1).
func seq(_ context.Context, p *shell.Proc) (int, error) {
	p.Args = negativeOperands(p.Args)
	opts, args, err := options(p, "+f:s:w", "format:=f separator:=s equal-width=w")
	if err != nil {
		return 1, err
	}
	format, separator, equal := "", "\n", false
	for _, o := range opts {
		switch o.name {
		case "f":
			format = o.value
			if !seqFormat.MatchString(format) {
				return 1, shell.Unsupported("seq: format %q", format)
			}
		case "s":
			separator = o.value
		case "w":
			equal = true
		}
	}
	if len(args) == 0 || len(args) > 3 {
		return p.Errorf("missing or extra operand")
	}
	s := series{first: "1", step: "1", last: args[len(args)-1]}
	if len(args) > 1 {
		s.first = args[0]
	}
	if len(args) == 3 {
		s.step = args[1]
	}
	for _, n := range []string{s.first, s.step, s.last} {
		if !seqNumber.MatchString(n) {
			return p.Errorf("invalid floating point argument: '%s'", n)
		}
	}
	return s.print(p, format, separator, equal)
}

// negativeOperands keeps negative numbers from being read as options.
func negativeOperands(args []string) []string {
	for i, a := range args[1:] {
		if a == "--" || a == "" || a[0] != '-' {
			break
		}
		if seqNumber.MatchString(a) {
			return append(append(args[:i+1:i+1], "--"), args[i+1:]...)
		}
		if a == "-s" || a == "-f" {
			break
		}
	}
	return args
}

// series are the numbers to print, as they were written.
type series struct{ first, step, last string }

func (s series) print(p *shell.Proc, format, separator string, equal bool) (int, error) {
	places := max(decimals(s.first), decimals(s.step))
	first, _ := strconv.ParseFloat(s.first, 64)
	step, _ := strconv.ParseFloat(s.step, 64)
	last, _ := strconv.ParseFloat(s.last, 64)
	if step == 0 {
		return p.Errorf("invalid Zero increment value: '%s'", s.step)
	}
	count := math.Floor((last-first)/step + 1e-9)
	if count > 1e8 {
		return 1, &shell.LimitError{What: fmt.Sprintf("seq: %.0f numbers", count)}
	}
	width := 0
	if equal {
		width = max(len(fmt.Sprintf("%.*f", places, first)), len(fmt.Sprintf("%.*f", places, first+count*step)))
		width = max(width, len(fmt.Sprintf("%.*f", places, math.Trunc(last))))
	}
	w := buffered(p)
	for i := 0; float64(i) <= count; i++ {
		if i > 0 {
			w.WriteString(separator)
		}
		v := first + float64(i)*step
		if format != "" {
			fmt.Fprintf(w, strings.Replace(format, "'", "", 1), v)
		} else {
			fmt.Fprintf(w, "%0*.*f", width, places, v)
		}
		if _, err := w.Write(nil); err != nil {
			return 1, err
		}
	}
	if count >= 0 {
		w.WriteByte('\n')
	}
	return finish(w, 0)
}

func decimals(number string) int {
	number, _, _ = strings.Cut(number, "e")
	_, fraction, _ := strings.Cut(number, ".")
	return len(fraction)
}
