//go:build linux

package imagetest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// python is the interpreter of the images that have a venv.
const python = "/opt/venv/bin/python"

// confined tells what a process of the image may do, and tries what it may not. The
// words after it are the paths that it may write to.
const confined = `
import ctypes, os, stat, subprocess, sys
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print("ids:", *status["Uid"].split(), *status["Gid"].split())
print("capabilities:", *(int(status[c], 16) for c in ("CapInh", "CapPrm", "CapEff", "CapAmb")), "no new privileges:", status["NoNewPrivs"])
libc = ctypes.CDLL(None, use_errno=True)
def call(f, *args):
    if f(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def write(path):
    open(path, "a").close()
def refused(what, do, *args):
    try:
        do(*args)
    except OSError as e:
        print("refused:", what)
    else:
        print("DONE:", what, *args)
for name, do, *args in [
    ("setuid", os.setuid, 0), ("setgid", os.setgid, 0), ("setgroups", os.setgroups, [0]), ("chroot", os.chroot, "/tmp"),
    ("mount", call, libc.mount, b"none", b"/tmp", b"tmpfs", 0, None), ("sethostname", call, libc.sethostname, b"x", 1),
    ("device", os.mknod, "/tmp/device", stat.S_IFCHR | 0o600, os.makedev(1, 1)), ("chown", os.chown, "/app", 0, 0),
    ("root", write, "/x"), ("etc", write, "/etc/passwd"), ("program", write, sys.executable), ("venv", write, "/opt/venv/x"), ("app", write, "/app/x"),
] + [("run " + p, subprocess.run, [p]) for p in ("sh", "bash", "cc", "gcc", "pip", "apt-get", "dpkg", "su", "sudo", "perl")]:
    refused(name, do, *args)
for path in sys.argv[1:]:
    write(path + "/x")
    os.remove(path + "/x")
    print("writes:", path)
print("set-id:", [os.path.join(d, f) for d, _, files in os.walk("/usr") for f in files if os.lstat(os.path.join(d, f)).st_mode & 0o6000])
`

// confinement returns the probe of an image that runs as user 1000.
func confinement(writable ...string) probe {
	want := []string{`(?m)^ids: 1000 1000 1000 1000 1000 1000 1000 1000$`, `(?m)^capabilities: 0 0 0 0 no new privileges: 1$`, `(?m)^set-id: \[\]$`}
	for _, w := range writable {
		want = append(want, "(?m)^writes: "+w+"$")
	}
	return probe{name: "confinement", command: []string{python}, args: append([]string{"-c", confined}, writable...), want: want, never: "DONE"}
}

const api = "http://127.0.0.1:8000"

// serviceProbes are what there is to run of the images that have been through a build
// stage. Those with questions are run in podman too, with the limits that their labels say.
var serviceProbes = map[string][]probe{
	"xorb-api": {linked, {
		name: "service",
		ask: []question{
			{URL: api + "/healthz"},
			{URL: api + "/v1/parity", Body: []byte(`{"blocks": ["Zmlyc3Q=", "b3RoZXI=", "dGhpcmQ="]}`)}, // first, other, third
			{URL: api + "/v1/recover", Body: []byte(`{"blocks": ["Zmlyc3Q=", null, "dGhpcmQ=", "fXVzZGI="]}`)},
			{URL: api + "/metrics"},
			{URL: "http://127.0.0.1:9090/metrics"},
		},
		want: []string{`healthz: 200 OK\n.*\n\{"status": "ok"\}`, `parity: 200 OK\n.*\n\{"parity": "fXVzZGI="\}`, `recover: 200 OK\n.*\n\{"block": "b3RoZXI="\}`,
			`:8000/metrics: 404 `, `http_requests_total\{method="POST",route="/v1/recover",status="200"\} 1`, "health check: <nil>", "(?m)^stopped$", "server ended: <nil>"},
		never: "Traceback",
	}, confinement("/app/data", "/app/logs", "/app/tmp"), {
		name: "compiled extension", command: []string{python},
		args: []string{"-c", "import xorbit; print(xorbit.__file__, xorbit.parity([b'ab', b'AB']))"},
		want: []string{`^/opt/venv/lib/python3\.11/site-packages/xorbit\.cpython-311-\S+\.so b'  '`},
	}, {
		name: "psql", command: []string{"psql"}, args: []string{"--version"}, want: []string{`^psql \(PostgreSQL\) 15\.`},
	}, {
		name: "redis-cli", command: []string{"redis-cli"}, args: []string{"--version"}, want: []string{`^redis-cli 7\.0`},
	}},
	"samo-dl-api": {linked, {
		name: "service",
		ask:  []question{{URL: api + "/healthz"}, {URL: api + "/readyz"}, {URL: api + "/v1/speech", Body: recording()}, {URL: "http://127.0.0.1:9090/metrics"}},
		want: []string{`healthz: 200 OK\n.*\n\{"status": "ok"\}`, `readyz: 200 OK`, `speech: 200 OK\n.*\n\{"seconds": 3\.0, "speech": \[\{"from": 1\.0, "to": 2\.0\}\]\}`,
			`(?m)^samo_fallback 0$`, "health check: <nil>", "(?m)^stopped$", "server ended: <nil>"},
		never: "Traceback",
	}, {
		name: "fallback", env: []string{"SAMO_MODULE=samo_dl_api.nothing"},
		ask: []question{{URL: api + "/healthz"}, {URL: api + "/readyz"}, {URL: api + "/v1/speech", Body: recording()}, {URL: "http://127.0.0.1:9090/metrics"}},
		want: []string{`healthz: 200 OK\n.*\n\{"reason": "ModuleNotFoundError: No module named 'samo_dl_api\.nothing'", "status": "fallback"\}`,
			`readyz: 503 `, `speech: 404 `, `(?m)^samo_fallback 1$`, "health check: <nil>", "(?m)^stopped$", "server ended: <nil>"},
	}, confinement(), {
		name: "formats", command: []string{python},
		args: []string{"-c", `
import subprocess
from samo_dl_api import speech
def ffmpeg(*args, input=b""):
    return subprocess.run(["ffmpeg", "-loglevel", "error", *args, "pipe:1"], input=input, capture_output=True, check=True).stdout
for codec, form in ("libopus", "ogg"), ("libmp3lame", "mp3"), ("flac", "flac"), ("aac", "adts"):
    sound = ffmpeg("-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-c:a", codec, "-f", form)
    print(form, round(len(speech.decode(sound)) / speech.RATE, 1))
film = ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "libaom-av1", "-cpu-used", "8", "-f", "ivf")
print("av1", ffmpeg("-c:v", "libaom-av1", "-i", "pipe:0", "-f", "framecrc", input=film).decode().count("\n0,"))`},
		want: []string{`(?m)^ogg 1\.0$`, `(?m)^mp3 1\.[01]$`, `(?m)^flac 1\.0$`, `(?m)^adts 1\.[01]$`, `(?m)^av1 5$`},
	}, {
		name: "ffmpeg", command: []string{"ffmpeg"}, args: []string{"-version"}, want: []string{"^ffmpeg version 5.1."},
	}, {
		name: "curl", command: []string{"curl"}, args: []string{"--version"}, want: []string{`^curl 7\.88\.1`},
	}},
	"apps-c": {{
		name: "crc", args: []string{"/dev/null", "/etc/debian_version"}, want: []string{`(?m)^00000000  /dev/null$`, `(?m)^[0-9a-f]{8}  /etc/debian_version$`},
	}},
	"apps-go": {{
		name: "sums", args: []string{"/dev/null"}, want: []string{`^e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /dev/null\n$`},
	}},
	"apps-node": {{
		name: "service", ask: []question{{URL: "http://127.0.0.1:8080/1994"}, {URL: "http://127.0.0.1:8080/4000"}},
		want: []string{`1994: 200 OK\n.*\nMCMXCIV\n`, `4000: 400 Bad Request\n.*\n4000 is no number from 1 to 3999`, "health check: <nil>", "server ended: <nil>"},
	}},
}

// recording returns three seconds in WAV, the second of them a tone.
func recording() []byte {
	const rate = 16000
	var b bytes.Buffer
	size := uint32(3 * rate * 2)
	b.WriteString("RIFF")
	binary.Write(&b, binary.LittleEndian, size+36)
	b.WriteString("WAVEfmt ")
	binary.Write(&b, binary.LittleEndian, []uint32{16, 1 | 1<<16, rate, rate * 2, 2 | 16<<16}) // PCM, one channel, 16 bits
	b.WriteString("data")
	binary.Write(&b, binary.LittleEndian, size)
	for i := range 3 * rate {
		var sample int16
		if i/rate == 1 {
			sample = int16(16000 * math.Sin(float64(i)*2*math.Pi*440/rate))
		}
		binary.Write(&b, binary.LittleEndian, sample)
	}
	return b.Bytes()
}

// serve runs a service with everything its labels ask for, and further options: it
// becomes healthy within its limits, and ends by itself when it is told to.
func (p *podman) serve(t *testing.T, s *shipped, id string, probe *probe, options ...string) {
	img := s.open(t, hostPlatform)
	args := []string{"run", "--detach", "--network", "none", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"}
	args = append(args, options...)
	for _, e := range probe.env {
		args = append(args, "--env", e)
	}
	for label, flag := range map[string]string{"memory": "--memory", "cpus": "--cpus", "processes": "--pids-limit"} {
		if v, ok := img.Config.Labels[labelPrefix+"run."+label]; ok {
			args = append(args, flag, strings.TrimSuffix(v, "iB"))
		}
	}
	out, err := p.run(t.Context(), append(args, id)...)
	if err != nil && strings.Contains(out, "cgroup") {
		t.Skipf("SKIPPED: the host has no control groups that runc can use: %s", out)
	}
	if err != nil {
		t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	container := strings.TrimSpace(out)
	defer p.run(t.Context(), "rm", "--force", "--time", "0", "--volumes", container)
	for range 100 {
		if out, err = p.run(t.Context(), append([]string{"exec", container}, img.Config.Healthcheck.Test[1:]...)...); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		logs, _ := p.run(t.Context(), "logs", container)
		t.Fatalf("the health check fails: %v\n%s\nthe service's log:\n%s", err, out, logs)
	}
	if out, err := p.run(t.Context(), "healthcheck", "run", container); err != nil {
		t.Errorf("podman healthcheck run: %v\n%s", err, out)
	}
	p.inspect(t, s, container)
	if out, err := p.run(t.Context(), "stop", "--time", "20", container); err != nil {
		t.Errorf("podman stop: %v\n%s", err, out)
	}
	if out, err := p.run(t.Context(), "inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", container); err != nil || strings.TrimSpace(out) != "0 false" {
		t.Errorf("the service ended with code and out of memory %q (%v), expected 0 false", strings.TrimSpace(out), err)
	}
}

// inspect compares what the service runs with, as podman says, with the image's labels.
func (p *podman) inspect(t *testing.T, s *shipped, container string) {
	out, err := p.run(t.Context(), "inspect", container)
	if err != nil {
		t.Fatalf("podman inspect: %v\n%s", err, out)
	}
	var found []struct {
		State  struct{ Health, Healthcheck struct{ Status string } }
		Config struct{ User string }
		Mounts []struct{ Destination string }

		HostConfig struct {
			ReadonlyRootfs bool
			Memory         int64
			PidsLimit      int64
			CapAdd         []string
			SecurityOpt    []string
		}
		EffectiveCaps, BoundingCaps []string
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found) != 1 {
		t.Fatalf("podman inspect: %v\n%s", err, out)
	}
	c := found[0]
	if health := c.State.Health.Status + c.State.Healthcheck.Status; health != "healthy" {
		t.Errorf("podman says that the service is %q, expected healthy", health)
	}
	if c.Config.User == "" || strings.HasPrefix(c.Config.User, "0") || !c.HostConfig.ReadonlyRootfs || len(c.EffectiveCaps)+len(c.BoundingCaps) > 0 {
		t.Errorf("the service runs as %q, read-only root %v, capabilities %v", c.Config.User, c.HostConfig.ReadonlyRootfs, c.EffectiveCaps)
	}
	if s.spec.Labels[labelPrefix+"run.memory"] != "" && (c.HostConfig.Memory == 0 || c.HostConfig.PidsLimit == 0) {
		t.Errorf("the service's limits are %d bytes and %d processes", c.HostConfig.Memory, c.HostConfig.PidsLimit)
	}
	var mounts []string
	for _, m := range c.Mounts {
		mounts = append(mounts, m.Destination)
	}
	slices.Sort(mounts)
	if !slices.Equal(mounts, s.spec.Volumes) {
		t.Errorf("the service has volumes %q, expected %q", mounts, s.spec.Volumes)
	}
}

// The applications do on the host what they do in their images: their tests are run
// with an extension that the host's compiler makes, and what the specs install is what
// pack.py makes of the sources.
func TestApplicationsOnTheHost(t *testing.T) {
	interpreter := tool(t, "python3")
	if out, err := exec.Command(interpreter, "-c", "import tomllib").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the host's python3 is older than 3.11: the applications were not tested on it: %s", out)
	}
	apps, err := filepath.Abs("../../testdata/apps")
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, dir, path string, args ...string) {
		t.Helper()
		cmd := exec.Command(interpreter, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("python3 %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	t.Run("packed", func(t *testing.T) { run(t, apps, "", "pack.py", "--check") })
	path := filepath.Join(apps, "python", "plainserve") + ":" + buildExtension(t, interpreter, filepath.Join(apps, "python", "xorbit", "src", "xorbit.c"))
	for _, project := range []string{"plainserve", "xorbit", "xorb-api", "samo-dl-api"} {
		t.Run(project, func(t *testing.T) {
			if strings.HasPrefix(project, "xorb") && !strings.Contains(path, "xorbit-host") {
				t.Skip("SKIPPED: the host has no C compiler or no headers of its python3")
			}
			dir := filepath.Join(apps, "python", project)
			run(t, dir, dir+":"+path, "-m", "unittest", "discover", "-s", "tests")
		})
	}
}

// buildExtension compiles the extension for the host's interpreter and returns the
// directory that it is in, "" where the host cannot.
func buildExtension(t *testing.T, interpreter, source string) string {
	dir := filepath.Join(t.TempDir(), "xorbit-host")
	out, err := exec.Command(interpreter, "-c", "import sysconfig as s; print(s.get_path('include'), s.get_config_var('EXT_SUFFIX'))").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) != 2 || os.Mkdir(dir, 0o755) != nil {
		return ""
	}
	cmd := exec.Command("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error",
		"-shared", "-fPIC", "-I", fields[0], "-o", filepath.Join(dir, "xorbit"+fields[1]), source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("SKIPPED: no extension was compiled on the host: %v\n%s", err, out)
		return ""
	}
	return dir
}
