package files

import (
	"maps"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Commands returns the commands of this package by name.
func Commands() map[string]shell.Command { return maps.Clone(commands) }

var commands = map[string]shell.Command{
	"chgrp": chgrp, "find": find, "ls": ls, "chmod": chmod, "chown": chown, "cp": cp, "install": install, "link": link, "ln": ln,
	"mkdir": mkdir, "mktemp": mktemp, "mv": mv, "readlink": readlink, "realpath": realpath, "rm": rm, "rmdir": rmdir, "stat": stat,
	"tempfile": tempfile, "touch": touch, "unlink": unlink,
	"mkfifo": unsupportedNode("named pipes"), "mknod": unsupportedNode("devices and named pipes"),
}
