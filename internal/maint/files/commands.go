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
	"du": du, "truncate": truncate, "sync": sync, "dd": dd, "tar": tarCommand, "cpio": cpio, "run-parts": runParts, "savelog": savelog,
	"mountpoint": mountpoint, "mount": mount, "umount": umount, "findmnt": status(1), "ischroot": status(0),
	"pidof": status(1), "pgrep": status(1), "pkill": status(1), "ps": status(1), "fuser": status(1), "killall": killall,
	"start-stop-daemon": startStopDaemon, "systemd-detect-virt": detectVirt, "chattr": status(0), "lsattr": lsattr,
	"setcap": setcap, "getcap": getcap,
	"setfacl": unsupported("an access control list, which layers do not keep,"), "getfacl": unsupported("access control lists"),
	"df":     df,
	"mkfifo": unsupported("a named pipe, which an image cannot hold,"), "mknod": unsupported("a device or named pipe, which an image cannot hold,"),
}
