package text

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// odFormat is one way in which od(1) prints bytes.
type odFormat struct {
	kind byte // a, c, d, u, o, x
	size int
}

// width is that of one item, with the blank before it.
func (f odFormat) width() int {
	switch f.kind {
	case 'a', 'c':
		return 4
	case 'x':
		return 1 + 2*f.size
	case 'o':
		return 1 + (8*f.size+2)/3
	}
	return 1 + map[int]int{1: 3, 2: 5, 4: 10, 8: 20}[f.size] + map[bool]int{true: 1}[f.kind == 'd']
}

func (f odFormat) item(b []byte) string {
	var padded [8]byte
	copy(padded[:], b)
	v := binary.LittleEndian.Uint64(padded[:])
	switch f.kind {
	case 'c':
		return odCharacter(b[0])
	case 'a':
		if c := b[0] & 0x7f; c <= ' ' || c == 127 {
			return odNames[c%94]
		}
		return string(b[0] & 0x7f)
	case 'x':
		return fmt.Sprintf("%0*x", 2*f.size, v)
	case 'o':
		return fmt.Sprintf("%0*o", f.width()-1, v)
	case 'u':
		return strconv.FormatUint(v, 10)
	}
	shift := 64 - 8*f.size
	return strconv.FormatInt(int64(v<<shift)>>shift, 10)
}

// odNames are those of the first 33 characters; 127 is 33, being 127 % 94.
var odNames = strings.Fields("nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs us sp del")

func odCharacter(c byte) string {
	if c == 0 {
		return `\0`
	}
	if i := strings.IndexByte("\a\b\f\n\r\t\v", c); i >= 0 {
		return `\` + "abfnrtv"[i:i+1]
	}
	if c >= ' ' && c < 127 {
		return string(rune(c))
	}
	return fmt.Sprintf("%03o", c)
}

// odOptions are those of od(1).
type odOptions struct {
	formats     []odFormat
	radix       byte
	skip, count int // count is -1 for all
	width       int
	all         bool
}

var odShort = map[string]odFormat{
	"a": {'a', 1}, "b": {'o', 1}, "c": {'c', 1}, "d": {'u', 2}, "o": {'o', 2}, "x": {'x', 2}, "s": {'d', 2}, "i": {'d', 4}, "l": {'d', 8},
}

func od(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "A:N:j:t:vw::abcdoxsil", "address-radix:=A read-bytes:=N skip-bytes:=j format:=t output-duplicates=v width::=w")
	if err != nil {
		return 1, err
	}
	o := odOptions{radix: 'o', count: -1, width: 16}
	for _, opt := range opts {
		if err := o.set(opt); err != nil {
			return 1, shell.Unsupported("od: -%s %s", opt.name, opt.value)
		}
	}
	if o.formats == nil {
		o.formats = []odFormat{{'o', 2}}
	}
	all, status, err := readAll(p, names)
	if err != nil {
		return 1, err
	}
	if o.skip > len(all) {
		return p.Errorf("cannot skip past end of combined input")
	}
	all = all[o.skip:]
	if o.count >= 0 {
		all = all[:min(o.count, len(all))]
	}
	w := buffered(p)
	o.dump(w, all)
	return finish(w, status)
}

func (o *odOptions) set(opt option) (err error) {
	switch opt.name {
	case "A":
		if len(opt.value) != 1 || !strings.Contains("doxn", opt.value) {
			return fmt.Errorf("radix")
		}
		o.radix = opt.value[0]
	case "N":
		o.count, _, err = endsNumber(opt.value)
	case "j":
		o.skip, _, err = endsNumber(opt.value)
	case "v":
		o.all = true
	case "w":
		o.width = 32
		if opt.value != "" {
			o.width, err = strconv.Atoi(opt.value)
		}
		if o.width < 1 || o.width%8 != 0 && o.width > 8 {
			err = fmt.Errorf("width")
		}
	case "t":
		err = o.types(opt.value)
	default:
		o.formats = append(o.formats, odShort[opt.name])
	}
	return err
}

// types reads the argument of -t, as "x1c".
func (o *odOptions) types(text string) error {
	for text != "" {
		f := odFormat{text[0], 4}
		text = text[1:]
		switch f.kind {
		case 'a', 'c':
			f.size = 1
		case 'd', 'o', 'u', 'x':
			if text != "" {
				if size := map[byte]int{'C': 1, 'S': 2, 'I': 4, 'L': 8, '1': 1, '2': 2, '4': 4, '8': 8}[text[0]]; size > 0 {
					f.size, text = size, text[1:]
				}
			}
		default:
			return fmt.Errorf("type")
		}
		if strings.HasPrefix(text, "z") {
			return fmt.Errorf("type")
		}
		o.formats = append(o.formats, f)
	}
	return nil
}

func (o *odOptions) dump(w *bufio.Writer, b []byte) {
	block := 1
	for _, f := range o.formats {
		block = max(block, f.size)
	}
	unit := 0 // columns of a block
	for _, f := range o.formats {
		unit = max(unit, f.width()*block/f.size)
	}
	var last []byte
	starred := false
	for at := 0; at < len(b); at += o.width {
		line := b[at:min(at+o.width, len(b))]
		if !o.all && last != nil && bytes.Equal(line, last) && len(line) == o.width {
			if !starred {
				w.WriteString("*\n")
			}
			starred = true
			continue
		}
		last, starred = line, false
		for i, f := range o.formats {
			if i == 0 {
				w.WriteString(o.address(o.skip + at))
			} else {
				w.WriteString(strings.Repeat(" ", len(o.address(0))))
			}
			cell := unit * f.size / block
			for from := 0; from < len(line); from += f.size {
				fmt.Fprintf(w, "%*s", cell, f.item(line[from:min(from+f.size, len(line))]))
			}
			w.WriteByte('\n')
		}
	}
	if o.radix != 'n' {
		w.WriteString(o.address(o.skip+len(b)) + "\n")
	}
}

func (o *odOptions) address(at int) string {
	switch o.radix {
	case 'n':
		return ""
	case 'd':
		return fmt.Sprintf("%07d", at)
	case 'x':
		return fmt.Sprintf("%06x", at)
	}
	return fmt.Sprintf("%07o", at)
}

// readAll returns the content of all operands, one after the other.
func readAll(p *shell.Proc, names []string) (all []byte, status int, err error) {
	status, err = each(p, names, func(_ string, b []byte) error {
		all = append(all, b...)
		return nil
	})
	return all, status, err
}

// hexdump is hexdump(1) in its canonical form, and hd(1).
func hexdump(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "Cvn:s:", "canonical=C no-squeezing=v length:=n skip:=s")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	canonical := f["C"] || p.Args[0] == "hd"
	skip, count := 0, -1
	for _, o := range opts {
		switch o.name {
		case "n":
			count, _, err = endsNumber(o.value)
		case "s":
			skip, _, err = endsNumber(o.value)
		}
		if err != nil {
			return p.Errorf("bad number: %s", o.value)
		}
	}
	all, status, err := readAll(p, names)
	if err != nil {
		return 1, err
	}
	skip = min(skip, len(all))
	all = all[skip:]
	if count >= 0 {
		all = all[:min(count, len(all))]
	}
	w := buffered(p)
	var last []byte
	starred := false
	for at := 0; at < len(all); at += 16 {
		line := all[at:min(at+16, len(all))]
		if !f["v"] && len(line) == 16 && bytes.Equal(line, last) {
			if !starred {
				w.WriteString("*\n")
			}
			starred = true
			continue
		}
		last, starred = line, false
		writeHexLine(w, skip+at, line, canonical)
	}
	if len(all) > 0 {
		width := 7
		if canonical {
			width = 8
		}
		fmt.Fprintf(w, "%0*x\n", width, skip+len(all))
	}
	return finish(w, status)
}

func writeHexLine(w *bufio.Writer, at int, line []byte, canonical bool) {
	if !canonical {
		fmt.Fprintf(w, "%07x", at)
		for i := 0; i < 16; i += 2 {
			if i >= len(line) {
				w.WriteString("     ")
				continue
			}
			v := int(line[i])
			if i+1 < len(line) {
				v |= int(line[i+1]) << 8
			}
			fmt.Fprintf(w, " %04x", v)
		}
		w.WriteByte('\n')
		return
	}
	fmt.Fprintf(w, "%08x ", at)
	for i := range 16 {
		if i == 8 {
			w.WriteByte(' ')
		}
		if i < len(line) {
			fmt.Fprintf(w, " %02x", line[i])
		} else {
			w.WriteString("   ")
		}
	}
	fmt.Fprintf(w, "  |%s|\n", printable(line))
}

func printable(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if out[i] = c; c < ' ' || c > '~' {
			out[i] = '.'
		}
	}
	return string(out)
}

// xxd is xxd(1): its own form, plain with -p, and -r for the way back from -p.
func xxd(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "pruc:l:s:g:", "")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	columns, length, skip, group := 16, -1, 0, 2
	if f["p"] {
		columns = 30
	}
	for _, o := range opts {
		if o.value == "" {
			continue
		}
		n, err := strconv.Atoi(o.value)
		if err != nil || n < 0 {
			return 1, shell.Unsupported("xxd: -%s %s", o.name, o.value)
		}
		*map[string]*int{"c": &columns, "l": &length, "s": &skip, "g": &group}[o.name] = n
	}
	if columns > 256 && !f["p"] {
		return p.Errorf("invalid number of columns (max. 256).")
	}
	if len(names) > 1 || f["r"] && !f["p"] {
		return 1, shell.Unsupported("xxd: -r without -p, or an output file")
	}
	names = append(names, "-")
	b, err := read(p, names[0])
	if err != nil {
		_, err := fail(p, names[0], err)
		return 2, err
	}
	w := buffered(p)
	if f["r"] {
		clean := strings.Map(func(r rune) rune {
			if strings.ContainsRune("0123456789abcdefABCDEF", r) {
				return r
			}
			return -1
		}, string(b))
		out, _ := hex.DecodeString(clean[:len(clean)/2*2])
		w.Write(out)
		return finish(w, 0)
	}
	b = b[min(skip, len(b)):]
	if length >= 0 {
		b = b[:min(length, len(b))]
	}
	writeXXD(w, b, skip, columns, group, f)
	return finish(w, 0)
}

func writeXXD(w *bufio.Writer, b []byte, skip, columns, group int, f map[string]bool) {
	form := "%02x"
	if f["u"] {
		form = "%02X"
	}
	if columns == 0 {
		columns = len(b)
	}
	if group == 0 {
		group = columns
	}
	for at := 0; at < len(b); at += columns {
		line := b[at:min(at+columns, len(b))]
		if f["p"] {
			for _, c := range line {
				fmt.Fprintf(w, form, c)
			}
			w.WriteByte('\n')
			continue
		}
		fmt.Fprintf(w, "%08x: ", skip+at)
		for i := range columns {
			if i < len(line) {
				fmt.Fprintf(w, form, line[i])
			} else {
				w.WriteString("  ")
			}
			if (i+1)%group == 0 || i+1 == columns {
				w.WriteByte(' ')
			}
		}
		w.WriteString(" " + printable(line) + "\n")
	}
}
