//go:build linux

package imagetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A probe runs a program of an image.
type probe struct {
	name    string
	command []string // nil: the image's entrypoint
	args    []string
	env     []string       // added to the image's
	built   string         // source in testdata that is compiled and run as the command
	want    []string       // regular expressions that match the output
	never   string         // one that does not
	ask     []question     // the program is a server that is asked this, and for its health
	stop    syscall.Signal // ends the server; the default is SIGTERM
	fails   bool           // it ends with an error, as it has to
}

const moreThan100 = `(1[0-9]{2}|[2-9][0-9]{2})\b`

// loader is the dynamic linker by its name in the ABI.
var loader = map[string]string{"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}[runtime.GOARCH]

var multiarch = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]

// linked: libraries are found in ld.so.cache, which glibc says when asked to.
var linked = probe{
	name: "ld.so.cache", command: []string{loader}, args: []string{"--list", "/usr/lib/" + multiarch + "/libm.so.6"},
	env: []string{"LD_DEBUG=libs"}, want: []string{`search cache=/etc/ld\.so\.cache`, `libc\.so\.6 => \S+/libc\.so\.6`},
	never: "system search path|not found",
}

// probes are the programs of the images, by folder or, for a variant, folder and name.
var probes = map[string][]probe{
	"static": {{
		name: "static Go program", built: "probe.go",
		want: []string{"zone: 2025-08-09 02:00 CEST", "authorities: " + moreThan100, "user: nonroot 65532 65532 /home/nonroot",
			"directory: /home/nonroot temporary: /tmp/"},
	}},
	"base": {linked, {
		name: "C program", built: "probe.c",
		want: []string{"zone: 2025-08-09 02:00 CEST", "user: nonroot 65532", `locale: C\.UTF-8`, "https: 443", "iconv: yes", "dlopen: yes"},
	}},
	"cc": {linked, {
		name: "C++ program", built: "probe.cc",
		want: []string{"caught: thrown in a thread", "match: 1", `locale: C\.UTF-8`},
	}},
	"python":       append(pythonProbes, linked),
	"python-debug": append(pythonProbes, probe{name: "shell", command: []string{"sh"}, args: []string{"-c", "echo $((6 * 7)); ls /"}, want: []string{"(?m)^42$", "(?m)^etc$"}}),
	"node": {linked, {
		name: "crypto, Intl, TLS",
		args: []string{"-e", `
			const a = require("assert"), c = require("crypto"), z = require("zlib");
			a.equal(c.createHash("sha256").update("x").digest("hex").length, 64);
			a.equal(z.brotliDecompressSync(z.brotliCompressSync("x")).toString(), "x");
			a.equal(new Intl.NumberFormat("de-DE").format(1234.5), "1.234,5");
			const d = new Date(1754697600000).toLocaleString("en-GB", {timeZone: "Europe/Berlin"});
			require("tls").createSecureContext();
			fetch("data:,undici").then(r => r.text()).then(t => console.log("fetch:", t));
			console.log("major:", process.versions.node.split(".")[0], "authorities:", require("tls").rootCertificates.length, "date:", d, "uid:", process.getuid(), "env:", process.env.NODE_ENV);`},
		want: []string{"major: 20 ", "authorities: " + moreThan100, "date: 09/08/2025, 02:00:00", "uid: 65532", "env: production", "fetch: undici"},
	}, {
		name: "ES module", args: []string{"--input-type=module", "-e", `import {readFileSync} from "node:fs"; console.log("cert:", readFileSync(process.env.SSL_CERT_FILE, "utf8").startsWith("-----BEGIN"))`},
		want: []string{"cert: true"},
	}},
	"openjdk": {{
		name: "version", args: []string{"-version"}, want: []string{`openjdk version "21\.`},
	}, {
		name: "properties", args: []string{"-XshowSettings:all", "-version"},
		want: []string{"java.home = /usr/lib/jvm/", `user.name = nonroot`, "file.encoding = UTF-8", `stdout.encoding = UTF-8`, "java.io.tmpdir = /tmp"},
	}, {
		name: "modules", args: []string{"--list-modules"}, want: []string{"(?m)^java.base@21", "(?m)^java.desktop@21", "(?m)^java.net.http@21"},
	}, {
		name: "key store", command: []string{"keytool"}, args: []string{"-list", "-cacerts", "-storepass", "changeit"},
		want: []string{"contains " + moreThan100 + " entries"},
	}},
	"postgresql-client": {
		linked,
		{name: "psql", args: []string{"--version"}, want: []string{`^psql \(PostgreSQL\) 17\.`}},
		{name: "pg_dump", command: []string{"pg_dump"}, args: []string{"--version"}, want: []string{`^pg_dump \(PostgreSQL\) 17\.`}},
		{name: "pg_restore", command: []string{"pg_restore"}, args: []string{"--version"}, want: []string{`^pg_restore \(PostgreSQL\) 17\.`}},
		{name: "pg_isready", command: []string{"/usr/lib/postgresql/17/bin/pg_isready"}, args: []string{"--version"}, want: []string{`^pg_isready \(PostgreSQL\) 17\.`}},
	},
	"nginx": {
		linked,
		{name: "configuration", args: []string{"-t"}, want: []string{"syntax is ok", "test is successful"}, never: "warn|emerg|alert"},
		{name: "request", args: []string{"-g", "daemon off;"}, ask: []question{{URL: "http://127.0.0.1:8080/"}}, stop: syscall.SIGQUIT,
			want: []string{"200 OK", "server: nginx\n", "Welcome to nginx!", `"GET / HTTP/1\.1" 200`, "server ended: <nil>"}, never: "emerg|alert"},
		{name: "no page", args: []string{"-g", "daemon off;"}, ask: []question{{URL: "http://127.0.0.1:8080/nothing"}}, stop: syscall.SIGQUIT,
			want: []string{"404 Not Found"}},
	},
}

var pythonProbes = []probe{{
	name: "modules",
	args: []string{"-c", `
import ssl, sqlite3, zlib, ctypes, lzma, bz2, zoneinfo, hashlib, uuid, readline, curses, dbm, decimal, asyncio, multiprocessing
import datetime, pwd, os, sys, venv, xml.etree.ElementTree, urllib.request
print("authorities:", len(ssl.create_default_context().get_ca_certs()))
print("zone:", datetime.datetime.fromtimestamp(1754697600, zoneinfo.ZoneInfo("Europe/Berlin")))
print("sqlite:", sqlite3.connect(":memory:").execute("select 6*7").fetchone()[0])
print("libc:", ctypes.CDLL(None).getuid(), pwd.getpwuid(os.getuid()).pw_name)
print("hash:", hashlib.new("sha3_256", b"").hexdigest()[:8], hashlib.scrypt(b"", salt=b"", n=2, r=1, p=1).hex()[:8])
print("pool:", multiprocessing.Pool(2).map(abs, [-1, -2]))
print("version:", sys.version_info[:2], "encoding:", sys.stdout.encoding, "cwd:", os.getcwd())`},
	want: []string{"authorities: " + moreThan100, `zone: 2025-08-09 02:00:00\+02:00`, "sqlite: 42", "libc: 65532 nonroot",
		"hash: a7ffc6f8", `pool: \[1, 2\]`, `version: \(3, 13\) encoding: utf-8 cwd: /home/nonroot`},
}, {
	name: "python by PATH", command: []string{"python"}, args: []string{"-c", "import sys; print(sys.executable)"}, want: []string{"^/usr/bin/python\n$"},
}, {
	name: "module as program", args: []string{"-m", "platform"}, want: []string{"^Linux-.*glibc2"},
}}

// argv returns the whole command line of a probe.
func (p *probe) argv(s *shipped) []string {
	command := p.command
	if command == nil {
		command = s.spec.Entrypoint
	}
	if p.built != "" {
		command = []string{builtPath}
	}
	return append(slices.Clone(command), p.args...)
}

// check fails the test where the output is not what it should be.
func (p *probe) check(t *testing.T, output string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v\n%s", p.name, err, output)
		return
	}
	for _, want := range p.want {
		if !regexp.MustCompile(want).MatchString(output) {
			t.Errorf("%s: the output does not match %q:\n%s", p.name, want, output)
		}
	}
	if p.never != "" && regexp.MustCompile(p.never).MatchString(output) {
		t.Errorf("%s: the output matches %q:\n%s", p.name, p.never, output)
	}
}

// builtPath is where a compiled probe is in the image.
const builtPath = "/opt/probe"

// build compiles the source of a probe. Other users may run the result.
func (p *probe) build(t *testing.T) string {
	out := filepath.Join(sharedDir(t), "probe")
	source := filepath.Join("testdata", p.built)
	var cmd *exec.Cmd
	switch filepath.Ext(source) {
	case ".c":
		cmd = exec.Command(tool(t, "gcc"), "-o", out, source)
	case ".cc":
		cmd = exec.Command(tool(t, "g++"), "-o", out, source)
	default:
		cmd = exec.Command(tool(t, "go"), "build", "-o", out, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if message, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, message)
	}
	if err := os.Chmod(out, 0o755); err != nil {
		t.Fatal(err)
	}
	return out
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: the host has no %s", name)
	}
	return path
}

// sharedDir is a temporary directory that other users can reach, as t.TempDir is not.
func sharedDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "hardpan-imagetest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// probesOf returns what there is to run of an image.
func probesOf(t *testing.T, s *shipped) []probe {
	list := append(slices.Clone(probes[s.String()]), serviceProbes[s.String()]...)
	if len(list) == 0 {
		t.Fatalf("no program of image %s is known here: add one to probes", s)
	}
	if _, ok := s.host(); !ok {
		t.Skipf("SKIPPED: the image is not built for %s: none of its programs was run", hostPlatform)
	}
	return list
}

// runInNamespace unpacks the image of the host's platform and runs its programs as
// an ordinary user, on a read-only root.
func runInNamespace(t *testing.T, s *shipped) {
	list := probesOf(t, s)
	img := s.open(t, hostPlatform)
	root := filepath.Join(sharedDir(t), "root")
	owner := ordinaryUser()
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(img, root, owner); err != nil {
		t.Fatal(err)
	}
	if owner != (account{}) {
		if err := os.Chown(root, owner.uid, owner.gid); err != nil {
			t.Fatal(err)
		}
	}
	uid, gid := ids(t, img.Config.User)
	for _, p := range list {
		t.Run(p.name, func(t *testing.T) {
			b := sandbox{
				Root: root, UID: uid, GID: gid, Dir: img.Config.WorkingDir, Args: p.argv(s),
				Env: append(slices.Clone(img.Config.Env), p.env...), Writable: s.spec.Volumes, Ask: p.ask, Stop: p.stop,
			}
			if b.Stop == 0 {
				b.Stop = syscall.SIGTERM
			}
			if h := img.Config.Healthcheck; h != nil && h.Test[0] == "CMD" {
				b.Health = h.Test[1:]
			}
			if p.built != "" {
				b.Binds = map[string]string{builtPath: p.build(t)}
			}
			output, err := b.run(t)
			p.check(t, output, err)
		})
	}
}

func ids(t *testing.T, user string) (uid, gid int) {
	u, g, _ := strings.Cut(user, ":")
	uid, err := strconv.Atoi(u)
	if err != nil {
		t.Fatalf("user %q: %v", user, err)
	}
	if gid, err = strconv.Atoi(g); err != nil {
		t.Fatalf("user %q: %v", user, err)
	}
	return uid, gid
}
