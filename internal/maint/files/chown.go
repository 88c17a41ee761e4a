package files

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/tree"
)

const chownOptions = "R|recursive f|silent|quiet c|changes v|verbose h|no-dereference dereference H L P reference= from= preserve-root no-preserve-root"

var (
	chown = program(chownOptions, (*job).chown)
	chgrp = program(chownOptions, (*job).chown)
)

// ownership is an owner and a group, of which each may be [owned].
type ownership struct{ uid, gid uint32 }

// chown is chown(1) and chgrp(1).
func (j *job) chown(ctx context.Context) error {
	files := j.Operands
	to := ownership{owned, owned}
	if j.Has("reference") {
		n, err := j.stat(j.Value("reference"))
		if err != nil {
			return j.fail(err, "failed to get attributes of '%s'", j.Value("reference"))
		}
		to.gid = n.GID
		if j.Args[0] != "chgrp" {
			to.uid = n.UID
		}
	} else {
		if len(files) < 2 {
			return j.missing()
		}
		var err error
		if to, err = j.newOwner(files[0]); err != nil {
			return j.usage("%v", err)
		}
		files = files[1:]
	}
	from := ownership{owned, owned}
	if j.Has("from") {
		var err error
		if from, err = parseOwner(accounts.Names(j.FS), j.Value("from")); err != nil {
			return j.usage("%v", err)
		}
	}
	for _, name := range files {
		if err := j.chownFile(ctx, name, from, to); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) newOwner(s string) (ownership, error) {
	names := accounts.Names(j.FS)
	if j.Args[0] != "chgrp" {
		return parseOwner(names, s)
	}
	gid, ok := groupID(names, s)
	if !ok {
		return ownership{}, fmt.Errorf("invalid group: '%s'", s)
	}
	return ownership{owned, gid}, nil
}

// parseOwner reads "OWNER", "OWNER:GROUP", "OWNER:" (with the owner's login group)
// and ":GROUP"; names or numbers. A dot serves as the colon where no user has such
// a name.
func parseOwner(names *accounts.Database, s string) (ownership, error) {
	o, err := parseOwnerAt(names, s, strings.IndexByte(s, ':'))
	if dot := strings.IndexByte(s, '.'); err != nil && dot >= 0 && !strings.Contains(s, ":") {
		if o, err := parseOwnerAt(names, s, dot); err == nil {
			return o, nil
		}
	}
	return o, err
}

func parseOwnerAt(names *accounts.Database, s string, colon int) (ownership, error) {
	o := ownership{owned, owned}
	user, group := s, ""
	if colon >= 0 {
		user, group = s[:colon], s[colon+1:]
	}
	if user != "" {
		uid, ok := userID(names, user)
		if !ok {
			return o, fmt.Errorf("invalid user: '%s'", s)
		}
		o.uid = uid
	}
	switch {
	case group != "":
		gid, ok := groupID(names, group)
		if !ok {
			return o, fmt.Errorf("invalid group: '%s'", s)
		}
		o.gid = gid
	case colon >= 0 && user != "":
		u, ok := names.User(user)
		if !ok {
			return o, fmt.Errorf("invalid spec: '%s'", s)
		}
		o.gid = u.GID
	}
	return o, nil
}

func userID(names *accounts.Database, s string) (uint32, bool) {
	if u, ok := names.User(s); ok && !strings.HasPrefix(s, "+") {
		return u.UID, true
	}
	return number(s)
}

func groupID(names *accounts.Database, s string) (uint32, bool) {
	if g, ok := names.Group(s); ok && !strings.HasPrefix(s, "+") {
		return g.GID, true
	}
	return number(s)
}

func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 32)
	return uint32(n), err == nil && n < 1<<32-1
}

// chownFile changes the owner of what is at an operand.
func (j *job) chownFile(ctx context.Context, name string, from, to ownership) error {
	recursive, walk := j.Has("recursive"), j.Last("H", "L", "P")
	if recursive && j.rootIsKept(name) {
		return nil
	}
	// With -R a link is changed itself, but with -H one that is an operand, and with
	// -L any.
	follow := noLinks
	switch {
	case recursive && walk == "L":
		follow = allLinks
	case recursive && walk == "H" || !recursive && !j.Has("no-dereference"):
		follow = firstLinks
	}
	first := true
	err := j.walk(ctx, name, follow, func(name string, n *tree.Node) (bool, error) {
		through := follow == allLinks || follow == firstLinks && first
		first = false
		return recursive, j.setOwner(name, n, from, to, through && !(recursive && j.Has("no-dereference")))
	})
	if pe, ok := err.(*fs.PathError); ok {
		j.status = 1
		if j.Has("quiet") {
			return nil
		}
		if follow != noLinks && pe.Err == syscall.ENOENT {
			if _, err := j.lstat(name); err == nil {
				return j.fail(pe, "cannot dereference '%s'", name)
			}
		}
	}
	return j.fail(err, "cannot access '%s'", name)
}

func (j *job) setOwner(name string, n *tree.Node, from, to ownership, follow bool) error {
	if from.uid != owned && from.uid != n.UID || from.gid != owned && from.gid != n.GID {
		return nil
	}
	uid, gid := n.UID, n.GID
	if err := j.FS.Chown(j.Path(name), to.uid, to.gid, follow); err != nil {
		return err
	}
	changed := to.uid != owned && to.uid != uid || to.gid != owned && to.gid != gid
	if !j.Has("verbose") && !(changed && j.Has("changes")) {
		return nil
	}
	names := accounts.Names(j.FS)
	what, was := "ownership", names.UserName(uid)+":"+names.GroupName(gid)
	var now string
	switch {
	case to.uid == owned:
		what, now, was = "group", names.GroupName(to.gid), names.GroupName(gid)
	case to.gid != owned:
		now = names.UserName(to.uid) + ":" + names.GroupName(to.gid)
	default:
		now, was = names.UserName(to.uid), names.UserName(uid)
	}
	if !changed {
		return j.say("%s of '%s' retained as %s", what, name, now)
	}
	return j.say("changed %s of '%s' from %s to %s", what, name, was, now)
}
