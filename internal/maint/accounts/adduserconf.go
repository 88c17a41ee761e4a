package accounts

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// adduserConf is adduser.conf(5), keys in upper case.
type adduserConf map[string]string

// adduserDefaults are what holds where the file says nothing.
var adduserDefaults = adduserConf{
	"DSHELL": "/bin/bash", "FIRST_SYSTEM_UID": "100", "LAST_SYSTEM_UID": "999", "FIRST_UID": "1000", "LAST_UID": "59999",
	"FIRST_SYSTEM_GID": "100", "LAST_SYSTEM_GID": "999", "FIRST_GID": "1000", "LAST_GID": "59999", "DHOME": "/home", "SKEL": "/etc/skel",
	"USERGROUPS": "yes", "USERS_GID": "", "USERS_GROUP": "", "GROUPHOMES": "no", "LETTERHOMES": "no", "QUOTAUSER": "", "DIR_MODE": "0700",
	"SYS_DIR_MODE": "0755", "SETGID_HOME": "no", "NO_DEL_PATHS": "", "NAME_REGEX": `^[a-zA-Z][a-zA-Z0-9_-]*\$?$`,
	"SYS_NAME_REGEX": `^[a-zA-Z_][a-zA-Z0-9_-]*\$?$`, "EXCLUDE_FSTYPES": "", "SKEL_IGNORE_REGEX": `\.(dpkg|ucf)-(old|new|dist)$`,
	"EXTRA_GROUPS": "users", "ADD_EXTRA_GROUPS": "0", "UID_POOL": "", "GID_POOL": "", "RESERVE_UID_POOL": "yes", "RESERVE_GID_POOL": "yes",
	"LOGGERPARMS": "", "STDOUTMSGLEVEL": "warn", "STDERRMSGLEVEL": "warn", "LOGMSGLEVEL": "info",
	"SYSTEM": "", "ONLY_IF_EMPTY": "", "REMOVE_HOME": "", "HOME": "", "REMOVE_ALL_FILES": "", "BACKUP": "", "BACKUP_TO": "", "BACKUP_SUFFIX": "",
}

var confLine = regexp.MustCompile(`^\s*([_a-zA-Z0-9]+)\s*=\s*([-a-zA-Z0-9_/.^$\][*?+|@\\":)(~,\s]*)`)

// readAdduserConf reads files of adduser.conf(5) over the defaults.
func readAdduserConf(f *rootfs.FS, names ...string) (conf adduserConf, warnings []string) {
	conf = adduserConf{}
	for key, value := range adduserDefaults {
		conf[key] = value
	}
	for _, name := range names {
		b, err := f.ReadFile(name)
		if err != nil {
			if n, err := f.Stat("/usr/sbin/adduser"); err == nil && n.Type == tree.File {
				warnings = append(warnings, "`"+name+"' does not exist. Using defaults.")
			}
			continue // the program may be there without its package
		}
		n := 0
		for line := range strings.Lines(string(b)) {
			n++
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
				continue
			}
			m := confLine.FindStringSubmatch(line)
			if m == nil {
				warnings = append(warnings, "Couldn't parse `"+name+"', line "+strconv.Itoa(n)+".")
				continue
			}
			key := strings.ToUpper(m[1])
			if _, known := conf[key]; !known {
				warnings = append(warnings, "Unknown variable `"+m[1]+"' at `"+name+"', line "+strconv.Itoa(n)+".")
				continue
			}
			conf[key] = unquoted(m[2])
		}
	}
	return conf, warnings
}

// unquoted takes quotes off that are around all of a value.
func unquoted(s string) string {
	for _, q := range []string{`"`, `'`} {
		if len(s) >= 2 && strings.HasPrefix(s, q) && strings.HasSuffix(s, q) {
			s = s[1 : len(s)-1]
		}
	}
	return s
}

func (c adduserConf) yes(key string) bool { return strings.Contains(strings.ToLower(c[key]), "yes") }

func (c adduserConf) number(key string) uint32 {
	n, _ := strconv.ParseUint(c[key], 10, 32) // what is no number is 0, as in perl
	return uint32(n)
}

func (c adduserConf) mode(key string) uint32 {
	n, _ := strconv.ParseUint(c[key], 8, 32)
	return uint32(n)
}
