package maint

import (
	"context"
	_ "embed" // essential.txt
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/alternatives"
	"github.com/hardpan/hardpan/internal/maint/apache"
	"github.com/hardpan/hardpan/internal/maint/debconf"
	"github.com/hardpan/hardpan/internal/maint/desktop"
	"github.com/hardpan/hardpan/internal/maint/dictionaries"
	"github.com/hardpan/hardpan/internal/maint/dpkg"
	"github.com/hardpan/hardpan/internal/maint/files"
	"github.com/hardpan/hardpan/internal/maint/generate"
	"github.com/hardpan/hardpan/internal/maint/glib"
	"github.com/hardpan/hardpan/internal/maint/haskell"
	"github.com/hardpan/hardpan/internal/maint/pam"
	"github.com/hardpan/hardpan/internal/maint/services"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/text"
	"github.com/hardpan/hardpan/internal/maint/ucf"

	"github.com/hardpan/hardpan/internal/tree"
)

// tools are the programs that scripts call.
type tools struct {
	commands map[string]shell.Command
	dpkg     *dpkg.Dpkg
	packages []*dpkg.Package // by index of the image's

	diverted   map[string]Diversion
	diversions []Diversion
	before     []Diversion     // that a base image had
	absent     map[string]bool // names of commands of packages that are not in the image
}

func newTools(in *Installation) (*tools, error) {
	t := &tools{commands: map[string]shell.Command{}, diverted: map[string]Diversion{}, absent: absent(in.img)}
	for i, p := range in.img.all() {
		control, err := debian.NewControlReader(strings.NewReader(p.Control)).Next()
		if err != nil {
			return nil, err
		}
		dp := &dpkg.Package{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Control: control, ControlFiles: p.Scripts}
		for _, name := range slices.Sorted(maps.Keys(p.Conffiles)) {
			dp.Conffiles = append(dp.Conffiles, dpkg.Conffile{Path: name, MD5: p.Conffiles[name]})
		}
		if i >= len(in.img.Packages) {
			dp.State, dp.Paths = dpkg.Installed, append([]string{"/."}, p.Files()...)
		}
		t.packages = append(t.packages, dp)
	}
	t.dpkg = dpkg.New(dpkg.System{
		Architecture: in.img.Architecture, Packages: t.packages,
		Trigger: func(_ context.Context, a dpkg.Activation) error { in.asked(a); return nil },
		Divert:  t.divert,
	})
	if err := t.takeOver(in.img.Tree); err != nil {
		return nil, err
	}
	config := generate.Config{Architecture: in.img.Architecture, Graphviz: in.img.version("libgvc6"), Omitted: in.omitted}
	if libc := in.img.Package("libc6"); libc != nil {
		config.Libc = libc.Version
	}
	if udev := in.img.Package("udev"); udev != nil {
		config.Systemd = udev.Version
	}
	questions := debconf.New()
	questions.Perl = func(p *shell.Proc, script string) (bool, error) { return dictionaries.Config(p, questions.Ask, script) }
	for _, p := range in.img.Packages {
		if err := questions.Add(debconf.Package{Name: p.Name, Templates: p.Templates, Config: p.Scripts["config"], Answers: in.img.answersTo(&p)}); err != nil {
			return nil, err
		}
	}
	ghc := haskell.Config{Architecture: in.img.Architecture, Version: in.img.version("ghc"), Omitted: in.omitted}
	for _, set := range []map[string]shell.Command{
		accounts.Commands(), text.Commands(), files.Commands(), t.dpkg.Commands(), alternatives.Commands(), ucf.Commands(),
		services.Commands(), apache.Commands(), generate.Commands(config), desktop.Commands(desktop.Config{Version: in.img.version, Omitted: in.omitted}), glib.Commands(), pam.Commands(), languageCommands(), questions.Commands(), dictionaries.Commands(questions.Ask), haskell.Commands(ghc),
	} {
		maps.Copy(t.commands, set)
	}
	for name, do := range t.commands {
		t.commands[name] = in.guarded(do)
	}
	return t, nil
}

// version returns the version of a package, "" where the image does not have it.
func (img *Image) version(pkg string) string {
	if p := img.Package(pkg); p != nil {
		return p.Version
	}
	return ""
}

// answersTo returns the answers to the questions of a package.
func (img *Image) answersTo(p *Package) map[string]string {
	answers := map[string]string{}
	for line := range strings.Lines(p.Templates) {
		if name, ok := strings.CutPrefix(line, "Template:"); ok {
			name = strings.TrimSpace(name)
			if v, ok := img.Answers[name]; ok {
				answers[name] = v
			}
		}
	}
	return answers
}

// divert notes a diversion, for the files that are unpacked from then on.
func (t *tools) divert(_ context.Context, d dpkg.Diversion, removed bool) error {
	from, to := debian.MergedUsr(tree.Clean(d.From), false), debian.MergedUsr(tree.Clean(d.To), false)
	if removed {
		delete(t.diverted, from)
		return nil
	}
	t.diverted[from] = Diversion{Package: d.Package, From: from, To: to}
	t.diversions = append(t.diversions, t.diverted[from])
	return nil
}

// takeOver reads the diversions and overrides that a base image has.
func (t *tools) takeOver(in *tree.Tree) error {
	files := map[string][]byte{}
	for _, name := range []string{dpkg.DiversionsPath, dpkg.OverridesPath, "etc/passwd", "etc/group"} {
		b, err := in.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot take over the package database of the base image: %w", err)
		}
		files[name] = b
	}
	if err := t.dpkg.TakeOver(files); err != nil {
		return fmt.Errorf("cannot take over the package database of the base image: %w", err)
	}
	for _, d := range t.dpkg.Diversions() {
		from := debian.MergedUsr(tree.Clean(d.From), false)
		t.diverted[from] = Diversion{Package: d.Package, From: from, To: debian.MergedUsr(tree.Clean(d.To), false)}
		t.before = append(t.before, t.diverted[from])
	}
	return nil
}

// state notes how far the installation of a package is.
func (t *tools) state(i int, s dpkg.State, files func() []string) {
	t.packages[i].State = s
	if s == dpkg.Unpacked && files != nil {
		t.packages[i].Paths = append([]string{"/."}, files()...)
	}
}

// phantom says that a path counts as being there: the program of an essential
// package, which every script may count on from the first one on, or of one that was
// left out. One that was unpacked and is gone was removed: in bookworm dash takes
// /bin/sh away before it makes it anew.
func (t *tools) phantom(name string) bool {
	if name == "/usr/sbin/policy-rc.d" { // dpkg is kept from starting services while images are made
		return true
	}
	absent := t.absent[name]
	if dir, base := path.Split(name); !absent && t.absent[base] {
		dir = strings.TrimPrefix(dir, "/usr")
		absent = dir == "/bin/" || dir == "/sbin/"
	}
	return absent && !t.unpacked(name)
}

// unpacked reports whether a package that has been unpacked brought the path.
func (t *tools) unpacked(name string) bool {
	merged := "/" + debian.MergedUsr(strings.TrimPrefix(name, "/"), false)
	return slices.ContainsFunc(t.packages, func(p *dpkg.Package) bool { return slices.Contains(p.Paths, merged) })
}

// absent returns the commands, by name, and the files, by path, of packages that
// scripts count on and that the image does not have.
func absent(img *Image) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(essentialPrograms) {
		_, commands, _ := strings.Cut(line, ": ")
		for _, c := range strings.Fields(commands) {
			names[c] = true // they are there before anything is installed
		}
	}
	for pkg, commands := range scriptTools {
		if slices.Contains(img.LeftOut, pkg) && img.Package(pkg) == nil {
			for _, c := range strings.Fields(commands) {
				names[c] = true
			}
		}
	}
	return names
}

// essentialPrograms are the programs of essential packages, which scripts call without
// a dependency (Debian Policy 3.8), a line for each package.
//
//go:embed essential.txt
var essentialPrograms string

// scriptTools are the commands and files of packages that are there for scripts
// only.
var scriptTools = map[string]string{
	"debconf": `/usr/share/debconf/confmodule /usr/share/debconf/confmodule.sh debconf debconf-communicate debconf-copydb
		debconf-escape debconf-set-selections debconf-show`,
	"adduser": "adduser addgroup deluser delgroup", "ucf": "lcf ucf ucfr ucfq",
	"passwd": `useradd userdel usermod groupadd groupdel groupmod groupmems gpasswd passwd chpasswd chgpasswd chage chsh chfn
		newusers shadowconfig pwconv pwunconv grpconv grpunconv pwck grpck`,
	"install-info": "install-info ginstall-info update-info-dir", "update-inetd": "update-inetd", "iproute2": "ip ss",
	"systemd": "systemd-sysusers systemd-tmpfiles", "systemd-sysusers": "systemd-sysusers",
	"systemd-standalone-sysusers": "systemd-sysusers", "systemd-standalone-tmpfiles": "systemd-tmpfiles",
	"openssl": "openssl c_rehash", "sensible-utils": "sensible-editor sensible-pager", "perl-base": "", "dpkg": "",
}
