package builder

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// scriptsSystem is the name that the system in which scripts are run has in the lock,
// after that of the image's variant: no stage can have it.
const scriptsSystem = "@(scripts)"

// sandboxed returns the packages whose maintainer scripts the spec wants to be run and
// not interpreted, sorted.
func sandboxed(c *specs.Contents) []string {
	var names []string
	for name, how := range c.Scripts {
		if how == specs.ScriptsSandbox {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// effects is what the scripts of one package did when they were run.
type effects struct {
	copied
	Removed []string `json:"removed,omitempty"`
}

// runScripts installs packages by dpkg itself, in a sandbox, over a system that has the
// image's other packages and the essential ones, and does to the tree what that
// changed beside the packages' own files.
func (b *build) runScripts(ctx context.Context, p specs.Platform, t *tree.Tree, members []*member) error {
	names := sandboxed(&b.spec.Contents)
	if len(names) == 0 {
		return nil
	}
	for i, m := range installOrder(members, names) {
		var done effects
		key, err := b.scriptsKey(p, names, i)
		if err != nil {
			return err
		}
		if !b.store.Get("run-scripts", key, &done) || !done.stored(b.store) {
			if err := b.install(ctx, p, members, names, i, &done); err != nil {
				return b.specError([]any{"contents", "scripts", m.Name}, fmt.Errorf("cannot run the scripts of %s: %w", m.Name, err))
			}
			if err := b.store.Set("run-scripts", key, &done); err != nil {
				return err
			}
		}
		if err := b.applyEffects(t, m, &done); err != nil {
			return fmt.Errorf("effects of the scripts of %s: %w", m.Name, err)
		}
	}
	return nil
}

// installOrder returns the members of those names, in the order in which they are
// configured.
func installOrder(members []*member, names []string) []*member {
	var list []*member
	for _, m := range members {
		if slices.Contains(names, m.Name) {
			list = append(list, m)
		}
	}
	return list
}

// scriptsBuild returns the build of the system that scripts run in.
func (b *build) scriptsBuild() (*build, error) {
	name := b.system
	if !b.stage { // which has the essential packages anyway
		name += scriptsSystem
	}
	sub, err := b.systemBuild(b.spec.System(&specs.Stage{Contents: interpretedOnly(b.spec.Contents)}), name)
	if err == nil {
		sub.without = sandboxed(&b.spec.Contents)
	}
	return sub, err
}

// interpretedOnly returns contents without the packages' choice to run scripts.
func interpretedOnly(c specs.Contents) specs.Contents {
	scripts := map[string]string{}
	for name, how := range c.Scripts {
		if how == specs.ScriptsSkip {
			scripts[name] = how
		}
	}
	c.Scripts, c.Bytecode = scripts, false
	return c
}

// recordScripts returns the stage in which scripts of packages ran, if any.
func (b *build) recordScripts(p specs.Platform) []record.Stage {
	names := sandboxed(&b.spec.Contents)
	sub, err := b.scriptsBuild()
	if len(names) == 0 || err != nil { // which runScripts would have returned
		return nil
	}
	s := record.Stage{Name: strings.TrimPrefix(scriptsSystem, "@"), Platform: p.String(), Network: specs.NetworkNone}
	for _, m := range installOrder(b.members(p), names) {
		s.Run = append(s.Run, "dpkg --install "+path.Base(m.Path))
	}
	sub.without = nil
	for _, m := range sub.members(p) {
		s.Packages = append(s.Packages, *m.Package)
	}
	return []record.Stage{s}
}

// scriptsKey returns the text that the effects of the first packages depend on.
func (b *build) scriptsKey(p specs.Platform, names []string, last int) (string, error) {
	sub, err := b.scriptsBuild()
	if err != nil {
		return "", err
	}
	key, err := sub.systemKey(p)
	if err != nil {
		return "", err
	}
	var debs []string
	sub.without = nil
	for _, m := range installOrder(sub.members(p), names) {
		debs = append(debs, m.SHA256)
	}
	if last >= len(debs) {
		return "", errors.New("the lock has no packages to run scripts in: a fault of hardpan")
	}
	answers, err := json.Marshal(b.spec.Contents.Answers)
	return strings.Join(append([]string{key, string(answers)}, debs[:last+1]...), "\x00"), err
}

// install installs the packages up to the given one, and takes what that one did.
func (b *build) install(ctx context.Context, p specs.Platform, members []*member, names []string, last int, done *effects) error {
	space, err := b.space()
	if err != nil {
		return err
	}
	sub, err := b.scriptsBuild()
	if err != nil {
		return err
	}
	sys, err := sub.systemFor(ctx, p)
	if err != nil {
		return err
	}
	if err := sys.unpack(ctx, space); err != nil {
		return err
	}
	on := []string{sys.key()}
	for i, m := range installOrder(members, names)[:last+1] {
		key, err := b.scriptsKey(p, names, i)
		if err != nil {
			return err
		}
		inputs, installed := string(store.DigestOf([]byte("deb "+key))), string(store.DigestOf([]byte("installed "+key)))
		on = append(on, inputs, installed)
		if space.Has(installed) && space.Has(inputs) {
			continue
		}
		if err := space.Add(ctx, inputs, on[:len(on)-2], func(w *tar.Writer) error { return b.addDeb(w, m) }); err != nil {
			return err
		}
		out := &stepOutput{tell: func(string) {}}
		res, err := space.Run(ctx, sandbox.Step{
			On: on[:len(on)-1], Keep: installed, Args: []string{"/usr/bin/dpkg", "--force-depends", "--force-confnew", "--install", debFile},
			Env:  []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", b.epoch.Unix())},
			Arch: p.DebianArch(), Clock: b.epoch, Stdout: out, Stderr: out,
		})
		out.flush()
		if err != nil {
			return err
		}
		if res.ExitCode != 0 || res.Exceeded != "" {
			return &stepError{fmt.Sprintf("dpkg exited with %d: %s", res.ExitCode, out.last()), res.Hint()}
		}
	}
	return b.takeEffects(ctx, space, on, installOrder(members, names)[last], done)
}

// debFile is where the package lies that is installed, and policyFile what keeps its
// scripts from starting services (invoke-rc.d(8)).
const (
	debFile    = "/tmp/hardpan.deb"
	policyFile = "usr/sbin/policy-rc.d"
)

func (b *build) addDeb(w *tar.Writer, m *member) error {
	digest, err := store.FromHex(m.SHA256)
	if err != nil {
		return err
	}
	policy := "#!/bin/sh\nexit 101\n"
	if err := w.WriteHeader(&tar.Header{Name: policyFile, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(policy)), ModTime: b.epoch}); err != nil {
		return err
	}
	if _, err := io.WriteString(w, policy); err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: debFile[1:], Typeflag: tar.TypeReg, Mode: 0o644, Size: m.Size, ModTime: b.epoch}); err != nil {
		return err
	}
	return copyInto(w, func() (io.ReadCloser, error) { return b.store.Open(digest) })
}

// notEffects are patterns of what dpkg keeps for itself.
var notEffects = []string{"var/lib/dpkg/", "var/cache/", "var/log/", "tmp/", "run/", policyFile,
	"etc/ld.so.cache"} // of a system with more libraries

// takeEffects takes what the last snapshot changed beside the package's own files.
func (b *build) takeEffects(ctx context.Context, space *sandbox.Space, on []string, m *member, done *effects) error {
	changes, err := space.Changes(ctx, on[len(on)-1])
	if err != nil {
		return err
	}
	*done = effects{}
	own := map[string]*entry{} // what the policy left out is no effect either
	for i := range m.files.Entries {
		own[m.files.Entries[i].Path] = &m.files.Entries[i]
	}
	policy, err := b.policy()
	if err != nil {
		return err
	}
	stripped := map[string]bool{}
	for _, s := range m.files.Stripped {
		stripped[s.Path] = !s.Bits
	}
	var paths []string
	for _, c := range changes {
		name := strings.TrimPrefix(c.Path, "/")
		if slices.ContainsFunc(notEffects, func(p string) bool { return strings.HasPrefix(name+"/", p) || name == p }) {
			continue
		}
		switch was := own[name]; {
		case stripped[name]:
		case c.Removed:
			done.Removed = append(done.Removed, name)
		case c.Type.IsDir():
			if was == nil && policy.Drop(name) == nil || was != nil && (was.Mode != tarMode(c) || was.UID != c.UID || was.GID != c.GID) {
				done.Entries = append(done.Entries, copiedEntry{entry: entry{Path: name, Type: tree.Dir, Mode: tarMode(c), UID: c.UID, GID: c.GID, Time: b.epoch.Unix()}})
			}
		default:
			paths = append(paths, name)
		}
	}
	pack, err := b.store.Create()
	if err != nil {
		return err
	}
	defer pack.Close()
	t := &taking{copied: &done.copied, pack: pack}
	if len(paths) > 0 {
		err = space.Export(ctx, on, paths, func(h *tar.Header, content io.Reader) error { return t.effect(b, h, content, own) })
	}
	if err != nil {
		return err
	}
	done.Pack, err = pack.Commit("")
	return err
}

// tarMode returns the permission bits of a change as a tar header has them.
func tarMode(c sandbox.Change) uint32 {
	mode := uint32(c.Mode.Perm())
	for bit, in := range map[fs.FileMode]uint32{fs.ModeSetuid: tree.SetUID, fs.ModeSetgid: tree.SetGID, fs.ModeSticky: tree.Sticky} {
		if c.Mode&bit != 0 {
			mode |= in
		}
	}
	return mode
}

// effect takes one path, unless it is as the package has it.
func (t *taking) effect(b *build, h *tar.Header, content io.Reader, own map[string]*entry) error {
	e := copiedEntry{entry: entry{
		Path: strings.Trim(h.Name, "/"), Mode: uint32(h.Mode) & 0o7777, UID: uint32(h.Uid), GID: uint32(h.Gid),
		Time: max(0, min(h.ModTime.Unix(), b.epoch.Unix())), Link: h.Linkname,
	}}
	switch h.Typeflag {
	case tar.TypeReg:
		if err := t.file(&e, h, content); err != nil {
			return err
		}
	case tar.TypeSymlink:
		e.Type, e.Mode = tree.Symlink, 0o777
	case tar.TypeLink:
		e.Type = tree.Hardlink
	default:
		return &copyError{fmt.Sprintf("/%s is a %s, which has no place in an image", e.Path, tarType(h.Typeflag)), ""}
	}
	if was := own[e.Path]; was != nil && was.SHA256 == e.SHA256 && was.Link == e.Link && was.Mode == e.Mode && was.UID == e.UID && was.GID == e.GID {
		return nil
	}
	t.Entries = append(t.Entries, e)
	return nil
}

// applyEffects does to the tree what scripts did in the sandbox.
func (b *build) applyEffects(t *tree.Tree, m *member, done *effects) error {
	origin := &tree.Origin{Kind: tree.FromScript, Package: m.Name, Version: m.Version, SHA256: m.SHA256, Script: "scripts", Command: "dpkg --install, in a sandbox"}
	for _, name := range done.Removed {
		if t.Lookup(name) != nil {
			t.Remove(name)
		}
	}
	for i := range done.Entries {
		e := &done.Entries[i]
		n := e.node(origin)
		n.Layered = false
		if n.Type == tree.File {
			n.Content = packContent{b.store, done.Pack, e.Offset, e.Size, e.SHA256}
		}
		if err := t.Set(n); err != nil {
			return err
		}
	}
	return nil
}
