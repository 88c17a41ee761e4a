//go:build linux

package main

import (
	"path"
	"regexp"
	"strings"
)

// allowed is what may differ, each with the reason. Everything else is compared.
// The list stays short: an entry is right only where two runs of dpkg, or two
// days, give two contents, or where the file is the diary of an installation
// that hardpan does not do.
var allowed = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`^var/lib/dpkg(/(info|updates|triggers|parts|tmp\.ci)(/.*)?|/(status|status-old|status\.d(/.*)?|available|available-old|arch|arch-native|cmethopt|methods(/.*)?|lock|lock-frontend|diversions-old|statoverride-old))?$`),
		"dpkg's own database; hardpan's is status.d, the form that scanners read in images"},
	{regexp.MustCompile(`^var/cache/debconf(/.*)?$`), "debconf's database: the answers that the next upgrade would ask for again"},
	{regexp.MustCompile(`^var/log/(dpkg|alternatives)\.log$`), "diaries with the time of the installation"},
	{regexp.MustCompile(`^var/cache/ldconfig(/aux-cache)?$`), "ldconfig's memory of inode numbers and times"},
	{regexp.MustCompile(`^usr/share/info/dir(\.old)?$`), "the directory of manuals: those whose names begin alike are in the order in which the file system lists them"},
	{regexp.MustCompile(`(^|/)__pycache__(/[^/]*)?$|\.pyc$`), "byte code, which has the time of its source in it"},
	{regexp.MustCompile(`^etc/ssl/certs/java/cacerts$`), "each entry of Java's keystore has the time of the installation; TestJavaKeystore compares the certificates"},
	{regexp.MustCompile(`^tmp/hsperfdata_root(/|$)`), "left behind by the Java that dpkg's side ran"},
	{regexp.MustCompile(`^var/cache/fontconfig/[0-9a-f]{32}-[0-9a-z]+\.cache-[0-9]+$`), "fontconfig's caches, which have the times of the directories in them, and are made again where they are missing"},
	{regexp.MustCompile(`^var/log/fontconfig\.log$`), "the diary of those caches"},
	{regexp.MustCompile(`^var/cache/man/.`), "man-db's index, which has the times of the pages in it, and what is beside it; man reads the pages without it"},
	{regexp.MustCompile(`^etc/mailname$`), "the name that the machine has which installs"},
	{randomKey, "a random key, which hardpan leaves out of images and reports"},
	{regexp.MustCompile(`^(etc/machine-id|var/lib/dbus/machine-id)$`), "a random name of the machine"},
}

// randomKey matches files with secrets that scripts make, and certificates for them.
var randomKey = regexp.MustCompile(`^etc/ssh/ssh_host_[a-z0-9]+_key(\.pub)?$|^etc/ssl/(certs/ssl-cert-snakeoil\.pem|private/ssl-cert-snakeoil\.key)$|` +
	`^etc/bind/rndc\.key$|^var/lib/rabbitmq/\.erlang\.cookie$|^etc/freeradius/3\.0/certs/dh$|^etc/dovecot/private/dovecot\.(key|pem)$|` +
	`^etc/munge/munge\.key$|^etc/dropbear/dropbear_[a-z0-9]+_host_key(\.pub)?$|^etc/xrdp/rsakeys\.ini$|^etc/nvme/host(id|nqn)$`)

// isNameOfKey reports whether a path is a link to a random key, whose name has a
// hash of it, as those in /etc/ssl/certs.
func isNameOfKey(p string, e entry) bool {
	to := e.Target
	if !strings.HasPrefix(to, "/") {
		to = path.Join("/", path.Dir(p), to)
	}
	return e.Type == link && randomKey.MatchString(strings.TrimPrefix(to, "/"))
}

// mayDiffer returns why a path is not compared, empty where it is.
func mayDiffer(p string) string {
	for _, a := range allowed {
		if a.pattern.MatchString(p) {
			return a.why
		}
	}
	return ""
}
