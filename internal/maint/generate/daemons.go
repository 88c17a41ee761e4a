package generate

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Programs of packages whose scripts ask them something that can be answered
// without them.

// asked are such programs, with the first arguments that have an answer, "" for
// none, and that answer: a status. Scripts start no service, so that what
// they check is the configuration that the package has just brought.
var asked = map[string]struct {
	first  string
	status int
}{
	"named-checkconf": {"/etc/bind/named.conf", 0},
	"proftpd":         {"-t", 0},
	"apache2":         {"-t", 0},
	"smartctl":        {"-V -B", 0}, // the version; whether a list of drives can be read
	"auditctl":        {"-s", 1},    // there is no kernel that audits
	"vgcfgbackup":     {"", 0},      // there are no volume groups
	"/usr/share/postgresql-common/pg_checksystem": {"", 0}, // it gives advice about the kernel
	"policy-rc.d":    {"*", 101}, // no service may be started (invoke-rc.d(8))
	"test-SSE2":      {"", 0},    // the processor is that of the machine that runs the image
	"test-SSE3":      {"", 0},
	"test-SSSE3":     {"", 0},
	"test-SSE4.1":    {"", 0},
	"test-SSE4.2":    {"", 0},
	"test-AVX":       {"", 0},
	"test-AVX2":      {"", 0},
	"test-AES":       {"", 0},
	"test-PCLMULQDQ": {"", 0},
}

// daemonCommands returns the programs by name.
func daemonCommands() map[string]shell.Command {
	all := map[string]shell.Command{"chronyd": chronyd, "sshd": sshd, "ufw": ufwApp, "exim4": exim4}
	for name, a := range asked {
		all[name] = func(_ context.Context, p *shell.Proc) (int, error) {
			first := ""
			if len(p.Args) > 1 {
				first = p.Args[1]
			}
			if a.first != "*" && first != a.first && (first == "" || !slices.Contains(strings.Fields(a.first), first)) {
				return 0, shell.Unsupported("running %s, a program of the image,", strings.Join(p.Args, " "))
			}
			return a.status, nil
		}
	}
	return all
}

// ufwApp is "ufw app update", which changes the rules that name an application. The
// rules that a package brings name none.
func ufwApp(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) < 3 || p.Args[1] != "app" || p.Args[2] != "update" {
		return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
	}
	for _, rules := range []string{"/etc/ufw/user.rules", "/etc/ufw/user6.rules"} {
		if b, err := p.FS.ReadFile(rules); err == nil && strings.Contains(string(b), "dapp_") {
			return 0, shell.Unsupported("ufw app update with rules that name an application")
		}
	}
	return 0, nil
}

// exim4 is exim(8) with -bV, which reads the configuration that a script has just
// made.
func exim4(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) != 4 || p.Args[1] != "-C" || p.Args[3] != "-bV" {
		return 0, shell.Unsupported("running %s, a program of the image,", strings.Join(p.Args, " "))
	}
	if !isFile(p, p.Path(p.Args[2])) {
		return 1, nil
	}
	return 0, nil
}

// chronyd is chronyd(8) with -p: it prints the lines of its configuration, those of
// the files that it takes in included.
func chronyd(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) != 2 || p.Args[1] != "-p" {
		return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
	}
	return 0, printChrony(p, "/etc/chrony/chrony.conf", 0)
}

// printChrony prints one file of chrony's configuration (chrony.conf(5)).
func printChrony(p *shell.Proc, name string, depth int) error {
	b, err := p.FS.ReadFile(name)
	if err != nil || depth > 10 {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.Contains("!;#%", words[0][:1]) {
			continue
		}
		switch strings.ToLower(words[0]) {
		case "confdir":
			for _, dir := range words[1:] {
				names, _ := p.FS.ReadDir(dir)
				for _, n := range names {
					if strings.HasSuffix(n, ".conf") {
						if err := printChrony(p, path.Join(dir, n), depth+1); err != nil {
							return err
						}
					}
				}
			}
			continue
		case "include":
			return shell.Unsupported("chronyd -p with include")
		}
		if _, err := io.WriteString(p.Stdout, strings.Join(words, " ")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// sshd is sshd(8) with -G, which prints the configuration; of that, the host keys
// are known. With -t it checks what nobody changed.
func sshd(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) == 2 && p.Args[1] == "-t" {
		return 0, nil
	}
	if len(p.Args) != 2 || p.Args[1] != "-G" {
		return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
	}
	text, err := p.FS.ReadFile("/etc/ssh/sshd_config")
	if err != nil {
		return fail(p, err)
	}
	var keys []string
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 2 && strings.EqualFold(words[0], "HostKey") {
			keys = append(keys, words[1])
		}
	}
	if len(keys) == 0 {
		for _, t := range hostKeyTypes {
			keys = append(keys, "/etc/ssh/ssh_host_"+t+"_key")
		}
	}
	for _, key := range keys {
		fmt.Fprintf(p.Stdout, "hostkey %s\n", key)
	}
	return 0, nil
}
