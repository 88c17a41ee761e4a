package desktop

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

const (
	fontCache = "/var/cache/fontconfig"
	cacheTag  = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by fontconfig.
# For information about cache directory tags, see:
#       http://www.brynosaurus.com/cachedir/
`
)

// omitted tells that what a call makes is left out.
func (c Config) omitted(p *shell.Proc, why string) {
	if c.Omitted != nil {
		c.Omitted(strings.Join(p.Args, " "), why)
	}
}

// fcCache is fc-cache(1) without the caches, which hold the time of each directory
// and what FreeType says of each font. Fontconfig reads the fonts where they are
// missing, and writes them where it may.
func (c Config) fcCache(_ context.Context, call *getopt.Call) (int, error) {
	if call.Has("sysroot") || call.Has("version") || call.Has("help") || call.Has("error-on-no-fonts") {
		return 0, shell.Unsupported("%s", strings.Join(call.Args, " "))
	}
	c.omitted(call.Proc, "fontconfig reads the fonts without a cache")
	if err := call.FS.MkdirAll(fontCache, 0o755); err != nil {
		return call.Fail(err)
	}
	if err := call.FS.WriteFile(fontCache+"/CACHEDIR.TAG", []byte(cacheTag), 0o644&^call.Umask); err != nil {
		return call.Fail(err)
	}
	if call.Has("verbose") {
		_, err := call.Stdout.Write([]byte("fc-cache: succeeded\n"))
		return 0, err
	}
	return 0, nil
}

// mandb is mandb(8), whose index of manual pages has the time of each of them.
func (c Config) mandb(_ context.Context, p *shell.Proc) (int, error) {
	c.omitted(p, "man reads the pages without an index, and its timer makes one")
	return 0, nil
}

// asUser is setpriv(1) and runuser(1) in front of mandb, which is what man-db calls
// them for. Another program might make files, which would be root's here.
func asUser(ctx context.Context, p *shell.Proc) (int, error) {
	i := slices.Index(p.Args, "--")
	if i < 0 || i+1 >= len(p.Args) || path.Base(p.Args[i+1]) != "mandb" {
		return 0, shell.Unsupported("%s: to run as another user", strings.Join(p.Args, " "))
	}
	return p.Run(ctx, p.Args[i+1:]...)
}
