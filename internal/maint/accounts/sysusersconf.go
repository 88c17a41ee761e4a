package accounts

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// sysuser is a line u or g of sysusers.d(5), or an account that a line m implies.
type sysuser struct {
	name, file          string
	line                int
	uid, gid            uint32
	hasUID, hasGID      bool
	group               string // that the user is to be in, by name
	strict              bool   // the group, or the id, is wanted as it is
	path                string // whose owner lends the id
	gecos, home, shell  string
	locked              bool
	todoUser, todoGroup bool
}

// same reports whether two lines ask for the same.
func (s *sysuser) same(o *sysuser) bool {
	return s.uid == o.uid && s.hasUID == o.hasUID && s.gid == o.gid && s.hasGID == o.hasGID && s.group == o.group && s.path == o.path &&
		s.gecos == o.gecos && s.home == o.home && s.shell == o.shell
}

// sysusers is the content of all files of sysusers.d that were read, in their order.
type sysusers struct {
	users, groups []*sysuser
	members       []memberLine
	ranges        [][2]uint32
}

type memberLine struct{ group, user string }

func find(list []*sysuser, name string) *sysuser {
	if i := slices.IndexFunc(list, func(s *sysuser) bool { return s.name == name }); i >= 0 {
		return list[i]
	}
	return nil
}

// sysName is the names that systemd takes in its own files.
var sysName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]{0,30}$`)

// words splits a line as systemd does: quotes group, a backslash takes the next
// character as it is.
func words(line string) ([]string, error) {
	var out []string
	for i := 0; ; {
		for i < len(line) && strings.IndexByte(" \t\r\n", line[i]) >= 0 {
			i++
		}
		if i == len(line) {
			return out, nil
		}
		var word strings.Builder
		quote := byte(0)
		for ; i < len(line) && (quote != 0 || strings.IndexByte(" \t\r\n", line[i]) < 0); i++ {
			switch c := line[i]; {
			case c == '\\':
				if i++; i == len(line) {
					return nil, errors.New("Invalid argument")
				}
				word.WriteByte(line[i])
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case c == quote && quote != 0:
				quote = 0
			default:
				word.WriteByte(c)
			}
		}
		if quote != 0 {
			return nil, errors.New("Invalid argument")
		}
		out = append(out, word.String())
	}
}

// add reads one line. Its error is what is wrong with it, or an
// [shell.UnsupportedError].
func (c *sysusers) add(expand func(string) (string, error), file string, n int, line string) (warning string, err error) {
	v, err := words(line)
	if err != nil {
		return "", fmt.Errorf("Syntax error: %w", err)
	}
	if len(v) < 2 || v[0] == "" {
		return "", errors.New("Missing action and name columns.")
	}
	if len(v) > 6 {
		return "", errors.New("Trailing garbage.")
	}
	kind := v[0][0]
	locked, err := flagOf(v[0])
	if err != nil {
		return "", err
	}
	fields := [6]string{}
	for i := 1; i < len(v); i++ {
		if v[i] == "-" || v[i] == "" {
			continue
		}
		if fields[i], err = expand(v[i]); err != nil {
			if _, ok := errors.AsType[*shell.UnsupportedError](err); ok {
				return "", err
			}
			return "", fmt.Errorf("Failed to replace specifiers in '%s': %w", v[i], err)
		}
	}
	if err := validFields(kind, fields); err != nil {
		return "", err
	}
	s := &sysuser{name: fields[1], file: file, line: n, gecos: fields[3], home: fields[4], shell: fields[5], locked: locked}
	switch kind {
	case 'r':
		return "", c.addRange(fields[2])
	case 'm':
		c.members = append(c.members, memberLine{fields[2], fields[1]})
		return "", nil
	case 'g':
		if err := s.groupID(fields[2]); err != nil {
			return "", err
		}
		return put(&c.groups, s, "group"), nil
	}
	if err := s.userID(fields[2]); err != nil {
		return "", err
	}
	return put(&c.users, s, "user"), nil
}

// flagOf checks the type of a line and returns whether it has the flag "!".
func flagOf(action string) (locked bool, err error) {
	if !strings.Contains("ugmr", action[:1]) {
		return false, fmt.Errorf("Unknown command type '%c'.", action[0])
	}
	switch rest := action[1:]; {
	case rest == "":
		return false, nil
	case rest != "!":
		return false, fmt.Errorf("Unknown modifiers in command '%s'.", action)
	case action[0] != 'u':
		return false, fmt.Errorf("Flag '!' not permitted on lines of type '%c'.", action[0])
	}
	return true, nil
}

// put adds an account to its list; the warning says that an earlier line asked for
// something else.
func put(list *[]*sysuser, s *sysuser, what string) string {
	old := find(*list, s.name)
	if old == nil {
		*list = append(*list, s)
		return ""
	}
	if old.same(s) {
		return ""
	}
	return fmt.Sprintf("Conflict with earlier configuration for %s '%s' in %s:%d, ignoring line.", what, s.name, old.file, old.line)
}

// validFields checks what a type of line needs and does not take.
func validFields(kind byte, v [6]string) error {
	if kind != 'r' && v[1] != "" && !sysName.MatchString(v[1]) {
		return fmt.Errorf("'%s' is not a valid user or group name.", v[1])
	}
	bad := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r == ':' || unicode.IsControl(r) || r == utf8.RuneError })
	}
	absolute := func(s string) bool { return s == "" || strings.HasPrefix(s, "/") && !bad(s) }
	switch {
	case bad(v[3]):
		return fmt.Errorf("'%s' is not a valid GECOS field.", v[3])
	case !absolute(v[4]):
		return fmt.Errorf("'%s' is not a valid home directory field.", v[4])
	case !absolute(v[5]):
		return fmt.Errorf("'%s' is not a valid login shell field.", v[5])
	case kind == 'r' && v[1] != "":
		return errors.New("Lines of type 'r' don't take a name field.")
	case kind == 'r' && v[2] == "":
		return errors.New("Lines of type 'r' require an ID range in the third field.")
	case kind != 'r' && v[1] == "":
		return fmt.Errorf("Lines of type '%c' require a user name in the second field.", kind)
	case kind == 'm' && v[2] == "":
		return errors.New("Lines of type 'm' require a group name in the third field.")
	case kind == 'm' && !sysName.MatchString(v[2]):
		return fmt.Errorf("'%s' is not a valid user or group name.", v[2])
	}
	if kind != 'u' {
		for i, what := range []string{"GECOS", "home directory", "login shell"} {
			if v[3+i] != "" {
				return fmt.Errorf("Lines of type '%c' don't take a %s field.", kind, what)
			}
		}
	}
	return nil
}

// systemID reads an id as systemd does: 65535 and 4294967295 are none.
func systemID(s string) (uint32, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, errors.New("Invalid argument")
	}
	n, err := strconv.ParseUint(s, 10, 32)
	switch {
	case err != nil:
		return 0, errors.New("Numerical result out of range")
	case n == 1<<16-1 || n == 1<<32-1:
		return 0, errors.New("No such device or address")
	}
	return uint32(n), nil
}

func (s *sysuser) groupID(id string) error {
	switch {
	case id == "":
		return nil
	case strings.HasPrefix(id, "/"):
		s.path = id
		return nil
	}
	var err error
	if s.gid, err = systemID(id); err != nil {
		return fmt.Errorf("Failed to parse GID: '%s': %w", id, err)
	}
	s.hasGID = true
	return nil
}

// userID reads UID, UID:GID, UID:GROUP, -:GROUP or a path.
func (s *sysuser) userID(id string) error {
	if id == "" {
		return nil
	}
	if strings.HasPrefix(id, "/") {
		s.path = id
		return nil
	}
	uid, group, ok := strings.Cut(id, ":")
	if ok {
		gid, err := systemID(group)
		switch {
		case err == nil:
			s.gid, s.hasGID, s.strict = gid, true, true
		case sysName.MatchString(group):
			s.group = group
		default:
			return fmt.Errorf("Failed to parse GID: '%s': %w", id, err)
		}
	}
	if uid == "-" && ok {
		return nil
	}
	var err error
	if s.uid, err = systemID(uid); err != nil {
		return fmt.Errorf("Failed to parse UID: '%s': %w", id, err)
	}
	s.hasUID = true
	return nil
}

func (c *sysusers) addRange(s string) error {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		last = first
	}
	from, err1 := systemID(first)
	to, err2 := systemID(last)
	if err1 != nil || err2 != nil || to < from {
		return fmt.Errorf("Invalid UID range %s.", s)
	}
	c.ranges = append(c.ranges, [2]uint32{from, to})
	return nil
}

// imply adds the users and groups that lines m name and no line u or g has.
func (c *sysusers) imply() {
	for _, m := range c.members {
		if find(c.users, m.user) == nil {
			c.users = append(c.users, &sysuser{name: m.user})
		}
		if find(c.users, m.group) == nil && find(c.groups, m.group) == nil {
			c.groups = append(c.groups, &sysuser{name: m.group})
		}
	}
}
