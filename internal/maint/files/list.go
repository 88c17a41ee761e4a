package files

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/tree"
)

var ls = program("1 a|all A|almost-all d|directory F|classify? file-type p h|human-readable i|inode s|size l L|dereference H dereference-command-line "+
	"n|numeric-uid-gid o g G|no-group R|recursive r|reverse S t U v c u f q N B|ignore-backups I|ignore= sort= "+
	"color? time-style= full-time k|kibibytes X group-directories-first", (*job).ls)

// listed is one name that ls shows.
type listed struct {
	name string
	path string
	node *tree.Node
}

// ls is ls(1), whose standard output is never a terminal: one name a line, sorted as
// the C locale has it.
func (j *job) ls(ctx context.Context) error {
	if len(j.Operands) == 0 {
		j.Operands = []string{"."}
	}
	var files, dirs []listed
	for _, name := range j.Operands {
		n, err := j.listedNode(name, name, true)
		if err != nil {
			if err := j.fail(err, "cannot access '%s'", name); err != nil {
				return err
			}
			j.status = 2
			continue
		}
		e := listed{name, name, n}
		if n.Type == tree.Dir && !j.Has("directory") {
			dirs = append(dirs, e)
		} else {
			files = append(files, e)
		}
	}
	if err := j.sortListed(files); err != nil {
		return err
	}
	if err := j.sortListed(dirs); err != nil {
		return err
	}
	var out bytes.Buffer
	j.show(&out, files)
	titled := len(j.Operands) > 1 || j.Has("recursive")
	for _, d := range dirs {
		if err := j.listDir(ctx, &out, d, titled); err != nil {
			return err
		}
	}
	_, err := j.Stdout.Write(out.Bytes())
	return err
}

// listedNode returns what ls shows for a path. A link that is an operand is
// followed to a directory, unless -l, -d or -F ask for itself.
func (j *job) listedNode(name, path string, operand bool) (*tree.Node, error) {
	n, err := j.lstat(path)
	if err != nil || n.Type != tree.Symlink {
		return n, err
	}
	to, err := j.stat(path)
	switch {
	case j.Has("dereference"):
		if err != nil && operand {
			return nil, err
		}
	case !operand || err != nil:
		return n, nil
	case j.Has("H") || j.Has("dereference-command-line"):
	case to.Type != tree.Dir || j.long() || j.Has("directory") || j.Has("classify"):
		return n, nil
	}
	if err != nil {
		return n, nil
	}
	return to, nil
}

func (j *job) long() bool {
	return j.Has("l") || j.Has("numeric-uid-gid") || j.Has("o") || j.Has("g") || j.Has("full-time")
}

func (j *job) listDir(ctx context.Context, out *bytes.Buffer, d listed, titled bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := j.FS.ReadDir(j.Path(d.path))
	if err != nil {
		return j.fail(err, "cannot open directory '%s'", d.path)
	}
	var entries []listed
	if j.Has("all") && j.Last("all", "almost-all") == "all" || j.Has("f") {
		names = append([]string{".", ".."}, names...)
	}
	for _, name := range names {
		if j.hides(name) {
			continue
		}
		path := join(d.path, name)
		n, err := j.listedNode(name, path, false)
		if err != nil {
			return j.fail(err, "cannot access '%s'", path)
		}
		entries = append(entries, listed{name, path, n})
	}
	if err := j.sortListed(entries); err != nil {
		return err
	}
	if titled {
		if out.Len() > 0 {
			out.WriteString("\n")
		}
		out.WriteString(d.path + ":\n")
	}
	if j.long() || j.Has("size") {
		total := int64(0)
		for _, e := range entries {
			total += blocks(e.node)
		}
		out.WriteString("total " + j.bytes(total, 1024) + "\n")
	}
	j.show(out, entries)
	if !j.Has("recursive") {
		return nil
	}
	for _, e := range entries {
		if e.node.Type == tree.Dir && e.name != "." && e.name != ".." {
			if err := j.listDir(ctx, out, e, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// hides reports whether a name is not shown.
func (j *job) hides(name string) bool {
	if strings.HasPrefix(name, ".") && !j.Has("all") && !j.Has("almost-all") && !j.Has("f") {
		return true
	}
	if j.Has("ignore-backups") && strings.HasSuffix(name, "~") {
		return true
	}
	for _, o := range j.Options {
		if o.Name == "ignore" {
			if matches, err := glob(o.Value, false); err == nil && matches(name) {
				return true
			}
		}
	}
	return false
}

func (j *job) sortListed(list []listed) error {
	compare := func(a, b listed) int { return strings.Compare(a.name, b.name) }
	by := func(less func(a, b listed) int64) func(a, b listed) int {
		return func(a, b listed) int {
			if d := less(a, b); d != 0 {
				return int(max(-1, min(1, d)))
			}
			return strings.Compare(a.name, b.name)
		}
	}
	order := j.Last("S", "t", "U", "v", "f", "X", "sort", "c", "u")
	if order == "sort" {
		order = map[string]string{"size": "S", "time": "t", "none": "U", "version": "v", "extension": "X", "name": ""}[j.Value("sort")]
	}
	switch order {
	case "S":
		compare = by(func(a, b listed) int64 { return size(b.node) - size(a.node) })
	case "t", "c", "u":
		if order == "t" || !j.long() {
			compare = by(func(a, b listed) int64 { return b.node.ModTime - a.node.ModTime })
		}
	case "U", "f":
		return nil
	case "v":
		compare = func(a, b listed) int { return compareVersions(a.name, b.name) }
	case "X":
		compare = func(a, b listed) int {
			return max(-1, min(1, 2*strings.Compare(extension(a.name), extension(b.name))+strings.Compare(a.name, b.name)))
		}
	}
	slices.SortStableFunc(list, func(a, b listed) int {
		d := compare(a, b)
		if j.Has("reverse") {
			d = -d
		}
		if j.Has("group-directories-first") && (a.node.Type == tree.Dir) != (b.node.Type == tree.Dir) {
			d = 1
			if a.node.Type == tree.Dir {
				d = -1
			}
		}
		return d
	})
	return nil
}

func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i:]
	}
	return ""
}

// show writes a line per entry.
func (j *job) show(out *bytes.Buffer, list []listed) {
	var rows [][]string
	names := accounts.Names(j.FS)
	for _, e := range list {
		var cells []string
		if j.Has("inode") {
			cells = append(cells, strconv.FormatUint(inode(e.node), 10))
		}
		if j.Has("size") {
			cells = append(cells, j.bytes(blocks(e.node), 1024))
		}
		if j.long() {
			cells = append(cells, j.longCells(e, names)...)
		}
		rows = append(rows, cells)
	}
	widths := map[int]int{}
	for _, cells := range rows {
		for i, c := range cells {
			widths[i] = max(widths[i], len(strings.TrimPrefix(c, leftAligned)))
		}
	}
	for i, e := range list {
		for k, c := range rows[i] {
			if name, left := strings.CutPrefix(c, leftAligned); left {
				fmt.Fprintf(out, "%-*s ", widths[k], name)
			} else {
				fmt.Fprintf(out, "%*s ", widths[k], c)
			}
		}
		out.WriteString(j.shown(e) + "\n")
	}
}

// leftAligned begins a cell that is filled on its right.
const leftAligned = "\x00"

func (j *job) longCells(e listed, names *accounts.Database) []string {
	n := e.node
	cells := []string{letterOf(n) + rwx(n.Mode), strconv.Itoa(j.links(n))}
	user, group := names.UserName(n.UID), names.GroupName(n.GID)
	if j.Has("numeric-uid-gid") {
		user, group = strconv.FormatUint(uint64(n.UID), 10), strconv.FormatUint(uint64(n.GID), 10)
	}
	align := func(name string) string {
		if name != "" && name[0] >= '0' && name[0] <= '9' {
			return name
		}
		return leftAligned + name
	}
	if !j.Has("g") {
		cells = append(cells, align(user))
	}
	if !j.Has("o") && !j.Has("no-group") {
		cells = append(cells, align(group))
	}
	when := listTime(n.ModTime, j.FS.Time)
	style := j.Value("time-style")
	if j.Has("full-time") {
		style = "full-iso"
	}
	switch {
	case style == "full-iso":
		when = time.Unix(n.ModTime, 0).UTC().Format("2006-01-02 15:04:05.000000000 +0000")
	case style == "long-iso":
		when = time.Unix(n.ModTime, 0).UTC().Format("2006-01-02 15:04")
	case strings.HasPrefix(style, "+"):
		when = strftime(n.ModTime, style[1:])
	}
	return append(cells, j.bytes(size(n), 1), when)
}

// shown returns a name as it is printed, with its mark and the target of a link.
func (j *job) shown(e listed) string {
	name := e.name
	if j.long() && e.node.Type == tree.Symlink {
		name += " -> " + e.node.Link
		if j.Has("classify") {
			if to, err := j.stat(e.path); err == nil {
				name += j.mark(to)
			}
		}
		return name
	}
	return name + j.mark(e.node)
}

func (j *job) mark(n *tree.Node) string {
	switch {
	case !j.Has("classify") && !j.Has("file-type") && !j.Has("p"):
	case n.Type == tree.Dir:
		return "/"
	case n.Type == tree.Symlink && !j.Has("p"):
		return "@"
	case j.Has("classify") && n.Type == tree.File && n.Mode&0o111 != 0:
		return "*"
	}
	return ""
}

// bytes returns a size in units, or for -h in those that people read.
func (j *job) bytes(n, unit int64) string {
	if j.Has("human-readable") {
		return human(n)
	}
	return strconv.FormatInt((n+unit-1)/unit, 10)
}

// human writes a size as -h does: rounded up, with one digit after the point below
// ten.
func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	unit := int64(1024)
	letters := "KMGTPE"
	i := 0
	for n/unit >= 1024 && i < len(letters)-1 {
		unit, i = unit*1024, i+1
	}
	if tenths := (n*10 + unit - 1) / unit; tenths < 100 {
		return fmt.Sprintf("%d.%d%c", tenths/10, tenths%10, letters[i])
	}
	whole := (n + unit - 1) / unit
	if whole == 1024 && i < len(letters)-1 {
		return fmt.Sprintf("1.0%c", letters[i+1])
	}
	return fmt.Sprintf("%d%c", whole, letters[i])
}

// listTime is a time as ls -l shows it in the C locale.
func listTime(unix, now int64) string {
	t := time.Unix(unix, 0).UTC()
	if unix <= now-31556952/2 || unix > now {
		return t.Format("Jan _2  2006")
	}
	return t.Format("Jan _2 15:04")
}

// strftime formats a time, in UTC; a letter that is not known stays.
func strftime(unix int64, format string) string {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] == '%' && i+1 < len(format) {
			i++
			text, err := findTime(unix, format[i])
			if err != nil {
				text = "%" + format[i:i+1]
			}
			text, _, _ = strings.Cut(text, ".0000000000")
			out.WriteString(text)
			continue
		}
		out.WriteByte(format[i])
	}
	return out.String()
}

// inode returns a number that only this file has, and has everywhere.
func inode(n *tree.Node) uint64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(n.Path)) // never fails
	return uint64(h.Sum32())
}
