package text

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// date is date(1). Now is the image's time.
func date(_ context.Context, p *shell.Proc) (int, error) {
	opts, args, err := options(p, "d:f:I::r:Rs:u", "date:=d iso-8601::=I reference:=r rfc-email=R rfc-2822=R rfc-3339: set:=s utc=u universal=u debug")
	if err != nil {
		return 1, err
	}
	zone, err := timeZone(p)
	if err != nil {
		return 1, err
	}
	format, when, at := "%a %b %e %H:%M:%S %Z %Y", "", p.FS.Time
	for _, o := range opts {
		switch o.name {
		case "u":
			zone = time.UTC
		case "d":
			when = o.value
		case "r":
			n, err := p.FS.Stat(p.Path(o.value))
			if err != nil {
				return fail(p, o.value, err)
			}
			at = n.ModTime
		case "R":
			format = "%a, %d %b %Y %H:%M:%S %z"
		case "I", "rfc-3339":
			f, ok := isoFormats[o.name+o.value]
			if !ok {
				return p.Errorf("invalid argument '%s'", o.value)
			}
			format = f
		default:
			return 1, shell.Unsupported("date: option -%s", o.name)
		}
	}
	if len(args) > 1 || len(args) == 1 && !strings.HasPrefix(args[0], "+") {
		return 1, shell.Unsupported("date: operand %q", args[0])
	}
	if len(args) == 1 {
		format = args[0][1:]
	}
	t := time.Unix(at, 0).In(zone)
	if when != "" {
		if t, err = parseDate(when, t); err != nil {
			return 1, shell.Unsupported("date: the date %q", when)
		}
	}
	text, err := strftime(format, t)
	if err != nil {
		return 1, err
	}
	_, err = p.Stdout.Write([]byte(text + "\n"))
	return 0, err
}

var isoFormats = map[string]string{
	"I": "%Y-%m-%d", "Idate": "%Y-%m-%d", "Ihours": "%Y-%m-%dT%H%:z", "Iminutes": "%Y-%m-%dT%H:%M%:z",
	"Iseconds": "%Y-%m-%dT%H:%M:%S%:z", "Ins": "%Y-%m-%dT%H:%M:%S,%N%:z",
	"rfc-3339date": "%Y-%m-%d", "rfc-3339seconds": "%Y-%m-%d %H:%M:%S%:z", "rfc-3339ns": "%Y-%m-%d %H:%M:%S.%N%:z",
}

// timeZone returns the zone that TZ names, or that of the image. Zones are read from
// the image.
func timeZone(p *shell.Proc) (*time.Location, error) {
	name := strings.TrimPrefix(p.Getenv("TZ"), ":")
	file := path.Join("/usr/share/zoneinfo", name)
	switch {
	case name == "UTC" || name == "UTC0" || name == "GMT" || name == "GMT0":
		return time.FixedZone(strings.TrimSuffix(name, "0"), 0), nil
	case name == "":
		name, file = "Local", "/etc/localtime"
	case strings.HasPrefix(name, "/"):
		file = name
	}
	b, err := p.FS.ReadFile(file)
	if err != nil {
		return time.UTC, nil // as libc does
	}
	zone, err := time.LoadLocationFromTZData(name, b)
	if err != nil {
		return nil, shell.Unsupported("the time zone %s", name)
	}
	return zone, nil
}

var (
	dateForms = []string{
		"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05-0700",
		"2006-01-02T15:04:05", "2006-01-02 15:04:05-07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2006-01-02 MST", "20060102",
		"Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05 -0700", "Mon Jan 2 15:04:05 MST 2006",
		"Mon Jan _2 15:04:05 MST 2006", "2 Jan 2006", "Jan 2 2006", "Jan 2, 2006", "2 January 2006", "01/02/2006", "2006/01/02",
	}
	dateStep = regexp.MustCompile(`^([+-]?) ?(\d*) ?(second|sec|minute|min|hour|day|week|fortnight|month|year)s?( ago)?\s*`)
)

// parseDate reads the argument of -d: a date in one of the usual forms, or steps
// from now.
func parseDate(text string, now time.Time) (time.Time, error) {
	text = strings.Join(strings.Fields(text), " ")
	if at, ok := strings.CutPrefix(text, "@"); ok {
		seconds, err := strconv.ParseInt(at, 10, 64)
		return time.Unix(seconds, 0).In(now.Location()), err
	}
	for _, form := range dateForms {
		zoned := strings.HasSuffix(form, "MST") && !strings.HasSuffix(text, "UTC") && !strings.HasSuffix(text, "GMT")
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil && !zoned {
			return t.In(now.Location()), nil
		}
	}
	rest := text
	for rest != "" {
		var used int
		if now, used = dateStepFrom(rest, now); used == 0 {
			return now, fmt.Errorf("unknown date")
		}
		rest = strings.TrimLeft(rest[used:], " ")
	}
	return now, nil
}

// dateStepFrom takes one word or step, and returns how long it is.
func dateStepFrom(text string, t time.Time) (time.Time, int) {
	word, _, _ := strings.Cut(text, " ")
	if days, ok := map[string]int{"now": 0, "today": 0, "yesterday": -1, "tomorrow": 1}[word]; ok {
		return t.AddDate(0, 0, days), len(word)
	}
	if at, ok := strings.CutPrefix(word, "@"); ok {
		if seconds, err := strconv.ParseInt(at, 10, 64); err == nil {
			return time.Unix(seconds, 0).In(t.Location()), len(word)
		}
	}
	if len(word) == 10 {
		if d, err := time.ParseInLocation("2006-01-02", word, t.Location()); err == nil {
			return d, len(word)
		}
	}
	m := dateStep.FindStringSubmatch(text)
	if m == nil {
		return t, 0
	}
	n := 1
	if m[2] != "" {
		n, _ = strconv.Atoi(m[2])
	}
	if (m[1] == "-") != (m[4] != "") {
		n = -n
	}
	switch m[3] {
	case "second", "sec":
		t = t.Add(time.Duration(n) * time.Second)
	case "minute", "min":
		t = t.Add(time.Duration(n) * time.Minute)
	case "hour":
		t = t.Add(time.Duration(n) * time.Hour)
	case "day":
		t = t.AddDate(0, 0, n)
	case "week":
		t = t.AddDate(0, 0, 7*n)
	case "fortnight":
		t = t.AddDate(0, 0, 14*n)
	case "month":
		t = t.AddDate(0, n, 0)
	case "year":
		t = t.AddDate(n, 0, 0)
	}
	return t, len(m[0])
}

// strftime formats a time as strftime(3) does in the locale C, with GNU's flags.
func strftime(format string, t time.Time) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		from := i
		for i < len(format)-1 && strings.IndexByte("_-0^#+:EO123456789", format[i]) >= 0 {
			i++
		}
		text, err := timeField(format[from:i], format[i], t)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// timeNumbers are the fields that are numbers: how wide, how filled.
var timeNumbers = map[byte]struct {
	width int
	pad   byte
	value func(t time.Time) int
}{
	'Y': {0, '0', time.Time.Year},
	'C': {2, '0', func(t time.Time) int { return t.Year() / 100 }},
	'y': {2, '0', func(t time.Time) int { return t.Year() % 100 }},
	'm': {2, '0', func(t time.Time) int { return int(t.Month()) }},
	'd': {2, '0', time.Time.Day},
	'e': {2, ' ', time.Time.Day},
	'H': {2, '0', time.Time.Hour},
	'k': {2, ' ', time.Time.Hour},
	'I': {2, '0', func(t time.Time) int { return (t.Hour()+11)%12 + 1 }},
	'l': {2, ' ', func(t time.Time) int { return (t.Hour()+11)%12 + 1 }},
	'M': {2, '0', time.Time.Minute},
	'S': {2, '0', time.Time.Second},
	'N': {9, '0', time.Time.Nanosecond},
	'j': {3, '0', time.Time.YearDay},
	's': {0, '0', func(t time.Time) int { return int(t.Unix()) }},
	'u': {0, '0', func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }},
	'w': {0, '0', func(t time.Time) int { return int(t.Weekday()) }},
	'U': {2, '0', func(t time.Time) int { return (t.YearDay() + 6 - int(t.Weekday())) / 7 }},
	'W': {2, '0', func(t time.Time) int { return (t.YearDay() + 6 - (int(t.Weekday())+6)%7) / 7 }},
	'V': {2, '0', func(t time.Time) int { _, w := t.ISOWeek(); return w }},
	'G': {0, '0', func(t time.Time) int { y, _ := t.ISOWeek(); return y }},
	'g': {2, '0', func(t time.Time) int { y, _ := t.ISOWeek(); return y % 100 }},
}

// timeTexts are the fields that are made of others.
var timeTexts = map[byte]string{
	'D': "%m/%d/%y", 'x': "%m/%d/%y", 'F': "%Y-%m-%d", 'T': "%H:%M:%S", 'X': "%H:%M:%S", 'R': "%H:%M",
	'r': "%I:%M:%S %p", 'c': "%a %b %e %H:%M:%S %Y", 'n': "\n", 't': "\t", '%': "%",
}

// timeNames are the fields that are texts, in the language of package time.
var timeNames = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'p': "PM", 'P': "pm", 'Z': "MST", 'z': "-0700",
}

func timeField(flags string, name byte, t time.Time) (string, error) {
	if _, ok := timeNumbers[name]; ok {
		return timeNumber(flags, name, t), nil
	}
	form, ok := timeNames[name]
	if !ok {
		form, ok := timeTexts[name]
		switch {
		case !ok || strings.Trim(flags, "^#") != "":
			return "", shell.Unsupported("date: the field %%%s%c", flags, name)
		case name == '%':
			return "%", nil
		}
		return strftime(form, t)
	}
	if name == 'z' && strings.Contains(flags, ":") {
		form = "-07:00"
	}
	text := t.Format(form)
	if strings.Contains(flags, "^") {
		text = strings.ToUpper(text)
	}
	return text, nil
}

func timeNumber(flags string, name byte, t time.Time) string {
	n := timeNumbers[name]
	width, pad := n.width, n.pad
	for _, f := range []byte(flags) {
		switch {
		case f == '-':
			width = 0
		case f == '_':
			pad = ' '
		case f == '0':
			pad = '0'
		case f >= '1' && f <= '9':
			width = int(f - '0')
		}
	}
	text := strconv.Itoa(n.value(t))
	if name == 'N' {
		text = fmt.Sprintf("%09d", n.value(t))[:max(width, 1)]
	}
	return strings.Repeat(string(rune(pad)), max(width-len(text), 0)) + text
}
