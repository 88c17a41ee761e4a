package check

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/hardpan/hardpan/internal/harden"
)

// Profile chooses rules, their severities and limits. The zero value has all rules.
type Profile struct {
	Name       string
	Only       func(*harden.Rule) bool
	Severities map[string]harden.Severity // by rule
	Off        map[string]bool
	Limits     Limits
	Waive      []Waiver
}

// Limits are what budgets are held against. Zero is the default.
type Limits struct {
	Size     int64         // bytes of all layers, unpacked; default 1 GB
	Packages int           // of the distribution; default 150
	Age      time.Duration // of the image; default 180 days
}

// The profiles that need no file.
var profiles = map[string]func(*harden.Rule) bool{
	"all":          func(*harden.Rule) bool { return true },
	"cis":          func(r *harden.Rule) bool { return r.Controls.CIS != "" },
	"nist-800-190": func(r *harden.Rule) bool { return r.Controls.NIST != "" },
	"disa":         func(r *harden.Rule) bool { return r.Controls.CCI != "" },
	"strict":       func(*harden.Rule) bool { return true },
}

// ProfileNames returns the names of the profiles that need no file.
func ProfileNames() []string { return slices.Sorted(maps.Keys(profiles)) }

// ProfileOf returns the profile of that name. Profile strict asks what all asks, and
// takes some of it more seriously.
func ProfileOf(name string) (Profile, bool) {
	only, ok := profiles[name]
	if !ok {
		return Profile{}, false
	}
	p := Profile{Name: name, Only: only}
	if name == "strict" {
		p.Severities = map[string]harden.Severity{}
		for i := range harden.Rules {
			if r := &harden.Rules[i]; strictly[r.ID] > r.Severity {
				p.Severities[r.ID] = strictly[r.ID]
			}
		}
	}
	return p, true
}

// strictly is what the profile strict takes more seriously.
var strictly = map[string]harden.Severity{
	"healthcheck-missing": harden.Low, "labels-missing": harden.Low, "unexplained-file": harden.Medium, "size-budget": harden.Low, "package-budget": harden.Low,
	"signature-missing": harden.High, "sbom-missing": harden.Medium, "provenance-missing": harden.Medium, "interpreter-present": harden.Medium,
}

func (p Profile) orAll() Profile {
	if p.Only == nil {
		p.Only = profiles["all"]
	}
	if p.Name == "" {
		p.Name = "all"
	}
	if p.Limits.Size == 0 {
		p.Limits.Size = 1e9
	}
	if p.Limits.Packages == 0 {
		p.Limits.Packages = 150
	}
	if p.Limits.Age == 0 {
		p.Limits.Age = 180 * 24 * time.Hour
	}
	return p
}

func (p Profile) severity(r *harden.Rule) (harden.Severity, bool) {
	if p.Off[r.ID] || !p.Only(r) {
		return 0, false
	}
	if s, ok := p.Severities[r.ID]; ok {
		return s, true
	}
	return r.Severity, true
}

// profileFile is a profile as a file has it.
type profileFile struct {
	Name   string            `yaml:"name"`
	Start  string            `yaml:"extends"`
	Rules  map[string]string `yaml:"rules"` // by name: a severity, or "off"
	Limits struct {
		Size     string `yaml:"size"`
		Packages int    `yaml:"packages"`
		Age      string `yaml:"age"`
	} `yaml:"limits"`
	Waive []Waiver `yaml:"waive"`
}

// ErrFile is wrapped by errors about a file of a profile or of waivers.
var ErrFile = errors.New("not a valid file")

// ParseProfile reads a profile. name is the file's, for errors.
func ParseProfile(name string, text []byte) (Profile, error) {
	var f profileFile
	if err := decode(name, text, &f); err != nil {
		return Profile{}, err
	}
	start := f.Start
	if start == "" {
		start = "all"
	}
	p, ok := ProfileOf(start)
	if !ok {
		return p, fmt.Errorf("%w: %s: extends: %q is not known, expected one of %s", ErrFile, name, start, strings.Join(ProfileNames(), ", "))
	}
	if p.Name = f.Name; p.Name == "" {
		p.Name = name
	}
	if p.Severities == nil {
		p.Severities = map[string]harden.Severity{}
	}
	p.Off = map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(f.Rules)) {
		if harden.RuleOf(id) == nil {
			return p, fmt.Errorf("%w: %s: rules: %w", ErrFile, name, &harden.UnknownRuleError{ID: id})
		}
		if f.Rules[id] == "off" {
			p.Off[id] = true
			continue
		}
		var s harden.Severity
		if err := s.UnmarshalText([]byte(f.Rules[id])); err != nil {
			return p, fmt.Errorf("%w: %s: rules: %s: %w, or off", ErrFile, name, id, err)
		}
		p.Severities[id] = s
	}
	var err error
	p.Limits.Packages = f.Limits.Packages
	if p.Limits.Size, err = ParseSize(f.Limits.Size); err != nil {
		return p, fmt.Errorf("%w: %s: limits: size: %w", ErrFile, name, err)
	}
	if p.Limits.Age, err = ParseAge(f.Limits.Age); err != nil {
		return p, fmt.Errorf("%w: %s: limits: age: %w", ErrFile, name, err)
	}
	p.Waive, err = checkWaivers(name, f.Waive)
	return p, err
}

// ParseWaivers reads a file of waivers: a list under "waive", as in a spec.
func ParseWaivers(name string, text []byte) ([]Waiver, error) {
	var f struct {
		Waive []Waiver `yaml:"waive"`
	}
	if err := decode(name, text, &f); err != nil {
		return nil, err
	}
	return checkWaivers(name, f.Waive)
}

// maxFile bounds a file of a profile or of waivers, in bytes.
const maxFile = 1 << 20

func decode(name string, text []byte, v any) error {
	if len(text) > maxFile {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are read", ErrFile, name, len(text), maxFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s: %s", ErrFile, name, strings.Join(strings.Fields(err.Error()), " "))
	}
	return nil
}

func checkWaivers(name string, list []Waiver) ([]Waiver, error) {
	for i := range list {
		w := &list[i]
		w.From = name
		where := fmt.Sprintf("%s: waiver %d", name, i+1)
		if harden.RuleOf(w.Rule) == nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFile, where, &harden.UnknownRuleError{ID: w.Rule})
		}
		if strings.TrimSpace(w.Reason) == "" {
			return nil, fmt.Errorf("%w: %s: %s has no reason", ErrFile, where, w.Rule)
		}
		if _, err := time.Parse(time.DateOnly, w.Expires); w.Expires != "" && err != nil {
			return nil, fmt.Errorf("%w: %s: expires is %q, expected a day such as 2030-12-31", ErrFile, where, w.Expires)
		}
	}
	return list, nil
}

// expired reports whether a waiver no longer holds on that day.
func (w *Waiver) expired(day time.Time) bool {
	last, err := time.Parse(time.DateOnly, w.Expires)
	return w.Expires != "" && (err != nil || day.After(last))
}

// ParseSize reads "200MB", "1GB" or a number of bytes; "" is 0.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "kMGB")
	unit, ok := map[string]int64{"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[s[len(digits):]]
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || n <= 0 || n > 1<<50/unit {
		return 0, fmt.Errorf("found %q, expected a size such as 200MB", s)
	}
	return n * unit, nil
}

// ParseAge reads a number of days, "90d"; "" is 0.
func ParseAge(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil || !strings.HasSuffix(s, "d") || n <= 0 || n > 36500 {
		return 0, fmt.Errorf("found %q, expected days such as 90d", s)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
