package builder

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/probe"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// appAccounts has the user that the images below run as, 1000:1000, with two groups more.
const appAccounts = `accounts:
  groups: [{name: app, gid: 1000}, {name: tools, gid: 2000, members: [app]}, {name: log, gid: 2001, members: [app]}]
  users: [{name: app, uid: 1000, home: /app}]
  run-as: app
`

// TestHealthCommand holds what is refused of a health check's command, with the place
// in the spec and what to do, and what is only warned of.
func TestHealthCommand(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct{ name, spec, want, warning string }{
		{"runnable", "healthcheck: {command: [/usr/bin/hello, -q]}", "", ""},
		{"found in PATH", "healthcheck: {command: [hello]}", "", ""},
		{"found behind a link", "healthcheck: {command: [hi]}", "", ""},
		{"relative to the work-dir", "work-dir: /usr\nhealthcheck: {command: [bin/hello]}", "", ""},
		{"a shell that is not there", "healthcheck: {command: [sh, -c, curl localhost]}",
			"health.yaml:12:15: linux/amd64: sh is the command of the health check, but no directory of PATH has it: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" +
				"hint: the image has no shell: write a program of the image and its arguments, or write http or tcp, for which hardpan adds a probe", ""},
		{"a shell by path", "healthcheck: {command: [/bin/sh, -c, curl localhost]}",
			"health.yaml:12:15: linux/amd64: /bin/sh is the command of the health check, but no path of the image\n" +
				"hint: the image has no shell: write a program of the image and its arguments, or write http or tcp, for which hardpan adds a probe", ""},
		{"a program that is not there", "healthcheck: {command: [curl, -f, \"http://localhost/\"]}",
			"health.yaml:12:15: linux/amd64: curl is the command of the health check, but no directory of PATH has it: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" +
				"hint: add the package that has it, or write http or tcp, for which hardpan adds a probe", ""},
		{"PATH of the image", "environment: {PATH: /opt}\nhealthcheck: {command: [hello]}",
			"health.yaml:13:15: linux/amd64: hello is the command of the health check, but no directory of PATH has it: /opt\n" +
				"hint: add the package that has it, or write http or tcp, for which hardpan adds a probe", ""},
		{"a script for a shell", "paths: [{path: /app/check, type: file, mode: \"0755\", content: \"#!/bin/sh\\n\"}]\nhealthcheck: {command: [/app/check]}",
			"health.yaml:13:15: linux/amd64: /app/check needs the interpreter /bin/sh, which no path of the image has: /app/check -> /bin/sh\n" +
				"hint: the image has no shell: write a program of the image and its arguments, or write http or tcp, for which hardpan adds a probe", ""},
		{"not executable", "paths: [{path: /app/check, type: file, content: \"#!/usr/bin/hello\\n\"}]\nhealthcheck: {command: [/app/check]}",
			"health.yaml:13:15: linux/amd64: /app/check is the command of the health check, but is not executable (mode 0644)", ""},
		{"for root only", "paths: [{path: /usr/bin/hello, type: permissions, mode: \"0700\"}]\nhealthcheck: {command: [/usr/bin/hello]}",
			"health.yaml:13:15: linux/amd64: /usr/bin/hello is the command of the health check, but cannot be executed by user 1000:1000 (mode 0700, owner 0:0)\n" +
				"hint: change its mode or owner by an entry of paths of type permissions", ""},
		{"a directory for root only", "paths: [{path: /opt/private, type: directory, mode: \"0700\"}, {path: /opt/private/check, type: symlink, target: /usr/bin/hello}]\nhealthcheck: {command: [/opt/private/check]}",
			"health.yaml:13:15: linux/amd64: /opt/private/check is the command of the health check, but lies below /opt/private, which user 1000:1000 cannot search (mode 0700, owner 0:0)\n" +
				"hint: change its mode or owner by an entry of paths of type permissions", ""},
		{"a library for root only", "paths: [{path: /usr/lib/x86_64-linux-gnu/libc.so.6, type: permissions, mode: \"0700\"}]\nhealthcheck: {command: [hello]}",
			"health.yaml:13:15: linux/amd64: /usr/bin/hello needs libc.so.6, which cannot be read by user 1000:1000 (mode 0700, owner 0:0): /usr/bin/hello -> libc.so.6\n" +
				"hint: change its mode or owner by an entry of paths of type permissions", ""},
		{"for a group of the user", "paths: [{path: /usr/bin/hello, type: permissions, mode: \"0750\", gid: 2000}]\nhealthcheck: {command: [/usr/bin/hello]}", "",
			"/usr/bin/hello is the command of the health check, but cannot be executed by user 1000:1000 (mode 0750, owner 0:2000), unless the runtime gives it the further groups of /etc/group"},
		{"without hardening too", "hardening: {profile: none}\nhealthcheck: {command: [/usr/bin/none]}",
			"health.yaml:13:15: linux/amd64: /usr/bin/none is the command of the health check, but no path of the image\n" +
				"hint: add the package that has it, or write http or tcp, for which hardpan adds a probe", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := &bench{t, b.server, b.dir}
			b.write("health.yaml", "platforms: [linux/amd64]\n"+contents+appAccounts+"# no entrypoint\n"+test.spec+"\n")
			o := b.options("health.yaml")
			o.Lock = UpdateLock
			res, err := Build(t.Context(), o)
			if test.want != "" {
				if err == nil {
					t.Fatal("the build did not fail")
				}
				if _, ok := errors.AsType[*specs.Error](err); !ok {
					t.Errorf("%v is not an error of the spec", err)
				}
				got := strings.ReplaceAll(err.Error(), b.dir+"/", "")
				if h, ok := errors.AsType[interface {
					error
					Hint() string
				}](err); ok && h.Hint() != "" {
					got += "\nhint: " + h.Hint()
				}
				if got != test.want {
					t.Errorf("got\n%s\nwant\n%s", got, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(res.Images[0].Warnings, "\n"); got != test.warning {
				t.Errorf("warnings %q, expected %q", got, test.warning)
			}
		})
	}
}

// TestHealthProbe holds that an image whose health check asks over HTTP or tries a
// connection carries the probe of its platform, with an origin of its own, and calls it.
func TestHealthProbe(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct{ health, want string }{
		{"{http: \"http://127.0.0.1:8000/healthz\"}", "/usr/lib/hardpan/probe -t 29 http://127.0.0.1:8000/healthz"},
		{"{tcp: \"[::1]:5432\", timeout: 2s, interval: 10s, retries: 2}", "/usr/lib/hardpan/probe -t 1.8 tcp://[::1]:5432"},
	} {
		b.write("probe.yaml", contents+appAccounts+"healthcheck: "+test.health+"\n")
		o := b.options("probe.yaml")
		o.Lock = UpdateLock
		res := b.build(o)
		for _, img := range res.Index.Images {
			if got := img.Config.Healthcheck.Test; got[0] != "CMD" || strings.Join(got[1:], " ") != test.want {
				t.Errorf("%s: the health check is %q, expected %s", img.Platform, got, test.want)
			}
			checkProbe(t, b, img)
		}
	}
	e, err := Explain(t.Context(), filepath.Join(b.dir, "out/probe.yaml"), "/"+probe.Path, ExplainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Steps[0].Origin, "hardpan, health probe "+probe.Name+" "+probe.Version+", spec probe.yaml:10"; got != want {
		t.Errorf("explained as %q, expected %q", got, want)
	}
}

// checkProbe compares the probe of an image with that of its platform.
func checkProbe(t *testing.T, b *bench, img *oci.Image) {
	t.Helper()
	binary, err := probe.Binary(img.Platform.Architecture)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		t.Fatal(err)
	}
	row, ok := rec.Lookup(probe.Path)
	if !ok || row.Mode != "0755" || row.Owner != "0:0" || row.Size != int64(len(binary)) {
		t.Errorf("%s: the probe is %+v, expected %d bytes of root that everybody may execute", img.Platform, row, len(binary))
	}
	want := record.Component{Name: probe.Name, Version: probe.Version, Licence: "Apache-2.0", Path: probe.Path, SHA256: hexDigest(binary)}
	if len(rec.Components) != 1 || rec.Components[0] != want {
		t.Errorf("%s: the record has the components %+v, expected %+v", img.Platform, rec.Components, want)
	}
}

// An image without such a health check has neither probe nor component.
func TestNoHealthProbe(t *testing.T) {
	b := newBench(t)
	for _, img := range b.build(b.options("sample.yaml")).Index.Images {
		rec, err := record.Decode(img.Config.Record)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := rec.Lookup(probe.Path); ok || len(rec.Components) > 0 {
			t.Errorf("%s: has a probe, components %+v", img.Platform, rec.Components)
		}
	}
}

// Nothing else may lie where the probe goes, and nothing may take its right to run.
func TestHealthProbeInTheWay(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct{ paths, want string }{
		{"[{path: /usr/lib/hardpan/probe, type: empty-file}]", "probe.yaml:11:1: cannot add the health probe: /usr/lib/hardpan/probe: file of hardpan, health probe hardpan-probe 1.0.0, spec probe.yaml:11 is also file of spec probe.yaml:10"},
		{"[{path: /usr/lib/hardpan, type: directory, mode: \"0700\"}]", "probe.yaml:11:1: linux/amd64: /usr/lib/hardpan/probe is the command of the health check, but lies below /usr/lib/hardpan, which user 1000:1000 cannot search (mode 0700, owner 0:0)"},
		{"[{path: /usr/lib/hardpan/probe, type: permissions, mode: \"0644\"}]", "probe.yaml:11:1: linux/amd64: /usr/lib/hardpan/probe is the command of the health check, but is not executable (mode 0644)"},
	} {
		b.write("probe.yaml", contents+appAccounts+"paths: "+test.paths+"\nhealthcheck: {tcp: \"127.0.0.1:1\"}\n")
		o := b.options("probe.yaml")
		o.Lock = UpdateLock
		_, err := Build(t.Context(), o)
		if got := strings.ReplaceAll(errorText(err), b.dir+"/", ""); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.paths, got, test.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// A build in the cache answers only for the probe that it was made with, at its line.
func TestHealthProbeInTheKey(t *testing.T) {
	b := newBench(t)
	keys := map[string]bool{}
	for _, text := range []string{"", "healthcheck: {tcp: \"127.0.0.1:1\"}", "\nhealthcheck: {tcp: \"127.0.0.1:1\"}", "healthcheck: {command: [hello]}"} {
		b.write("key.yaml", contents+text+"\n")
		opened, err := open(b.options("key.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := opened.probeKey()
		if err != nil {
			t.Fatal(err)
		}
		if opened.probes() != (key != "") {
			t.Errorf("%q: key %q", text, key)
		}
		keys[key] = true
	}
	if len(keys) != 3 {
		t.Errorf("keys %v, expected one for no probe and one for each line", keys)
	}
	binary, err := probe.Binary("amd64")
	if err != nil {
		t.Fatal(err)
	}
	for key := range keys {
		if key != "" && !strings.Contains(key, hexDigest(binary)) {
			t.Errorf("key %q, expected the digest of the probe in it", key)
		}
	}
}

func hexDigest(b []byte) string { return store.DigestOf(b).Hex() }
