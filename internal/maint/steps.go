package maint

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/alternatives"
	"github.com/hardpan/hardpan/internal/maint/script"
	"github.com/hardpan/hardpan/internal/tree"
)

// resolverStep gives an image with libc6 and without libc-bin the
// nsswitch.conf that glibc needs to look into /etc/hosts before it asks the
// network (nsswitch.conf(5)).
type resolverStep struct{}

const defaultNSSwitch = `passwd:         files
group:          files
shadow:         files
gshadow:        files

hosts:          files dns
networks:       files

protocols:      files
services:       files
ethers:         files
rpc:            files

netgroup:       files
`

func (resolverStep) Name() string { return "default /etc/nsswitch.conf" }

func (resolverStep) Applies(img *Image) bool {
	return img.Package("libc6") != nil && !img.has("etc/nsswitch.conf")
}

func (s resolverStep) Apply(_ context.Context, img *Image) error {
	return img.put(&tree.Node{
		Path: "etc/nsswitch.conf", Type: tree.File, Mode: 0o644, Content: tree.Bytes(defaultNSSwitch),
		Origin: &tree.Origin{Kind: tree.FromBuilder, Command: s.Name()},
	})
}

// nginxModules links the configuration of each nginx module into
// modules-enabled, as dh_nginx writes it into the modules' scripts.
type nginxModules struct{}

func (nginxModules) Name() string { return "libnginx-mod-* postinst: ln" }

func (nginxModules) Applies(img *Image) bool {
	return slices.ContainsFunc(img.Packages, func(p Package) bool { return strings.HasPrefix(p.Name, "libnginx-mod-") })
}

func (nginxModules) Apply(_ context.Context, img *Image) error {
	return img.each(func(p *Package, name string, c script.Call) error {
		args := operands(c)
		if !strings.HasPrefix(p.Name, "libnginx-mod-") || !c.Known || len(args) != 2 {
			return nil
		}
		if !strings.HasPrefix(args[1], "/etc/nginx/modules-enabled/") || !img.has(args[0]) {
			return nil
		}
		return img.put(&tree.Node{Path: tree.Clean(args[1]), Type: tree.Symlink, Mode: 0o777, Link: args[0], Origin: p.origin(name, c.String())})
	}, "ln")
}

// shellsStep makes /etc/shells as update-shells(8) of debianutils does, from
// the lists of the packages that have shells.
type shellsStep struct{}

const (
	shellsFile     = "etc/shells"
	shellsTemplate = "usr/share/debianutils/shells"
	shellsState    = "var/lib/shells.state"
)

func (shellsStep) Name() string { return "debianutils postinst: update-shells" }

func (shellsStep) Applies(img *Image) bool {
	return img.Package("debianutils") != nil && img.has(shellsTemplate)
}

func (shellsStep) Apply(_ context.Context, img *Image) error {
	lists := []string{shellsTemplate}
	for _, name := range img.Tree.ReadDir(shellsTemplate + ".d") {
		lists = append(lists, path.Join(shellsTemplate+".d", name))
	}
	var shells, inputs []string
	add := func(shell string) {
		if !slices.Contains(shells, shell) {
			shells = append(shells, shell)
		}
	}
	for _, l := range lists {
		b, err := img.Tree.ReadFile(l)
		if err != nil {
			return err
		}
		inputs = append(inputs, "/"+l)
		for line := range strings.Lines(string(b)) {
			shell, _, _ := strings.Cut(strings.TrimSpace(line), "#")
			if shell == "" {
				continue
			}
			add(shell)
			real, err := img.Tree.RealPath(shell)
			if err != nil {
				return err
			}
			add("/" + real)
		}
	}
	old := shellsTemplate
	if img.has(shellsFile) {
		old = shellsFile
	}
	b, err := img.Tree.ReadFile(old)
	if err != nil {
		return err
	}
	text := string(b)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for _, shell := range shells {
		if !slices.Contains(strings.Split(text, "\n"), shell) {
			text += shell + "\n"
		}
	}
	origin := img.Package("debianutils").origin("postinst", "update-shells", inputs...)
	if err := img.put(&tree.Node{Path: shellsFile, Type: tree.File, Mode: 0o644, Content: tree.Bytes(text), Origin: origin}); err != nil {
		return err
	}
	state := strings.Join(shells, "\n") + "\n"
	return img.put(&tree.Node{Path: shellsState, Type: tree.File, Mode: 0o644, Content: tree.Bytes(state), Origin: origin})
}

// alternativesStep makes the alternatives that any package's script installs
// with arguments that are constant, and those of the manual pages of PostgreSQL,
// whose names a function of postgresql-client-common gathers.
type alternativesStep struct{}

func (alternativesStep) Name() string { return "update-alternatives" }

func (alternativesStep) set(img *Image) (*alternatives.Set, error) {
	set := &alternatives.Set{}
	err := img.each(func(p *Package, name string, c script.Call) error {
		if !c.Known || !c.Certain {
			return nil // reported as skipped
		}
		if c.Name() == "configure_client_version" {
			if in := postgresManPages(img.Tree, p); in != nil {
				set.Add(in)
			}
			return nil
		}
		in, err := alternatives.Parse(c.Args[1:])
		if err != nil {
			return nil // reported as skipped too
		}
		if in != nil {
			in.Origin = p.origin(name, fmt.Sprintf("update-alternatives --install %s %s %s %d", in.Link, in.Name, in.Path, in.Priority))
			set.Add(in)
		}
		return nil
	}, "update-alternatives", "configure_client_version")
	return set, err
}

func (s alternativesStep) Applies(img *Image) bool {
	set, err := s.set(img)
	return err != nil || set.Len() > 0
}

func (s alternativesStep) Apply(_ context.Context, img *Image) error {
	set, err := s.set(img)
	if err != nil {
		return err
	}
	return set.Apply(img.Tree, img.put)
}

var postgresMan = regexp.MustCompile(`^usr/share/postgresql/([^/]+)/man/.*\.[1-9](\.gz)?$`)

// postgresManPages is _link_manpages of postgresql-common's
// maintscripts-functions, for a client package: psql.1.gz leads, all others of
// the version follow.
func postgresManPages(t *tree.Tree, p *Package) *alternatives.Install {
	const leader = "psql.1.gz"
	version := p.Name[strings.LastIndexByte(p.Name, '-')+1:]
	priority, err := strconv.Atoi(version + "0")
	if err != nil {
		return nil
	}
	base := "/usr/share/postgresql/" + version + "/man/man1/"
	in := &alternatives.Install{
		Link: "/usr/share/man/man1/" + leader, Name: leader, Path: base + leader, Priority: priority,
		Origin: p.origin("postinst", "configure_client_version "+version),
	}
	for n := range t.All() {
		m := postgresMan.FindStringSubmatch(n.Path)
		if m == nil || m[1] != version || strings.Contains(n.Path, leader) || n.Type == tree.Dir {
			continue
		}
		in.Slaves = append(in.Slaves, alternatives.Slave{
			Link: strings.Replace("/"+n.Path, "postgresql/"+version+"/man", "man", 1), Name: path.Base(n.Path), Path: "/" + n.Path,
		})
	}
	return in
}

// overridesStep gives paths the owner and mode that scripts ask for with
// "dpkg-statoverride --update --add".
type overridesStep struct{}

func (overridesStep) Name() string { return "dpkg-statoverride --add" }

type override struct {
	user, group, path string
	mode              uint32
}

// parseOverride reads the arguments of dpkg-statoverride.
func parseOverride(args []string) (override, error) {
	i := slices.Index(args, "--add")
	if i < 0 || len(args) < i+5 {
		return override{}, fmt.Errorf("%q: expected --add <user> <group> <mode> <path>", strings.Join(args, " "))
	}
	mode, err := strconv.ParseUint(args[i+3], 8, 32)
	if err != nil || mode > 0o7777 {
		return override{}, fmt.Errorf("dpkg-statoverride: mode %q, expected octal up to 7777", args[i+3])
	}
	return override{args[i+1], args[i+2], args[i+4], uint32(mode)}, nil
}

func (overridesStep) each(img *Image, fn func(*Package, string, override) error) error {
	return img.each(func(p *Package, name string, c script.Call) error {
		o, err := parseOverride(c.Args)
		if err != nil || !c.Known || !c.Certain || !slices.Contains(c.Args, "--update") {
			return nil
		}
		return fn(p, name, o)
	}, "dpkg-statoverride")
}

func (s overridesStep) Applies(img *Image) bool {
	found := false
	_ = s.each(img, func(*Package, string, override) error { found = true; return nil })
	return found
}

func (s overridesStep) Apply(_ context.Context, img *Image) error {
	known, err := Accounts(img)
	if err != nil {
		return err
	}
	return s.each(img, func(p *Package, name string, o override) error {
		n, err := img.Tree.Resolve(o.path)
		if err != nil {
			return nil // dpkg-statoverride notes it for a file that may come later
		}
		u, g := known.User(o.user), known.Group(o.group)
		if u == nil || g == nil {
			return fmt.Errorf("%s %s: dpkg-statoverride %s: no account %s:%s", p.Name, name, o.path, o.user, o.group)
		}
		c := *n
		c.UID, c.GID, c.Mode = u.UID, g.GID, o.mode
		c.Origin = p.origin(name, fmt.Sprintf("dpkg-statoverride %s %s %04o %s", o.user, o.group, o.mode, o.path), cmp.Or(inputOf(n), "/"+n.Path))
		if n.Origin != nil && n.Origin.Kind == tree.FromSpec {
			return nil
		}
		return img.Tree.Set(&c)
	})
}

// inputOf names what a node was before, for the origin of its new metadata.
func inputOf(n *tree.Node) string {
	if n.Origin == nil || n.Origin.Kind != tree.FromPackage {
		return ""
	}
	return n.Origin.Package + ":/" + n.Path
}
