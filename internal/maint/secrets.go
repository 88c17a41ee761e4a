package maint

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/generate"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Scripts make private keys, cookies and the like: host keys of an ssh server, the
// certificate that ssl-cert signs itself. Such a file belongs to one machine. In an
// image it would be the same for all who run it, and known to all who can pull it;
// nor could it be the same in two builds. While scripts run it is there without a
// content (see [rootfs.FS.Seal]); the finished image does not have it, and the
// report says so.

const isRandom = "each machine needs its own: it is random, and what is in an image is no secret"

// guarded returns a command after which the scripts end if it read what is random.
func (in *Installation) guarded(do shell.Command) shell.Command {
	return func(ctx context.Context, p *shell.Proc) (int, error) {
		status, err := do(ctx, p)
		if sealed := in.fs.Unsealed(); sealed != nil {
			return 0, shell.Unsupported("reading %s, which is random,", sealed.Path)
		}
		return status, err
	}
}

// dropSecrets takes the files that stand for something random out of the tree, with
// the links to them whose name is a hash of what they are. Other links stay: they
// say where a program looks for its key.
func (in *Installation) dropSecrets() error {
	secrets := in.fs.Sealed()
	if len(secrets) == 0 {
		return nil
	}
	gone := slices.Clone(secrets)
	for n := range in.img.Tree.All() {
		if n.Type == tree.Symlink && strings.HasPrefix(path.Base(n.Path), generate.UnknownHash) && in.fs.IsSealed("/"+n.Path) {
			gone = append(gone, "/"+n.Path)
		}
	}
	for _, name := range gone {
		if o := in.img.Tree.Lookup(strings.TrimPrefix(name, "/")).Origin; o != nil && o.Kind == tree.FromScript {
			script, _, _ := strings.Cut(o.Script, " ")
			in.report.Skipped = append(in.report.Skipped, Skip{Package: o.Package, Script: script, Command: name, Reason: isRandom})
		}
		if err := in.fs.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
