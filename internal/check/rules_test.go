package check

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
)

// file is a change that adds files.
func file(lines ...string) func(*fixture) { return func(f *fixture) { f.add(lines...) } }

// steps is a change of the history.
func steps(lines ...string) func(*fixture) {
	return func(f *fixture) { f.history = append(f.history, lines...) }
}

// binaryFile is a change that adds a program or whatever else is no text.
func binaryFile(name string, content []byte) func(*fixture) {
	return func(f *fixture) {
		f.add(name + " 755 0:0")
		f.binary[name] = content
	}
}

func zipOf(name, content string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if m, err := w.Create(name); err == nil {
		m.Write([]byte(content))
	}
	w.Close()
	return b.Bytes()
}

// derKey is a private key that nobody uses: Ed25519 of zeros.
func derKey() []byte {
	der, _ := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	return der
}

// linked is a change of how the server is linked.
func linked(change func(*linking)) func(*fixture) {
	return func(f *fixture) { f.binary["/app/server"] = program(change) }
}

func env(vars ...string) func(*fixture) {
	return func(f *fixture) { f.config.Env = append(f.config.Env, vars...) }
}

func ports(list ...string) func(*fixture) {
	return func(f *fixture) {
		f.config.ExposedPorts = map[string]struct{}{}
		for _, p := range list {
			f.config.ExposedPorts[p] = struct{}{}
		}
	}
}

func label(key, value string) func(*fixture) {
	return func(f *fixture) { f.config.Labels = with(f.config.Labels, key, value) }
}

func user(u string) func(*fixture) { return func(f *fixture) { f.config.User = u } }

func account(lines string) func(*fixture) {
	return file("/etc/passwd 644 0:0 root:x:0:0::/root:/usr/sbin/nologin\\n"+lines, "/usr/bin/sh 755 0:0 #!\\n", "/bin 777 0:0 -> usr/bin")
}

func health(words ...string) func(*fixture) {
	return func(f *fixture) { f.config.Healthcheck = &v1.HealthConfig{Test: words} }
}

func below(lines ...string) func(*fixture) {
	return func(f *fixture) { f.layers[0] = append(f.layers[0], lines...) }
}

func recordOf(change func(*record.Record)) func(*fixture) {
	return func(f *fixture) {
		f.record = &record.Record{Name: "app", Version: "1.2", Profile: "strict", Layers: make([]record.Layer, 2),
			Packages: []lock.Package{{Name: "tool", Version: "1.2-1", SHA256: "aa", Why: "requested"}}, Archives: []lock.Archive{{ID: "debian/trixie", InRelease: "sha256:aa"}}}
		change(f.record)
	}
}

// A part of a private key that nobody has, in two so that no scanner finds this file.
var privateKey = "-----BEGIN RSA PRIVATE" + " KEY-----\\n" + strings.Repeat("MIIEowIBAAKCAQEAvVqS0pZ8Yx3kq7Lh2Jm5\\n", 6) + "-----END RSA PRIVATE" + " KEY-----\\n"

var awsKey = "AKIA" + "QX4BIYZPFD7T2NMO"

// fixtures has for each rule images that break it, with a part of what is told, and,
// where the sound image cannot be asked, a change after which it can and passes.
var fixtures = []struct {
	rule string
	good func(*fixture)
	bad  map[string]func(*fixture)
}{
	{"documentation", nil, map[string]func(*fixture){"/usr/share/man/man1/tool.1.gz": file("/usr/share/man/man1/tool.1.gz 644 0:0 x")}},
	{"packaging-metadata", nil, map[string]func(*fixture){"/usr/share/lintian/overrides/tool": file("/usr/share/lintian/overrides/tool 644 0:0 x")}},
	{"translations", nil, map[string]func(*fixture){"/usr/share/locale/de/tool.mo": file("/usr/share/locale/de/tool.mo 644 0:0 x")}},
	{"shell-completion", nil, map[string]func(*fixture){"completions/tool": file("/usr/share/bash-completion/completions/tool 644 0:0 x")}},
	{"development-files", nil, map[string]func(*fixture){"stdio.h": file("/usr/include/stdio.h 644 0:0 x"), "/opt/lib/x.a": file("/opt/lib/x.a 644 0:0 !<arch>\\n")}},
	{"desktop-files", nil, map[string]func(*fixture){"tool.png": file("/usr/share/icons/tool.png 644 0:0 x")}},
	{"privilege-bits", nil, map[string]func(*fixture){
		"set-user-id root (4755 0:0)": file("/usr/bin/up 4755 0:0 x"), "set-group-id (2755 0:42)": file("/usr/bin/up 2755 0:42 x"),
		"cap_net_raw": func(f *fixture) {
			f.add("/usr/bin/ping 755 0:0 x")
			f.xattrs = map[string]string{"/usr/bin/ping": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
		}}},
	{"maintainer-script-tools", recordOf(func(*record.Record) {}), map[string]func(*fixture){"package debconf": recordOf(func(r *record.Record) {
		r.Profile, r.Packages = "standard", append(r.Packages, lock.Package{Name: "debconf", Version: "1", SHA256: "aa", Why: "tool Depends: debconf"})
	})}},
	{"shell-present", nil, map[string]func(*fixture){
		"/usr/bin/bash: it is bash, by its name": func(f *fixture) { f.add("/usr/bin/bash 755 0:0"); f.binary["/usr/bin/bash"] = program(nil) },
		"/app/helper: it is bash, by its content": func(f *fixture) {
			f.add("/app/helper 755 0:0")
			f.binary["/app/helper"] = program(func(l *linking) { l.text = []string{"BASH_VERSINFO", "BASH_SUBSHELL"} })
		},
		"/usr/bin/sh: it is sh, by its link to /app/box": func(f *fixture) {
			f.add("/app/box 755 0:0", "/usr/bin/sh 777 0:0 -> /app/box")
			f.binary["/app/box"] = program(func(l *linking) { l.text = []string{"[[", "ash", "arping", "cttyhack"} })
		}}},
	{"package-manager-present", nil, map[string]func(*fixture){"apt-get": func(f *fixture) { f.add("/usr/bin/apt-get 755 0:0"); f.binary["/usr/bin/apt-get"] = program(nil) }, "pip": file("/opt/x/pip/__main__.py 644 0:0 x")}},
	{"compiler-present", nil, map[string]func(*fixture){"gcc": func(f *fixture) { f.add("/usr/bin/gcc-14 755 0:0"); f.binary["/usr/bin/gcc-14"] = program(nil) }}},
	{"interpreter-present", nil, map[string]func(*fixture){"perl": func(f *fixture) { f.add("/usr/bin/perl 755 0:0"); f.binary["/usr/bin/perl"] = program(nil) }}},
	{"network-client-present", nil, map[string]func(*fixture){"curl": func(f *fixture) { f.add("/usr/bin/curl 755 0:0"); f.binary["/usr/bin/curl"] = program(nil) }}},
	{"privilege-tool-present", nil, map[string]func(*fixture){"sudo": func(f *fixture) { f.add("/usr/bin/sudo 755 0:0"); f.binary["/usr/bin/sudo"] = program(nil) }}},
	{"remote-access-present", nil, map[string]func(*fixture){"sshd": func(f *fixture) { f.add("/usr/sbin/sshd 755 0:0"); f.binary["/usr/sbin/sshd"] = program(nil) }}},
	{"cache-present", file("/var/log/app.log 640 0:0"), map[string]func(*fixture){"apt package lists": file("/var/lib/apt/lists/x_InRelease 644 0:0 x"), "git repository": file("/app/.git/HEAD 644 0:0 ref"), "temporary file": file("/tmp/x 644 0:0 y")}},

	{"root-user", nil, map[string]func(*fixture){
		"names no user": user(""), "is root": user("0"), "is root (0:0)": user("0:0"), "is root (root)": user("root"),
		"user toor is number 0": func(f *fixture) {
			user("toor")(f)
			f.add("/etc/passwd 644 0:0 root:x:0:0::/:/usr/sbin/nologin\\ntoor:x:0:0::/:/usr/sbin/nologin\\n")
		}}},
	{"root-group", nil, map[string]func(*fixture){"group 0": user("1000:0"), "group 0 (1000)": func(f *fixture) {
		user("1000")(f)
		f.add("/etc/passwd 644 0:0 app:x:1000:0::/home/app:/usr/sbin/nologin\\n")
	}}},
	{"user-by-name", nil, map[string]func(*fixture){"its number is 1000": user("app"), "is not in /etc/passwd": user("nobody-here")}},
	{"healthcheck-missing", nil, map[string]func(*fixture){"no health check": func(f *fixture) { f.config.Healthcheck = nil }, "there is no": health("NONE")}},
	{"healthcheck-broken", nil, map[string]func(*fixture){
		"is not in the image": health("CMD", "/usr/bin/curl", "http://localhost:8080"), "needs /bin/sh, which the image lacks": health("CMD-SHELL", "curl -f http://localhost/"), "may not be executed": health("CMD", "/usr/bin/tool")}},
	{"privileged-port", nil, map[string]func(*fixture){"port 80 is below": ports("80/tcp"), "port 443 is below": ports("8080/tcp", "443")}},
	{"admin-port", nil, map[string]func(*fixture){"SSH": ports("22/tcp"), "Docker": ports("2375/tcp"), "VNC": ports("5900-5901/tcp")}},
	{"port-undeclared", nil, map[string]func(*fixture){
		"port 9090 is used and not exposed": env("METRICS_PORT=9090"), "port 8000 is used": func(f *fixture) { f.config.Cmd = []string{"--port", "8000"} }, "port 8081": func(f *fixture) { f.config.Cmd = []string{"--bind=0.0.0.0:8081"} },
		"port 8443": file("/etc/nginx/nginx.conf 644 0:0 server {\\n listen 8443 ssl;\\n}\\n")}},
	{"volume-system-path", nil, map[string]func(*fixture){"/etc": func(f *fixture) { f.config.Volumes = map[string]struct{}{"/etc": {}} }, "docker.sock": func(f *fixture) { f.config.Volumes = map[string]struct{}{"/var/run/docker.sock": {}} }, "/proc": func(f *fixture) { f.config.Volumes = map[string]struct{}{"/proc": {}} }}},
	{"shell-entrypoint", nil, map[string]func(*fixture){"a shell reads": func(f *fixture) { f.config.Entrypoint = []string{"/bin/sh", "-c", "/app/server"} }, "starts a shell": func(f *fixture) { f.config.Entrypoint, f.config.Cmd = nil, []string{"bash"} }}},
	{"entrypoint-missing", nil, map[string]func(*fixture){"is not in it (/app/serve)": func(f *fixture) { f.config.Entrypoint = []string{"/app/serve"} }, "may not be executed": func(f *fixture) { f.config.Entrypoint = []string{"/usr/bin/tool"} }}},
	{"environment-loader", nil, map[string]func(*fixture){
		"LD_PRELOAD is set": env("LD_PRELOAD=/x.so"), `PATH has "", which is the working directory`: func(f *fixture) { f.config.Env = []string{"PATH=/usr/bin:"} }, "the image's user may write": func(f *fixture) { f.config.Env = []string{"PATH=/usr/bin:/home/app"} },
		"where everybody writes": env("LD_LIBRARY_PATH=/tmp/lib")}},
	{"environment-insecure", nil, map[string]func(*fixture){"PYTHONHTTPSVERIFY": env("PYTHONHTTPSVERIFY=0"), "NODE_TLS": env("NODE_TLS_REJECT_UNAUTHORIZED=0")}},
	{"stop-signal", nil, map[string]func(*fixture){"killed": func(f *fixture) { f.config.StopSignal = "SIGKILL" }}},
	{"labels-missing", nil, map[string]func(*fixture){"image.source": func(f *fixture) { delete(f.config.Labels, "org.opencontainers.image.source") }}},
	{"labels-invalid", nil, map[string]func(*fixture){"no date": label("org.opencontainers.image.created", "yesterday"), "is empty": label("com.example.x", ""), "never filled in": label("com.example.x", "${VERSION}"), "no URL": label("org.opencontainers.image.url", "example")}},
	{"labels-untrue", nil, map[string]func(*fixture){
		"does not run as root: false": user("0"), "has no shell: false": func(f *fixture) {
			label("com.example.security.shell-less", "true")(f)
			f.add("/usr/bin/bash 755 0:0")
			f.binary["/usr/bin/bash"] = program(nil)
		},
		"runs as 1000 app": label("security.user", "nobody"), "exposes [8080]": label("container.ports", "9999"), "has a health check: false": func(f *fixture) { label("security.healthcheck", "enabled")(f); f.config.Healthcheck = nil },
		"the config says 2026-11-01": label("org.opencontainers.image.created", "2024-01-01T00:00:00Z"), "set-id files: false": func(f *fixture) { label("security.no-setuid", "true")(f); f.add("/usr/bin/up 4755 0:0 x") }}},

	{"signature-missing", nil, map[string]func(*fixture){"no signature": func(f *fixture) { f.options.Attached.Signed = false }, "does not verify": func(f *fixture) { f.options.Attached.Refused = "another key" }}},
	{"sbom-missing", nil, map[string]func(*fixture){"no SBOM": func(f *fixture) { f.options.Attached.SBOM = false }}},
	{"provenance-missing", nil, map[string]func(*fixture){"no provenance": func(f *fixture) { f.options.Attached.Provenance = false }}},
	{"mutable-reference", nil, map[string]func(*fixture){"latest moves": func(f *fixture) { f.options.Reference = "example.com:5000/app:latest" }, "has no tag": func(f *fixture) { f.options.Reference = "example.com:5000/app" }}},
	{"base-unpinned", nil, map[string]func(*fixture){"without a digest": func(f *fixture) { delete(f.config.Labels, "org.opencontainers.image.base.digest") }}},
	{"packages-unpinned", nil, map[string]func(*fixture){
		"apt-get install without versions: curl git": steps("/bin/sh -c apt-get install -y curl git"), "pip install without versions: flask": steps("RUN /bin/sh -c pip install flask # buildkit"), "apk add without versions: tini": steps("RUN /bin/sh -c apk add --no-cache tini # buildkit"),
		"no digest is recorded": recordOf(func(r *record.Record) { r.Packages[0].SHA256 = "" })}},
	{"packages-unverified", nil, map[string]func(*fixture){
		"--allow-unauthenticated": steps("/bin/sh -c apt-get install --allow-unauthenticated x=1"), "curl --insecure": steps("RUN /bin/sh -c curl -fsSLk https://example.com/x -o /x # buildkit"), "trusted=yes": file("/etc/apt/sources.list 644 0:0 deb [trusted=yes] http://example.com x main\\n"),
		"no signed index": recordOf(func(r *record.Record) { r.Archives[0].InRelease = "" })}},
	{"piped-installer", nil, map[string]func(*fixture){"off the network": steps("RUN /bin/sh -c curl -sSf https://example.com/i.sh | sh # buildkit"), "off the network (/bin/sh -c bash <(": steps("/bin/sh -c bash <(curl -s https://example.com/i)"), "without a digest": steps("ADD https://example.com/install.sh /tmp/ # buildkit")}},
	{"history-add", nil, map[string]func(*fixture){"step 4 of the history: ADD": steps("ADD . /app # buildkit"), "ADD (/bin/sh -c #(nop) ADD": steps("/bin/sh -c #(nop) ADD dir:ab in /app ")}},
	{"history-update-alone", nil, map[string]func(*fixture){"apt-get update without": steps("/bin/sh -c apt-get update"), "apk update without": steps("RUN /bin/sh -c apk update # buildkit")}},
	{"history-upgrade", nil, map[string]func(*fixture){"apt-get dist-upgrade": steps("/bin/sh -c apt-get update && apt-get -y dist-upgrade"), "apk upgrade": steps("RUN /bin/sh -c apk upgrade --no-cache # buildkit")}},
	{"history-cache", nil, map[string]func(*fixture){"apk add without --no-cache": steps("RUN /bin/sh -c apk add tini=1 # buildkit"), "without removing": steps("/bin/sh -c apt-get install -y x=1"), "pip install without": steps("/bin/sh -c pip install x==1")}},
	{"history-sudo", nil, map[string]func(*fixture){"sudo": steps("RUN /bin/sh -c sudo make install # buildkit")}},
	{"history-permissions", steps("RUN /bin/sh -c chmod 1777 /tmp && chmod 755 /x # buildkit"), map[string]func(*fixture){"chmod 777": steps("RUN /bin/sh -c mkdir /l && chmod -R 777 /l # buildkit"), "chmod a+w": steps("/bin/sh -c chmod a+w /l")}},
	{"image-age", nil, map[string]func(*fixture){"days old": func(f *fixture) { f.created = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }}},
	{"end-of-life", nil, map[string]func(*fixture){"debian 10 has reached": file("/etc/os-release 644 0:0 ID=debian\\nVERSION_ID=\"10\"\\n"), "the image has reached": label("com.example.end-of-life", "2026-01-31"), "alpine 3.16 has reached": file("/etc/os-release 644 0:0 ID=alpine\\nVERSION_ID=3.16.2\\n")}},
	{"size-budget", nil, map[string]func(*fixture){"more than 0": func(f *fixture) { f.options.Profile.Limits.Size = 100 }}},
	{"package-budget", nil, map[string]func(*fixture){"2 packages, more than 1": func(f *fixture) {
		f.options.Profile.Limits.Packages = 1
		f.add("/var/lib/dpkg/status.d/other 644 0:0 Package: other\\nVersion: 1\\n")
	}}},

	{"world-writable-file", nil, map[string]func(*fixture){"0666": file("/app/data 666 0:0 x")}},
	{"world-writable-directory", nil, map[string]func(*fixture){"0777": file("/app/data/ 777 0:0")}},
	{"unowned-file", nil, map[string]func(*fixture){"4711:4712": file("/app/data 644 4711:4712 x")}},
	{"system-writable", nil, map[string]func(*fixture){"/etc/app.conf": file("/etc/app.conf 644 1000:1000 x"), "/usr/lib/app: the": file("/usr/lib/app/ 775 0:1000"), "may change the program that it starts": file("/app/server 755 1000:1000")}},
	{"device-node", nil, map[string]func(*fixture){"a character device": file("/dev/null 666 0:0 device")}},
	{"account-files-mode", nil, map[string]func(*fixture){"expected mode 0640": file("/etc/shadow 644 0:0 root:*:1:::::\\n"), "expected mode 0644": file("/etc/passwd 666 0:0 root:x:0:0::/:/usr/sbin/nologin\\n"), "root does not own it": file("/etc/group 644 1000:0 root:x:0:\\n"), "is not shadow": file("/etc/shadow 640 0:1000 root:*:1:::::\\n")}},
	{"empty-password", nil, map[string]func(*fixture){"/etc/shadow:1: account root has no password": file("/etc/shadow 640 0:42 root::1:::::\\n"), "/etc/passwd:2: account x": account("x::5:5::/:/usr/sbin/nologin\\n")}},
	{"password-hash", nil, map[string]func(*fixture){"account root has a password": file("/etc/shadow 640 0:42 root:$6$salt$hash:1:::::\\n"), "for all to read": account("x:$1$a$b:5:5::/:/usr/sbin/nologin\\n")}},
	{"duplicate-account", nil, map[string]func(*fixture){"number 5 is that of x": account("x:x:5:5::/:/usr/sbin/nologin\\ny:x:5:6::/:/usr/sbin/nologin\\n"), "name app": file("/etc/group 644 0:0 app:x:1:\\napp:x:2:\\n"), "cannot be read": account("nonsense\\n")}},
	{"zero-id", nil, map[string]func(*fixture){"account toor is root": account("toor:x:0:0::/:/usr/sbin/nologin\\n"), "group admins": file("/etc/group 644 0:0 root:x:0:\\nadmins:x:0:\\n")}},
	{"login-shell", nil, map[string]func(*fixture){"account x has a shell": account("x:x:5:5::/:/bin/sh\\n"), "account y has a shell": account("y:x:6:6::/:\\n")}},
	{"home-directory", nil, map[string]func(*fixture){"everybody may write": file("/home/app/ 777 1000:1000"), "is somebody else's": file("/home/app/ 755 1001:1000"), "is not there": account("app:x:1000:1000::/home/gone:/usr/sbin/nologin\\n")}},
	{"umask", nil, map[string]func(*fixture){"umask 000": file("/etc/profile 644 0:0 umask 000\\n"), "umask 002": file("/etc/login.defs 644 0:0 UMASK 002\\n")}},
	{"tls-policy", nil, map[string]func(*fixture){
		"MinProtocol = TLSv1.0": file("/etc/ssl/openssl.cnf 644 0:0 MinProtocol = TLSv1.0\\n"), "SECLEVEL=0": file("/etc/ssl/openssl.cnf 644 0:0 CipherString = DEFAULT@SECLEVEL=0\\n"), "(TLSv1.1)": file("/etc/nginx/nginx.conf 644 0:0 http {\\n ssl_protocols TLSv1.1 TLSv1.2;\\n}\\n"),
		"(TLSv1)": file("/etc/java/java.security 644 0:0 jdk.tls.disabledAlgorithms=SSLv3, \\\\n RC4\\n")}},
	{"secret-in-file", file("/var/lib/apt/lists/x_Packages 644 0:0 Description: api key\\n" + "key: q8Zr4Tn1Vx7Lm3Wk9Pb2Yc6\\nMD5sum: 1a1adf9c1a1adf9c1a1adf9c1a1adf9c\\n"), map[string]func(*fixture){
		"/app/config.py:2: aws-access-token": file("/app/config.py 644 0:0 import os\\nAWS_KEY = \"" + awsKey + "\"\\n"), "private-key": file("/app/key.pem 600 0:0 " + privateKey),
		"in base64, ":                                 file("/app/k8s.yaml 644 0:0 data: " + base64.StdEncoding.EncodeToString([]byte("AWS_KEY="+awsKey+" # of the store"))),
		"/usr/bin/stray: aws-access-token":            binaryFile("/usr/bin/stray", program(func(l *linking) { l.text = []string{"key", awsKey} })),
		"in conf/app.ini within it, aws-access-token": binaryFile("/app/lib.jar", zipOf("conf/app.ini", "k = \""+awsKey+"\"\n")),
		"private-key-der":                             binaryFile("/app/key.bin", derKey()),
		"later layer hides": func(f *fixture) {
			f.layers[0] = append(f.layers[0], "/app/old.py 644 0:0 k=\""+awsKey+"\"\\n")
			f.layers[1] = append(f.layers[1], "-/app/old.py")
		}}},
	{"secret-file", nil, map[string]func(*fixture){
		"id_rsa": file("/home/app/.ssh/id_rsa 600 1000:1000 x"), ".docker/config.json": file("/root/.docker/config.json 600 0:0 {}"), "store.jks": file("/app/store.jks 600 0:0 x"), "settings.py": file("/app/settings.py 644 0:0 x"),
		"later layer hides it": func(f *fixture) {
			f.layers[0] = append(f.layers[0], "/app/.env 644 0:0 A=b\\n")
			f.layers[1] = append(f.layers[1], "-/app/.env")
		}}},
	{"secret-in-environment", nil, map[string]func(*fixture){"DB_PASSWORD=": env("DB_PASSWORD=hunter2hunter2"), "aws-access-token": env("CLOUD=" + awsKey), "may hold a secret": env("SSH_KEY_BITS=4096")}},
	{"secret-in-metadata", nil, map[string]func(*fixture){"build argument or variable NPM_TOKEN": steps("RUN |1 NPM_TOKEN=abcdef123456 /bin/sh -c npm ci # buildkit"), "label com.example.api-key": label("com.example.api-key", "abcdef123456"), "the command, aws-access-token": func(f *fixture) { f.config.Cmd = []string{"--key=" + awsKey} }}},
	{"deleted-content", nil, map[string]func(*fixture){
		"100000 bytes are pulled although layer 2 has removed": func(f *fixture) {
			below("/app/big 644 0:0 " + strings.Repeat("x", 100000))(f)
			f.layers[1] = append(f.layers[1], "-/app/big")
		},
		"100000 bytes are pulled although layer 2 has replaced": func(f *fixture) {
			below("/app/big 644 0:0 " + strings.Repeat("x", 100000))(f)
			f.layers[1] = append(f.layers[1], "/app/big 644 0:0 y")
		},
		"whiteouts": func(f *fixture) { f.layers[1] = append(f.layers[1], "-/app/none") }}},
	{"duplicate-content", nil, map[string]func(*fixture){"the same 100000 bytes as /app/a": file("/app/a 644 0:0 "+strings.Repeat("x", 100000), "/app/b 644 0:0 "+strings.Repeat("x", 100000))}},
	{"package-files-missing", file("/var/lib/dpkg/info/tool.list 644 0:0 /usr/bin/tool\\n/proc\\n/var/lib/apt/lists/partial\\n"), map[string]func(*fixture){"package tool lists": file("/var/lib/dpkg/info/tool.list 644 0:0 /usr/bin/tool\\n/usr/bin/gone\\n")}},
	{"package-files-changed", nil, map[string]func(*fixture){"/usr/bin/tool: it is not": file("/usr/bin/tool 644 0:0 hellO")}},
	{"unexplained-file", nil, map[string]func(*fixture){"/usr/bin/stray": file("/usr/bin/stray 755 0:0 x")}},

	{"elf-executable-stack", nil, map[string]func(*fixture){"its stack is executable": linked(func(l *linking) { l.stack = true }), "no PT_GNU_STACK": linked(func(l *linking) { l.silent = true })}},
	{"elf-writable-code", nil, map[string]func(*fixture){"writable and executable": linked(func(l *linking) { l.rwx = true }), "DT_TEXTREL": linked(func(l *linking) { l.textrel = true })}},
	{"elf-rpath", linked(func(l *linking) { l.rpath = "$ORIGIN/../lib" }), map[string]func(*fixture){"(/tmp/x)": linked(func(l *linking) { l.rpath = "/usr/lib:/tmp/x" }), "working directory": linked(func(l *linking) { l.rpath = "lib" }), "the image's user may write": func(f *fixture) {
		linked(func(l *linking) { l.rpath = "/srv/lib" })(f)
		f.add("/srv/lib/ 755 1000:1000")
	}}},
	{"elf-pie", nil, map[string]func(*fixture){"fixed address": linked(func(l *linking) { l.exec = true })}},
	{"elf-relro", nil, map[string]func(*fixture){"no PT_GNU_RELRO": linked(func(l *linking) { l.noRELRO = true })}},
	{"elf-bind-now", nil, map[string]func(*fixture){"partial RELRO": linked(func(l *linking) { l.lazy = true })}},
	{"elf-stack-protector", nil, map[string]func(*fixture){"no canary": linked(func(l *linking) { l.calls = []string{"puts"} })}},
	{"elf-fortify", nil, map[string]func(*fixture){"not fortified": linked(func(l *linking) { l.calls = []string{"__stack_chk_fail", "strcpy"} })}},
}

// Each rule has an image that breaks it and one that keeps it.
func TestFixtures(t *testing.T) {
	sane := sound().judge(t)
	for _, c := range fixtures {
		t.Run(c.rule, func(t *testing.T) {
			good := sane.result(c.rule)
			if c.good != nil {
				f := sound()
				c.good(f)
				good = f.judge(t).result(c.rule)
			}
			if good == nil || good.Status != Passed {
				t.Errorf("the image that keeps the rule: %+v", good)
			}
			for want, change := range c.bad {
				f := sound()
				change(f)
				bad := f.judge(t).result(c.rule)
				var told []string
				for i := range bad.Findings {
					told = append(told, bad.Findings[i].String())
				}
				if bad.Status != Failed || !strings.Contains(strings.Join(told, "\n"), want) {
					t.Errorf("want a finding with %q, have %s %s\n%s", want, bad.Status, bad.Reason, strings.Join(told, "\n"))
				}
			}
		})
	}
}

func TestEachRuleHasAJudgeAndFixtures(t *testing.T) {
	for _, id := range harden.RuleIDs() {
		if judges[id] == nil {
			t.Errorf("rule %s has no judge", id)
		}
		if !slices.ContainsFunc(fixtures, func(f struct {
			rule string
			good func(*fixture)
			bad  map[string]func(*fixture)
		}) bool {
			return f.rule == id && len(f.bad) > 0
		}) {
			t.Errorf("rule %s has no image that breaks it", id)
		}
	}
	for id := range judges {
		if harden.RuleOf(id) == nil {
			t.Errorf("judge %s has no rule", id)
		}
	}
}

// The sound image breaks no rule at all.
func TestSound(t *testing.T) {
	for _, r := range sound().judge(t).Results {
		if r.Status == Failed {
			t.Errorf("%s: %s", r.Rule, r.Findings[0].String())
		}
	}
}

// The table of docs/rules.md has each rule of the others, and no rule that is not.
func TestTableOfOthers(t *testing.T) {
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		for _, m := range regexp.MustCompile("`([a-z][a-z-]+)`").FindAllStringSubmatch(line, -1) {
			if strings.HasPrefix(line, "|") && harden.RuleOf(m[1]) == nil {
				t.Errorf("rule %s does not exist: %s", m[1], line)
			}
		}
	}
	for _, r := range harden.Rules {
		for number := range strings.FieldsSeq(r.Controls.Dockle) {
			if !regexp.MustCompile(number + `[^\n]*` + "`" + r.ID + "`").Match(text) {
				t.Errorf("%s answers %s, which the table does not say", r.ID, number)
			}
		}
	}
}
