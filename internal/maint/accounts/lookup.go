package accounts

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

var (
	getent  = tool("s|service= i|no-idn A|no-addrconfig", 1, (*job).getent)
	id      = tool("a G|groups Z|context g|group n|name r|real u|user z|zero", 1, (*job).id)
	groups  = tool("", 1, (*job).groupsOf)
	whoami  = tool("", 1, (*job).whoami)
	logname = tool("", 1, (*job).logname)
	nobody  = getopt.Command("", 1, func(context.Context, *getopt.Call) (int, error) { return 0, nil })
)

// databases are those of getent(1) that are files with a name first.
var databases = map[string]struct {
	file   string
	fields int // of a line with colons; 0 where white space divides them
	byID   bool
}{
	"passwd": {"/etc/passwd", 7, true}, "group": {"/etc/group", 4, true}, "shadow": {"/etc/shadow", 9, false}, "gshadow": {"/etc/gshadow", 4, false},
	"services": {"/etc/services", 0, true}, "protocols": {"/etc/protocols", 0, true}, "networks": {"/etc/networks", 0, false},
	"rpc": {"/etc/rpc", 0, true}, "ethers": {"/etc/ethers", 0, false},
}

// Exit statuses of getent(1).
const (
	keyNotFound   = 2
	noEnumeration = 3
)

// getent is getent(1), over the files of the image: it has no other source.
func (j *job) getent(context.Context) error {
	if len(j.Operands) == 0 {
		return j.refuse(1, "wrong number of arguments")
	}
	name, keys := j.Operands[0], j.Operands[1:]
	switch name {
	case "hosts", "ahosts", "ahostsv4", "ahostsv6":
		return j.getHosts(keys)
	case "initgroups":
		return j.initgroups(keys)
	}
	d, ok := databases[name]
	if !ok {
		if name == "aliases" || name == "netgroup" {
			return shell.Unsupported("getent %s", name)
		}
		j.status = 1
		j.warn("Unknown database: %s", name)
		return j.say("Try `getent --help' or `getent --usage' for more information.")
	}
	if d.fields == 0 {
		return j.getWords(d.file, keys)
	}
	t, err := readTable(j.FS, d.file, d.fields, 0, 0)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		for _, v := range t.entries() {
			if err := j.say("%s", strings.Join(v, ":")); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range keys {
		v := t.get(key)
		if n, isID := number(key); isID && d.byID {
			v = t.byID(n)
		}
		if v == nil {
			j.status = keyNotFound
			continue
		}
		if err := j.say("%s", strings.Join(v, ":")); err != nil {
			return err
		}
	}
	return nil
}

// getWords prints lines of a file such as /etc/services, by the names and the number
// in them.
func (j *job) getWords(file string, keys []string) error {
	var lines [][]string
	if b, err := j.FS.ReadFile(file); err == nil {
		for line := range strings.Lines(string(b)) {
			line, _, _ = strings.Cut(line, "#")
			if v := strings.Fields(line); len(v) >= 2 {
				lines = append(lines, v)
			}
		}
	}
	show := func(v []string) error {
		return j.say("%s", strings.TrimRight(fmt.Sprintf("%-21s %s", v[0], strings.Join(v[1:], " ")), " "))
	}
	if len(keys) == 0 {
		for _, v := range lines {
			if err := show(v); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range keys {
		name, proto, _ := strings.Cut(key, "/")
		i := slices.IndexFunc(lines, func(v []string) bool {
			port, p, _ := strings.Cut(v[1], "/")
			return (v[0] == name || port == name || slices.Contains(v[2:], name)) && (proto == "" || proto == p)
		})
		if i < 0 {
			j.status = keyNotFound
			continue
		}
		if err := show(lines[i]); err != nil {
			return err
		}
	}
	return nil
}

// getHosts looks up /etc/hosts; a name that is not there would need the network, which
// says no.
func (j *job) getHosts(keys []string) error {
	var lines [][]string
	if b, err := j.FS.ReadFile("/etc/hosts"); err == nil {
		for line := range strings.Lines(string(b)) {
			line, _, _ = strings.Cut(line, "#")
			if v := strings.Fields(line); len(v) >= 2 {
				lines = append(lines, v)
			}
		}
	}
	if len(keys) == 0 {
		for _, v := range lines {
			if err := j.say("%-15s %s", v[0], strings.Join(v[1:], " ")); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range keys {
		found := slices.DeleteFunc(slices.Clone(lines), func(v []string) bool { return !slices.Contains(v, key) })
		if len(found) == 0 {
			j.status = keyNotFound
			continue
		}
		// an address of IPv6 comes first
		slices.SortStableFunc(found, func(a, b []string) int {
			return strings.Count(b[0], ":") - strings.Count(a[0], ":")
		})
		if err := j.say("%-15s %s", found[0][0], strings.Join(found[0][1:], " ")); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) initgroups(keys []string) error {
	for _, name := range keys {
		var gids []string
		for _, g := range j.group.entries() {
			if slices.Contains(members(g), name) {
				gids = append(gids, g[2])
			}
		}
		if err := j.say("%-21s %s", name, strings.Join(gids, " ")); err != nil {
			return err
		}
	}
	return nil
}

// identity is who id(1) speaks of.
type identity struct {
	name     string
	uid, gid uint32
	gids     []uint32
}

// identityOf returns the user of a name or number, root where it is "".
func (j *job) identityOf(d *Database, name string) (identity, bool) {
	if name == "" {
		me := &j.FS.User
		return identity{uid: me.UID, gid: me.GID, gids: append([]uint32{me.GID}, me.Groups...), name: d.UserName(me.UID)}, true
	}
	u, ok := d.User(name)
	if n, isID := number(strings.TrimPrefix(name, "+")); !ok && isID {
		u, ok = d.UserID(n)
	}
	if !ok {
		return identity{}, false
	}
	who := identity{u.Name, u.UID, u.GID, []uint32{u.GID}}
	for _, g := range d.Groups {
		if slices.Contains(g.Members, u.Name) && !slices.Contains(who.gids, g.GID) {
			who.gids = append(who.gids, g.GID)
		}
	}
	return who, true
}

// id is id(1).
func (j *job) id(context.Context) error {
	if j.Has("context") {
		return j.refuse(1, "--context (-Z) works only on an SELinux-enabled kernel")
	}
	d := Names(j.FS)
	who := j.Operands
	if len(who) == 0 {
		who = []string{""}
	}
	end := "\n"
	if j.Has("zero") {
		end = "\x00"
	}
	for _, name := range who {
		i, ok := j.identityOf(d, name)
		if !ok {
			if err := j.refuse(1, "'%s': no such user", name); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprint(j.Stdout, j.idText(d, i)+end); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) idText(d *Database, i identity) string {
	user := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	group := user
	if j.Has("name") {
		user, group = d.UserName, d.GroupName
	}
	var gids []string
	switch j.Last("user", "group", "groups") {
	case "user":
		return user(i.uid)
	case "group":
		return group(i.gid)
	case "groups":
		for _, g := range i.gids {
			gids = append(gids, group(g))
		}
		return strings.Join(gids, " ")
	}
	named := func(n uint32, name string) string {
		if number := strconv.FormatUint(uint64(n), 10); name != number {
			return number + "(" + name + ")"
		}
		return strconv.FormatUint(uint64(n), 10)
	}
	for _, g := range i.gids {
		gids = append(gids, named(g, d.GroupName(g)))
	}
	return "uid=" + named(i.uid, d.UserName(i.uid)) + " gid=" + named(i.gid, d.GroupName(i.gid)) + " groups=" + strings.Join(gids, ",")
}

// groupsOf is groups(1).
func (j *job) groupsOf(context.Context) error {
	d := Names(j.FS)
	who := j.Operands
	if len(who) == 0 {
		who = []string{""}
	}
	for _, name := range who {
		i, ok := j.identityOf(d, name)
		if !ok {
			if err := j.refuse(1, "'%s': no such user", name); err != nil {
				return err
			}
			continue
		}
		var in []string
		for _, g := range i.gids {
			in = append(in, d.GroupName(g))
		}
		text := strings.Join(in, " ")
		if name != "" {
			text = name + " : " + text
		}
		if err := j.say("%s", text); err != nil {
			return err
		}
	}
	return nil
}

// whoami is whoami(1): root, as all that configures packages, but for what su runs.
func (j *job) whoami(context.Context) error {
	return j.say("%s", Names(j.FS).UserName(j.FS.User.UID))
}

// logname is logname(1): nobody has logged in.
func (j *job) logname(context.Context) error { return j.refuse(1, "no login name") }
