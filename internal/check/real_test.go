package check

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/oci"
)

var compareReal = flag.Bool("compare", false, "compare with Dockle on images made by mmdebstrap and apt, and write the table; some minutes")

// A dockerfile is an image as docker build makes one: each run and copy a layer.
type dockerfile struct {
	name  string
	steps []string // lines of a Dockerfile; COPY has its content behind the path
}

// realImages are made as their like are on Docker Hub and in many a repository.
var realImages = []dockerfile{
	{"debian:trixie", nil},
	{"nginx", []string{
		"LABEL maintainer=NGINX Docker Maintainers <docker-maint@nginx.com>", "ENV NGINX_VERSION=1.26.3", "ENV PKG_RELEASE=1~trixie",
		"RUN set -x && groupadd --system --gid 101 web && useradd --system --gid web --no-create-home --home /nonexistent --uid 101 web && apt-get update && apt-get install --no-install-recommends --no-install-suggests -y nginx-light gettext-base curl && apt-get remove --purge --auto-remove -y && rm -rf /var/lib/apt/lists/*",
		"RUN ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log && mkdir /docker-entrypoint.d",
		"COPY /docker-entrypoint.sh 755 #!/bin/sh\nset -e\nexec \"$@\"\n",
		"ENTRYPOINT /docker-entrypoint.sh", "EXPOSE 80/tcp", "STOPSIGNAL SIGQUIT", "CMD nginx -g daemon off;",
	}},
	{"build-essential", []string{
		"RUN apt-get update && apt-get install -y build-essential", "WORKDIR /src",
		"COPY /src/Makefile 644 all: main.o\n", "COPY /src/main.c 644 int main(void) { return 0; }\n", "COPY /src/Dockerfile 644 FROM debian:trixie\nADD . /src\n", "COPY /src/.git/config 644 [core]\n",
		"RUN make && cc -o /usr/local/bin/main main.o", "RUN rm -rf /src/.git && apt-get remove -y --purge", "CMD /usr/local/bin/main",
	}},
	{"openssh-server and sudo", []string{
		"ENV ROOT_PASSWORD=tr0ub4dor-and-3", "RUN apt-get update",
		"RUN apt-get install -y openssh-server sudo && mkdir /run/sshd",
		"RUN useradd -m -s /bin/bash -G sudo admin && echo 'admin:tr0ub4dor-and-3' | chpasswd && passwd -d root",
		"RUN echo 'admin ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/admin && sed -i 's/#PermitRootLogin.*/PermitRootLogin yes/' /etc/ssh/sshd_config",
		"COPY /home/admin/.ssh/authorized_keys 600 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqk3Zb8vX1yN5tRw7QpLm2cJf9qk3Zb8vX1yN5tRw7 admin@example.com\n",
		"EXPOSE 22", "VOLUME /sys", "CMD /usr/sbin/sshd -D",
	}},
	{"python, with an application by pip", []string{
		"ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin", "ENV PYTHONDONTWRITEBYTECODE=1",
		"RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip python3-venv python3-setuptools python3-wheel && apt-get clean",
		"COPY /app/pyproject.toml 644 [project]\nname = \"service\"\nversion = \"1.0\"\n[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n",
		"COPY /app/service/__init__.py 644 def main():\n    print('ready')\n", "COPY /app/service/settings.py 644 DEBUG = True\nSECRET_KEY = 'b7x!q9zr4tn1vx7lm3wk9pb2yc6u0'\nDATABASES = {}\n", "COPY /app/.env 644 DATABASE_URL=postgresql://app:q8Zr4Tn1Vx7Lm3@db/app\n",
		"RUN python3 -m venv --system-site-packages /venv && /venv/bin/pip install --no-index --no-build-isolation /app", "RUN useradd -r app && chmod -R 777 /app && apt-get -y dist-upgrade",
		"HEALTHCHECK curl -f http://localhost:8000/ || exit 1", "USER app", "EXPOSE 8000", "CMD python3 -m service",
	}},
}

// Nothing that Dockle and docker-bench find in images of real packages is missed.
func TestRealArchiveDockle(t *testing.T) {
	switch {
	case !*compareReal:
		t.Skip("SKIPPED: minutes long; make compare runs it")
	case os.Getuid() != 0:
		t.Skip("SKIPPED: needs root, to run apt in a tree")
	}
	program := dockle(t)
	dir := t.TempDir()
	mirror := debianMirror(t)
	base := filepath.Join(dir, "base")
	sh(t, "", "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "trixie", base, "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "+mirror+" trixie main")
	// As the scripts of Docker's own Debian images leave it.
	if err := os.WriteFile(filepath.Join(base, "etc/apt/apt.conf.d/docker-clean"), []byte(`DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };`+"\n"+`Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var all []*compared
	for _, d := range realImages {
		root := filepath.Join(dir, "tree")
		sh(t, "", "cp", "-a", base, root)
		img := d.build(t, root)
		sh(t, "", "rm", "-rf", root)
		file := saved(t, img, filepath.Join(dir, "image.tar"))
		c := &compared{name: d.name, report: judgeArchive(t, file)}
		c.alerts, c.panics = dockleSays(t, program, []string{"--input", file})
		c.alerts = append(c.alerts, benchSays(must[*v1.ConfigFile](t)(img.ConfigFile()), setIDs(t, img))...)
		for _, a := range c.alerts {
			if !c.answered(a) && falseAlarm(a) == "" {
				t.Errorf("%s: %s: %s", c.name, a.number, a.text)
			}
		}
		for _, r := range c.report.Results {
			for _, f := range r.Findings {
				t.Logf("%s: %s %s %s", d.name, f.Severity, r.Rule, f.String())
			}
		}
		all = append(all, c)
		os.Remove(file)
	}
	*update = true
	golden(t, "../../docs/comparison.md", "real", tableOf(all))
}

func sh(t *testing.T, root string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	if root != "" {
		cmd = exec.Command("chroot", append([]string{root}, command...)...)
		cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out[max(0, len(out)-2000):])
	}
}

// debianMirror is the one that the machine's own sources name.
func debianMirror(t *testing.T) string {
	t.Helper()
	sources, err := archive.ReadSources("/etc/apt")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		if slices.Contains(s.Components, "main") && !strings.Contains(strings.Join(s.Suites, " "), "security") && strings.HasSuffix(strings.TrimSuffix(s.URIs[0], "/"), "/debian") {
			return s.URIs[0]
		}
	}
	t.Skip("SKIPPED: /etc/apt names no Debian mirror")
	return ""
}

// build runs the steps in the tree.
func (d *dockerfile) build(t *testing.T, root string) v1.Image {
	t.Helper()
	config := v1.Config{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Cmd: []string{"bash"}, ExposedPorts: map[string]struct{}{}, Volumes: map[string]struct{}{}, Labels: map[string]string{}}
	img, seen := empty.Image, map[string]string{}
	layer := func(by string) {
		l := must[v1.Layer](t)(tarball.LayerFromFile(changes(t, root, seen)))
		img = must[v1.Image](t)(mutate.Append(img, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: by, Comment: "buildkit.dockerfile.v0"}}))
	}
	note := func(by string) {
		doc := must[*v1.ConfigFile](t)(img.ConfigFile()).DeepCopy()
		doc.History = append(doc.History, v1.History{CreatedBy: by, Comment: "buildkit.dockerfile.v0", EmptyLayer: true})
		img = must[v1.Image](t)(mutate.ConfigFile(img, doc))
	}
	resolv := must[[]byte](t)(os.ReadFile("/etc/resolv.conf"))
	layer("# debian.sh --arch 'amd64' out/ 'trixie' '@1761523200'")
	for _, step := range d.steps {
		word, rest, _ := strings.Cut(step, " ")
		switch word {
		case "RUN":
			os.WriteFile(filepath.Join(root, "etc/resolv.conf"), resolv, 0o644)
			command := rest
			if config.WorkingDir != "" {
				command = "cd " + config.WorkingDir + " && " + rest
			}
			sh(t, root, "/bin/sh", "-c", command)
			os.Remove(filepath.Join(root, "etc/resolv.conf"))
			layer("RUN /bin/sh -c " + rest + " # buildkit")
			continue
		case "COPY":
			f := strings.SplitN(rest, " ", 3)
			file := filepath.Join(root, f[0])
			os.MkdirAll(filepath.Dir(file), 0o755)
			mode := fs.FileMode(0o644)
			fmt.Sscanf(f[1], "%o", &mode)
			if err := os.WriteFile(file, []byte(f[2]), mode); err != nil {
				t.Fatal(err)
			}
			layer("COPY " + filepath.Base(f[0]) + " " + f[0] + " # buildkit")
			continue
		case "ENV":
			name, _, _ := strings.Cut(rest, "=")
			config.Env = append(slices.DeleteFunc(config.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") }), rest)
		case "LABEL":
			key, value, _ := strings.Cut(rest, "=")
			config.Labels[key] = value
		case "ENTRYPOINT":
			config.Entrypoint, config.Cmd = strings.Fields(rest), nil
		case "CMD":
			config.Cmd = strings.Fields(rest)
		case "EXPOSE":
			config.ExposedPorts[rest] = struct{}{}
		case "VOLUME":
			config.Volumes[rest] = struct{}{}
		case "USER":
			config.User = rest
		case "WORKDIR":
			config.WorkingDir = rest
			os.MkdirAll(filepath.Join(root, rest), 0o755)
		case "STOPSIGNAL":
			config.StopSignal = rest
		case "HEALTHCHECK":
			config.Healthcheck = &v1.HealthConfig{Test: []string{"CMD-SHELL", rest}}
		}
		note(step)
	}
	doc := must[*v1.ConfigFile](t)(img.ConfigFile()).DeepCopy()
	doc.OS, doc.Architecture, doc.Config, doc.Created = "linux", "amd64", config, v1.Time{Time: time.Now()}
	return must[v1.Image](t)(mutate.ConfigFile(img, doc))
}

// changes writes a layer of what is not as it was seen, and notes it as seen.
func changes(t *testing.T, root string, seen map[string]string) string {
	t.Helper()
	var names bytes.Buffer
	now := map[string]bool{}
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		name := strings.TrimPrefix(p, root+"/")
		if top, _, in := strings.Cut(name, "/"); in && (top == "proc" || top == "sys" || top == "dev") {
			return nil
		}
		i, err := e.Info()
		if err != nil {
			return err
		}
		s := i.Sys().(*syscall.Stat_t)
		is := fmt.Sprint(i.Mode(), s.Uid, s.Gid, s.Ino)
		if !i.IsDir() {
			is += fmt.Sprint(i.Size(), s.Ctim)
		}
		if now[name] = true; seen[name] != is {
			seen[name] = is
			names.WriteString(name + "\x00")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	blanks := t.TempDir()
	var gone bytes.Buffer
	for name := range seen {
		if now[name] {
			continue
		}
		delete(seen, name)
		dir, base := filepath.Split(name)
		if !now[strings.TrimSuffix(dir, "/")] && dir != "" {
			continue
		}
		os.MkdirAll(filepath.Join(blanks, dir), 0o755)
		os.WriteFile(filepath.Join(blanks, dir, ".wh."+base), nil, 0o644)
		gone.WriteString(filepath.Join(dir, ".wh."+base) + "\x00")
	}
	file := filepath.Join(t.TempDir(), "layer.tar")
	for _, from := range []struct {
		dir, list string
	}{{root, names.String()}, {blanks, gone.String()}} {
		if from.list == "" && from.dir == blanks {
			continue
		}
		cmd := exec.Command("tar", "-C", from.dir, "--numeric-owner", "--no-recursion", "--null", "-T", "-", "-rf", file)
		cmd.Stdin = strings.NewReader(from.list)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tar: %v: %s", err, out)
		}
	}
	return file
}

func judgeArchive(t *testing.T, file string) *Report {
	t.Helper()
	src := must[*oci.Source](t)(oci.Open(t.Context(), file, oci.OpenOptions{}))
	defer src.Close()
	return Judge(must[*facts.Image](t)(facts.Read(t.Context(), src.Images[0])), Options{})
}
