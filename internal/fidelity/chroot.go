//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inside is what the program, started again as root of namespaces of its own,
// has to do. It is process 1 there, so what maintainer scripts leave running ends
// with it.
type inside struct {
	Work         string // directory for this run alone; the caller removes it
	Base         string // directory of the base's files, its manifest beside it
	MakeBase     bool   // make Base instead of installing on it
	Debs         string // directory of the packages to install, for a base a repository
	Architecture string
	Epoch        int64
	Manifest     string // file to write
	Log          string // file for what apt and dpkg say
}

// runInside reads the request from standard input.
func runInside() error {
	var in inside
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	syscall.Umask(0o022)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make the mounts private: %w", err)
	}
	if err := unix.Sethostname([]byte("localhost")); err != nil {
		return err
	}
	if in.MakeBase {
		return in.makeBase()
	}
	return in.install()
}

// makeBase lets mmdebstrap install the packages of the repository, all of which
// are essential or needed by what is, and removes what mmdebstrap, and no package,
// put there for its own sake. It works on a file system of its own, so that
// watching what is started there disturbs nobody else.
func (in *inside) makeBase() error {
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	root := filepath.Join(in.Work, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("cannot mount a tmpfs: %w", err)
	}
	begin := coarseNow()
	watch := watchScripts(root)
	cmd := exec.Command("mmdebstrap", "--quiet", "--mode=root", "--variant=essential", "--format=directory", "--architectures="+in.Architecture,
		"--skip=output/dev,output/mknod", `--aptopt=APT::Sandbox::User "root"`, `--aptopt=APT::Install-Recommends "false"`, "--dpkgopt=force-unsafe-io",
		"trixie", root, "deb [trusted=yes] copy://"+in.Debs+" ./")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "APT_CONFIG=") }), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", in.Epoch))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("mmdebstrap: %w: %s", err, tail(out))
	}
	if err := removeTraces(root); err != nil {
		return err
	}
	m, changed, err := walk(root)
	if err != nil {
		return err
	}
	m.attribute(watch.close(), changed, begin)
	if err := writeJSON(in.Base+".json.zst", m); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "--archive", root, in.Base).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot copy the base: %w: %s", err, tail(out))
	}
	return nil
}

// removeTraces removes what is mmdebstrap's own, and what it left in /dev.
func removeTraces(root string) error {
	owned, err := owners(root)
	if err != nil {
		return err
	}
	for _, p := range []string{"etc/hostname", "etc/resolv.conf", "etc/fstab", "etc/dpkg/dpkg.cfg.d", "etc/apt", "var/lib/apt", "var/cache/apt", "var/log/apt"} {
		if err := removeUnowned(root, p, owned); err != nil {
			return err
		}
	}
	devices, err := filepath.Glob(filepath.Join(root, "dev/*"))
	for _, d := range devices {
		err = errors.Join(err, os.RemoveAll(d))
	}
	return err
}

// removeUnowned removes the paths below p that no package ships.
func removeUnowned(root, p string, owned map[string][]string) error {
	var paths []string
	err := filepath.WalkDir(filepath.Join(root, p), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		paths = append(paths, name)
		return err
	})
	for i := len(paths) - 1; err == nil && i >= 0; i-- {
		if _, ok := owned[strings.TrimPrefix(paths[i], root+"/")]; !ok {
			err = os.Remove(paths[i])
		}
	}
	return err
}

// install lets apt and dpkg install the packages on a copy of the base and
// writes the manifest of what came out.
func (in *inside) install() error {
	root := filepath.Join(in.Work, "root")
	if err := in.overlay(root); err != nil {
		return err
	}
	mounts, err := in.mountAll(root)
	if err != nil {
		return err
	}
	undo, err := holdServices(root)
	if err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond) // more than a tick of the clock of file systems
	begin := coarseNow()
	watch := watchScripts(root)
	failure, err := in.apt(root)
	if err != nil {
		return err
	}
	unix.Kill(-1, unix.SIGKILL) // what scripts left running
	runs := watch.close()
	if err := undo(); err != nil {
		return err
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		if err := unix.Unmount(mounts[i], unix.MNT_DETACH); err != nil {
			return fmt.Errorf("cannot unmount %s: %w", mounts[i], err)
		}
	}
	if err := os.Remove(filepath.Join(root, debsPlace)); err != nil {
		return err
	}
	m, changed, err := walk(root)
	if err != nil {
		return err
	}
	m.attribute(runs, changed, begin)
	if err := m.inherit(in.Base+".json.zst", changed, begin); err != nil {
		return err
	}
	m.Failure = failure
	return writeJSON(in.Manifest, m)
}

// overlay mounts the base at root, to be written to without changing it. What is
// written is not synchronised to the disk. Directories can be renamed, as dpkg and
// scripts do, where the file system may mark them: with trusted attributes, which
// are for root of the machine, else with a user's.
func (in *inside) overlay(root string) error {
	upper, work := filepath.Join(in.Work, "upper"), filepath.Join(in.Work, "work")
	for _, d := range []string{root, upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	var err error
	for _, more := range []string{",volatile,redirect_dir=on", ",volatile,userxattr"} {
		if err = unix.Mount("overlay", root, "overlay", 0, "lowerdir="+in.Base+",upperdir="+upper+",workdir="+work+more); err == nil {
			return nil
		}
	}
	return fmt.Errorf("cannot mount an overlay on the base: %w", err)
}

// debsPlace is where the packages are seen in the root while they are installed.
const debsPlace = ".packages"

// mountAll gives the root what maintainer scripts may expect of a running system
// and returns what it mounted, in order.
func (in *inside) mountAll(root string) ([]string, error) {
	var done []string
	mount := func(source, at, kind string, flags uintptr, data string) error {
		at = filepath.Join(root, at)
		if err := unix.Mount(source, at, kind, flags, data); err != nil {
			return fmt.Errorf("cannot mount %s at %s: %w", source, at, err)
		}
		done = append(done, at)
		return nil
	}
	if err := mount("proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return nil, err
	}
	if err := mount("/sys", "sys", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return nil, err
	}
	if err := mount("tmpfs", "dev", "tmpfs", unix.MS_NOSUID, "mode=0755"); err != nil {
		return nil, err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := os.WriteFile(filepath.Join(root, "dev", name), nil, 0o666); err != nil {
			return nil, err
		}
		if err := mount("/dev/"+name, "dev/"+name, "", unix.MS_BIND, ""); err != nil {
			return nil, err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"} {
		if err := os.Symlink(target, filepath.Join(root, "dev", name)); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{"dev/pts", "dev/shm", debsPlace} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := mount("devpts", "dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return nil, err
	}
	if err := mount("tmpfs", "dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return nil, err
	}
	return done, mount(in.Debs, debsPlace, "", unix.MS_BIND|unix.MS_RDONLY, "")
}

// holdServices keeps scripts from starting services, in the two ways that
// mmdebstrap does, and returns what takes that back.
func holdServices(root string) (func() error, error) {
	policy, daemon := filepath.Join(root, "usr/sbin/policy-rc.d"), filepath.Join(root, "usr/sbin/start-stop-daemon")
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(daemon, daemon+".REAL"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\necho 'fake start-stop-daemon called, doing nothing'\n"), 0o755); err != nil {
		return nil, err
	}
	return func() error {
		if err := os.Remove(policy); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Rename(daemon+".REAL", daemon)
	}, nil
}

// apt installs every package of Debs. The outer apt only puts them into order;
// dpkg is the one of the base, and apt's own state stays outside of the root. It
// returns the end of what was said where dpkg did not succeed.
func (in *inside) apt(root string) (failure string, err error) {
	state := filepath.Join(in.Work, "apt")
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "log", "etc"} {
		if err := os.MkdirAll(filepath.Join(state, d), 0o755); err != nil {
			return "", err
		}
	}
	config := filepath.Join(state, "apt.conf")
	if err := os.WriteFile(config, []byte(in.aptConfig(root, state)), 0o644); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(root, debsPlace, "*.deb"))
	if err != nil || len(debs) == 0 {
		return "", err
	}
	cmd := exec.Command("apt-get", append([]string{"--yes", "--no-install-recommends", "install"}, debs...)...)
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "APT_CONFIG=" + config,
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "LC_ALL=C.UTF-8", "LANG=C.UTF-8", "LANGUAGE=C.UTF-8",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", in.Epoch),
	}
	out, err := cmd.CombinedOutput()
	if werr := os.WriteFile(in.Log, out, 0o644); werr != nil {
		return "", werr
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return tail(out), nil
	}
	return "", err
}

func (in *inside) aptConfig(root, state string) string {
	return fmt.Sprintf(`APT::Architecture "%[1]s";
APT::Architectures { "%[1]s"; };
APT::Sandbox::User "root";
Dir "%[2]s";
Dir::Etc "%[3]s/etc";
Dir::State "%[3]s/state";
Dir::State::status "%[2]s/var/lib/dpkg/status";
Dir::Cache "%[3]s/cache";
Dir::Log "%[3]s/log";
Dir::Bin::dpkg "/usr/bin/dpkg";
DPkg::Chroot-Directory "%[2]s";
DPkg::Options { "--force-unsafe-io"; };
DPkg::Use-Pty "false";
Binary::apt-get::DPkg::Use-Pty "false";
`, in.Architecture, root, state)
}

// tail returns the last lines of an output.
func tail(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-12):], []byte("\n")))
}
