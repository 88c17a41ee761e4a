package treetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
)

// Path is content that lies in the file of that name on disk.
type Path string

// Open opens the file.
func (p Path) Open() (io.ReadCloser, error) { return os.Open(string(p)) }

// Load returns the tree of the directory at root, hard links as files of their own.
// Paths that keep rejects are left out, with what is below them; a nil keep takes
// everything. What is neither a file, a directory nor a symbolic link is left out.
func Load(tb testing.TB, root string, keep func(path string) bool) *tree.Tree {
	tb.Helper()
	t := tree.New(implied, 0)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		if keep != nil && !keep(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		n, err := load(name, d)
		if err != nil || n == nil {
			return err
		}
		n.Path = rel
		return t.Add(n)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func load(name string, d fs.DirEntry) (*tree.Node, error) {
	info, err := d.Info()
	if err != nil {
		return nil, err
	}
	n := &tree.Node{Mode: uint32(info.Sys().(*syscall.Stat_t).Mode & 0o7777), Origin: Origin}
	switch info.Mode().Type() {
	case fs.ModeDir:
		n.Type = tree.Dir
	case fs.ModeSymlink:
		n.Type = tree.Symlink
		n.Link, err = os.Readlink(name)
		return n, err
	case 0:
		n.Size, n.Content = info.Size(), Path(name)
		n.ELF = readELF(name)
	default:
		return nil, nil
	}
	return n, nil
}

// readELF returns the facts about the file, nil where it is no well-formed ELF.
func readELF(name string) *tree.ELF {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	e, err := tree.ReadELF(f)
	if err != nil {
		return nil
	}
	return e
}

// Archive is Debian's archive as apt on this machine reaches it.
type Archive struct{ config, dir string }

var mirror = regexp.MustCompile(`(?m)^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(https?://\S+/debian)/?(?:\s|$)`)

// OpenArchive fetches the index of a suite ("trixie") for an architecture from the
// mirror of this machine's apt sources. The test is skipped, with what is missing,
// on a machine that has no apt, no such source or no way to the mirror.
func OpenArchive(tb testing.TB, suite, arch string) *Archive {
	tb.Helper()
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			tb.Skipf("needs %s: %v", tool, err)
		}
	}
	uri := ""
	lists, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, list := range append(lists, "/etc/apt/sources.list") {
		text, _ := os.ReadFile(list)
		if m := mirror.FindSubmatch(text); m != nil {
			uri = string(m[1])
			break
		}
	}
	if uri == "" {
		tb.Skip("needs a Debian mirror in the machine's apt sources, found none")
	}
	a := &Archive{dir: tb.TempDir()}
	a.config = filepath.Join(a.dir, "apt.conf")
	files := map[string]string{
		"sources.list": fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", uri, suite),
		"status":       "",
		"apt.conf": fmt.Sprintf(`Dir::State %[1]q; Dir::State::status "%[1]s/status"; Dir::Cache %[1]q;
Dir::Etc::sourcelist "%[1]s/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
APT::Architecture %[2]q; APT::Architectures {%[2]q;}; APT::Install-Recommends "false"; APT::Sandbox::User "";
Acquire::Languages "none";`, a.dir, arch),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if out, err := a.apt(tb.Context(), a.dir, "update", "--error-on=any"); err != nil {
		tb.Skipf("needs the Debian mirror: apt-get update: %v\n%s", err, out)
	}
	return a
}

func (a *Archive) apt(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+a.config, "LC_ALL=C")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var installed = regexp.MustCompile(`(?m)^Inst (\S+)`)

// Closure returns the sorted names of packages and of all that they depend on,
// as apt-get without recommendations has it.
func (a *Archive) Closure(tb testing.TB, packages ...string) []string {
	tb.Helper()
	out, err := a.apt(tb.Context(), a.dir, append([]string{"install", "-s"}, packages...)...)
	if err != nil {
		tb.Fatalf("apt-get install -s %s: %v\n%s", packages, err, out)
	}
	var names []string
	for _, m := range installed.FindAllStringSubmatch(out, -1) {
		names = append(names, strings.SplitN(m[1], ":", 2)[0])
	}
	slices.Sort(names)
	return names
}

// Unpack downloads the packages and unpacks them, one over the other, into a
// new directory with a merged /usr, which it returns.
func (a *Archive) Unpack(tb testing.TB, packages ...string) string {
	tb.Helper()
	debs, root := tb.TempDir(), tb.TempDir()
	if out, err := a.apt(tb.Context(), debs, append([]string{"download"}, packages...)...); err != nil {
		tb.Fatalf("apt-get download: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil || len(files) != len(packages) {
		tb.Fatalf("apt-get downloaded %d packages, expected %d (%v)", len(files), len(packages), err)
	}
	for _, dir := range []string{"bin", "lib", "lib64", "sbin"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(root, "usr", dir), 0o755), os.Symlink("usr/"+dir, filepath.Join(root, dir))); err != nil {
			tb.Fatal(err)
		}
	}
	for _, file := range files {
		if out, err := exec.CommandContext(tb.Context(), "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"`, "sh", file, root).CombinedOutput(); err != nil {
			tb.Fatalf("unpack %s: %v\n%s", filepath.Base(file), err, out)
		}
	}
	return root
}

// Files returns the paths of a package's files and links, as a tree has them.
func (a *Archive) Files(tb testing.TB, pkg string) []string {
	tb.Helper()
	root := a.Unpack(tb, pkg)
	var paths []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(root, name)
		if merged := []string{"bin", "lib", "lib64", "sbin"}; err == nil && !d.IsDir() && !slices.Contains(merged, rel) {
			paths = append(paths, rel)
		}
		return errors.Join(err, relErr)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

var recommendation = regexp.MustCompile(`(?m)^ *\|?(?:Recommends|Suggests): (\S+)`)

// Recommends returns the packages that pkg recommends or suggests.
func (a *Archive) Recommends(tb testing.TB, pkg string) []string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "apt-cache", "depends", pkg)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+a.config, "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("apt-cache depends %s: %v", pkg, err)
	}
	var names []string
	for _, m := range recommendation.FindAllSubmatch(out, -1) {
		names = append(names, string(m[1]))
	}
	return names
}
