package dpkg

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Version is that of the dpkg whose behaviour this package has.
const Version = "1.22.22"

// System is what is installed and who wants to know of changes.
type System struct {
	Architecture string   // native, "amd64"
	Foreign      []string // further ones

	// Packages are all that are installed or going to be. The owner of the
	// installation changes their State as it goes.
	Packages []*Package

	// Trigger is told, unless nil, of each trigger that dpkg-trigger activates.
	Trigger func(context.Context, Activation) error
	// Divert is told, unless nil, of each diversion when it is made and removed,
	// before its file is renamed.
	Divert func(ctx context.Context, d Diversion, removed bool) error
}

// Package is what dpkg's database has of one package.
type Package struct {
	Name         string
	Version      string
	Architecture string           // "all" included
	Control      debian.Paragraph // of its control file
	Paths        []string         // as dpkg -L prints them: absolute, "/." first
	Conffiles    []Conffile
	ControlFiles map[string]string // text by name: "postinst", "md5sums", ...
	State        State
}

// Conffile is a configuration file as the package ships it (Debian Policy 10.7).
type Conffile struct {
	Path string // absolute
	MD5  string // 32 hex digits
}

// State is how far the installation of a package is (dpkg(1)).
type State int

// The states of a package, of which the zero value is not installed.
const (
	NotInstalled State = iota
	HalfInstalled
	Unpacked
	HalfConfigured
	TriggersAwaited
	TriggersPending
	Installed
)

var stateNames = []string{"not-installed", "half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending", "installed"}

// String returns the state's name in dpkg's database.
func (s State) String() string { return stateNames[s] }

// abbreviation is the letter for a state that dpkg -l has.
func (s State) abbreviation() byte { return "nHUFWti"[s] }

// Activation is a trigger that a script activates.
type Activation struct {
	Trigger string
	Package string // that activates it
	Await   bool   // whether that package waits for it to be processed
}

// Dpkg holds the state of the programs. It is not safe for use by several
// goroutines.
type Dpkg struct {
	sys        System
	diversions []Diversion
	overrides  map[string]Override // by path
	diverted   bool                // whether dpkg-divert ever changed anything
	overridden bool                // the same of dpkg-statoverride
}

// New returns the programs for a system.
func New(sys System) *Dpkg { return &Dpkg{sys: sys, overrides: map[string]Override{}} }

// Commands returns the programs by name.
func (d *Dpkg) Commands() map[string]shell.Command {
	return map[string]shell.Command{
		"dpkg":                    d.dpkg,
		"dpkg-query":              d.query,
		"dpkg-divert":             d.divert,
		"dpkg-statoverride":       d.statoverride,
		"dpkg-trigger":            d.trigger,
		"dpkg-maintscript-helper": d.maintscriptHelper,
		"dpkg-realpath":           realpath,
		"dpkg-architecture":       d.architecture,
		"dpkg-vendor":             vendor,
	}
}

// find returns the package that a name means, which may end in ":" and an
// architecture; nil where there is none.
func (d *Dpkg) find(spec string) *Package {
	name, arch, _ := strings.Cut(strings.ToLower(spec), ":")
	for _, p := range d.sys.Packages {
		if p.Name == name && (arch == "" || arch == p.Architecture || p.Architecture == "all" && arch == d.sys.Architecture) {
			return p
		}
	}
	return nil
}

// installed returns the packages that are at least unpacked in part, by name.
func (d *Dpkg) installed() []*Package {
	var all []*Package
	for _, p := range d.sys.Packages {
		if p.State != NotInstalled {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b *Package) int {
		return strings.Compare(a.Name+" "+a.Architecture, b.Name+" "+b.Architecture)
	})
	return all
}

// qualified is the package's name with its architecture where the name alone
// would not do (pkgbin_name with pnaw_nonambig in dpkg's source).
func (d *Dpkg) qualified(p *Package) string {
	if p.State == NotInstalled {
		return p.Name
	}
	foreign := p.Architecture != "all" && p.Architecture != "" && p.Architecture != d.sys.Architecture
	if p.Control.Get("Multi-Arch") == "same" || foreign {
		return p.Name + ":" + p.Architecture
	}
	return p.Name
}

func print(p *shell.Proc, text string) (int, error) {
	_, err := io.WriteString(p.Stdout, text)
	return 0, err
}

// fail is the error of dpkg's programs.
func fail(p *shell.Proc, format string, args ...any) (int, error) {
	fmt.Fprintf(p.Stderr, p.Args[0]+": error: "+format+"\n", args...)
	return 2, nil
}

func warn(p *shell.Proc, format string, args ...any) {
	fmt.Fprintf(p.Stderr, p.Args[0]+": warning: "+format+"\n", args...)
}

// option is one option of a call, with its value where it takes one.
type option struct{ name, value string }

// options splits the arguments of dpkg's programs into options and the rest.
// valued names the options that take a value, which are given without dashes;
// short ones may be bundled. All after the first other argument is the rest, as
// with dpkg_options_parse.
func options(args []string, valued ...string) (opts []option, rest []string, err error) {
	for len(args) > 0 {
		a := args[0]
		if a == "--" {
			return opts, args[1:], nil
		}
		if len(a) < 2 || a[0] != '-' {
			return opts, args, nil
		}
		args = args[1:]
		if strings.HasPrefix(a, "--") {
			name, value, joined := strings.Cut(a[2:], "=")
			if slices.Contains(valued, name) && !joined {
				if len(args) == 0 {
					return nil, nil, fmt.Errorf("--%s option takes a value", name)
				}
				value, args = args[0], args[1:]
			}
			opts = append(opts, option{name, value})
			continue
		}
		for i := 1; i < len(a); i++ {
			name := a[i : i+1]
			o := option{name: name}
			if slices.Contains(valued, name) {
				if o.value = strings.TrimPrefix(a[i+1:], "="); i+1 == len(a) {
					if len(args) == 0 {
						return nil, nil, fmt.Errorf("-%s option takes a value", name)
					}
					o.value, args = args[0], args[1:]
				}
				i = len(a)
			}
			opts = append(opts, o)
		}
	}
	return opts, nil, nil
}
