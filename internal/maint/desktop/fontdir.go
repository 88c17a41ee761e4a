package desktop

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// maxFont bounds what is read of a font that is compressed, bytes.
const maxFont = 32 << 20

// fontName is an entry of fonts.dir: the file of a font, and how much it is preferred
// to others with the same name.
type fontName struct {
	file string
	rank int
}

// fontKey is what entries are told apart by: the name in small letters, and the bucket
// of the program's table, for which letters are not made small.
type fontKey struct {
	name   string
	bucket uint32
}

func bucket(name string) uint32 {
	var u uint32
	for i := range len(name) {
		u = u<<5 + u>>5 + uint32(name[i])
	}
	return u % 1024
}

// mkfontscale is mkfontscale(1) in the form that mkfontdir(1) calls: it lists the
// bitmap fonts of directories in fonts.dir, with what fonts.scale has, and the
// encodings in encodings.dir.
func mkfontscale(ctx context.Context, p *shell.Proc) (int, error) {
	args, given := p.Args[1:], ""
	var encodings []string
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-b" || args[0] == "-s" || args[0] == "-l":
			given += args[0][1:]
			args = args[1:]
		case args[0] == "-e" && len(args) > 1:
			found, err := encodingsOf(ctx, p, args[1])
			if err != nil {
				return p.Fail(err)
			}
			encodings = append(encodings, found...)
			args = args[2:]
		default:
			return 0, shell.Unsupported("mkfontscale: option %s", args[0])
		}
	}
	if given != "bsl" {
		return 0, shell.Unsupported("mkfontscale without -b -s -l, which lists scalable fonts,")
	}
	slices.Sort(encodings)
	if len(args) == 0 {
		args = []string{"."}
	}
	if len(args) > 1 {
		return 0, shell.Unsupported("mkfontscale of several directories")
	}
	for _, dir := range args {
		if !p.FS.IsDir(p.Path(dir)) {
			fmt.Fprintf(p.Stderr, "%s: opendir: No such file or directory\n", dir)
			continue
		}
		if err := listFonts(ctx, p, strings.TrimSuffix(p.Path(dir), "/"), encodings); err != nil {
			return p.Fail(err)
		}
	}
	return 0, nil
}

// listFonts writes fonts.dir and encodings.dir of a directory.
func listFonts(ctx context.Context, p *shell.Proc, dir string, encodings []string) error {
	names, err := p.FS.ReadDir(dir)
	if err != nil {
		return err
	}
	found := map[fontKey]fontName{}
	add := func(name, file string, rank int) {
		k := fontKey{lowerASCII(name), bucket(name)}
		if was, ok := found[k]; !ok || rank > was.rank {
			found[k] = fontName{file, rank}
		}
	}
	if err := readFontScale(p, dir, add); err != nil {
		return err
	}
	for _, file := range names {
		n, err := p.FS.Lstat(dir + "/" + file)
		if err != nil || n.Type == tree.Dir {
			continue
		}
		name, err := bitmapName(ctx, p, dir+"/"+file)
		if err != nil {
			return err
		}
		rank := 2 * fileRank(file)
		if n.Type != tree.Symlink {
			rank++
		}
		if name != "" {
			add(name, file, rank)
		}
	}
	order := slices.SortedFunc(maps.Keys(found), func(a, b fontKey) int {
		return cmp.Or(cmp.Compare(found[a].file, found[b].file), cmp.Compare(a.name, b.name), cmp.Compare(a.bucket, b.bucket))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", len(order))
	for _, k := range order {
		fmt.Fprintf(&b, "%s %s\n", found[k].file, k.name)
	}
	if err := p.FS.WriteFile(dir+"/fonts.dir", []byte(b.String()), 0o666&^p.Umask); err != nil {
		return err
	}
	return writeEncodings(p, dir, encodings)
}

func writeEncodings(p *shell.Proc, dir string, encodings []string) error {
	at := dir + "/encodings.dir"
	if _, err := p.FS.Lstat(at); err == nil {
		if err := p.FS.Remove(at); err != nil {
			return err
		}
	}
	if len(encodings) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d\n%s\n", len(encodings), strings.Join(encodings, "\n"))
	return p.FS.WriteFile(at, []byte(text), 0o666&^p.Umask)
}

// lowerASCII makes letters small as names of fonts are compared.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// fileRank says what kind of file is preferred where several have the same font.
func fileRank(file string) int {
	for _, r := range []struct {
		suffix string
		rank   int
	}{{".otf", 6}, {".OTF", 6}, {".ttf", 5}, {".TTF", 5}, {".pcf", 4}, {".PCF", 4}, {".gz", 3}, {".bz2", 2}, {".Z", 2}, {".bdf", 1}, {".BDF", 1}} {
		if strings.HasSuffix(file, r.suffix) {
			return r.rank
		}
	}
	return 0
}

// readFontScale reads the list of scalable fonts, if there is one: how many, and then
// a file and a name on each line.
func readFontScale(p *shell.Proc, dir string, add func(name, file string, rank int)) error {
	b, err := p.FS.ReadFile(dir + "/fonts.scale")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(strings.TrimLeft(string(b), " \t\n"), "\n")
	var count int
	if n, _ := fmt.Sscan(first, &count); n != 1 {
		return nil
	}
	for line := range strings.Lines(rest) {
		if count--; count < 0 {
			break
		}
		file, name, ok := strings.Cut(strings.Trim(line, " \t\n"), " ")
		if !ok {
			return shell.Unsupported("reading %s/fonts.scale, which has the line %q,", dir, line)
		}
		add(strings.TrimLeft(name, " \t"), file, 100)
	}
	return nil
}

// fontData returns the content of a file, unpacked where it is compressed.
func fontData(ctx context.Context, p *shell.Proc, name string) ([]byte, error) {
	b, err := p.FS.ReadFile(name)
	if err != nil || len(b) < 2 || b[0] != 0x1f || b[1] != 0x8b {
		return b, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, shell.Unsupported("reading %s, which is no whole gzip file,", name)
	}
	b, err = io.ReadAll(io.LimitReader(z, maxFont+1))
	if err != nil || len(b) > maxFont {
		return nil, shell.Unsupported("reading %s, which is no whole gzip file, or one of more than %d bytes,", name, maxFont)
	}
	return b, p.Work(ctx, len(b)>>12)
}

// bitmapName returns the name of a bitmap font, "" for any other file.
func bitmapName(ctx context.Context, p *shell.Proc, file string) (string, error) {
	b, err := fontData(ctx, p, file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // a link to nothing
	}
	if err != nil {
		return "", err
	}
	switch {
	case bytes.HasPrefix(b, []byte("\x01fcp")):
		if name, ok := pcfName(b); ok {
			return name, nil
		}
	case bytes.HasPrefix(b, []byte("STARTFONT ")):
		if name, ok := bdfName(string(b)); ok {
			return name, nil
		}
	case outlines(b):
		return "", nil
	case bytes.HasPrefix(b, []byte("\x1f\x9d")), bytes.HasPrefix(b, []byte("BZh")), bytes.HasPrefix(b, []byte("MZ")),
		bytes.HasPrefix(b, []byte("\x00\x02")), bytes.HasPrefix(b, []byte("\x00\x03")), isSFNT(b):
	default:
		return "", nil // no font
	}
	return "", shell.Unsupported("mkfontscale: finding the name of the font %s", file)
}

func isSFNT(b []byte) bool {
	for _, magic := range []string{"\x00\x01\x00\x00", "OTTO", "true", "ttcf", "wOFF", "wOF2", "typ1"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return false
}

// outlines reports whether a font is scalable: Type 1, or TrueType and OpenType with
// glyphs that are no bitmaps alone.
func outlines(b []byte) bool {
	if bytes.HasPrefix(b, []byte("%!PS-AdobeFont")) || bytes.HasPrefix(b, []byte("%!FontType")) || bytes.HasPrefix(b, []byte("\x80\x01")) {
		return true
	}
	if bytes.HasPrefix(b, []byte("ttcf")) && len(b) >= 16 {
		at := binary.BigEndian.Uint32(b[12:])
		if int64(at) >= int64(len(b)) {
			return false
		}
		return sfntOutlines(b, b[at:])
	}
	return isSFNT(b) && sfntOutlines(b, b)
}

// sfntOutlines looks through the table of contents of an OpenType font.
func sfntOutlines(b, head []byte) bool {
	if len(head) < 12 {
		return false
	}
	bitmaps, curves := false, false
	for i := range int(binary.BigEndian.Uint16(head[4:])) {
		if len(head) < 12+16*i+16 {
			return false
		}
		entry := head[12+16*i:]
		switch string(entry[:4]) {
		case "CFF ", "CFF2", "glyf":
			curves = true
		case "EBLC", "bloc", "CBLC", "sbix":
			bitmaps = true
		}
	}
	return curves && !bitmaps
}

// pcfName returns the property FONT of a font in the X server's compiled format.
func pcfName(b []byte) (string, bool) {
	const properties = 1
	u32 := func(at int, o binary.ByteOrder) int {
		if at < 0 || at+4 > len(b) {
			return -1
		}
		return int(int32(o.Uint32(b[at:])))
	}
	le := binary.ByteOrder(binary.LittleEndian)
	at := -1
	for i := range max(0, min(u32(4, le), 1000)) {
		if u32(8+16*i, le) == properties {
			at = u32(8+16*i+12, le)
			break
		}
	}
	format := u32(at, le)
	if at < 0 || format < 0 || format&^0xff != 0 {
		return "", false
	}
	order := le
	if format&(1<<2) != 0 {
		order = binary.BigEndian
	}
	n := u32(at+4, order)
	if n <= 0 || n > 1000 {
		return "", false
	}
	props := at + 8
	sizeAt := props + 9*n
	if n&3 != 0 {
		sizeAt += 4 - n&3
	}
	size := u32(sizeAt, order)
	if size < 0 || size > 100000 || sizeAt+4+size > len(b) {
		return "", false
	}
	text := b[sizeAt+4:][:size]
	word := func(at int) string {
		if at < 0 || at >= size {
			return ""
		}
		s, _, _ := bytes.Cut(text[at:], []byte{0})
		return string(s)
	}
	for i := range n {
		if b[props+9*i+4] != 0 && word(u32(props+9*i, order)) == "FONT" {
			return word(u32(props+9*i+5, order)), true
		}
	}
	return "", false
}

// bdfName returns the name in a font in the Glyph Bitmap Distribution Format.
func bdfName(text string) (string, bool) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "FONT "); ok {
			name = strings.TrimLeft(name, " ")
			return name, name != ""
		}
		if strings.HasPrefix(line, "CHARS ") {
			break
		}
	}
	return "", false
}

// encodingsOf returns the lines of encodings.dir for the files of a directory: the
// names that each has for its encoding.
func encodingsOf(ctx context.Context, p *shell.Proc, dir string) ([]string, error) {
	dir = p.Path(dir)
	if len(dir) > 1 {
		dir = strings.TrimSuffix(dir, "/")
	}
	files, err := p.FS.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, file := range files {
		if p.FS.IsDir(dir + "/" + file) {
			continue
		}
		b, err := fontData(ctx, p, dir+"/"+file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range encodingNames(string(b)) {
			lines = append(lines, name+" "+dir+"/"+file)
		}
	}
	return lines, nil
}

// encodingNames returns the name of an encoding and its aliases, from the head of its
// file.
func encodingNames(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case strings.EqualFold(words[0], "STARTENCODING") && len(words) > 1 && names == nil:
			names = append(names, words[1])
		case names == nil:
			return nil
		case strings.EqualFold(words[0], "ALIAS") && len(words) > 1:
			names = append(names, words[1])
		case strings.EqualFold(words[0], "STARTMAPPING"):
			return names
		}
	}
	return nil
}
