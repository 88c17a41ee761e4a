package pam

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

const (
	profileDir  = "/usr/share/pam-configs"
	templateDir = "/usr/share/pam"
	confDir     = "/etc/pam.d"
	saveDir     = "/var/lib/pam"
)

// kinds are the files that are written, in order.
var kinds = []string{"auth", "account", "password", "session", "session-noninteractive"}

// Commands returns pam-auth-update(8).
func Commands() map[string]shell.Command {
	return map[string]shell.Command{"pam-auth-update": command}
}

// update is one call.
type update struct {
	*shell.Proc
	force                   bool
	remove, disable, enable []string
	profiles                map[string]profile
	sorted                  []string // names of the profiles, the most important first
	enabled                 []string
	diff                    *difference // from what was written last; nil where it is not understood
}

func command(_ context.Context, p *shell.Proc) (int, error) {
	u := &update{Proc: p}
	if err := u.parse(p.Args[1:]); err != nil {
		return 0, err
	}
	err := u.run()
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Fail(err)
	}
	return 0, err
}

func (u *update) parse(args []string) error {
	for len(args) > 0 {
		option := args[0]
		args = args[1:]
		names := func() (list []string) {
			for len(args) > 0 && !strings.HasPrefix(args[0], "--") {
				list, args = append(list, args[0]), args[1:]
			}
			return list
		}
		switch option {
		case "--force":
			u.force = true
		case "--package":
		case "--root":
			if len(args) > 0 {
				if args[0] != "" && args[0] != "/" {
					return shell.Unsupported("pam-auth-update --root %s", args[0])
				}
				args = args[1:]
			}
		case "--remove":
			u.remove = append(u.remove, names()...)
		case "--disable":
			u.disable = append(u.disable, names()...)
		case "--enable":
			u.enable = append(u.enable, names()...)
		}
	}
	return nil
}

func (u *update) run() error {
	if err := u.readProfiles(); err != nil {
		return err
	}
	var err error
	if u.diff, err = u.difference(); err != nil {
		return err
	}
	if u.diff != nil {
		u.enabled = slices.DeleteFunc(slices.Clone(u.diff.profiles), func(name string) bool { return slices.Contains(u.remove, name) })
	}
	u.choose()
	if u.diff == nil && !u.force {
		_, err := u.Stderr.Write([]byte("\npam-auth-update: Local modifications to /etc/pam.d/common-*, not updating.\npam-auth-update: Run pam-auth-update --force to override.\n\n"))
		return err
	}
	u.settleConflicts()
	if len(u.enabled) == 0 {
		return shell.Unsupported("pam-auth-update without any profile")
	}
	if err := u.FS.WriteFile(saveDir+"/seen", []byte(strings.Join(u.sorted, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return u.write()
}

// rank orders profiles by falling priority, then by falling name.
func (u *update) rank(a, b string) int {
	if d := u.profiles[b].priority - u.profiles[a].priority; d != 0 {
		return d
	}
	return strings.Compare(b, a)
}

func (u *update) readProfiles() error {
	names, err := u.FS.ReadDir(profileDir)
	if err != nil {
		return err
	}
	u.profiles = map[string]profile{}
	for _, name := range names {
		if strings.HasSuffix(name, "~") || len(name) > 2 && name[0] == '#' && name[len(name)-1] == '#' {
			continue
		}
		b, err := u.FS.ReadFile(profileDir + "/" + name)
		if err != nil {
			return err
		}
		if p := parseProfile(string(b)); !p.disabled {
			u.profiles[name] = p
		}
	}
	for name := range u.profiles {
		if !slices.Contains(u.remove, name) {
			u.sorted = append(u.sorted, name)
		}
	}
	slices.SortFunc(u.sorted, u.rank)
	return nil
}

// choose finds the profiles that are to be enabled: those that are, those asked
// for, and new ones that want to be by default.
func (u *update) choose() {
	seen := map[string]bool{}
	if b, err := u.FS.ReadFile(saveDir + "/seen"); err == nil {
		for line := range strings.Lines(string(b)) {
			seen[strings.TrimSuffix(line, "\n")] = true
		}
	}
	keep := func(name string) bool {
		_, ok := u.profiles[name]
		return ok && !slices.Contains(u.disable, name)
	}
	var enabled []string
	for _, name := range u.enabled {
		if keep(name) {
			enabled = append(enabled, name)
		}
	}
	for _, name := range u.sorted {
		if slices.Contains(u.enable, name) && keep(name) {
			enabled = append(enabled, name)
		}
	}
	for _, name := range u.disable {
		seen[name] = true
	}
	if len(enabled) == 0 {
		seen = map[string]bool{}
	}
	for _, name := range u.sorted {
		if u.profiles[name].fields["Default"] == "yes" && !seen[name] {
			enabled = append(enabled, name)
		}
	}
	slices.SortFunc(enabled, u.rank)
	u.enabled = slices.Compact(enabled)
}

// settleConflicts leaves the lower one out of two profiles that conflict.
func (u *update) settleConflicts() {
	for i := 0; i < len(u.enabled); i++ {
		for j := len(u.enabled) - 1; j >= 0; j-- {
			if slices.Contains(u.profiles[u.enabled[i]].conflicts, u.enabled[j]) {
				u.enabled = slices.Delete(u.enabled, j, j+1)
				if i >= len(u.enabled) {
					return
				}
			}
		}
	}
}
