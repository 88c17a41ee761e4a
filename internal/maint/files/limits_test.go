package files_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/files"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
	"github.com/hardpan/hardpan/internal/tree"
)

// What a command does not know ends the scripts, with the command and the option.
func TestUnsupported(t *testing.T) {
	for script, want := range map[string]string{
		"cp --frobnicate a b":                 "cp: option --frobnicate is not supported",
		"ls -C":                               "ls: option -C is not supported",
		"install -s a b":                      "install: option -s is not supported",
		"touch -d 'last tuesday' f":           `the date "last tuesday" is not supported`,
		"find . -fstype ext4":                 "find: -fstype is not supported",
		`find . -regex '\(a\)\1'`:             `find: a back-reference in -regex "\\(a\\)\\1" is not supported`,
		"find . -printf %Z":                   "find: %Z in -printf is not supported",
		"find . -ok rm {} ';'":                "find: -ok is not supported",
		"stat -f /":                           "stat: option -f is not supported",
		"stat -c %q .":                        "stat: format %q is not supported",
		"mknod /dev/x c 1 3":                  "mknod: a device or named pipe, which an image cannot hold, is not supported",
		"mkfifo p":                            "mkfifo: a named pipe, which an image cannot hold, is not supported",
		"setfacl -m u:man:r f":                "setfacl: an access control list, which layers do not keep, is not supported",
		"df /":                                "df: the room on a file system is not supported",
		"mount -t tmpfs none /mnt":            "mount: mounting a file system is not supported",
		"truncate -s 1G f":                    "truncate: a file of 1073741824 bytes is not supported",
		"dd if=/dev/zero of=f bs=1M count=99": "dd: more than 64 MB is not supported",
		"dd if=a of=b conv=swab":              "dd: conv=swab is not supported",
		"cp /dev/urandom f":                   "",
	} {
		_, err := newShell(t).Run(t.Context(), shell.Script{Name: "script", Text: script, Env: []string{"PATH=/usr/bin"}})
		if want == "" {
			if err == nil {
				t.Errorf("%s: no error", script)
			}
			continue
		}
		if unsupported, ok := errors.AsType[*shell.UnsupportedError](err); !ok || unsupported.Error() != want {
			t.Errorf("%s: error %v, want %s", script, err, want)
		}
	}
}

// A script that doubles a directory again and again ends at the limit.
func TestDoublingEnds(t *testing.T) {
	sh := newShell(t)
	sh.FS.MaxWritten = 4 << 20
	_, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "mkdir d; while :; do cp -r d e; mkdir f; mv d e f; mv f d; done", Env: []string{"PATH=/usr/bin"}})
	if _, ok := errors.AsType[*rootfs.LimitError](err); !ok {
		t.Errorf("error %v, want a limit", err)
	}
}

// An archive that is larger inside than outside ends at the limit too.
func TestArchiveEnds(t *testing.T) {
	sh := newShell(t)
	sh.FS.MaxWritten = 4 << 20
	script := "cd /tmp; dd if=/dev/zero of=z bs=1M count=3 status=none; tar czf a.tgz z; tar xzf a.tgz"
	_, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: script, Env: []string{"PATH=/usr/bin"}})
	if _, ok := errors.AsType[*rootfs.LimitError](err); !ok {
		t.Errorf("error %v, want a limit", err)
	}
}

// What is copied or moved says where it comes from.
func TestOrigin(t *testing.T) {
	sh := newShell(t)
	c := shelltest.Case{Script: "echo x > a; cp a b; mv b c; install -m 644 a d; ln a e"}
	shelltest.Interpret(t, sh, c)
	for path, want := range map[string]string{
		"work/c": "mv b c, from /work/b", "work/d": "install -m 644 a d, from /work/a",
	} {
		if n := sh.FS.Tree.Lookup(path); n == nil || !strings.HasSuffix(n.Origin.String(), want) {
			t.Errorf("/%s: origin %v, want %s", path, n.Origin, want)
		}
	}
}

// fuzzed runs one command over an empty tree; it may fail in any way but a panic.
func fuzzed(t *testing.T, script string, args ...string) {
	f := rootfs.New(tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0), 0)
	f.MaxWritten = 1 << 20
	commands := files.Commands()
	sh := &shell.Shell{FS: f, Commands: commands, Limits: shell.Limits{Steps: 10000, Output: 1 << 20}}
	_, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "mkdir -p d/e; : > d/f; ln -s f d/l\n" + script + "\n", Args: args, Env: []string{"PATH=/usr/bin"}})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func FuzzFind(f *testing.F) {
	for _, expr := range []string{"d -name *.conf -o -type f -print0", "-L d ( -perm -u+s ! -empty ) -exec ls {} +", "d -regextype posix-extended -regex .*/(f|l){1,2}", "d -printf %5p%-3f|%TY\\101", "d -size +1k -mtime -3 -newermt 2020-01-01 -delete"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) { fuzzed(t, `find "$@"`, strings.Fields(expr)...) })
}

func FuzzOptions(f *testing.F) {
	for _, line := range []string{"chmod u=rwX,go-w+t d", "chown -R 1:2 d", "install -Dm644 d/f x/y", "ln -sfnr d x", "touch -d 2001-02-03T04:05:06Z -t 202001020304.05 x", "tar xzf d/f", "mktemp -p d xXXX.c", "cp -a --preserve=mode d e", "stat -c %04a%10.2n d", "ls -lStrR d", "dd if=d/f bs=2x3 of=g", "readlink -f d/l/..", "du -sb d", "run-parts --regex ^a d"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		if len(words) > 0 && files.Commands()[words[0]] != nil {
			fuzzed(t, `"$@"`, words...)
		}
	})
}
