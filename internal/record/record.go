package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// Format is the version of the document that this package writes.
const Format = 1

// Record is the record of one image of one platform.
type Record struct {
	Format   int       `json:"format"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Variant  string    `json:"variant,omitempty"`
	Platform string    `json:"platform"`
	Created  time.Time `json:"created"`
	Spec     string    `json:"spec"` // digest of the spec with everything that it inherits

	Distro   string         `json:"distro"`
	Archives []lock.Archive `json:"archives"`
	Packages []lock.Package `json:"packages"`
	Dropped  []lock.Dropped `json:"dropped,omitempty"`

	Components []Component `json:"components,omitempty"` // programs that hardpan added

	Profile  string     `json:"profile"`
	FailOn   string     `json:"failOn,omitempty"` // least severity of a broken rule that the spec refuses; "" is what the profile says
	Waived   []Waived   `json:"waived,omitempty"` // rules that the spec lets the image break
	Stripped []Stripped `json:"stripped,omitempty"`
	Effects  []string   `json:"effects,omitempty"` // of maintainer scripts, that were given
	Skipped  []string   `json:"skipped,omitempty"` // commands of maintainer scripts that had no effect

	Warnings []string `json:"warnings,omitempty"` // what programs of the image may lack

	Base *Base `json:"base,omitempty"` // existing image that it stands on

	Stages []Stage `json:"stages,omitempty"` // build stages that something was copied from, and those they stand on

	// Tests travel with the image; what became of them is not here, since it depends on
	// the machine.
	Tests    []Test   `json:"tests,omitempty"`
	Writable []string `json:"writable,omitempty"` // directories, beside the volumes, that a running container writes to

	Layers []Layer `json:"layers"`

	Origins []tree.Origin `json:"origins"`
	Paths   Paths         `json:"paths"`
	// Partial says that Paths lacks what packages ship, because there was too much of
	// it: a path of a layer that it does not have comes from a package of that layer, or
	// from the base image whose layer it is.
	Partial bool `json:"partial,omitempty"`
}

// Component is a program of an image that is neither of a package nor of the spec:
// hardpan brings it.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Licence string `json:"licence"` // an SPDX expression
	Path    string `json:"path"`    // as [Paths] has it
	SHA256  string `json:"sha256"`  // 64 hex digits
}

// Layer is one layer and what is in it.
type Layer struct {
	Digest   store.Digest `json:"digest"`
	DiffID   store.Digest `json:"diffID"`
	Size     int64        `json:"size"`               // bytes, compressed
	Packages []string     `json:"packages,omitempty"` // none: what the builder made
}

// Stage is a build stage: what it was made of, and what was run in it. Of the
// machine that ran it nothing is here, since the image does not depend on it.
type Stage struct {
	Name     string         `json:"name"`
	Platform string         `json:"platform"`           // of its programs
	From     string         `json:"from,omitempty"`     // stage or image that it stands on
	Base     string         `json:"base,omitempty"`     // digest of that image's manifest
	Packages []lock.Package `json:"packages,omitempty"` // that it stands on otherwise
	Inputs   []StageInput   `json:"inputs,omitempty"`
	Run      []string       `json:"run,omitempty"`
	Network  string         `json:"network"`           // "none" or "host"
	Secrets  []string       `json:"secrets,omitempty"` // ids
}

// StageInput is what was put into a stage.
type StageInput struct {
	Path   string `json:"path"`             // in the stage
	Source string `json:"source,omitempty"` // name beside the spec, or path in Stage
	Stage  string `json:"stage,omitempty"`  // that it was copied from
	URL    string `json:"url,omitempty"`
	Digest string `json:"digest"` // of the file, of all that the source stands for, or of what the other stage was made from
}

// Test is a command that is run in the image to see whether it works.
type Test struct {
	Name      string        `json:"name"`
	Command   []string      `json:"command"`
	ExitCode  int           `json:"exitCode,omitempty"`  // expected
	Output    string        `json:"output,omitempty"`    // text that the output must contain
	Timeout   time.Duration `json:"timeout"`             // nanoseconds
	Memory    int64         `json:"memory,omitempty"`    // bytes
	Processes int           `json:"processes,omitempty"` // and threads
}

// Stripped is a path of a package that policy left out, or whose mode bits it dropped.
type Stripped struct {
	Package string `json:"package"`
	Path    string `json:"path"`
	Rule    string `json:"rule"`
	Size    int64  `json:"size,omitempty"` // bytes
	Bits    bool   `json:"bits,omitempty"` // the path stays, without its set-id bits or capabilities
}

// Waived is a rule of the hardening policy that the spec lets the image break.
type Waived struct {
	Rule    string `json:"rule"`
	Reason  string `json:"reason"`
	Expires string `json:"expires,omitempty"` // last day on which it holds, 2006-01-02
}

// Paths is every path of the image, sorted, in columns, which compress better
// than rows. All columns have the same length.
type Paths struct {
	Path   []string `json:"path"`
	Type   []uint8  `json:"type"`
	Mode   []uint32 `json:"mode"`
	Owner  []string `json:"owner"` // "uid:gid"
	Size   []int64  `json:"size"`
	Link   []string `json:"link"`
	Origin []int    `json:"origin"` // index into Origins
	Layer  []int    `json:"layer"`  // index into Layers
	// Capability has the few paths with one, by path.
	Capability map[string]tree.Capability `json:"capability,omitempty"`
}

// Row is one path of an image.
type Row struct {
	Path   string       `json:"path"`
	Type   string       `json:"type"`
	Mode   string       `json:"mode"` // octal
	Owner  string       `json:"owner"`
	Size   int64        `json:"size"`
	Link   string       `json:"link,omitempty"`
	Origin *tree.Origin `json:"origin"`
	Layer  int          `json:"layer"` // index into Layers

	Capability string `json:"capability,omitempty"` // "cap_net_raw=ep", as getcap(8) prints it
}

// SetPaths fills the columns from the tree. layerOf gives the layer of a node.
func (r *Record) SetPaths(t *tree.Tree, layerOf func(*tree.Node) int) {
	index := map[*tree.Origin]int{}
	equal := map[string]int{} // the same by value, for origins that came out of the cache
	for n := range t.All() {
		if n.Path == "." {
			continue
		}
		i, ok := index[n.Origin]
		if !ok {
			o := n.Origin
			key := strings.Join(append([]string{string(o.Kind), o.Package, o.Version, o.SHA256, o.Script, o.Command, o.Spec, o.Stage, strconv.Itoa(o.Step), o.Base}, o.Inputs...), "\x00")
			if i, ok = equal[key]; !ok {
				i = len(r.Origins)
				equal[key] = i
				r.Origins = append(r.Origins, *o)
			}
			index[o] = i
		}
		p := &r.Paths
		p.Path = append(p.Path, n.Path)
		p.Type = append(p.Type, uint8(n.Type))
		p.Mode = append(p.Mode, n.Mode)
		p.Owner = append(p.Owner, fmt.Sprintf("%d:%d", n.UID, n.GID))
		p.Size = append(p.Size, n.Size)
		p.Link = append(p.Link, n.Link)
		p.Origin = append(p.Origin, i)
		p.Layer = append(p.Layer, layerOf(n))
		if n.Capability != "" {
			if p.Capability == nil {
				p.Capability = map[string]tree.Capability{}
			}
			p.Capability[n.Path] = n.Capability
		}
	}
}

// Shorten leaves out of Paths what packages ship and what a base image has.
func (r *Record) Shorten() {
	short := Paths{Capability: r.Paths.Capability}
	for i, origin := range r.Paths.Origin {
		if o := &r.Origins[origin]; o.Kind == tree.FromPackage || o.Base != "" {
			continue
		}
		short.Path = append(short.Path, r.Paths.Path[i])
		short.Type = append(short.Type, r.Paths.Type[i])
		short.Mode = append(short.Mode, r.Paths.Mode[i])
		short.Owner = append(short.Owner, r.Paths.Owner[i])
		short.Size = append(short.Size, r.Paths.Size[i])
		short.Link = append(short.Link, r.Paths.Link[i])
		short.Origin = append(short.Origin, origin)
		short.Layer = append(short.Layer, r.Paths.Layer[i])
	}
	r.Paths, r.Partial = short, true
}

// Lookup returns the row of a path, which may begin with a slash, and whether
// the image has it. It follows no symbolic link.
func (r *Record) Lookup(name string) (Row, bool) {
	i, ok := slices.BinarySearch(r.Paths.Path, tree.Clean(name))
	if !ok {
		return Row{}, false
	}
	return r.row(i), true
}

// Place returns where a path comes from, the index of its layer and its size in bytes: of
// [Record.Lookup] what is asked of every path.
func (r *Record) Place(name string) (origin *tree.Origin, layer int, size int64, ok bool) {
	i, ok := slices.BinarySearch(r.Paths.Path, tree.Clean(name))
	if !ok {
		return nil, 0, 0, false
	}
	return &r.Origins[r.Paths.Origin[i]], r.Paths.Layer[i], r.Paths.Size[i], true
}

func (r *Record) row(i int) Row {
	p := &r.Paths
	return Row{
		Path: "/" + p.Path[i], Type: tree.Type(p.Type[i]).String(), Mode: fmt.Sprintf("%04o", p.Mode[i]),
		Owner: p.Owner[i], Size: p.Size[i], Link: p.Link[i], Origin: &r.Origins[p.Origin[i]], Layer: p.Layer[i],
		Capability: p.Capability[p.Path[i]].String(),
	}
}

// Resolve returns the rows that lead from name to what it is: name itself, where
// a parent is a link the path behind it, and the targets of symbolic links, in
// that order. The last one is the end, as a process in the image would find it.
func (r *Record) Resolve(name string) ([]Row, bool) {
	t := r.tree()
	var chain []Row
	at, ok := tree.Clean(name), false
	for range 40 { // as many links as Linux follows
		real, err := t.RealPath(at)
		if err != nil {
			return chain, false
		}
		var row Row
		if row, ok = r.Lookup(real); !ok {
			return chain, false
		}
		chain = append(chain, row)
		if row.Type != tree.Symlink.String() {
			return chain, true
		}
		at = row.Link
		if !strings.HasPrefix(at, "/") {
			at = path.Join(path.Dir(real), at)
		}
	}
	return chain, false
}

// tree returns the paths as a tree that can follow links.
func (r *Record) tree() *tree.Tree {
	t := tree.New(nil, 0)
	for i, p := range r.Paths.Path {
		t.Set(&tree.Node{Path: p, Type: tree.Type(r.Paths.Type[i]), Link: r.Paths.Link[i]})
	}
	return t
}

// Package returns the package of that name, nil where the image has none.
func (r *Record) Package(name string) *lock.Package {
	for i := range r.Packages {
		if r.Packages[i].Name == name {
			return &r.Packages[i]
		}
	}
	for p := range r.BasePackages() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Encode returns the document, JSON compressed with zstd; equal records give
// equal bytes.
func (r *Record) Encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("cannot encode record: %w", err)
	}
	if len(b) > maxRecord {
		return nil, fmt.Errorf("cannot encode record: it has %d bytes, at most %d are read", len(b), maxRecord)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("cannot encode record: %w", err)
	}
	return z.EncodeAll(b, nil), nil
}

// maxRecord bounds a document before it is compressed, in bytes: 40 times what an image's
// config has room for.
const maxRecord = 128 << 20

// Decode reads what Encode wrote, without trusting it.
func Decode(b []byte) (*Record, error) {
	z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("cannot read record: %w", err)
	}
	defer z.Close()
	plain, err := io.ReadAll(io.LimitReader(z, maxRecord+1))
	if err == nil && len(plain) > maxRecord {
		err = fmt.Errorf("it has more than %d bytes", maxRecord)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read record: %w", err)
	}
	var r Record
	if err := json.Unmarshal(plain, &r); err != nil {
		return nil, fmt.Errorf("cannot read record: %w", err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("record has format %d, expected %d", r.Format, Format)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("cannot read record: %w", err)
	}
	return &r, nil
}

func (r *Record) check() error {
	p := &r.Paths
	n := len(p.Path)
	for _, l := range []int{len(p.Type), len(p.Mode), len(p.Owner), len(p.Size), len(p.Link), len(p.Origin), len(p.Layer)} {
		if l != n {
			return errors.New("columns of different length")
		}
	}
	if !slices.IsSorted(p.Path) {
		return errors.New("paths are not sorted")
	}
	for i := range n {
		switch {
		case p.Type[i] > uint8(tree.Hardlink):
			return fmt.Errorf("path %q has unknown type %d", p.Path[i], p.Type[i])
		case p.Origin[i] < 0 || p.Origin[i] >= len(r.Origins) || p.Layer[i] < 0 || p.Layer[i] >= len(r.Layers):
			return fmt.Errorf("path %q has an origin or a layer that is not there", p.Path[i])
		}
	}
	return nil
}
