package files

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var touch = program("a c|no-create d|date= f h|no-dereference m r|reference= t= time=", (*job).touch)

// touch is touch(1).
func (j *job) touch(context.Context) error {
	if len(j.Operands) == 0 {
		return j.missing()
	}
	at := j.FS.Time
	var err error
	switch j.Last("date", "t", "reference") {
	case "reference":
		n, err := j.stat(j.Value("reference"))
		if j.Has("no-dereference") {
			n, err = j.lstat(j.Value("reference"))
		}
		if err != nil {
			return j.fail(err, "failed to get attributes of '%s'", j.Value("reference"))
		}
		at = n.ModTime
	case "t":
		if at, err = parseStamp(j.Value("t"), j.FS.Time); err != nil {
			return j.usage("invalid date format '%s'", j.Value("t"))
		}
	}
	if j.Has("date") {
		if at, err = parseDate(j.Value("date"), at); err != nil {
			return err
		}
	}
	for _, name := range j.Operands {
		if err := j.touchFile(name, at); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) touchFile(name string, at int64) error {
	follow := !j.Has("no-dereference")
	if name == "-" {
		return nil // the standard output, which is no file here
	}
	look := j.FS.Lstat
	if follow {
		look = j.FS.Stat
	}
	if _, err := look(j.Path(name)); err != nil {
		switch {
		case errors.Is(err, syscall.ENOTDIR) && strings.HasSuffix(name, "/"):
			return j.fail(err, "setting times of '%s'", name)
		case !errors.Is(err, syscall.ENOENT):
			return j.fail(err, "cannot touch '%s'", name)
		case j.Has("no-create"):
			return nil
		case !follow:
			return j.fail(err, "setting times of '%s'", name)
		}
		w, err := j.FS.Create(j.Path(name), 0o666&^j.Umask)
		if err != nil {
			return j.fail(err, "cannot touch '%s'", name)
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	if j.Has("a") && !j.Has("m") || strings.HasPrefix(j.Value("time"), "a") {
		return nil // files have no time of access here
	}
	return j.fail(j.FS.Touch(j.Path(name), at, follow), "setting times of '%s'", name)
}

// parseStamp reads [[CC]YY]MMDDhhmm[.ss], in UTC.
func parseStamp(s string, now int64) (int64, error) {
	digits, seconds, has := strings.Cut(s, ".")
	if !has {
		seconds = "00"
	}
	switch len(digits) {
	case 8:
		digits = strconv.Itoa(time.Unix(now, 0).UTC().Year()) + digits
	case 10:
		century := "20"
		if digits >= "69" {
			century = "19"
		}
		digits = century + digits
	}
	t, err := time.Parse("20060102150405", digits+seconds)
	return t.Unix(), err
}

// dateForms are the forms of a date that are read, as GNU's parse_datetime does.
var dateForms = []string{
	"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04 MST", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05-0700",
	"2006-01-02 15:04:05Z07:00", "20060102", "2006-01-02 MST",
	"Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 MST", "Mon Jan _2 15:04:05 MST 2006", "2 Jan 2006", "Jan 2 2006",
}

// parseDate reads a date as date(1) takes it; the time zone is UTC. now is the time
// that "now" means.
func parseDate(s string, now int64) (int64, error) {
	s = strings.TrimSpace(s)
	if unix, ok := strings.CutPrefix(s, "@"); ok {
		whole, _, _ := strings.Cut(unix, ".")
		if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
			return n, nil
		}
	}
	day := now - now%86400
	switch strings.ToLower(s) {
	case "now", "today", "":
		return now, nil
	case "yesterday":
		return now - 86400, nil
	case "tomorrow":
		return now + 86400, nil
	case "0", "00:00", "midnight":
		return day, nil
	}
	for _, form := range dateForms {
		t, err := time.Parse(form, s)
		if err == nil && (!strings.Contains(form, "MST") || strings.Contains(s, "UTC") || strings.Contains(s, "GMT")) {
			return t.Unix(), nil
		}
	}
	return 0, shell.Unsupported("the date %q", s)
}
