package builder

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// stageCopy is one entry of the spec's copy, for one platform.
type stageCopy struct {
	run   *stageRun
	copy  *specs.Copy
	index int // in the spec's list
	key   string
	copied
}

// copied is what a copy takes out of a stage, as it enters the image.
type copied struct {
	Pack    store.Digest  `json:"pack"` // the content of all files, one after the other
	Entries []copiedEntry `json:"entries"`
	Origins []tree.Origin `json:"origins"`
	Debug   store.Digest  `json:"debug,omitempty"` // debugging symbols of stripped files, a tar
}

type copiedEntry struct {
	entry
	Offset int64       `json:"o,omitempty"` // of its content in the pack
	Origin int         `json:"q"`           // index into the origins
	Tools  []tool.Tool `json:"w,omitempty"` // what the file is, of what images should not have
}

// copies returns what the spec copies out of its stages for a platform. Stages run
// only where the store does not have it.
func (b *build) copies(ctx context.Context, p specs.Platform) ([]*stageCopy, error) {
	var all, missing []*stageCopy
	for i := range b.spec.Copy {
		c := &stageCopy{copy: &b.spec.Copy[i], index: i}
		var err error
		if c.run, err = b.stageRun(ctx, c.copy.From, p); err != nil {
			return nil, err
		}
		c.key = strings.Join([]string{c.run.key(), copyText(c.copy), b.specOrigin("copy", i).Spec}, "\x00")
		if !b.store.Get("copied", c.key, &c.copied) || !c.stored(b.store) {
			missing = append(missing, c)
		}
		all = append(all, c)
	}
	if err := b.prepare(ctx, p, missing); err != nil {
		return nil, err
	}
	for _, c := range missing {
		if err := c.take(ctx); err != nil {
			return nil, b.specError([]any{"copy", c.index}, fmt.Errorf("cannot copy %s out of stage %s: %w", c.copy.Source, c.copy.From, err))
		}
		if err := b.store.Set("copied", c.key, &c.copied); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// copyText returns the text of a copy that its result depends on.
func copyText(c *specs.Copy) string {
	id := func(v *specs.ID) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	}
	return fmt.Sprintf("%q %q %s %s %s %q %v", c.Source, c.Path, id(c.UID), id(c.GID), modeText(c.Mode), c.Exclude, c.Strip)
}

func (c *copied) stored(st *store.Store) bool {
	_, ok := st.Stat(c.Pack)
	if ok && c.Debug != "" {
		_, ok = st.Stat(c.Debug)
	}
	return ok
}

// export hands over what a copy takes out of the stage, by its names, owners and
// modes in the place that it is copied to.
func (r *stageRun) export(ctx context.Context, c *specs.Copy, each func(h *tar.Header, content io.Reader) error) error {
	return r.exportFrom(ctx, r.all(), c, each)
}

func (r *stageRun) exportFrom(ctx context.Context, on []string, c *specs.Copy, each func(h *tar.Header, content io.Reader) error) error {
	source := strings.TrimPrefix(c.Source, "/")
	first := source != "" // the root is not handed over itself
	err := r.space.Export(ctx, on, []string{source}, func(h *tar.Header, content io.Reader) error {
		name := strings.Trim(h.Name, "/")
		if first {
			source, first = name, false // links above it have been followed
			if h.Typeflag == tar.TypeSymlink {
				return &copyError{"it is a symbolic link to " + h.Linkname, "copy what it leads to, or a directory that holds the link"}
			}
		}
		inside, ok := below(name, source)
		if !ok {
			return fmt.Errorf("found %q outside of it", h.Name)
		}
		if specs.Excluded(c.Exclude, inside) {
			return nil
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeDir, tar.TypeSymlink:
		case tar.TypeLink:
			target, ok := below(strings.Trim(h.Linkname, "/"), source)
			if !ok || specs.Excluded(c.Exclude, target) {
				return &copyError{fmt.Sprintf("/%s is a hard link to /%s, which is not copied", name, strings.Trim(h.Linkname, "/")), "copy both, or exclude the link"}
			}
			h.Linkname = path.Join(strings.TrimPrefix(c.Path, "/"), target)
		default:
			return &copyError{fmt.Sprintf("/%s is a %s, which has no place in an image", name, tarType(h.Typeflag)), "remove it in the stage, or exclude it"}
		}
		h.Name = path.Join(c.Path, inside)
		if c.UID != nil {
			h.Uid = int(*c.UID)
		}
		if c.GID != nil {
			h.Gid = int(*c.GID)
		}
		if c.Mode != nil && h.Typeflag == tar.TypeReg {
			h.Mode = int64(*c.Mode)
		}
		return each(h, content)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return &copyError{"the stage has no " + c.Source, "look at what its commands make, or at what they exclude"}
	}
	return err
}

// below returns name as a path below dir, "." for dir itself.
func below(name, dir string) (string, bool) {
	if name == dir || dir == "" || dir == "." {
		if name == dir {
			return ".", true
		}
		return name, true
	}
	return strings.CutPrefix(name, dir+"/")
}

func tarType(t byte) string {
	switch t {
	case tar.TypeFifo:
		return "named pipe"
	case tar.TypeChar, tar.TypeBlock:
		return "device"
	default:
		return "socket or another special file"
	}
}

// copyError says why something cannot be copied, and what to do.
type copyError struct{ text, hint string }

func (e *copyError) Error() string { return e.text }
func (e *copyError) Hint() string  { return e.hint }

// take takes the copy out of its stage into the store.
func (c *stageCopy) take(ctx context.Context) error {
	r := c.run
	on := r.all()
	if c.copy.Strip {
		stripped, err := r.strip(ctx, c.copy)
		if err != nil {
			return err
		}
		on = append(on, stripped)
	}
	makers, err := r.makers(ctx)
	if err != nil {
		return err
	}
	pack, err := r.b.store.Create()
	if err != nil {
		return err
	}
	defer pack.Close()
	c.copied = copied{}
	if c.copy.Strip {
		if c.Debug, err = r.debugSymbols(ctx, on[len(on)-1]); err != nil {
			return err
		}
	}
	t := &taking{copied: &c.copied, pack: pack, makers: makers, index: map[string]int{}, run: r,
		line: r.b.specOrigin("copy", c.index).Spec, copy: c.copy}
	if err := r.exportFrom(ctx, on, c.copy, t.add); err != nil {
		return err
	}
	c.Pack, err = pack.Commit("")
	return err
}

// taking is a copy under way.
type taking struct {
	*copied
	run    *stageRun
	copy   *specs.Copy
	pack   *store.Writer
	makers *makers
	index  map[string]int // of origins
	line   string         // of the spec

	sniffer tool.Sniffer
}

func (t *taking) add(h *tar.Header, content io.Reader) error {
	e := copiedEntry{entry: entry{
		Path: strings.TrimPrefix(h.Name, "/"), Mode: uint32(h.Mode) & 0o7777, UID: uint32(h.Uid), GID: uint32(h.Gid),
		Time: max(0, min(h.ModTime.Unix(), t.run.b.epoch.Unix())), Link: h.Linkname,
	}}
	inside, _ := below(e.Path, strings.TrimPrefix(t.copy.Path, "/"))
	e.Origin = t.origin(t.makers.of(path.Join(strings.TrimPrefix(t.copy.Source, "/"), inside)))
	switch h.Typeflag {
	case tar.TypeDir:
		e.Type = tree.Dir
	case tar.TypeSymlink:
		e.Type, e.Mode = tree.Symlink, 0o777
	case tar.TypeLink:
		e.Type = tree.Hardlink
	default:
		if err := t.file(&e, h, content); err != nil {
			return err
		}
	}
	t.Entries = append(t.Entries, e)
	return nil
}

func (t *taking) file(e *copiedEntry, h *tar.Header, content io.Reader) (err error) {
	sum := sha256.New()
	probe := newELFProbe(sum)
	defer probe.close()
	e.Offset = t.pack.Size()
	t.sniffer.Reset()
	if e.Size, err = io.Copy(t.pack, io.TeeReader(content, io.MultiWriter(probe, &t.sniffer))); err != nil {
		return err
	}
	e.Tools = tool.Identify(e.Path, e.Mode, &t.sniffer)
	if e.Size != h.Size {
		return fmt.Errorf("%s: %d bytes, expected %d", h.Name, e.Size, h.Size)
	}
	e.SHA256, e.ELF = hex.EncodeToString(sum.Sum(nil)), probe.facts()
	if e.Mode&0o111 != 0 {
		e.Script = probe.interpreter()
	}
	e.Capability = layer.Capability(h)
	return nil
}

// origin returns the index of an origin, which it completes.
func (t *taking) origin(o tree.Origin) int {
	o.Kind, o.Stage, o.Spec = tree.FromStage, t.run.stage.Name, t.line
	key := fmt.Sprintf("%+v", o)
	i, ok := t.index[key]
	if !ok {
		i = len(t.Origins)
		t.index[key] = i
		t.Origins = append(t.Origins, o)
	}
	return i
}

// packContent is the content of a copied file.
type packContent struct {
	store  *store.Store
	pack   store.Digest
	offset int64
	size   int64
	sha256 string
}

// Open implements [tree.Content]. The reader's last Read fails where the bytes are
// not those that were copied.
func (c packContent) Open() (io.ReadCloser, error) {
	section, err := c.store.OpenSection(c.pack, c.offset, c.size)
	if err != nil {
		return nil, err
	}
	return &checkedSection{ReadCloser: section, content: c, sum: sha256.New()}, nil
}

type checkedSection struct {
	io.ReadCloser
	content packContent
	sum     hash.Hash
}

func (r *checkedSection) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(r.sum.Sum(nil)) != r.content.sha256 {
		return n, r.content.store.Blame(r.content.pack, fmt.Errorf("content of a copied file has sha256 %x, expected %s", r.sum.Sum(nil), r.content.sha256))
	}
	return n, err
}

// addCopies puts what the stages made into the tree.
func (b *build) addCopies(t *tree.Tree, copies []*stageCopy) error {
	for _, c := range copies {
		if err := b.addCopy(t, c); err != nil {
			return b.specError([]any{"copy", c.index}, fmt.Errorf("cannot copy %s out of stage %s: %w", c.copy.Source, c.copy.From, err))
		}
	}
	return nil
}

func (b *build) addCopy(t *tree.Tree, c *stageCopy) error {
	origins := make([]*tree.Origin, len(c.Origins))
	for i := range origins {
		origins[i] = &c.Origins[i]
	}
	refused := &refusal{}
	policy, err := b.policy()
	if err != nil {
		return err
	}
	for i := range c.Entries {
		e := &c.Entries[i]
		n := e.node(origins[e.Origin])
		n.Layered = false // in the layer of its stage, which is made of the tree
		if n.Path, err = t.RealPath(e.Path); err != nil {
			return err
		}
		switch n.Type {
		case tree.Dir:
			n.ModTime = b.epoch.Unix()
			if old := t.Lookup(n.Path); old != nil && old.Type == tree.Symlink {
				// Such as /lib, where /usr is merged: what is below follows the link.
				if end, err := t.Resolve(n.Path); err == nil && end.Type == tree.Dir {
					continue
				}
			}
		case tree.Hardlink:
			if n.Link, err = t.RealPath(e.Link); err != nil {
				return err
			}
		case tree.File:
			n.Content = packContent{b.store, c.Pack, e.Offset, e.Size, e.SHA256}
		}
		refused.judge(policy, n, e.Tools)
		if err := t.Add(n); err != nil {
			return withHint(err, "exclude it from the copy, or leave out what else brings it")
		}
	}
	return refused.err(b.spec.Hardening.Profile)
}

// withHint gives an error advice, where it has none of its own.
func withHint(err error, hint string) error {
	return &copyError{err.Error(), hint}
}
