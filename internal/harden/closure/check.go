package closure

import (
	"cmp"
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/ldso"
	"github.com/hardpan/hardpan/internal/tree"
)

// DefaultPath is the PATH of a container whose image sets none, as container
// runtimes have it.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Options says what the image runs.
type Options struct {
	Entrypoint []string          // of the image; empty if it is run with a command of the user's
	Env        map[string]string // PATH and LD_LIBRARY_PATH are used
	WorkDir    string            // relative paths start here; the root if empty

	// Provider returns the package that has a library or path, "" if none is
	// known, for hints. It may be nil.
	Provider func(name string) string

	// Recommends returns the names of the packages that a package of the image
	// recommends or suggests without a dependency on them. A plugin may lack a
	// library of one of these: the package says that it works without. It may be nil.
	Recommends func(pkg string) []string

	// LeftOut returns the package that hardening kept out of the image and that has
	// the interpreter of a script, "" if none is known. Scripts that lack another
	// interpreter are no problem, as images without a shell have many. It may be nil.
	LeftOut func(interpreter string) string
}

// Severity says how surely a problem breaks the image.
type Severity uint8

const (
	Error   Severity = iota // the program or library cannot be loaded
	Warning                 // a plugin may lack it: its program has loaded it already, or its package only recommends it, or it is data; or a script other than the entrypoint lacks it
)

func (s Severity) String() string { return [...]string{"error", "warning"}[s] }

// Problem is one thing that a program of the image needs and does not get. It
// is an error whose message has the chain that leads there.
type Problem struct {
	Severity Severity
	Chain    []string // the path of a program or library, what it needs, what that needs, ...
	Reason   string   // "which no path of the image has"
	Others   int      // how many more libraries lack the same; of a Warning

	Entrypoint bool // it is the image's own program that lacks it

	needs    string // what kind of thing is missing: "", "the interpreter ", ...
	absent   bool   // of a command: no path of the image is the program
	denied   bool   // it is there, but not for the user
	library  bool   // what is missing is a shared library that no path of the image has
	outside  string // directory of the image that has the library, where the dynamic linker does not look
	holder   string // package of the file that lacks it, "" if none shipped it
	provider string // package that has what is missing, "" if none is known
}

// Path returns the path of the program or library that the problem begins with.
func (p *Problem) Path() string { return p.Chain[0] }

// Missing returns the name of what is missing: a soname or a path.
func (p *Problem) Missing() string { return p.Chain[len(p.Chain)-1] }

// Absent reports whether the problem is that the image has no program of a command,
// by path or by PATH.
func (p *Problem) Absent() bool { return p.absent }

func (p *Problem) Error() string {
	if len(p.Chain) == 1 {
		return fmt.Sprintf("%s %s", p.Path(), p.Reason)
	}
	more := ""
	if p.Others > 0 {
		more = fmt.Sprintf(", and %d more", p.Others)
	}
	return fmt.Sprintf("%s needs %s%s, %s: %s%s", p.Path(), p.needs, p.Missing(), p.Reason, strings.Join(p.Chain, " -> "), more)
}

// Hint returns the package to add, or how to find the one that has a library; ""
// if there is nothing to say.
func (p *Problem) Hint() string {
	if p.provider != "" {
		return "add " + p.provider
	}
	if p.outside != "" {
		return "set LD_LIBRARY_PATH to " + p.outside + " in the environment, or leave out what needs it"
	}
	if p.denied {
		return "change its mode or owner by an entry of paths of type permissions"
	}
	if !p.library {
		return ""
	}
	hint := "add the package that has " + p.Missing()
	if name := packageName(p.Missing()); name != "" {
		hint += ", whose name may begin with " + name
	}
	if p.holder != "" {
		hint += ", or leave out " + p.holder
	}
	return hint
}

// dataDir holds what is the same on every architecture (FHS 3.0, section 4.11): a
// program in there that is not the entrypoint's is data, such as the samples that
// the tests of Go's debug/elf read.
const dataDir = "usr/share/"

const nowhere = "which no path of the image has"

// Check returns what the programs of the image t lack, those of the entrypoint first,
// then those of other executables, then those of libraries, each by path. An
// architecture (Debian's name) that [ldso.ABIOf] does not know is an error, and so is an
// /etc/ld.so.conf that cannot be read.
func Check(t *tree.Tree, arch string, o Options) ([]*Problem, error) {
	c, err := newChecker(t, arch, o)
	if err != nil {
		return nil, err
	}
	c.entrypoint, c.role = true, "the entrypoint"
	c.checkCommand(o.Entrypoint)
	c.entrypoint = false
	executables, libraries := c.elfFiles()
	for _, n := range append(executables, libraries...) {
		if !c.reached[n.Path] {
			c.checkELF(n, []string{"/" + n.Path}, strings.HasPrefix(n.Path, dataDir))
		}
	}
	if o.LeftOut != nil {
		c.checkScripts()
	}
	return c.problems, nil
}

// newChecker returns a checker of the image, which has looked at nothing yet.
func newChecker(t *tree.Tree, arch string, o Options) (*checker, error) {
	abi, err := ldso.ABIOf(arch)
	if err != nil {
		return nil, err
	}
	dirs, err := ldso.Dirs(t)
	if err != nil {
		return nil, fmt.Errorf("find the directories of shared libraries: %w", err)
	}
	return &checker{
		Options: o, t: t, abi: abi,
		standard: newSearch(t, append(dirs, abi.SystemDirs()...)),
		library:  splitLibraryPath(o.Env["LD_LIBRARY_PATH"]),
		reached:  map[string]bool{}, reported: map[string]bool{}, warnings: map[string]*Problem{},
	}, nil
}

type checker struct {
	Options
	t   *tree.Tree
	abi ldso.ABI

	role string // what the command is for that is looked at, for messages
	user *User  // who runs it; nil is anybody

	standard search   // the directories of ld.so.conf and of the system
	library  []string // LD_LIBRARY_PATH

	entrypoint bool // what is looked at is the image's own program

	bySoname map[string]string   // where libraries of the image are; see elsewhere
	reached  map[string]bool     // ELF files that some program was seen to load
	reported map[string]bool     // a holder and what it lacks
	warnings map[string]*Problem // by what is missing
	problems []*Problem
}

// elfFiles returns the programs and the libraries of the image's architecture,
// each by path. What is for another machine is somebody's data.
func (c *checker) elfFiles() (executables, libraries []*tree.Node) {
	for n := range c.t.All() {
		if n.Type != tree.File || n.ELF == nil || !c.abi.Fits(n.ELF) {
			continue
		}
		switch {
		case n.ELF.Interp != "":
			executables = append(executables, n)
		case n.ELF.Dynamic && n.ELF.Type == uint16(elf.ET_DYN):
			libraries = append(libraries, n)
		}
	}
	// Libraries are looked at after those that load them, as far as that can be
	// known: one that another library of the image needs comes later.
	needed := map[string]bool{}
	for _, n := range slices.Concat(executables, libraries) {
		for _, name := range n.ELF.Needed {
			needed[path.Base(name)] = true
		}
	}
	slices.SortStableFunc(libraries, func(a, b *tree.Node) int {
		return cmp.Compare(rank(needed, a), rank(needed, b))
	})
	return executables, libraries
}

func rank(needed map[string]bool, n *tree.Node) int {
	if needed[n.ELF.Soname] || needed[path.Base(n.Path)] {
		return 1
	}
	return 0
}

// report adds a problem unless the same holder lacked the same already.
func (c *checker) report(p Problem) {
	holder := ""
	if len(p.Chain) > 1 {
		holder = p.Chain[len(p.Chain)-2]
	}
	key := holder + "\x00" + p.Missing()
	if c.reported[key] {
		return
	}
	c.reported[key] = true
	p.Entrypoint = c.entrypoint
	if p.Severity == Warning {
		// One host loads all the plugins that lack the same.
		if w := c.warnings[p.Missing()]; w != nil {
			w.Others++
			return
		}
		c.warnings[p.Missing()] = &p
	}
	if c.Provider != nil && p.Reason == nowhere {
		p.provider = c.Provider(p.Missing())
	}
	c.problems = append(c.problems, &p)
}

// file follows hard links to the node that has the content; nil for a directory
// or a link to nowhere.
func (c *checker) file(n *tree.Node) *tree.Node {
	if n != nil && n.Type == tree.Hardlink {
		n = c.t.Lookup(n.Link)
	}
	if n == nil || n.Type != tree.File {
		return nil
	}
	return n
}
