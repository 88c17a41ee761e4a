package kms

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// What a program may take. Somebody may have to touch a token, or to approve.
const (
	patience  = 2 * time.Minute
	maxAnswer = 1 << 20 // bytes of an answer, which is a key or a signature
	maxNoise  = 500     // bytes of its standard error, and of a message of its own, that an error has
	maxLinger = time.Second
)

var (
	errSlow = errors.New("slow")
	errLong = errors.New("long")
)

// call runs the program: the message on its standard input, all else in an argument. By
// the protocol an answer counts whatever the exit code is, unless a signal ended it.
func (k *key) call(ctx context.Context, message []byte, method *common.MethodArgs) (*common.PluginResp, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, k.patience, errSlow)
	defer cancel()
	deadline, _ := ctx.Deadline()
	args, err := json.Marshal(&common.PluginArgs{
		InitOptions: &common.InitOptions{
			CtxDeadline: &deadline, ProtocolVersion: common.ProtocolVersion, KeyResourceID: k.resource,
			HashFunc: crypto.SHA256, RPCOptions: &common.RPCOptions{},
		},
		MethodArgs: method,
	})
	if err != nil {
		return nil, err
	}
	out, noise := bounded{max: maxAnswer, strict: true}, bounded{max: maxNoise}
	cmd := k.command(ctx, string(args))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(message), &out, &noise
	err = cmd.Run()
	if ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			return nil, &hinted{fmt.Errorf("%s: no answer within %s", k.name, k.patience), "see that the service or the token can be reached, and waits for nobody's touch or approval"}
		}
		return nil, ctx.Err()
	}
	answer, err := parse(&out, err)
	if err != nil {
		if said := oneLine(string(noise.kept)); said != "" {
			err = fmt.Errorf("%w; it says %q", err, said)
		}
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	if answer.ErrorMessage != "" {
		what, hint, _ := strings.Cut(answer.ErrorMessage, "\nhint: ") // as the programs of hardpan have it
		return nil, &hinted{fmt.Errorf("%s: %.*s", k.name, maxNoise, oneLine(what)), fmt.Sprintf("%.*s", maxNoise, oneLine(hint))}
	}
	return answer, nil
}

// command returns what to run, in a session of its own: whatever it starts ends with it
// when ctx does, and it asks for nothing on the terminal, for which nobody may be there.
func (k *key) command(ctx context.Context, args string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, k.program, common.ProtocolVersion, args)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HARDPAN_PASSWORD=") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = maxLinger // for what it left behind with its standard output
	return cmd
}

// parse returns the answer of a program that ended with err.
func parse(out *bounded, err error) (*common.PluginResp, error) {
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case out.cut:
		return nil, fmt.Errorf("its answer is longer than %d bytes", out.max)
	case err != nil && !exited && !errors.Is(err, exec.ErrWaitDelay):
		return nil, err
	case exited && !exit.Exited():
		return nil, err
	}
	var answer common.PluginResp
	if json.Unmarshal(out.kept, &answer) == nil {
		return &answer, nil
	}
	if exited {
		return nil, fmt.Errorf("%w, and its answer is not JSON of the protocol %s", err, common.ProtocolVersion)
	}
	return nil, fmt.Errorf("its answer is not JSON of the protocol %s", common.ProtocolVersion)
}

// bounded keeps the first max bytes of what is written.
type bounded struct {
	kept   []byte
	max    int
	strict bool // what is longer is refused, with which the pipe is closed
	cut    bool // there was more
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.max-len(b.kept))
	b.kept = append(b.kept, p[:n]...)
	b.cut = b.cut || n < len(p)
	if b.cut && b.strict {
		return n, errLong
	}
	return len(p), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
