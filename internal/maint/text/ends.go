package text

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// ends is the common part of head(1) and tail(1).
type ends struct {
	count  int
	sign   byte // '-' or '+' before the number, or 0
	bytes  bool
	zero   bool
	header int // -1 never, 1 always, 0 for several files
}

// endsOptions reads the command line of head or tail.
func endsOptions(p *shell.Proc) (e ends, names []string, err error) {
	e.count = 10
	if len(p.Args) > 1 { // the old form: -5, +5
		if a := p.Args[1]; len(a) > 1 && a[1] >= '0' && a[1] <= '9' && (a[0] == '-' || a[0] == '+' && p.Args[0] == "tail") {
			digits := a[1 : len(a)-len(strings.TrimLeft(a[1:], "0123456789"))]
			if rest := a[1+len(digits):]; rest != "" {
				return e, nil, shell.Unsupported("%s: option %s", p.Args[0], a)
			}
			value := digits
			if a[0] == '+' {
				value = "+" + digits
			}
			p.Args = append([]string{p.Args[0], "-n", value}, p.Args[2:]...)
		}
	}
	opts, names, err := options(p, "c:n:qvzfFs:", "bytes:=c lines:=n quiet=q silent=q verbose=v zero-terminated=z")
	if err != nil {
		return e, nil, err
	}
	for _, o := range opts {
		switch o.name {
		case "c", "n":
			e.bytes = o.name == "c"
			if e.count, e.sign, err = endsNumber(o.value); err != nil {
				return e, nil, shell.Unsupported("%s: number %s", p.Args[0], o.value)
			}
		case "q":
			e.header = -1
		case "v":
			e.header = 1
		case "z":
			e.zero = true
		default:
			return e, nil, shell.Unsupported("%s: option -%s", p.Args[0], o.name)
		}
	}
	return e, names, nil
}

var multiples = []struct {
	suffix string
	factor int
}{{"kB", 1000}, {"KiB", 1 << 10}, {"MB", 1000_000}, {"MiB", 1 << 20}, {"K", 1 << 10}, {"k", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"b", 512}}

func endsNumber(s string) (n int, sign byte, err error) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[0], s[1:]
	}
	factor := 1
	for _, m := range multiples {
		if digits, ok := strings.CutSuffix(s, m.suffix); ok {
			s, factor = digits, m.factor
			break
		}
	}
	n, err = strconv.Atoi(s)
	return n * factor, sign, err
}

func (e ends) lineEnd() byte {
	if e.zero {
		return 0
	}
	return '\n'
}

// each prints a part of every file, with a header between several.
func (e ends) each(p *shell.Proc, names []string, part func(b []byte) []byte) (int, error) {
	w := buffered(p)
	first := true
	status, err := each(p, names, func(name string, b []byte) error {
		if e.header > 0 || e.header == 0 && len(names) > 1 {
			if !first {
				w.WriteByte('\n')
			}
			if name == "-" {
				name = "standard input"
			}
			fmt.Fprintf(w, "==> %s <==\n", name)
		}
		first = false
		_, err := w.Write(part(b))
		return err
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

// maxZeros is how much of /dev/zero head reads, bytes.
const maxZeros = 64 << 20

// head is head(1). From the standard input it takes no more than it prints, so that
// the next command can go on with the rest.
func head(_ context.Context, p *shell.Proc) (int, error) {
	e, names, err := endsOptions(p)
	if err != nil {
		return 1, err
	}
	if r, ok := p.Stdin.(io.ByteReader); ok && len(names) == 0 && e.sign != '-' && e.header <= 0 {
		w := buffered(p)
		if err := e.take(w, r); err != nil {
			return 1, err
		}
		return finish(w, 0)
	}
	if len(names) == 1 && names[0] == "/dev/zero" && e.bytes && e.sign != '-' && e.count <= maxZeros {
		_, err := p.Stdout.Write(make([]byte, e.count))
		return 0, err
	}
	return e.each(p, names, func(b []byte) []byte {
		at := e.offset(b, e.count)
		if e.sign == '-' {
			at = e.offset(b, max(e.units(b)-e.count, 0))
		}
		return b[:at]
	})
}

func (e ends) take(w *bufio.Writer, r io.ByteReader) error {
	for left := e.count; left > 0; {
		c, err := r.ReadByte()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := w.WriteByte(c); err != nil {
			return err
		}
		if e.bytes || c == e.lineEnd() {
			left--
		}
	}
	return nil
}

// tail is tail(1).
func tail(_ context.Context, p *shell.Proc) (int, error) {
	e, names, err := endsOptions(p)
	if err != nil {
		return 1, err
	}
	return e.each(p, names, func(b []byte) []byte {
		if e.sign == '+' {
			return b[e.offset(b, max(e.count-1, 0)):]
		}
		return b[e.offset(b, max(e.units(b)-e.count, 0)):]
	})
}

// units returns how many lines or bytes b has.
func (e ends) units(b []byte) int {
	if e.bytes {
		return len(b)
	}
	lines, _ := splitLines(b, e.lineEnd())
	return len(lines)
}

// offset returns where the first n lines or bytes of b end.
func (e ends) offset(b []byte, n int) int {
	if e.bytes {
		return min(n, len(b))
	}
	for i, c := range b {
		if n == 0 {
			return i
		}
		if c == e.lineEnd() {
			n--
		}
	}
	return len(b)
}
