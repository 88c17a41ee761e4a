package generate

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Config is what the programs need to know of the image.
type Config struct {
	Architecture string // Debian's name
	Libc         string // version of libc6; "" where the image has none
	Systemd      string // version of udev, which is systemd's; "" where the image has none
	Graphviz     string // version of libgvc6; "" where the image has none
	// Omitted is told, unless nil, of each call whose effect is left out, with why.
	Omitted func(command, why string)
}

// Commands returns the programs by name.
func Commands(c Config) map[string]shell.Command {
	all := map[string]shell.Command{
		"update-ca-certificates":   updateCACertificates,
		"c_rehash":                 cRehash,
		"openssl":                  openssl,
		"paperconf":                paperconf,
		"java":                     java,
		"keytool":                  keytool,
		"ldconfig":                 c.ldconfig,
		"update-shells":            updateShells,
		"add-shell":                addShell,
		"remove-shell":             removeShell,
		"journalctl":               journalctl,
		"systemd-hwdb":             c.systemdHwdb,
		"update-locale":            updateLocale,
		"update-catalog":           updateCatalog,
		"update-xmlcatalog":        updateXMLCatalog,
		"update-mime":              updateMIME,
		"helpztags":                helpztags,
		"update-perl-sax-parsers":  updateSAXParsers,
		"libgvc6-config-update":    c.updateGraphviz,
		"pg_lsclusters":            pgListClusters,
		"pg_updatedicts":           pgUpdateDicts,
		"install-info":             installInfo,
		"ginstall-info":            installInfo,
		"update-binfmts":           updateBinfmts,
		"dbus-uuidgen":             machineID,
		"systemd-machine-id-setup": machineID,
	}
	all[emacsenLib+"/emacs-install"] = emacsInstall
	all[emacsenLib+"/emacs-package-install"] = emacsPackageInstall
	maps.Copy(all, keyCommands)
	maps.Copy(all, daemonCommands())
	for name, why := range omitted {
		all[name] = c.omit(why)
	}
	for name, status := range constant {
		all[name] = func(context.Context, *shell.Proc) (int, error) { return status, nil }
	}
	return all
}

// omitted are programs whose effect an image can do without, with why.
var omitted = map[string]string{
	"py3compile":       "byte code is made by Python when a module is imported",
	"pycompile":        "byte code is made by Python when a module is imported",
	"pypy3compile":     "byte code is made by PyPy when a module is imported",
	"py3clean":         "there is no byte code",
	"pyclean":          "there is no byte code",
	"pypy3clean":       "there is no byte code",
	"update-initramfs": "an image boots no kernel",
	"update-grub":      "an image boots no kernel",
	"update-menus":     "an image has no window manager",
}

func (c Config) omit(why string) shell.Command {
	return func(_ context.Context, p *shell.Proc) (int, error) {
		if c.Omitted != nil {
			c.Omitted(strings.Join(p.Args, " "), why)
		}
		return 0, nil
	}
}

// constant are programs that do nothing in a chroot, with their status: nothing
// runs, no kernel is to be told anything, no security module is there.
var constant = map[string]int{
	"udevadm": 0, "apparmor_parser": 0, "aa-enabled": 1, "aa-status": 1, "ischroot": 0, "restorecon": 0, "fixfiles": 0,
	"selinuxenabled": 1, "initctl": 1, "telinit": 0, "insserv": 0, "busctl": 1, "loginctl": 1, "dbus-send": 1, "modprobe": 1,
	"sysctl": 0, "setupcon": 0, "runlevel": 1, "start-stop-daemon": 0, "nscd": 0, "pidof": 1, "pgrep": 1, "pkill": 1, "killall": 1,
	"depmod": 0, "sync": 0,
}

// fail turns the error of a file operation into a status.
func fail(p *shell.Proc, err error) (int, error) {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Fail(err)
	}
	return 0, err
}

// from names what the present command makes its files of.
func from(p *shell.Proc, inputs ...string) {
	if p.FS.Origin == nil {
		return
	}
	o := *p.FS.Origin
	o.Inputs = inputs
	p.FS.Origin = &o
}

func isFile(p *shell.Proc, name string) bool {
	n, err := p.FS.Stat(name)
	return err == nil && n.Type == tree.File
}

// machineID is dbus-uuidgen(1) --ensure and systemd-machine-id-setup(1). A name of
// the machine has no place in an image: an empty file makes systemd give each
// container its own (machine-id(5)).
func machineID(_ context.Context, p *shell.Proc) (int, error) {
	if p.Args[0] == "dbus-uuidgen" {
		if len(p.Args) < 2 || !strings.HasPrefix(p.Args[1], "--ensure") {
			return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
		}
		return 0, nil
	}
	const at = "/etc/machine-id"
	if p.FS.Exists(at) {
		return 0, nil
	}
	if err := p.FS.WriteFile(at, nil, 0o444); err != nil {
		return fail(p, err)
	}
	return 0, nil
}
