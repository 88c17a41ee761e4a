package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// toolPackages are packages of distributions by the rule that their programs break. What
// a file is can be told without its package (package harden/tool); here there are only
// names.
var toolPackages = map[string]string{
	"compiler-present": `build-essential build-base gcc g++ clang make cmake automake autoconf binutils gdb strace ltrace dpkg-dev devscripts fakeroot golang golang-go rustc cargo default-jdk openjdk-17-jdk openjdk-21-jdk
		gcc-c++ ninja-build meson patch bison flex git subversion mercurial base-devel musl-dev`,
	"network-client-present": `curl wget netcat netcat-openbsd netcat-traditional nc ncat nmap socat telnet inetutils-telnet ftp lftp tftp openssh-client openssh-clients rsync tcpdump iputils-ping iproute2 net-tools dnsutils bind9-dnsutils bind-tools
		traceroute mtr-tiny aria2 httpie`,
	"privilege-tool-present":  `sudo doas gosu su-exec policykit-1 polkit`,
	"remote-access-present":   `openssh-server dropbear telnetd inetutils-telnetd vsftpd proftpd proftpd-basic pure-ftpd tftpd-hpa rsh-server xrdp tigervnc-standalone-server x11vnc`,
	"package-manager-present": `python3-pip pipx npm yarnpkg rubygems composer aptitude synaptic`,
	"shell-present":           `bash-static zsh fish ksh tcsh busybox busybox-static toybox dash-static powershell`,
}

// toolRule returns the rule that a package's programs break, "" for none.
func toolRule(name string) string {
	for rule, names := range toolPackages {
		if slices.Contains(strings.Fields(names), name) {
			return rule
		}
	}
	if strings.HasSuffix(name, "-dev") || strings.HasSuffix(name, "-devel") {
		return "development-files"
	}
	return ""
}

// installation is a package of the image that a step installs and its own step does not
// remove.
type installation struct {
	pkg     dockerfile.Package
	step    *dockerfile.Step
	command *dockerfile.Command
	manager string
}

// installations returns what the image's stages install by the distribution's package
// manager.
func (j *judge) installations() []installation {
	var list []installation
	for step := range j.steps(true) {
		if step.Name != "RUN" {
			continue
		}
		var here []installation
		for _, c := range step.Commands() {
			p, ok := c.Packaging()
			switch {
			case !ok || !system(p.Manager):
			case p.Verb == dockerfile.Install:
				for _, pkg := range p.Packages {
					here = append(here, installation{pkg, step, c, p.Manager})
				}
			case p.Verb == dockerfile.Remove:
				for _, gone := range p.Packages {
					here = slices.DeleteFunc(here, func(i installation) bool { return i.pkg.Name == gone.Name || i.virtual(gone.Name) })
				}
			}
		}
		list = append(list, here...)
	}
	return list
}

// virtual reports whether apk installed the package under a name for all of them.
func (i installation) virtual(name string) bool {
	return i.manager == "apk" && i.command.Option("-t", "--virtual") == name
}

// tools judges what is installed into the image and serves an intruder.
func (j *judge) tools() {
	curl, wget := (*dockerfile.Step)(nil), (*dockerfile.Step)(nil)
	for _, i := range j.installations() {
		if rule := toolRule(i.pkg.Name); rule != "" {
			j.found(rule, i.step, i.command.Line, fmt.Sprintf("%s is installed into the image", i.pkg.Name), i.command.String())
		}
		switch i.pkg.Name {
		case "curl":
			curl = i.step
		case "wget":
			wget = i.step
		}
	}
	if curl != nil && wget != nil {
		j.found("clients-doubled", wget, 0, "curl and wget are both installed", wget.Text)
	}
	j.fatBase()
}

// fatBase tells of a final base that is made for building.
func (j *judge) fatBase() {
	s := j.file.Final().Base()
	i := parseImage(s.Image)
	if strings.Contains(s.Image, "$") || !official(i.Name) {
		return
	}
	slim := strings.Contains(i.Tag, "slim") || strings.Contains(i.Tag, "alpine") || strings.Contains(i.Tag, "distroless") || strings.Contains(i.Tag, "jre")
	from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
	switch {
	case slices.Contains([]string{"golang", "gcc", "rust", "buildpack-deps", "maven", "gradle", "swift", "haskell"}, i.base()):
		j.found("compiler-present", from, s.Line, "the image stands on "+s.Image+", which has compilers", s.Image)
	case !slim && slices.Contains([]string{"python", "node", "ruby", "perl", "openjdk", "php", "erlang", "elixir"}, i.base()):
		j.found("compiler-present", from, s.Line, "the image stands on the full "+i.base()+", which has compilers; its slim variant has none", s.Image)
	}
}
