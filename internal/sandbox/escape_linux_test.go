package sandbox

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEscapes: what a hostile command tries in order to get out is refused. Each
// runs as root of its sandbox, which can do more than any other user there.
func TestEscapes(t *testing.T) {
	s := space(t)
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "private"), []byte("of the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PRIVATE_OF_THE_HOST", "1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	abstract, err := net.Listen("unix", fmt.Sprintf("@hardpan-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	for _, tt := range []struct {
		name, args string
		errs       string // one of these, with | between
	}{
		{"a file of the host", "cat " + host + "/private", "no such file"},
		{"one above the root", "cat ../../../../../../../.." + host + "/private", "no such file"},
		{"the first process's root", "ls /proc/1/root" + host, "permission denied"},
		{"the first process's files", "files 1", "permission denied"},
		{"the first process's environment", "cat /proc/1/environ", "permission denied|EOF"},
		{"the first process's memory", "cat /proc/1/mem", "permission denied|operation not permitted"},
		{"writing above", "write ../../../../../../../../.." + host + "/x y", "no such file"},
		{"tracing the first process", "ptrace 1", "operation not permitted"},
		{"reading its memory", "peek 1", "operation not permitted"},
		{"killing it", "seq kill 1 ; exit 9", "status 9|operation not permitted"},
		{"mounting", "mount", "operation not permitted"},
		{"binding", "bind", "operation not permitted"},
		{"mounting the new way", "fsopen", "operation not permitted"},
		{"unmounting what hides the host", "umount /", "operation not permitted"},
		{"unmounting what hides parts of /proc", "umount /proc/kcore", "operation not permitted"},
		{"changing the root", "pivot", "operation not permitted"},
		{"a device", "mknod /tmp/mem 1 1", "operation not permitted|permission denied"},
		{"a harmless device", "mknod /tmp/null 1 3", "operation not permitted|permission denied"},
		{"namespaces", "unshare", "operation not permitted"},
		{"a process in namespaces", "nest", "operation not permitted"},
		{"a process in namespaces that a filter cannot see", "clone3", "function not implemented"},
		{"a raw socket", "socket 2 3 1", "operation not permitted"},
		{"a socket of frames", "socket 17 3 0", "operation not permitted"},
		{"a socket of the hypervisor", "socket 40 1 0", "operation not permitted"},
		{"a listener of the host's loopback", "dial tcp " + l.Addr().String(), "connection refused"},
		{"an abstract socket of the host", "dial unix " + abstract.Addr().String(), "connection refused|operation not permitted"},
		{"the host's name", "hostname x", "operation not permitted"},
		{"the kernel's settings", "write /proc/sys/kernel/core_pattern x", "read-only file system|permission denied"},
		{"a key press for the kernel", "write /proc/sysrq-trigger x", "read-only file system|permission denied|no such file"},
		{"capabilities of a file", "filecaps", "operation not permitted|exit status 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, out := do(t, s, Step{}, strings.Fields(tt.args)...)
			if r.ExitCode == 0 {
				t.Fatalf("it worked: %s", out)
			}
			for want := range strings.SplitSeq(tt.errs, "|") {
				if strings.Contains(out, want) {
					return
				}
			}
			t.Errorf("status %d, output %q; want %s", r.ExitCode, out, tt.errs)
		})
	}
}

// TestHostNetwork: with the host's network a step reaches a listener of the host,
// and still none of its abstract sockets, where the kernel has landlock 6.
func TestHostNetwork(t *testing.T) {
	s := space(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	abstract, err := net.Listen("unix", fmt.Sprintf("@hardpan-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	r, out := do(t, s, Step{Network: NetworkHost}, "dial", "tcp", l.Addr().String())
	if r.ExitCode != 0 || r.Facts.Network != NetworkHost {
		t.Errorf("dial of the host: %s, %+v", out, r.Facts)
	}
	r, out = do(t, s, Step{Network: NetworkHost}, "dial", "unix", abstract.Addr().String())
	if len(r.Facts.Notes) > 0 {
		t.Skip(r.Facts.Notes[0])
	}
	if r.ExitCode == 0 || !strings.Contains(out, "operation not permitted") {
		t.Errorf("dial of an abstract socket of the host: status %d, %s", r.ExitCode, out)
	}
}

// TestOwnNetwork: processes of a step reach each other.
func TestOwnNetwork(t *testing.T) {
	s := space(t)
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0"} {
		if r, out := do(t, s, Step{}, "listen", addr); r.ExitCode != 0 {
			t.Errorf("%s: %s", addr, out)
		}
	}
}

// TestPrivileges says what a command may.
func TestPrivileges(t *testing.T) {
	s := space(t)
	for _, tt := range []struct {
		name, args, want string
		step             Step
	}{
		{"bounds of root", "status CapBnd", "00000000800405fb", Step{}},
		{"capabilities of root", "status CapEff", "00000000800405fb", Step{}},
		{"bounds of another user", "status CapBnd", "0000000000000000", Step{UID: 5, GID: 5}},
		{"capabilities of another user", "status CapPrm", "0000000000000000", Step{UID: 5, GID: 5}},
		{"no new privileges", "status NoNewPrivs", "1", Step{}},
		{"a filter of system calls", "status Seccomp", "2", Step{}},
		{"groups", "id", "5 6 [7 8]", Step{UID: 5, GID: 6, Groups: []uint32{7, 8}}},
		{"setuid gains nothing", "setuid", "7 7", Step{}},
		{"a root in the root is the same one", "chroot", "", Step{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.step.UID > 0 || tt.name == "setuid gains nothing" {
				needIDs(t, s)
			}
			r, out := do(t, s, tt.step, strings.Fields(tt.args)...)
			if r.ExitCode != 0 || out != tt.want {
				t.Errorf("status %d, %q, want %q", r.ExitCode, out, tt.want)
			}
		})
	}
}

// needIDs skips a test that needs more ids than one.
func needIDs(t *testing.T, s *Space) {
	t.Helper()
	if s.ids.kind == idsOne {
		t.Skip("the host gives this user one id only: " + s.ids.help)
	}
}

// TestLimits: a step that takes too much is stopped, and the result says of what.
func TestLimits(t *testing.T) {
	s := space(t)
	little := Limits{Memory: 96 << 20, Processes: 40, Disk: 8 << 20, Time: 20 * time.Second}
	for _, tt := range []struct {
		name, args, exceeded string
		limits               Limits
	}{
		{"an endless loop", "loop", "time", Limits{Time: 100 * time.Millisecond}},
		{"a fork bomb", "bomb", "processes", Limits{Processes: 100, Time: 20 * time.Second}},
		{"memory", "hog", "memory", little},
		{"memory of files without a name", "hogmemfd", "memory", little},
		{"disk", "fill /x", "disk", little},
		{"disk of a file without a name", "fillunlinked /x", "disk", little},
		{"disk of a cache", "fill /cache/x", "disk", little},
		{"disk of empty files", "fillfiles /tmp/x", "disk", Limits{Disk: 1 << 20, Time: 20 * time.Second}},
		{"shared memory, which is bounded by itself", "hogshm", "", little},
		{"nothing too much", "exit 1", "", little},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, out := do(t, s, Step{Keep: tt.name, Limits: tt.limits, Mounts: []Mount{{Cache: tt.name, Target: "/cache"}}}, strings.Fields(tt.args)...)
			if r.Exceeded != tt.exceeded || r.ExitCode == 0 || s.Has(tt.name) {
				t.Errorf("status %d, exceeded %q, want %q; %s", r.ExitCode, r.Exceeded, tt.exceeded, out)
			}
			if names := leftovers(t, s); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

// TestLimitAtEnd: what a step took between two looks is found at its end.
func TestLimitAtEnd(t *testing.T) {
	s := space(t)
	r, _ := do(t, s, Step{Keep: "k", Limits: Limits{Disk: 64 << 10}}, "seq", "copy", "/x", ";", "exit", "0")
	if r.Exceeded != "disk" || s.Has("k") {
		t.Errorf("got %+v", r)
	}
}

// TestOutlive: what a command leaves running ends with it.
func TestOutlive(t *testing.T) {
	s := space(t)
	start := time.Now()
	r, _ := do(t, s, Step{Keep: "k"}, "outlive")
	if r.ExitCode != 0 || !s.Has("k") || time.Since(start) > time.Minute {
		t.Errorf("got %+v", r)
	}
}

// TestFacts: what held a step is told.
func TestFacts(t *testing.T) {
	s := space(t)
	r, _ := do(t, s, Step{}, "exit", "0")
	if kind := os.Getenv(kindEnv); kind != "" && kind != r.Facts.IDs {
		t.Errorf("ids of kind %s, want %s", r.Facts.IDs, kind)
	}
	if root := os.Getenv(rootEnv); root != "" && root != r.Facts.Root {
		t.Errorf("snapshots are stacked by %s, want %s", r.Facts.Root, root)
	}
	if r.Facts.IDs == idsOne && !strings.Contains(s.ids.help, "/etc/subuid") && len(r.Facts.Notes) == 0 {
		t.Errorf("nothing says why there is one id only: %+v", r.Facts)
	}
	if f := r.Facts; f.IDs != s.ids.kind || f.Seccomp != "filter" || f.Landlock == "" || f.Proc == "" || len(f.Limits) == 0 || f.Network != NetworkNone {
		t.Errorf("got %+v", f)
	}
}
