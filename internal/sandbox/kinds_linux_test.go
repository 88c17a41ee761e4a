package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The tests of this package hold for every kind of ids. They run once as whoever
// runs them; TestKinds runs them again as others, which only root can become.

// outerName is the name (argv[0]) under which the test binary becomes another user,
// with what that user finds on the host, and runs the tests.
const outerName = "hardpan-outer"

// kindEnv says, to the tests run again, which kind they are to find.
const kindEnv = "HARDPAN_TEST_KIND"

// rootEnv says how they are to find snapshots stacked. They make copies if it is
// given without the kind.
const rootEnv = "HARDPAN_TEST_ROOT"

// The ids of TestKinds: nobody's on the host.
const (
	testUser = 0x68690000
	testSub  = 0x68691000
)

func TestKinds(t *testing.T) {
	if os.Getenv(kindEnv) != "" {
		t.Skip("these are the tests of one kind")
	}
	if os.Geteuid() != 0 || !haveCaps(unix.CAP_SYS_ADMIN, unix.CAP_SETUID, unix.CAP_SETGID) {
		t.Skip("the host lets only root become other users")
	}
	for _, tt := range []struct {
		name, kind                                        string
		subordinate, container, mappers, refusing, copies bool
	}{
		{name: "an ordinary user with subordinate ids", kind: idsSubordinate, subordinate: true, mappers: true},
		{name: "an ordinary user without", kind: idsOne},
		{name: "an ordinary user whose newuidmap is not setuid", kind: idsOne, subordinate: true, refusing: true},
		{name: "root of an unprivileged container", kind: idsRoot, container: true},
		{name: "one whose root is an overlay", kind: idsRoot, container: true, copies: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if (tt.mappers || tt.refusing) && !haveMappers() {
				t.Skip("the host has no newuidmap and newgidmap: install uidmap")
			}
			dir := outerDir(t, tt.subordinate)
			owner := testUser
			attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
			args := []string{outerName, "user", dir}
			test := "-test.skip=^(TestKinds|TestForeign|Fuzz.*)$"
			if tt.refusing {
				args[1], test = "refused user", "-test.run=^(TestFacts|TestKeep)$"
			}
			if tt.container {
				owner, args[1] = testSub, "container"
				attr.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
				attr.UidMappings = []syscall.SysProcIDMap{{HostID: testSub, Size: wantIDs}}
				attr.GidMappings, attr.GidMappingsEnableSetgroups = attr.UidMappings, true
				attr.Credential = &syscall.Credential{}
				if tt.copies {
					args[1] = "overlay container"
				}
			}
			if err := os.Lchown(filepath.Join(dir, "tmp"), owner, owner); err != nil {
				t.Fatal(err)
			}
			root := "overlay"
			if tt.copies {
				root = "copy"
			}
			cmd := &exec.Cmd{
				Path: "/proc/self/exe", Args: append(args, "-test.v", test), Dir: "/",
				Env:         []string{"TMPDIR=" + filepath.Join(dir, "tmp"), "PATH=" + os.Getenv("PATH"), kindEnv + "=" + tt.kind, rootEnv + "=" + root, noRaceSleep},
				SysProcAttr: attr,
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestFacts") {
				t.Errorf("%v\n%s", err, failures(string(out)))
			}
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "--- SKIP") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}

// failures leaves out what went well.
func failures(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "--- PASS") && !strings.Contains(line, "=== ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// outerDir makes a directory with what another user's /etc holds, and a place for
// its temporary files. Every user can get at it.
func outerDir(t *testing.T, subordinate bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hardpan-kinds")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sub := ""
	if subordinate {
		sub = fmt.Sprintf("hptest:%d:%d\n", testSub, wantIDs)
	}
	for name, text := range map[string]string{
		"passwd": fmt.Sprintf("root:x:0:0::/root:/bin/sh\nhptest:x:%d:%[1]d::/:/bin/sh\n", testUser),
		"subuid": sub, "subgid": sub,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// outer is the main function of the binary under outerName: it returns only if it fails.
func outer(args []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if args[0] != "user" && args[0] != "refused user" {
		if err := enterContainer(args[1], args[0] == "overlay container"); err != nil {
			return fmt.Errorf("cannot make a container: %w", err)
		}
	} else if err := becomeUser(args[1], args[0] == "refused user"); err != nil {
		return fmt.Errorf("cannot become another user: %w", err)
	}
	return syscall.Exec("/proc/self/exe", append([]string{"sandbox.test"}, args[2:]...), os.Environ())
}

// becomeUser becomes an ordinary user, with set-up programs that are not setuid, if
// they are to refuse.
func becomeUser(dir string, refuse bool) error {
	if refuse {
		for _, name := range []string{"newuidmap", "newgidmap"} {
			path, err := exec.LookPath(name)
			if err != nil {
				return err
			}
			if err := unix.Mount("/bin/false", path, "", unix.MS_BIND, ""); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"passwd", "subuid", "subgid"} {
		if err := unix.Mount(filepath.Join(dir, name), "/etc/"+name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("/etc/%s: %w", name, err)
		}
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(testUser, testUser, testUser); err != nil {
		return err
	}
	return syscall.Setresuid(testUser, testUser, testUser)
}

// enterContainer does what rootless container runtimes do to a container: parts of
// /proc are hidden, and few capabilities are left.
func enterContainer(dir string, overlay bool) error {
	if overlay {
		tmp := filepath.Join(dir, "tmp")
		for _, name := range []string{"lower", "upper", "work", "root"} {
			if err := os.Mkdir(filepath.Join(tmp, name), 0o755); err != nil {
				return err
			}
		}
		options := fmt.Sprintf("userxattr,lowerdir=%s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", tmp)
		if err := unix.Mount("overlay", filepath.Join(tmp, "root"), "overlay", 0, options); err != nil {
			return fmt.Errorf("an overlay: %w", err)
		}
		os.Setenv("TMPDIR", filepath.Join(tmp, "root"))
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	for _, name := range []string{"kcore", "timer_list", "keys"} {
		if err := unix.Mount("/dev/null", "/proc/"+name, "", unix.MS_BIND, ""); err != nil && err != unix.ENOENT {
			return fmt.Errorf("/proc/%s: %w", name, err)
		}
	}
	if err := unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	return boundCaps([]int{ // podman's default
		unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_NET_BIND_SERVICE,
		unix.CAP_SETFCAP, unix.CAP_SETGID, unix.CAP_SETPCAP, unix.CAP_SETUID, unix.CAP_SYS_CHROOT,
	})
}
