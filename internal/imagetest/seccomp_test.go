//go:build linux

package imagetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/profile"
	"github.com/hardpan/hardpan/internal/syscalls"
)

// work is what programs of the images do under the image's own seccomp profile, beside
// what [probes] has.
var work = map[string][]probe{
	"python": {{
		name: "server, threads, processes, TLS",
		args: []string{"-c", `
import asyncio, http.server, mmap, multiprocessing, os, select, selectors, signal, socket, ssl, subprocess, tempfile, threading, time, urllib.request
s = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=s.serve_forever, daemon=True).start()
print("status:", urllib.request.urlopen("http://127.0.0.1:8000/").status)
print("pool:", multiprocessing.Pool(2).map(abs, [-1, -2]))
print("child:", subprocess.run(["/usr/bin/python3", "-c", "print(5)"], capture_output=True, text=True).stdout.strip())
async def main():
    async with asyncio.timeout(5):
        p = await asyncio.create_subprocess_exec("/usr/bin/python3", "-c", "pass")
        await p.wait()
        await asyncio.to_thread(time.sleep, 0)
    return "asyncio"
print(asyncio.run(main()))
a, b = socket.socketpair()
a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, (1).to_bytes(4, "little"))])
print("message:", b.recvmsg(1, 99)[0])
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
time.sleep(0.1)
m = mmap.mmap(-1, 4096); m.write(b"x"); m.flush()
print("memfd:", os.memfd_create("x") > 0, "cpus:", len(os.sched_getaffinity(0)) > 0)
select.epoll().close(); os.close(os.eventfd(0)); os.pidfd_open(os.getpid())
print("nobody:", socket.getservbyname("https"), [x[4][0] for x in socket.getaddrinfo("localhost", 80)][:1])
print("tls:", ssl.create_default_context().check_hostname)`},
		want: []string{"status: 200", `pool: \[1, 2\]`, "child: 5", "asyncio", "message: b'x'", "alarm", "memfd: True", "nobody: 443", "tls: True"},
	}},
	"node": {{
		name: "server, worker, child process",
		args: []string{"-e", `
			const http = require("http"), fs = require("fs"), cp = require("child_process"), dns = require("dns"), wt = require("worker_threads");
			const s = http.createServer((q, r) => r.end("ok")).listen(8000, "127.0.0.1", () =>
				http.get("http://127.0.0.1:8000", r => { console.log("status:", r.statusCode); s.close(); }));
			new wt.Worker("console.log('worker: 1')", {eval: true});
			console.log("child:", cp.execFileSync(process.execPath, ["-e", "console.log(5)"]).toString().trim());
			fs.mkdtemp("/dev/shm/x", (e, d) => { fs.writeFileSync(d + "/f", "x"); const w = fs.watch(d, () => w.close()); fs.rename(d + "/f", d + "/g", () => console.log("files:", fs.readdirSync(d).length)); });
			dns.lookup("localhost", (e, a) => console.log("lookup:", a));
			process.on("SIGUSR2", () => console.log("signal")); process.kill(process.pid, "SIGUSR2");`},
		want: []string{"status: 200", "worker: 1", "child: 5", "files: 1", "lookup: ", "signal"},
	}},
	"openjdk": {{
		name: "web server", args: []string{"-m", "jdk.httpserver", "-p", "8080", "-d", "/etc"}, ask: []question{{URL: "127.0.0.1:8080"}},
		want: []string{"200 OK", "ld.so.cache"},
	}, {
		name: "collectors", args: []string{"-XX:+UseParallelGC", "-Xmx128m", "-Xlog:gc*", "-version"}, want: []string{"Using Parallel"},
	}},
	"nginx": {{
		name: "serving", args: []string{"-g", "daemon off;"}, ask: []question{{URL: "127.0.0.1:8080"}},
		want: []string{"Welcome to nginx!"},
	}},
	"postgresql-client": {{
		name: "no server", args: []string{"-h", "127.0.0.1", "-c", "select 1"}, fails: true, want: []string{"Connection refused"},
	}},
}

// profiled are the images whose programs run under their own seccomp profile.
var profiled = []string{"static", "base", "cc", "python", "node", "openjdk", "nginx", "postgresql-client", "xorb-api", "samo-dl-api"}

// runUnderProfile runs the programs of an image with the seccomp profile that follows
// from it, in which every call that is not foreseen ends the program.
func runUnderProfile(t *testing.T, p *podman, s *shipped) {
	for _, platform := range s.spec.Platforms {
		made, err := profile.Of(t.Context(), s.open(t, platform.String()), profile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sc := made.Seccomp
		t.Logf("%s %s: %d of %d system calls allowed, Docker's default profile allows %d", s, platform, sc.Allowed, sc.All, sc.Default)
		if sc.Allowed >= sc.Default {
			t.Errorf("%s: the profile allows %d system calls, expected fewer than Docker's %d", platform, sc.Allowed, sc.Default)
		}
	}
	if !slices.Contains(profiled, s.String()) {
		return
	}
	list := append(slices.Clone(probesOf(t, s)), work[s.String()]...)
	if p.missing != "" {
		t.Skipf("SKIPPED: the host has no %s: no program was run under its seccomp profile", p.missing)
	}
	var programs []probe
	for _, probe := range list {
		if probe.built == "" {
			// What tries to break out makes calls that end it here.
			if probe.name != confinement().name && (probe.ask == nil || !isService(probe) || s.spec.Healthcheck != nil) {
				programs = append(programs, probe)
			}
			continue
		}
		with := *s
		with.layout = buildWith(t, s, probe.build(t))
		probe.built, probe.command = "", []string{builtPath}
		runProfiled(t, p, &with, append(programs, probe))
		return
	}
	runProfiled(t, p, s, programs)
}

// isService reports whether a probe is a service whose questions are asked in the
// namespace. In podman it is asked by its own health check.
func isService(p probe) bool { return strings.HasPrefix(p.ask[0].URL, "http") }

// buildWith builds the spec with a program in it.
func buildWith(t *testing.T, s *shipped, program string) string {
	dir := filepath.Dir(s.file)
	source, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	spec := fmt.Sprintf("apiVersion: hardpan/v1\nname: %s\nversion: with-program\nextends: %s\nplatforms: [%s]\npaths:\n  - {path: %s, type: file, source: program, mode: \"0755\"}\nentrypoint: [%s]\n",
		s.name, filepath.Base(s.file), hostPlatform, builtPath, builtPath)
	file := filepath.Join(dir, "with-program.yaml")
	for name, b := range map[string][]byte{file: []byte(spec), filepath.Join(dir, "program"): source} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	layout := filepath.Join(sharedDir(t), "layout")
	o := builder.Options{Spec: file, CacheDir: filepath.Join(t.TempDir(), "cache"), Outputs: builder.Outputs{Layout: layout}}
	if _, err := builder.Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return layout
}

func runProfiled(t *testing.T, p *podman, s *shipped, programs []probe) {
	made, err := profile.Of(t.Context(), s.open(t, hostPlatform), profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sc := made.Seccomp
	t.Logf("%s: %d of %d system calls allowed, Docker's default profile allows %d", s, sc.Allowed, sc.All, sc.Default)
	if sc.Allowed >= sc.Default {
		t.Errorf("the profile allows %d system calls, expected fewer than Docker's %d", sc.Allowed, sc.Default)
	}
	lax, strict := writeSeccomp(t, made)
	p.mu.Lock()
	id, err := p.run(t.Context(), "pull", "--quiet", "oci:"+s.layout)
	p.mu.Unlock()
	if err != nil && strings.Contains(id, "insufficient UIDs or GIDs") {
		t.Skipf("SKIPPED: the host has no subordinate ids for this user (subuid(5)): no program was run under its seccomp profile: %s", id)
	}
	if err != nil {
		t.Fatalf("podman pull: %v\n%s", err, id)
	}
	id = strings.TrimSpace(id)
	options := func(file string) []string {
		return []string{"run", "--rm", "--network", "none", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges",
			"--pids-limit", "0", "--security-opt", "seccomp=" + file}
	}
	for _, probe := range programs {
		t.Run(probe.name, func(t *testing.T) {
			if probe.ask != nil && isService(probe) {
				p.serve(t, s, p.load(t, s), &probe, "--security-opt", "seccomp="+strict)
				return
			}
			if probe.ask != nil {
				p.serveProfiled(t, append(options(strict), id), &probe)
				return
			}
			argv := probe.argv(s)
			args := options(strict)
			for _, e := range probe.env {
				args = append(args, "--env", e)
			}
			args = append(args, "--entrypoint", argv[0], id)
			out, err := p.output(t.Context(), append(args, argv[1:]...)...)
			if err != nil && strings.Contains(out, "cgroup") {
				t.Skipf("SKIPPED: the host has no control groups that runc can use: %s", out)
			}
			if probe.fails && err != nil && !strings.Contains(err.Error(), "159") { // 128 and SIGSYS
				err = nil
			}
			probe.check(t, out, err)
		})
	}
	t.Run("outside of the profile", func(t *testing.T) { p.tryCalls(t, sc, options(lax), options("unconfined"), id) })
}

// writeSeccomp writes the profile, and one in which a call that no rule foresees ends
// the process: so that a program does not get along without it, and nobody notices.
func writeSeccomp(t *testing.T, made *profile.Profile) (lax, strict string) {
	format, _ := profile.FormatOf("seccomp")
	b, err := made.Write(format)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	doc["defaultAction"] = "SCMP_ACT_KILL_PROCESS"
	delete(doc, "defaultErrnoRet")
	killing, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	dir := sharedDir(t)
	lax, strict = filepath.Join(dir, "seccomp.json"), filepath.Join(dir, "strict.json")
	for name, b := range map[string][]byte{lax: b, strict: killing} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return lax, strict
}

// serveProfiled starts a server that asks nobody, and asks it in its own network by a
// program that is not the image's.
func (p *podman) serveProfiled(t *testing.T, args []string, probe *probe) {
	name := fmt.Sprintf("profiled-%d-%d", os.Getpid(), time.Now().UnixNano())
	run := append([]string{"run", "--detach", "--name", name}, args[2:]...)
	if out, err := p.run(t.Context(), append(run, probe.args...)...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer p.run(t.Context(), "rm", "--force", "--time", "0", name)
	pid, err := p.run(t.Context(), "inspect", "--format", "{{.State.Pid}}", name)
	if err != nil {
		t.Fatalf("%v: %s", err, pid)
	}
	page := askInNetwork(t, strings.TrimSpace(pid), probe.ask[0].URL)
	logs, _ := p.run(t.Context(), "logs", name)
	probe.check(t, page+logs, nil)
}

// tryCalls makes calls that the image does not need, each of which the kernel grants to
// anybody, and sees that they are refused under the profile and only there.
func (p *podman) tryCalls(t *testing.T, sc *profile.Seccomp, confined, unconfined []string, id string) {
	harmless := map[string]int{"msgget": 0, "landlock_create_ruleset": 1, "pkey_alloc": 0, "inotify_init1": 0, "semget": 0, "mq_unlink": 0, "get_robust_list": 0, "getpriority": 0}
	allowed := map[string]bool{}
	for _, c := range sc.Calls {
		allowed[c.Name] = true
	}
	numbers := syscalls.Numbers(runtime.GOARCH)
	var args []string
	for name, argument := range harmless {
		if !allowed[name] {
			args = append(args, strconv.Itoa(numbers[name]), strconv.Itoa(argument))
		}
	}
	if len(args) < 4 {
		t.Fatalf("the profile allows nearly all of %v", harmless)
	}
	try := probe{built: "trycall.go"}
	mounted := append([]string{"--volume", try.build(t) + ":" + builtPath + ":ro", "--entrypoint", builtPath, id}, args...)
	free, err := p.run(t.Context(), append(unconfined, mounted...)...)
	if err != nil || strings.Contains(free, "errno 38") {
		t.Fatalf("without the profile: %v\n%s", err, free)
	}
	out, err := p.run(t.Context(), append(confined, mounted...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Count(out, " errno 38\n"); got != len(args)/2 {
		t.Errorf("%d of %d calls were refused, expected all:\n%s", got, len(args)/2, out)
	}
}

// askInNetwork asks a server for a page, in the network of a process.
func askInNetwork(t *testing.T, pid, address string) string {
	t.Helper()
	var page string
	done := make(chan error)
	go func() {
		// The thread has the other network from now on, and so ends with the goroutine.
		runtime.LockOSThread()
		done <- func() error {
			f, err := os.Open("/proc/" + pid + "/ns/net")
			if err != nil {
				return err
			}
			defer f.Close()
			if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			for range 300 {
				if page, err = get(address); err == nil {
					return nil
				}
				time.Sleep(100 * time.Millisecond)
			}
			return err
		}()
	}()
	if err := <-done; errors.Is(err, unix.EPERM) {
		t.Skipf("SKIPPED: only root joins the network of a container: no server was run under its seccomp profile: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return page
}

// get returns what a server answers on a connection that this very thread makes.
func get(address string) (string, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}
