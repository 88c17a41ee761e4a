//go:build linux

package imagetest

import (
	"archive/tar"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	hardentool "github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/specs"
)

// labelPrefix begins the labels that say what an image is and how it is run (docs/labels.md).
const labelPrefix = "dev.hardpan."

// trueLabels says of each such label how its value is found to be true. That a
// service does its work without capabilities, new privileges and a root that it can
// write to, in the memory it asks for, is seen where it is run: always so.
var trueLabels = map[string]func(f *facts, value string) error{
	"run.capabilities":      expectLabel("none"),
	"run.no-new-privileges": expectLabel("true"),
	"run.read-only-root":    expectLabel("true"),
	"run.user": func(f *facts, value string) error {
		return expectLabel(f.img.Config.User)(f, value)
	},
	"run.memory": func(_ *facts, value string) error { return new(specs.Size).UnmarshalText([]byte(value)) },
	"run.cpus": func(_ *facts, value string) error {
		if n, err := strconv.ParseFloat(value, 64); err != nil || n <= 0 {
			return fmt.Errorf("expected a number of processors")
		}
		return nil
	},
	"run.processes": func(_ *facts, value string) error {
		if n, err := strconv.Atoi(value); err != nil || n <= 0 {
			return fmt.Errorf("expected a number of processes")
		}
		return nil
	},
	"run.ports.internal": (*facts).internalPorts,
	"run.writable":       (*facts).writable,
	"absent":             (*facts).absent,
}

func expectLabel(want string) func(*facts, string) error {
	return func(_ *facts, value string) error {
		if value != want {
			return fmt.Errorf("expected %q", want)
		}
		return nil
	}
}

// labels: what the image says of itself is true.
func (f *facts) labels() {
	for name, value := range f.img.Config.Labels {
		short, ours := strings.CutPrefix(name, labelPrefix)
		if !ours {
			continue
		}
		check := trueLabels[short]
		if check == nil {
			f.errorf("label %s: nothing here finds whether it is true", name)
			continue
		}
		if err := check(f, value); err != nil {
			f.errorf("label %s is %q: %v", name, value, err)
		}
	}
}

// internalPorts: each is a port of the image, which has others.
func (f *facts) internalPorts(value string) error {
	internal := strings.Fields(value)
	for _, port := range internal {
		if !slices.Contains(f.img.Config.ExposedPorts, port) {
			return fmt.Errorf("the image's ports are %q", f.img.Config.ExposedPorts)
		}
	}
	if len(internal) == 0 || len(internal) == len(f.img.Config.ExposedPorts) {
		return fmt.Errorf("expected some of the ports %q", f.img.Config.ExposedPorts)
	}
	return nil
}

// writable: the paths are the image's volumes and the directories that its spec names,
// and its user's alone or, like /tmp, everybody's.
func (f *facts) writable(value string) error {
	rec, err := record.Decode(f.img.Config.Record)
	if err != nil {
		return err
	}
	declared := slices.Sorted(slices.Values(slices.Concat(f.img.Config.Volumes, rec.Writable)))
	if paths := strings.Fields(value); !slices.Equal(paths, declared) {
		return fmt.Errorf("the image's volumes and writable directories are %q", declared)
	}
	for _, dir := range declared {
		e := f.find(dir)
		shared := e != nil && e.Mode&0o7777 == 0o1777
		if e == nil || e.Typeflag != tar.TypeDir || !shared && (fmt.Sprintf("%d:%d", e.Uid, e.Gid) != f.img.Config.User || e.Mode&0o027 != 0) {
			return fmt.Errorf("%s is not a directory that the image's user can write to and others cannot enter", dir)
		}
	}
	return nil
}

// absentKinds are the words of the label "absent" that stand for kinds of tools.
var absentKinds = map[string]hardentool.Kind{
	"compiler": hardentool.Compiler, "package-manager": hardentool.PackageManager, "privilege-tool": hardentool.Privilege, "shell": hardentool.Shell,
	"remote-access": hardentool.RemoteAccess, "network-client": hardentool.NetworkClient, "development-file": hardentool.Development,
}

// absent: no file of the image is what the label says that it has none of.
func (f *facts) absent(value string) error {
	for _, word := range strings.Fields(value) {
		kind, known := absentKinds[word]
		if !known && word != "set-id-file" {
			return fmt.Errorf("nothing here knows what %q is", word)
		}
		for name, e := range f.entries {
			setID := e.Typeflag != tar.TypeDir && e.Mode&0o6000 != 0
			is := slices.ContainsFunc(e.tools, func(t hardentool.Tool) bool { return t.Kind == kind })
			if known && is || !known && setID {
				return fmt.Errorf("/%s is a %s: %v", name, word, e.tools)
			}
		}
	}
	return nil
}

// listing has what stands at some paths of images: type, mode and owner, or that there
// is nothing. A pattern's last name is as in [path.Match].
var listing = map[string]map[string]string{
	"xorb-api": {
		"app": "5 0750 1000:1000", "app/data": "5 0750 1000:1000", "app/logs": "5 0750 1000:1000", "app/tmp": "5 0750 1000:1000",
		"app/secrets": "5 0700 1000:1000", "app/secrets/*": "",
		"opt/venv": "5 0755 0:0", "opt/venv/pyvenv.cfg": "0 0644 0:0",
		"opt/venv/lib/python3.11/site-packages/xorbit.*.so": "0 0755 0:0",
		"opt/venv/bin/*ctivate*":                            "", "opt/venv/bin/pip*": "", "opt/venv/include": "", "src": "",
		"opt/venv/lib/python3.11/site-packages/pip": "", "opt/venv/lib/python3.11/site-packages/setuptools": "",
		"usr/bin/git": "", "usr/bin/curl": "", "usr/bin/*gcc*": "", "usr/bin/make": "", "usr/include/python3.11": "", "usr/lib/python3/dist-packages/pip": "",
	},
	"samo-dl-api": {
		"app": "5 0750 1000:1000", "opt/venv": "5 0755 0:0", "opt/venv/bin/*ctivate*": "", "opt/venv/bin/pip*": "",
		"usr/bin/ffmpeg": "0 0755 0:0", "usr/lib/python3/dist-packages/pip": "",
	},
	"apps-c":    {"usr/local/bin/crc": "0 0755 0:0", "src": "", "usr/bin/*gcc*": "", "usr/include/zlib.h": ""},
	"apps-go":   {"usr/local/bin/sums": "0 0755 0:0", "src": "", "usr/lib/go-*": ""},
	"apps-node": {"srv/calendar/node_modules/numerals/index.js": "0 0644 0:0", "srv/calendar/*.tgz": "", "usr/share/nodejs/npm": ""},
}

func (f *facts) listed() {
	for pattern, want := range listing[f.image.String()] {
		found := false
		for name, e := range f.entries {
			if ok, _ := path.Match(pattern, name); !ok {
				continue
			}
			found = true
			if got := fmt.Sprintf("%c %04o %d:%d", e.Typeflag, e.Mode, e.Uid, e.Gid); got != want {
				f.errorf("/%s is %q, expected %q", name, got, want)
			}
		}
		if !found && want != "" {
			f.errorf("there is no /%s", pattern)
		}
	}
}
