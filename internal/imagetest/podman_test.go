//go:build linux

package imagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/oci"
)

// podman is podman with runc, with a storage of its own.
type podman struct {
	missing string // what the host lacks, "" if nothing
	flags   []string
	env     []string
	mu      sync.Mutex // of the storage, which many writers make slow
}

// newPodman makes an empty storage.
func newPodman(t *testing.T) *podman {
	for _, name := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(name); err != nil {
			return &podman{missing: name}
		}
	}
	dir, err := os.MkdirTemp("", "hardpan-podman-") // t.TempDir's name is too long for podman's sockets
	if err != nil {
		t.Fatal(err)
	}
	// Where the limits of the host are lower than podman's defaults, runc cannot
	// raise them.
	conf := filepath.Join(dir, "containers.conf")
	limits := "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n"
	if err := os.WriteFile(conf, []byte(limits), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &podman{
		flags: []string{"--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp", "--storage-driver", "overlay",
			"--runtime", "runc", "--cgroup-manager", "cgroupfs",
			"--log-level", "fatal"}, // else it reports each time that there is no systemd to time health checks

		env: append(os.Environ(), "CONTAINERS_CONF="+conf),
	}
	t.Cleanup(func() {
		p.run(context.Background(), "system", "reset", "--force")
		os.RemoveAll(dir)
	})
	if out, err := p.run(t.Context(), "info"); err != nil {
		p.missing = fmt.Sprintf("podman that works with overlay storage (podman info: %v: %s)", err, strings.TrimSpace(out))
	}
	return p
}

func (p *podman) run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "podman", append(p.flags[:len(p.flags):len(p.flags)], args...)...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// output runs a program to its end. Now and then podman loses what a program wrote that
// ends at once: then it is run again.
func (p *podman) output(ctx context.Context, args ...string) (out string, err error) {
	for range 3 {
		if out, err = p.run(ctx, args...); err != nil || out != "" {
			break
		}
	}
	return out, err
}

// load loads the image from the docker archive and from the layout, which must be
// the same to podman, and returns its id.
func (p *podman) load(t *testing.T, s *shipped) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var id string
	// The archive comes last: podman believes health checks of Docker's form only.
	for _, ref := range []string{"oci:" + s.layout, "docker-archive:" + s.docker} {
		out, err := p.run(t.Context(), "pull", "--quiet", ref)
		if err != nil && strings.Contains(out, "insufficient UIDs or GIDs") {
			t.Skipf("SKIPPED: the host has no subordinate ids for this user (subuid(5)): no program was run in podman with runc: %s", out)
		}
		if err != nil {
			t.Fatalf("podman pull %s: %v\n%s", ref, err, out)
		}
		got := strings.TrimSpace(out)
		if id != "" && got != id {
			t.Errorf("%s is image %s, from the layout it was %s", ref, got, id)
		}
		id = got
	}
	return id
}

// runInPodman runs the programs with nothing that a container can do without: no
// network, no capability, no way to gain one, and a read-only root.
func runInPodman(t *testing.T, p *podman, s *shipped) {
	list := probesOf(t, s)
	if p.missing != "" {
		t.Skipf("SKIPPED: the host has no %s: no program was run in podman with runc", p.missing)
	}
	id := p.load(t, s)
	t.Cleanup(func() { p.run(context.Background(), "rmi", "--force", id) }) // the disk is small
	for _, probe := range list {
		if probe.ask != nil {
			// Its questions are asked in the namespace, where the asker can be beside it.
			if s.spec.Healthcheck != nil {
				t.Run(probe.name, func(t *testing.T) { p.serve(t, s, id, &probe) })
			}
			continue
		}
		t.Run(probe.name, func(t *testing.T) {
			argv := probe.argv(s)
			args := []string{"run", "--rm", "--network", "none", "--read-only", "--cap-drop", "all",
				"--security-opt", "no-new-privileges", "--pids-limit", "0"}
			for _, e := range probe.env {
				args = append(args, "--env", e)
			}
			if probe.built != "" {
				args = append(args, "--volume", probe.build(t)+":"+builtPath+":ro")
			}
			if probe.command != nil || probe.built != "" { // else the image's own entrypoint is tried
				args = append(args, "--entrypoint", argv[0])
			}
			args = append(args, id)
			out, err := p.output(t.Context(), append(args, probe.args...)...)
			if err != nil && strings.Contains(out, "cgroup") {
				t.Skipf("SKIPPED: the host has no control groups that runc can use: %s", out)
			}
			probe.check(t, out, err)
		})
	}
}

// copyWithSkopeo: others read the layout and find what is in it.
func copyWithSkopeo(t *testing.T, s *shipped) {
	skopeo := tool(t, "skopeo")
	copied := filepath.Join(t.TempDir(), "copy")
	args := []string{"--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "oci:" + s.layout, "oci:" + copied + ":again"}
	if out, err := exec.CommandContext(t.Context(), skopeo, args...).CombinedOutput(); err != nil {
		t.Fatalf("skopeo %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	src, err := oci.Open(t.Context(), copied, oci.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if src.Digest != s.result.Digest || len(src.Images) != len(s.spec.Platforms) {
		t.Errorf("the copy has digest %s and %d images, expected %s and %d", src.Digest, len(src.Images), s.result.Digest, len(s.spec.Platforms))
	}
}
