package convert

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/specs"
)

var update = flag.Bool("update", false, "write golden files")

const fixtures = "../../../testdata/audit"

func convert(t testing.TB, name string, text string) *Result {
	t.Helper()
	f, err := dockerfile.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Spec(f, Options{Context: filepath.Dir(name)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// load writes a spec beside its Dockerfile and loads it.
func load(t testing.TB, dockerfile string, r *Result) *specs.Spec {
	t.Helper()
	name := filepath.Join(filepath.Dir(dockerfile), "spec.yaml")
	if err := os.WriteFile(name, r.Spec, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := specs.Load(name)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Spec)
	}
	return s
}

// TestFixtures holds the specs of both systems against golden files. -update renews these.
// That they build, and how the images are judged, is for TestRealArchiveFixtures.
func TestFixtures(t *testing.T) {
	for _, name := range []string{"xorb-api", "samo-dl-api"} {
		text, err := os.ReadFile(filepath.Join(fixtures, name+".Dockerfile"))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(fixtures)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name+".Dockerfile")
		r := convert(t, file, string(text))
		load(t, file, r)
		golden := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(golden, r.Spec, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(r.Spec) {
			t.Errorf("%s differs; -update writes it anew:\n%s", golden, r.Spec)
		}
	}
}

// TestSpec holds, of a Dockerfile, lines that its spec has, lines that it must not have,
// and what is noted. Each spec can be loaded.
func TestSpec(t *testing.T) {
	for _, test := range []struct {
		name, file     string
		files          []string
		has, not, note []string
	}{
		{
			name: "Debian by its tag, packages with and without versions",
			file: "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y tree=2.1.0-1 ca-certificates && rm -rf /var/lib/apt/lists/*\nUSER 1000\nCMD [\"/usr/bin/tree\"]",
			has:  []string{"distro: debian/bookworm", "- tree=2.1.* # =2.1.0-1 in the Dockerfile", "- ca-certificates", "entrypoint: [/usr/bin/tree]", "- {name: app, uid: 1000, gid: 1000}", "run-as: app"},
			not:  []string{"stages:", "platforms:"},
			note: []string{"tree=2.1.0-1 becomes tree=2.1.*"},
		},
		{
			name: "the release that versions tell of",
			file: "FROM python:3.12-slim\nRUN apt-get install -y curl=8.14.1-2+deb13u1\nUSER 1",
			has:  []string{"distro: debian/trixie", "- python3"},
			note: []string{"python 3.12 is not in debian/trixie, which has 3.13", "curl is left out: no strict image has it (network-client-present)"},
		},
		{
			name: "the release that has the language's version",
			file: "FROM node:18-slim\nUSER node\nCMD node server.js",
			has:  []string{"distro: debian/bookworm", "- nodejs", "run-as: node", "entrypoint: [node, server.js]"},
			note: []string{"the shell form becomes words"},
		},
		{
			name:  "a static program out of a stage of Go, on nothing",
			file:  "FROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nENV CGO_ENABLED=0\nRUN go build -mod=vendor -o /server .\nFROM scratch\nCOPY --from=build /server /server\nUSER 65534:65534\nENTRYPOINT [\"/server\"]",
			files: []string{"main.go", "package main"},
			has: []string{"distro: debian/trixie", "- name: build", "- golang-go", "- go build -mod=vendor -o /server .", "work-dir: /src", "- {source: '*', path: /src, exclude: [.git", "CGO_ENABLED: \"0\"",
				"- {from: build, source: /server, path: /server, uid: 0, gid: 0}", "run-as: \"65534:65534\"", "platforms: [linux/amd64]"},
			not:  []string{"network: host", "- base-files"},
			note: []string{"all of the directory is copied but for .git .env"},
		},
		{
			name:  "commands that need the network say so",
			file:  "FROM node:20 AS build\nWORKDIR /app\nCOPY package.json ./\nRUN npm ci\nFROM node:20-slim\nCOPY --from=build /app /app\nUSER node",
			files: []string{"package.json", "{}"},
			has:   []string{"network: host", "- {source: package.json, path: /app/package.json}", "- {from: build, source: /app, path: /app, uid: 0, gid: 0}"},
			note:  []string{"commands of stage build reach the network"},
		},
		{
			name:  "Python packages out of the system's directories",
			file:  "FROM python:3.13 AS build\nCOPY requirements.txt .\nRUN pip install --prefix=/install -r requirements.txt\nFROM python:3.13-slim\nCOPY --from=build /install /usr/local\nUSER 1\nCMD [\"python\", \"-m\", \"x\"]",
			files: []string{"requirements.txt", ""},
			has:   []string{"- python3 -m venv /opt/venv", "- pip install -r requirements.txt", "- {from: build, source: /opt/venv, path: /opt/venv, uid: 0, gid: 0, exclude: [bin/activate*", "PATH: /opt/venv/bin:"},
			not:   []string{"/usr/local, uid"},
			note:  []string{"they are installed into /opt/venv"},
		},
		{
			name:  "commands of the image itself, in a stage",
			file:  "FROM debian:trixie-slim\nWORKDIR /srv/app\nCOPY src/ ./\nRUN apt-get update && apt-get install -y make && make && apt-get purge -y make\nUSER 1000",
			files: []string{"src/Makefile", "all:"},
			has:   []string{"- name: app", "- make", "- {source: src, path: /srv/app}", "- {from: app, source: /srv/app, path: /srv/app}"},
			note:  []string{"what commands change outside of /srv/app is not carried over"},
		},
		{
			name:  "files and their modes",
			file:  "FROM debian:trixie-slim\nRUN useradd -u 1001 -m -s /bin/sh web\nCOPY --chown=web --chmod=0640 conf /etc/web.conf\nCOPY tool /usr/local/bin/\nRUN mkdir -p /data/logs /data/secrets && chown -R web:web /data && chmod 777 /data\nUSER web",
			files: []string{"conf", "x", "tool", "x"},
			has: []string{"- {path: /etc/web.conf, type: file, uid: 1001, gid: 0, mode: \"0640\", source: conf}", "- {path: /usr/local/bin/tool, type: file, source: tool}",
				"- {path: /data, type: directory, uid: 1001, gid: 1001, mode: \"0775\"} # 0777 in the Dockerfile", "- {path: /data/logs, type: directory, uid: 1001, gid: 1001, mode: \"0750\"} # 0755 in the Dockerfile",
				"- {path: /data/secrets, type: directory, uid: 1001, gid: 1001, mode: \"0700\"} # 0755 in the Dockerfile", "home: /home/web"},
			note: []string{"/bin/sh of web is not carried over"},
		},
		{
			name: "an image of root gets a user",
			file: "FROM debian:trixie-slim\nCMD [\"/bin/true\"]",
			has:  []string{"run-as: app", "- {name: app, uid: 1000, gid: 1000}"},
			note: []string{"the Dockerfile's image runs as root; the spec's runs as app, 1000"},
		},
		{
			name: "an unknown base, pinned",
			file: "FROM ghcr.io/example/base:1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nRUN apt-get install -y tree\nUSER 1000",
			has:  []string{"from: ghcr.io/example/base@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
			note: []string{"is kept as the base", "tree: packages are not added"},
		},
		{
			name: "an unknown base by tag",
			file: "FROM alpine:3.22\nUSER 1000",
			has:  []string{"from: docker.io/library/alpine:3.22"},
			note: []string{"alpine:3.22 is not pinned by digest; the lock will pin what it is then"},
		},
		{
			name: "health by wget, and by a script that says nothing",
			file: "FROM debian:trixie-slim\nEXPOSE 8080\nUSER 1\nHEALTHCHECK --interval=1m --retries=2 CMD wget -qO- http://localhost:8080/health?x=1 || exit 1",
			has:  []string{"http: http://127.0.0.1:8080/health?x=1", "interval: 1m", "retries: 2"},
		},
		{
			name: "ports that the gate refuses",
			file: "FROM debian:trixie-slim\nEXPOSE 22 443 8080/udp\nUSER 1",
			has:  []string{"ports: [443/tcp, 8080/udp]"},
			note: []string{"EXPOSE: 22/tcp is not carried over: it is the port of SSH (admin-port)", "EXPOSE: 443/tcp needs root or a capability"},
		},
		{
			name: "health over TLS",
			file: "FROM debian:trixie-slim\nEXPOSE 8443\nUSER 1\nHEALTHCHECK CMD curl -fk https://localhost:8443/health || exit 1",
			has:  []string{"tcp: \"127.0.0.1:8443\""},
			note: []string{"the probe speaks no TLS"},
		},
		{
			name: "health by a program",
			file: "FROM debian:trixie-slim\nUSER 1\nHEALTHCHECK CMD [\"/app/server\", \"--check\"]",
			has:  []string{"command: [/app/server, --check]"},
		},
		{
			name:  "a script for bash starts it",
			file:  "FROM debian:trixie-slim\nCOPY run.sh /run.sh\nUSER 1\nENTRYPOINT [\"/run.sh\"]\nCMD [\"serve\"]",
			files: []string{"run.sh", "#!/bin/bash\nexec \"$@\"\n"},
			has:   []string{"- bash", "{rule: shell-present, reason: /run.sh is a script for bash}", "entrypoint: [/run.sh]", "cmd: [serve]"},
		},
		{
			name: "a command that needs a shell",
			file: "FROM debian:trixie-slim\nUSER 1\nCMD a && b",
			has:  []string{"entrypoint: [/bin/sh, -c, a && b]", "- dash", "rule: shell-present"},
		},
		{
			name: "variables of the shell stay variables of the shell",
			file: "FROM debian:trixie AS b\nRUN for f in a b; do make \"${f}$$\"; done\nFROM scratch\nCOPY --from=b /x /x\nUSER 1",
			has:  []string{"make \"$${f}$$$$\""},
		},
		{
			name: "labels, volumes, a signal, a secret that stays out",
			file: "FROM debian:trixie-slim\nLABEL a.b=\"c d\" version=2\nVOLUME /data /etc\nSTOPSIGNAL quit\nENV TOKEN=abcdefgh X=1\nUSER 1",
			has:  []string{"a.b: c d", "version: \"2\"", "volumes: [/data]", "stop-signal: SIGQUIT", "X: \"1\""},
			not:  []string{"abcdefgh"},
			note: []string{"/etc is not carried over", "variable TOKEN looks like a secret"},
		},
		{
			name: "secrets stay out of stages, by name and by content",
			file: "FROM debian:trixie AS b\nARG DB_PASSWORD=hunter22\nARG API_TOKEN\nENV SETTING=ghp_0123456789abcdefghijABCDEFGHIJ012345 PLAIN=1\nRUN make\nFROM scratch\nCOPY --from=b /x /x\nUSER 1",
			has:  []string{"PLAIN: \"1\""},
			not:  []string{"hunter22", "ghp_", "DB_PASSWORD", "API_TOKEN"},
			note: []string{"the build argument DB_PASSWORD looks like a secret and is not carried over: give it to stage b", "the build argument API_TOKEN looks like", "variable SETTING of stage b looks like a secret"},
		},
		{
			name:  "what is copied to a directory lands in it",
			file:  "FROM golang:1.24 AS b\nWORKDIR /src\nCOPY go.mod .\nCOPY go.sum /src\nRUN go build -o /out/server .\nFROM scratch\nWORKDIR /app\nCOPY --from=b /out/server .\nCOPY --from=b /go/bin/tool /usr/local/bin/\nCOPY --from=b /out/static ./static/\nUSER 1",
			files: []string{"go.mod", "module x", "go.sum", ""},
			has:   []string{"{source: go.mod, path: /src/go.mod}", "{source: go.sum, path: /src/go.sum}", "source: /out/server, path: /app/server", "source: /go/bin/tool, path: /usr/local/bin/tool", "source: /out/static, path: /app/static,"},
		},
		{
			name: "commands that change nothing of the application",
			file: "FROM debian:trixie-slim\nRUN sed -i s/a/b/ /etc/x.conf && \\\n    locale-gen\nRUN [\"update-thing\", \"now\"]\nUSER 1",
			not:  []string{"stages:", "sed"},
			note: []string{"sed -i s/a/b/ /etc/x.conf is not carried over", "locale-gen is not carried over", "update-thing now is not carried over"},
		},
		{
			name:  "Python packages of another stage, in a stage for the image",
			file:  "FROM python:3.13 AS build\nWORKDIR /src\nCOPY requirements.txt .\nRUN pip install --prefix=/install -r requirements.txt\nFROM python:3.13-slim\nWORKDIR /app\nCOPY --from=build /install /usr/local\nCOPY main.py .\nRUN python -m compileall .\nUSER 1",
			files: []string{"requirements.txt", "", "main.py", ""},
			has:   []string{"{from: build, source: /opt/venv, path: /opt/venv}", "PATH: /opt/venv/bin:"},
			not:   []string{"/install"},
		},
		{
			name: "mounts and downloads with a digest",
			file: "FROM debian:trixie AS b\nADD --checksum=sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b https://example.com/f /f\nRUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=token make -C /f\nFROM scratch\nCOPY --from=b /x /x\nUSER 1",
			has:  []string{"sha256: \"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b\"", "caches: [/root/.cache]", "- {id: token, env: TOKEN}"},
		},
		{
			name: "bash reads what bash read",
			file: "FROM debian:trixie AS b\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN a | b\nFROM scratch\nCOPY --from=b /x /x\nUSER 1",
			has:  []string{"bash -eo pipefail <<'END-OF-STEP'"},
		},
		{
			name: "a stage on a stage has its packages",
			file: "FROM debian:trixie AS a\nRUN true\nFROM a AS b\nRUN apt-get install -y make && make\nFROM scratch\nCOPY --from=b /x /x\nUSER 1",
			has:  []string{"from: a", "- make"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for i := 0; i+1 < len(test.files); i += 2 {
				name := filepath.Join(dir, test.files[i])
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(test.files[i+1]), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(dir, "Dockerfile")
			r := convert(t, file, test.file+"\n")
			load(t, file, r)
			_, body, _ := strings.Cut(string(r.Spec), "apiVersion")
			for _, want := range test.has {
				if !strings.Contains(body, want) {
					t.Errorf("the spec has no %q", want)
				}
			}
			for _, unwanted := range test.not {
				if strings.Contains(body, unwanted) {
					t.Errorf("the spec has %q", unwanted)
				}
			}
			var notes strings.Builder
			for _, n := range r.Notes {
				notes.WriteString(n.Subject + ": " + n.Text + "\n")
			}
			for _, want := range test.note {
				if !strings.Contains(notes.String(), want) {
					t.Errorf("nothing notes %q", want)
				}
			}
			if t.Failed() {
				t.Logf("%s\n%s", r.Spec, notes.String())
			}
		})
	}
}

// TestPin holds what becomes of exact versions.
func TestPin(t *testing.T) {
	for version, want := range map[string]string{
		"7.88.1-10+deb12u6": "7.88.*", "1:2.39.2-1.1": "1:2.39.*", "7:5.1.6-0+deb12u1": "7:5.1.*", "3.6.0-1+deb12u1": "3.6.*",
		"12.9": "12.9*", "20230311": "20230311*", "2.36-9+deb12u4": "2.36*", "1.2.*": "1.2.*", "6.3+20220423-2": "6.3*",
	} {
		if got := pin(version); got != want {
			t.Errorf("%s becomes %s, expected %s", version, got, want)
		}
	}
}

// FuzzSpec holds that every Dockerfile that can be read gives a text that specs.Load reads
// or refuses, and never a crash.
func FuzzSpec(f *testing.F) {
	for _, name := range []string{"xorb-api", "samo-dl-api"} {
		text, err := os.ReadFile(filepath.Join(fixtures, name+".Dockerfile"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("FROM a\nRUN <<A\nx\nA\nCOPY --from=b:1 / /\nADD x.tar /\nHEALTHCHECK CMD x\nCMD $X\nLABEL \"a b\"=c\nEXPOSE 0\nUSER $U")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := dockerfile.Parse("Dockerfile", []byte(text))
		if err != nil {
			return
		}
		dir := t.TempDir()
		r, err := Spec(parsed, Options{Context: dir})
		if err != nil {
			return
		}
		name := filepath.Join(dir, "spec.yaml")
		if err := os.WriteFile(name, r.Spec, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := specs.Load(name); err != nil && strings.Contains(err.Error(), "cannot read YAML") {
			t.Fatalf("%v\n%s", err, r.Spec)
		}
	})
}
