package accounts

import (
	"maps"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Commands returns the commands of this package by name.
func Commands() map[string]shell.Command { return maps.Clone(commands) }

var commands map[string]shell.Command

func init() { // for adduser calls others of the table
	commands = map[string]shell.Command{
		"groupadd": groupadd, "groupdel": groupdel, "groupmod": groupmod, "gpasswd": gpasswd, "useradd": useradd,
		"usermod": usermod, "userdel": userdel, "passwd": passwd, "chage": chage, "chsh": chsh, "chfn": chfn,
		"chpasswd": chpasswd, "chgpasswd": chgpass, "pwconv": pwconv, "grpconv": grpconv, "pwunconv": pwunconv,
		"grpunconv": grpunconv, "shadowconfig": shadowconfig,
		"pwck": pwck, "grpck": grpck, "adduser": adduser, "addgroup": adduser, "deluser": deluser, "delgroup": deluser,
		"systemd-sysusers": sysusersCommand, "update-passwd": updatePasswd, "getent": getent, "id": id, "groups": groups, "whoami": whoami, "logname": logname,
		"su": su, "runuser": su,
		"users": nobody, "who": nobody, "w": nobody, "last": nobody, "lastlog": nobody,
	}
}
