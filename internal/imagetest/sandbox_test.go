//go:build linux

package imagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	buildsandbox "github.com/hardpan/hardpan/internal/sandbox"
)

// A sandbox runs a program in a tree of files as an ordinary user can: this test
// binary starts itself as that user (stageUser), makes new user, mount, process,
// network, IPC and host name namespaces in which it has the image's user id and no
// other (stageRoot), makes the tree the root, read-only, and gives up its rights.
type sandbox struct {
	Root     string   // directory of the unpacked image
	UID, GID int      // of the image's user
	Dir      string   // working directory
	Args     []string // the program, by path or for PATH to find, with its arguments
	Path     string   // of the program, once it is found
	Env      []string
	Binds    map[string]string // further files, read-only: path in the image to path here
	Writable []string          // directories that are in memory and can be written
	Ask      []question        // unless none, the program is a server: what to ask it and print the answers of
	Health   []string          // a command that is run beside the server then, and its exit printed
	Stop     syscall.Signal    // ends a server
}

// question is a request to a server.
type question struct {
	URL  string
	Body []byte // of a POST; nil for a GET
}

// account is an ordinary user of the host; its zero value is the one who runs the test.
type account struct{ uid, gid int }

// ordinaryUser returns whom programs are run as: nobody in particular where root
// runs the test.
func ordinaryUser() account {
	if os.Getuid() != 0 {
		return account{}
	}
	return account{uid: 64990, gid: 64990} // no account has these (Debian Policy 9.2.2)
}

const (
	stageVariable = "HARDPAN_IMAGETEST_STAGE"
	stageUser     = "user"
	stageRoot     = "root"

	// exitSetup is the exit code of a stage that could not make the sandbox. The
	// first line it printed says why.
	exitSetup = 125
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(stageVariable) {
	case "":
		buildsandbox.Init() // builds run their stages in this program, too
		os.Exit(m.Run())
	case stageUser:
		err = enterNamespaces()
	case stageRoot:
		err = enterRoot()
	}
	fmt.Fprintln(os.Stderr, err)
	if noFeature(err) {
		fmt.Fprintln(os.Stderr, missingFeature)
	}
	os.Exit(exitSetup)
}

// missingFeature marks an error that is the host's refusal and not the image's fault.
const missingFeature = "the host does not let an ordinary user do this"

func noFeature(err error) bool {
	for _, errno := range []error{unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EUSERS, unix.ENOSYS, unix.EINVAL} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// run runs the sandbox and returns what the program printed. It skips the test
// where the host has no namespaces for ordinary users.
func (b *sandbox) run(t *testing.T) (string, error) {
	t.Helper()
	config, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = []string{stageVariable + "=" + stageUser}
	cmd.Stdin = bytes.NewReader(config)
	cmd.Dir = "/"
	user := ordinaryUser()
	if user != (account{}) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user.uid), Gid: uint32(user.gid)}}
	}
	// A program may open its output anew by /dev/stdout, which a file of mode 0666
	// allows; both then have to append.
	out, err := os.OpenFile(filepath.Join(t.TempDir(), "output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := os.Chmod(out.Name(), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	printed, readErr := os.ReadFile(out.Name())
	if readErr != nil {
		t.Fatal(readErr)
	}
	if cmd.ProcessState == nil && noFeature(err) {
		t.Skipf("SKIPPED: no program was run in a namespace: become an ordinary user: %v", err)
	}
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitSetup {
		why, _, host := strings.Cut(string(printed), "\n"+missingFeature)
		if host {
			t.Skipf("SKIPPED: no program was run in a namespace: %s", why)
		}
		t.Fatalf("cannot make the sandbox: %s", why)
	}
	return string(printed), err
}

// enterNamespaces is the stage of the ordinary user.
func enterNamespaces() error {
	config, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var b sandbox
	if err := json.Unmarshal(config, &b); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{stageVariable + "=" + stageRoot}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
			unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: b.UID, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: b.GID, HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN},
		Pdeathsig:   unix.SIGKILL,
	}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if code := exit.ExitCode(); code >= 0 {
			os.Exit(code)
		}
		return fmt.Errorf("the program ended by %s", exit)
	}
	if err == nil {
		os.Exit(0)
	}
	return fmt.Errorf("make user namespace: %w", err)
}

// enterRoot is the stage in the namespaces, where this process is the first. It
// returns only if something fails.
func enterRoot() error {
	runtime.LockOSThread() // capabilities belong to a thread
	var b sandbox
	if err := json.NewDecoder(os.Stdin).Decode(&b); err != nil {
		return err
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"make mounts private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount the image", func() error { return unix.Mount(b.Root, b.Root, "", unix.MS_BIND, "") }},
		{"mount /dev, /tmp and files", b.mountAll},
		{"mount /proc", func() error {
			return unix.Mount("proc", b.Root+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}},
		{"make the image read-only", func() error { return readOnly(b.Root) }},
		{"change the root", func() error { return changeRoot(b.Root) }},
		{"set up the loopback interface", loopbackUp},
		{"enter the working directory", func() error { return os.Chdir(b.Dir) }},
		{"drop capabilities", dropRights},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	if err := b.findProgram(); err != nil {
		return err
	}
	if len(b.Ask) > 0 {
		return b.serve()
	}
	return fmt.Errorf("the image cannot start %s: %s", b.Path, unix.Exec(b.Path, b.Args, b.Env))
}

// findProgram looks for a program without a directory as execvp(3) does.
func (b *sandbox) findProgram() error {
	for _, v := range b.Env {
		if dirs, ok := strings.CutPrefix(v, "PATH="); ok {
			os.Setenv("PATH", dirs)
		}
	}
	path, err := exec.LookPath(b.Args[0])
	if err != nil {
		return fmt.Errorf("the image cannot start %s: %s", b.Args[0], err) // not a matter of the host
	}
	b.Path = path
	return nil
}

// devices are those of the host that a container has (OCI runtime spec,
// config-linux.md, Default Devices) and that programs ask for.
var devices = []string{"null", "zero", "full", "random", "urandom"}

func (b *sandbox) mountAll() error {
	dev, tmp := filepath.Join(b.Root, "dev"), filepath.Join(b.Root, "tmp")
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", tmp, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return err
	}
	for _, dir := range b.Writable {
		if err := unix.Mount("tmpfs", filepath.Join(b.Root, dir), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=750"); err != nil {
			return err
		}
	}
	for _, name := range devices {
		if err := bind("/dev/"+name, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	for to, from := range b.Binds {
		if err := bind(from, filepath.Join(b.Root, to)); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(dev, "shm"), 0o777)
}

func bind(from, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	f.Close()
	return unix.Mount(from, to, "", unix.MS_BIND, "")
}

// readOnly remounts the image, keeping the flags of the file system it is on,
// which a user namespace may not take away (mount_namespaces(7)).
func readOnly(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	for _, kept := range []int64{unix.MS_NOEXEC, unix.MS_NOATIME, unix.MS_NODIRATIME} {
		flags |= uintptr(int64(fs.Flags) & kept)
	}
	if fs.Flags&unix.ST_RELATIME != 0 {
		flags |= unix.MS_RELATIME
	}
	return unix.Mount("", dir, "", flags, "")
}

// changeRoot leaves nothing of the host in sight (pivot_root(2), "pivot_root(".", ".")").
func changeRoot(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	return unix.Unmount(".", unix.MNT_DETACH)
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// dropRights makes the program start as an ordinary user without capabilities.
func dropRights() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		return err
	}
	held[0].Inheritable, held[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &held[0]); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// serve runs the program beside this process, asks it and stops it. It ends this
// process, and with it everything in the namespace.
func (b *sandbox) serve() error {
	server := b.command(b.Path, b.Args)
	if err := server.Start(); err != nil {
		return fmt.Errorf("the image cannot start %s: %s", b.Args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	for _, q := range b.Ask {
		if err := q.print(ended); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if len(b.Health) > 0 {
		fmt.Printf("health check: %v\n", b.command(b.Health[0], b.Health).Run())
	}
	if err := server.Process.Signal(b.Stop); err != nil {
		return err
	}
	select {
	case err := <-ended:
		fmt.Printf("server ended: %v\n", err)
	case <-time.After(30 * time.Second):
		fmt.Printf("server did not end after %s\n", b.Stop)
	}
	os.Exit(0)
	return nil
}

func (b *sandbox) command(path string, args []string) *exec.Cmd {
	return &exec.Cmd{
		Path: path, Args: args, Env: b.Env, Dir: b.Dir, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	}
}

// print asks until the server answers or has ended.
func (q question) print(ended <-chan error) error {
	for range 600 {
		select {
		case err := <-ended:
			return fmt.Errorf("the server ended before it answered: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		resp, err := q.ask()
		if err != nil {
			continue
		}
		defer resp.Body.Close()
		fmt.Printf("%s: %s\n%s: %s\n", q.URL, resp.Status, "server", resp.Header.Get("Server"))
		_, err = io.Copy(os.Stdout, resp.Body)
		return err
	}
	return errors.New("the server did not answer")
}

func (q question) ask() (*http.Response, error) {
	if q.Body == nil {
		return http.Get(q.URL)
	}
	return http.Post(q.URL, "application/octet-stream", bytes.NewReader(q.Body))
}
