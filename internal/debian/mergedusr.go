package debian

import "strings"

// MergedUsr returns the path, without a leading slash, that an entry of a package
// has where /bin, /sbin and /lib* are links into /usr, as on every Debian since
// bookworm (Debian technical committee, #1051371). The links themselves stay what
// they are: dir says that the entry is a directory.
func MergedUsr(name string, dir bool) string {
	top, _, below := strings.Cut(name, "/")
	switch top {
	case "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32":
		if below || dir {
			return "usr/" + name
		}
	}
	return name
}
