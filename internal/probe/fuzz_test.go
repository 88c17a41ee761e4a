package probe

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// model is what [answer] of probe.c is to make of the whole of an answer.
var model = regexp.MustCompile(`^(?:HTTP/1\.[0-9] 1(?:0[02-9]|[1-9][0-9])(?:\n|[ \r](?:[^\n]*\n))(?:[^\n]*[^\r\n][^\n]*\n)*\r*\n)*HTTP/1\.[0-9] ([1-9][0-9]{2})[ \r\n]`)

// FuzzAnswer gives the probe any answer: it says healthy of those that the model
// says it of, and does not crash.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 404\n\n", "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 302 Found\r\n", "HTTP/1.1 101 X\r\n\r\n",
		"HTTP/1.1 103\n\nHTTP/1.1 204 \n", "HTTP/2 200\r\n", "", "\r\nHTTP/1.1 200 OK", "HTTP/1.1 199 \r\r\n\r\r\nHTTP/1.9 399\r",
	} {
		f.Add([]byte(text))
	}
	p := program{path: native(f)}
	next := make(chan []byte, 1)
	l := serve(f, "tcp4", "127.0.0.1:0", func(c net.Conn) {
		text := <-next
		readRequest(c)
		c.Write(text)
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 60<<10 {
			t.Skip("more than the probe reads")
		}
		next <- text
		code, out := p.run(t, "-t", "20", "http://127.0.0.1:"+port(l))
		want := 1
		if m := model.FindSubmatch(text); m != nil {
			if status, _ := strconv.Atoi(string(m[1])); status >= 200 && status <= 399 {
				want = 0
			}
		}
		if code != want || (code == 0) != (out == "") {
			t.Errorf("%q: exit code %d and %q, expected %d", text, code, out, want)
		}
	})
}

// FuzzTarget gives the probe any target: it connects for those that package netip
// takes for the loopback.
func FuzzTarget(f *testing.F) {
	for _, text := range []string{
		"tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:65535", "tcp://[0:0:0:0:0:0:0:1]:00080", "tcp://127.255.0.9:3", "tcp://[::127.0.0.1]:1",
		"tcp://[1::]:1", "tcp://[::]:1", "tcp://[0::1:1]:2", "tcp://128.0.0.1:1", "tcp://:1", "tcp://[]:1", "tcp://[:1", "tcp://a]:1", "tcp://[::1]x:1",
	} {
		f.Add(text)
	}
	p := program{path: native(f)}
	f.Fuzz(func(t *testing.T, target string) {
		if strings.ContainsRune(target, 0) || strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "-") {
			t.Skip("no target of this kind")
		}
		code, out := p.run(t, "-t", "1", target)
		refused := code == 1 && strings.Contains(out, ": expected ")
		if code != 0 && code != 1 || (code == 0) != (out == "") || refused == isLoopback(target) {
			t.Errorf("%q: exit code %d and %q", target, code, out)
		}
	})
}

// isLoopback reports whether the probe is to connect to the target.
func isLoopback(target string) bool {
	rest, ok := strings.CutPrefix(target, "tcp://")
	colon := strings.LastIndexByte(rest, ':')
	if !ok || colon < 0 {
		return false
	}
	host, port := rest[:colon], rest[colon+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || len(port) > 5 || port[0] == '+' {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return ok && err == nil && a == netip.IPv6Loopback() && !strings.Contains(inner, ".")
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Is4() && a.IsLoopback()
}
