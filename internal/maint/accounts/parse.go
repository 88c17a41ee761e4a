package accounts

import (
	"fmt"
	"slices"
	"strings"
)

// Adduser reads a call of adduser, addgroup, useradd or groupadd for a system
// account. It returns false for calls that make none (such as those that only
// put a user into a group, see [Membership]).
func Adduser(args []string) (System, bool, error) {
	var s System
	name := args[0][strings.LastIndexByte(args[0], '/')+1:]
	group := name == "addgroup" || name == "groupadd"
	system, ownGroup := false, name == "useradd"
	var operands []string
	for i := 1; i < len(args); i++ {
		opt, val, joined := strings.Cut(args[i], "=")
		take := func() string {
			if !joined && i+1 < len(args) {
				i++
				val = args[i]
			}
			return val
		}
		switch opt {
		case "--system", "-r":
			system = true
		case "--group":
			if name == "adduser" {
				ownGroup = true
				if len(operands) == 0 && !slices.Contains(args, "--system") {
					group = true
				}
			}
		case "--user-group", "-U":
			ownGroup = true
		case "--no-user-group", "-N":
			ownGroup = false
		case "--home", "--home-dir", "-d", "-h":
			s.Home = take()
		case "--shell", "-s":
			s.Shell = take()
		case "--gecos", "--comment", "-c":
			s.Gecos = strings.TrimRight(take(), ",")
		case "--uid", "--gid", "-u":
			if v := take(); opt == "--gid" && !group {
				s.Group = v
			} else {
				s.ID = v
			}
		case "-g":
			if v := take(); group {
				s.ID = v
			} else {
				s.Group = v
			}
		case "--ingroup":
			s.Group = take()
		case "--firstuid", "--lastuid", "--firstgid", "--lastgid", "--conf", "-K", "--key", "--groups", "-G":
			take()
		default:
			if !strings.HasPrefix(args[i], "-") {
				operands = append(operands, args[i])
			}
		}
	}
	if len(operands) != 1 || !system && name == "adduser" {
		return s, false, nil
	}
	if err := checkSystemName("account", operands[0]); err != nil {
		return s, false, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	if group {
		s.Group = operands[0]
		return s, true, nil
	}
	s.User = operands[0]
	if ownGroup && s.Group == "" {
		s.Group = s.User
	}
	return s, true, nil
}

// Membership reads a call such as "adduser USER GROUP" or "usermod -aG GROUP
// USER" and returns false for any other.
func Membership(args []string) (user, group string, ok bool) {
	name := args[0][strings.LastIndexByte(args[0], '/')+1:]
	var operands []string
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") {
			operands = append(operands, a)
		}
	}
	if len(operands) != 2 || slices.Contains(args, "--system") {
		return "", "", false
	}
	switch name {
	case "adduser":
		return operands[0], operands[1], true
	case "usermod":
		if slices.ContainsFunc(args, func(a string) bool { return a == "-aG" || a == "-G" || a == "--groups" }) {
			return operands[1], operands[0], true
		}
	}
	return "", "", false
}

// Member is a line "m" of sysusers.d(5).
type Member struct{ User, Group string }

// Sysusers reads a file of sysusers.d(5): the lines u, g and m.
func Sysusers(file []byte) (accounts []System, members []Member, err error) {
	n := 0
	for line := range strings.Lines(string(file)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		v := append(quotedFields(line), "", "", "", "", "")
		opt := func(i int) string {
			if v[i] == "-" {
				return ""
			}
			return v[i]
		}
		s := System{ID: opt(2), Sysusers: true}
		if strings.HasPrefix(s.ID, "/") {
			s.ID = "" // the owner of that path, which an image does not have yet
		}
		switch strings.TrimRight(v[0], "!") {
		case "u":
			s.User, s.Gecos, s.Home, s.Shell = v[1], opt(3), opt(4), opt(5)
			if _, g, ok := strings.Cut(s.ID, ":"); ok {
				s.Group = g
			}
		case "g":
			s.Group = v[1]
		case "m":
			members = append(members, Member{v[1], v[2]})
			continue
		case "r":
			continue // the range of ids for this system, Debian's here
		default:
			return nil, nil, fmt.Errorf("line %d: type %q, expected u, g, m or r: %w", n, v[0], ErrInvalid)
		}
		if err := checkSystemName("account", v[1]); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
		accounts = append(accounts, s)
	}
	return accounts, members, nil
}

// quotedFields splits at white space, which quotes protect.
func quotedFields(line string) []string {
	var out []string
	var cur strings.Builder
	var quote rune
	open := false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if open {
				out = append(out, cur.String())
				cur.Reset()
				open = false
			}
		default:
			cur.WriteRune(c)
			open = true
		}
	}
	if open {
		out = append(out, cur.String())
	}
	return out
}
