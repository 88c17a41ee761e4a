package facts

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/check/secrets"
	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/tree"
)

// Format names what is gathered of a layer, for the key of whoever keeps it. It changes
// with what [Content] has, and with what packages tool and secrets find.
const Format = "facts3"

// Content is what one layer has, whichever image it is in. It is plain data that JSON
// keeps; see [Content.Portable].
type Content struct {
	Files     []File         `json:"files"`
	Whiteouts []string       `json:"whiteouts,omitempty"` // paths, and directories with a slash at the end that lose what is in them
	Texts     map[int][]byte `json:"texts,omitempty"`     // of files that describe the system, by their index
	Secrets   []Hit          `json:"secrets,omitempty"`
	Unpacked  int64          `json:"unpacked"`       // bytes of the files
	Left      int            `json:"left,omitempty"` // texts that were not kept for want of room
}

// Hit is what looks like a secret, in the file of that index.
type Hit struct {
	File int `json:"file"`
	secrets.Finding
}

// Portable reports whether JSON gives back what it is given: names need not be UTF-8.
func (c *Content) Portable() bool {
	for i := range c.Files {
		if f := &c.Files[i]; !utf8.ValidString(f.Path) || !utf8.ValidString(f.Link) {
			return false
		}
	}
	for _, w := range c.Whiteouts {
		if !utf8.ValidString(w) {
			return false
		}
	}
	return true
}

// Join returns the content of the layer that holds the entries of all.
func Join(all ...*Content) *Content {
	joined := &Content{Texts: map[int][]byte{}}
	for _, c := range all {
		n := len(joined.Files)
		joined.Files = append(joined.Files, c.Files...)
		joined.Whiteouts = append(joined.Whiteouts, c.Whiteouts...)
		for i, text := range c.Texts {
			joined.Texts[n+i] = text
		}
		for _, h := range c.Secrets {
			joined.Secrets = append(joined.Secrets, Hit{n + h.File, h.Finding})
		}
		joined.Unpacked += c.Unpacked
		joined.Left += c.Left
	}
	return joined
}

// bounds are what may still be read of an image, by all who read its layers.
type bounds struct {
	paths    atomic.Int64
	names    atomic.Int64 // bytes
	unpacked atomic.Int64
	texts    atomic.Int64 // bytes that are kept
	secrets  atomic.Int64
}

// A Gatherer learns what a layer has while somebody reads or writes it, as a
// [layer.Watcher].
type Gatherer struct {
	*bounds
	vouched  func(h *tar.Header) bool
	sums     bool            // of all files: whoever compares images asks for them
	archives *secrets.Budget // of the layer, so that what is found in one does not depend on others
	content  Content
	file     *fileGatherer // whose content is still coming, or nil
}

// NewGatherer returns a gatherer for one layer. Files for which vouched is true are neither
// searched for secrets nor compared with what their package shipped: whoever calls knows
// that they are to the byte of a package, and says so in the image's record.
func NewGatherer(vouched func(h *tar.Header) bool) *Gatherer { return newGatherer(&bounds{}, vouched) }

func newGatherer(b *bounds, vouched func(h *tar.Header) bool) *Gatherer {
	return &Gatherer{bounds: b, vouched: vouched, archives: secrets.NewBudget(), content: Content{Texts: map[int][]byte{}}}
}

// Finish returns what the layer has, when all its entries have passed.
func (g *Gatherer) Finish() (*Content, error) {
	err := g.end()
	return &g.content, err
}

const whiteout, opaque = ".wh.", ".wh..wh..opq" // OCI image spec, layer.md

// Entry takes one entry of a layer's tar and returns where its content goes, nil for an
// entry without.
func (g *Gatherer) Entry(h *tar.Header) (io.Writer, error) {
	if err := g.end(); err != nil {
		return nil, err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil, nil
	}
	f := File{Path: tree.Clean(h.Name), Mode: uint32(h.Mode & 0o7777), UID: uint32(h.Uid), GID: uint32(h.Gid)}
	if g.paths.Add(1) > maxPaths || g.names.Add(int64(len(f.Path)+len(h.Linkname))) > maxPathBytes {
		return nil, fmt.Errorf("%w: the image has more than %d paths, or names of more than %d bytes", oci.ErrTooLarge, maxPaths, maxPathBytes)
	}
	dir, base := path.Split(f.Path)
	if name, ok := strings.CutPrefix(base, whiteout); ok {
		if base == opaque {
			name = ""
		}
		g.content.Whiteouts = append(g.content.Whiteouts, dir+name)
		return nil, nil
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		f.Size = h.Size
		if h.Size < 0 || g.unpacked.Add(h.Size) > maxUnpacked {
			return nil, fmt.Errorf("%w: the files of the image have more than %d bytes", oci.ErrTooLarge, int64(maxUnpacked))
		}
		f.Capability = tree.Capability(hex.EncodeToString([]byte(h.PAXRecords["SCHILY.xattr.security.capability"])))
		f.Vouched = g.vouched(h)
		g.content.Unpacked += h.Size
		g.file = fileGatherers.Get().(*fileGatherer)
		g.file.begin(g, &f)
	case tar.TypeDir:
		f.Type = Directory
	case tar.TypeSymlink:
		f.Type, f.Link = Symlink, h.Linkname
	case tar.TypeLink:
		f.Type, f.Link = Hardlink, tree.Clean(h.Linkname)
	default:
		f.Type, f.Kind = Other, h.Typeflag
	}
	g.content.Files = append(g.content.Files, f)
	if g.file == nil {
		return nil, nil
	}
	return g.file, nil
}

func (g *Gatherer) end() error {
	if g.file == nil {
		return nil
	}
	err := g.file.end(&g.content.Files[len(g.content.Files)-1])
	fileGatherers.Put(g.file)
	g.file = nil
	return err
}

// fileGatherers have buffers of megabytes, which are worth keeping for the next file.
var fileGatherers = sync.Pool{New: func() any {
	return &fileGatherer{sum: md5.New(), head: make([]byte, 0, headSize)}
}}

// LargeFile is the size, in bytes, from which on equal files are of interest.
const LargeFile = 64 << 10

// castagnoli is, beside IEEE's, the polynomial that processors compute.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// headSize is how much of a file says what is to be looked at, in bytes.
const headSize = 8 << 10

// A fileGatherer looks at the content of one file as it passes, in pieces of any size.
// What its first bytes say decides who sees the rest.
type fileGatherer struct {
	g        *Gatherer
	path     string
	mode     uint32
	vouched  bool
	summed   bool
	sum      hash.Hash // as dpkg and apk have it in their databases
	large    bool
	crc      [2]uint32
	head     []byte
	decided  bool
	isELF    bool
	sniffs   bool // what it is depends on all of it
	sniffer  tool.Sniffer
	elf      elfWindow
	texts    texts
	searched bool // for secrets
	keep     bool
	kept     []byte
	err      error
}

func (w *fileGatherer) begin(g *Gatherer, f *File) {
	w.sum.Reset()
	w.g, w.path, w.mode, w.vouched, w.head = g, f.Path, f.Mode, f.Vouched, w.head[:0]
	w.summed = g.sums || !f.Vouched
	w.large, w.crc = f.Size >= LargeFile, [2]uint32{}
	w.decided, w.isELF, w.searched, w.err = false, false, false, nil
	w.keep, w.kept = isText(f.Path) && f.Size <= maxText, nil
	w.elf.reset(f.Size)
	w.sniffer.Reset()
}

// Write fails where secrets cannot be looked for.
func (w *fileGatherer) Write(p []byte) (int, error) {
	n := len(p)
	if w.summed {
		w.sum.Write(p)
	}
	if w.large {
		w.crc = [2]uint32{crc32.Update(w.crc[0], crc32.IEEETable, p), crc32.Update(w.crc[1], castagnoli, p)}
	}
	if w.keep {
		w.kept = append(w.kept, p...)
	}
	if !w.decided {
		room := min(headSize-len(w.head), len(p))
		w.head = append(w.head, p[:room]...)
		if p = p[room:]; len(w.head) < headSize {
			return n, nil
		}
		w.decide()
	}
	if len(p) > 0 {
		w.look(p)
	}
	return n, w.err
}

// decide looks at the beginning of the file, or at all of it.
func (w *fileGatherer) decide() {
	w.decided = true
	w.isELF = bytes.HasPrefix(w.head, []byte(elf.ELFMAG))
	w.sniffs = w.isELF && tool.Sniffs(w.path, w.mode, w.head)
	if !w.vouched && len(w.head) > 0 {
		w.searched, w.err = w.texts.begin(w, w.head)
	}
	if !w.sniffs {
		w.sniffer.Write(w.head) // which is enough of it
	}
	w.look(w.head)
}

func (w *fileGatherer) look(p []byte) {
	if w.searched {
		w.texts.add(p)
	}
	if w.isELF {
		w.elf.Write(p)
		if w.sniffs {
			w.sniffer.Write(p)
		}
	}
}

func (w *fileGatherer) end(f *File) error {
	if !w.decided {
		w.decide()
	}
	if w.err != nil {
		return w.err
	}
	if w.summed {
		w.sum.Sum(f.MD5[:0])
	}
	f.CRC = uint64(w.crc[0])<<32 | uint64(w.crc[1])
	f.Tools = tool.Identify(f.Path, f.Mode, &w.sniffer)
	f.ELF = w.elf.read()
	if w.searched {
		w.texts.end()
	}
	if !w.keep {
		return nil
	}
	if w.g.bounds.texts.Add(int64(len(w.kept))) > maxTexts {
		w.g.bounds.texts.Add(-int64(len(w.kept)))
		w.g.content.Left++
		return nil
	}
	w.g.content.Texts[len(w.g.content.Files)-1] = bytes.Clone(w.kept)
	return nil
}
