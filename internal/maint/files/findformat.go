package files

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// format expands a format of -printf.
func (f *finder) format(v *visit, format string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out.WriteByte(format[i])
			continue
		}
		end := i + 1
		for end < len(format) && strings.IndexByte("-+ #0123456789.", format[end]) >= 0 {
			end++
		}
		if end == len(format) {
			out.WriteString(format[i:])
			break
		}
		flags, letter := format[i+1:end], format[end]
		var text string
		var err error
		if strings.IndexByte("TACB", letter) >= 0 && end+1 < len(format) {
			end++
			text, err = findTime(v.node.ModTime, format[end])
		} else {
			text, err = f.directive(v, letter)
		}
		if err != nil {
			return "", err
		}
		number := strings.IndexByte("bdGgikmnsU", letter) >= 0
		out.WriteString(padded(flags, text, number && text != "" && text[0] >= '0' && text[0] <= '9'))
		i = end
	}
	return out.String(), nil
}

// directive returns the text of one letter of -printf.
func (f *finder) directive(v *visit, letter byte) (string, error) {
	n := v.node
	number := func(i int64) (string, error) { return strconv.FormatInt(i, 10), nil }
	switch letter {
	case '%':
		return "%", nil
	case 'p':
		return v.path, nil
	case 'P':
		return strings.TrimPrefix(strings.TrimPrefix(v.path, v.start), "/"), nil
	case 'f':
		return base(v.path), nil
	case 'h':
		return dirOf(v.path), nil
	case 'H':
		return v.start, nil
	case 'd':
		return number(int64(v.depth))
	case 'm':
		return strconv.FormatUint(uint64(n.Mode&allBits), 8), nil
	case 'M':
		return letterOf(n) + rwx(n.Mode), nil
	case 'u':
		return f.names.UserName(n.UID), nil
	case 'g':
		return f.names.GroupName(n.GID), nil
	case 'U':
		return number(int64(n.UID))
	case 'G':
		return number(int64(n.GID))
	case 's':
		return number(size(n))
	case 'b':
		return number(blocks(n) / 512)
	case 'k':
		return number(blocks(n) / 1024)
	case 'i':
		return number(int64(inode(n)))
	case 'D':
		return number(device)
	case 'n':
		return number(int64(f.links(n)))
	case 'l':
		if n.Type == tree.Symlink {
			return n.Link, nil
		}
		return "", nil
	case 'y':
		return findLetter(n), nil
	case 'Y':
		to, err := f.stat(v.path)
		if err != nil {
			return "N", nil
		}
		return findLetter(to), nil
	case 't', 'a', 'c':
		return time.Unix(n.ModTime, 0).UTC().Format("Mon Jan _2 15:04:05.0000000000 2006"), nil
	}
	return "", shell.Unsupported("find: %%%c in -printf", letter)
}

// findTime is %T with a letter of strftime(3), in UTC.
func findTime(unix int64, letter byte) (string, error) {
	t := time.Unix(unix, 0).UTC()
	switch letter {
	case '@':
		return fmt.Sprintf("%d.0000000000", unix), nil
	case 's':
		return strconv.FormatInt(unix, 10), nil
	case '+':
		return t.Format("2006-01-02+15:04:05.0000000000"), nil
	case 'S':
		return t.Format("05.0000000000"), nil
	case 'T', 'X':
		return t.Format("15:04:05.0000000000"), nil
	case 'c':
		return t.Format("Mon Jan _2 15:04:05 2006"), nil
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay()), nil
	}
	layouts := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'D': "01/02/06", 'F': "2006-01-02",
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'e': "_2", 'Z': "MST", 'p': "PM", 'x': "01/02/06"}
	layout, ok := layouts[letter]
	if !ok {
		return "", shell.Unsupported("find: %%T%c in -printf", letter)
	}
	return t.Format(layout), nil
}
