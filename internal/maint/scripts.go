package maint

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/alternatives"
	"github.com/hardpan/hardpan/internal/maint/script"
)

// scriptArgs is how dpkg calls the scripts of a package that was never
// installed (Debian Policy 6.5).
var scriptArgs = map[string][]string{
	"preinst":  {"install"},
	"postinst": {"configure", ""},
}

// readScripts reads every script that runs in a fresh installation, against the
// tree as it is before any of them ran.
func readScripts(img *Image) (map[string][]script.Call, []Skip) {
	calls := map[string][]script.Call{}
	var broken []Skip
	for _, p := range img.Packages {
		for _, name := range []string{"preinst", "postinst"} {
			text := p.Scripts[name]
			if text == "" {
				continue
			}
			got, err := script.Calls(name, text, script.Context{
				Args: scriptArgs[name],
				Arch: img.Architecture,
				Tree: img.Tree,
				Vars: map[string]string{
					"DPKG_MAINTSCRIPT_PACKAGE": p.Name, "DPKG_MAINTSCRIPT_ARCH": p.Architecture, "DPKG_MAINTSCRIPT_NAME": name,
				},
			})
			if err != nil {
				broken = append(broken, Skip{Package: p.Name, Script: name, Command: err.Error()})
				continue
			}
			calls[p.Name+" "+name] = got
		}
	}
	return calls, broken
}

// each calls fn with every call of the given commands in the scripts of all
// packages, in the order of configuration.
func (img *Image) each(fn func(p *Package, name string, c script.Call) error, commands ...string) error {
	for i := range img.Packages {
		p := &img.Packages[i]
		for _, name := range []string{"preinst", "postinst"} {
			for _, c := range img.calls[p.Name+" "+name] {
				if !slices.Contains(commands, c.Name()) {
					continue
				}
				if err := fn(p, name, c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// skipped returns the first command of each script whose effect is not known.
func skipped(img *Image) []Skip {
	var skips []Skip
	for i := range img.Packages {
		p := &img.Packages[i]
		covered := coveredBy(p)
		for _, name := range []string{"preinst", "postinst"} {
			calls := img.calls[p.Name+" "+name]
			j := slices.IndexFunc(calls, func(c script.Call) bool {
				return !slices.Contains(covered, c.Name()) && !img.harmless(c) && !handled(c)
			})
			if j >= 0 {
				skips = append(skips, Skip{Package: p.Name, Script: name, Line: calls[j].Line, Command: calls[j].String()})
			}
		}
	}
	return skips
}

// coveredBy returns the commands that the table's row for a package stands for.
func coveredBy(p *Package) []string {
	for _, row := range table {
		if row.matches(p.Name) {
			return row.covers
		}
	}
	for _, c := range otherCovers {
		if matchName(c.packages, p.Name) {
			return c.commands
		}
	}
	return nil
}

// noEffect lists the commands that change nothing in an image: they print, ask,
// start services, compile what Python compiles anyway, or tidy up after older
// versions.
var noEffect = strings.Fields(`
	awk basename cat cmp cut date db_beginblock db_capb db_endblock db_fget db_fset db_get db_go db_input db_metaget
	db_purge db_register db_reset db_set db_settitle db_stop db_subst db_title db_unregister db_version
	deb-systemd-helper deb-systemd-invoke dirname dpkg dpkg-maintscript-helper dpkg-query dpkg-realpath dpkg-trigger
	dpkg-vendor egrep expr fgrep file getcap getent grep gawk head id initctl insserv
	invoke-rc.d ischroot ldconfig ls md5sum mountpoint nproc nscd pidof printenv ps py3clean py3compile
	py3versions pycompile pypy3clean pypy3compile readlink realpath restorecon runlevel seq service
	sha1sum sha256sum sleep sort ss stat stty sync systemctl systemd-notify sysctl tac tail tr tty udevadm uname uniq
	update-binfmts update-initramfs update-menus update-rc.d wc who whoami
	add-shell update-shells update-ca-certificates
`)

// harmless reports whether a call leaves the image as it is.
func (img *Image) harmless(c script.Call) bool {
	name := c.Name()
	if slices.Contains(noEffect, name) {
		return true
	}
	switch name {
	case "sed":
		return !slices.ContainsFunc(c.Args, func(a string) bool { return strings.HasPrefix(a, "-i") || strings.HasPrefix(a, "--in-place") })
	case "find":
		return !slices.ContainsFunc(c.Args, func(a string) bool { return a == "-delete" || strings.HasPrefix(a, "-exec") })
	case "update-alternatives":
		return c.Known && !slices.Contains(c.Args, "--install")
	case "dpkg-divert", "dpkg-statoverride":
		if slices.ContainsFunc(c.Args, func(a string) bool {
			return a == "--remove" || a == "--list" || a == "--listpackage" || a == "--truename" || strings.HasSuffix(a, ".usr-is-merged")
		}) {
			return true // nothing was diverted before; and the diversions of merged /usr protect links from old packages
		}
	case "rm", "rmdir":
		return c.Known && !slices.ContainsFunc(operands(c), img.hasLink)
	case "mkdir":
		return c.Known && !slices.ContainsFunc(operands(c), func(p string) bool { return !img.has(p) })
	case ">":
		return c.Known && (strings.HasPrefix(c.Args[1], "/dev/") || strings.HasPrefix(c.Args[1], "/proc/"))
	case ".":
		return c.Known && len(c.Args) > 1 && slices.Contains(emptyScripts, c.Args[1])
	}
	return false
}

// emptyScripts are scripts that only define functions.
var emptyScripts = []string{"/usr/share/dpkg/sh/dpkg-error.sh", "/lib/lsb/init-functions"}

func operands(c script.Call) []string {
	return slices.DeleteFunc(slices.Clone(c.Args[1:]), func(a string) bool { return strings.HasPrefix(a, "-") })
}

// handled reports whether one of the steps that serve every package gives the
// call effect.
func handled(c script.Call) bool {
	// An account is mostly made under the condition that there is none, which is
	// so in a new system.
	uncertain := !c.Certain && !strings.HasPrefix(c.Name(), "add") && !strings.HasSuffix(c.Name(), "add")
	if !c.Known || uncertain {
		return false
	}
	switch c.Name() {
	case "update-alternatives":
		_, err := alternatives.Parse(c.Args[1:])
		return err == nil
	case "dpkg-statoverride":
		_, err := parseOverride(c.Args)
		return err == nil
	case "systemd-sysusers":
		return len(sysusersFiles(c)) > 0
	case "adduser", "addgroup", "useradd", "groupadd", "usermod":
		if _, _, ok := accounts.Membership(c.Args); ok {
			return true
		}
		s, ok, err := accounts.Adduser(c.Args)
		makesHome := c.Name() == "adduser" && s.Home != "" && s.Home != "/nonexistent" && !slices.Contains(c.Args, "--no-create-home")
		return ok && err == nil && !makesHome
	}
	return false
}
