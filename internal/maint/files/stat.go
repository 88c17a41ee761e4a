package files

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

var stat = program("L|dereference c|format= printf= t|terse f|file-system cached=", (*job).statFiles)

// statFiles is stat(1).
func (j *job) statFiles(context.Context) error {
	if j.Has("file-system") {
		return shell.Unsupported("stat: option -f")
	}
	if len(j.Operands) == 0 {
		return j.missing()
	}
	format, end := j.Value("format"), "\n"
	switch j.Last("format", "printf") {
	case "printf":
		format, end = unescape(j.Value("printf")), ""
	case "":
		format = statDefault
		if j.Has("terse") {
			format = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o"
		}
	}
	names := accounts.Names(j.FS)
	for _, name := range j.Operands {
		n, err := j.lstat(name)
		if j.Has("dereference") && err == nil {
			n, err = j.stat(name)
		}
		if err != nil {
			if err := j.fail(err, "cannot statx '%s'", name); err != nil {
				return err
			}
			continue
		}
		s := statted{name, n, names, j.links(n)}
		text, err := s.format(format)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(j.Stdout, text+end); err != nil {
			return err
		}
	}
	return nil
}

// statDefault is what stat prints without a format.
const statDefault = "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n" +
	"Device: %Hd,%Ld\tInode: %-11i Links: %h\nAccess: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n" +
	"Access: %x\nModify: %y\nChange: %z\n Birth: %w"

// statted is a file whose status is printed.
type statted struct {
	name  string
	node  *tree.Node
	names *accounts.Database
	links int
}

// links returns how many names a file has; for a directory, those that its
// directories have for it.
func (j *job) links(n *tree.Node) int {
	if n.Type != tree.Dir {
		return 1 + j.FS.Links(n)
	}
	links := 2
	for _, name := range j.FS.Tree.ReadDir(n.Path) {
		if c := j.FS.Tree.Lookup(tree.Clean(n.Path + "/" + name)); c != nil && c.Type == tree.Dir {
			links++
		}
	}
	return links
}

// format expands a format of stat -c.
func (s statted) format(format string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out.WriteByte(format[i])
			continue
		}
		end := i + 1
		for end < len(format) && strings.IndexByte("'-+ #0123456789.", format[end]) >= 0 {
			end++
		}
		flags := format[i+1 : end]
		if end < len(format) && strings.IndexByte("HL", format[end]) >= 0 && end+1 < len(format) && strings.IndexByte("dr", format[end+1]) >= 0 {
			end++
		}
		if end == len(format) {
			out.WriteByte('%')
			break
		}
		letter := format[end]
		if letter == 'd' && format[end-1] == 'H' { // the major number
			letter = 'W'
		}
		text, err := s.directive(flags, letter)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		i = end
	}
	return out.String(), nil
}

// directive returns the text of one letter.
func (s statted) directive(flags string, letter byte) (string, error) {
	n := s.node
	if letter == '%' {
		return "%", nil
	}
	if v, base, ok := s.number(letter); ok {
		switch {
		case base == 8:
			return padded(flags, strconv.FormatUint(v, 8), true), nil
		case base == 16:
			return padded(flags, strconv.FormatUint(v, 16), true), nil
		}
		return padded(flags, strconv.FormatUint(v, 10), true), nil
	}
	text := ""
	switch letter {
	case 'n':
		text = s.name
	case 'N':
		text = quote(s.name)
		if n.Type == tree.Symlink {
			text += " -> " + quote(n.Link)
		}
	case 'A':
		text = letterOf(n) + rwx(n.Mode)
	case 'F':
		text = typeName(n)
	case 'U':
		text = s.names.UserName(n.UID)
	case 'G':
		text = s.names.GroupName(n.GID)
	case 'x', 'y', 'z':
		text = time.Unix(n.ModTime, 0).UTC().Format("2006-01-02 15:04:05.000000000 +0000")
	case 'w':
		text = "-"
	case 'm':
		text = "/"
	case 'C':
		text = "?"
	default:
		return "", shell.Unsupported("stat: format %%%c", letter)
	}
	return padded(flags, text, false), nil
}

// number returns the value of a letter that stands for a number, and its base.
func (s statted) number(letter byte) (v uint64, base int, ok bool) {
	n := s.node
	switch letter {
	case 'a':
		return uint64(n.Mode & allBits), 8, true
	case 'f':
		return uint64(n.Mode&allBits | typeBits(n)), 16, true
	case 's':
		return uint64(size(n)), 10, true
	case 'u':
		return uint64(n.UID), 10, true
	case 'g':
		return uint64(n.GID), 10, true
	case 'h':
		return uint64(s.links), 10, true
	case 'X', 'Y', 'Z':
		return uint64(n.ModTime), 10, true
	case 'W', 't', 'T', 'r', 'R':
		return 0, 10, true
	case 'i':
		return inode(n), 10, true
	case 'd':
		return device, 10, true
	case 'D':
		return device, 16, true
	case 'b':
		return uint64(blocks(n)) / 512, 10, true
	case 'B':
		return 512, 10, true
	case 'o':
		return blockSize, 10, true
	}
	return 0, 0, false
}

const blockSize = 4096

// device is the number of the file system that all of an image is on.
const device = 1

// size returns the size of a file as stat(2) has it.
func size(n *tree.Node) int64 {
	switch n.Type {
	case tree.Dir:
		return blockSize
	case tree.Symlink:
		return int64(len(n.Link))
	}
	return n.Size
}

// blocks returns the bytes that a file takes on a disk: of ext4, for an image has
// none of its own.
func blocks(n *tree.Node) int64 {
	if n.Type == tree.Symlink {
		return 0
	}
	return (size(n) + blockSize - 1) / blockSize * blockSize
}

// typeBits are those of st_mode.
func typeBits(n *tree.Node) uint32 {
	switch n.Type {
	case tree.Dir:
		return 0o040000
	case tree.Symlink:
		return 0o120000
	}
	return 0o100000
}

// letterOf is the letter of a type in ls -l.
func letterOf(n *tree.Node) string {
	switch n.Type {
	case tree.Dir:
		return "d"
	case tree.Symlink:
		return "l"
	}
	return "-"
}

// padded applies flags, width and precision of printf(3).
func padded(flags, text string, number bool) string {
	if flags == "" {
		return text
	}
	width, precision, _ := strings.Cut(strings.TrimLeft(flags, "-+ #0'"), ".")
	signs := flags[:len(flags)-len(strings.TrimLeft(flags, "-+ #0'"))]
	if p, err := strconv.Atoi(precision); err == nil && !number && p < len(text) {
		text = text[:p]
	}
	if strings.Contains(signs, "#") && number && text[0] != '0' {
		text = "0" + text
	}
	w, _ := strconv.Atoi(width) // none is 0
	w = min(w, 4096)
	switch {
	case strings.Contains(signs, "-"):
		return fmt.Sprintf("%-*s", w, text)
	case strings.Contains(signs, "0") && number && len(text) < w:
		return strings.Repeat("0", w-len(text)) + text
	}
	return fmt.Sprintf("%*s", w, text)
}

// quote quotes a name as the programs of coreutils do for a shell.
func quote(name string) string { return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'" }

// unescape interprets the backslashes of a format as printf(1) does.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte(`abefnrtv\"`, s[i]); at >= 0 {
			out.WriteByte("\a\b\x1b\f\n\r\t\v\\\""[at])
			continue
		}
		end := i
		for end < len(s) && end < i+3 && s[end] >= '0' && s[end] <= '7' {
			end++
		}
		if v, err := strconv.ParseUint(s[i:end], 8, 16); err == nil {
			out.WriteByte(byte(v))
			i = end - 1
			continue
		}
		out.WriteString(`\` + s[i:i+1])
	}
	return out.String()
}
