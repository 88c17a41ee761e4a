package shell

import (
	"bytes"
	"errors"
	"io"

	"mvdan.cc/sh/v3/syntax"
)

// substitute runs a command substitution, and returns what it prints without the
// newlines at its end (XCU 2.6.3).
func (r *run) substitute(cs *syntax.CmdSubst) (string, error) {
	if cs.TempFile || cs.ReplyVar {
		return "", Unsupported("this form of command substitution")
	}
	r.substituted = true
	if s, ok, err := r.fileSubstitution(cs); ok || err != nil {
		return s, err
	}
	status, failed := r.status, r.failed
	out := &output{budget: &r.shell.budget, counts: true}
	defer out.free()
	err := r.inSubshell(func(sub *run) error {
		sub.setFD(1, stream{w: out})
		if sub.tested = false; r.bash {
			sub.opts.errexit = false
		}
		return sub.stmts(cs.Stmts)
	})
	r.substStatus = r.status
	r.status = status // $? stays that of the last command
	if r.substStatus == 0 {
		r.failed = failed
	}
	if err != nil {
		return "", err
	}
	return trimNewlines(out.bytes()), nil
}

func trimNewlines(b []byte) string {
	b = bytes.TrimRight(b, "\n")
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.TrimRight(bytes.ReplaceAll(b, []byte{0}, nil), "\n")
	}
	return string(b)
}

// fileSubstitution is bash's $(<file).
func (r *run) fileSubstitution(cs *syntax.CmdSubst) (s string, ok bool, err error) {
	if !r.bash || len(cs.Stmts) != 1 || cs.Stmts[0].Cmd != nil || len(cs.Stmts[0].Redirs) != 1 || cs.Stmts[0].Redirs[0].Op != syntax.RdrIn {
		return "", false, nil
	}
	saved, err := r.redirect(cs.Stmts[0].Redirs, "")
	if err != nil {
		_, err = r.redirectFailed(err, false)
		r.substStatus = 1
		return "", true, err
	}
	b, err := io.ReadAll(io.LimitReader(r.stdin(), maxValue+1))
	r.substStatus = 0
	return trimNewlines(b), true, errors.Join(err, r.undo(saved))
}
