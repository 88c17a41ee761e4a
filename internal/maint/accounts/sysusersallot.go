package accounts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// allot decides which accounts are made, and with which ids.
func (s *sysusersRun) allot() {
	s.conf.imply()
	s.userIDs, s.groupIDs = map[uint32]string{}, map[uint32]string{}
	for _, v := range slices.Backward(s.passwd.entries()) {
		if id, ok := number(v[2]); ok {
			s.userIDs[id] = v[0]
		}
	}
	for _, v := range slices.Backward(s.group.entries()) {
		if id, ok := number(v[2]); ok {
			s.groupIDs[id] = v[0]
		}
	}
	ranges := s.conf.ranges
	if len(ranges) == 0 {
		ranges = [][2]uint32{{s.defs.number("SYS_UID_MIN", 100), s.defs.number("SYS_UID_MAX", 999)}}
	}
	slices.SortFunc(ranges, func(a, b [2]uint32) int { return cmp.Compare(b[1], a[1]) })
	s.conf.ranges = ranges
	for _, g := range s.conf.groups {
		s.makeGroup(g)
	}
	for _, u := range s.conf.users {
		s.makeUser(u)
	}
}

// makeUser decides about one user, and its group before it.
func (s *sysusersRun) makeUser(u *sysuser) {
	g := find(s.conf.groups, cmp.Or(u.group, u.name))
	switch {
	case !u.hasGID && g != nil && g.todoGroup:
		u.gid, u.hasGID = g.gid, true
	case u.group != "":
		v := s.group.get(u.group)
		if v == nil {
			s.warn("Group %s not found.", u.group)
			return
		}
		u.gid, u.hasGID = 0, true
		u.gid, _ = number(v[2])
	default:
		if !s.makeGroup(u) {
			return
		}
	}
	if v := s.passwd.get(u.name); v != nil {
		return
	}
	both := u.group == "" && !u.strict && !(g != nil && g.todoGroup)
	if u.hasUID && !s.uidFree(u.uid, u.name, both) {
		s.warn("Suggested user ID %d for %s already used.", u.uid, u.name)
		u.hasUID = false
	}
	if uid, _, ok := s.ownerOf(u.path); !u.hasUID && ok && s.inRange(uid) && s.uidFree(uid, u.name, true) {
		u.uid, u.hasUID = uid, true
	}
	if !u.hasUID && u.hasGID && s.uidFree(u.gid, u.name, true) {
		u.uid, u.hasUID = u.gid, true
	}
	if !u.hasUID {
		var ok bool
		if u.uid, ok = s.search(func(id uint32) bool { return s.uidFree(id, u.name, true) }); !ok {
			s.warn("No free user ID available for %s.", u.name)
			return
		}
	}
	u.todoUser = true
	s.userIDs[u.uid] = u.name
	s.newUsers = append(s.newUsers, u)
	s.warn("Creating user '%s' (%s) with UID %d and GID %d.", u.name, cmp.Or(u.gecos, "n/a"), u.uid, u.gid)
}

// makeGroup decides about one group; false means that there can be none.
func (s *sysusersRun) makeGroup(g *sysuser) bool {
	if v := s.group.get(g.name); v != nil {
		if !g.strict {
			g.gid, _ = number(v[2])
			g.hasGID = true
			return true
		}
	}
	if g.strict {
		if s.groupIDs[g.gid] == "" {
			s.warn("Failed to create %s: please create GID %d", g.name, g.gid)
			return false
		}
		return true
	}
	if g.hasGID && !s.gidFree(g.gid, g.name, false) {
		s.warn("Suggested group ID %d for %s already used.", g.gid, g.name)
		g.hasGID = false
	}
	if !g.hasGID && g.hasUID && s.gidFree(g.uid, g.name, true) {
		g.gid, g.hasGID = g.uid, true
	}
	if _, gid, ok := s.ownerOf(g.path); !g.hasGID && ok && s.inRange(gid) && s.gidFree(gid, g.name, true) {
		g.gid, g.hasGID = gid, true
	}
	if !g.hasGID {
		var ok bool
		if g.gid, ok = s.search(func(id uint32) bool { return s.gidFree(id, g.name, true) }); !ok {
			s.warn("No free group ID available for %s.", g.name)
			return false
		}
		g.hasGID = true
	}
	g.todoGroup = true
	s.groupIDs[g.gid] = g.name
	s.newGroups = append(s.newGroups, g)
	s.warn("Creating group '%s' with GID %d.", g.name, g.gid)
	return true
}

// uidFree reports whether a user may have an id; both says that no group of another
// name may have it either.
func (s *sysusersRun) uidFree(id uint32, name string, both bool) bool {
	return s.userIDs[id] == "" && (!both || s.groupIDs[id] == "" || s.groupIDs[id] == name)
}

func (s *sysusersRun) gidFree(id uint32, name string, both bool) bool {
	return s.groupIDs[id] == "" && (!both || s.userIDs[id] == "" || s.userIDs[id] == name)
}

func (s *sysusersRun) inRange(id uint32) bool {
	return slices.ContainsFunc(s.conf.ranges, func(r [2]uint32) bool { return id >= r[0] && id <= r[1] })
}

// ownerOf returns the ids of a path's owner, which serve for a new account.
func (s *sysusersRun) ownerOf(name string) (uid, gid uint32, ok bool) {
	if name == "" {
		return 0, 0, false
	}
	n, err := s.FS.Stat(name)
	if err != nil {
		return 0, 0, false
	}
	return n.UID, n.GID, true
}

// search goes down through the ranges, and never up again.
func (s *sysusersRun) search(free func(uint32) bool) (uint32, bool) {
	for ; s.at < len(s.conf.ranges); s.at, s.down = s.at+1, 0 {
		for r := s.conf.ranges[s.at]; s.down <= r[1]-r[0]; {
			id := r[1] - s.down
			s.down++
			if free(id) {
				return id, true
			}
		}
	}
	return 0, false
}

// store writes the files: first what the groups have, then the users.
func (s *sysusersRun) store() error {
	if s.FS.Origin != nil && len(s.inputs) > 0 {
		o := *s.FS.Origin
		o.Inputs = s.inputs
		s.FS.Origin = &o
	}
	id := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	s.shadow.perm, s.gshadow.perm, s.shadow.gid, s.gshadow.gid = 0, 0, 0, 0
	for _, g := range s.newGroups {
		s.group.put([]string{g.name, shadowed, id(g.gid), ""})
		s.gshadow.put([]string{g.name, "!*", "", ""})
	}
	s.join()
	for _, u := range s.newUsers {
		password, expire, home, login := "!*", "", cmp.Or(u.home, "/"), cmp.Or(u.shell, "/usr/sbin/nologin")
		if u.uid == 0 {
			password, home, login = "!unprovisioned", cmp.Or(u.home, "/root"), cmp.Or(u.shell, s.rootShell())
		}
		if u.locked {
			expire = "1"
		}
		s.passwd.put([]string{u.name, shadowed, id(u.uid), id(u.gid), u.gecos, home, login})
		s.shadow.put([]string{u.name, password, s.day(), "", "", "", "", expire, ""})
	}
	for _, t := range []*table{s.group, s.gshadow, s.passwd, s.shadow} {
		if !t.changed {
			continue
		}
		if s.Has("dry-run") {
			t.changed = false
			s.warn("Would write %s...", t.name)
			continue
		}
		t.normalize()
		if err := t.write(s.FS); err != nil {
			return err
		}
	}
	return nil
}

func (s *sysusersRun) rootShell() string {
	if s.FS.Exists("/bin/bash") {
		return "/bin/bash"
	}
	return "/bin/sh"
}

// join makes the members of the lines m; a list that changes is sorted.
func (s *sysusersRun) join() {
	for _, m := range s.conf.members {
		s.setMembers(m.group, func(list []string) []string {
			if slices.Contains(list, m.user) {
				return list
			}
			list = append(list, m.user)
			slices.Sort(list)
			return list
		})
	}
}

// normalize drops the lines that are no entries, as a program does that reads them one
// by one and writes them again; a reference to another source gets all its colons.
func (t *table) normalize() {
	t.lines = slices.DeleteFunc(t.lines, func(line string) bool { return !isNIS(line) && t.entry(line) == nil })
	for i, line := range t.lines {
		if isNIS(line) {
			t.lines[i] += strings.Repeat(":", max(0, t.fields-1-strings.Count(line, ":")))
		}
	}
}
