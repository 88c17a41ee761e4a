package tool

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// A signature tells a program by C strings that it holds, each from its first byte to
// its zero: messages, names of variables, and the symbols that it exports or imports.
// Linkers keep these whatever the file is called. Where a linker merged a string
// into the tail of another it is not found, so that not all are asked for.
type signature struct {
	name  string
	kinds []Kind
	need  int // how many of strings
	of    []string
}

// signatures were read off Debian's programs, and hold for those built with musl,
// klibc and dietlibc too. TestHost holds them against the machine's own programs.
var signatures = []signature{
	{"busybox", []Kind{Shell, NetworkClient}, 3, []string{"[[", "ash", "arping", "cttyhack", "sendmail", "getopt", "BusyBox is copyrighted by many authors between 1998-2015."}},
	{"toybox", []Kind{Shell, NetworkClient}, 3, []string{" (see https://landley.net/toybox)", " (see toybox --help)", " Toybox", "Toybox %s command help", "Toybox %s multicall binary%s\n\n", "toybox %s\n"}},
	{"bash", []Kind{Shell}, 2, []string{"BASH_VERSINFO", "BASH_SUBSHELL", "shopt", "BASH_ENV", "BASHOPTS"}},
	{"shell", []Kind{Shell}, 5, []string{"esac", "elif", "CDPATH", "OPTIND", "OPTIND=1", "until", "done", "/etc/profile", "PS4", "PS4=+ ", "IFS", "IFS= \t\n", "$HOME/.profile"}},
	{"csh", []Kind{Shell}, 2, []string{"/etc/csh.cshrc", "/etc/.cshrc", "/etc/csh.login", "endsw", "breaksw", "onintr"}},
	{"fish", []Kind{Shell}, 3, []string{"FISH_DEBUG", "FISH_DEBUG_OUTPUT", "FISH_NO_WSL_CHECK", "__fish_print_help fish", "fish reclaiming terminal", "fish_default_key_bindings"}},
	{"yash", []Kind{Shell}, 2, []string{"[compdebug] ", "Try `man yash' for details.\n", "Use `exit' to leave the shell.\n", "\tbindkey -aev [key_sequence [command]]\n\tbindkey -l\n"}},
	{"sash", []Kind{Shell}, 2, []string{"Execute another program in place of this sash process", "Exit from sash", "Set the prompt string for sash", "Stand-alone shell (version %s)\n"}},

	{"dpkg", []Kind{PackageManager}, 3, []string{"DPKG_ADMINDIR", "DPKG_ROOT", "triggers-pending", "half-installed"}},
	{"apt", []Kind{PackageManager}, 2, []string{"APTPKG_6.0", "APTPKG_7.0", "APTPRIVATE_0.0", "libapt-private.so.0.0"}},
	{"rpm", []Kind{PackageManager}, 2, []string{"Common options for all rpm modes and executables:", "Install/Upgrade/Erase options:", "Query options (with -q or --query):", "rpmcliInstallPoptTable", "rpmcliInit"}},
	{"apk", []Kind{PackageManager}, 2, []string{"libapk.so.2.14.0", "libapk.so.3.0.0", "apk_default_acquire", "apk_db_open", "apk_ctx_init", "apk-tools %s, compiled for %s.\n"}},

	{"gcc", []Kind{Compiler}, 3, []string{"COLLECT_GCC", "GCC_EXEC_PREFIX", "COMPILER_PATH", "LIBRARY_PATH"}},
	{"cc1", []Kind{Compiler}, 2, []string{"*** WARNING *** there are active plugins, do not report this as a bug unless you can reproduce it without enabling any plugins.\n", "_Z12toplev_main", "plugin_init", "-ftime-report", "cc1plus", "CPLUS_INCLUDE_PATH"}},
	{"tcc", []Kind{Compiler}, 3, []string{"CPATH", "C_INCLUDE_PATH", ".balign", ".pushsection", "__TINYC__"}},
	{"make", []Kind{Compiler}, 3, []string{"MAKELEVEL", ".PHONY", ".SUFFIXES", "MAKEFLAGS", ".DELETE_ON_ERROR"}},
	{"ld", []Kind{Compiler}, 3, []string{"PT_LOAD", "EXTERN", "SECTIONS", "elf_x86_64", "KEEP"}},
	{"as", []Kind{Compiler}, 2, []string{"gas", ".gasversion.", "%s: can't open %s\n", "end of file inside conditional"}},
	{"ninja", []Kind{Compiler}, 2, []string{"NINJA_STATUS", "ninja: %s%s\n", ".ninja_log", "build.ninja"}},

	{"python", []Kind{Interpreter}, 1, []string{"Py_BytesMain", "Py_Main"}},
	{"perl", []Kind{Interpreter}, 3, []string{"PERL5LIB", "PERL5OPT", "PERL5DB", "PERL_UNICODE"}},
	{"ruby", []Kind{Interpreter}, 3, []string{"ruby_sysinit", "ruby_options", "ruby_run_node"}},
	{"php", []Kind{Interpreter}, 3, []string{"auto_prepend_file", "magic_quotes_gpc", "open_basedir", "disable_functions"}},
	{"lua", []Kind{Interpreter}, 3, []string{"LUA_PATH", "LUA_CPATH", "=LUA_INIT", "luaL_openlibs", "luaL_newstate", "lua_error"}},
	{"node", []Kind{Interpreter}, 1, []string{"_ZN4node5StartEiPPc"}},
	{"tclsh", []Kind{Interpreter}, 1, []string{"Tcl_Main", "Tcl_MainEx"}},
	{"awk", []Kind{Interpreter}, 3, []string{"FILENAME", "SUBSEP", "RSTART", "RLENGTH"}},

	{"curl", []Kind{NetworkClient}, 2, []string{"CURL_HOME", "doh-url", ".curlrc", "doh-insecure", "ftp-alternative-to-user"}},
	{"wget", []Kind{NetworkClient}, 2, []string{"SYSTEM_WGETRC", "acceptregex", "WGETRC", ".wgetrc"}},
	{"ssh", []Kind{NetworkClient}, 3, []string{"SSH_ASKPASS", "proxycommand", "stricthostkeychecking", "localforward", "identityfile"}},
	{"dbclient", []Kind{NetworkClient}, 1, []string{"DROPBEAR_PASSWORD"}},
	{"nc", []Kind{NetworkClient}, 2, []string{"no port[s] to connect to", "select fuxored", "unsupported proxy protocol", "set IP min TTL", "Recv Limit: %s"}},
	{"ncat", []Kind{NetworkClient}, 2, []string{"NCAT DEBUG: ", "NCAT_LOCAL_ADDR", "NCAT_PROXY_AUTH", "%s/ncat.XXXXXX"}},
	{"socat", []Kind{NetworkClient}, 2, []string{"udp4-listen", "tcp4-listen", "openssl-listen"}},
	{"rsync", []Kind{NetworkClient}, 2, []string{"RSYNC_RSH", "RSYNC_PASSWORD", "RSYNC_PROXY"}},
	{"telnet", []Kind{NetworkClient}, 2, []string{"crmod", "autoflush", "localchars", "binary", "autosynch"}},

	{"sudo", []Kind{Privilege}, 2, []string{"SUDO_ASKPASS", "sudo_plugin_printf", "Sudo version %s\n", "/etc/sudo.conf", "SUDO_ERROR"}},
	{"doas", []Kind{Privilege}, 2, []string{"/etc/doas.conf", "keepenv", "DOAS_USER"}},

	{"sshd", []Kind{RemoteAccess}, 3, []string{"permitrootlogin", "authorizedkeysfile", "subsystem", "forcecommand"}},
	{"dropbear", []Kind{RemoteAccess}, 1, []string{"/etc/dropbear/dropbear_rsa_host_key"}},
	{"telnetd", []Kind{RemoteAccess}, 2, []string{"telnetd", "telnetd:  peer died", "td: recv IAC", "telnetd: panic state=%d\n"}},
	{"vsftpd", []Kind{RemoteAccess}, 2, []string{"vsftpd_log_file", "xferlog_enable", "vsftpd"}},
}

// wanted has the signatures that hold a string.
var wanted, longest = func() (map[string][]int, int) {
	of, most := map[string][]int{}, 0
	for i, s := range signatures {
		for _, text := range s.of {
			of[text] = append(of[text], i)
			most = max(most, len(text))
		}
	}
	return of, most
}()

// worth says which strings are worth looking up, by their length and first byte.
var worth = func() [][256]bool {
	table := make([][256]bool, longest+1)
	for text := range wanted {
		table[len(text)][text[0]] = true
	}
	return table
}()

// headSize is how much of a file's beginning is kept, in bytes: its ELF and program
// headers or its interpreter line.
const headSize = 4 << 10

// A Sniffer reads the content of one file, as an [io.Writer] beside whatever else
// reads it. The zero value is ready.
type Sniffer struct {
	head  []byte
	elf   elfKind
	part  []byte // of a string whose end has not come
	begun bool   // part follows a zero byte and may be one that is wanted
	found map[string]bool
}

type elfKind uint8

const (
	unread  elfKind = iota
	notELF          // or not enough of it to tell
	object          // an object file
	program         // is run by itself
	either          // a library, or a program that is its own dynamic linker
)

// Sniffs reports whether more than its beginning says what a file of that name and mode
// is: not of a library, which is none of the tools.
func Sniffs(name string, mode uint32, head []byte) bool {
	return runs(readKind(head[:min(len(head), headSize)]), name, mode)
}

// runs reports whether an ELF file is run by itself.
func runs(kind elfKind, name string, mode uint32) bool {
	return kind == program || kind == either && mode&executable != 0 && !isLibrary(name)
}

// Write never fails.
func (s *Sniffer) Write(p []byte) (int, error) {
	all := len(p)
	if room := headSize - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, len(p))]...)
	}
	if s.elf == unread && len(s.head) >= headSize {
		s.elf = readKind(s.head)
	}
	if s.elf == notELF || s.elf == object || !bytes.HasPrefix(s.head, []byte(elf.ELFMAG)[:min(4, len(s.head))]) {
		return all, nil
	}
	for {
		for s.begun && len(s.part) == 0 && len(p) > 0 && p[0] == 0 { // programs have many
			p = p[1:]
		}
		end := bytes.IndexByte(p, 0)
		if end < 0 {
			s.keep(p)
			return all, nil
		}
		if s.begun && len(s.part)+end <= longest && len(s.part)+end > 0 {
			s.text(p[:end])
		}
		s.part, s.begun = s.part[:0], true
		p = p[end+1:]
	}
}

// keep keeps what may be the beginning of a string.
func (s *Sniffer) keep(p []byte) {
	if !s.begun || len(s.part)+len(p) > longest {
		s.part, s.begun = s.part[:0], false
		return
	}
	s.part = append(s.part, p...)
}

// text looks a string up that ends with tail.
func (s *Sniffer) text(tail []byte) {
	text := tail
	if len(s.part) > 0 {
		text = append(s.part, tail...)
	}
	if !worth[len(text)][text[0]] || wanted[string(text)] == nil {
		return
	}
	if s.found == nil {
		s.found = map[string]bool{}
	}
	s.found[string(text)] = true
}

// Reset makes s ready for another file.
func (s *Sniffer) Reset() {
	s.head, s.part = s.head[:0], s.part[:0]
	s.elf, s.begun = unread, false
	clear(s.found)
}

// signed returns the signatures that what was read has.
func (s *Sniffer) signed() []*signature {
	if len(s.found) == 0 {
		return nil
	}
	counts := make([]int, len(signatures))
	for text := range s.found {
		for _, i := range wanted[text] {
			counts[i]++
		}
	}
	var list []*signature
	for i := range signatures {
		if counts[i] >= signatures[i].need {
			list = append(list, &signatures[i])
		}
	}
	return list
}

// readKind returns what the ELF file that begins with head is, by its header and its
// program headers (System V ABI, chapters 4 and 5).
func readKind(head []byte) elfKind {
	if len(head) < 52 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return notELF
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	switch elf.Type(order.Uint16(head[16:])) {
	case elf.ET_EXEC:
		return program
	case elf.ET_REL:
		return object
	case elf.ET_DYN:
	default:
		return notELF
	}
	offset, size, count := uint64(order.Uint32(head[28:])), uint64(order.Uint16(head[42:])), uint64(order.Uint16(head[44:]))
	if elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64 {
		if len(head) < 64 {
			return notELF
		}
		offset, size, count = order.Uint64(head[32:]), uint64(order.Uint16(head[54:])), uint64(order.Uint16(head[56:]))
	}
	for ; count > 0 && size >= 4 && offset <= uint64(len(head))-4; count, offset = count-1, offset+size {
		if elf.ProgType(order.Uint32(head[offset:])) == elf.PT_INTERP {
			return program
		}
	}
	return either
}
