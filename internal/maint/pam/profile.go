package pam

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// profile is one file of /usr/share/pam-configs.
type profile struct {
	fields    map[string]string
	priority  int
	conflicts []string
	disabled  bool // for it has a module that is no more
}

var profileField = regexp.MustCompile(`^(\S+):(?:\s+(.*))?$`)

// noMore are modules that PAM does not have any longer.
var noMore = []string{"pam_tally"}

// parseProfile reads a profile as pam-auth-update does.
func parseProfile(text string) profile {
	p := profile{fields: map[string]string{}}
	field := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := profileField.FindStringSubmatch(line); m != nil {
			field = strings.TrimSuffix(m[1], "-Final")
			if field == "Conflicts" {
				p.conflicts = append(p.conflicts, strings.Split(m[2], ", ")...)
			} else {
				p.fields[field] = m[2]
			}
			continue
		}
		v := p.fields[field]
		if line = strings.TrimSpace(line); line != "" && line != "0" {
			v += "\n" + line
		}
		p.disabled = p.disabled || slices.ContainsFunc(noMore, func(m string) bool { return strings.Contains(v, m) })
		p.fields[field] = strings.TrimLeft(v, " \t\n\r")
	}
	p.priority, _ = strconv.Atoi(strings.TrimSpace(p.fields["Priority"])) // 0 where there is none
	if p.fields["Session-Interactive-Only"] != "yes" {
		for _, suffix := range []string{"-Type", "", "-Initial"} {
			if v, ok := p.fields["Session"+suffix]; ok {
				p.fields["Session-noninteractive"+suffix] = v
			}
		}
	}
	return p
}

// lines are the configuration lines of a profile for one file; the first profile
// of a block may have others.
func (p profile) lines(kind string, first bool) []string {
	text := p.fields[kind]
	if initial := p.fields[kind+"-Initial"]; first && initial != "" {
		text = initial
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// The marks in a file of /etc/pam.d that pam-auth-update keeps up to date.
const (
	markPrimary    = `# here are the per-package modules (the "Primary" block)`
	markFallback   = "# here's the fallback if no module succeeds"
	markAdditional = `# and here are more per-package modules (the "Additional" block)`
	markEnd        = "# end of pam-auth-update config"
)

// difference is how the files are not what was written last.
type difference struct {
	profiles []string // whose lines are still there
	kinds    map[string]change
}

// change has, by the first words of a line, the options that were added and removed.
type change struct{ add, remove map[string]map[string]bool }

var (
	jump    = regexp.MustCompile(`(\[[^0-9]*)[0-9]+(.*\])`)
	jumpEnd = regexp.MustCompile(`(\[.*)end(.*\])`)
	oneLine = regexp.MustCompile(`^((?:\[[^\]]+\]|\w+)\s+\S+)\s*(.*)`)
)

// saved is one line of a file in /var/lib/pam.
type saved struct{ profile, line string }

// readSaved reads a file of /var/lib/pam, without the numbers of jumps.
func readSaved(text string) []saved {
	var all []saved
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if module, ok := strings.CutPrefix(line, "Module: "); ok {
			name = module
			continue
		}
		line = jumpEnd.ReplaceAllString(jump.ReplaceAllString(line, "$1$2"), "$1$2")
		all = append(all, saved{name, line})
	}
	return all
}

// difference compares the files with what was written last. It is nil where there
// is nothing to compare with, or a line that did not come from a profile.
func (u *update) difference() (*difference, error) {
	d := &difference{kinds: map[string]change{}}
	for _, kind := range kinds {
		last, err := u.FS.ReadFile(saveDir + "/" + kind)
		if err != nil {
			return nil, nil
		}
		current, err := u.FS.ReadFile(confDir + "/common-" + kind)
		if err != nil {
			return nil, nil
		}
		c := change{map[string]map[string]bool{}, map[string]map[string]bool{}}
		if !d.compare(c, kind, readSaved(string(last)), string(current)) {
			return nil, nil
		}
		d.kinds[kind] = c
	}
	return d, nil
}

// compare compares one file. ok says that it is understood.
func (d *difference) compare(c change, kind string, rest []saved, current string) (ok bool) {
	kind = strings.TrimSuffix(kind, "-noninteractive")
	state := 0
	for line := range strings.Lines(current) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case state == 0 && strings.HasPrefix(line, markPrimary), state == 2 && strings.HasPrefix(line, markAdditional):
			state++
			continue
		case state == 0 || state == 2:
			continue
		case state == 1 && strings.HasPrefix(line, markFallback):
			state = 2
			continue
		case state == 3 && strings.HasPrefix(line, markEnd):
			return true
		}
		if tail, ok := strings.CutPrefix(line, kind); ok && tail != strings.TrimLeft(tail, " \t") {
			line = strings.TrimLeft(tail, " \t")
		}
		if rest, ok = d.match(c, jump.ReplaceAllString(line, "$1$2"), rest); !ok {
			return false
		}
	}
	return state == 3
}

// match finds the saved line that a present one was made from, and notes how its
// options changed. It returns the saved lines after it.
func (d *difference) match(c change, line string, rest []saved) ([]saved, bool) {
	for i, s := range rest {
		m := oneLine.FindStringSubmatch(s.line)
		if m == nil || !strings.HasPrefix(line, m[1]) {
			continue
		}
		d.profiles = append(d.profiles, s.profile)
		before, now := strings.Fields(m[2]), strings.Fields(line[len(m[1]):])
		note(c.add, m[1], now, before)
		note(c.remove, m[1], before, now)
		return rest[i+1:], true
	}
	return nil, false
}

// note puts the options that are in one list and not in the other into a set.
func note(set map[string]map[string]bool, key string, in, notIn []string) {
	for _, o := range in {
		if slices.Contains(notIn, o) {
			continue
		}
		if set[key] == nil {
			set[key] = map[string]bool{}
		}
		set[key][o] = true
	}
}
