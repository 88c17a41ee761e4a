package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/specs"
)

// soundSpec is a spec without any finding above info that is not expected; faults are
// appended, and a key that it has is replaced.
const soundSpec = `apiVersion: hardpan/v1
name: server
version: "1"
distro: debian/trixie
`

// TestSpecs holds the findings of specs with one fault each, without the lock that is
// missing from all of them.
func TestSpecs(t *testing.T) {
	const user = "accounts: {groups: [{name: app, gid: 1000}], users: [{name: app, uid: 1000, home: /app}], run-as: app}\n"
	for _, test := range []struct{ name, fault, want string }{
		{"sound", user, ""},
		{"no user", "contents: {packages: [tree=2.1.0-1]}\n", "0 high root-user"},
		{"root", "accounts: {run-as: root}\n", "5 high root-user"},
		{"root by number", "accounts: {run-as: \"0:0\"}\n", "5 high root-user\n5 low root-group"},
		{"a login shell", "accounts: {groups: [{name: app, gid: 1000}], users: [{name: app, uid: 1000, shell: /bin/bash}], run-as: app}\n", "5 low login-shell"},
		{"no lock", user + "contents: {packages: [tree]}\n", "6 info lock-missing"},
		{"exact versions need none", user + "contents: {packages: [tree=2.1.0-1]}\n", ""},
		{"a client", user + "contents: {packages: [curl=8.14.1-2]}\n", "6 low network-client-present"},
		{"a client under no profile", user + "contents: {packages: [curl=8.14.1-2]}\nhardening: {profile: none}\n", "6 medium network-client-present\n7 medium profile-weak"},
		{"a client with a waiver", user + "contents: {packages: [curl=8.14.1-2]}\nhardening: {waive: [{rule: network-client-present, reason: x, expires: \"2027-01-01\"}]}\n", ""},
		{"skipped scripts", user + "contents: {packages: [tree=2.1.0-1], scripts: {tree: skip}}\n", "6 info scripts-skipped"},
		{"profile standard", user + "hardening: {profile: standard}\n", "6 low profile-weak"},
		{"a waiver without end", user + "hardening: {waive: [{rule: shell-present, reason: x}]}\n", "6 info waiver-endless"},
		{"a waiver that ended", user + "hardening: {waive: [{rule: shell-present, reason: x, expires: \"2026-01-01\"}]}\n", "6 low waiver-endless"},
		{"network of a stage", user + "stages: [{name: build, contents: {packages: [make]}, run: [make], network: host}]\ncopy: [{from: build, source: /a, path: /a}]\n", "6 medium build-privileged"},
		{"curl | sh in a stage", user + "stages:\n  - name: build\n    contents: {packages: [make]}\n    run:\n      - make\n      - curl https://example.com/i | sh\ncopy: [{from: build, source: /a, path: /a}]\n", "11 high piped-installer"},
		{"an open directory", user + "paths: [{path: /app, type: directory, mode: \"0777\"}]\n", "6 medium world-writable-directory"},
		{"a sticky directory", user + "paths: [{path: /app/tmp, type: directory, mode: \"1777\"}]\n", ""},
		{"an open file", user + "paths: [{path: /app/f, type: empty-file, mode: \"0666\"}]\n", "6 medium world-writable-file"},
		{"open logs", user + "paths: [{path: /app/logs, type: directory, mode: \"0755\"}]\n", "6 medium log-directory-open"},
		{"open secrets", user + "paths: [{path: /app/secrets, type: directory, mode: \"0750\"}]\n", "6 medium secret-directory-open"},
		{"a set-id bit", user + "paths: [{path: /usr/bin/x, type: permissions, mode: \"4755\"}]\n", "6 high privilege-bits"},
		{"the system of its user", user + "paths: [{path: /etc/app, type: directory, uid: 1000, mode: \"0750\"}]\n", "6 high system-writable"},
		{"a token in a file", user + "paths: [{path: /app/conf, type: file, content: \"token = ghp_0123456789abcdefghijABCDEFGHIJ012345\"}]\n", "6 high secret-in-file"},
		{"a password in the environment", user + "environment: {DB_PASSWORD: hunter2hunter2}\n", "6 high secret-in-environment"},
		{"a password in a label", user + "labels: {com.example.db-password: hunter2hunter2}\n", "6 high secret-in-metadata"},
		{"a token in the environment", user + "environment: {GH: ghp_0123456789abcdefghijABCDEFGHIJ012345}\n", "6 high secret-in-environment"},
		{"protection off", user + "environment: {PYTHONHTTPSVERIFY: \"0\"}\n", "6 high environment-insecure"},
		{"a shell to start", user + "entrypoint: [/bin/sh, -c, server]\n", "6 low shell-entrypoint\n0 info tests-missing"},
		{"a shell for health", user + "healthcheck: {command: [/bin/sh, -c, ask]}\n", "6 low healthcheck-broken"},
		{"a script for health", user + "healthcheck: {command: [/usr/local/bin/healthcheck.sh]}\n", "6 low healthcheck-external-script"},
		{"no health", user + "ports: [8000]\n", "0 info healthcheck-missing"},
		{"metrics", user + "ports: [8000, 9090]\nhealthcheck: {http: \"http://127.0.0.1:8000/\"}\n", "6 low extra-port"},
		{"metrics that are declared", user + "ports: [8000, 9090]\nhealthcheck: {http: \"http://127.0.0.1:8000/\"}\nlabels: {dev.hardpan.run.ports.internal: 9090/tcp}\n", ""},
		{"a port of root", user + "ports: [80]\nhealthcheck: {http: \"http://127.0.0.1/\"}\n", "6 medium privileged-port"},
		{"ssh", user + "ports: [22]\nhealthcheck: {tcp: \"127.0.0.1:22\"}\n", "6 high admin-port"},
		{"a volume on the system", user + "volumes: [/etc]\n", "6 high volume-system-path"},
		{"its end", user + "dates: {end-of-life: \"2026-01-01\"}\n", "6 high end-of-life"},
		{"a label that was not filled in", user + "labels: {org.opencontainers.image.source: todo}\n", "6 low labels-invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "server.yaml")
			if err := os.WriteFile(name, []byte(soundSpec+test.fault), 0o644); err != nil {
				t.Fatal(err)
			}
			if got := found(t, name); got != test.want {
				t.Errorf("%s\nfound:\n%s\nexpected:\n%s", test.fault, got, test.want)
			}
		})
	}
}

// TestSpecErrors holds that a spec that cannot be loaded is refused with its own errors.
func TestSpecErrors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(name, []byte("nonsense: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := File(t.Context(), name, Options{})
	if _, ok := errors.AsType[specs.Errors](err); !ok || !strings.Contains(err.Error(), "x.yaml:1:1") {
		t.Fatalf("error is %v", err)
	}
}
