package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/deb"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// unpackFormat names what unpack makes of a package. It changes when that does.
const unpackFormat = "unpack8"

// plan is what one image wants otherwise than the package has it. Most packages
// have an empty plan, and then one layer serves every image.
type plan struct {
	Drop   []string          `json:"drop,omitempty"`   // paths, as the package has them, that are not its own in this image
	Keep   []string          `json:"keep,omitempty"`   // paths that policy would drop and a hard link needs
	Rename map[string]string `json:"rename,omitempty"` // diversions, and paths below a link of another package
	Mode   map[string]owner  `json:"mode,omitempty"`   // metadata that the spec sets
	Clamp  *int64            `json:"clamp,omitempty"`  // latest time, where the package has later ones
}

type owner struct {
	Mode uint32 `json:"mode"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`

	Capability tree.Capability `json:"capability,omitempty"`
}

func (o owner) of(e *entry) { e.Mode, e.UID, e.GID, e.Capability = o.Mode, o.UID, o.GID, o.Capability }

// unpacked is what a package became: a layer, the paths in it, and what the rest
// of the build wants to know of its control files.
type unpacked struct {
	Layer    layer.Info `json:"layer"`
	Entries  []entry    `json:"entries"` // directories included, which are in no package's layer
	Stripped []stripped `json:"stripped,omitempty"`
	Latest   int64      `json:"latest"` // time of its newest file
	control
	Replaces string `json:"replaces,omitempty"`
	Without  string `json:"without,omitempty"` // its Recommends and Suggests, which it works without
}

// control is what the installation of a package wants of its control files.
type control struct {
	Paragraph string            `json:"control"`
	Scripts   map[string]string `json:"scripts,omitempty"`
	Templates string            `json:"templates,omitempty"` // of debconf, without translations
	Triggers  string            `json:"triggers,omitempty"`
	Conffiles map[string]string `json:"conffiles,omitempty"` // path and MD5 of those that are left
}

// entry is one path of a package. Its letters keep the cached form short.
type entry struct {
	Path   string    `json:"p"`
	Type   tree.Type `json:"t,omitempty"`
	Mode   uint32    `json:"m"`
	UID    uint32    `json:"u,omitempty"`
	GID    uint32    `json:"g,omitempty"`
	Time   int64     `json:"c,omitempty"`
	Size   int64     `json:"s,omitempty"`
	Link   string    `json:"l,omitempty"`
	SHA256 string    `json:"h,omitempty"`
	ELF    *tree.ELF `json:"e,omitempty"`
	Script string    `json:"i,omitempty"` // the interpreter of an executable script

	Capability tree.Capability `json:"k,omitempty"` // that a script of the image gave it
	Made       bool            `json:"x,omitempty"` // a record of the package database, not in the package
}

// stripped is a path that policy left out, or whose mode it changed.
type stripped struct {
	Path string `json:"path"`
	Rule string `json:"rule"`
	Size int64  `json:"size,omitempty"`
	Bits bool   `json:"bits,omitempty"` // only mode bits were dropped
}

// unpacker turns packages into layers, with the store between it and doing so twice.
type unpacker struct {
	*press
	policy    *harden.Policy
	policyKey string
	decoders  chan *deb.Decoders // those that nobody uses
}

// newUnpacker returns an unpacker that decodes so many packages at a time.
func newUnpacker(p *press, policy *harden.Policy, jobs int) *unpacker {
	u := &unpacker{press: p, policy: policy, policyKey: policy.Key(), decoders: make(chan *deb.Decoders, jobs)}
	for range jobs {
		u.decoders <- new(deb.Decoders)
	}
	return u
}

// unpack returns what pkg becomes under the plan.
func (u *unpacker) unpack(ctx context.Context, pkg *lock.Package, pl plan) (*unpacked, error) {
	planKey, err := json.Marshal(pl)
	if err != nil {
		return nil, err
	}
	key := strings.Join([]string{unpackFormat, layer.Format, string(u.compression), pkg.SHA256, u.policyKey, string(planKey)}, "\x00")
	var cached unpacked
	if u.Get("unpacked", key, &cached) {
		if size, ok := u.Stat(cached.Layer.Digest); ok && size == cached.Layer.Size {
			return &cached, nil
		}
	}
	for {
		un, err := u.run(ctx, pkg, pl)
		if need, ok := errors.AsType[*needTargetError](err); ok {
			pl.Keep = append(pl.Keep, need.path)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("package %s %s (%s): %w", pkg.Name, pkg.Version, pkg.Architecture, err)
		}
		return un, u.Set("unpacked", key, un)
	}
}

// needTargetError says that a file that policy dropped is needed, because a hard
// link to it stays.
type needTargetError struct{ path string }

func (e *needTargetError) Error() string { return "hard link to stripped file " + e.path }

// unpackRun is one package on its way through.
type unpackRun struct {
	*unpacker
	plan    plan
	control *deb.Control
	out     *sheet
	res     *unpacked
	stats   map[string]int    // place of each path of the layer in res.Entries
	dropped map[string]bool   // by policy
	md5s    map[string]string // of conffiles, which no md5sums file lists
	small   map[string][]byte // content of files that scripts may read; see readByScripts
	dirs    []entry           // waiting to know whether anything is in them
}

func (u *unpacker) run(ctx context.Context, pkg *lock.Package, pl plan) (*unpacked, error) {
	out, err := u.layer(true)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	run := &unpackRun{
		unpacker: u, plan: pl, out: out,
		stats: map[string]int{}, dropped: map[string]bool{}, md5s: map[string]string{},
		small: map[string][]byte{},
	}
	if err := run.decode(ctx, pkg); err != nil {
		return nil, err
	}
	if err := run.addDatabase(pkg.Name); err != nil {
		return nil, err
	}
	run.settleDirs()
	run.res.Paragraph, run.res.Conffiles = string(run.statusParagraph()), run.md5s
	if run.res.Layer, err = out.Finish(); err != nil {
		return nil, err
	}
	if len(run.small) == 0 {
		return run.res, nil
	}
	return run.res, u.Set("small", pkg.SHA256, run.small)
}

// decode copies the files of the package into the layer. It waits for decoders, and gives
// them back: what comes after it waits for the disk, and others need not.
func (r *unpackRun) decode(ctx context.Context, pkg *lock.Package) error {
	var decoders *deb.Decoders
	select {
	case decoders = <-r.decoders:
		defer func() { r.decoders <- decoders }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	digest, err := store.FromHex(pkg.SHA256)
	if err != nil {
		return err
	}
	blob, err := r.Open(digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	in := &contextReader{ctx, blob}
	d, err := decoders.NewReader(in, deb.Limits{Data: deb.DataLimit(pkg.InstalledSize)})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := sameIdentity(d.Control.Paragraph, pkg); err != nil {
		return err
	}
	r.control, r.res = &d.Control, newUnpacked(&d.Control)
	if err := r.copyFiles(d); err != nil {
		return err
	}
	// The stream is read to its end before anything made from it counts, since
	// only there its digest is compared.
	_, err = io.Copy(io.Discard, in)
	return err
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func newUnpacked(c *deb.Control) *unpacked {
	without := c.Paragraph.Get("Recommends") + ", " + c.Paragraph.Get("Suggests")
	un := &unpacked{
		control: control{
			Scripts: map[string]string{}, Templates: untranslated(string(c.Files["templates"])),
			Triggers: string(c.Files["triggers"]), Conffiles: map[string]string{},
		},
		Replaces: c.Paragraph.Get("Replaces"), Without: strings.Trim(without, ", "),
	}
	for _, name := range []string{"preinst", "postinst", "config"} {
		if text, ok := c.Files[name]; ok {
			un.Scripts[name] = string(text)
		}
	}
	return un
}

// untranslated returns templates of debconf without what they have for other
// languages, "Description-de.UTF-8: ...".
func untranslated(templates string) string {
	var b strings.Builder
	skip := false
	for line := range strings.Lines(templates) {
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			field, _, _ := strings.Cut(line, ":")
			skip = strings.Contains(field, "-") && !strings.HasSuffix(field, "-C")
		}
		if !skip {
			b.WriteString(line)
		}
	}
	return b.String()
}

// sameIdentity refuses a package that is not the one that the index promised.
func sameIdentity(p debian.Paragraph, pkg *lock.Package) error {
	for field, want := range map[string]string{"Package": pkg.Name, "Version": pkg.Version, "Architecture": pkg.Architecture} {
		if got := p.Get(field); got != want {
			return fmt.Errorf("its control file says %s %q, the lock says %q", field, got, want)
		}
	}
	return nil
}

func (r *unpackRun) copyFiles(d *deb.Reader) error {
	conffiles := r.conffiles()
	for {
		h, err := d.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Name == "." {
			continue
		}
		e := entry{
			Path: debian.MergedUsr(h.Name, h.Typeflag == tar.TypeDir), Mode: uint32(h.Mode) & 0o7777,
			UID: uint32(h.Uid), GID: uint32(h.Gid), Time: h.ModTime.Unix(),
		}
		conffile := conffiles[e.Path]
		if h.Typeflag != tar.TypeDir && slices.Contains(r.plan.Drop, e.Path) {
			continue
		}
		if to, ok := r.plan.Rename[e.Path]; ok {
			e.Path = to
		}
		if err := r.place(e, h, d, conffile); err != nil {
			return err
		}
	}
}

// place gives one entry its place in the layer, or leaves it out.
func (r *unpackRun) place(e entry, h *tar.Header, content io.Reader, conffile bool) error {
	if h.Typeflag == tar.TypeDir {
		e.Type, e.Time = tree.Dir, 0
		r.dirs = append(r.dirs, e)
		return nil
	}
	if rule := r.policy.Drop(e.Path); rule != nil && !conffile && !slices.Contains(r.plan.Keep, e.Path) {
		r.dropped[e.Path] = true
		r.res.Stripped = append(r.res.Stripped, stripped{Path: e.Path, Rule: rule.ID, Size: h.Size})
		return nil
	}
	if r.plan.Clamp != nil {
		e.Time = min(e.Time, *r.plan.Clamp)
	}
	e.Time = max(e.Time, 0)
	if _, ok := r.stats[e.Path]; ok {
		return fmt.Errorf("data.tar: %q is in it twice, once above /usr", e.Path)
	}
	r.stats[e.Path] = len(r.res.Entries) // where add puts it
	r.res.Latest = max(r.res.Latest, e.Time)
	switch h.Typeflag {
	case tar.TypeSymlink:
		e.Type, e.Link, e.Mode = tree.Symlink, h.Linkname, 0o777
		return r.add(e, nil)
	case tar.TypeLink:
		return r.addHardlink(e, h)
	}
	r.setMode(&e)
	e.Size = h.Size
	if conffile {
		sum := md5.New() // what dpkg records of a conffile, not a safeguard
		defer func() { r.md5s[e.Path] = hex.EncodeToString(sum.Sum(nil)) }()
		content = io.TeeReader(content, sum)
	}
	return r.addFile(e, content)
}

func (r *unpackRun) addHardlink(e entry, h *tar.Header) error {
	e.Type, e.Link = tree.Hardlink, debian.MergedUsr(h.Linkname, false)
	if to, ok := r.plan.Rename[e.Link]; ok {
		e.Link = to
	}
	if r.dropped[e.Link] {
		return &needTargetError{e.Link}
	}
	at, ok := r.stats[e.Link]
	if !ok {
		return fmt.Errorf("hard link %q: its file %q belongs to another package of the image", e.Path, e.Link)
	}
	// One file has one mode and one owner. Who extracts the layer gives it those of
	// the last entry, so that all must say the same.
	file := &r.res.Entries[at]
	owner{file.Mode, file.UID, file.GID, file.Capability}.of(&e)
	return r.add(e, nil)
}

// setMode applies the spec's and the policy's word on an entry's mode and owner.
func (r *unpackRun) setMode(e *entry) {
	if o, ok := r.plan.Mode[e.Path]; ok {
		o.of(e)
		return
	}
	mode, rule := r.policy.Mode(e.Path, e.Mode)
	if rule != nil {
		r.res.Stripped = append(r.res.Stripped, stripped{Path: e.Path, Rule: rule.ID, Bits: true})
	}
	e.Mode = mode
}

func (r *unpackRun) addFile(e entry, content io.Reader) error {
	sum := sha256.New()
	var kept *bytes.Buffer
	if readByScripts(e.Path, e.Size) || r.named(&e) {
		kept = bytes.NewBuffer(make([]byte, 0, e.Size))
		content = io.TeeReader(content, kept)
	}
	probe := newELFProbe(sum)
	defer probe.close()
	r.out.hashed(sum)
	defer r.out.hashed(nil)
	if err := r.add(e, io.TeeReader(content, probe)); err != nil {
		return err
	}
	if kept != nil {
		r.small[e.Path] = kept.Bytes()
	}
	last := &r.res.Entries[len(r.res.Entries)-1]
	last.SHA256, last.ELF = hex.EncodeToString(sum.Sum(nil)), probe.facts()
	if last.Mode&0o111 != 0 {
		last.Script = probe.interpreter()
	}
	return nil
}

// named reports whether a script of the package names a small file of it, and so is
// likely to read it.
func (r *unpackRun) named(e *entry) bool {
	if e.Size > smallFile {
		return false
	}
	for _, text := range r.res.Scripts {
		if strings.Contains(text, "/"+e.Path) {
			return true
		}
	}
	return false
}

func (r *unpackRun) add(e entry, content io.Reader) error {
	r.res.Entries = append(r.res.Entries, e)
	return r.out.Add(e.node(nil), content)
}

func (e *entry) node(o *tree.Origin) *tree.Node {
	return &tree.Node{
		Path: e.Path, Type: e.Type, Mode: e.Mode, UID: e.UID, GID: e.GID, ModTime: e.Time,
		Size: e.Size, Link: e.Link, SHA256: e.SHA256, ELF: e.ELF, Interpreter: e.Script, Capability: e.Capability, Origin: o, Layered: e.Type != tree.Dir,
	}
}

// settleDirs keeps the directories that policy has no word on, and those with
// something left in them.
func (r *unpackRun) settleDirs() {
	needed := map[string]bool{}
	for _, e := range r.res.Entries {
		for dir := path.Dir(e.Path); dir != "." && !needed[dir]; dir = path.Dir(dir) {
			needed[dir] = true
		}
	}
	seen := map[string]bool{}
	for _, e := range r.dirs {
		if rule := r.policy.Drop(e.Path); rule != nil && !needed[e.Path] || seen[e.Path] {
			continue
		}
		seen[e.Path] = true
		if o, ok := r.plan.Mode[e.Path]; ok {
			o.of(&e)
		}
		r.res.Entries = append(r.res.Entries, e)
	}
}
