package deb

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// Limits bound what a package may unpack to.
type Limits struct {
	Data    int64 // bytes of the data tar; 0 means 8 GiB, see DataLimit
	Control int64 // bytes of the control tar; 0 means 32 MiB
	Entries int   // entries of the data tar; 0 means 1,000,000
}

const (
	defaultDataLimit    = 8 << 30
	defaultControlLimit = 32 << 20
	defaultEntries      = 1_000_000
	maxPath             = 4096      // PATH_MAX of Linux
	noID                = 1<<32 - 1 // (uid_t)-1, which chown(2) takes for no id
)

// Control is what a package says of itself.
type Control struct {
	Paragraph debian.Paragraph  // the file "control"
	Files     map[string][]byte // every control file by name: "control", "postinst", "conffiles", "md5sums", ...
}

// Reader reads one package.
type Reader struct {
	Control Control

	data     *tar.Reader
	decoders *Decoders
	closer   func() // of the member that is read; nil for none
	ar       *arReader
	limits   Limits
	entries  int
	size     int64           // bytes of the files so far
	seen     map[string]byte // path to type flag
}

// NewReader is [Decoders.NewReader] with decoders of its own.
func NewReader(r io.Reader, limits Limits) (*Reader, error) {
	return new(Decoders).NewReader(r, limits)
}

// NewReader reads r up to the package's files and returns a Reader of them. The
// caller must Close it, before there is another one of the same decoders.
func (u *Decoders) NewReader(r io.Reader, limits Limits) (*Reader, error) {
	ar, err := newArReader(bufio.NewReaderSize(r, 128<<10))
	if err != nil {
		return nil, err
	}
	d := &Reader{decoders: u, ar: ar, limits: limits, seen: map[string]byte{}}
	d.limits.setDefaults()
	if err := d.open(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (l *Limits) setDefaults() {
	if l.Data == 0 {
		l.Data = defaultDataLimit
	}
	if l.Control == 0 {
		l.Control = defaultControlLimit
	}
	if l.Entries == 0 {
		l.Entries = defaultEntries
	}
}

// open reads the members in the order that deb(5) lays down: debian-binary, the
// control tar, the data tar. Members whose name begins with '_' may stand between.
func (d *Reader) open() error {
	name, err := d.nextMember()
	if err != nil {
		return err
	}
	if name != "debian-binary" {
		return fmt.Errorf("first member is %q, expected debian-binary", name)
	}
	version, err := io.ReadAll(io.LimitReader(d.ar, 64))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(version), "2.") {
		return fmt.Errorf("format version is %q, expected 2.x", strings.TrimSpace(string(version)))
	}
	control, err := d.openTar("control.tar", d.limits.Control)
	if err != nil {
		return err
	}
	if err := d.readControl(control); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	d.Close() // the data wants the decoders
	d.data, err = d.openTar("data.tar", d.limits.Data)
	return err
}

func (d *Reader) nextMember() (string, error) {
	for {
		name, err := d.ar.next()
		if err == io.EOF {
			return "", fmt.Errorf("%w: a member is missing", ErrTruncated)
		}
		if err != nil || !strings.HasPrefix(name, "_") {
			return name, err
		}
	}
}

func (d *Reader) openTar(base string, limit int64) (*tar.Reader, error) {
	name, err := d.nextMember()
	if err != nil {
		return nil, err
	}
	suffix, ok := strings.CutPrefix(name, base)
	if !ok {
		return nil, fmt.Errorf("found member %q, expected %s", name, base)
	}
	r, closer, err := d.decoders.decompress(d.ar, suffix)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d.closer = closer
	return tar.NewReader(newLimitReader(&truncationReader{r, base}, limit, base)), nil
}

// truncationReader names the end of a stream in its middle for what it is.
type truncationReader struct {
	r    io.Reader
	what string
}

func (t *truncationReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err == io.ErrUnexpectedEOF {
		err = truncated(err, t.what)
	}
	return n, err
}

func (d *Reader) readControl(t *tar.Reader) error {
	d.Control.Files = map[string][]byte{}
	var size int64
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if size, err = addSize(size, h, d.limits.Control, "control.tar"); err != nil {
			return err
		}
		if d.Control.Files[path.Base(h.Name)], err = io.ReadAll(t); err != nil {
			return err
		}
	}
	text, ok := d.Control.Files["control"]
	if !ok {
		return errors.New("the file \"control\" is missing")
	}
	p, err := debian.NewControlReader(strings.NewReader(string(text))).Next()
	if err != nil && err != io.EOF {
		return err
	}
	for _, field := range []string{"Package", "Version", "Architecture"} {
		if p.Get(field) == "" {
			return fmt.Errorf("the field %s is missing", field)
		}
	}
	d.Control.Paragraph = p
	return nil
}

// addSize adds the size of a file to the sum of them. A file with holes says a size
// that the stream below never has, so that a limit of the stream does not bound it.
func addSize(sum int64, h *tar.Header, limit int64, what string) (int64, error) {
	if h.Size > limit-sum {
		return 0, tooLarge(what, limit)
	}
	return sum + h.Size, nil
}

// DataLimit returns the bytes that a package of the stated installed size may
// unpack to: four times as much and 64 MiB, since the statement is rounded and
// may be old; the general limit where nothing is stated.
func DataLimit(installedKiB int64) int64 {
	if installedKiB <= 0 || installedKiB > defaultDataLimit>>12 {
		return defaultDataLimit
	}
	return min(defaultDataLimit, installedKiB<<12+64<<20)
}

// Next returns the header of the next file, its Name and the Linkname of a hard
// link clean and relative ("usr/bin/env", "." for the root), or io.EOF after the
// last. [Reader.Read] then reads its content.
func (d *Reader) Next() (*tar.Header, error) {
	h, err := d.data.Next()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("data.tar: %w", truncated(err, "data.tar"))
	}
	if d.entries++; d.entries > d.limits.Entries {
		return nil, fmt.Errorf("data.tar: %w of %d entries", ErrTooLarge, d.limits.Entries)
	}
	if err := d.check(h); err != nil {
		return nil, fmt.Errorf("data.tar: %w", err)
	}
	if d.size, err = addSize(d.size, h, d.limits.Data, "data.tar"); err != nil {
		return nil, fmt.Errorf("data.tar: %w", err)
	}
	return h, nil
}

// Read reads the content of the current file.
func (d *Reader) Read(p []byte) (int, error) {
	n, err := d.data.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("data.tar: %w", truncated(err, "data.tar"))
	}
	return n, err
}

// Close frees the decoder.
func (d *Reader) Close() error {
	if d.closer != nil {
		d.closer()
		d.closer = nil
	}
	return nil
}

func (d *Reader) check(h *tar.Header) error {
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	h.Name = name
	if old, ok := d.seen[name]; ok && (old != tar.TypeDir || h.Typeflag != tar.TypeDir) {
		return fmt.Errorf("%q is in it twice", name)
	}
	if h.Uid < 0 || h.Gid < 0 || int64(h.Uid) >= noID || int64(h.Gid) >= noID {
		return fmt.Errorf("%q belongs to %d:%d, expected ids below %d", name, h.Uid, h.Gid, int64(noID))
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > maxPath || hasControl(h.Linkname) {
			return fmt.Errorf("%q is a symbolic link to %.80q, which is not a path", name, h.Linkname)
		}
	case tar.TypeLink:
		if h.Linkname, err = cleanName(h.Linkname); err != nil {
			return fmt.Errorf("hard link %q: %w", name, err)
		}
		if old, ok := d.seen[h.Linkname]; !ok || old != tar.TypeReg && old != tar.TypeLink {
			return fmt.Errorf("hard link %q leads to %q, which is not a file before it", name, h.Linkname)
		}
	default:
		return fmt.Errorf("%q is a %s, expected a file, directory or link", name, typeName(h.Typeflag))
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if t, ok := d.seen[dir]; ok && t != tar.TypeDir {
			return fmt.Errorf("%q goes through %q, which is not a directory", name, dir)
		}
	}
	d.seen[name] = h.Typeflag
	return nil
}

func cleanName(name string) (string, error) {
	switch {
	case name == "" || len(name) > maxPath:
		return "", fmt.Errorf("path of %d bytes, expected 1 to %d", len(name), maxPath)
	case hasControl(name):
		return "", fmt.Errorf("path %q has control characters", name)
	case strings.HasPrefix(name, "/"):
		return "", fmt.Errorf("path %q is absolute", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return "", fmt.Errorf("path %q climbs with \"..\"", name)
		case strings.HasPrefix(part, ".wh."):
			return "", fmt.Errorf("path %q has a name that means a whiteout in a layer", name)
		}
	}
	return path.Clean(name), nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func typeName(flag byte) string {
	switch flag {
	case tar.TypeChar, tar.TypeBlock:
		return "device node"
	case tar.TypeFifo:
		return "named pipe"
	}
	return fmt.Sprintf("tar entry of type %q", flag)
}
