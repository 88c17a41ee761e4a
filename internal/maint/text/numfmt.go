package text

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// numfmt is numfmt(1) for the first field, without a format.
func numfmt(_ context.Context, p *shell.Proc) (int, error) {
	opts, args, err := options(p, "d:", "from: to: suffix: padding: delimiter:=d")
	if err != nil {
		return 1, err
	}
	n := numberFormat{from: "none", to: "none"}
	for _, o := range opts {
		switch o.name {
		case "from":
			n.from = o.value
		case "to":
			n.to = o.value
		case "suffix":
			n.suffix = o.value
		case "padding":
			if n.padding, err = strconv.Atoi(o.value); err != nil {
				return p.Errorf("invalid padding value '%s'", o.value)
			}
		default:
			return 1, shell.Unsupported("numfmt: option %s", o.name)
		}
	}
	if _, ok := numberBases[n.from]; !ok || numberBases[n.to] == 0 || n.to == "auto" {
		return 1, shell.Unsupported("numfmt: --from=%s --to=%s", n.from, n.to)
	}
	if len(args) == 0 {
		b, err := read(p, "-")
		if err != nil {
			return 1, err
		}
		lines, _ := splitLines(b, '\n')
		for _, line := range lines {
			args = append(args, string(line))
		}
	}
	w := buffered(p)
	for _, arg := range args {
		first, rest, more := strings.Cut(strings.TrimLeft(arg, " \t"), " ")
		text, err := n.convert(first)
		if err != nil {
			if err := w.Flush(); err != nil {
				return 1, err
			}
			_, err := p.Errorf("invalid number: '%s'", first)
			return 2, err
		}
		if more {
			text += " " + rest
		}
		w.WriteString(text + "\n")
	}
	return finish(w, 0)
}

var numberBases = map[string]float64{"none": 1, "si": 1000, "iec": 1024, "iec-i": 1024, "auto": 1000}

const numberSuffixes = "KMGTPEZY"

type numberFormat struct {
	from, to, suffix string
	padding          int
}

func (n numberFormat) convert(text string) (string, error) {
	text = strings.TrimSuffix(text, n.suffix)
	value, err := n.parse(text)
	if err != nil {
		return "", err
	}
	out := strconv.FormatFloat(value, 'f', -1, 64)
	if n.to != "none" {
		out = n.scaled(value)
	}
	out += n.suffix
	if n.padding < 0 {
		return fmt.Sprintf("%-*s", -n.padding, out), nil
	}
	return fmt.Sprintf("%*s", n.padding, out), nil
}

func (n numberFormat) parse(text string) (float64, error) {
	digits := strings.TrimRight(text, numberSuffixes+"i")
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		return 0, fmt.Errorf("invalid number")
	}
	unit := text[len(digits):]
	if unit == "" {
		return value, nil
	}
	power := strings.IndexByte(numberSuffixes, unit[0]) + 1
	base := numberBases[n.from]
	switch {
	case n.from == "none", power == 0, len(unit) > 2, len(unit) == 2 && (unit[1] != 'i' || n.from == "si" || n.from == "iec"), len(unit) == 1 && n.from == "iec-i":
		return 0, fmt.Errorf("invalid suffix")
	case n.from == "auto" && len(unit) == 2:
		base = 1024
	}
	return value * math.Pow(base, float64(power)), nil
}

// scaled writes a number with a suffix, rounded away from zero.
func (n numberFormat) scaled(value float64) string {
	base := numberBases[n.to]
	power := 0
	for math.Abs(value) >= base && power < len(numberSuffixes) {
		value /= base
		power++
	}
	round := func(v float64) float64 { return math.Copysign(math.Ceil(math.Abs(v)-1e-9), v) }
	if power == 0 {
		return strconv.FormatFloat(round(value), 'f', -1, 64)
	}
	if math.Abs(value) < 10 {
		value = round(value*10) / 10
	} else {
		value = round(value)
	}
	if math.Abs(value) >= base && power < len(numberSuffixes) {
		value /= base
		power++
	}
	places := 0
	if math.Abs(value) < 10 {
		places = 1
	}
	unit := numberSuffixes[power-1 : power]
	if n.to == "iec-i" {
		unit += "i"
	}
	return strconv.FormatFloat(value, 'f', places, 64) + unit
}

// stringsCommand is strings(1).
func stringsCommand(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "an:f", "all=a bytes:=n print-file-name=f")
	if err != nil {
		return 1, err
	}
	least, prefix := 4, false
	for _, o := range opts {
		switch o.name {
		case "n":
			if least, err = strconv.Atoi(o.value); err != nil || least < 1 {
				return p.Errorf("invalid minimum string length %s", o.value)
			}
		case "f":
			prefix = true
		}
	}
	w := buffered(p)
	status, err := each(p, names, func(name string, b []byte) error {
		from := 0
		for i := 0; i <= len(b); i++ {
			if i < len(b) && (b[i] == '\t' || b[i] >= ' ' && b[i] <= '~') {
				continue
			}
			if i-from >= least {
				if prefix {
					w.WriteString(name + ": ")
				}
				w.Write(b[from:i])
				w.WriteByte('\n')
			}
			from = i + 1
		}
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}
