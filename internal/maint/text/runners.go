package text

import (
	"context"
	"io"
	"regexp"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// runner is a command that calls another one, in a way that makes no difference
// here: with another priority, in the background, for a limited time.
type runner struct {
	short, long string
	operands    int  // before the command
	alone       bool // may be called without a command
}

var runners = map[string]runner{
	"nice":    {"+n:", "adjustment:=n", 0, false},
	"nohup":   {"+", "", 0, false},
	"timeout": {"+fk:ps:v", "foreground=f kill-after:=k preserve-status=p signal:=s verbose=v", 1, false},
	"setsid":  {"+cfw", "ctty=c fork=f wait=w", 0, false},
	"ionice":  {"+c:n:tp:P:u:", "class:=c classdata:=n ignore=t pid:=p pgid:=P uid:=u", 0, true},
	"chrt":    {"+abdfiomprRT:P:D:v", "all-tasks=a batch=b deadline=d fifo=f idle=i other=o rr=r max=m pid=p reset-on-fork=R", 1, false},
	"taskset": {"+acp", "all-tasks=a cpu-list=c pid=p", 1, false},
	"stdbuf":  {"+i:o:e:", "input:=i output:=o error:=e", 0, false},
	"flock":   {"+sxeunw:oE:Fv", "shared=s exclusive=x unlock=u nonblock=n timeout:=w wait:=w close=o conflict-exit-code:=E no-fork=F verbose=v", 1, true},
}

var (
	negativeNumber = regexp.MustCompile(`^-+\d+$`)
	duration       = regexp.MustCompile(`^(\d+\.?\d*|\.\d+)[smhd]?$|^infinity$`)
)

func (r runner) command(ctx context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) > 1 && p.Args[0] == "nice" && negativeNumber.MatchString(p.Args[1]) {
		p.Args = append(p.Args[:1:1], p.Args[2:]...) // nice -10
	}
	_, args, err := options(p, r.short, r.long)
	if err != nil {
		return 125, err
	}
	if len(args) < r.operands || len(args) == r.operands && !r.alone {
		if p.Args[0] == "nice" && len(args) == 0 {
			_, err := io.WriteString(p.Stdout, "0\n")
			return 0, err
		}
		_, err := p.Errorf("missing operand")
		return 125, err
	}
	if p.Args[0] == "timeout" && !duration.MatchString(args[0]) {
		_, err := p.Errorf("invalid time interval '%s'", args[0])
		return 125, err
	}
	args = args[r.operands:]
	if len(args) == 0 {
		return 0, nil
	}
	if p.Args[0] == "flock" && (args[0] == "-c" || args[0] == "--command") {
		args = append([]string{"sh", "-c"}, args[1:]...)
	}
	return p.Run(ctx, args...)
}

// chroot is chroot(8), into the image itself.
func chroot(ctx context.Context, p *shell.Proc) (int, error) {
	_, args, err := options(p, "+", "")
	if err != nil {
		return 125, err
	}
	if len(args) == 0 {
		_, err := p.Errorf("missing operand")
		return 125, err
	}
	if root, err := p.FS.RealPath(p.Path(args[0])); err != nil || root != "/" {
		return 125, shell.Unsupported("chroot into %s", args[0])
	}
	if len(args) == 1 {
		return 125, shell.Unsupported("chroot: an interactive shell")
	}
	q := *p
	q.Dir = "/"
	return q.Run(ctx, args[1:]...)
}

// sleep is sleep(1): there is nothing to wait for.
func sleep(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) == 1 {
		return p.Errorf("missing operand")
	}
	for _, arg := range p.Args[1:] {
		if !duration.MatchString(arg) {
			return p.Errorf("invalid time interval '%s'", arg)
		}
	}
	return 0, nil
}

// maxYes is how much yes prints before its reader has enough: the sides of a pipe run
// one after the other.
const maxYes = 1 << 20

// yes is yes(1), into a pipe.
func yes(_ context.Context, p *shell.Proc) (int, error) {
	args := p.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	line := "y\n"
	if len(args) > 0 {
		line = strings.Join(args, " ") + "\n"
	}
	if _, file := p.Stdout.(interface{ Close() error }); file {
		return 1, shell.Unsupported("yes into a file")
	}
	_, err := io.WriteString(p.Stdout, strings.Repeat(line, maxYes/len(line)+1))
	return 141, err // ended by SIGPIPE
}
