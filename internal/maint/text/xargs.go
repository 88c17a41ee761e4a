package text

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// xargsOptions are those of GNU xargs.
type xargsOptions struct {
	delimiter    int // -1 for words and quotes
	replace      string
	lines, words int
	size         int
	eof          string
	noEmpty      bool
	trace        bool
	file         string
}

// maxXargs is how long a command line of xargs becomes at most, bytes.
const maxXargs = 128 << 10

const xargsLong = "null=0 arg-file:=a delimiter:=d eof::=e replace::=i max-lines::=l max-args:=n interactive=p max-procs:=P " +
	"no-run-if-empty=r max-chars:=s verbose=t exit=x open-tty=o process-slot-var: show-limits"

// xargsLimits is what --show-limits says, in an environment without variables.
const xargsLimits = `Your environment variables take up 0 bytes
POSIX upper limit on argument length (this system): 2095104
POSIX smallest allowable upper limit on argument length (all systems): 4096
Maximum length of command we could actually use: 2095104
Size of command buffer we are actually using: 131072
Maximum parallelism (--max-procs must be no greater): 2147483647
`

// xargs is xargs(1).
func xargs(ctx context.Context, p *shell.Proc) (int, error) {
	opts, command, err := options(p, "+0a:d:E:e::I:i::L:l::n:pP:rs:tx", xargsLong)
	if err != nil {
		return 1, err
	}
	x := &xargsOptions{delimiter: -1, size: maxXargs, file: "-"}
	for _, o := range opts {
		if o.name == "show-limits" {
			if _, err := io.WriteString(p.Stderr, xargsLimits); err != nil {
				return 1, err
			}
			continue
		}
		if err := x.set(o); err != nil {
			return 1, err
		}
	}
	if len(command) == 0 {
		command = []string{"echo"}
	}
	b, err := read(p, x.file)
	if err != nil {
		return fail(p, x.file, err)
	}
	items, bad := x.split(string(b))
	q := *p
	if x.file == "-" {
		q.Stdin = strings.NewReader("")
	}
	if bad != nil && len(items) == 0 {
		return p.Errorf("%v", bad)
	}
	status, err := x.run(ctx, &q, command, items)
	if bad == nil || err != nil {
		return status, err
	}
	return p.Errorf("%v", bad) // behind what came before it
}

func (x *xargsOptions) set(o option) (err error) {
	switch o.name {
	case "0":
		x.delimiter = 0
	case "a":
		x.file = o.value
	case "d":
		d, used := setByte(o.value + " ")
		if o.value == "" || used != len(o.value) {
			return shell.Unsupported("xargs: delimiter %q", o.value)
		}
		x.delimiter = int(d)
	case "E", "e":
		x.eof = o.value
	case "I", "i":
		if x.replace = o.value; x.replace == "" {
			x.replace = "{}"
		}
		x.lines, x.words = 0, 0
	case "L", "l":
		x.lines = 1
		if o.value != "" {
			x.lines, err = strconv.Atoi(o.value)
		}
		x.replace, x.words = "", 0
	case "n":
		x.words, err = strconv.Atoi(o.value)
		x.lines = 0
		if x.words != 1 {
			x.replace = ""
		}
	case "s":
		x.size, err = strconv.Atoi(o.value)
	case "r":
		x.noEmpty = true
	case "t":
		x.trace = true
	case "P", "x", "process-slot-var": // one after the other, in order
	default:
		return shell.Unsupported("xargs: option -%s", o.name)
	}
	if err != nil {
		return shell.Unsupported("xargs: number %s", o.value)
	}
	return nil
}

// item is an argument; last says whether a line ends with it.
type item struct {
	text string
	last bool
}

// split divides the input into arguments.
func (x *xargsOptions) split(in string) ([]item, error) {
	if x.delimiter >= 0 {
		var items []item
		d := string([]byte{byte(x.delimiter)})
		for _, text := range strings.Split(strings.TrimSuffix(in, d), d) {
			if in != "" {
				items = append(items, item{text, true})
			}
		}
		return items, nil
	}
	if x.replace != "" {
		return x.splitLines(in)
	}
	return x.splitWords(in)
}

// splitLines takes each line, without blanks before it, as one argument.
func (x *xargsOptions) splitLines(in string) (items []item, err error) {
	for _, line := range strings.Split(strings.TrimSuffix(in, "\n"), "\n") {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			continue
		}
		text, rest, err := unquote(line, "")
		if err != nil || rest != "" {
			return items, fmt.Errorf("unmatched quote; by default quotes are special to xargs unless you use the -0 option")
		}
		if text == x.eof && x.eof != "" {
			break
		}
		items = append(items, item{text, true})
	}
	return items, nil
}

func (x *xargsOptions) splitWords(in string) (items []item, err error) {
	for {
		trimmed := strings.TrimLeft(in, " \t\n\v\f\r")
		if trimmed == "" {
			return items, nil
		}
		text, rest, err := unquote(trimmed, " \t\n\v\f\r")
		if err != nil {
			return items, err
		}
		if text == x.eof && x.eof != "" {
			return items, nil
		}
		// A line that ends in a blank goes on with the next.
		last := rest == "" || rest[0] == '\n'
		items = append(items, item{text, last})
		in = rest
	}
}

// unquote reads up to a byte of ends that is not quoted.
func unquote(in, ends string) (text, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		switch c := in[i]; {
		case c == '\\' && i+1 < len(in):
			i++
			b.WriteByte(in[i])
		case c == '\'' || c == '"':
			end := strings.IndexByte(in[i+1:], c)
			if end < 0 || strings.Contains(in[i+1:i+1+end], "\n") {
				return "", "", fmt.Errorf("unmatched %s quote; by default quotes are special to xargs unless you use the -0 option",
					map[byte]string{'\'': "single", '"': "double"}[c])
			}
			b.WriteString(in[i+1 : i+1+end])
			i += end + 1
		case strings.IndexByte(ends, c) >= 0:
			return b.String(), in[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", nil
}

// run calls the command as often as it takes.
func (x *xargsOptions) run(ctx context.Context, p *shell.Proc, command []string, items []item) (int, error) {
	status := 0
	for _, args := range x.calls(command, items) {
		if x.trace {
			if _, err := io.WriteString(p.Stderr, strings.Join(args, " ")+"\n"); err != nil {
				return 1, err
			}
		}
		got, err := p.Run(ctx, args...)
		switch {
		case err != nil:
			return got, err
		case got == 126 || got == 127:
			return got, nil
		case got == 255:
			_, err := p.Errorf("%s: exited with status 255; aborting", command[0])
			return 124, err
		case got != 0:
			status = 123
		}
	}
	return status, nil
}

// calls returns the command lines.
func (x *xargsOptions) calls(command []string, items []item) (calls [][]string) {
	if x.replace != "" {
		for _, it := range items {
			var args []string
			for i, word := range command {
				if i > 0 {
					word = strings.ReplaceAll(word, x.replace, it.text)
				}
				args = append(args, word)
			}
			calls = append(calls, args)
		}
		return calls
	}
	base := 0
	for _, word := range command {
		base += len(word) + 1
	}
	current, size, lines := []string(nil), base, 0
	flush := func() {
		calls = append(calls, append(command[:len(command):len(command)], current...))
		current, size, lines = nil, base, 0
	}
	for _, it := range items {
		if len(current) > 0 && size+len(it.text)+1 > x.size {
			flush()
		}
		current, size = append(current, it.text), size+len(it.text)+1
		if it.last {
			lines++
		}
		if x.words > 0 && len(current) == x.words || x.lines > 0 && lines == x.lines {
			flush()
		}
	}
	if len(current) > 0 || len(items) == 0 && !x.noEmpty {
		flush()
	}
	return calls
}
