package specs

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// healthcheck checks that a health check says what to do, once, and without a shell.
func (v *validator) healthcheck() {
	h := v.s.Healthcheck
	if h == nil {
		return
	}
	var set []string
	for _, key := range []string{"command", "http", "tcp"} {
		if v.s.says("healthcheck", key) {
			set = append(set, key)
		}
	}
	switch {
	case len(set) == 0:
		v.add(v.s.Position("healthcheck"), "", "healthcheck: expected command, http or tcp")
	case len(set) > 1:
		v.add(v.s.Position("healthcheck", set[1]), "", "healthcheck: found %s, expected only one of command, http and tcp", strings.Join(set, " and "))
	case set[0] != "command":
	case len(h.Command) == 0 || h.Command[0] == "":
		v.add(v.s.Position("healthcheck", "command"), "", "healthcheck.command: found an empty value, expected a program and its arguments")
	case slices.Contains([]string{"CMD", "CMD-SHELL", "NONE"}, h.Command[0]):
		v.add(v.s.Position("healthcheck", "command"), "leave out "+h.Command[0]+": no shell reads the command",
			"healthcheck.command: found %s first, expected a program", quote(h.Command[0]))
	}
}

// loopbackHint says why a probe asks nobody else.
const loopbackHint = "the probe runs in the container and reaches only what runs there: write 127.0.0.1, [::1] or localhost"

// checkHealthURL refuses what the probe does not ask for: it speaks plain HTTP, to
// the loopback.
func checkHealthURL(s string) error {
	const expected = "an address such as http://127.0.0.1:8000/healthz"
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return badValue(s, expected, "")
	case u.User != nil:
		return &valueError{"found credentials in an address, expected none", "a health check is part of the image, which anybody may read; ask for a page that needs none"}
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return badValue(s, "an address without a fragment", "")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return badValue(s, "an address of printable ASCII", "percent-encode the rest")
	}
	if u.Port() == "" && !strings.HasSuffix(u.Host, ":") {
		return checkHealthAddress(u.Host + ":80")
	}
	return checkHealthAddress(u.Host)
}

// checkHealthAddress refuses an address that is not a port of the loopback.
func checkHealthAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return badValue(s, "an address such as 127.0.0.1:5432", "")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || len(port) > 5 {
		return badValue(port, "a port from 1 to 65535", "")
	}
	if host == "localhost" {
		return nil
	}
	a, err := netip.ParseAddr(host)
	switch {
	case err == nil && a.IsUnspecified():
		return badValue(host, "an address of the loopback", "a server that listens at all addresses answers at "+loopbackOf(a)+", too")
	case err != nil || a.Zone() != "" || a.Is4In6() || !a.IsLoopback() || a.Is6() && strings.Contains(host, "."):
		return badValue(host, "an address of the loopback", loopbackHint)
	}
	return nil
}

func loopbackOf(a netip.Addr) string {
	if a.Is4() {
		return "127.0.0.1"
	}
	return "[::1]"
}

// hintHealthURL says what to write instead of something that is no http address.
func hintHealthURL(s string) string {
	switch {
	case strings.HasPrefix(s, "https://"):
		return "the probe speaks no TLS: ask a plain port of the server, connect with tcp, or write a command"
	case !strings.Contains(s, "://"):
		return "write http://" + s
	}
	return ""
}

// hintHealthAddress says what to write instead of something that is no address.
func hintHealthAddress(s string) string {
	if rest, ok := strings.CutPrefix(s, "tcp://"); ok {
		return "write " + rest
	}
	if strings.HasPrefix(s, "http://") {
		return "write http instead of tcp"
	}
	if _, err := parsePort(s); err == nil {
		return "write 127.0.0.1:" + s
	}
	return ""
}
