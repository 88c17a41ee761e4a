// Command sh stands for the shell of a stage in tests: it is static, and small enough to
// be in a package. It is called as "sh -ec SCRIPT", a command a line, words separated by spaces.
package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	for line := range strings.Lines(os.Args[len(os.Args)-1]) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := run(words[0], words[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "sh:", err)
			os.Exit(1)
		}
	}
}

func run(command string, a []string) error {
	switch command {
	case "echo":
		fmt.Println(strings.Join(a, " "))
	case "exit":
		code, err := strconv.Atoi(a[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "write": // PATH TEXT...
		return write(a[0], []byte(strings.Join(a[1:], " ")+"\n"))
	case "printenv": // NAME PATH
		return write(a[1], []byte(os.Getenv(a[0])+"\n"))
	case "cp":
		b, err := os.ReadFile(a[0])
		if err != nil {
			return err
		}
		return write(a[1], b)
	case "cat":
		b, err := os.ReadFile(a[0])
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(b)
		return err
	case "random":
		return write(a[0], []byte(rand.Text()))
	case "rm":
		return os.RemoveAll(a[0])
	case "mkdir":
		return os.MkdirAll(a[0], 0o755)
	case "chmod": // MODE PATH
		mode, err := strconv.ParseUint(a[0], 8, 32)
		if err != nil {
			return err
		}
		return syscall.Chmod(a[1], uint32(mode))
	case "chown": // UID PATH
		id, err := strconv.Atoi(a[0])
		if err != nil {
			return err
		}
		return os.Lchown(a[1], id, id)
	case "ln": // TARGET PATH
		return os.Symlink(a[0], a[1])
	case "link":
		return os.Link(a[0], a[1])
	case "mkfifo":
		return syscall.Mkfifo(a[0], 0o644)
	case "socket":
		_, err := net.Listen("unix", a[0])
		return err
	case "id": // prints user, group and further groups
		groups, err := os.Getgroups()
		fmt.Println(os.Getuid(), os.Getgid(), groups)
		return err
	case "pwd":
		dir, err := os.Getwd()
		fmt.Println(dir)
		return err
	case "stat": // PATH: prints owner, mode and whether it is on a tmpfs
		return stat(a[0])
	case "sleep": // SECONDS
		n, err := strconv.Atoi(a[0])
		time.Sleep(time.Duration(n) * time.Second)
		return err
	case "dial":
		_, err := net.Dial("tcp", a[0])
		return err
	default:
		return fmt.Errorf("no command %q", command)
	}
	return nil
}

func stat(name string) error {
	var st syscall.Stat_t
	var fs syscall.Statfs_t
	if err := syscall.Stat(name, &st); err != nil {
		return err
	}
	if err := syscall.Statfs(name, &fs); err != nil {
		return err
	}
	const tmpfs = 0x01021994 // TMPFS_MAGIC of linux/magic.h
	fmt.Printf("%d:%d %04o tmpfs=%v\n", st.Uid, st.Gid, st.Mode&0o7777, fs.Type == tmpfs)
	return nil
}

func write(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}
