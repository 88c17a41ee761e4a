package check

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
)

const noAccounts = "the image has no /etc/passwd"

// accountFiles are the files with the most that their modes may have.
var accountFiles = []struct {
	name string
	mode uint32
}{{"etc/passwd", 0o644}, {"etc/group", 0o644}, {"etc/passwd-", 0o644}, {"etc/group-", 0o644}, {"etc/shadow", 0o640}, {"etc/gshadow", 0o640}, {"etc/shadow-", 0o640}, {"etc/gshadow-", 0o640}}

func accountFilesMode(q *question) string {
	asked := false
	for _, a := range accountFiles {
		f := q.Resolve(a.name)
		if f == nil || f.Type != facts.Regular {
			continue
		}
		asked = true
		if f.Mode&^a.mode != 0 {
			q.found(at(f, fmt.Sprintf("expected mode %04o or stricter", a.mode), mode(f)))
		}
		if f.UID != 0 {
			q.found(at(f, "root does not own it", mode(f)))
		}
		if g := q.Accounts().Group("shadow"); a.mode == 0o640 && f.Mode&0o040 != 0 && f.GID != 0 && (g == nil || g.GID != int64(f.GID)) {
			q.found(at(f, "its group, which may read it, is not shadow", mode(f)))
		}
	}
	if !asked {
		return noAccounts
	}
	return applies
}

// inFile is a finding in a line of a file.
func (q *question) inFile(name string, line int, message, value string) Finding {
	if f := q.Resolve(name); f != nil {
		finding := at(f, message, value)
		finding.Line = line
		return finding
	}
	return Finding{Path: "/" + name, Line: line, Message: message, Value: value}
}

func emptyPassword(q *question) string {
	a := q.Accounts()
	if len(a.Users)+len(a.Shadow) == 0 {
		return noAccounts
	}
	for _, u := range a.Users {
		if u.Password == "" {
			q.found(q.inFile("etc/passwd", u.Line, "account "+u.Name+" has no password", u.Name))
		}
	}
	for _, s := range a.Shadow {
		if s.Password == "" {
			q.found(q.inFile(s.File, s.Line, "account "+s.Name+" has no password", s.Name))
		}
	}
	return applies
}

// hash is the form of crypt(5), and of the old DES one.
var hash = compiled(`^!?(\$[0-9a-zA-Z]+\$|_[./0-9A-Za-z]{19}$|[./0-9A-Za-z]{13}$)`)

func passwordHash(q *question) string {
	a := q.Accounts()
	if len(a.Users)+len(a.Shadow) == 0 {
		return noAccounts
	}
	for _, u := range a.Users {
		if hash.MatchString(u.Password) {
			q.found(q.inFile("etc/passwd", u.Line, "account "+u.Name+" has a password, for all to read", u.Name))
		}
	}
	for _, s := range a.Shadow {
		switch {
		case !hash.MatchString(s.Password):
		case strings.HasPrefix(s.Password, "!"):
			q.foundAs(harden.Low, q.inFile(s.File, s.Line, "account "+s.Name+" is locked, but its password's hash is there", s.Name))
		default:
			q.found(q.inFile(s.File, s.Line, "account "+s.Name+" has a password", s.Name))
		}
	}
	return applies
}

func duplicateAccount(q *question) string {
	a := q.Accounts()
	if len(a.Users)+len(a.Groups) == 0 {
		return noAccounts
	}
	seen := map[string]string{}
	note := func(file string, line int, kind, key, name string) {
		k := file + kind + key
		if other, ok := seen[k]; ok && key != "-1" {
			q.found(q.inFile(file, line, fmt.Sprintf("%s %s is that of %s already", kind, key, other), name))
			return
		}
		seen[k] = name
	}
	for _, u := range a.Users {
		note("etc/passwd", u.Line, "name", u.Name, u.Name)
		note("etc/passwd", u.Line, "number", strconv.FormatInt(u.UID, 10), u.Name)
	}
	for _, g := range a.Groups {
		note("etc/group", g.Line, "name", g.Name, g.Name)
		note("etc/group", g.Line, "number", strconv.FormatInt(g.GID, 10), g.Name)
	}
	for _, where := range a.Malformed {
		file, line, _ := strings.Cut(where, ":")
		n, _ := strconv.Atoi(line)
		q.foundAs(harden.Low, q.inFile(file, n, "the line cannot be read", ""))
	}
	return applies
}

func zeroID(q *question) string {
	a := q.Accounts()
	if len(a.Users)+len(a.Groups) == 0 {
		return noAccounts
	}
	for _, u := range a.Users {
		if u.UID == 0 && u.Name != "root" {
			q.found(q.inFile("etc/passwd", u.Line, "account "+u.Name+" is root by its number", u.Name))
		}
		if u.GID == 0 && u.UID != 0 && !gidZero[u.Name] {
			q.foundAs(harden.Low, q.inFile("etc/passwd", u.Line, "account "+u.Name+" has root's group", u.Name))
		}
	}
	for _, g := range a.Groups {
		if g.GID == 0 && g.Name != "root" && g.Name != "wheel" {
			q.foundAs(harden.Medium, q.inFile("etc/group", g.Line, "group "+g.Name+" is root's by its number", g.Name))
		}
	}
	return applies
}

// gidZero are accounts that distributions ship with root's group.
var gidZero = map[string]bool{"sync": true, "shutdown": true, "halt": true, "operator": true}

// refusing are programs that let nobody in (nologin(8), false(1)).
var refusing = []string{"nologin", "false", "true", "sync", "shutdown", "halt", "null"}

func loginShell(q *question) string {
	a := q.Accounts()
	if len(a.Users) == 0 {
		return noAccounts
	}
	for _, u := range a.Users {
		shell := u.Shell
		if shell == "" {
			shell = "/bin/sh" // passwd(5)
		}
		if slices.Contains(refusing, path.Base(shell)) {
			continue
		}
		if f := q.Resolve(shell); f != nil && f.Type == facts.Regular {
			s := harden.Low
			if u.UID == 0 { // what distributions ship
				s = harden.Info
			}
			q.foundAs(s, q.inFile("etc/passwd", u.Line, "account "+u.Name+" has a shell to log in with", u.Shell))
		}
	}
	return applies
}

func homeDirectory(q *question) string {
	r := q.Runner()
	if r.Account == nil || r.UID == 0 {
		return "the user is root or no account"
	}
	home := r.Account.Home
	if home == "" || home == "/" || home == "/nonexistent" || home == "/dev/null" {
		return "the user is one without a home"
	}
	f := q.Resolve(home)
	switch {
	case f == nil:
		q.foundAs(harden.Info, said("the user's home is not there", home))
	case f.Type != facts.Directory:
		q.found(at(f, "the user's home is no directory", ""))
	case f.Mode&0o002 != 0:
		q.foundAs(harden.Medium, at(f, "everybody may write in the user's home", mode(f)))
	case int64(f.UID) != r.UID && f.UID != 0:
		q.found(at(f, "the user's home is somebody else's", mode(f)))
	}
	return applies
}

var umaskLine = compiled(`(?m)^\s*(?:UMASK|umask)\s+0?([0-7]{3})\b`)

func umask(q *question) string {
	asked := false
	for f, text := range q.Texts(func(name string) bool {
		return name == "etc/login.defs" || name == "etc/profile" || name == "etc/bash.bashrc" || strings.HasPrefix(name, "etc/profile.d/")
	}) {
		asked = true
		for _, m := range umaskLine.get().FindAllSubmatch(text, 16) {
			if mask, err := strconv.ParseUint(string(m[1]), 8, 16); err == nil && mask&0o022 != 0o022 {
				q.found(at(f, "new files are open to others", "umask "+string(m[1])))
			}
		}
	}
	if !asked {
		return "the image has none of the files that set one"
	}
	return applies
}
