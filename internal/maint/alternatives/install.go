package alternatives

import (
	"errors"
	"io/fs"
	"path"
	"slices"
)

// installChoice is --install.
func (u *update) installChoice() error {
	if err := u.checkInstall(); err != nil {
		return err
	}
	g, err := u.load(u.name, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail("%v", err)
	}
	added := u.install.choices[0]
	if g == nil {
		g = &linkGroup{name: u.name, link: u.install.link, slaves: slices.Clone(u.install.slaves), modified: true}
		u.selectMode(g)
	} else {
		u.selectMode(g)
		if err := u.evolve(g, added); err != nil {
			return err
		}
	}
	g.add(added)
	current, wanted := u.current(g), ""
	switch {
	case !g.manual:
		wanted = g.best(current).path
	case current == "":
		wanted = added.path
	default:
		u.tell("automatic updates of %s are disabled; leaving it alone", path.Join(u.altDir, g.name))
		u.tell("to return to automatic updates use 'update-alternatives --auto %s'", g.name)
	}
	return u.apply(g, current, wanted)
}

// owner says which group a name or a link belongs to.
type owner struct {
	group string // name
	slave string // name, "" for the group's own link
}

// checkInstall compares what is to be installed with all other groups
// (alternative_check_install_args).
func (u *update) checkInstall() error {
	byName, byLink := map[string]owner{}, map[string]owner{}
	for _, name := range u.names() {
		g, err := u.load(name, false)
		if err != nil {
			continue
		}
		byName[name], byLink[g.link] = owner{group: name}, owner{group: name}
		for _, s := range g.slaves {
			byName[s.name], byLink[s.link] = owner{name, s.name}, owner{name, s.name}
		}
	}
	in := u.install
	if o, ok := byName[in.name]; ok && o.group != in.name {
		return fail("alternative %s can't be master: it is a slave of %s", in.name, o.group)
	}
	if o, ok := byLink[in.link]; ok && o.group != in.name {
		return fail("alternative link %s is already managed by %s", in.link, o.group)
	}
	if !u.FS.Exists(u.file) {
		return fail("alternative path %s doesn't exist", u.file)
	}
	for _, s := range in.slaves {
		if o, ok := byName[s.name]; ok && o.group == s.name {
			return fail("alternative %s can't be slave of %s: it is a master alternative", s.name, in.name)
		} else if ok && o.group != in.name {
			return fail("alternative %s can't be slave of %s: it is a slave of %s", s.name, in.name, o.group)
		}
		if o, ok := byLink[s.link]; ok && o.group != in.name {
			return fail("alternative link %s is already managed by %s", s.link, o.group)
		} else if ok && o.slave != "" && o.slave != s.name {
			return fail("alternative link %s is already managed by %s (slave of %s)", s.link, o.slave, o.group)
		}
	}
	return nil
}

// evolve gives an existing group the links of what is installed into it: renamed
// ones move (alternative_evolve).
func (u *update) evolve(g *linkGroup, added *choice) error {
	current := u.current(g)
	if g.link != u.install.link {
		u.info("renaming %s link from %s to %s", g.name, g.link, u.install.link)
		if classify(u.FS, g.link) == symlink {
			if err := u.rename(g.link, u.install.link); err != nil {
				return err
			}
		}
		g.link, g.modified = u.install.link, true
	}
	for _, s := range u.install.slaves {
		i := slices.IndexFunc(g.slaves, func(old slaveLink) bool { return old.name == s.name })
		if i < 0 {
			g.slaves = append(g.slaves, s)
			continue
		}
		old := &g.slaves[i]
		if old.link == s.link {
			continue
		}
		file := ""
		if current == added.path {
			file = added.slaves[s.name]
		} else if c := g.get(current); c != nil {
			file = c.slaves[s.name]
		}
		if classify(u.FS, old.link) == symlink {
			var err error
			if file != "" && u.FS.Exists(file) {
				u.info("renaming %s slave link from %s to %s", s.name, old.link, s.link)
				err = u.rename(old.link, s.link)
			} else {
				err = u.FS.Remove(old.link)
			}
			if err != nil {
				return err
			}
		}
		old.link, old.updated, g.modified = s.link, true, true
	}
	return nil
}

func (u *update) rename(from, to string) error {
	return u.FS.Rename(from, to)
}

// apply makes the links for the alternative that is wanted, "" for the present
// one, and writes the administrative file.
func (u *update) apply(g *linkGroup, current, wanted string) error {
	if len(g.choices) == 0 {
		return u.removeGroup(g)
	}
	switch reason := noUpdate; {
	case wanted != "" && wanted != current:
		mode := "auto"
		if g.manual {
			mode = "manual"
		}
		u.info("using %s to provide %s (%s) in %s mode", wanted, g.link, g.name, mode)
		if err := u.makeLinks(g, g.get(wanted)); err != nil {
			return err
		}
	default:
		if reason = u.needsUpdate(g); reason == noUpdate {
			break
		}
		if reason == slaveChanged {
			u.info("updating alternative %s because link group %s has changed slave links", current, g.name)
		} else {
			u.warn("forcing reinstallation of alternative %s because link group %s is broken", current, g.name)
		}
		if c := g.get(current); c != nil {
			if err := u.makeLinks(g, c); err != nil {
				return err
			}
		}
	}
	if g.modified {
		if err := u.save(g); err != nil {
			return err
		}
	}
	for _, do := range u.commit {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// makeLinks makes the links of a choice and removes those of slaves that it does
// not have (alternative_prepare_install).
func (u *update) makeLinks(g *linkGroup, c *choice) error {
	if err := u.makeLink(g.name, g.link, c.path); err != nil {
		return err
	}
	for _, s := range g.slaves {
		file := c.slaves[s.name]
		if file != "" && u.FS.Exists(file) {
			if err := u.makeLink(s.name, s.link, file); err != nil {
				return err
			}
			continue
		}
		if file != "" {
			u.warn("skip creation of %s because associated file %s (of link group %s) doesn't exist", s.link, file, g.name)
		}
		u.commit = append(u.commit, func() error { return u.removeLink(s.link, s.name) })
	}
	return nil
}

func (u *update) makeLink(name, link, file string) error {
	at := path.Join(u.altDir, name)
	if err := u.symlink(file, at); err != nil {
		return err
	}
	if !u.linkNeedsUpdate(link, at, true) {
		return nil
	}
	return u.symlink(at, link)
}

// symlink makes a link beside its place, which it takes when all links of the call
// are made. An equal one stays as it is.
func (u *update) symlink(target, at string) error {
	if old, err := u.FS.Readlink(at); err == nil && old == target {
		return nil
	}
	if path.Dir(at) == u.altDir {
		if err := u.FS.MkdirAll(u.altDir, 0o755&^u.Umask); err != nil {
			return err
		}
	}
	temporary := at + ".dpkg-tmp"
	if err := u.FS.RemoveAll(temporary); err != nil {
		return err
	}
	if err := u.FS.Symlink(target, temporary); err != nil {
		return fail("unable to make %s a symlink to %s: %v", temporary, target, err)
	}
	u.commit = append(u.commit, func() error { return u.FS.Rename(temporary, at) })
	return nil
}

// linkNeedsUpdate reports whether a link of a group is not as it should be and may
// be replaced (alternative_path_needs_update).
func (u *update) linkNeedsUpdate(link, target string, warn bool) bool {
	if u.force {
		return true
	}
	switch classify(u.FS, link) {
	case symlink:
		to, err := u.FS.Readlink(link)
		return err != nil || to != target
	case other:
		if warn {
			u.warn("not replacing %s with a link", link)
		}
		return false
	}
	return true
}

type updateReason int

const (
	noUpdate updateReason = iota
	slaveChanged
	linkBroken
)

// needsUpdate reports why the links of a group have to be made again
// (alternative_needs_update).
func (u *update) needsUpdate(g *linkGroup) updateReason {
	if u.linkNeedsUpdate(g.link, path.Join(u.altDir, g.name), true) {
		return linkBroken
	}
	c := g.get(u.current(g))
	if c == nil {
		return noUpdate
	}
	reason := noUpdate
	for _, s := range g.slaves {
		at, file := path.Join(u.altDir, s.name), c.slaves[s.name]
		if file == "" || !u.FS.Exists(file) {
			if classify(u.FS, s.link) != symlink && classify(u.FS, at) == missing {
				continue
			}
			if file != "" {
				return linkBroken
			}
			reason = slaveChanged
			continue
		}
		broken := linkBroken
		if s.updated {
			broken = slaveChanged
		}
		if to, err := u.FS.Readlink(at); err != nil || to != file || u.linkNeedsUpdate(s.link, at, true) {
			if broken == linkBroken {
				return linkBroken
			}
			reason = broken
		}
	}
	return reason
}

// removeLink removes a link and its counterpart in /etc/alternatives.
func (u *update) removeLink(link, name string) error {
	switch classify(u.FS, link) {
	case other:
		if !u.force {
			u.warn("not removing %s since it's not a symlink", link)
			break
		}
		fallthrough
	case symlink:
		if err := u.FS.Remove(link); err != nil {
			return err
		}
	}
	return u.FS.RemoveAll(path.Join(u.altDir, name))
}

// removeGroup removes all of a group (alternative_remove).
func (u *update) removeGroup(g *linkGroup) error {
	if err := u.removeLink(g.link, g.name); err != nil {
		return err
	}
	for _, s := range g.slaves {
		if err := u.removeLink(s.link, s.name); err != nil {
			return err
		}
	}
	return u.FS.RemoveAll(path.Join(u.adminDir, g.name))
}
