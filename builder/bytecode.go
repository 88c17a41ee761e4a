package builder

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// bytecodeFormat names what compiling modules makes of them. It changes when that does.
const bytecodeFormat = "bytecode1"

// bytecodeLayer is the layer that compiled modules are in; no stage can have the name.
const bytecodeLayer = "(bytecode)"

// pythonProgram compiles the modules that its standard input names, shared out among
// as many processes as it is told. A module's place in the queue decides who compiles it, so
// that the bytes do not depend on who was faster. A file that is no valid module, such as
// a test of the parser, is left as it is. Without a check of the source at each start
// (PEP 552, unchecked hash-based pycs) nothing of it depends on a file's time.
const pythonProgram = `
import os, sys, py_compile
paths = sys.stdin.buffer.read().split(b"\0")[:-1]
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
jobs, children = int(sys.argv[1]), []
for job in range(jobs):
    child = os.fork()
    if child:
        children.append(child)
        continue
    code = 0
    try:
        for name in paths[job::jobs]:
            try:
                py_compile.compile(os.fsdecode(name), doraise=True, invalidation_mode=mode)
            except (py_compile.PyCompileError, SyntaxError, UnicodeError, ValueError):
                pass
    except BaseException as e:
        print(e, file=sys.stderr)
        code = 1
    os._exit(code)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children))
`

// addBytecode compiles the Python modules of the image by its own interpreter, where the
// spec asks for it. It returns why it could not, where the host cannot run programs
// of the platform: the image then is without.
func (b *build) addBytecode(ctx context.Context, p specs.Platform, a *assembly) (warning string, err error) {
	if !b.spec.Contents.Bytecode {
		return "", nil
	}
	python, err := a.tree.Resolve("usr/bin/python3")
	if errors.Is(err, fs.ErrNotExist) {
		return "", b.specError([]any{"contents", "bytecode"}, errors.New("there is nothing to compile with: the image has no /usr/bin/python3"))
	}
	if err != nil {
		return "", err
	}
	modules := pythonModules(a.tree)
	if len(modules) == 0 {
		return "", nil
	}
	var made copied
	key := bytecodeKey(p, python, modules)
	if !b.store.Get("bytecode", key, &made) || !made.stored(b.store) {
		err := b.compile(ctx, p, a, python, modules, &made)
		if errors.Is(err, sandbox.ErrUnsupported) {
			return fmt.Sprintf("modules are not compiled to bytecode: %v", err), nil
		}
		if err == nil {
			err = b.store.Set("bytecode", key, &made)
		}
		if err != nil {
			return "", fmt.Errorf("%s: cannot compile modules to bytecode: %w", p, err)
		}
	}
	origin := &tree.Origin{Kind: tree.FromBuilder, Stage: bytecodeLayer, Command: "bytecode of the module beside it, compiled by /" + python.Path}
	for i := range made.Entries {
		e := &made.Entries[i]
		n := e.node(origin)
		n.Layered = false
		if n.Type == tree.File {
			n.Content = packContent{b.store, made.Pack, e.Offset, e.Size, e.SHA256}
		} else {
			n.ModTime = b.epoch.Unix()
		}
		if err := a.tree.Add(n); err != nil {
			return "", err
		}
	}
	return "", nil
}

// pythonModules returns the files of the tree that are Python modules, in order. Those
// that nobody imports are left out: documentation, and what has bytecode already.
func pythonModules(t *tree.Tree) []*tree.Node {
	var list []*tree.Node
	for n := range t.All() {
		if n.Type != tree.File || !strings.HasSuffix(n.Path, ".py") || strings.HasPrefix(n.Path, "usr/share/doc/") {
			continue
		}
		if !hasBytecode(t, n.Path) {
			list = append(list, n)
		}
	}
	return list
}

func hasBytecode(t *tree.Tree, module string) bool {
	stem := strings.TrimSuffix(path.Base(module), "py") + "cpython-"
	for _, name := range t.ReadDir(path.Join(path.Dir(module), "__pycache__")) {
		if strings.HasPrefix(name, stem) && strings.HasSuffix(name, ".pyc") {
			return true
		}
	}
	return false
}

func bytecodeKey(p specs.Platform, python *tree.Node, modules []*tree.Node) string {
	var key strings.Builder
	fmt.Fprintln(&key, bytecodeFormat, p, python.Path, python.SHA256)
	for _, n := range modules {
		fmt.Fprintf(&key, "%q %s %o %d:%d\n", n.Path, n.SHA256, n.Mode, n.UID, n.GID)
	}
	return key.String()
}

// compile runs the image's interpreter over its modules and takes what that writes.
func (b *build) compile(ctx context.Context, p specs.Platform, a *assembly, python *tree.Node, modules []*tree.Node, made *copied) error {
	space, err := b.space()
	if err != nil {
		return err
	}
	strata, err := b.strata(ctx, a)
	if err != nil {
		return err
	}
	var names strings.Builder
	for _, n := range modules {
		names.WriteString("/" + n.Path + "\x00")
	}
	ground, err := unpackImage(ctx, space, imageLayers(b.store, strata))
	if err != nil {
		return err
	}
	key := string(store.DigestOf([]byte(ground + bytecodeKey(p, python, modules))))
	defer space.Remove(context.WithoutCancel(ctx), key, ground)
	out := &stepOutput{tell: func(string) {}}
	res, err := space.Run(ctx, sandbox.Step{
		On: []string{ground}, Keep: key, Args: []string{"/" + python.Path, "-I", "-c", pythonProgram, fmt.Sprint(visibleProcessors)},
		Env: []string{"LANG=C.UTF-8", "PYTHONHASHSEED=0"}, Stdin: strings.NewReader(names.String()), Arch: p.DebianArch(), Clock: b.epoch,
		Stdout: out, Stderr: out, Limits: sandbox.Limits{Time: time.Hour},
	})
	out.flush()
	if err != nil {
		return err
	}
	if res.ExitCode != 0 || res.Exceeded != "" {
		return fmt.Errorf("/%s exited with %d %s: %s", python.Path, res.ExitCode, res.Exceeded, out.last())
	}
	return b.takeCompiled(ctx, space, []string{ground, key}, made)
}

// takeCompiled takes what the interpreter wrote into the store.
func (b *build) takeCompiled(ctx context.Context, space *sandbox.Space, on []string, made *copied) error {
	changes, err := space.Changes(ctx, on[1])
	if err != nil {
		return err
	}
	var paths []string
	for _, c := range changes {
		if strings.HasSuffix(c.Path, ".pyc") && c.Type == 0 && path.Base(path.Dir(c.Path)) == "__pycache__" {
			paths = append(paths, strings.TrimPrefix(c.Path, "/"))
		}
	}
	if len(paths) == 0 {
		return errors.New("the interpreter wrote nothing")
	}
	pack, err := b.store.Create()
	if err != nil {
		return err
	}
	defer pack.Close()
	*made = copied{}
	t := &taking{copied: made, pack: pack}
	err = space.Export(ctx, on, paths, func(h *tar.Header, content io.Reader) error {
		e := copiedEntry{entry: entry{
			Path: strings.Trim(h.Name, "/"), Mode: uint32(h.Mode) & 0o777, UID: uint32(h.Uid), GID: uint32(h.Gid), Time: b.epoch.Unix(),
		}}
		if err := t.file(&e, h, content); err != nil {
			return err
		}
		made.Entries = append(made.Entries, e)
		return nil
	})
	if err != nil {
		return err
	}
	made.Pack, err = pack.Commit("")
	return err
}
