package text

import (
	"maps"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Commands returns the commands of this package by name.
func Commands() map[string]shell.Command {
	commands := map[string]shell.Command{
		"cat": cat, "tac": tac, "rev": rev, "tee": tee, "wc": wc, "head": head, "tail": tail,
		"grep": grep, "egrep": grep, "fgrep": grep, "sed": runSed, "awk": runAwk, "mawk": runAwk, "gawk": runAwk, "nawk": runAwk, "original-awk": runAwk,
		"sort": sortCommand, "uniq": uniq, "cut": cut, "tr": tr, "cmp": cmpCommand,
		"basename": basename, "dirname": dirname, "expr": expr, "seq": seq,
		"xargs": xargs, "env": env, "printenv": printenv, "which": which,
		"date": date, "uname": uname, "arch": arch,
	}
	maps.Copy(commands, digestCommands())
	return commands
}

func digestCommands() map[string]shell.Command {
	commands := map[string]shell.Command{}
	for name, d := range digests {
		commands[name] = d.command
	}
	return commands
}
