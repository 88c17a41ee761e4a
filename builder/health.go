package builder

import (
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/probe"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// probes reports whether the image carries the health probe: where its health check
// names no command.
func (b *build) probes() bool {
	h := b.spec.Healthcheck
	return h != nil && (h.HTTP != "" || h.TCP != "")
}

// healthCommand returns the command of the health check, nil where there is none.
func (b *build) healthCommand() []string {
	h := b.spec.Healthcheck
	switch {
	case h == nil:
		return nil
	case h.HTTP != "":
		return probe.HTTP(h.HTTP, time.Duration(h.Timeout))
	case h.TCP != "":
		return probe.TCP(h.TCP, time.Duration(h.Timeout))
	}
	return h.Command
}

// addProbe puts the health probe into the tree where the health check asks for it.
func (b *build) addProbe(t *tree.Tree, arch string) error {
	if !b.probes() {
		return nil
	}
	binary, err := probe.Binary(arch)
	if err == nil {
		n := &tree.Node{Path: probe.Path, Mode: 0o755, ModTime: b.epoch.Unix(), Origin: &tree.Origin{
			Kind: tree.FromBuilder, Command: "health probe " + probe.Name + " " + probe.Version, Spec: b.specOrigin("healthcheck").Spec,
		}}
		setContent(n, binary)
		if old := t.Lookup(n.Path); old != nil && old.SHA256 == n.SHA256 {
			return nil // a base image has it
		}
		err = t.Add(n)
	}
	if err != nil {
		return b.specError([]any{"healthcheck"}, fmt.Errorf("cannot add the health probe: %w", err))
	}
	return nil
}

// components returns what of the tree is a program of hardpan's own.
func (b *build) components(t *tree.Tree) []record.Component {
	n := t.Lookup(probe.Path)
	if !b.probes() || n == nil {
		return nil
	}
	return []record.Component{{Name: probe.Name, Version: probe.Version, Licence: probe.Licence, Path: n.Path, SHA256: n.SHA256}}
}

// probeKey returns what the result of a build depends on of the health probe.
func (b *build) probeKey() (string, error) {
	if !b.probes() {
		return "", nil
	}
	key := probe.Version + " " + b.specOrigin("healthcheck").Spec
	for _, p := range b.spec.Platforms {
		binary, err := probe.Binary(p.DebianArch())
		if err != nil {
			return "", b.specError([]any{"healthcheck"}, fmt.Errorf("%s: %w", p, err))
		}
		key += fmt.Sprintf(" %x", sha256.Sum256(binary))
	}
	return key, nil
}

// healthRole is what messages call the command of a health check.
const healthRole = "the command of the health check"

// checkHealth refuses a health check that the image's user cannot run: without its
// program, an interpreter or a library, or without the right to use them. It returns a
// warning where that right comes with a group that not all runtimes give.
func (b *build) checkHealth(t *tree.Tree, p specs.Platform, o closure.Options) (warnings []string, err error) {
	args := b.healthCommand()
	if len(args) == 0 {
		return nil, nil
	}
	user, err := b.user(t)
	if err != nil {
		return nil, err
	}
	cmd := closure.Command{Args: args, Role: healthRole, User: user}
	problems, err := closure.CheckCommand(t, p.DebianArch(), cmd, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	var errs Errors
	for _, problem := range problems {
		if problem.Severity == closure.Warning {
			warnings = append(warnings, problem.Error())
			continue
		}
		errs = append(errs, b.specError([]any{"healthcheck", "command"}, fmt.Errorf("%s: %w", p, healthError{problem})))
	}
	if len(errs) > 0 {
		return nil, errs
	}
	if len(user.Groups) > 0 {
		cmd.User.Groups = nil
		if problems, err = closure.CheckCommand(t, p.DebianArch(), cmd, o); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for _, problem := range problems {
			if problem.Severity == closure.Error {
				warnings = append(warnings, problem.Error()+", unless the runtime gives it the further groups of /etc/group")
			}
		}
	}
	return warnings, nil
}

// user returns who the image's processes run as.
func (b *build) user(t *tree.Tree) (closure.User, error) {
	uid, gid, err := b.spec.Accounts.Resolve()
	if err != nil {
		return closure.User{}, b.specError([]any{"accounts", "run-as"}, err)
	}
	file, err := accounts.Read(t)
	if err != nil {
		return closure.User{}, fmt.Errorf("cannot read the accounts of the image: %w", err)
	}
	return closure.User{UID: uint32(uid), GID: uint32(gid), Groups: file.FurtherGroups(uint32(uid), uint32(gid))}, nil
}

// healthError is a problem of a health check with what to do about it.
type healthError struct{ *closure.Problem }

// Unwrap returns the problem.
func (e healthError) Unwrap() error { return e.Problem }

// Hint returns what to do.
func (e healthError) Hint() string {
	const probe = "write http or tcp, for which hardpan adds a probe"
	isShell := slices.Contains([]string{"sh", "bash", "dash", "ash", "busybox"}, path.Base(e.Missing()))
	switch hint := e.Problem.Hint(); {
	case hint != "":
		return hint
	case isShell:
		return "the image has no shell: write a program of the image and its arguments, or " + probe
	case e.Absent():
		return "add the package that has it, or " + probe
	}
	return ""
}
