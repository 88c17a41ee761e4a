package ucf

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// Commands returns ucf(1), ucfr(1) and ucfq(1).
func Commands() map[string]shell.Command {
	return map[string]shell.Command{"ucf": ucf, "ucfr": ucfr, "ucfq": ucfq}
}

// call is one call of ucf.
type call struct {
	*shell.Proc
	conf     map[string]string
	stateDir string
	source   string // --src-dir
	sums     string // --sum-file
	pkg      string // --package
	purge    bool
	threeWay bool
	act      bool
	force    string // "old", "new", "ask" or "" for the default
	missing  bool   // whether a file that was removed comes back

	file, dest  string // the new file, and where it is to go
	last        string // MD5 of the version seen before, "" for none
	replaceLast bool   // whether the record is to be renewed even where nothing changes
}

// exit ends a call with a status other than 0.
type exit struct {
	status int
	text   string
}

func (e exit) Error() string { return e.text }

// finish turns the end of a call into what a command returns.
func finish(p *shell.Proc, err error) (int, error) {
	if e, ok := errors.AsType[exit](err); ok {
		if e.text != "" {
			fmt.Fprintln(p.Stderr, e.text)
		}
		return e.status, nil
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Fail(err)
	}
	return 0, err
}

func ucf(ctx context.Context, p *shell.Proc) (int, error) {
	c := &call{Proc: p, act: true}
	return finish(p, c.run(ctx))
}

func (c *call) run(ctx context.Context) error {
	files, err := c.parse()
	if err != nil {
		return err
	}
	if err := c.operands(ctx, files); err != nil {
		return err
	}
	if err := c.settings(); err != nil {
		return err
	}
	if !c.act {
		return shell.Unsupported("ucf --no-action")
	}
	if err := c.FS.MkdirAll(path.Join(c.stateDir, "cache"), 0o755&^c.Umask); err != nil {
		return err
	}
	c.last = c.recorded()
	if c.purge {
		return c.forget()
	}
	return c.decide()
}

// parse reads the options and returns the operands.
func (c *call) parse() ([]string, error) {
	opts, operands, err := getopt(c.Args[1:], "hs:d::D::npP:Zv",
		"help", "src-dir:", "sum-file:", "dest-dir:", "debug::", "DEBUG::", "no-action", "package:", "purge", "verbose", "three-way", "debconf-ok", "debconf-template:", "state-dir:")
	if err != nil {
		return nil, exit{1, "ucf: " + err.Error()}
	}
	for _, o := range opts {
		switch o.name {
		case "h", "help":
			return nil, shell.Unsupported("ucf --help")
		case "n", "no-action":
			c.act = false
		case "s", "src-dir":
			c.source = o.value
		case "sum-file":
			c.sums = o.value
		case "P", "package":
			c.pkg = o.value
		case "p", "purge":
			c.purge = true
		case "three-way":
			c.threeWay = true
		case "state-dir":
			c.stateDir = o.value
		}
	}
	return operands, nil
}

// canonical returns a path without links, as "readlink -m" does.
func (c *call) canonical(name string) string {
	name = path.Clean(c.Path(name))
	if real, err := c.FS.RealPath(name); err == nil {
		return real
	}
	return name
}

func (c *call) operands(ctx context.Context, files []string) error {
	want := 2
	if c.purge {
		want = 1
	}
	if len(files) != want {
		return exit{2, fmt.Sprintf("*** ERROR: Need exactly %d file arguments, got %d", want, len(files))}
	}
	c.dest = files[len(files)-1]
	if c.dest == "" {
		return exit{1, "ucf: Unable to determine The Destination file"}
	}
	if c.FS.Exists(c.Path(c.dest)) {
		c.dest = c.canonical(c.dest)
	}
	if !c.purge {
		if !c.FS.Exists(c.Path(files[0])) {
			return exit{1, "Error: The new file " + files[0] + " does not exist!"}
		}
		c.file = c.canonical(files[0])
	}
	by, err := c.output(ctx, "dpkg-divert", "--listpackage", c.dest)
	if err != nil {
		return err
	}
	if by != "" && by != c.pkg {
		if c.dest, err = c.output(ctx, "dpkg-divert", "--truename", c.dest); err != nil {
			return err
		}
	}
	return nil
}

// output returns what another command prints, without the line's end.
func (c *call) output(ctx context.Context, args ...string) (string, error) {
	var b strings.Builder
	q := *c.Proc
	q.Stdout = &b
	_, err := q.Run(ctx, args...)
	return strings.TrimRight(b.String(), "\n"), err
}

// settings reads /etc/ucf.conf, which assigns constants, and the environment.
func (c *call) settings() error {
	c.conf = map[string]string{}
	if b, err := c.FS.ReadFile("/etc/ucf.conf"); err == nil {
		for line := range strings.Lines(string(b)) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && !strings.HasPrefix(name, "#") {
				c.conf[strings.TrimPrefix(name, "export ")] = strings.Trim(value, `'"`)
			}
		}
	}
	pick := func(values ...string) string {
		i := slices.IndexFunc(values, func(v string) bool { return v != "" })
		if i < 0 {
			return ""
		}
		return values[i]
	}
	c.stateDir = pick(c.stateDir, c.Getenv("UCF_STATE_DIR"), c.conf["conf_state_dir"], "/var/lib/ucf")
	dir := "/tmp"
	if c.file != "" {
		dir = path.Dir(c.file)
	}
	c.source = pick(c.source, c.Getenv("UCF_SOURCE_DIR"), c.conf["conf_source_dir"], dir)
	c.sums = pick(c.sums, c.Getenv("UCF_OLD_MDSUM_FILE"), c.conf["conf_old_mdsum_file"], c.source+"/"+path.Base(c.file)+".md5sum")
	for _, name := range []string{"conf_force_conff", "UCF_FORCE_CONFF"} {
		old, latest := pick(c.conf[name+"old"], c.Getenv(name+"OLD")), pick(c.conf[name+"new"], c.Getenv(name+"NEW"))
		switch {
		case old != "" && latest != "":
			return exit{1, "Error: Only one of " + name + "old and " + name + "new should be set"}
		case old != "":
			c.force = "old"
		case latest != "":
			c.force = "new"
		}
	}
	c.missing = pick(c.Getenv("UCF_FORCE_CONFFMISS"), c.conf["conf_force_conffmiss"]) != ""
	for _, f := range strings.Split(c.Getenv("DPKG_FORCE"), ",") {
		switch f {
		case "confmiss":
			c.missing = true
		case "confold", "confnew":
			c.force = strings.TrimPrefix(f, "conf")
		case "confdef":
			c.force = ""
			return nil
		case "confask":
			c.force = "ask"
			return nil
		}
	}
	return nil
}

func sum(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

func (c *call) sum(name string) (string, error) {
	b, err := c.FS.ReadFile(name)
	return sum(b), err
}

func (c *call) say(format string, args ...any) { fmt.Fprintf(c.Stderr, format+"\n", args...) }

// unknown is no file's MD5.
const unknown = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// decide does what is to be done with the new file. The steps and their order are
// those of ucf.
func (c *call) decide() error {
	newSum, err := c.sum(c.file)
	if err != nil {
		return err
	}
	destSum := unknown
	if c.FS.Exists(c.dest) {
		if destSum, err = c.sum(c.dest); err != nil {
			return err
		}
		if c.last == "" {
			if done, err := c.history(destSum); done || err != nil {
				return err
			}
		}
	} else {
		switch {
		case c.last == "":
			c.say("Creating config file %s with new version", c.dest)
			return c.replaceFile(false)
		case c.missing:
			c.say("Recreating deleted config file %s with new version, as asked", c.dest)
			return c.replaceFile(false)
		case c.last == newSum:
			c.say("Not replacing deleted config file %s", c.dest)
			destSum = "" // as ucf leaves it
		case c.force == "old":
			return nil
		}
	}
	if c.last == newSum && c.force != "ask" {
		if c.replaceLast {
			return c.record()
		}
		return nil
	}
	if c.last == newSum {
		destSum = unknown
	}
	switch {
	case destSum == c.last && c.force != "old", destSum != c.last && c.force == "new":
		c.say("Replacing config file %s with new version", c.dest)
		return c.replaceFile(false)
	case destSum != c.last && c.force != "old" && newSum == destSum:
		return c.record()
	}
	return c.keep() // as is asked for, or the answer to the question that nobody sees
}

// keep leaves the file in place and puts the new one beside it.
func (c *call) keep() error {
	if err := c.record(); err != nil {
		return err
	}
	return copyFile(c.Proc, c.file, c.dest+".ucf-dist", true)
}

// history compares a file that ucf does not know with the sums of earlier
// versions. done says that the call is at its end.
func (c *call) history(destSum string) (done bool, err error) {
	bingo := func() (bool, error) {
		if c.force == "old" {
			return true, c.keep()
		}
		return true, c.replaceFile(false)
	}
	byDefault := ""
	dir := c.source + "/" + path.Base(c.file) + ".md5sum.d"
	if names, err := c.FS.ReadDir(dir); err == nil {
		for _, name := range names {
			b, err := c.FS.ReadFile(dir + "/" + name)
			if err != nil {
				continue
			}
			first := firstWords(string(b))
			if first == destSum {
				return bingo()
			}
			if name == "default" {
				byDefault = first
			}
		}
	} else if n, err := c.FS.Stat(c.sums); err == nil && n.Type == tree.File {
		b, err := c.FS.ReadFile(c.sums)
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, destSum) {
				return bingo()
			}
			if rest, ok := strings.CutSuffix(line, "default"); ok && rest != strings.TrimRight(rest, " \t") {
				byDefault = strings.Fields(line)[0]
			}
		}
	}
	if c.last = byDefault; c.last != "" {
		c.replaceLast = true
	} else {
		c.last = unknown
	}
	return false, nil
}

// firstWords is "awk '{print $1}'".
func firstWords(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		word := ""
		if f := strings.Fields(line); len(f) > 0 {
			word = f[0]
		}
		words = append(words, word)
	}
	return strings.Join(words, "\n")
}

// replaceFile puts the new file in place. One that is there keeps its mode and
// owner.
func (c *call) replaceFile(backup bool) error {
	to := c.dest
	if _, err := c.FS.Readlink(to); err == nil {
		if real, err := c.FS.RealPath(to); err == nil {
			to = real
		}
	}
	exists := c.FS.Exists(to)
	if exists && backup {
		if err := copyFile(c.Proc, to, to+".ucf-old", true); err != nil {
			return err
		}
	}
	if err := copyFile(c.Proc, c.file, to, !exists); err != nil {
		return err
	}
	return c.record()
}
