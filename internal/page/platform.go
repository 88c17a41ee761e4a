package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/diff"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/inventory"
)

// platform is the part of the page about one platform.
type platform struct {
	ID       string // of its section
	Index    int
	Name     string
	Failed   bool // by the gate
	Breaking int  // rules that the gate minds
	Counts   []tally
	Bar      []segment
	Facts    []fact
	Groups   []group
	Unused   []check.Waiver
	Packages []inventory.Package
	Unlisted int   // packages beyond those
	Sized    int64 // bytes of all packages
	By       string
	Layers   []layer
	Size     int64
	Unpacked int64
	Paths    int
	Against  *changes
	Rules    int
}

// tally is how many rules came out one way.
type tally struct {
	Name  string
	Class string
	N     int
}

// segment is a part of a bar of a thousand units.
type segment struct {
	Class    string
	X, Width int
}

// fact is a line of the summary.
type fact struct {
	Name   string
	Values []string
	Code   bool
	Long   bool // behind a disclosure
}

// group is the rules that came out one way.
type group struct {
	Status  check.Status
	Name    string
	Note    string
	Results []check.Result
	Closed  bool
}

// maxPackages is how many packages are listed, several times as many as images have.
const maxPackages = 5000

func newPlatform(i int, s Subject, o Options) *platform {
	r, inv := s.Report, s.Inventory
	p := &platform{
		ID: fmt.Sprintf("p%d", i), Index: i, Name: r.Platform, Unused: r.Unused, Rules: len(r.Results),
		Packages: inv.Packages[:min(len(inv.Packages), maxPackages)], Unlisted: max(len(inv.Packages)-maxPackages, 0), By: inv.By, Paths: r.Paths, Unpacked: r.Size,
	}
	if o.Gated {
		for severity := o.Least; severity <= harden.Critical; severity++ {
			p.Breaking += r.Failures(severity)
		}
		p.Failed = p.Breaking > 0
	}
	for severity := harden.Critical; ; severity-- {
		p.Counts = append(p.Counts, tally{severity.String(), severity.String(), r.Failures(severity)})
		if severity == harden.Info {
			break
		}
	}
	p.Counts = append(p.Counts, tally{"waived", "waived", r.Count(check.Waived)}, tally{"passed", "passed", r.Count(check.Passed)}, tally{"n/a", "na", r.Count(check.NotApplicable)})
	p.Bar = bar(p.Counts)
	p.Groups = groups(r)
	for _, pkg := range inv.Packages {
		p.Sized += pkg.Size
	}
	p.layers(inv)
	p.Facts = summary(r, inv, p.Size)
	if s.Against != nil {
		p.Against = newChanges(s.Against)
	}
	return p
}

// barUnits is how wide a bar is, in units of its own.
const barUnits = 1000

func bar(counts []tally) (list []segment) {
	total, at := 0, 0
	for _, c := range counts {
		total += c.N
	}
	for _, c := range counts {
		if c.N == 0 {
			continue
		}
		width := c.N * barUnits / total
		list = append(list, segment{c.Class, at, width})
		at += width
	}
	if len(list) > 0 {
		list[len(list)-1].Width += barUnits - at
	}
	return list
}

// groups sorts the answers: what is broken first, the gravest first.
func groups(r *check.Report) (list []group) {
	for _, g := range []group{
		{check.Failed, "Failed", "", nil, false},
		{check.Waived, "Waived", "All that these rules found is let pass by a waiver, for the reason given.", nil, false},
		{check.Passed, "Passed", "", nil, true},
		{check.NotApplicable, "Not applicable", "These could not be asked of this image. They did not pass.", nil, true},
	} {
		for _, result := range r.Results {
			if result.Status == g.Status {
				g.Results = append(g.Results, result)
			}
		}
		slices.SortStableFunc(g.Results, func(a, b check.Result) int { return cmp.Compare(b.Severity, a.Severity) })
		if len(g.Results) > 0 {
			list = append(list, g)
		}
	}
	return list
}

// summary is what the image says of itself.
func summary(r *check.Report, inv *inventory.Inventory, pulled int64) (list []fact) {
	img := inv.Image
	c := &img.Config
	say := func(name, value string, code bool) {
		if value != "" {
			list = append(list, fact{Name: name, Values: []string{shown(value)}, Code: code})
		}
	}
	say("Digest", r.Digest, true)
	say("Size", fmt.Sprintf("%s to pull, %s unpacked", size(pulled), size(r.Size)), false)
	say("Contents", fmt.Sprintf("%s, %s, %s", count(len(inv.Packages), "package"), count(r.Paths, "path"), count(len(img.Layers), "layer")), false)
	say("Distribution", strings.TrimSpace(cmp.Or(img.Release("PRETTY_NAME"), img.Release("ID")+" "+img.Release("VERSION_ID"))), false)
	say("Created", created(img.Created(), r.Date), false)
	say("Built by", builtBy(inv), false)
	say("Runs as", runsAs(inv), false)
	say("Entrypoint", check.ShownText(diff.Words(c.Entrypoint)), true)
	say("Command", check.ShownText(diff.Words(c.Cmd)), true)
	say("Working directory", c.WorkingDir, true)
	say("Ports", strings.Join(slices.Sorted(slices.Values(c.ExposedPorts)), " "), true)
	say("Volumes", strings.Join(slices.Sorted(slices.Values(c.Volumes)), " "), true)
	if h := c.Healthcheck; h != nil {
		say("Health check", check.ShownText(diff.Words(h.Test)), true)
	}
	say("Stop signal", c.StopSignal, true)
	var env, labels []string
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		env = append(env, shown(name+"="+check.ShownVariable(name, value)))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		labels = append(labels, shown(key+"="+check.ShownVariable(key, c.Labels[key])))
	}
	for _, f := range []fact{{"Environment", env, true, true}, {"Labels", labels, true, true}} {
		if len(f.Values) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// created says when, and how long ago on the day of the report.
func created(t time.Time, day string) string {
	if t.IsZero() {
		return "the image does not say when"
	}
	text := t.UTC().Format(time.DateOnly)
	if now, err := time.Parse(time.DateOnly, day); err == nil && !now.Before(t.UTC().Truncate(24*time.Hour)) {
		text += ", " + count(int(now.Sub(t.UTC().Truncate(24*time.Hour))/(24*time.Hour)), "day") + " ago"
	}
	return text
}

func builtBy(inv *inventory.Inventory) string {
	rec := inv.Image.Record
	if rec == nil {
		return "not hardpan: origins are those that its package database tells"
	}
	return fmt.Sprintf("hardpan, %s %s, hardening profile %s", rec.Name, rec.Version, cmp.Or(rec.Profile, "none"))
}

// runsAs says who runs the image, by number and name.
func runsAs(inv *inventory.Inventory) string {
	r := inv.Image.Runner()
	if r.UID < 0 {
		return fmt.Sprintf("%s, which /etc/passwd does not have", r.Named)
	}
	text := fmt.Sprintf("%d:%d", r.UID, r.GID)
	if r.Account != nil {
		text += " (" + r.Account.Name + ")"
	}
	if r.UID == 0 && inv.Image.Config.User == "" {
		text += ", since the config names no user"
	}
	return text
}
