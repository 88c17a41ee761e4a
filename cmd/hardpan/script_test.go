package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/keyless"
	"github.com/hardpan/hardpan/internal/keyless/sigstore"
	"github.com/hardpan/hardpan/internal/kms/kmstest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sample"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

func TestMain(m *testing.M) {
	sandbox.Init() // the inside of a sandbox is this binary
	testscript.Main(m, map[string]func(){"hardpan": main, kmstest.Program: func() { kmstest.Main(os.Args, os.Stdin, os.Stdout, os.Stderr) }, keyless.Program: func() {
		if err := sigstore.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
	}})
}

// TestScripts runs the scripts of testdata/script, each of which has an archive of
// its own with the packages of internal/sample. Beside testscript's commands there
// are those of [commands], and in the environment $MIRROR and $KEYRING, which
// hardpan finds by itself.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", Setup: setUp, Cmds: commands,
		RequireExplicitExec: true, RequireUniqueNames: true,
		Condition: func(name string) (bool, error) {
			if name != "sandbox" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			_, err := sandbox.Open(t.TempDir())
			return err == nil, nil
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

type serverKey struct{}

func setUp(env *testscript.Env) error {
	s, err := archivetest.New(sample.Debian())
	if err != nil {
		return err
	}
	env.Defer(s.Close)
	env.Values[serverKey{}] = s
	if err := errors.Join(setUpKeyless(env), setUpPKCS11(env)); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"REGISTRY_GONE": "127.0.0.1:1", "HARDPAN_FAIL_ON": "never", // most images of scripts run as root; check.txtar and gate.txtar take it back
		"MIRROR": s.URL, "KEYRING": s.Keyring, "KEY": s.Key.ID(),
		"HARDPAN_MIRROR": s.URL, "HARDPAN_KEYRING": s.Keyring, "HARDPAN_CACHE_DIR": filepath.Join(env.WorkDir, "cache"),
		"HOME": env.WorkDir, "PLATFORM": specs.Machine().String(), "XDG_CONFIG_HOME": filepath.Join(env.WorkDir, "config"), "XDG_CACHE_HOME": filepath.Join(env.WorkDir, "user-cache"),
	} {
		env.Setenv(name, value)
	}
	return nil
}

func server(ts *testscript.TestScript) *archivetest.Server {
	return ts.Value(serverKey{}).(*archivetest.Server)
}

// commands are what scripts have beside testscript's own:
//
//	exits CODE COMMAND ARG...     run a command that must exit with that code
//	fault FILE KIND [ARG [TIMES]] make the next answers for a file of the archive go wrong
//	heal                          take back all faults
//	tamper NAME                   flip a bit of every file of the archive with that name
//	publish NAME                  replace the archive by one of [archives]
//	requests N                    check that the archive had so many requests since the last call
//	damage debs|layers|keys|GLOB  flip a bit of those files in the cache, or of any files
//	truncate debs|layers|GLOB     cut those files in half
//	lose LAYOUT                   remove the layers of a layout
//	lists DIR [NAME...]           check that a directory has these names and no other
//	replace FILE OLD NEW          change a file's text
//	outage SERVICE...             make these services of keyless signing refuse; ! outage is none
//	tagged IMAGE                  sign and attest an image under cosign's tags, for ci@example.com
//	attested LAYOUT TYPE FILE     write what is attested of the index as that type, which ends so
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":    exits,
	"fault":    fault,
	"heal":     func(ts *testscript.TestScript, _ bool, _ []string) { server(ts).Heal() },
	"tamper":   tamper,
	"publish":  publish,
	"requests": requests,
	"damage": func(ts *testscript.TestScript, _ bool, args []string) {
		each(ts, args, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	},
	"truncate": func(ts *testscript.TestScript, _ bool, args []string) {
		each(ts, args, func(b []byte) []byte { return b[:len(b)/2] })
	},
	"outage": outage,
	"tagged": tagged,
	"lose": func(ts *testscript.TestScript, _ bool, args []string) {
		for _, name := range beginning(ts, args[0]+"/blobs/sha256/*", gzipMagic) {
			ts.Check(os.Remove(name))
		}
	},
	"lists":    lists,
	"replace":  replace,
	"attested": attested,
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func fault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fault FILE KIND [ARG]")
	}
	var arg string
	times := 100 // more than anybody tries
	if len(args) > 2 {
		arg = args[2]
	}
	if len(args) > 3 {
		times, _ = strconv.Atoi(args[3])
	}
	number, _ := strconv.Atoi(arg)
	f, ok := map[string]archivetest.Fault{
		"status": {Status: number}, "reset": {Reset: true}, "cut": {Cut: number}, "body": {Body: []byte(arg)},
	}[args[1]]
	if !ok {
		ts.Fatalf("unknown fault %q", args[1])
	}
	server(ts).Inject(args[0], slices.Repeat([]archivetest.Fault{f}, times)...)
}

// archives are what an archive may have become since a lock was made.
var archives = map[string]func(*archivetest.Archive){
	"sample": func(*archivetest.Archive) {},
	// A tool of a later version, as after an update that removed the former one.
	"newer": func(a *archivetest.Archive) {
		a.Suites[0].Date = archivetest.Epoch.Add(24 * time.Hour)
		for i := range a.Suites[0].Packages {
			if p := &a.Suites[0].Packages[i]; p.Name == "tool" {
				p.Version = strings.Replace(p.Version, "1.", "2.", 1)
			}
		}
	},
	// Packages that only maintainer scripts need.
	"tools": func(a *archivetest.Archive) { a.Suites[0].Packages = append(a.Suites[0].Packages, sample.Tools()...) },
	"stages": func(a *archivetest.Archive) {
		packages, err := sample.Stage()
		if err != nil {
			panic(err)
		}
		a.Suites[0].Packages = append(a.Suites[0].Packages, packages...)
	},
	"expired":  func(a *archivetest.Archive) { a.Suites[0].ValidUntil = archivetest.Epoch.Add(24 * time.Hour) },
	"older":    func(a *archivetest.Archive) { a.Suites[0].Date = archivetest.Epoch.Add(-24 * time.Hour) },
	"stranger": func(a *archivetest.Archive) { a.Suites[0].Keys = []*archivetest.Key{stranger()} },
}

func stranger() *archivetest.Key {
	k, err := archivetest.NewKey(archivetest.KeyOptions{})
	if err != nil {
		panic(err)
	}
	return k
}

func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || archives[args[0]] == nil {
		ts.Fatalf("usage: publish NAME")
	}
	a := sample.Debian()
	archives[args[0]](&a)
	ts.Check(server(ts).Publish(a))
}

func requests(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: requests N")
	}
	made := server(ts).Requests()
	if args[0] != strconv.Itoa(len(made)) {
		ts.Fatalf("%d requests, want %s: %v", len(made), args[0], made)
	}
}

// tamper flips a bit in the middle of files of the archive, whose sizes stay.
func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tamper NAME")
	}
	files, err := sample.Debian().Build(server(ts).Key)
	ts.Check(err)
	for name, b := range files {
		// An index has its digest for a name, too, by which it is asked for.
		same := slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(other string) bool {
			return path.Base(other) == args[0] && bytes.Equal(files[other], b)
		})
		if same {
			changed := slices.Clone(b)
			changed[len(b)/2] ^= 1
			server(ts).Put(name, changed)
		}
	}
}

// each changes files of the cache or of the script's directory.
const gzipMagic = "\x1f\x8b"

func each(ts *testscript.TestScript, args []string, change func([]byte) []byte) {
	if len(args) != 1 {
		ts.Fatalf("expected one kind of file or a pattern")
	}
	var files []string
	switch args[0] {
	case "debs":
		files = blobs(ts, "!<arch>\n")
	case "layers":
		files = blobs(ts, gzipMagic)
	case "keys":
		files = glob(ts, "cache/keys/*/*")
	default:
		files = glob(ts, args[0])
	}
	if len(files) == 0 {
		ts.Fatalf("no files are %s", args[0])
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		ts.Check(err)
		ts.Check(os.WriteFile(name, change(b), 0o600))
	}
}

// blobs returns the blobs of the cache that begin like that.
func blobs(ts *testscript.TestScript, magic string) []string {
	return beginning(ts, "cache/blobs/sha256/*/*", magic)
}

func beginning(ts *testscript.TestScript, pattern, magic string) []string {
	return slices.DeleteFunc(glob(ts, pattern), func(name string) bool {
		b, err := os.ReadFile(name)
		ts.Check(err)
		return !bytes.HasPrefix(b, []byte(magic))
	})
}

func glob(ts *testscript.TestScript, pattern string) []string {
	files, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	return files
}

func lists(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: lists DIR [NAME...]")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	if !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(names, want) {
		ts.Fatalf("%s has %q, want %q", args[0], names, want)
	}
}

func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o644))
}

func attested(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: attested LAYOUT TYPE FILE")
	}
	src, err := oci.Open(context.Background(), ts.MkAbs(args[0]), oci.OpenOptions{})
	ts.Check(err)
	defer src.Close()
	list, err := src.Artifacts(context.Background(), src.Digest, oci.Attestations)
	ts.Check(err)
	for _, a := range list {
		for _, d := range a.Documents {
			var envelope struct{ Payload []byte }
			ts.Check(json.Unmarshal(d.Content, &envelope))
			var statement struct {
				PredicateType string
				Predicate     json.RawMessage
			}
			ts.Check(json.Unmarshal(envelope.Payload, &statement))
			if strings.HasSuffix(statement.PredicateType, args[1]) {
				ts.Check(os.WriteFile(ts.MkAbs(args[2]), statement.Predicate, 0o644))
				return
			}
		}
	}
	ts.Fatalf("%s has no attestation of type %s", args[0], args[1])
}
