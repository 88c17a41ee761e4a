package files

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

var (
	du       = program("a|all apparent-size b|bytes c|total d|max-depth= h|human-readable k m s|summarize S|separate-dirs x|one-file-system 0|null l|count-links D|H|dereference-args L|dereference P|no-dereference", (*job).du)
	truncate = program("c|no-create o|io-blocks r|reference= s|size=", (*job).truncate)
	sync     = program("d|data f|file-system", (*job).sync)
)

// usage is one run of du(1).
type usage struct {
	*job
	depth int // how deep it shows; -1 for no bound
	unit  int64
}

// du is du(1). Blocks are those of a disk with ext4, for an image has none.
func (j *job) du(ctx context.Context) error {
	u := &usage{job: j, depth: -1, unit: 1024}
	switch j.Last("bytes", "k", "m") {
	case "bytes":
		u.unit = 1
	case "m":
		u.unit = 1 << 20
	}
	if j.Has("max-depth") {
		var err error
		if u.depth, err = strconv.Atoi(j.Value("max-depth")); err != nil {
			return j.usage("invalid maximum depth '%s'", j.Value("max-depth"))
		}
	}
	if j.Has("summarize") {
		u.depth = 0
	}
	if len(j.Operands) == 0 {
		j.Operands = []string{"."}
	}
	var total int64
	for _, name := range j.Operands {
		n, err := u.measure(ctx, name, 0)
		if err != nil {
			if err := j.fail(err, "cannot access '%s'", name); err != nil {
				return err
			}
		}
		total += n
	}
	if j.Has("total") {
		return u.show(total, "total")
	}
	return nil
}

// measure returns how much is at a path and below it, bytes, and shows it.
func (u *usage) measure(ctx context.Context, name string, depth int) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	look := u.lstat
	if u.Has("dereference") || depth == 0 && u.Has("dereference-args") {
		look = u.stat
	}
	n, err := look(name)
	if err != nil {
		return 0, err
	}
	sum := blocks(n)
	if u.Has("bytes") || u.Has("apparent-size") {
		sum = size(n)
	}
	own := sum
	if n.Type == tree.Dir {
		names, err := u.FS.ReadDir(u.Path(name))
		if err != nil {
			return 0, err
		}
		for _, child := range names {
			below, err := u.measure(ctx, join(name, child), depth+1)
			if err != nil {
				return 0, err
			}
			sum += below
			if c, err := u.lstat(join(name, child)); err == nil && c.Type != tree.Dir {
				own += below
			}
		}
	}
	if depth > 0 && (n.Type != tree.Dir && !u.Has("all") || u.depth >= 0 && depth > u.depth) {
		return sum, nil
	}
	shown := sum
	if u.Has("separate-dirs") {
		shown = own
	}
	return sum, u.show(shown, name)
}

func (u *usage) show(n int64, name string) error {
	text := strconv.FormatInt((n+u.unit-1)/u.unit, 10)
	if u.Has("human-readable") {
		text = human(n)
	}
	end := "\n"
	if u.Has("null") {
		end = "\x00"
	}
	_, err := io.WriteString(u.Stdout, text+"\t"+name+end)
	return err
}

// maxTruncate bounds the files that truncate and dd fill with zeros, bytes.
const maxTruncate = 64 << 20

// truncate is truncate(1).
func (j *job) truncate(context.Context) error {
	if !j.Has("size") && !j.Has("reference") {
		return j.invalid("you must specify either '--size' or '--reference'")
	}
	if len(j.Operands) == 0 {
		return j.missing()
	}
	op, to := byte(0), int64(0)
	if s := j.Value("size"); s != "" {
		if strings.IndexByte("+-<>/%", s[0]) >= 0 {
			op, s = s[0], s[1:]
		}
		n, ok := parseSize(s)
		if !ok {
			return j.usage("Invalid number: '%s'", j.Value("size"))
		}
		to = n
	}
	if j.Has("reference") {
		n, err := j.stat(j.Value("reference"))
		if err != nil {
			return j.fail(err, "cannot stat '%s'", j.Value("reference"))
		}
		if op == 0 && j.Has("size") {
			return j.invalid("you must specify a relative '--size' with '--reference'")
		}
		to += size(n)
	}
	for _, name := range j.Operands {
		if err := j.truncateFile(name, op, to); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) truncateFile(name string, op byte, n int64) error {
	b, err := j.FS.ReadFile(j.Path(name))
	if missingFile(err) {
		if j.Has("no-create") {
			return nil
		}
		err = nil
	}
	if err != nil {
		return j.fail(err, "cannot open '%s' for writing", name)
	}
	length := int64(len(b))
	to := resized(op, length, n)
	if to > maxTruncate {
		return shell.Unsupported("truncate: a file of %d bytes", to)
	}
	if to <= length {
		b = b[:to]
	} else {
		b = append(b[:length:length], make([]byte, to-length)...)
	}
	if err := j.FS.WriteFile(j.Path(name), b, 0o666&^j.Umask); err != nil {
		return j.fail(err, "cannot open '%s' for writing", name)
	}
	return nil
}

// resized is the new length of a file, for the sign before a size.
func resized(op byte, length, n int64) int64 {
	switch op {
	case '+':
		return length + n
	case '-':
		return max(0, length-n)
	case '<':
		return min(length, n)
	case '>':
		return max(length, n)
	case '/':
		return length / max(1, n) * n
	case '%':
		return (length + max(1, n) - 1) / max(1, n) * n
	}
	return n
}

// sizeSuffixes are the letters after a number of bytes that truncate and dd take.
var sizeSuffixes = map[string]int64{
	"": 1, "c": 1, "w": 2, "b": 512, "K": 1 << 10, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30, "kB": 1000, "KB": 1000, "MB": 1000 * 1000,
	"GB": 1000 * 1000 * 1000, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// parseSize reads a number of bytes such as 4K.
func parseSize(s string) (int64, bool) {
	number, suffix := digits(s)
	n, err := strconv.ParseInt(number, 10, 40)
	unit, ok := sizeSuffixes[suffix]
	return n * unit, err == nil && ok
}

// sync is sync(1): an image is written as a whole.
func (j *job) sync(context.Context) error {
	for _, name := range j.Operands {
		if _, err := j.stat(name); err != nil {
			if err := j.fail(err, "error opening '%s'", name); err != nil {
				return err
			}
		}
	}
	return nil
}

// df is df(1) with --output=avail, which scripts ask whether there is room: always,
// as an image is on no disk. What else there is to know of a file system is not.
func df(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) != 3 || p.Args[1] != "--output=avail" {
		return 0, shell.Unsupported("df: the room on a file system")
	}
	if _, err := p.FS.Stat(p.Path(p.Args[2])); err != nil {
		return p.Fail(err)
	}
	_, err := io.WriteString(p.Stdout, "     Avail\n1073741824\n") // KiB
	return 0, err
}
