package maint

// The table says what the scripts of single packages make, as far as it is
// files, directories and links with fixed paths. It was read off the scripts of
// Debian 12 and 13. An effect takes place only where the package's script, in
// the version at hand, still names its path.
var table = []row{
	{packages: "base-files", covers: []string{"chown", "chmod", "cp", "ln", "mkdir", "rmdir", ">"}, effects: []effect{
		link{at: "etc/dpkg/origins/default", to: "debian", needs: "etc/dpkg/origins/debian"},
		copied{from: "usr/share/base-files/dot.profile", to: "root/.profile"},
		copied{from: "usr/share/base-files/dot.bashrc", to: "root/.bashrc"},
		copied{from: "usr/share/base-files/profile", to: "etc/profile"},
		copied{from: "usr/share/base-files/motd", to: "etc/motd"},
		dir{path: "mnt", names: "install_directory mnt"},
		dir{path: "srv", names: "install_directory srv"},
		dir{path: "opt", names: "install_directory opt"},
		dir{path: "etc/opt"},
		dir{path: "var/opt"},
		dir{path: "media", names: "install_directory media"},
		dir{path: "var/mail", mode: 0o2775, gid: gidMail},
		link{at: "var/spool/mail", to: "../mail"},
		dir{path: "run/lock", mode: 0o1777},
		moved{from: "var/run", to: "run"},
		moved{from: "var/lock", to: "run/lock"},
		dir{path: "usr/local", local: true},
		dir{path: "usr/local/share", local: true},
		dir{path: "usr/local/share/man", local: true},
		dir{path: "usr/local/bin", local: true},
		dir{path: "usr/local/games", local: true},
		dir{path: "usr/local/lib", local: true, names: "/usr/local/lib\n"},
		dir{path: "usr/local/libexec", local: true},
		dir{path: "usr/local/include", local: true},
		dir{path: "usr/local/sbin", local: true},
		dir{path: "usr/local/src", local: true},
		dir{path: "usr/local/etc", local: true},
		link{at: "usr/local/man", to: "share/man"},
		file{path: "var/log/wtmp", mode: 0o664, gid: gidUtmp},
		file{path: "var/log/btmp", mode: 0o660, gid: gidUtmp},
		file{path: "var/log/lastlog", mode: 0o664, gid: gidUtmp},
		copied{from: "usr/share/base-files/info.dir", to: "usr/share/info/dir", needs: "usr/share/info", mode: 0o644},
		link{at: "lib32", to: "usr/lib32", needs: "usr/lib32"},
		link{at: "libo32", to: "usr/libo32", needs: "usr/libo32"},
		link{at: "libx32", to: "usr/libx32", needs: "usr/libx32"},
	}},
	{packages: "base-passwd", covers: []string{"chmod", "chown", "cp", "rm", "touch", "mktemp", "update-passwd", ">"}, effects: []effect{
		file{path: "etc/subuid"},
		file{path: "etc/subgid"},
	}},
	{packages: "libc-bin", covers: []string{"cp"}, effects: []effect{
		copied{from: "usr/share/libc-bin/nsswitch.conf", to: "etc/nsswitch.conf"},
	}},
	{packages: "netbase", covers: []string{">"}, effects: []effect{
		written{path: "etc/hosts"},
		written{path: "etc/networks"},
	}},
	{packages: "tzdata", covers: []string{"ln", "mv", ">"}, effects: []effect{
		link{at: "etc/localtime", to: "/usr/share/zoneinfo/Etc/UTC", needs: "usr/share/zoneinfo/Etc/UTC", replaces: true},
		file{path: "etc/timezone", text: "Etc/UTC\n", called: true},
	}},
	{packages: "readline-common", covers: []string{"cp"}, effects: []effect{
		copied{from: "usr/share/readline/inputrc", to: "etc/inputrc"},
	}},
	{packages: "libpam-modules", script: "postinst", covers: []string{"touch", "pidof"}, effects: []effect{
		file{path: "etc/security/opasswd", mode: 0o600},
		file{path: "etc/environment"},
	}},
	{packages: "java-common", covers: javaPrefs, effects: javaFiles},
	{packages: "openjdk-*-jre-headless", covers: javaPrefs, effects: javaFiles},
	{packages: "python3", covers: []string{"mkdir", ">", "rm", "?"}, effects: []effect{
		dir{path: "etc/python3"},
		written{path: "etc/python3/debian_config"},
	}},
	{packages: "python3.*-minimal", script: "preinst", covers: python, effects: []effect{
		file{path: "var/lib/python/{name}_installed"},
		dir{path: "usr/local/lib/{name}", local: true, script: "postinst"},
		dir{path: "usr/local/lib/{name}/dist-packages", local: true, script: "postinst", names: "/dist-packages"},
	}},
	{packages: "nginx-common", covers: []string{"chmod", "chown", "cp", "ln", "mkdir", "touch", "rm"}, effects: []effect{
		dir{path: "var/log/nginx", gid: gidAdm, owned: true},
		file{path: "var/log/nginx/access.log", mode: 0o640, uid: uidWWWData, gid: gidAdm, names: "/access.log"},
		file{path: "var/log/nginx/error.log", mode: 0o640, uid: uidWWWData, gid: gidAdm, names: "/error.log"},
		link{at: "etc/nginx/sites-enabled/default", to: "/etc/nginx/sites-available/default", needs: "etc/nginx/sites-available"},
		dir{path: "var/www/html"},
		copied{from: "usr/share/nginx/html/index.html", to: "var/www/html/index.nginx-debian.html"},
	}},
	{packages: "fontconfig-config", covers: []string{"ln", "mkdir", "rm"}, effects: []effect{
		link{at: "etc/fonts/conf.d/10-hinting-slight.conf", to: "/usr/share/fontconfig/conf.avail/10-hinting-slight.conf", needs: "usr/share/fontconfig/conf.avail/10-hinting-slight.conf", names: "10-hinting-slight.conf"},
		link{at: "etc/fonts/conf.d/70-no-bitmaps-except-emoji.conf", to: "/usr/share/fontconfig/conf.avail/70-no-bitmaps-except-emoji.conf", needs: "usr/share/fontconfig/conf.avail/70-no-bitmaps-except-emoji.conf", names: `no_bitmaps="70-no-bitmaps-except-emoji.conf"`},
		link{at: "etc/fonts/conf.d/70-no-bitmaps.conf", to: "/usr/share/fontconfig/conf.avail/70-no-bitmaps.conf", needs: "usr/share/fontconfig/conf.avail/70-no-bitmaps.conf", names: `no_bitmaps="70-no-bitmaps.conf"`},
		dir{path: "usr/local/share/fonts", local: true},
	}},
	{packages: "openssl", covers: []string{"ln"}, effects: []effect{
		link{at: "usr/lib/ssl", to: "/etc/ssl"},
	}},
	{packages: "bash", covers: []string{"ln"}, effects: []effect{
		link{at: "bin/sh", to: "bash"},
	}},
	{packages: "dbus-daemon", covers: []string{"mkdir", "dbus-uuidgen"}, effects: []effect{
		dir{path: "var/lib/dbus"},
	}},
	{packages: "redis-tools", covers: []string{"adduser", "chmod", "chown", "mkdir"}, effects: []effect{
		dir{path: "var/log/redis", mode: 0o2750, user: "redis", gid: gidAdm},
		dir{path: "var/lib/redis", mode: 0o750, user: "redis", group: "redis"},
		dir{path: "etc/redis", mode: 0o2770, user: "redis", group: "redis", owned: true},
	}},
	{packages: "dash", covers: []string{"cp", "ln", "mv", "rm", "touch", "dpkg-divert"}},
}

// otherCovers lists the commands of scripts whose effect is made elsewhere, or
// is none in an image.
var otherCovers = []struct {
	packages string
	commands []string
}{
	{"ca-certificates", []string{"mkdir", "chgrp", "chmod", "chown", "mv", "rm", "uniq", ">"}},    // certificatesStep
	{"ca-certificates-java", []string{"keytool", "java", "mv", "rm", "touch", ">", "mkdir", "."}}, // keystoreStep
	{"redis-server", []string{"find"}},                                                             // removes empty directories of older versions
	{"debianutils", []string{"cp"}},                                                                // shellsStep
	{"libnginx-mod-*", []string{"ln", "rm"}},                                                       // nginxModules
	{"postgresql-client-[0-9]*", []string{".", "configure_client_version"}},                        // alternativesStep
	{"postgresql-[0-9]*", []string{".", "relink_postmaster_manpages"}},                             // preinst only asks about older clusters
	{"passwd", []string{"shadowconfig", "groupadd"}},                                               // the shadow files are always written
	{"dpkg", []string{">", "ln", "setup_aliases"}},                                                 // the native architecture, of dpkg's own database
	{"libc6", []string{"dpkg-divert", "ln", "mkdir", "rm", "systemd", "busctl", ".", "perl"}},      // checks the running kernel; /lib64 is in the package
	{"iproute2", []string{"setcap", "mv", "rmdir"}},                                                // debconf's default is no capability
	{"libpam0g", []string{"rm"}},                                                                   // restarts services
	{"python3.*", []string{"/usr/bin/python3.13", "python3.11", "python3.12", "python3.13", "rm"}}, // byte-compiles
}

// The fixed ids of base-passwd that scripts give files to (Debian Policy 9.2.2).
const (
	gidAdm     = 4
	gidMail    = 8
	uidWWWData = 33
	gidUtmp    = 43
	gidStaff   = 50
)

var (
	javaPrefs = []string{"chmod", "mkdir", "touch", "mountpoint"}
	javaFiles = []effect{
		dir{path: "etc/.java"},
		dir{path: "etc/.java/.systemPrefs"},
		file{path: "etc/.java/.systemPrefs/.system.lock"},
		file{path: "etc/.java/.systemPrefs/.systemRootModFile"},
	}
	python = []string{"chmod", "chown", "mkdir", "rm", "rmdir", "touch", "python3.11", "python3.12", "python3.13", "python3.14", "?"}
)
