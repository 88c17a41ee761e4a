package dockerfile

import (
	"slices"
	"strconv"
	"strings"
)

// Accounts are the users and groups that a stage adds, in the order in which it does.
type Accounts struct {
	Users  []User
	Groups []Group
}

// User is a user that useradd, adduser or usermod make of it.
type User struct {
	Name     string
	UID      int // -1 where the base's next free number is taken
	Group    string
	Groups   []string // further ones
	Home     string
	MakeHome bool
	Shell    string
	System   bool
	SameID   bool // the number may be another user's: -o
	Locked   bool
	Password string // how it was set: "" not at all, or the command
	Line     int
}

// Group is a group that groupadd or addgroup make.
type Group struct {
	Name string
	GID  int // -1 where the base's next free number is taken
	Line int
}

func newAccounts() *Accounts { return &Accounts{} }

func (a *Accounts) clone() *Accounts {
	return &Accounts{slices.Clone(a.Users), slices.Clone(a.Groups)}
}

// User returns the user of that name, nil where the file adds none.
func (a *Accounts) User(name string) *User {
	for i := range a.Users {
		if a.Users[i].Name == name {
			return &a.Users[i]
		}
	}
	return nil
}

// Group returns the group of that name, nil where the file adds none.
func (a *Accounts) Group(name string) *Group {
	for i := range a.Groups {
		if a.Groups[i].Name == name {
			return &a.Groups[i]
		}
	}
	return nil
}

// UID resolves a user's name or number, and whether it is known.
func (a *Accounts) UID(name string) (int, bool) {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return n, true
	}
	if u := a.User(name); u != nil {
		return u.UID, u.UID >= 0
	}
	return 0, name == "root" || name == ""
}

// follow keeps what a command does to accounts.
func (a *Accounts) follow(c *Command, step *Step) {
	switch c.Name {
	case "groupadd", "addgroup":
		a.addGroup(c)
	case "useradd":
		a.addUser(c, useraddOptions)
	case "adduser":
		a.addUser(c, adduserOptions)
	case "usermod":
		a.modify(c)
	case "userdel", "deluser":
		if words := operands(c, nil); len(words) > 0 {
			a.Users = slices.DeleteFunc(a.Users, func(u User) bool { return u.Name == words[len(words)-1] })
		}
	case "passwd":
		if words := operands(c, nil); len(words) == 1 {
			if u := a.User(words[0]); u != nil {
				u.Locked = u.Locked || c.Has("-l", "--lock")
			}
		}
	}
}

// The options that take a word: how useradd(8) and adduser(8), that of busybox too, call
// what is of interest here, and "" for the others.
var (
	useraddOptions = map[string]string{
		"-u": "uid", "--uid": "uid", "-g": "group", "--gid": "group", "-G": "groups", "--groups": "groups", "-d": "home", "--home-dir": "home", "--home": "home", "-s": "shell", "--shell": "shell",
		"-p": "password", "--password": "password", "-c": "", "--comment": "", "-e": "", "--expiredate": "", "-f": "", "--inactive": "", "-k": "", "--skel": "", "-K": "", "--key": "", "-b": "", "--base-dir": "", "-Z": "", "-R": "", "-P": "",
	}
	adduserOptions = map[string]string{
		"-u": "uid", "--uid": "uid", "-G": "group", "--ingroup": "group", "--gid": "group", "-h": "home", "--home": "home", "-s": "shell", "--shell": "shell", "-g": "", "--gecos": "", "--comment": "", "-k": "", "--conf": "", "--firstuid": "", "--lastuid": "",
	}
	groupaddOptions = map[string]string{"-g": "gid", "--gid": "gid", "-G": "", "-K": "", "--key": "", "-p": "", "--firstgid": "", "--lastgid": "", "-R": "", "-P": ""}
	usermodOptions  = map[string]string{
		"-u": "uid", "--uid": "uid", "-g": "group", "--gid": "group", "-G": "groups", "--groups": "groups", "-d": "home", "--home": "home", "-s": "shell", "--shell": "shell", "-l": "name", "--login": "name",
		"-p": "password", "--password": "password", "-c": "", "--comment": "", "-e": "", "-f": "", "-R": "", "-P": "", "-v": "", "-w": "",
	}
)

func (a *Accounts) addGroup(c *Command) {
	values, words := c.options(groupaddOptions)
	if len(words) == 0 {
		return
	}
	if c.Name == "addgroup" && len(words) == 2 { // addgroup USER GROUP
		if u := a.User(words[0]); u != nil {
			u.Groups = append(u.Groups, words[1])
		}
		return
	}
	a.group(words[0], number(values["gid"]), c.Line)
}

func (a *Accounts) group(name string, gid, line int) {
	if a.Group(name) == nil {
		a.Groups = append(a.Groups, Group{name, gid, line})
	}
}

func number(s string) int {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return n
	}
	return -1
}

func (a *Accounts) addUser(c *Command, options map[string]string) {
	values, words := c.options(options)
	if len(words) == 0 {
		return
	}
	if c.Name == "adduser" && len(words) == 2 { // adduser USER GROUP
		if u := a.User(words[0]); u != nil {
			u.Groups = append(u.Groups, words[1])
			return
		}
	}
	u := User{
		Name: words[0], UID: number(values["uid"]), Group: values["group"], Home: values["home"], Shell: values["shell"], Line: c.Line,
		System: c.Has("-r", "--system", "-S"), SameID: c.Has("-o", "--non-unique"), Password: values["password"],
	}
	if g := values["groups"]; g != "" {
		u.Groups = strings.Split(g, ",")
	}
	u.MakeHome = c.Has("-m", "--create-home") || c.Name == "adduser" && !c.Has("-H", "--no-create-home")
	u.Locked = c.Has("-D", "--disabled-password", "--disabled-login") || c.Name == "useradd"
	if u.Home == "" {
		u.Home = "/home/" + u.Name
	}
	if u.Group == "" && (c.Name == "useradd" && !c.Has("-N", "--no-user-group") || c.Name == "adduser" && (!u.System || c.Has("--group"))) {
		u.Group = u.Name
		a.group(u.Name, u.UID, c.Line)
	}
	a.Users = append(a.Users, u)
}

func (a *Accounts) modify(c *Command) {
	values, words := c.options(usermodOptions)
	if len(words) == 0 {
		return
	}
	u := a.User(words[0])
	if u == nil {
		return
	}
	for key, value := range values {
		switch key {
		case "uid":
			u.UID = number(value)
		case "group":
			u.Group = value
		case "groups":
			u.Groups = append(u.Groups, strings.Split(value, ",")...)
		case "home":
			u.Home = value
		case "shell":
			u.Shell = value
		case "name":
			u.Name = value
		case "password":
			u.Password = value
		}
	}
	u.Locked = u.Locked || c.Has("-L", "--lock")
	if c.Has("-U", "--unlock") {
		u.Locked = false
	}
}

// Has reports whether one of the options is among the command's words: short ones also
// where several are written together, as in -rm.
func (c *Command) Has(options ...string) bool {
	for _, w := range c.Args {
		for _, o := range options {
			name, _, _ := strings.Cut(w.Text, "=")
			if w.Text == o || strings.HasPrefix(o, "--") && name == o {
				return true
			}
			if len(o) == 2 && len(w.Text) > 2 && w.Text[0] == '-' && w.Text[1] != '-' && strings.Contains(w.Text[1:], o[1:]) && isLetters(w.Text[1:]) {
				return true
			}
		}
	}
	return false
}

func isLetters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'z' || r > 'Z' && r < 'a' })
}

// options returns the values of the options that take a word, by what names calls them,
// and the words that are no options.
func (c *Command) options(names map[string]string) (values map[string]string, words []string) {
	values = map[string]string{}
	set := func(name, value string) {
		if as := names[name]; as != "" {
			values[as] = value
		}
	}
	for i := 0; i < len(c.Args); i++ {
		w := c.Args[i].Text
		option, value, has := strings.Cut(w, "=")
		_, takes := names[option]
		switch {
		case takes && has:
			set(option, value)
		case takes && i+1 < len(c.Args):
			i++
			set(w, c.Args[i].Text)
		case w == "--":
		case len(w) > 2 && w[0] == '-' && w[1] != '-' && takesWord(names, "-"+w[len(w)-1:]) && isLetters(w[1:]) && i+1 < len(c.Args): // -rmu 1000
			i++
			set("-"+w[len(w)-1:], c.Args[i].Text)
		case len(w) > 2 && w[0] == '-' && takesWord(names, w[:2]) && !isLetters(w[2:]): // -u1000
			set(w[:2], w[2:])
		case strings.HasPrefix(w, "-") && w != "-":
		default:
			words = append(words, w)
		}
	}
	return values, words
}

func takesWord(names map[string]string, option string) bool {
	_, ok := names[option]
	return ok
}

// operands returns the words of a command that are neither options nor their values.
func operands(c *Command, withValue []string) []string {
	names := map[string]string{}
	for _, o := range withValue {
		names[o] = ""
	}
	_, words := c.options(names)
	return words
}
