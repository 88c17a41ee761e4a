package probe

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/maint/ldso"
	"github.com/hardpan/hardpan/internal/tree"
)

// program is a probe that this host can run.
type program struct {
	path string
	qemu string // that runs it, "" if the processor does
}

// programs calls test with the probe of each platform that is checked in, and with
// that which a compiler of another version makes of the same sources here.
func programs(t *testing.T, test func(t *testing.T, p program)) {
	m := readManifest(t)
	for _, to := range targets {
		t.Run(to.arch, func(t *testing.T) {
			t.Parallel()
			b, err := Binary(to.arch)
			if err != nil {
				t.Fatal(err)
			}
			test(t, to.program(t, b))
		})
		t.Run(to.arch+"/rebuilt", func(t *testing.T) {
			t.Parallel()
			b, how := to.build(t)
			if want := m.Binaries[to.arch]; digest(b) == want.SHA256 {
				t.Skipf("%s made the binary that is checked in", how.Compiler)
			}
			test(t, to.program(t, b))
		})
	}
}

func (to target) program(t *testing.T, b []byte) program {
	t.Helper()
	p := program{path: filepath.Join(t.TempDir(), "probe")}
	if err := os.WriteFile(p.path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if to.arch == runtime.GOARCH {
		return p
	}
	qemu, err := exec.LookPath(to.qemu)
	if err != nil {
		t.Skipf("the host has no %s, of package qemu-user-static", to.qemu)
	}
	p.qemu = qemu
	return p
}

// native returns the probe of this machine's processor.
func native(t testing.TB) string {
	t.Helper()
	b, err := Binary(runtime.GOARCH) // Debian's name is Go's where tests run
	if err != nil {
		t.Skipf("the host's processor is %s: %v", runtime.GOARCH, err)
	}
	path := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs the probe and returns its exit code and what it printed.
func (p program) run(t testing.TB, args ...string) (int, string) {
	t.Helper()
	argv := append([]string{p.path}, args...)
	if p.qemu != "" {
		argv = append([]string{p.qemu}, argv...)
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{}
	return finish(t, cmd)
}

func finish(t testing.TB, cmd *exec.Cmd) (int, string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if exit.ExitCode() < 0 {
			return exit.ExitCode(), out.String() + exit.String()
		}
		return exit.ExitCode(), out.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String()
}

// serve listens on an address of the loopback and gives every connection to answer.
func serve(t testing.TB, network, address string, answer func(c net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("the host has no loopback at %s: %v", address, err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				answer(c)
			}()
		}
	}()
	return l
}

func port(l net.Listener) string { return fmt.Sprint(l.Addr().(*net.TCPAddr).Port) }

// says reads the request and answers with a text.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, text)
	}
}

// readRequest reads up to the blank line after the request's fields.
func readRequest(c net.Conn) string {
	var all []byte
	for b := make([]byte, 1); !bytes.HasSuffix(all, []byte("\r\n\r\n")); all = append(all, b[0]) {
		if _, err := c.Read(b); err != nil {
			break
		}
	}
	return string(all)
}

// silent keeps the connection open and says nothing, or nothing more.
func silent(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		io.Copy(io.Discard, c) // until the probe goes away
	}
}

// dribble says the text a byte at a time.
func dribble(text string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		for i := range len(text) {
			if _, err := c.Write([]byte{text[i]}); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

var answers = []struct {
	name   string
	answer func(net.Conn)
	want   string // "" is healthy
}{
	{"ok", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), ""},
	{"no content", says("HTTP/1.1 204 No Content\r\n\r\n"), ""},
	{"no reason", says("HTTP/1.1 200\r\n\r\n"), ""},
	{"an old server", says("HTTP/1.0 200 OK\n\nok"), ""},
	{"redirection", says("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\n\r\n"), ""},
	{"last healthy status", says("HTTP/1.1 399 X\r\n\r\n"), ""},
	{"not found", says("HTTP/1.1 404 Not Found\r\n\r\n"), "status 404"},
	{"unavailable", says("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n"), "status 503"},
	{"no such status", says("HTTP/1.1 999 X\r\n\r\n"), "status 999"},
	{"switching protocols", says("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "status 101"},
	{"early hints first", says("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), ""},
	{"early hints only", says("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "closed without an answer"},
	{"a status among the fields", says("HTTP/1.1 103 Early Hints\r\nX: y\r\nHTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 X\r\n\r\n"), "status 500"},
	{"closes at once", func(net.Conn) {}, "connection reset"}, // or, if the request comes later, as the next
	{"closes without a word", says(""), "closed without an answer"},
	{"resets", func(c net.Conn) { readRequest(c); c.(*net.TCPConn).SetLinger(0) }, "connection reset"},
	{"closes amid the status", says("HTTP/1.1 20"), "closed without an answer"},
	{"never answers", silent(""), "no answer in time"},
	{"stops amid the status", silent("HTTP/1.1 2"), "no answer in time"},
	{"answers byte by byte", dribble("HTTP/1.1 200 OK\r\n\r\n"), ""},
	{"never comes to the point", dribble(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000)), "no answer in time"},
	{"garbage", says("\x00\x01\x02 garbage\r\n"), "the answer is not HTTP/1"},
	{"another protocol", says("220 mail.example.com ESMTP\r\n"), "the answer is not HTTP/1"},
	{"TLS", says("\x15\x03\x01\x00\x02\x02\x46"), "the answer is not HTTP/1"},
	{"HTTP/2", says("HTTP/2.0 200 OK\r\n\r\n"), "the answer is not HTTP/1"},
	{"too long a status", says("HTTP/1.1 2000 OK\r\n\r\n"), "the answer is not HTTP/1"},
	{"a status of zeros", says("HTTP/1.1 099 X\r\n\r\n"), "the answer is not HTTP/1"},
	{"huge fields", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 4<<20) + "\r\n\r\n"), ""},
	{"huge fields before the status", says("HTTP/1.1 103 X\r\nX: " + strings.Repeat("x", 4<<20) + "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "no status in the first 64 KiB of the answer"},
	{"a body without an end", func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		for err := error(nil); err == nil; {
			_, err = c.Write(make([]byte, 1<<16))
		}
	}, ""},
	{"answers before the request", func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	}, ""},
}

// timeoutFor returns a timeout that is short only where the probe is to run into it.
func timeoutFor(want string) string {
	if strings.HasSuffix(want, "in time") {
		return "0.1"
	}
	return "20"
}

// TestProbe asks servers of many kinds over HTTP, on every platform.
func TestProbe(t *testing.T) {
	programs(t, func(t *testing.T, p program) {
		for _, test := range answers {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				l := serve(t, "tcp4", "127.0.0.1:0", test.answer)
				url := "http://127.0.0.1:" + port(l) + "/health"
				code, out := p.run(t, "-t", timeoutFor(test.want), url)
				if test.name == "closes at once" {
					out = strings.Replace(out, "closed without an answer", "connection reset", 1)
				}
				want, wantCode := "", 0
				if test.want != "" {
					want, wantCode = "hardpan-probe: "+url+": "+test.want+"\n", 1
				}
				if code != wantCode || out != want {
					t.Errorf("exit code %d and %q, expected %d and %q", code, out, wantCode, want)
				}
			})
		}
	})
}

// TestTargets holds what the probe takes for a target, and what it says of others.
func TestTargets(t *testing.T) {
	v4 := serve(t, "tcp4", "127.0.0.1:0", says("HTTP/1.1 200 OK\r\n\r\n"))
	v6 := serve(t, "tcp6", "[::1]:0", says("HTTP/1.1 200 OK\r\n\r\n"))
	const (
		host = `expected the host 127.x.x.x, [::1] or localhost`
		prt  = "expected a port from 1 to 65535"
	)
	programs(t, func(t *testing.T, p program) {
		for _, test := range []struct{ args, want string }{
			{"http://127.0.0.1:V4", ""},
			{"http://127.0.0.1:V4/", ""},
			{"http://127.0.0.1:V4?x", ""},
			{"http://127.0.0.1:V4/a?b=c&d#e", ""},
			{"http://localhost:V4/", ""},
			{"http://localhost:V6/", ""},
			{"http://[::1]:V6/", ""},
			{"http://[0:0:0:0:0:0:0:1]:V6/", ""},
			{"http://[0::0001]:V6/", ""},
			{"http://[0:0::0:1]:V6/", ""},
			{"tcp://127.0.0.1:V4", ""},
			{"tcp://[::1]:V6", ""},
			{"tcp://localhost:V6", ""},
			{"-t 0.25 tcp://127.0.0.1:V4", ""},
			{"-t 86400 tcp://127.0.0.1:V4", ""},
			{"-t 1.0000000001 tcp://127.0.0.1:V4", ""},
			{"tcp://127.0.0.1:1", "tcp://127.0.0.1:1: connection refused"},
			{"tcp://localhost:1", "tcp://localhost:1: connection refused"},
			{"tcp://[::1]:1", "tcp://[::1]:1: connection refused"},
			{"http://127.0.0.1:", "http://127.0.0.1:: " + prt},
			{"http://127.0.0.1:0/", "http://127.0.0.1:0/: " + prt},
			{"http://127.0.0.1:65536/", "http://127.0.0.1:65536/: " + prt},
			{"http://127.0.0.1:100000/", "http://127.0.0.1:100000/: " + prt},
			{"http://127.0.0.1:+80/", "http://127.0.0.1:+80/: " + prt},
			{"tcp://127.0.0.1", "tcp://127.0.0.1: " + prt},
			{"tcp://[::1]", "tcp://[::1]: " + prt},
			{"tcp://127.0.0.1:80/x", "tcp://127.0.0.1:80/x: expected nothing after the port"},
			{"http://example.com/", "http://example.com/: " + host},
			{"http://localhost.example.com/", "http://localhost.example.com/: " + host},
			{"http://10.0.0.1/", "http://10.0.0.1/: " + host},
			{"http://0.0.0.0/", "http://0.0.0.0/: " + host},
			{"http://127.1/", "http://127.1/: " + host},
			{"http://127.0.0.01/", "http://127.0.0.01/: " + host},
			{"http://127.0.0.256/", "http://127.0.0.256/: " + host},
			{"http://127.0.0.1.1/", "http://127.0.0.1.1/: " + host},
			{"http://2130706433/", "http://2130706433/: " + host},
			{"http://[::]/", "http://[::]/: " + host},
			{"http://[::2]/", "http://[::2]/: " + host},
			{"http://[1::1]/", "http://[1::1]/: " + host},
			{"http://[::1::]/", "http://[::1::]/: " + host},
			{"http://[::1%lo]/", "http://[::1%lo]/: " + host},
			{"http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]/: " + host},
			{"http://[0:0:0:0:0:0:0:0:1]/", "http://[0:0:0:0:0:0:0:0:1]/: " + host},
			{"http://[0:0:0:0:0:0:1]/", "http://[0:0:0:0:0:0:1]/: " + host},
			{"http://::1/", "http://::1/: " + host},
			{"http://user@127.0.0.1/", "http://user@127.0.0.1/: " + host},
			{"http://", "http://: " + host},
			{"https://127.0.0.1/", "https://127.0.0.1/: expected http:// or tcp://"},
			{"HTTP://127.0.0.1/", "HTTP://127.0.0.1/: expected http:// or tcp://"},
			{"127.0.0.1:80", "127.0.0.1:80: expected http:// or tcp://"},
			{"http://127.0.0.1/\x01", "target: expected printable ASCII without spaces"},
			{"http://127.0.0.1/\r\nX:\u00a0y", "target: expected printable ASCII without spaces"},
			{"-t 0 tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"-t 0.0 tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"-t 1. tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"-t .5 tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"-t -1 tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"-t 5s tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"-t 86401 tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"-t 99999999999999999999 tcp://127.0.0.1:V4", "-t: expected seconds, such as 4.5"},
			{"", "usage: probe [-t SECONDS] http://HOST[:PORT][/PATH] or tcp://HOST:PORT"},
			{"a b", "usage: probe [-t SECONDS] http://HOST[:PORT][/PATH] or tcp://HOST:PORT"},
			{"-t 5", "usage: probe [-t SECONDS] http://HOST[:PORT][/PATH] or tcp://HOST:PORT"},
		} {
			args := strings.Split(strings.NewReplacer("V4", port(v4), "V6", port(v6)).Replace(test.args), " ")
			if test.args == "" {
				args = nil
			}
			code, out := p.run(t, args...)
			want, wantCode := "", 0
			if test.want != "" {
				want, wantCode = "hardpan-probe: "+test.want+"\n", 1
			}
			if code != wantCode || out != want {
				t.Errorf("%q: exit code %d and %q, expected %d and %q", args, code, out, wantCode, want)
			}
		}
		if code, out := p.run(t, "--version"); code != 0 || out != Name+" "+Version+"\n" {
			t.Errorf("--version: exit code %d and %q", code, out)
		}
	})
}

// TestRequest holds what the probe sends, for a server of Go's to read.
func TestRequest(t *testing.T) {
	requests := make(chan *http.Request, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r })}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	p := program{path: native(t)}
	for _, test := range []struct{ url, host, uri string }{
		{"http://127.0.0.1:PORT", "127.0.0.1:PORT", "/"},
		{"http://localhost:PORT/healthz", "localhost:PORT", "/healthz"},
		{"http://127.0.0.1:PORT?full=1", "127.0.0.1:PORT", "/?full=1"},
		{"http://127.0.0.1:PORT/a%20b/?q=%2F#fragment", "127.0.0.1:PORT", "/a%20b/?q=%2F"},
		{"http://127.0.0.1:PORT/" + strings.Repeat("x", 60000), "127.0.0.1:PORT", "/" + strings.Repeat("x", 60000)},
	} {
		with := strings.NewReplacer("PORT", port(l))
		if code, out := p.run(t, with.Replace(test.url)); code != 0 {
			t.Fatalf("%.80s: exit code %d and %q", test.url, code, out)
		}
		r := <-requests
		if r.Method != "GET" || r.Proto != "HTTP/1.1" || r.RequestURI != test.uri || r.Host != with.Replace(test.host) || !r.Close ||
			r.Header.Get("User-Agent") != Name+"/"+Version || r.Header.Get("Accept") != "*/*" || len(r.Header) != 3 {
			t.Errorf("%.80s: the server got %s %.80s %s for %s, %v", test.url, r.Method, r.RequestURI, r.Proto, r.Host, r.Header)
		}
	}
}

// TestKeptConnection has a server that does not close the connection, for which the
// probe does not wait until its timeout.
func TestKeptConnection(t *testing.T) {
	l := serve(t, "tcp4", "127.0.0.1:0", silent("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"))
	if code, out := (program{path: native(t)}).run(t, "-t", "86400", "http://127.0.0.1:"+port(l)); code != 0 {
		t.Errorf("exit code %d and %q", code, out)
	}
}

// TestSlowServer has a server that takes connections up to its backlog and then none.
func TestSlowServer(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("127.0.0.1:%d", address.(*syscall.SockaddrInet4).Port)
	for range 4 { // one is enough for Linux to leave the next without an answer
		c, err := net.DialTimeout("tcp4", at, 50*time.Millisecond)
		if err != nil {
			break
		}
		defer c.Close()
	}
	code, out := program{path: native(t)}.run(t, "-t", "0.2", "tcp://"+at)
	if want := "hardpan-probe: tcp://" + at + ": no connection in time\n"; code != 1 || out != want {
		t.Errorf("exit code %d and %q, expected 1 and %q", code, out, want)
	}
}

// TestHardened holds what an auditor looks for in a binary.
func TestHardened(t *testing.T) {
	for _, to := range targets {
		b, err := Binary(to.arch)
		if err != nil {
			t.Error(err)
			continue
		}
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", to.arch, err)
			continue
		}
		if len(b) > 300<<10 || f.Type != elf.ET_DYN {
			t.Errorf("%s: %d bytes of type %s, expected at most 300 KiB of a position-independent executable", to.arch, len(b), f.Type)
		}
		stack := false
		for _, p := range f.Progs {
			switch {
			case p.Type == elf.PT_INTERP:
				t.Errorf("%s: has an interpreter", to.arch)
			case p.Type == elf.PT_GNU_STACK:
				stack = p.Flags == elf.PF_R|elf.PF_W
			case p.Flags&elf.PF_W != 0:
				t.Errorf("%s: segment %s is writable", to.arch, p.Type)
			}
		}
		if !stack {
			t.Errorf("%s: nothing says that the stack is not executable", to.arch)
		}
		if needed, err := f.ImportedLibraries(); err != nil || len(needed) > 0 {
			t.Errorf("%s: needs %q (error %v)", to.arch, needed, err)
		}
		for _, tag := range []elf.DynTag{elf.DT_RELSZ, elf.DT_RELASZ, elf.DT_PLTRELSZ, elf.DT_TEXTREL} {
			if v, err := f.DynValue(tag); err != nil || len(v) > 0 && v[0] != 0 {
				t.Errorf("%s: has %s %v (error %v)", to.arch, tag, v, err)
			}
		}
		abi, err := ldso.ABIOf(to.arch)
		if err != nil {
			t.Logf("%s: %v", to.arch, err) // armel, of which no image can be built yet
			continue
		}
		if e, err := tree.ReadELF(bytes.NewReader(b)); err != nil || !abi.Fits(e) {
			t.Errorf("%s: does not fit the architecture (error %v)", to.arch, err)
		}
	}
}

// TestAnyUser runs the probe as nobody in particular in a root that has nothing else.
func TestAnyUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the host lets an ordinary user not change its root: the test needs root")
	}
	l := serve(t, "tcp4", "127.0.0.1:0", says("HTTP/1.1 200 OK\r\n\r\n"))
	root := t.TempDir()
	b, err := Binary(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(root, "probe"), b, 0o755), os.Chmod(root, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/probe", "http://localhost:"+port(l)+"/")
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 64990, Gid: 64991}}
	if code, out := finish(t, cmd); code != 0 {
		t.Errorf("exit code %d and %q", code, out)
	}
}

// TestCommand holds how the probe is called within the timeout of a check.
func TestCommand(t *testing.T) {
	for _, test := range []struct {
		command []string
		want    string
	}{
		{HTTP("http://127.0.0.1:8000/healthz", 0), "/usr/lib/hardpan/probe -t 29 http://127.0.0.1:8000/healthz"},
		{HTTP("http://[::1]/", 10*time.Second), "/usr/lib/hardpan/probe -t 9 http://[::1]/"},
		{TCP("127.0.0.1:5432", 5*time.Second), "/usr/lib/hardpan/probe -t 4.5 tcp://127.0.0.1:5432"},
		{TCP("localhost:1", time.Millisecond), "/usr/lib/hardpan/probe -t 0.0009 tcp://localhost:1"},
		{TCP("localhost:1", 90*time.Minute), "/usr/lib/hardpan/probe -t 5399 tcp://localhost:1"},
	} {
		if got := strings.Join(test.command, " "); got != test.want {
			t.Errorf("%s, expected %s", got, test.want)
		}
	}
}
