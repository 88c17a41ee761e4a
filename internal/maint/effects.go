package maint

import (
	"context"
	"fmt"
	"io"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// Effects is all that the scripts of an image did, in a form that can be kept:
// the same packages have the same effects, and need not be interpreted again.
type Effects struct {
	Preinst    [][]Change  `json:"preinst"` // by package
	Diversions []Diversion `json:"diversions,omitempty"`
	Before     []Diversion `json:"before,omitempty"` // that a base image had
	Configure  [][]Change  `json:"configure"`        // by batch
	Report     Report      `json:"report"`
}

// Diversion moves a path that every package but one ships (dpkg-divert(1)).
type Diversion struct {
	Package string `json:"package"` // that diverts, and keeps the path for itself
	From    string `json:"from"`    // path of a tree
	To      string `json:"to"`
	After   int    `json:"after"` // the package whose preinst made it
}

// Change is what scripts did to one path.
type Change struct {
	Path    string       `json:"path"`
	Removed bool         `json:"removed,omitempty"`
	Type    tree.Type    `json:"type,omitempty"`
	Mode    uint32       `json:"mode,omitempty"`
	UID     uint32       `json:"uid,omitempty"`
	GID     uint32       `json:"gid,omitempty"`
	Time    int64        `json:"time,omitempty"`
	Link    string       `json:"link,omitempty"`
	Content []byte       `json:"content,omitempty"`
	Kept    bool         `json:"kept,omitempty"` // content and place are those from before
	Origin  *tree.Origin `json:"origin,omitempty"`

	Capability tree.Capability `json:"capability,omitempty"`
}

// MaxEffects bounds the content of effects that are worth keeping, bytes.
const MaxEffects = 64 << 20

// changes returns what happened to the paths that changed since the last time.
func changes(t *tree.Tree) ([]Change, error) {
	var list []Change
	for _, p := range t.Changed() {
		n := t.Lookup(p)
		if n == nil {
			list = append(list, Change{Path: p, Removed: true})
			continue
		}
		c := Change{Path: p, Type: n.Type, Mode: n.Mode, UID: n.UID, GID: n.GID, Time: n.ModTime, Link: n.Link, Origin: n.Origin, Kept: n.Layered, Capability: n.Capability}
		if n.Type == tree.File && !n.Layered && !rootfs.IsSealed(n) {
			b, err := content(n)
			if err != nil {
				return nil, fmt.Errorf("/%s: %w", p, err)
			}
			c.Content = b
		}
		list = append(list, c)
	}
	return list, nil
}

func content(n *tree.Node) ([]byte, error) {
	r, err := n.Content.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// apply does the same to a tree again.
func apply(t *tree.Tree, list []Change) error {
	for _, c := range list { // what is removed comes first, so that a directory can give way
		if c.Removed {
			t.Remove(c.Path)
		}
	}
	for _, c := range list {
		if c.Removed {
			continue
		}
		if err := c.apply(t); err != nil {
			return fmt.Errorf("cannot repeat what a script did to /%s: %w", c.Path, err)
		}
	}
	return nil
}

func (c *Change) apply(t *tree.Tree) error {
	n := &tree.Node{Path: c.Path, Type: c.Type, Link: c.Link}
	switch {
	case c.Kept:
		old := t.Lookup(c.Path)
		if old == nil || !old.Layered {
			return fmt.Errorf("the effects in the cache do not fit the image: a fault of hardpan")
		}
		kept := *old
		n = &kept
	case c.Type == tree.File:
		if err := t.WriteFile(c.Path, c.Content, c.Mode, c.Origin); err != nil {
			return err
		}
		n = t.Lookup(c.Path)
	}
	n.Mode, n.UID, n.GID, n.ModTime, n.Origin, n.Capability = c.Mode, c.UID, c.GID, c.Time, c.Origin, c.Capability
	return t.Set(n)
}

// Replay is an installation whose scripts have run before.
type Replay struct {
	img      *Image
	effects  *Effects
	diverted map[string]Diversion
	batches  int // that were configured
}

// Again returns the installation that has the effects of an earlier one.
func Again(img *Image, e *Effects) *Replay {
	r := &Replay{img: img, effects: e, diverted: map[string]Diversion{}}
	for _, d := range e.Before {
		r.diverted[d.From] = d
	}
	return r
}

// Preinst does what [Installation.Preinst] did.
func (r *Replay) Preinst(_ context.Context, i int) error {
	for _, d := range r.effects.Diversions {
		if d.After == i {
			r.diverted[d.From] = d
		}
	}
	return apply(r.img.Tree, r.effects.Preinst[i])
}

// Unpacked does nothing.
func (r *Replay) Unpacked(int) {}

// Diverted returns where a file of the package goes.
func (r *Replay) Diverted(pkg, path string) string {
	if d, ok := r.diverted[path]; ok && d.Package != pkg {
		return d.To
	}
	return path
}

// Configure does what [Installation.Configure] did.
func (r *Replay) Configure(context.Context, Batch) error {
	done := r.effects.Configure[r.batches]
	r.batches++
	return apply(r.img.Tree, done)
}

// Report returns the report of the earlier installation.
func (r *Replay) Report() *Report { return &r.effects.Report }
