package harden

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// AdminPorts are ports of services to administer a machine, by number (IANA service
// names).
var AdminPorts = map[int]string{
	20: "FTP", 21: "FTP", 22: "SSH", 23: "Telnet", 69: "TFTP", 111: "rpcbind", 135: "RPC", 137: "NetBIOS", 138: "NetBIOS", 139: "NetBIOS", 161: "SNMP", 445: "SMB",
	512: "rexec", 513: "rlogin", 514: "rsh", 873: "rsync", 2049: "NFS", 2222: "SSH", 2375: "Docker", 2376: "Docker", 2377: "Docker Swarm", 2379: "etcd", 2380: "etcd", 3389: "RDP",
	5900: "VNC", 5901: "VNC", 5985: "WinRM", 5986: "WinRM", 6000: "X11", 6443: "Kubernetes API", 10250: "kubelet", 10255: "kubelet", 10000: "Webmin",
}

// WantedLabels are those that say what an image is, behind "org.opencontainers.image."
// (OCI image spec, annotations.md).
var WantedLabels = []string{"title", "version", "source", "vendor", "revision", "licenses", "created"}

// expression returns a regular expression that is compiled when it is first asked for:
// most verbs judge nothing.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

var (
	secretVariable = expression(`(?i)(^|_)(PASS|PASSWD|PASSWORD|PASSPHRASE|PWD|SECRETS?|TOKEN|APIKEY|API_KEY|ACCESSKEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|ENCRYPTION_KEY|SIGNING_KEY|CREDENTIALS?|AUTH)(_|$)|(PASSWORD|PASSWD|SECRET)`)
	aboutSecret    = expression(`(?i)_(FILE|PATH|DIR|URL|URI|NAME|HEADER|ENDPOINT|LENGTH|POLICY|TYPE|ALGORITHM|TTL|EXPIRY|ENABLED)$|^(OLD)?PWD$`)
	besideSecret   = expression(`(?i)_(ID|ROTATION|REQUIRED|VERSION)$`)
	publicKey      = expression(`(?i)(^|_)GPG_KEYS?$`) // of a signature that is verified
	noSecret       = expression(`(?i)^$|^/|^(true|false|yes|no|none|null|disabled|enabled|\d{1,3})$|^\$\{?\w+\}?$|^\*+$|^<.*>$`)
)

// SecretVariable reports whether a variable of that name is made to hold a secret.
func SecretVariable(name string) bool {
	return secretVariable().MatchString(name) && !AboutSecret(name) && !besideSecret().MatchString(name)
}

// AboutSecret reports whether a variable of that name says where a secret is or what it
// is like, or holds a key that is public.
func AboutSecret(name string) bool {
	return aboutSecret().MatchString(name) || publicKey().MatchString(name)
}

// NoSecret reports whether a value is none that anybody would keep secret: a switch, a
// path, a reference to another variable.
func NoSecret(value string) bool { return noSecret().MatchString(value) }

// lastDays are the last days on which releases get security updates from their
// distribution, long-term support that everybody gets included, by ID and VERSION_ID of
// os-release(5): Debian (wiki.debian.org/LTS), Ubuntu (ubuntu.com/about/release-cycle),
// Alpine (alpinelinux.org/releases), Red Hat and its rebuilds, Fedora, CentOS.
var lastDays = map[string]string{
	"debian 7": "2018-05-31", "debian 8": "2020-06-30", "debian 9": "2022-06-30", "debian 10": "2024-06-30", "debian 11": "2026-08-31", "debian 12": "2028-06-30", "debian 13": "2030-06-30",
	"ubuntu 14.04": "2019-04-30", "ubuntu 16.04": "2021-04-30", "ubuntu 18.04": "2023-05-31", "ubuntu 20.04": "2025-05-31", "ubuntu 22.04": "2027-06-01", "ubuntu 24.04": "2029-05-31",
	"ubuntu 22.10": "2023-07-20", "ubuntu 23.04": "2024-01-25", "ubuntu 23.10": "2024-07-11", "ubuntu 24.10": "2025-07-10",
	"alpine 3.12": "2022-05-01", "alpine 3.13": "2022-11-01", "alpine 3.14": "2023-05-01", "alpine 3.15": "2023-11-01", "alpine 3.16": "2024-05-23", "alpine 3.17": "2024-11-22",
	"alpine 3.18": "2025-05-09", "alpine 3.19": "2025-11-01", "alpine 3.20": "2026-04-01", "alpine 3.21": "2026-11-01", "alpine 3.22": "2027-05-01",
	"centos 6": "2020-11-30", "centos 7": "2024-06-30", "centos 8": "2021-12-31", "rhel 6": "2020-11-30", "rhel 7": "2024-06-30", "rhel 8": "2029-05-31", "rhel 9": "2032-05-31",
	"rocky 8": "2029-05-31", "rocky 9": "2032-05-31", "almalinux 8": "2029-03-01", "almalinux 9": "2032-05-31",
	"fedora 38": "2024-05-21", "fedora 39": "2024-11-26", "fedora 40": "2025-05-13",
}

// debianReleases are the numbers of Debian's releases by their names.
var debianReleases = map[string]string{"wheezy": "7", "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13"}

// EndOfRelease returns the last day, 2006-01-02, on which a release of a distribution
// gets security updates, and the name that it was found by; day is "" where nobody knows.
// version may be longer than the release's number, "3.20.1", or a name of Debian's.
func EndOfRelease(id, version string) (release, day string) {
	if number, ok := debianReleases[version]; ok && id == "debian" {
		version = number
	}
	parts := strings.Split(version, ".")
	for n := len(parts); n > 0; n-- {
		release := id + " " + strings.Join(parts[:n], ".")
		if end, ok := lastDays[release]; ok {
			return release, end
		}
	}
	return id + " " + version, ""
}

// Ended reports whether a day, 2006-01-02, is one before now. What is no day has not
// ended.
func Ended(day string, now time.Time) bool {
	end, err := time.Parse(time.DateOnly, day)
	return err == nil && end.Before(now)
}
