package text

import (
	"context"
	"maps"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Commands returns the commands of this package by name.
func Commands() map[string]shell.Command {
	commands := map[string]shell.Command{
		"cat": cat, "tac": tac, "rev": rev, "tee": tee, "wc": wc, "head": head, "tail": tail, "nl": nl,
		"grep": grep, "egrep": grep, "fgrep": grep, "rgrep": grep, "sed": runSed,
		"awk": runAwk, "mawk": runAwk, "gawk": runAwk, "nawk": runAwk, "original-awk": runAwk,
		"sort": sortCommand, "uniq": uniq, "comm": comm, "join": join, "tsort": tsort,
		"cut": cut, "paste": paste, "tr": tr, "fold": fold, "expand": expand, "unexpand": expand,
		"cmp": cmpCommand, "diff": diff, "expr": expr, "seq": seq, "numfmt": numfmt,
		"basename": basename, "dirname": dirname, "which": which, "which.debianutils": which,
		"xargs": xargs, "env": env, "printenv": printenv, "chroot": chroot, "sleep": sleep, "yes": yes,
		"cksum": cksum, "sum": sum, "od": od, "hexdump": hexdump, "hd": hexdump, "xxd": xxd, "strings": stringsCommand,
		"date": date, "uname": uname, "arch": arch, "nproc": nproc, "hostname": hostname,
		"getconf": getconf, "getopt": getopt, "locale": locale, "lsb_release": lsbRelease, "logger": logger, "tty": tty,
		"stty":  says("", "'standard input': Inappropriate ioctl for device", 1),
		"tput":  says("", "No value for $TERM and no -T specified", 2),
		"clear": says("", "TERM environment variable not set.", 1),
	}
	for name, d := range digests {
		commands[name] = d.command
	}
	for name, c := range textCodings {
		commands[name] = c.command
	}
	for name, r := range runners {
		commands[name] = r.command
	}
	for _, name := range []string{"shuf", "shred", "fmt", "pr", "ptx", "split", "csplit", "factor", "hostid", "basenc", "pathchk"} {
		commands[name] = unsupported
	}
	maps.Copy(commands, compressors())
	return commands
}

// unsupported stands for the commands that no script was seen to need, or that give
// another answer each time.
func unsupported(_ context.Context, p *shell.Proc) (int, error) {
	return 1, shell.Unsupported("the command %s", p.Args[0])
}
