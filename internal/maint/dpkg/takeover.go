package dpkg

import (
	"fmt"
	"strconv"
	"strings"
)

// TakeOver begins with the diversions and overrides of a system that is there already,
// by the files of its database, as [Dpkg.Files] has them, beside its etc/passwd and
// etc/group; missing ones have none. What this package does not write is left out: an
// override of the user of no account.
func (d *Dpkg) TakeOver(files map[string][]byte) error {
	// Three lines each: whence, whither, and by which package, ":" for a local one.
	lines := strings.Split(strings.TrimSuffix(string(files[DiversionsPath]), "\n"), "\n")
	for i := 0; i+2 < len(lines); i += 3 {
		pkg := lines[i+2]
		if pkg == ":" {
			pkg = ""
		}
		d.diversions = append(d.diversions, Diversion{Package: pkg, From: lines[i], To: lines[i+1]})
	}
	if rest := len(lines) % 3; rest != 0 && len(files[DiversionsPath]) > 0 {
		return fmt.Errorf("/%s has %d lines, expected three for each diversion", DiversionsPath, len(lines))
	}
	for line := range strings.Lines(string(files[OverridesPath])) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4) // user group mode path
		if len(f) != 4 {
			return fmt.Errorf("/%s: found %.80q, expected user, group, mode and path", OverridesPath, line)
		}
		mode, err := strconv.ParseUint(f[2], 8, 12)
		if err != nil {
			return fmt.Errorf("/%s: mode %.20q of %.200s: expected an octal number", OverridesPath, f[2], f[3])
		}
		uid, hasUser := idOf(f[0], files["etc/passwd"])
		gid, hasGroup := idOf(f[1], files["etc/group"])
		if hasUser && hasGroup {
			d.overrides[f[3]] = Override{Path: f[3], User: f[0], Group: f[1], UID: uid, GID: gid, Mode: uint32(mode)}
		}
	}
	return nil
}

// idOf returns the number of a user or group, which may be given as "#" and a number.
func idOf(name string, file []byte) (uint32, bool) {
	text, isNumber := strings.CutPrefix(name, "#")
	if !isNumber {
		text = ""
		for line := range strings.Lines(string(file)) {
			if f := strings.Split(strings.TrimSpace(line), ":"); len(f) > 2 && f[0] == name {
				text = f[2]
				break
			}
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}
