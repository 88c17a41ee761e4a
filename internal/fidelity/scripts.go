//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// scriptWatch notes when dpkg starts each maintainer script, so that a path's
// time of change tells which script changed it. It holds each program that is
// started until its name is noted (fanotify(7), FAN_OPEN_EXEC_PERM), which only
// root of the machine may ask for.
type scriptWatch struct {
	fd   int
	done chan struct{}

	mu   sync.Mutex
	runs []scriptRun
}

type scriptRun struct {
	name  string // "package postinst"
	start time.Time
}

// watchScripts begins to watch the file system that root is on. It returns nil
// where the machine does not allow it.
func watchScripts(root string) *scriptWatch {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC, unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_OPEN_EXEC_PERM, unix.AT_FDCWD, root); err != nil {
		unix.Close(fd)
		return nil
	}
	w := &scriptWatch{fd: fd, done: make(chan struct{})}
	go w.read()
	return w
}

func (w *scriptWatch) read() {
	defer close(w.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(w.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		for b := buf[:n]; len(b) >= 24; {
			var event unix.FanotifyEventMetadata
			if binary.Read(bytes.NewReader(b), binary.NativeEndian, &event) != nil || event.Event_len < 24 || int(event.Event_len) > len(b) {
				return
			}
			b = b[event.Event_len:]
			w.answer(event)
		}
	}
}

// answer notes the program and lets it start.
func (w *scriptWatch) answer(event unix.FanotifyEventMetadata) {
	if event.Fd < 0 {
		return
	}
	if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", event.Fd)); err == nil {
		if script := scriptName(name); script != "" {
			w.mu.Lock()
			w.runs = append(w.runs, scriptRun{script, coarseNow()})
			w.mu.Unlock()
		}
	}
	var response bytes.Buffer
	binary.Write(&response, binary.NativeEndian, unix.FanotifyResponse{Fd: event.Fd, Response: unix.FAN_ALLOW})
	unix.Write(w.fd, response.Bytes())
	unix.Close(int(event.Fd))
}

// scriptName returns "package postinst" for the path of a maintainer script in
// dpkg's database, or as it lies unpacked beside it, and nothing for others.
func scriptName(name string) string {
	if at := strings.LastIndex(name, "/var/lib/dpkg/info/"); at >= 0 {
		file := name[at+len("/var/lib/dpkg/info/"):]
		dot := strings.LastIndexByte(file, '.')
		if dot < 0 {
			return ""
		}
		pkg, _, _ := strings.Cut(file[:dot], ":")
		return pkg + " " + file[dot+1:]
	}
	if dir := filepath.Dir(name); strings.HasSuffix(dir, "/var/lib/dpkg/tmp.ci") { // where dpkg unpacks what it is about to install
		return controlPackage(filepath.Join(dir, "control")) + " " + filepath.Base(name)
	}
	return ""
}

func controlPackage(name string) string {
	b, _ := os.ReadFile(name)
	for line := range strings.Lines(string(b)) {
		if pkg, ok := strings.CutPrefix(line, "Package: "); ok {
			return strings.TrimSpace(pkg)
		}
	}
	return "?"
}

// coarseNow is the clock that file systems take times from.
func coarseNow() time.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &ts) != nil {
		return time.Now()
	}
	return time.Unix(ts.Unix())
}

// close ends the watch and returns the scripts in the order of their start.
func (w *scriptWatch) close() []scriptRun {
	if w == nil {
		return nil
	}
	unix.Close(w.fd) // no program waits for an answer any more
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.runs)
}

// attribute writes into each path that changed since begin which scripts may have
// changed it. Times have the grain of the kernel's tick, so there can be more
// than one.
func (m *manifest) attribute(runs []scriptRun, changed map[string]time.Time, begin time.Time) {
	for _, r := range runs {
		m.Scripts = append(m.Scripts, r.name)
	}
	for p, e := range m.Paths {
		when := changed[p]
		if when.Before(begin) {
			continue
		}
		for i, r := range runs {
			if when.Before(r.start) {
				break
			}
			if i+1 == len(runs) || !when.After(runs[i+1].start) {
				if !slices.Contains(e.By, r.name) {
					e.By = append(e.By, r.name)
				}
			}
		}
		m.Paths[p] = e
	}
}

// inherit takes the scripts of what has not changed since begin from the manifest
// of the base.
func (m *manifest) inherit(base string, changed map[string]time.Time, begin time.Time) error {
	var from manifest
	if err := readJSON(base, &from); err != nil {
		return err
	}
	for p, e := range m.Paths {
		if changed[p].Before(begin) {
			e.By = from.Paths[p].By
			m.Paths[p] = e
		}
	}
	return nil
}
