package sandbox

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// prog is what a test runs inside. Its exit status is 0 if what it was asked to do worked.
func prog(args []string) int {
	if len(args) == 0 {
		return 0
	}
	verb, ok := verbs[args[0]]
	if !ok {
		fmt.Println("no verb", args[0])
		return 99
	}
	if err := verb(args[1:]); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

var verbs = map[string]func(args []string) error{
	"exit": func(a []string) error {
		code, err := strconv.Atoi(a[0])
		if err == nil {
			os.Exit(code)
		}
		return err
	},
	"echo":  func(a []string) error { fmt.Println(strings.Join(a, " ")); return nil },
	"cat":   progCat,
	"stdin": func([]string) error { _, err := io.Copy(os.Stdout, os.Stdin); return err },
	"stdout": func([]string) error {
		return os.WriteFile("/dev/stdout", []byte("opened anew\n"), 0)
	},
	"write": func(a []string) error { return os.WriteFile(a[0], []byte(strings.Join(a[1:], " ")), 0o644) },
	"mkdir": func(a []string) error { return os.Mkdir(a[0], 0o755) },
	"rm":    func(a []string) error { return os.RemoveAll(a[0]) },
	"chmod": func(a []string) error {
		m, err := strconv.ParseUint(a[1], 8, 32)
		if err != nil {
			return err
		}
		return syscall.Chmod(a[0], uint32(m))
	},
	"chown": func(a []string) error {
		uid, _ := strconv.Atoi(a[1])
		gid, _ := strconv.Atoi(a[2])
		return os.Lchown(a[0], uid, gid)
	},
	"symlink": func(a []string) error { return os.Symlink(a[0], a[1]) },
	"id": func([]string) error {
		groups, err := os.Getgroups()
		fmt.Println(os.Getuid(), os.Getgid(), groups)
		return err
	},
	"env": func([]string) error {
		e := os.Environ()
		slices.Sort(e)
		fmt.Println(strings.Join(e, "\n"))
		return nil
	},
	"mode": func(a []string) error {
		st, err := os.Lstat(a[0])
		if err == nil {
			fmt.Println(st.Mode())
		}
		return err
	},
	"pwd":  func([]string) error { d, err := os.Getwd(); fmt.Println(d); return err },
	"host": func([]string) error { h, err := os.Hostname(); fmt.Println(h); return err },
	"ls": func(a []string) error {
		return filepath.WalkDir(a[0], func(p string, d fs.DirEntry, err error) error {
			fmt.Println(p)
			return err
		})
	},
	"sleep": func([]string) error { time.Sleep(time.Hour); return nil },
	"signal": func(a []string) error {
		n, _ := strconv.Atoi(a[0])
		return syscall.Kill(os.Getpid(), syscall.Signal(n))
	},
	"daemon": func(a []string) error {
		c := exec.Command("/bin/prog", "late", a[0])
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return c.Start()
	},
	"late": func(a []string) error {
		time.Sleep(200 * time.Millisecond)
		return os.WriteFile(a[0], []byte("late"), 0o644)
	},
}

func init() { verbs["seq"] = progSeq }

func progCat(a []string) error {
	for _, name := range a {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		os.Stdout.Write(b)
	}
	return nil
}

// progSeq runs verbs one after the other; a semicolon stands between them.
func progSeq(a []string) error {
	for len(a) > 0 {
		n := slices.Index(a, ";")
		if n < 0 {
			n = len(a)
		}
		if code := prog(a[:n]); code != 0 {
			return fmt.Errorf("%v: status %d", a[:n], code)
		}
		a = a[min(n+1, len(a)):]
	}
	return nil
}
