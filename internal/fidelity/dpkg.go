//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// epoch is the time of the images of both sides, in seconds since 1970: the day
// of trixie. Programs that know SOURCE_DATE_EPOCH, such as useradd, write it.
const epoch = 1754697600

// dpkgFormat is part of the key of dpkg's manifests and moves when their content does.
const dpkgFormat = "2"

// dpkgSide makes trees with dpkg, out of the same .deb files that hardpan has in
// its cache, and keeps their manifests.
type dpkgSide struct {
	cache string // of this program
	blobs string // of hardpan: blobs/sha256
	arch  string

	mu sync.Mutex // held while a base is made
}

// key names a set of packages in exactly these versions.
func (d *dpkgSide) key(packages []pkg) string {
	var lines []string
	for _, p := range packages {
		lines = append(lines, p.Name+" "+p.Version+" "+p.Architecture+" "+p.SHA256)
	}
	slices.Sort(lines)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d\n%s\n", dpkgFormat, d.arch, int64(epoch), strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:16])
}

// manifestFile is where the manifest of a set of packages is kept.
func (d *dpkgSide) manifestFile(packages []pkg) string {
	return filepath.Join(d.cache, "dpkg", d.arch, d.key(packages)+".json.zst")
}

// manifest returns what dpkg makes of the packages, and whether it was kept from
// before. The base's packages are installed first, as mmdebstrap does it.
func (d *dpkgSide) manifest(ctx context.Context, name string, base, packages []pkg) (*manifest, bool, error) {
	file := d.manifestFile(packages)
	var m manifest
	if err := readJSON(file, &m); err == nil {
		return &m, true, nil
	}
	root, err := d.base(ctx, base)
	if err != nil {
		return nil, false, err
	}
	work, err := d.workDir()
	if err != nil {
		return nil, false, err
	}
	defer d.remove(work)
	debs := filepath.Join(work, "debs")
	if err := d.link(debs, without(packages, base)); err != nil {
		return nil, false, err
	}
	err = d.inside(ctx, inside{Work: work, Base: root, Debs: debs, Architecture: d.arch, Epoch: epoch, Manifest: file,
		Log: filepath.Join(d.cache, "log", d.arch+"-"+name+".log")})
	if err != nil {
		return nil, false, err
	}
	return &m, false, readJSON(file, &m)
}

// without returns the packages that base does not have.
func without(packages, base []pkg) []pkg {
	return slices.DeleteFunc(slices.Clone(packages), func(p pkg) bool { return slices.Contains(base, p) })
}

// link puts packages into a directory under the names that apt gives them.
func (d *dpkgSide) link(dir string, packages []pkg) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range packages {
		blob := filepath.Join(d.blobs, p.SHA256[:2], p.SHA256)
		name := filepath.Join(dir, fmt.Sprintf("%s_%s_%s.deb", p.Name, strings.ReplaceAll(p.Version, ":", "%3a"), p.Architecture))
		if err := os.Link(blob, name); err == nil {
			continue
		}
		if err := copyFile(blob, name); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// base returns the directory of the base's files, which it makes where there is none.
func (d *dpkgSide) base(ctx context.Context, packages []pkg) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	root := filepath.Join(d.cache, "base", d.arch+"-"+d.key(packages))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	work, err := d.workDir()
	if err != nil {
		return "", err
	}
	defer d.remove(work)
	repository := filepath.Join(work, "repository")
	if err := d.repository(repository, packages); err != nil {
		return "", err
	}
	made := filepath.Join(work, "base")
	if err := d.inside(ctx, inside{MakeBase: true, Work: work, Base: made, Debs: repository, Architecture: d.arch, Epoch: epoch}); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(made+".json.zst", root+".json.zst"); err != nil {
		return "", err
	}
	return root, os.Rename(made, root)
}

// workDir makes a directory for one run, which subordinate ids may enter.
func (d *dpkgSide) workDir() (string, error) {
	dir, err := os.MkdirTemp(d.cache, "work-*")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// repository writes a flat repository, as in sources.list(5), of the packages.
func (d *dpkgSide) repository(dir string, packages []pkg) error {
	if err := d.link(dir, packages); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	var index bytes.Buffer
	for _, deb := range debs {
		control, err := exec.Command("dpkg-deb", "--field", deb).Output()
		if err != nil {
			return fmt.Errorf("dpkg-deb --field %s: %w", deb, err)
		}
		st, err := os.Stat(deb)
		if err != nil {
			return err
		}
		sum, err := digest(deb)
		if err != nil {
			return err
		}
		fmt.Fprintf(&index, "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n\n", bytes.TrimSpace(control), filepath.Base(deb), st.Size(), sum)
	}
	if err := os.WriteFile(filepath.Join(dir, "Packages"), index.Bytes(), 0o644); err != nil {
		return err
	}
	release := fmt.Sprintf("Suite: trixie\nCodename: trixie\nArchitectures: %s all\nDate: %s\nSHA256:\n %x %d Packages\n",
		d.arch, time.Unix(epoch, 0).UTC().Format(time.RFC1123), sha256.Sum256(index.Bytes()), index.Len())
	return os.WriteFile(filepath.Join(dir, "Release"), []byte(release), 0o644)
}

// inside starts this program again in namespaces of its own: as root where the
// user is root, else as root of a user namespace with the user's subordinate ids.
func (d *dpkgSide) inside(ctx context.Context, in inside) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if in.Log != "" {
		for _, f := range []string{in.Log, in.Manifest} {
			if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
				return err
			}
		}
	}
	request, err := json.Marshal(in)
	if err != nil {
		return err
	}
	cmd := d.asRoot(ctx, self, insideArg)
	cmd.Stdin = bytes.NewReader(request)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg's side: %w: %s", err, tail(out))
	}
	return nil
}

func (d *dpkgSide) asRoot(ctx context.Context, args ...string) *exec.Cmd {
	flags := uintptr(syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET)
	if os.Getuid() != 0 {
		return exec.CommandContext(ctx, "unshare", append([]string{"--map-root-user", "--map-auto", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child"}, args...)...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// remove removes a work directory, whose files may belong to subordinate ids.
func (d *dpkgSide) remove(dir string) {
	if os.Getuid() == 0 {
		os.RemoveAll(dir)
		return
	}
	exec.Command("unshare", "--map-root-user", "--map-auto", "rm", "-rf", dir).Run()
}

// canRun says why programs of an architecture cannot run on this machine, or nothing.
func canRun(arch string) error {
	host, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		return fmt.Errorf("dpkg --print-architecture: %w", err)
	}
	if strings.TrimSpace(string(host)) == arch {
		return nil
	}
	cpu := map[string]string{"arm64": "aarch64", "amd64": "x86_64"}[arch]
	status, err := os.ReadFile("/proc/sys/fs/binfmt_misc/qemu-" + cpu)
	if errors.Is(err, fs.ErrNotExist) || !bytes.HasPrefix(status, []byte("enabled")) {
		return fmt.Errorf("programs for %s cannot run here: qemu-%s is not registered in binfmt_misc (qemu-user-static does it)", arch, cpu)
	}
	return err
}
