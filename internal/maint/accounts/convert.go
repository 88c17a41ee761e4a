package accounts

import (
	"context"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var (
	pwconv       = tool("R|root=", badUsage, (*job).pwconv)
	grpconv      = tool("R|root=", badUsage, (*job).grpconv)
	pwunconv     = tool("R|root=", badUsage, (*job).pwunconv)
	grpunconv    = tool("R|root=", badUsage, (*job).grpunconv)
	shadowconfig = tool("", 1, (*job).shadowconfig)
)

// shadowed is the password of passwd and group that refers to the shadow file.
const shadowed = "x"

// pwconv is pwconv(8): it brings passwords from passwd to shadow.
func (j *job) pwconv(context.Context) error {
	for _, s := range j.shadow.entries() {
		if j.passwd.get(s[0]) == nil {
			j.shadow.drop(s[0])
		}
	}
	for _, u := range j.passwd.entries() {
		s := j.shadow.get(u[0])
		switch {
		case s == nil:
			s = slices.Concat([]string{u[0], u[1], j.day()}, j.aging(), []string{"", "", ""})
		case u[1] == shadowed:
			continue
		default:
			s[1], s[2] = u[1], j.day()
		}
		j.shadow.put(s)
		u[1] = shadowed
		j.passwd.put(u)
	}
	if err := lock(j.FS); err != nil {
		return err
	}
	if err := j.write(); err != nil || !j.FS.Exists("/etc/passwd-") {
		return err
	}
	return j.FS.Chmod("/etc/passwd-", 0o600) // where hashes may have been
}

// grpconv is grpconv(8).
func (j *job) grpconv(context.Context) error {
	for _, s := range j.gshadow.entries() {
		if j.group.get(s[0]) == nil {
			j.gshadow.drop(s[0])
		}
	}
	for _, g := range j.group.entries() {
		s := j.gshadow.get(g[0])
		if s == nil {
			s = []string{g[0], g[1], "", ""}
		} else if g[1] != shadowed {
			s[1] = g[1]
		}
		s[3] = g[3]
		j.gshadow.put(s)
		g[1] = shadowed
		j.group.put(g)
	}
	j.gshadow.changed, j.group.changed = true, true
	return lock(j.FS)
}

// pwunconv is pwunconv(8): the way back.
func (j *job) pwunconv(context.Context) error {
	if !j.shadow.exists {
		return nil
	}
	for _, u := range j.passwd.entries() {
		if s := j.shadow.get(u[0]); s != nil {
			u[1] = s[1]
			j.passwd.put(u)
		}
	}
	if err := lock(j.FS); err != nil {
		return err
	}
	j.shadow.changed = false
	return j.FS.Remove(j.shadow.name)
}

// grpunconv is grpunconv(8).
func (j *job) grpunconv(context.Context) error {
	if !j.gshadow.exists {
		return nil
	}
	for _, g := range j.group.entries() {
		if s := j.gshadow.get(g[0]); s != nil {
			g[1] = s[1]
			j.group.put(g)
		}
	}
	if err := lock(j.FS); err != nil {
		return err
	}
	j.gshadow.changed = false
	return j.FS.Remove(j.gshadow.name)
}

// shadowconfig is shadowconfig(8), as the postinst of passwd calls it.
func (j *job) shadowconfig(ctx context.Context) error {
	if len(j.Operands) != 1 || j.Operands[0] != "on" {
		return shell.Unsupported("shadowconfig %s", strings.Join(j.Operands, " "))
	}
	for _, step := range []func(*job, context.Context) error{(*job).pwconv, (*job).grpconv} {
		if err := step(j, ctx); err != nil {
			return err
		}
	}
	if err := j.write(); err != nil {
		return err
	}
	for _, t := range []*table{j.passwd, j.group, j.shadow, j.gshadow} {
		perm, gid := uint32(0o644), uint32(0)
		if strings.HasSuffix(t.name, "shadow") {
			perm, gid = 0o640, shadowGID
		}
		if err := j.FS.Chown(t.name, 0, gid, true); err != nil {
			return err
		}
		if err := j.FS.Chmod(t.name, perm); err != nil {
			return err
		}
	}
	return j.say("Shadow passwords are now on.")
}
