package ucf_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/dpkg"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/ucf"
	"github.com/hardpan/hardpan/internal/tree"
)

// scripts run in a directory with the file share/x (mode 0640) and the link etc/l
// to etc/target. S is the option for the state directory.
var scripts = []string{
	`ucf $S share/x $PWD/etc/x; echo $?; ucfr $S pkg $PWD/etc/x; echo $?; ucfr $S pkg $PWD/etc/x`,
	`ucf --three-way --debconf-ok $S $PWD/share/x $PWD/etc/x; echo new >share/x; ucf --three-way $S $PWD/share/x $PWD/etc/x; echo $?`,
	`ucf $S share/x $PWD/etc/x; echo mine >etc/x; echo new >share/x; ucf --debconf-ok $S share/x $PWD/etc/x; echo $?; ucf --debconf-ok $S share/x $PWD/etc/x; echo $?`,
	`ucf $S share/x $PWD/etc/x; rm etc/x; ucf $S share/x $PWD/etc/x; echo $?; echo new >share/x; ucf --debconf-ok $S share/x $PWD/etc/x`,
	`ucf $S share/x $PWD/etc/x; rm etc/x; UCF_FORCE_CONFFMISS=1 ucf $S share/x $PWD/etc/x; echo $?`,
	`ucf $S share/x $PWD/etc/x; echo mine >etc/x; echo new >share/x; UCF_FORCE_CONFFNEW=1 ucf $S share/x $PWD/etc/x; echo $?`,
	`ucf $S share/x $PWD/etc/x; echo mine >etc/x; echo new >share/x; UCF_FORCE_CONFFOLD=1 ucf $S share/x $PWD/etc/x; echo $?`,
	`ucf $S share/x $PWD/etc/x; echo mine >etc/x; ucf $S share/x $PWD/etc/x; echo $?; echo mine >share/x; ucf $S share/x $PWD/etc/x; echo $?`,
	`echo old >etc/x; ucf --debconf-ok $S share/x $PWD/etc/x; echo $?`,
	`echo old >etc/x; echo "$(md5 old)  1.0" >share/x.md5sum; ucf $S share/x $PWD/etc/x; echo $?`,
	`echo old >etc/x; echo "$(md5 old)  1.0" >sums; ucf --sum-file $PWD/sums $S share/x $PWD/etc/x; echo $?`,
	`echo old >etc/x; echo "$(md5 content)  default" >share/x.md5sum; ucf $S share/x $PWD/etc/x; echo $?`,
	`echo content >etc/x; ucf $S share/x $PWD/etc/x; echo $?`,
	`ucf $S share/x $PWD/etc/l; echo $?; ucfr $S pkg $PWD/etc/l; ucf $S --src-dir share share/x $PWD/etc/y`,
	`ucf $S share/x $PWD/etc/x; ucf $S share/x $PWD/etc/y; ucf $S --purge $PWD/etc/x; echo $?; ucf $S -p $PWD/etc/nope; echo $?`,
	`ucfr $S a $PWD/etc/x; ucfr $S b $PWD/etc/x; echo $?; ucfr $S --force b $PWD/etc/x; echo $?; ucfr $S --purge a $PWD/etc/x; echo $?; ucfr $S -p b $PWD/etc/x; echo $?; ucfr $S -p b $PWD/etc/x; echo $?; ucfr $S b; echo $?`,
	`umask 066; ucf $S share/x $PWD/etc/x; ucfr $S pkg $PWD/etc/x; ucf $S share/x $PWD/etc/y`,
	`ucf $S share/none $PWD/etc/x; echo $?; ucf $S share/x; echo $?; ucf $S --nope share/x $PWD/etc/x; echo $?; ucf $S share/x $PWD/nodir/x; echo $?`,
}

// As the real ucf does: the statuses that are printed, and the tree.
func TestRealUcf(t *testing.T) {
	if _, err := exec.LookPath("ucfr"); err != nil || os.Getuid() != 0 {
		t.Skip("SKIPPED: no ucf on this host, or not root: nothing to compare with")
	}
	for _, script := range scripts {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			compare(t, script)
		})
	}
}

func compare(t *testing.T, script string) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"share", "etc", "state"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	in := strings.TrimPrefix(root, "/")
	for name, text := range map[string]string{"share/x": "content\n", "etc/target": "content\n"} {
		mode := map[bool]uint32{true: 0o640, false: 0o600}[name == "share/x"]
		if err := tr.WriteFile(in+"/"+name, []byte(text), mode, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), os.FileMode(mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("target", root+"/etc/l"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{tr.Symlink(in+"/etc/l", "target", nil), tr.Mkdir(in+"/state", 0o755, nil), tr.Mkdir("tmp", 0o755, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	rc := filepath.Join(t.TempDir(), "debconf.conf")
	db := "Config: config\nTemplates: templates\n\nName: config\nDriver: File\nFilename: " + rc + ".config\n\nName: templates\nDriver: File\nFilename: " + rc + ".templates\n"
	if err := os.WriteFile(rc, []byte(db), 0o644); err != nil {
		t.Fatal(err)
	}
	head := "S='--state-dir " + root + "/state'\nexec 2>/dev/null\ncd " + root + "\n"
	cmd := exec.Command("sh", "-c", head+`md5() { echo $1 | md5sum | cut -d' ' -f1; }`+"\n"+script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DEBCONF_SYSTEMRC=" + rc, "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	theirs, _ := cmd.Output() // with the status that the script has

	commands := ucf.Commands()
	commands["dpkg-divert"] = dpkg.New(dpkg.System{}).Commands()["dpkg-divert"]
	commands["rm"] = func(_ context.Context, p *shell.Proc) (int, error) { return 0, p.FS.Remove(p.Path(p.Args[1])) }
	commands["md5"] = md5sum
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: commands}
	ours, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: head + script})
	if e, ok := errors.AsType[*shell.Error](err); err != nil && (!ok || e.Err != nil) {
		t.Fatal(err)
	}
	if string(ours) != string(theirs) {
		t.Errorf("%s\nprinted\n%s\nucf prints\n%s", script, ours, theirs)
	}
	if got, want := ourTree(t, tr, in), hostTree(t, root); got != want {
		t.Errorf("%s\nleft\n%s\nucf leaves\n%s", script, got, want)
	}
}

func ourTree(t *testing.T, tr *tree.Tree, below string) string {
	var b strings.Builder
	for n := range tr.All() {
		rel, ok := strings.CutPrefix(n.Path, below+"/")
		switch {
		case !ok || n.Type == tree.Dir:
		case n.Type == tree.Symlink:
			fmt.Fprintf(&b, "%s -> %s\n", rel, n.Link)
		default:
			text, err := tr.ReadFile(n.Path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %#o %q\n", rel, n.Mode, text)
		}
	}
	return b.String()
}

func hostTree(t *testing.T, root string) string {
	var b strings.Builder
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(name)
			fmt.Fprintf(&b, "%s -> %s\n", rel, to)
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		fmt.Fprintf(&b, "%s %#o %q\n", rel, info.Mode().Perm(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// md5sum prints the sum of a word and a line's end.
func md5sum(_ context.Context, p *shell.Proc) (int, error) {
	_, err := fmt.Fprintf(p.Stdout, "%x\n", md5.Sum([]byte(p.Args[1]+"\n")))
	return 0, err
}
