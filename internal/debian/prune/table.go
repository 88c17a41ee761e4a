package prune

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// Row says which dependencies are for maintainer scripts only. The forms of its
// entries matter: debhelper writes one form for scripts (debhelper(7), misc:Depends),
// while a package whose programs need the tool names it in another.
type Row struct {
	Entries []string // of Depends and Pre-Depends without versions, such as "debconf | debconf-2.0"
	Field   string   // the one field that the row is about; both where empty
	From    []string // the depending packages; any where empty
	But     []string // packages that the row is not about: programs of theirs use the tool
	For     string   // what scripts use it for, completing "foo depends on debconf for"
	Why     string   // how it is known that no program of the packages uses it
}

// Table has every row. Its lists were made by looking for the tools' names in the .debs
// of trixie, 339 of those that depend on one: no program of a package in From calls the
// tool, and each package of But has a program that does, or may. A row without From
// rests on what writes such an entry, and on none of the others having been found.
//
// There is no row for perl and python3: dh_perl and dh_python3 write these
// dependencies for the Perl and Python files that a package ships, so they are true.
// Nor is there one for sysvinit-utils and lsb-base, which init scripts read, for
// passwd in general, which sshd and Samba run, and for sensible-utils, which crontab
// and psql run. Those go where only a package that is left out needs them.
var Table = []Row{
	{
		Entries: []string{"debconf | debconf-2.0", "debconf-2.0 | debconf", "debconf | cdebconf", "debconf-2.0"},
		For:     "questions at installation",
		Why:     "dh_installdebconf writes it for packages with debconf templates, which config, postinst and postrm use",
		But: []string{
			"apt-listchanges", "blendsel", "cdebconf-gtk", "configure-debian", "console-common", "debaux-debconf", "debian-edu-config",
			"debian-edu-install", "debian-installer-launcher", "debian-security-support", "dictionaries-common", "discover", "freedombox", "gkdebconf",
			"isenkram-cli", "linux-base", "mini-buildd", "openstack-cluster-installer", "pbuilder", "rlinetd", "shim-signed-common", "ssl-cert",
			"tasksel", "user-setup", "xfonts-traditional",
		},
	},
	{
		Entries: []string{"debconf"},
		From: []string{
			"apparmor", "courier-base", "libdebuginfod-common", "mariadb-server", "schroot", "slapd", "snmpd", "unattended-upgrades", "wireshark-common",
		},
		For: "questions at installation",
		Why: "written by hand beside dh_installdebconf's entry, for the same scripts",
	},
	{
		Entries: []string{"ucf"},
		For:     "configuration files that change",
		Why:     "ucf registers configuration files with dpkg's scripts; dh_ucf writes the dependency",
		But:     []string{"dbconfig-common", "debian-edu-router-fai", "libxml-sax-perl", "orphan-sysvinit-scripts", "rlinetd"},
	},
	{
		Entries: []string{"adduser", "adduser | systemd-sysusers"},
		For:     "accounts",
		Why:     "Debian Policy 9.2.2 has postinst call adduser for the accounts of a package",
		But: []string{
			"blends-common", "debian-edu-config", "debian-security-support", "docker.io", "freedombox", "mini-buildd", "puppet-agent",
			"sbuild", "snapd", "sysuser-helper", "user-setup",
		},
	},
	{
		Entries: []string{"passwd"},
		From:    []string{"deluged", "dnsmasq-base", "dnsmasq-base-lua", "dnsproxy", "keyd", "mariadb-server", "softhsm2-common"},
		For:     "accounts",
		Why:     "their scripts call useradd, groupadd or userdel; no program of theirs does",
	},
	{
		Entries: []string{
			"systemd | systemd-standalone-sysusers | systemd-sysusers", "systemd | systemd-standalone-sysusers | systemd-sysusers | opensysusers",
			"systemd-standalone-sysusers | systemd-sysusers", "systemd | systemd-sysusers",
		},
		For: "accounts",
		Why: "dh_installsysusers writes it and has postinst call systemd-sysusers",
		But: []string{"gnome-remote-desktop"}, // works with systemd's sessions
	},
	{
		Entries: []string{
			"systemd | systemd-standalone-tmpfiles | systemd-tmpfiles", "systemd-standalone-tmpfiles | systemd-tmpfiles", "systemd | systemd-tmpfiles",
		},
		For: "directories",
		Why: "postinst calls systemd-tmpfiles for the files of tmpfiles.d; a container does not boot",
		But: []string{"gnome-remote-desktop"},
	},
	{
		Entries: []string{"init-system-helpers", "init-system-helpers | initscripts"},
		For:     "services that are enabled and started",
		Why:     "dh_installsystemd, dh_installsystemduser and dh_installinit write it for deb-systemd-helper, deb-systemd-invoke and update-rc.d",
	},
	{
		Entries: []string{"dpkg"}, Field: "Pre-Depends",
		For: "being unpacked",
		Why: "a pre-dependency is for what dpkg does before postinst (Debian Policy 7.2): the format of the .deb, dpkg-maintscript-helper",
		But: []string{"apt-build", "apticron", "apticron-systemd"},
	},
	{
		Entries: []string{"dpkg | install-info", "install-info | dpkg"},
		For:     "the directory of manuals",
		Why:     "what dpkg and install-info both had is the command that adds a manual to the directory of Info",
	},
	{
		Entries: []string{"dpkg"}, From: []string{"python3-minimal"},
		For: "py3compile and py3clean",
		Why: "they ask dpkg for a package's files, and postinst and prerm call them",
	},
	{
		Entries: []string{"update-inetd", "update-inetd | inet-superserver"},
		For:     "entries of inetd.conf",
		Why:     "postinst and prerm call it; an inetd reads the file and needs no update-inetd",
	},
	{
		Entries: []string{"openssl"}, From: []string{"ca-certificates"},
		For: "openssl rehash",
		Why: "update-ca-certificates calls it, which postinst and the trigger call",
	},
	{
		Entries: []string{"openssl"}, From: []string{"rabbitmq-server"},
		For: "the cookie that postinst makes",
		Why: "no program of the package names openssl; Erlang's TLS links libcrypto",
	},
	{
		Entries: []string{"awk"}, Field: "Pre-Depends", From: []string{"base-files"},
		For: "scripts of other packages",
		Why: "it makes awk essential (Debian Policy 3.8) for all scripts; base-files has no program",
	},
	{
		Entries: []string{"iproute2"}, From: []string{"nginx"},
		For: "a look at port 80",
		Why: "postinst asks ss whether to start the service; nginx itself asks the kernel",
	},
	{
		Entries: []string{"util-linux"}, From: []string{"openjdk-21-jre-headless", "openjdk-25-jre-headless"},
		For: "a look at /proc",
		Why: "postinst asks mountpoint whether /proc is mounted; Java runs no other program to start",
	},
}

// find returns the row about an entry of a package's field, nil where the
// package needs what the entry names.
func find(table []Row, pkg, field string, entry debian.Alternatives) *Row {
	names := make([]string, len(entry))
	for i, r := range entry {
		names[i] = r.Name
	}
	form := strings.Join(names, " | ")
	for i := range table {
		r := &table[i]
		if slices.Contains(r.Entries, form) && (r.Field == "" || r.Field == field) &&
			(len(r.From) == 0 || slices.Contains(r.From, pkg)) && !slices.Contains(r.But, pkg) {
			return r
		}
	}
	return nil
}

// interpreters are the programs that the first line of a script may name, of those
// packages that can be left out.
var interpreters = map[string]string{
	"awk": "mawk", "mawk": "mawk", "bash": "bash", "dash": "dash", "sh": "dash",
	"perl": "perl-base", "python3": "python3-minimal",
}

// Interpreter returns the package that has the interpreter at the path, "" where
// that is none that can be left out.
func Interpreter(path string) string { return interpreters[path[strings.LastIndexByte(path, '/')+1:]] }
