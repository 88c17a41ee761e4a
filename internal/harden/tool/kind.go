package tool

import (
	"regexp"
	"slices"
	"strings"
)

// Kind is what a file is.
type Kind string

// The kinds, of which a file may be several: a busybox is a shell, a network client
// and more.
const (
	Shell          Kind = "shell"
	PackageManager Kind = "package-manager" // of a distribution or of a language
	Compiler       Kind = "compiler"        // and assemblers, linkers, build systems, debuggers, version control
	Development    Kind = "development"     // headers, static libraries, object files
	Interpreter    Kind = "interpreter"     // of a language for programs
	NetworkClient  Kind = "network-client"  // fetches from, or connects to, an address that its caller chooses
	Privilege      Kind = "privilege"       // runs a program as somebody else
	RemoteAccess   Kind = "remote-access"   // a server that lets somebody log in or take files
	Leftover       Kind = "leftover"        // caches, package lists, version control, logs, temporary files
)

// kindNames has the programs of each kind by their plain names: without the prefix of
// a target ("x86_64-linux-gnu-") and without a version ("-12", "3.13").
var kindNames = map[Kind]string{
	Shell: `sh bash rbash dash ash hush bosh zsh ksh ksh93 rksh rksh93 mksh lksh oksh pdksh loksh posh yash csh tcsh bsd-csh fish sash
		elvish xonsh nu pwsh mrsh gash wsh git-shell rssh scponly bash-static zsh-static zsh5 mksh-static dash-static busybox toybox`,
	PackageManager: `apt apt-get apt-cache apt-cdrom apt-config apt-key apt-mark apt-ftparchive aptitude dpkg dpkg-deb dpkg-divert
		dpkg-query dpkg-split dpkg-statoverride dpkg-trigger dpkg-realpath dpkg-maintscript-helper dpkg-preconfigure dpkg-reconfigure dselect gdebi tasksel
		add-apt-repository apt-add-repository
		rpm rpm2cpio rpmdb rpmkeys dnf dnf-3 dnf5 yum microdnf tdnf zypper urpmi apk pacman pacman-key xbps-install xbps-query emerge opkg ipkg
		swupd eopkg nix nix-env nix-build nix-shell nix-store nix-channel guix brew snap flatpak pkgcon
		pip pipx easy_install ensurepip uv uvx poetry pdm hatch pipenv conda mamba micromamba
		npm npx yarn yarnpkg pnpm pnpx corepack bun bunx gem bundle bundler cargo composer cpan cpanm cpanp cpm luarocks opam cabal stack pear pecl nuget vcpkg conan
		coursier rustup`,
	Compiler: `cc c++ gcc g++ cpp c89 c99 c89-gcc c99-gcc clang clang++ clang-cpp tcc pcc icc ifort gfortran f77 f95 gdc gnat gnatmake gccgo gcc-ar gcc-nm gcc-ranlib
		cc1 cc1plus cc1obj cc1objplus f951 d21 go1 gnat1 collect2 lto1 lto-wrapper lto-dump g++-mapper-server
		as gas nasm yasm fasm ld ld.bfd ld.gold ld.lld lld ld.mold mold ld64 wasm-ld ar ranlib nm objcopy objdump strip elfedit dlltool windres dwp gprof
		llc lli opt llvm-ar llvm-as llvm-link llvm-mc llvm-nm llvm-objcopy llvm-objdump llvm-ranlib
		make gmake bmake mk cmake ccmake ctest cpack ninja samu meson scons bazel bazelisk buck2 gn waf autoconf autoreconf automake autoheader aclocal libtool libtoolize
		m4 bison yacc byacc flex lex pkg-config pkgconf ccache distcc
		rustc rustdoc go gofmt javac jshell jlink jdeps kotlinc scalac ghc ocamlc ocamlopt ocamlfind fpc dmd ldc2 zig nim crystal swiftc swift erlc elixirc mcs csc vala valac
		mvn gradle ant sbt lein tsc esbuild node-gyp protoc cython f2py swig gdb gdbserver lldb lldb-server strace ltrace perf valgrind
		git hg svn cvs bzr fossil`,
	Interpreter: `python pythonw pypy perl perl5 ruby irb jruby node nodejs deno lua luajit lua50 php php-cgi php-fpm phpdbg java jjs guile tclsh wish expect
		awk mawk gawk nawk original-awk goawk jimsh gjs qjs quickjs Rscript R julia octave-cli erl escript iex elixir mono dotnet scheme gosh racket sbcl clisp ecl
		micropython groovy scala kotlin ocaml raku rakudo`,
	NetworkClient: `curl wget wget2 wcurl aria2c axel lynx links elinks w3m lftp ftp tnftp pftp netkit-ftp ncftp tftp telnet inetutils-telnet telnet.netkit telnet-ssl nc nc.openbsd nc.traditional netcat ncat pnetcat socat
		ssh scp sftp slogin ssh-keyscan autossh sshpass dbclient dropbearconvert rsync rsync-ssl rclone rlogin rsh rcp rexec
		nmap nping masscan zmap hping3 tcpdump tshark dumpcap ettercap mtr traceroute arping dig host nslookup drill
		http https xh hurl websocat grpcurl s3cmd aws gsutil kubectl docker podman nerdctl crictl ctr`,
	Privilege:    `sudo sudo.ws sudo-rs sudoedit su doas pkexec run0 super calife sg newgrp`,
	RemoteAccess: `sshd sshd-session dropbear dropbearmulti tinysshd telnetd in.telnetd utelnetd ftpd in.ftpd vsftpd proftpd pure-ftpd tnftpd bftpd uftpd tftpd in.tftpd atftpd rlogind in.rlogind rshd in.rshd rexecd in.rexecd sftp-server inetd xinetd inetutils-inetd openbsd-inetd inetutils-telnetd inetutils-ftpd x11vnc Xvnc xrdp ttyd shellinaboxd gotty wetty teleport tmate`,
}

// kindOf has the kinds of a program by its plain name.
var kindOf = func() map[string][]Kind {
	byName := map[string][]Kind{}
	for _, kind := range []Kind{Shell, PackageManager, Compiler, Interpreter, NetworkClient, Privilege, RemoteAccess} {
		for name := range strings.FieldsSeq(kindNames[kind]) {
			byName[name] = append(byName[name], kind)
		}
	}
	return byName
}()

// inPlace are names that mean a tool only where commands lie, because other programs
// carry them too: an entrypoint of an application may well be called "host".
var inPlace = regexp.MustCompile(`^(usr/|usr/local/)?s?bin/|^usr/lib(exec)?/|^opt/[^/]+/s?bin/`)

// ambiguous are the names for which [inPlace] is asked.
var ambiguous = []string{"R", "ant", "ar", "as", "aws", "host", "http", "https", "links", "mk", "nm", "nu", "opt", "pear", "sg", "stack", "super", "swift", "teleport"}

var (
	targetPrefix  = regexp.MustCompile(`^[a-z0-9_]+-(linux|unknown|pc|none|w64|alpine)-[a-z0-9_-]*?(gnu[a-z0-9]*|musl[a-z0-9]*|eabi[a-z0-9]*|elf|mingw32|uclibc[a-z0-9]*)-`)
	versionSuffix = regexp.MustCompile(`[-.]?[0-9]+(\.[0-9]+)*[a-z]?$`)
)

// plainName returns the name of the table that a program's name is: itself, or
// without target and version. It returns "" where there is none.
func plainName(base string) string {
	if kindOf[base] != nil {
		return base
	}
	base = targetPrefix.ReplaceAllString(base, "")
	for kindOf[base] == nil {
		end := versionSuffix.FindStringIndex(base)
		if end == nil || end[0] == 0 {
			return ""
		}
		base = base[:end[0]]
	}
	return base
}

// named returns what the program at name is called, and its kinds.
func named(name string) (plain string, kinds []Kind) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	plain = plainName(base)
	if plain == "" || slices.Contains(ambiguous, plain) && !inPlace.MatchString(name) {
		return "", nil
	}
	return plain, kindOf[plain]
}
