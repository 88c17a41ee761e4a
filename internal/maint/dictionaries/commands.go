package dictionaries

import (
	"context"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Ask is a command of debconf's protocol: its code and its text
// (debconf-devel(7)).
type Ask func(p *shell.Proc, words ...string) (code int, text string)

// The directories of dictionaries-common.
const (
	infoDir     = "/var/lib/dictionaries-common"
	cacheDir    = "/var/cache/dictionaries-common"
	etcDir      = "/etc/dictionaries-common"
	hunspellDir = "/usr/share/hunspell"
)

// Commands returns the programs by name. The questions are those of debconf.
func Commands(ask Ask) map[string]shell.Command {
	return map[string]shell.Command{
		"update-default-wordlist":    func(ctx context.Context, p *shell.Proc) (int, error) { return updateDefault(ctx, p, ask, wordlist) },
		"update-default-ispell":      func(ctx context.Context, p *shell.Proc) (int, error) { return updateDefault(ctx, p, ask, ispell) },
		"update-dictcommon-hunspell": updateHunspell,
		"update-dictcommon-aspell":   updateAspell,
		"aspell-autobuildhash":       func(ctx context.Context, p *shell.Proc) (int, error) { return buildHashes(ctx, p, "aspell") },
		"ispell-autobuildhash":       func(ctx context.Context, p *shell.Proc) (int, error) { return buildHashes(ctx, p, "ispell") },
	}
}

// updateHunspell is update-dictcommon-hunspell(8).
func updateHunspell(_ context.Context, p *shell.Proc) (int, error) {
	s := &session{p: p}
	for _, do := range []func() error{func() error { return s.update("hunspell") }, s.emacsen, s.squirrelmail} {
		if err := do(); err != nil {
			return p.Fail(err)
		}
	}
	return 0, nil
}

// updateAspell is update-dictcommon-aspell(8).
func updateAspell(ctx context.Context, p *shell.Proc) (int, error) {
	s := &session{p: p}
	for _, do := range []func() error{func() error { return s.update("aspell") }, s.emacsen, s.squirrelmail, s.jed} {
		if err := do(); err != nil {
			return p.Fail(err)
		}
	}
	return p.Run(ctx, "aspell-autobuildhash")
}

// buildHashes is aspell-autobuildhash(8) and ispell-autobuildhash(8): without
// --triggered they ask for their trigger, and with it they have the checker make the
// hashes of the dictionaries that want it.
func buildHashes(ctx context.Context, p *shell.Proc, checker string) (int, error) {
	for _, a := range p.Args[1:] {
		if a != "--triggered" {
			return 0, shell.Unsupported("%s: option %s", p.Args[0], a)
		}
	}
	if len(p.Args) == 1 {
		if ok, err := activate(ctx, p, p.Args[0]); ok || err != nil {
			return 0, err
		}
	}
	there := p.Look(checker) != "" || checker == "ispell" && p.FS.Exists("/usr/share/ispell/ispell.compat")
	if !there {
		return 0, nil
	}
	wanting, err := glob(p, "/var/lib/"+checker, ".compat")
	if err != nil {
		return p.Fail(err)
	}
	if len(wanting) > 0 {
		return 0, shell.Unsupported("making the hash of a dictionary (%s), which takes running %s of the image,", wanting[0], checker)
	}
	return 0, nil
}

// activate asks for a trigger where a script of a package runs.
func activate(ctx context.Context, p *shell.Proc, trigger string) (bool, error) {
	if p.Getenv("DPKG_RUNNING_VERSION") == "" {
		return false, nil
	}
	status, err := p.Run(ctx, "dpkg-trigger", "--no-await", trigger)
	return status == 0, err
}
