package accounts

import (
	"context"
	"slices"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

var su = getopt.Command("c|command= C|session-command= l|login f|fast s|shell= m|p|preserve-environment P|pty T|no-pty g|group= G|supp-group= w|whitelist-environment= u|user= +", 1, runAs)

// runAs is su(1) and runuser(1): a command of another user, with that user's rights.
// No session is opened.
func runAs(ctx context.Context, c *getopt.Call) (int, error) {
	operands := c.Operands
	name, direct := c.Value("user"), false
	if name != "" {
		if c.Args[0] != "runuser" || len(operands) == 0 {
			return c.Errorf("no command was specified")
		}
		direct = true
	} else {
		login := len(operands) > 0 && operands[0] == "-"
		if login {
			operands = operands[1:]
		}
		if name = "root"; len(operands) > 0 {
			name, operands = operands[0], operands[1:]
		}
		// util-linux permutes: options may follow the name.
		rest, err := getopt.Parse(&shell.Proc{Args: append([]string{c.Args[0]}, operands...)}, "c|command= C|session-command= l|login s|shell= m|p|preserve-environment P|pty T|no-pty")
		if err != nil {
			return 1, err
		}
		c.Options, operands = append(c.Options, rest.Options...), rest.Operands
		if len(operands) > 0 && operands[0] == "-" {
			operands = operands[1:]
		}
	}
	for _, o := range []string{"supp-group", "whitelist-environment"} {
		if c.Has(o) {
			return 0, shell.Unsupported("%s: option --%s", c.Args[0], o)
		}
	}
	d := Names(c.FS)
	who, ok := d.User(name)
	if !ok {
		return c.Errorf("user %s does not exist or the user entry does not contain all the required fields", name)
	}
	as := rootfs.User{UID: who.UID, GID: who.GID}
	for _, g := range d.Groups {
		if slices.Contains(g.Members, who.Name) {
			as.Groups = append(as.Groups, g.GID)
		}
	}
	if g := c.Value("group"); g != "" {
		group, ok := d.Group(g)
		if !ok {
			return c.Errorf("group %s does not exist", g)
		}
		as.GID, as.Groups = group.GID, nil
	}
	args := operands
	if !direct {
		command := c.Value("command")
		if command == "" {
			command = c.Value("session-command")
		}
		if command == "" {
			return 0, shell.Unsupported("%s: a shell without a command", c.Args[0])
		}
		sh := c.Value("shell")
		if sh == "" {
			sh = who.Shell
		}
		if sh == "" {
			sh = "/bin/sh"
		}
		args = append([]string{"env", "HOME=" + who.Home, "SHELL=" + sh}, append(userNames(who), append([]string{sh, "-c", command}, operands...)...)...)
		if c.Has("preserve-environment") {
			args = append([]string{sh, "-c", command}, operands...)
		}
	}
	was := c.FS.User
	c.FS.User = as
	defer func() { c.FS.User = was }()
	return c.Run(ctx, args...)
}

// userNames are the variables that su sets for everyone but root.
func userNames(u User) []string {
	if u.UID == 0 {
		return nil
	}
	return []string{"USER=" + u.Name, "LOGNAME=" + u.Name}
}
