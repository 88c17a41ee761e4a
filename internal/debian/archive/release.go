package archive

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/store"
)

// Release is a verified Release file (Debian wiki, DebianRepository/Format,
// "Release" files).
type Release struct {
	ID         string // of the repository
	Origin     string
	Suite      string
	Codename   string
	Date       time.Time
	ValidUntil time.Time    // zero where the archive sets no limit
	Digest     store.Digest // of the InRelease as served, or of the Release where there is none
	SignedBy   []string     // fingerprints of the trusted primary keys with a good signature

	repository    Repository
	byHash        bool
	allApart      bool // packages of architecture "all" are in an index of their own only
	components    []string
	architectures []string
	files         map[string]indexFile // by name below the suite's directory
}

// indexFile is a line of the SHA256 field.
type indexFile struct {
	size   int64
	digest store.Digest
}

// parseRelease reads the text of a Release, which has been verified.
func parseRelease(text []byte) (*Release, error) {
	control := debian.NewControlReader(bytes.NewReader(text))
	p, err := control.Next()
	if err != nil {
		return nil, fmt.Errorf("malformed release: %w", err)
	}
	if _, err := control.Next(); err != io.EOF {
		return nil, fmt.Errorf("malformed release: found a second paragraph, expected one")
	}
	r := &Release{
		Origin:        p.Get("Origin"),
		Suite:         p.Get("Suite"),
		Codename:      p.Get("Codename"),
		components:    strings.Fields(p.Get("Components")),
		architectures: strings.Fields(p.Get("Architectures")),
		byHash:        isTrue(p.Get("Acquire-By-Hash")),
	}
	// As apt has it (apt-pkg/deb/debmetaindex.cc): an index that is listed for "all"
	// counts only where the archive says that it supports that architecture, and
	// does not say that the other indexes have those packages in them.
	r.allApart = (len(r.architectures) == 0 || slices.Contains(r.architectures, "all")) &&
		!slices.Contains(strings.Fields(p.Get("No-Support-for-Architecture-all")), "Packages")
	if r.Date, err = parseDate(p.Get("Date")); err != nil {
		return nil, fmt.Errorf("malformed release: Date: %w", err)
	}
	if v := p.Get("Valid-Until"); v != "" {
		if r.ValidUntil, err = parseDate(v); err != nil {
			return nil, fmt.Errorf("malformed release: Valid-Until: %w", err)
		}
	}
	r.files, err = parseFiles(p.Get("SHA256"))
	return r, err
}

// parseDate reads a date as the fields Date and Valid-Until have it: that of RFC 5322
// in the time zone UTC, which some archives write as GMT or +0000.
func parseDate(v string) (time.Time, error) {
	v = strings.Join(strings.Fields(v), " ")
	for _, zone := range []string{" UTC", " GMT", " +0000", " Z"} {
		if bare, ok := strings.CutSuffix(v, zone); ok {
			if t, err := time.Parse("Mon, 2 Jan 2006 15:04:05", bare); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("found %.60q, expected a date as %q", v, "Sat, 09 Aug 2025 09:00:00 UTC")
}

// parseFiles reads the SHA256 field: lines of digest, size in bytes and name.
func parseFiles(field string) (map[string]indexFile, error) {
	files := make(map[string]indexFile)
	for line := range strings.Lines(field) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return nil, fmt.Errorf("malformed release: SHA256: found %.120q, expected digest, size and name", strings.TrimSpace(line))
		}
		digest, err := store.FromHex(words[0])
		if err != nil {
			return nil, fmt.Errorf("malformed release: %w", err)
		}
		size, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("malformed release: SHA256: size %.40q of %.80q", words[1], words[2])
		}
		if !cleanPath(words[2]) {
			return nil, fmt.Errorf("malformed release: SHA256: name %.80q leads out of the suite", words[2])
		}
		files[words[2]] = indexFile{size, digest}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("malformed release: no SHA256 field with the indexes")
	}
	return files, nil
}

// check compares a Release with what was asked for and with the clock.
func (r *Release) check(want Repository, at moment) error {
	refuse := func(format string, args ...any) error {
		return &failure{kind: ErrRelease, msg: fmt.Sprintf("cannot use release of %s: ", want.ID) + fmt.Sprintf(format, args...)}
	}
	if want.Suite != r.Suite && want.Suite != r.Codename {
		return refuse("found suite %q, codename %q, expected %q", r.Suite, r.Codename, want.Suite)
	}
	if want.Origin != "" && want.Origin != r.Origin {
		return refuse("found origin %q, expected %q", r.Origin, want.Origin)
	}
	if r.Date.After(at.now.Add(clockSkew)) {
		return refuse("dated %s, but now is %s", day(r.Date), day(at.now))
	}
	if !r.ValidUntil.IsZero() && at.now.After(r.ValidUntil) && !at.snapshot {
		return &failure{kind: ErrExpired, hint: "the mirror is no longer updated, or somebody replays an old state: choose another mirror",
			msg: fmt.Sprintf("cannot use release of %s: valid until %s, but now is %s", want.ID, day(r.ValidUntil), day(at.now))}
	}
	return nil
}

// Index is a Packages index that a Release lists.
type Index struct {
	Component    string
	Architecture string
	Name         string       // below the suite's directory, such as main/binary-amd64/Packages.xz
	Size         int64        // of the file as fetched, in bytes
	Digest       store.Digest // of the file as fetched
	TextSize     int64        // of the decompressed text in bytes, or -1 where it is not listed
	TextDigest   store.Digest // of the decompressed text, or "" where it is not listed
}

// Indexes returns the Packages indexes of the repository's components that make up
// an architecture: its own and, where the archive has it apart, that of "all".
func (r *Release) Indexes(arch string) ([]Index, error) {
	var all []Index
	for _, component := range r.repository.components() {
		own, ok := r.index(component, arch)
		apart, okAll := r.index(component, "all")
		okAll = okAll && r.allApart
		if !ok && !okAll {
			return nil, &failure{kind: ErrRelease, msg: fmt.Sprintf("%s has no packages index for component %q, architecture %q: it has components %s; architectures %s",
				r.ID, component, arch, strings.Join(r.components, ", "), strings.Join(r.architectures, ", "))}
		}
		if ok {
			all = append(all, own)
		}
		if okAll && arch != "all" {
			all = append(all, apart)
		}
	}
	return all, nil
}

// index returns the best form of one index: xz is the smallest and the one that
// every archive of today has.
func (r *Release) index(component, arch string) (Index, bool) {
	name := path.Join(component, "binary-"+arch, "Packages")
	ix := Index{Component: component, Architecture: arch, TextSize: -1}
	if text, ok := r.files[name]; ok {
		ix.TextSize, ix.TextDigest = text.size, text.digest
	}
	for _, suffix := range []string{".xz", ".gz", ""} {
		if f, ok := r.files[name+suffix]; ok {
			ix.Name, ix.Size, ix.Digest = name+suffix, f.size, f.digest
			return ix, true
		}
	}
	return ix, false
}
