package builder

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hardpan/hardpan/internal/oci"
)

// slim is what an image that Docker's own tools built of Debian has, in small.
const slim = `
	dir usr/ 0755
	dir usr/bin/ 0755
	dir usr/lib/ 0755
	dir usr/sbin/ 0755
	link bin usr/bin
	link lib usr/lib
	dir etc/ 0755
	file etc/passwd 0644 root:x:0:0:root:/root:/bin/sh\nweb:x:2033:2033:web:/srv:/usr/sbin/nologin\n
	file etc/group 0644 root:x:0:\nweb:x:2033:\n
	file etc/shadow 0640 root:*:19000:0:99999:7:::\nweb:*:19000:0:99999:7:::\n
	file usr/lib/os-release 0644 ID=debian\nVERSION_ID="13"\n
	link etc/os-release ../usr/lib/os-release
	file usr/lib/libtool.so.1 0644 no ELF file
	elf usr/bin/tool 0755
	dir var/lib/app/ 0700 2033:2033
	dir var/lib/dpkg/info/ 0755
	file var/lib/dpkg/status 0644 Package: libtool1\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\nSource: tools (1.0)\nDescription: x\n\nPackage: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\nDescription: x\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n
	file var/lib/dpkg/info/libtool1.list 0644 /.\n/usr\n/usr/lib\n/usr/lib/libtool.so.1\n
	file var/lib/dpkg/info/libc6:amd64.list 0644 /.\n/lib\n/lib/libc.so\n
	file usr/lib/libc.so 0644 library
	elf usr/sbin/useradd 0755
`

var slimConfig = v1.Config{
	Env: []string{"PATH=/usr/bin", "LANG=C", "NOEQUALS"}, Cmd: []string{"/usr/bin/tool"}, Entrypoint: []string{"/usr/bin/tool", "-x"},
	User: "web", WorkingDir: "/srv", Labels: map[string]string{"team": "base", "org.opencontainers.image.source": "https://example.com/base"},
	ExposedPorts: map[string]struct{}{"80/tcp": {}, "81": {}}, Volumes: map[string]struct{}{"/data": {}}, StopSignal: "SIGINT",
	Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/usr/bin/tool"}},
}

// TestOnForeignBase builds on an image that hardpan knows nothing of.
func TestOnForeignBase(t *testing.T) {
	b := baseBench(t)
	b.foreign("slim", slimConfig, slim, "gone usr/lib/gone.so\nfile usr/bin/more 0755 more")
	b.write("on.yaml", `platforms: [linux/amd64]
from: oci:slim
contents: {packages: [greeter, tool]}
accounts:
  groups: [{name: app, gid: 1000}, {name: web, gid: 2033}]
  users: [{name: app, uid: 1000, gid: 1000}]
paths:
  - {path: /app, type: directory, uid: 1000, gid: 1000, mode: "0750"}
  - {path: /bin/run, type: file, mode: "0755", content: "#!/usr/bin/tool\n"}
environment: {LANG: C.UTF-8, APP: "1"}
ports: [8000, 80]
volumes: [/logs]
labels: {team: app}
annotations: {org.opencontainers.image.vendor: Example}
`)
	res := b.build(b.renewed("on.yaml"))
	img := res.Index.Images[0]
	has(t, "tree", dumpOnBase(t, img), `
		/app dir 0750 1000:1000 | ours, spec on.yaml:
		/bin symlink 0777 0:0 -> usr/bin | base layer 0 of the base
		/etc dir 0755 0:0 | ours of the base
		/etc/group file 0644 0:0 | ours, hardpan, accounts of the packages and of the spec
		/etc/greeter.conf file 0644 0:0 | ours, package greeter 1.0-1
		/etc/os-release symlink 0777 0:0 -> ../usr/lib/os-release | base layer 0 of the base
		/usr/share/greeter/greeter file 0644 0:0 | ours, package greeter 1.0-1
		/usr/bin/run file 0755 0:0 | ours, spec on.yaml:
		/usr/bin/greet symlink 0777 0:0 -> /etc/alternatives/greet | ours, package greeter 1.0-1, postinst
		/usr/bin/more file 0755 0:0 | base layer 1 of the base
		/usr/lib/libtool.so.1 file 0644 0:0 | base layer 0 of the base, package libtool1 1.0-1
		/usr/lib/libc.so file 0644 0:0 | base layer 0 of the base, package libc6 2.36-9
		/var/lib/app dir 0700 2033:2033 | base layer 0 of the base
		/var/lib/dpkg/status file 0644 0:0 | base layer 0 of the base
		/var/lib/dpkg/status.d/greeter file 0644 0:0 | ours, hardpan, package database entry of greeter
		- /usr/lib/x86_64-linux-gnu/libc.so.6
		- /var/lib/dpkg/status.d/libc6
		- /usr/share/man/`)

	src := openImages(t, b.dir+"/slim")[0]
	for i, l := range src.Layers {
		if img.Layers[i].Digest != l.Digest || img.Layers[i].MediaType != oci.MediaLayer {
			t.Errorf("layer %d is %s %s, the base's is %s", i, img.Layers[i].Digest, img.Layers[i].MediaType, l.Digest)
		}
	}
	var made []string
	for _, h := range img.Config.History {
		made = append(made, h.CreatedBy)
	}
	if !strings.HasPrefix(strings.Join(made, ", "), "layer 0, ENV x, layer 1, packages: ") {
		t.Errorf("history is %q", made)
	}
	c := img.Config
	for what, pair := range map[string][2]string{
		"environment": {strings.Join(c.Env, " "), "APP=1 LANG=C.UTF-8 PATH=/usr/bin"},
		"entrypoint":  {strings.Join(c.Entrypoint, " "), "/usr/bin/tool -x"},
		"cmd":         {strings.Join(c.Cmd, " "), "/usr/bin/tool"},
		"user":        {c.User, "web"}, "work-dir": {c.WorkingDir, "/srv"}, "signal": {c.StopSignal, "SIGINT"},
		"ports": {strings.Join(c.ExposedPorts, " "), "80/tcp 8000/tcp 81"}, "volumes": {strings.Join(c.Volumes, " "), "/data /logs"},
		"health": {strings.Join(c.Healthcheck.Test, " "), "CMD /usr/bin/tool"}, "label": {c.Labels["team"], "app"},
		"source": {c.Labels["org.opencontainers.image.source"], ""},
		"base":   {img.Annotations["org.opencontainers.image.base.name"], "oci:slim"}, "digest": {img.Annotations["org.opencontainers.image.base.digest"], string(src.Digest)},
		"base label": {c.Labels["org.opencontainers.image.base.digest"], string(src.Digest)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	warnings := strings.Join(res.Images[0].Warnings, "\n")
	for _, name := range []string{"/etc/passwd", "/etc/group", "/etc/shadow"} {
		if !strings.Contains(warnings, name+" of the base image is in the image in another version") {
			t.Errorf("nothing is said of %s: %s", name, warnings)
		}
	}
}
