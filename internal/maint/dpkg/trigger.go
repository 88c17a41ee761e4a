package dpkg

import (
	"context"
	"errors"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// trigger is dpkg-trigger(1).
func (d *Dpkg) trigger(ctx context.Context, p *shell.Proc) (int, error) {
	opts, rest, err := options(p.Args[1:], "admindir", "root", "by-package")
	if err != nil {
		return fail(p, "%v", err)
	}
	a := Activation{Package: p.Getenv("DPKG_MAINTSCRIPT_PACKAGE"), Await: true}
	act := true
	for _, o := range opts {
		switch o.name {
		case "by-package":
			a.Package = o.value
		case "await", "no-await":
			a.Await = o.name == "await"
		case "check-supported":
			return 0, nil
		case "no-act":
			act = false
		case "admindir", "root":
			if o.value != "" && o.value != "/" && o.value != "/var/lib/dpkg" {
				return 0, shell.Unsupported("dpkg-trigger --%s=%s", o.name, o.value)
			}
		default:
			return fail(p, "unknown option %s", dashed(o.name))
		}
	}
	if len(rest) != 1 {
		return fail(p, "takes one argument, the trigger name")
	}
	if a.Package == "" {
		return fail(p, "must be called from a maintainer script (or with a --by-package option)")
	}
	if a.Package == "-" {
		a.Await = false
	}
	a.Trigger = rest[0]
	if err := checkTrigger(a.Trigger); err != nil {
		return fail(p, "invalid trigger name '%s': %v", a.Trigger, err)
	}
	if act && d.sys.Trigger != nil {
		return 0, d.sys.Trigger(ctx, a)
	}
	return 0, nil
}

// checkTrigger says what is wrong with the name of a trigger
// (trig_name_is_illegal).
func checkTrigger(name string) error {
	if name == "" {
		return errors.New("empty trigger names are not permitted")
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 127 {
			return errors.New("trigger name contains invalid character")
		}
	}
	return nil
}
