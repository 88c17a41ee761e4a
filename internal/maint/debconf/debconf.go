package debconf

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Package is what debconf needs of a package's control files.
type Package struct {
	Name      string
	Templates string // text of the templates file
	Config    string // text of the config script
	// Answers are the values of questions, by question: what has been preseeded.
	Answers map[string]string
}

// Debconf is the database of questions of one installation, and the frontend that
// never asks. It is not safe for use by several goroutines.
type Debconf struct {
	packages  map[string]*Package
	templates map[string]template
	questions map[string]*question

	owner   string // of the script that runs
	escape  bool   // whether that script speaks the escaped protocol
	pending []string
	stopped bool
}

type question struct {
	template string
	value    *string // nil: the template's default
	flags    map[string]string
	vars     map[string]string
	owners   []string
}

// New returns an empty database.
func New() *Debconf {
	return &Debconf{packages: map[string]*Package{}, templates: map[string]template{}, questions: map[string]*question{}}
}

// Add makes a package known. Its questions are loaded when one of its scripts asks
// for debconf, its answers at once. The error says what is wrong with the
// templates.
func (d *Debconf) Add(pkg Package) error {
	if _, _, err := parseTemplates(pkg.Templates); err != nil {
		return fmt.Errorf("templates of %s: %w", pkg.Name, err)
	}
	d.packages[pkg.Name] = &pkg
	for _, name := range slices.Sorted(maps.Keys(pkg.Answers)) {
		d.answer(pkg.Name, name, "string", pkg.Answers[name])
	}
	return nil
}

// answer sets the value of a question that may not be known yet
// (debconf-set-selections(1)).
func (d *Debconf) answer(owner, name, kind, value string) {
	q := d.questions[name]
	if q == nil {
		q = d.register(name, name, owner)
		if d.templates[name] == nil {
			d.templates[name] = template{"type": kind}
		}
	}
	if !slices.Contains(q.owners, owner) {
		q.owners = append(q.owners, owner)
	}
	q.value, q.flags["seen"] = &value, "true"
}

// Answered returns the value of a question and whether there is such a question.
func (d *Debconf) Answered(name string) (value string, ok bool) {
	q := d.questions[name]
	if q == nil {
		return "", false
	}
	return d.value(q), true
}

// load makes the questions of a templates file known.
func (d *Debconf) load(text, owner string) error {
	names, all, err := parseTemplates(text)
	if err != nil {
		return err
	}
	for _, name := range names {
		d.templates[name] = all[name]
		if q := d.questions[name]; q == nil {
			d.register(name, name, owner)
		} else if !slices.Contains(q.owners, owner) {
			q.owners = append(q.owners, owner)
		}
	}
	return nil
}

func (d *Debconf) register(name, template, owner string) *question {
	q := &question{template: template, flags: map[string]string{}, vars: map[string]string{}, owners: []string{owner}}
	d.questions[name] = q
	return q
}

func (d *Debconf) value(q *question) string {
	if q.value != nil {
		return *q.value
	}
	return d.templates[q.template].get("default")
}

// Commands returns the programs that scripts call, and the one that stands behind
// the functions of [Sourced].
func (d *Debconf) Commands() map[string]shell.Command {
	return map[string]shell.Command{
		frontend:                 d.frontend,
		"debconf-communicate":    d.communicate,
		"debconf-escape":         escape,
		"debconf-set-selections": d.setSelections,
		"debconf-show":           d.show,
		"debconf-loadtemplate":   d.loadTemplate,
	}
}

// frontend is the command behind the functions of confmodule. No program has such
// a name.
const frontend = "_debconf"

// shellCommands are the functions of confmodule.
var shellCommands = []string{
	"beginblock", "capb", "clear", "data", "endblock", "fget", "fset", "get", "go", "info", "input", "metaget", "progress", "purge",
	"register", "reset", "set", "settitle", "subst", "title", "unregister", "version", "x_loadtemplatefile", "exist", "visible",
}

// Sourced returns the texts of the shell libraries of debconf, by path.
func Sourced() map[string]string {
	var b strings.Builder
	b.WriteString(`#!/bin/sh
if [ -z "${DEBIAN_HAS_FRONTEND:-}" ]; then
	PERL_DL_NONLAZY=1 DEBIAN_HAS_FRONTEND=1
	export PERL_DL_NONLAZY DEBIAN_HAS_FRONTEND
	_debconf begin "$@" || exit $?
fi
if [ -z "${DEBCONF_REDIR:-}" ]; then
	exec 3>&1
	exec 1>&2
	DEBCONF_REDIR=1
	export DEBCONF_REDIR
fi
_db_cmd() { _debconf "$@"; }
db_text() { _debconf INPUT "$@"; }
db_stop() { _debconf STOP; }
`)
	for _, c := range shellCommands {
		fmt.Fprintf(&b, "db_%s() { _debconf %s \"$@\"; }\n", c, strings.ToUpper(c))
	}
	return map[string]string{
		"/usr/share/debconf/confmodule":    b.String(),
		"/usr/share/debconf/confmodule.sh": b.String(),
	}
}

// frontend is one call of a function of confmodule: a line of the protocol, whose
// answer becomes the variable RET.
func (d *Debconf) frontend(ctx context.Context, p *shell.Proc) (int, error) {
	args := p.Args[1:]
	if len(args) == 0 {
		return 20, nil
	}
	if args[0] == "begin" {
		return d.begin(ctx, p, args[1:])
	}
	if d.stopped {
		return 0, shell.Unsupported("a command of debconf after db_stop")
	}
	line, _, _ := strings.Cut(strings.Join(args, " "), "\n")
	answer := string(d.process(p, line))
	if args[0] == "STOP" {
		return 0, nil
	}
	if p.Getenv("IFS") == "" { // the library puts back what it saved, and where none was set that is the empty one
		if err := p.Setvar("IFS", ""); err != nil {
			return 0, err
		}
	}
	word, _, _ := strings.Cut(answer, " ")
	code, err := strconv.Atoi(word)
	if err != nil {
		return 0, fmt.Errorf("debconf: reply %q without a code", answer)
	}
	ret := answer // as the library cuts it, which takes codes of one digit off
	if len(answer) > 1 && answer[1] == ' ' {
		ret = answer[2:]
	}
	if code == escapedData {
		ret, code = strings.TrimRight(unescape(ret), "\n"), success
	}
	return code, p.Setvar("RET", ret)
}

// begin is what debconf's frontend does before it runs a script: it loads the
// templates of the package and, for preinst and postinst, runs the config script.
// args are the arguments of the script.
func (d *Debconf) begin(ctx context.Context, p *shell.Proc, args []string) (int, error) {
	name := p.Getenv("DPKG_MAINTSCRIPT_PACKAGE")
	d.owner, d.escape, d.pending, d.stopped = name, false, nil, false
	pkg := d.packages[name]
	if pkg == nil {
		return 0, nil
	}
	if err := d.load(pkg.Templates, name); err != nil {
		return 0, err
	}
	script := p.Getenv("DPKG_MAINTSCRIPT_NAME")
	if pkg.Config == "" || script != "preinst" && script != "postinst" {
		return 0, nil
	}
	version := ""
	if len(args) > 1 {
		version = args[1]
	}
	status, err := 0, error(nil)
	if !d.noDictionaries(pkg) {
		status, err = runConfig(ctx, p, pkg, version)
	}
	d.escape, d.pending, d.stopped = false, nil, false
	return status, err
}

// wordlistQuestion reports whether a config script is that of a word list, which asks
// through dictionaries-common, and whether the image has no such package: then the
// script does nothing.
func wordlistQuestion(p *shell.Proc, config string) bool {
	const by = "/usr/share/dictionaries-common/elanguages"
	return strings.Contains(config, `"`+by+`"`) && strings.Contains(config, "if ( -e $script && -e $has_elanguages ){") && !p.FS.Exists(by)
}

// noDictionaries reports whether a package is dictionaries-common, whose config script
// asks which dictionary of ispell and which word list is to be the default, and
// whether there are none.
func (d *Debconf) noDictionaries(pkg *Package) bool {
	if pkg.Name != "dictionaries-common" || !strings.Contains(pkg.Config, "dictionaries-common.config-header") {
		return false
	}
	for _, other := range d.packages {
		if strings.Contains(other.Templates, "Template: shared/packages-ispell") || strings.Contains(other.Templates, "Template: shared/packages-wordlist") {
			return false
		}
	}
	return true
}

// runConfig runs a config script with the environment of the script that needs
// its answers.
func runConfig(ctx context.Context, p *shell.Proc, pkg *Package, version string) (int, error) {
	line, _, _ := strings.Cut(pkg.Config, "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 {
		words = []string{"/bin/sh"}
	}
	program := path.Base(words[0])
	if program == "env" && len(words) > 1 {
		program = words[1]
	}
	if program == "perl" && wordlistQuestion(p, pkg.Config) {
		return 0, nil
	}
	if program != "sh" && program != "dash" && program != "bash" {
		return 0, shell.Unsupported("a config script of debconf in %s", program)
	}
	option := "-c"
	if len(words) > 1 && strings.HasPrefix(words[len(words)-1], "-") && strings.Contains(words[len(words)-1], "e") {
		option = "-ec"
	}
	return p.Run(ctx, program, option, pkg.Config, "/var/lib/dpkg/info/"+pkg.Name+".config", "configure", version)
}

// communicate is debconf-communicate(1).
func (d *Debconf) communicate(_ context.Context, p *shell.Proc) (int, error) {
	owner := "unknown"
	for _, a := range p.Args[1:] {
		if !strings.HasPrefix(a, "-") {
			owner = a
		}
	}
	defer func(owner string, escape, stopped bool, pending []string) {
		d.owner, d.escape, d.stopped, d.pending = owner, escape, stopped, pending
	}(d.owner, d.escape, d.stopped, d.pending)
	d.owner, d.escape, d.pending = owner, false, nil
	text, err := io.ReadAll(p.Stdin)
	if err != nil {
		return 1, err
	}
	code := 127
	for line := range strings.Lines(string(text)) {
		answer := string(d.process(p, strings.TrimSuffix(line, "\n")))
		if _, err := io.WriteString(p.Stdout, answer+"\n"); err != nil {
			return 1, err
		}
		word, _, _ := strings.Cut(answer, " ")
		if code, err = strconv.Atoi(word); err != nil {
			return 0, fmt.Errorf("debconf: reply %q without a code", answer)
		}
	}
	return code, nil
}
