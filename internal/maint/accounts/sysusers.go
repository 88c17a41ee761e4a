package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// sysusersCommand is systemd-sysusers(8).
var sysusersCommand = getopt.Command("root= image= image-policy= replace= dry-run inline cat-config tldr no-pager", 1,
	func(_ context.Context, c *getopt.Call) (int, error) {
		s := &sysusersRun{job: &job{Call: c}}
		var err error
		if s.records, err = load(c.FS); err != nil {
			return c.Fail(err)
		}
		s.defs = readDefs(c.FS)
		err = s.main()
		return s.status, err
	})

// sysusersDirs are where the files are, those of the administrator first.
var sysusersDirs = []string{"/etc/sysusers.d", "/run/sysusers.d", "/usr/local/lib/sysusers.d", "/usr/lib/sysusers.d"}

// sysusersRun is one call.
type sysusersRun struct {
	*job
	conf      sysusers
	inputs    []string          // the files that were read
	userIDs   map[uint32]string // by id, of users that are there or to be made
	groupIDs  map[uint32]string
	at        int    // the range of ids that is given out now
	down      uint32 // how far from its end
	newUsers  []*sysuser
	newGroups []*sysuser
}

func (s *sysusersRun) main() error {
	if r := s.Value("root"); s.Has("image") || s.Has("root") && r != "/" && r != "" {
		return shell.Unsupported("systemd-sysusers: options --root and --image")
	}
	if s.Has("cat-config") || s.Has("tldr") {
		return s.showConfig()
	}
	if s.Has("replace") && len(s.Operands) == 0 {
		return s.refuse(1, "When --replace= is given, some configuration items must be specified")
	}
	ok, err := s.readAll()
	if err != nil {
		return err
	}
	if !ok {
		s.status = 1
		return nil
	}
	if !s.Has("dry-run") {
		if err := lock(s.FS); err != nil {
			return err
		}
	}
	s.allot()
	return s.store()
}

// readAll reads the files that the call means. ok is false where a file that was named
// is wrong; what is wrong in others is only said.
func (s *sysusersRun) readAll() (ok bool, err error) {
	if len(s.Operands) > 0 && !s.Has("replace") {
		return s.readNamed()
	}
	files := s.files()
	replaced := s.Value("replace")
	if replaced != "" {
		files = slices.DeleteFunc(files, func(f string) bool { return path.Base(f) == path.Base(replaced) })
		i, _ := slices.BinarySearchFunc(files, path.Base(replaced), func(f, name string) int { return strings.Compare(path.Base(f), name) })
		files = slices.Insert(files, i, "")
	}
	for _, f := range files {
		if f == "" {
			if ok, err := s.readNamed(); !ok || err != nil {
				return ok, err
			}
			continue
		}
		if _, err := s.readFile(f); err != nil {
			return false, err
		}
	}
	return true, nil
}

// files returns the files of all directories by name; one of a directory that comes
// first hides those of its name in others.
func (s *sysusersRun) files() []string {
	var files []string
	for _, dir := range sysusersDirs {
		names, err := s.FS.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".conf") && !slices.ContainsFunc(files, func(f string) bool { return path.Base(f) == name }) {
				files = append(files, dir+"/"+name)
			}
		}
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return slices.DeleteFunc(files, func(f string) bool {
		to, err := s.FS.Readlink(f)
		return err == nil && to == "/dev/null" // masked
	})
}

// readNamed reads the operands: files, or with --inline lines.
func (s *sysusersRun) readNamed() (bool, error) {
	for i, name := range s.Operands {
		ok := true
		var err error
		if s.Has("inline") {
			ok, err = s.readLine("(argv)", i+1, name)
		} else {
			ok, err = s.readFile(name)
		}
		if !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}

// readFile reads one file; a name without a directory is looked for in all.
func (s *sysusersRun) readFile(name string) (bool, error) {
	at := name
	var b []byte
	var err error
	switch {
	case name == "-":
		at = "<stdin>"
		b, err = io.ReadAll(s.Stdin)
	case strings.Contains(name, "/"):
		at = s.Path(name)
		b, err = s.FS.ReadFile(at)
	default:
		err = fs.ErrNotExist
		for _, dir := range sysusersDirs {
			if at = dir + "/" + name; s.FS.Exists(at) {
				b, err = s.FS.ReadFile(at)
				break
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		s.warn("Failed to read '%s': No such file or directory", name)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.inputs = append(s.inputs, at)
	all, n := true, 0
	for line := range strings.Lines(string(b)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.IndexByte("#;", line[0]) >= 0 {
			continue
		}
		ok, err := s.readLine(at, n, line)
		if err != nil {
			return false, err
		}
		all = all && ok
	}
	return all, nil
}

func (s *sysusersRun) readLine(file string, n int, line string) (bool, error) {
	warning, err := s.conf.add(s.expand, file, n, line)
	if unsupported, ok := errors.AsType[*shell.UnsupportedError](err); ok {
		return false, unsupported
	}
	if err != nil {
		warning = err.Error()
	}
	if warning != "" {
		s.warn("%s:%d: %s", file, n, warning)
	}
	return err == nil, nil
}

// osRelease are the specifiers that /etc/os-release answers (systemd.unit(5)).
var osRelease = map[byte]string{'o': "ID", 'w': "VERSION_ID", 'W': "VARIANT_ID", 'B': "BUILD_ID", 'A': "IMAGE_VERSION", 'M': "IMAGE_ID"}

// expand replaces the specifiers of a field.
func (s *sysusersRun) expand(text string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		switch c := text[i]; {
		case c == '%':
			out.WriteByte('%')
		case c == 'T':
			out.WriteString("/tmp")
		case c == 'V':
			out.WriteString("/var/tmp")
		case osRelease[c] != "":
			out.WriteString(unquoted(readAssignments(s.FS, "/etc/os-release")[osRelease[c]]))
		case strings.IndexByte("abHlmqv", c) >= 0:
			return "", shell.Unsupported("systemd-sysusers: the specifier %%%c, which asks for the running machine,", c)
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return "", errors.New("Invalid slot")
		default:
			out.WriteString("%" + text[i:i+1])
		}
	}
	return out.String(), nil
}

// showConfig is --cat-config.
func (s *sysusersRun) showConfig() error {
	for i, f := range s.files() {
		b, err := s.FS.ReadFile(f)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(s.Stdout)
		}
		if _, err := fmt.Fprintf(s.Stdout, "# %s\n%s", f, b); err != nil {
			return err
		}
	}
	return nil
}
