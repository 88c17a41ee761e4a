package generate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// keyCommands are the programs that make random keys. The files that they make are
// sealed ([rootfs.FS.Seal]): an image has no secrets of its own.
var keyCommands = map[string]shell.Command{
	"ssh-keygen":   sshKeygen,
	"rndc-confgen": getopt.Command("a A= b= c= h k= p= q r= s= t= u=", 1, rndcConfgen),
	"mungekey":     getopt.Command("c f k=", 1, mungekey),
	"dropbearkey":  getopt.Command("t= f= s=", 1, dropbearkey),
	"xrdp-keygen":  xrdpKeygen,
	"certtool":     printing("certtool", "--generate-dh-params", "--generate-privkey"),
	"nvme":         printing("nvme", "gen-hostnqn", "show-hostnqn"),
	"uuidgen":      printing("uuidgen", "", "-r", "--random", "-t", "--time"),
	"mcookie":      printing("mcookie", ""),
	"iscsi-iname":  printing("iscsi-iname", "", "-p"),
}

// opensslOut is openssl rand, dhparam, genrsa or genpkey with -out: openssl-rand(1ssl)
// and those beside it.
func opensslOut(p *shell.Proc, args []string) (int, error) {
	for i := 0; i < len(args)-1; i++ {
		if args[i] == "-out" {
			return seal(p, 0o666, args[i+1])
		}
	}
	return 0, p.PrintSecret()
}

// opensslReq is openssl req, as far as it makes a new key and a certificate that the
// key signs itself: openssl-req(1ssl).
func opensslReq(p *shell.Proc, args []string) (int, error) {
	certificate, key, known, signsItself, makesKey := "", "", "", false, false
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-out", "-keyout", "-key", "-config", "-days", "-subj", "-addext", "-newkey", "-extensions", "-reqexts", "-set_serial", "-pkeyopt", "-utf8", "-batch":
			if args[i] == "-utf8" || args[i] == "-batch" {
				continue
			}
			if i+1 == len(args) {
				return 1, nil
			}
			switch args[i] {
			case "-out":
				certificate = args[i+1]
			case "-keyout":
				key = args[i+1]
			case "-key":
				known = args[i+1]
			case "-newkey":
				makesKey = true
			}
			i++
		case "-x509":
			signsItself = true
		case "-new":
			makesKey = true
		case "-nodes", "-noenc", "-sha256", "-sha384", "-sha512", "-quiet", "-verbose":
		default:
			return 0, shell.Unsupported("openssl req %s", args[i])
		}
	}
	if known != "" && key == "" && signsItself && certificate != "" && p.FS.IsSealed(p.Path(known)) {
		return seal(p, 0o666, certificate)
	}
	if known != "" || !signsItself || !makesKey || certificate == "" || key == "" {
		return 0, shell.Unsupported("openssl req without -new, -x509, -out and -keyout")
	}
	if status, err := seal(p, 0o600, key); status != 0 || err != nil || key == certificate {
		return status, err
	}
	return seal(p, 0o666, certificate)
}

// UnknownHash is the hash of a certificate that nobody knows (openssl-x509(1ssl),
// -hash), which becomes the name of a link.
const UnknownHash = "00000000"

// opensslX509 is openssl x509 for the certificates that opensslReq makes, whose
// hash is as unknown as they are: openssl-x509(1ssl).
func opensslX509(p *shell.Proc, args []string) (int, error) {
	in := slices.Index(args, "-in")
	if in >= 0 && in+1 < len(args) && p.FS.IsSealed(p.Path(args[in+1])) && len(args) == 3 && slices.Contains(args, "-text") {
		if _, ok := p.Stdout.(*rootfs.File); ok {
			return 0, p.PrintSecret()
		}
		// what make-ssl-cert looks for in a certificate of its own
		_, err := io.WriteString(p.Stdout, "        Signature Algorithm: sha256WithRSAEncryption\n                Public-Key: (2048 bit)\n")
		return 0, err
	}
	if in < 0 || in+1 >= len(args) || !p.FS.IsSealed(p.Path(args[in+1])) || !slices.Contains(args, "-hash") || !slices.Contains(args, "-noout") || len(args) != 4 {
		return 0, shell.Unsupported("openssl x509 %s", strings.Join(args, " "))
	}
	_, err := p.Stdout.Write([]byte(UnknownHash + "\n"))
	return 0, err
}

// rndcConfgen is rndc-confgen(8) with -a.
func rndcConfgen(_ context.Context, c *getopt.Call) (int, error) {
	if !c.Has("a") || c.Has("t") || c.Has("h") || len(c.Operands) > 0 {
		return 0, shell.Unsupported("rndc-confgen without -a, or with -t or -h")
	}
	name := c.Value("c")
	if name == "" {
		name = "/etc/bind/rndc.key"
	}
	if status, err := seal(c.Proc, 0o600, name); status != 0 || err != nil {
		return status, err
	}
	if !c.Has("q") {
		fmt.Fprintf(c.Stderr, "wrote key file %q\n", name)
	}
	return 0, nil
}

// hostKeyTypes are the host keys that sshd uses where its configuration names none
// (sshd_config(5), HostKey), and those that ssh-keygen -A makes.
var hostKeyTypes = []string{"rsa", "ecdsa", "ed25519"}

// sshKeygen is ssh-keygen(1), as far as it makes keys.
func sshKeygen(_ context.Context, p *shell.Proc) (int, error) {
	c, err := getopt.Parse(p, "q A l t= b= f= N= C= m=")
	if err != nil {
		return 0, err
	}
	file := c.Value("f")
	switch {
	case len(c.Operands) > 0:
	case c.Has("l") && file != "" && p.FS.IsSealed(p.Path(file)):
		return 0, nil // the fingerprint, of what nobody knows
	case c.Has("A") && file == "":
		for _, t := range hostKeyTypes {
			key := "/etc/ssh/ssh_host_" + t + "_key"
			if p.FS.Exists(key) {
				continue
			}
			if status, err := sealPair(p, key); status != 0 || err != nil {
				return status, err
			}
		}
		return 0, nil
	case !c.Has("A") && !c.Has("l") && c.Has("N") && file != "" && !p.FS.Exists(p.Path(file)):
		return sealPair(p, file)
	}
	return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
}

// printing returns a program that prints something random where its first argument
// is one of these, "" for none.
func printing(name string, first ...string) shell.Command {
	return func(_ context.Context, p *shell.Proc) (int, error) {
		given := ""
		if len(p.Args) > 1 {
			given = p.Args[1]
		}
		if !slices.Contains(first, given) || slices.Contains(p.Args, "--outfile") {
			return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
		}
		return 0, p.PrintSecret()
	}
}

// mungekey is mungekey(8) with --create.
func mungekey(_ context.Context, c *getopt.Call) (int, error) {
	name := c.Value("k")
	if name == "" {
		name = "/etc/munge/munge.key"
	}
	if !c.Has("c") || c.Has("f") || len(c.Operands) > 0 || c.FS.Exists(c.Path(name)) {
		return 0, shell.Unsupported("mungekey other than to make a key where there is none")
	}
	return seal(c.Proc, 0o600, name)
}

// dropbearkey is dropbearkey(1), as far as it makes keys. It prints what only
// ssh-keygen can read.
func dropbearkey(_ context.Context, c *getopt.Call) (int, error) {
	if !c.Has("t") || c.Value("f") == "" || len(c.Operands) > 0 || c.FS.Exists(c.Path(c.Value("f"))) || c.Look("ssh-keygen") != "" {
		return 0, shell.Unsupported("%s, unless to make a key where there is none, and no ssh-keygen,", strings.Join(c.Args, " "))
	}
	return seal(c.Proc, 0o600, c.Value("f"))
}

// xrdpKeygen is xrdp-keygen(8) for the file that xrdp reads.
func xrdpKeygen(_ context.Context, p *shell.Proc) (int, error) {
	const file = "/etc/xrdp/rsakeys.ini"
	if len(p.Args) < 2 || p.Args[1] != "xrdp" || len(p.Args) > 2 && p.Args[2] != "auto" && p.Args[2] != file || p.FS.Exists(file) {
		return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
	}
	return seal(p, 0o600, file)
}

func sealPair(p *shell.Proc, key string) (int, error) {
	if status, err := seal(p, 0o600, key); status != 0 || err != nil {
		return status, err
	}
	return seal(p, 0o644, key+".pub")
}

// seal makes files that stand for something random.
func seal(p *shell.Proc, perm uint32, names ...string) (int, error) {
	for _, name := range names {
		if err := p.FS.Seal(p.Path(name), perm&^p.Umask); err != nil {
			return fail(p, err)
		}
	}
	return 0, nil
}
