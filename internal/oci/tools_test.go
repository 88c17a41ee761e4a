package oci_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/oci"
)

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("the host has no %s (apt-get install %[1]s)", name)
	}
	return path
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// skopeo reads each output, and what it makes of them is read here. Without zstd
// layers: up to version 1.9 it cannot turn them into Docker's manifests.
func TestSkopeo(t *testing.T) {
	t.Parallel()
	skopeo := tool(t, "skopeo")
	dir := t.TempDir()
	st := openStore(t)
	var images []*oci.Image
	for _, p := range []oci.Platform{linuxAMD64, linuxARM64} {
		images = append(images, buildImageOf(t, st, p, oci.MediaLayerGzip, oci.MediaLayerGzip, oci.MediaLayer))
	}
	x, err := oci.NewIndex(st, images, annotations())
	check(t, err)
	arm := x.Images[1]
	writeLayout(t, dir+"/layout", x)
	check(t, oci.WriteArchive(t.Context(), dir+"/oci.tar", x, oci.LayoutOptions{RefName: "3.13"}))
	check(t, oci.WriteDockerArchive(t.Context(), dir+"/docker.tar", x, oci.DockerArchiveOptions{Platform: linuxARM64, Tags: []string{"example/python:3.13"}}))
	for _, ref := range []string{"oci:" + dir + "/layout:3.13", "oci-archive:" + dir + "/oci.tar:3.13"} {
		if got := run(t, skopeo, "inspect", "--raw", ref); got != string(x.Manifest) {
			t.Errorf("%s: %s", ref, got)
		}
		if got := run(t, skopeo, "--override-arch", "arm64", "inspect", "--config", "--raw", ref); got != string(arm.RawConfig) {
			t.Errorf("%s: config %s", ref, got)
		}
	}
	if got := run(t, skopeo, "inspect", "--config", "--raw", "docker-archive:"+dir+"/docker.tar:example/python:3.13"); got != string(arm.RawConfig) {
		t.Errorf("docker archive: config %s", got)
	}
	for _, to := range []string{"oci:" + dir + "/copy:1", "oci-archive:" + dir + "/copy.tar:1", "docker-archive:" + dir + "/saved.tar:example/a:1"} {
		for _, from := range []string{"oci:" + dir + "/layout:3.13", "docker-archive:" + dir + "/docker.tar"} {
			_, path, _ := strings.Cut(to, ":")
			check(t, os.RemoveAll(strings.SplitN(path, ":", 2)[0]))
			run(t, skopeo, "--insecure-policy", "--override-arch", "arm64", "copy", from, to)
			s, err := oci.Open(t.Context(), to, oci.OpenOptions{})
			check(t, err)
			if len(s.Images[0].Layers) != len(arm.Layers) || s.Images[0].Platform != linuxARM64 {
				t.Errorf("%s has %d layers for %s", to, len(s.Images[0].Layers), s.Images[0].Platform)
			}
			check(t, readEverything(t, to, oci.OpenOptions{}))
			s.Close()
		}
	}
	run(t, skopeo, "--insecure-policy", "copy", "--all", "--preserve-digests", "oci:"+dir+"/layout:3.13", "oci:"+dir+"/all:1")
	s, err := oci.Open(t.Context(), dir+"/all", oci.OpenOptions{})
	check(t, err)
	defer s.Close()
	compareIndexes(t, s.Index, x)
}

// Debian's docker-registry takes a push and gives it back.
func TestDebianRegistry(t *testing.T) {
	t.Parallel()
	bin := tool(t, "docker-registry")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	host := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: '%s'}\nlog: {level: error}\n", dir, host)
	file := filepath.Join(dir, "config.yml")
	check(t, os.WriteFile(file, []byte(config), 0o644))
	cmd := exec.Command(bin, "serve", file)
	check(t, cmd.Start())
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for range 500 {
		if resp, err := http.Get("http://" + host + "/v2/"); err == nil {
			resp.Body.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}

	st := openStore(t)
	x, other := buildIndex(t, st, linuxAMD64, linuxARM64), otherIndex(t, st)
	for _, image := range []*oci.Index{other, x, x} {
		pinned, err := oci.Push(t.Context(), host+"/example/python:3.13", image, oci.PushOptions{Tags: []string{"latest"}})
		check(t, err)
		for _, ref := range []string{pinned, host + "/example/python:3.13", host + "/example/python"} {
			s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
			check(t, err)
			compareIndexes(t, s.Index, image)
		}
	}
	if skopeo, err := exec.LookPath("skopeo"); err == nil {
		if got := run(t, skopeo, "inspect", "--tls-verify=false", "--raw", "docker://"+host+"/example/python:3.13"); got != string(x.Manifest) {
			t.Errorf("skopeo reads %s", got)
		}
	}
}
