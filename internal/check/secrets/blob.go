package secrets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"slices"
	"strings"
	"sync/atomic"
)

// Bounds of what is unpacked of archives, in bytes but for the members. What lies beyond
// is not searched.
const (
	maxArchive  = 16 << 20 // of an archive as it is in the image
	maxUnpacked = 32 << 20 // of what comes out of one
	maxMember   = 8 << 20
	maxMembers  = 10000
)

// A Budget is how much may still be unpacked of all archives of an image, in bytes. It
// may be used by several goroutines.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget that is enough for the archives of most images.
func NewBudget() *Budget {
	b := &Budget{}
	b.left.Store(256 << 20)
	return b
}

// A Blob looks for secrets in one file that is no text, as an [io.Writer] that the file
// passes: for files made to hold keys, for secrets of a form that nothing else has, and
// in what gzip and zip archives hold, one level deep.
type Blob struct {
	detector *Detector
	budget   *Budget
	name     string
	head     []byte
	size     int64
	piece    []byte
	archive  []byte
	packed   bool
	searches int // that may still be made
	found    []Finding
}

// IgnoresBinary is Ignores for a file that is no text: a program is looked at whatever it
// is called, since only what nothing else looks like is searched for.
func (d *Detector) IgnoresBinary(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".bin", ".exe", ".dll", ".pdb":
		return d.Ignores(path.Dir(name) + "/x")
	}
	return d.Ignores(name)
}

// Begin makes b ready for a file.
func (b *Blob) Begin(d *Detector, budget *Budget, name string) {
	*b = Blob{detector: d, budget: budget, name: name, searches: maxSearches, head: b.head[:0], piece: b.piece[:0], archive: b.archive[:0]}
}

// Binary reports whether a file that begins with head is no text, but one for a [Blob].
// Archives and keys in DER may begin without a zero byte.
func Binary(head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 || bytes.HasPrefix(head, []byte("\x1f\x8b")) || bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return true
	}
	return len(head) > 1 && head[0] == 0x30 && head[1]&0x80 != 0 || slices.ContainsFunc(magics, func(m struct{ magic, rule, about string }) bool { return bytes.HasPrefix(head, []byte(m.magic)) })
}

// pieceSize is how much is searched at a time, and overlap how much of it again.
const (
	pieceSize = 128 << 10
	overlap   = behind + before
)

// Write never fails.
func (b *Blob) Write(p []byte) (int, error) {
	if b.size == 0 {
		b.packed = bytes.HasPrefix(p, []byte("\x1f\x8b\x08")) || bytes.HasPrefix(p, []byte("PK\x03\x04"))
	}
	b.size += int64(len(p))
	if room := keyHead - len(b.head); room > 0 {
		b.head = append(b.head, p[:min(room, len(p))]...)
	}
	if b.packed {
		if room := maxArchive - len(b.archive); room > 0 {
			b.archive = append(b.archive, p[:min(room, len(p))]...)
		}
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), pieceSize-len(b.piece))
		b.piece = append(b.piece, rest[:n]...)
		if rest = rest[n:]; len(b.piece) == pieceSize {
			b.tell(b.detector.inBinary(b.piece, &b.searches), "")
			b.piece = append(b.piece[:0], b.piece[pieceSize-overlap:]...)
		}
	}
	return len(p), nil
}

// End returns what was found, each secret once.
func (b *Blob) End() []Finding {
	if b.size == 0 {
		return nil
	}
	if rule, about := keyFile(b.head, int64(len(b.head)) == b.size); rule != "" {
		b.found = append(b.found, Finding{Rule: rule, About: about, Shown: "the file"})
	}
	if b.packed && b.size <= maxArchive {
		b.unpack()
	}
	if len(b.piece) > 0 {
		b.tell(b.detector.inBinary(b.piece, &b.searches), "")
	}
	if cap(b.archive) > 1<<20 {
		b.archive = nil // most files are no archives
	}
	return b.found
}

func (b *Blob) tell(found []Finding, member string) {
	for _, f := range found {
		f.Member = member
		if !slices.Contains(b.found, f) {
			b.found = append(b.found, f)
		}
	}
}

// unpack searches the members of an archive.
func (b *Blob) unpack() {
	if b.archive[0] == 'P' {
		b.zip()
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(b.archive))
	if err != nil {
		return
	}
	var head bytes.Buffer
	io.CopyN(&head, z, 512)
	plain := io.LimitReader(io.MultiReader(&head, z), maxUnpacked)
	if h := head.Bytes(); len(h) < 512 || !bytes.Equal(h[257:262], []byte("ustar")) {
		b.member("", plain)
		return
	}
	members := tar.NewReader(plain)
	for range maxMembers {
		h, err := members.Next()
		if err != nil {
			return
		}
		if h.Typeflag == tar.TypeReg && !b.member(h.Name, members) {
			return
		}
	}
}

func (b *Blob) zip() {
	z, err := zip.NewReader(bytes.NewReader(b.archive), int64(len(b.archive)))
	if err != nil {
		return
	}
	total := int64(maxUnpacked)
	for _, f := range z.File[:min(len(z.File), maxMembers)] {
		r, err := f.Open()
		if err != nil {
			continue
		}
		limited := io.LimitReader(r, total)
		more := b.member(f.Name, limited)
		total = limited.(*io.LimitedReader).N
		r.Close()
		if !more || total <= 0 {
			return
		}
	}
}

// member searches one member, and reports whether there is budget for more.
func (b *Blob) member(name string, r io.Reader) bool {
	if b.detector.IgnoresBinary(name) {
		return true
	}
	content, _ := io.ReadAll(io.LimitReader(r, maxMember)) // what comes before damage is searched
	if b.budget.left.Add(-int64(len(content))) < 0 {
		return false
	}
	if bytes.IndexByte(content[:min(len(content), 8<<10)], 0) >= 0 {
		if rule, about := keyFile(content[:min(len(content), keyHead)], len(content) <= keyHead); rule != "" {
			b.tell([]Finding{{Rule: rule, About: about, Shown: "the member"}}, shownName(name))
		}
		b.tell(b.detector.inBinary(content, &b.searches), shownName(name))
	} else {
		b.tell(b.detector.Find(name, content), shownName(name))
	}
	return true
}

// shownName is the name of a member as it is told.
func shownName(name string) string {
	if name == "" {
		return "what is compressed"
	}
	return name[:min(len(name), 200)]
}
