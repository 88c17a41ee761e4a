package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// permissions judges the modes and owners of what the file makes.
func (j *judge) permissions() {
	for step, c := range j.run(true) {
		switch c.Name {
		case "chmod":
			j.chmod(step, c)
		case "setcap":
			if len(c.Args) > 1 && !slices.Contains(c.Texts(), "-r") {
				j.found("privilege-bits", step, c.Line, "a file gets capabilities", c.String())
			}
		case "chown":
			j.chown(step, c)
		}
	}
	final := j.file.Final()
	for _, n := range final.Tree.All() {
		j.directory(final, n)
	}
	for step := range j.steps(true) {
		if mode := chmodFlag(step); mode != "" && openForOthers(mode) {
			j.found("history-permissions", step, step.Line, "everybody may write what is copied", "--chmod="+mode)
		}
	}
	j.ownCode(final)
}

// chmod judges a mode as it is written; what directories end up with is judged apart.
func (j *judge) chmod(step *dockerfile.Step, c *dockerfile.Command) {
	for _, w := range c.Args {
		switch {
		case openForOthers(w.Text):
			j.found("history-permissions", step, c.Line, "everybody may write: chmod "+w.Text, c.String())
			return
		case setID.match(w.Text):
			j.found("privilege-bits", step, c.Line, "a file gets a set-id bit: chmod "+w.Text, c.String())
			return
		}
	}
}

var (
	openMode = compiled(`^0?[0-7]?[0-7][0-7][2367]$|^([ugoa,+=rwxXst-]*,)?[ugoa]*[oa][ugoa]*[+=][rwxXst]*w|^\+[rxX]*w`)
	setID    = compiled(`^0?[2467][0-7]{3}$|^[ugoa]*[ug][ugoa]*[+=][rwxX]*s|^\+[rwxX]*s`)
	sticky   = compiled(`^0?1[0-7]{3}$`)
)

// openForOthers reports whether a mode lets everybody write, without the sticky bit that
// /tmp has.
func openForOthers(mode string) bool { return openMode.match(mode) && !sticky.match(mode) }

func chmodFlag(step *dockerfile.Step) string {
	if m := chmodOption().FindStringSubmatch(step.Text); m != nil && (step.Name == "COPY" || step.Name == "ADD") {
		return m[1]
	}
	return ""
}

var chmodOption = compiled(`--chmod=(\S+)`)

// systemPaths are where only root has to write.
var systemPaths = []string{"/bin", "/boot", "/etc", "/lib", "/lib64", "/sbin", "/usr"}

func isSystemPath(p string) bool {
	return slices.ContainsFunc(systemPaths, func(s string) bool { return p == s || strings.HasPrefix(p, s+"/") })
}

func (j *judge) chown(step *dockerfile.Step, c *dockerfile.Command) {
	words := c.Operands("--from", "--reference")
	if len(words) < 2 {
		return
	}
	owner, _, _ := strings.Cut(words[0], ":")
	if uid, known := step.Stage.Accounts.UID(owner); known && uid == 0 || owner == "" {
		return
	}
	for _, p := range words[1:] {
		if at := absolute(c.Dir, p); isSystemPath(at) {
			j.found("system-writable", step, c.Line, at+" is given to "+owner, c.String())
		}
	}
}

var (
	logName    = compiled(`(?i)^(logs?|.*[_.-]logs?|logging)$`)
	secretName = compiled(`(?i)^(\.?secrets?|credentials?|private|keys|\.ssh|\.gnupg|tls-keys)$`)
)

// directory judges what the image's directories for logs and secrets end up with.
func (j *judge) directory(s *dockerfile.Stage, n *dockerfile.Node) {
	if !n.ModeKnown || n.Mode&0o007 == 0 && n.Mode&0o070 == 0 {
		return
	}
	base := n.Path[strings.LastIndex(n.Path, "/")+1:]
	isLog := logName.match(base) || strings.HasPrefix(n.Path, "/var/log/")
	step := j.stepAt(n.Changed)
	if step == nil {
		return
	}
	around := behind(s.Tree, n)
	switch {
	case secretName.match(base) && n.Mode&0o077 != 0 && (n.Dir || !n.Copied):
		j.found("secret-directory-open", step, n.Changed, fmt.Sprintf("%s has mode %04o, expected 0700%s", n.Path, n.Mode, around), step.Text)
	case isLog && n.Mode&0o007 != 0 && (n.Dir || !n.Copied):
		j.found("log-directory-open", step, n.Changed, fmt.Sprintf("%s has mode %04o, expected 0750%s", n.Path, n.Mode, around), step.Text)
	}
}

// behind says which directory above keeps others out, for a reader who wonders.
func behind(t *dockerfile.Tree, n *dockerfile.Node) string {
	for at := n.Path; strings.LastIndex(at, "/") > 0; {
		at = at[:strings.LastIndex(at, "/")]
		if above := t.Get(at); above != nil && above.ModeKnown && above.Mode&0o001 == 0 {
			return fmt.Sprintf("; today %s, %04o, keeps others out", at, above.Mode)
		}
	}
	return ""
}

// stepAt returns the image's step that a line belongs to.
func (j *judge) stepAt(line int) *dockerfile.Step {
	for step := range j.steps(true) {
		if line >= step.Line && line <= step.End && !step.OnBuild {
			return step
		}
	}
	return nil
}

// ownCode tells where the application's code belongs to the user that runs it.
func (j *judge) ownCode(final *dockerfile.Stage) {
	user, _, _ := strings.Cut(final.User, ":")
	if uid, known := final.Accounts.UID(user); user == "" || known && uid == 0 {
		return
	}
	told := map[int]bool{}
	for _, n := range final.Tree.All() {
		if !n.Copied || n.OwnerLine == 0 || told[n.OwnerLine] || !sameUser(final.Accounts, n.Owner, user) {
			continue
		}
		if n.ModeKnown && n.Mode&0o200 == 0 {
			continue
		}
		if step := j.stepAt(n.OwnerLine); step != nil {
			told[n.OwnerLine] = true
			j.found("code-writable", step, n.OwnerLine, fmt.Sprintf("%s is copied into the image and given to %s, who runs it", n.Path, user), step.Text)
		}
	}
}

func sameUser(a *dockerfile.Accounts, one, other string) bool {
	if one == other {
		return one != ""
	}
	x, known1 := a.UID(one)
	y, known2 := a.UID(other)
	return one != "" && known1 && known2 && x == y && x > 0
}

// accounts judges the users that the image gets.
func (j *judge) accounts() {
	for step, c := range j.run(true) {
		switch c.Name {
		case "useradd", "usermod", "adduser":
			j.userCommand(step, c)
		case "chpasswd":
			j.found("password-hash", step, c.Line, "a password is set", "chpasswd")
		case "passwd":
			if c.Has("-d", "--delete") {
				j.found("empty-password", step, c.Line, "an account loses its password and is open", c.String())
			} else if !c.Has("-l", "--lock", "-S", "-e") {
				j.found("password-hash", step, c.Line, "a password is set", "passwd")
			}
		}
	}
	for _, u := range j.file.Final().Accounts.Users {
		step := j.stepAt(u.Line)
		if step == nil {
			continue
		}
		if u.UID == 0 && u.Name != "root" {
			j.found("zero-id", step, u.Line, u.Name+" has the number 0 and is root", step.Text)
		}
		if u.Shell != "" && !strings.HasSuffix(u.Shell, "nologin") && !strings.HasSuffix(u.Shell, "/false") && !strings.HasSuffix(u.Shell, "/true") {
			j.found("login-shell", step, u.Line, u.Name+" has the login shell "+u.Shell, step.Text)
		}
	}
}

func (j *judge) userCommand(step *dockerfile.Step, c *dockerfile.Command) {
	password := c.Option("-p", "--password")
	switch {
	case c.Name == "adduser":
	case password == "" && (slices.Contains(c.Texts(), "-p") || slices.Contains(c.Texts(), "--password=")):
		j.found("empty-password", step, c.Line, "an account gets an empty password", c.Name+" -p")
	case password != "" && strings.Trim(password, "!*") != "":
		j.found("password-hash", step, c.Line, "an account gets a password", c.Name+" -p ...")
	}
	if c.Name == "useradd" && !c.Has("-l", "--no-log-init") {
		if uid, known := step.Stage.Accounts.UID(c.Option("-u", "--uid")); known && uid > 99999 {
			j.found("user-id-high", step, c.Line, fmt.Sprintf("useradd -u %d without -l", uid), c.String())
		}
	}
}

// user judges whom the image runs as.
func (j *judge) user() {
	s := j.file.Final()
	from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
	if s.UserLine == 0 {
		base := parseImage(s.Base().Image)
		if nonroot(base) {
			return
		}
		j.found("root-user", from, s.Line, "no USER is said, so that it is the base's: root, as far as is known", "FROM "+s.Image)
		return
	}
	step := j.stepAt(s.UserLine)
	if step == nil {
		step = from
	}
	user, group, hasGroup := strings.Cut(s.User, ":")
	uid, known := s.Accounts.UID(user)
	_, numeric := s.Accounts.UID(user)
	numeric = numeric && strings.Trim(user, "0123456789") == ""
	switch {
	case known && uid == 0:
		j.found("root-user", step, s.UserLine, "the image runs as root: USER "+s.User, step.Text)
		return
	case strings.Contains(user, "$"):
		j.foundAs(harden.Low, "root-user", step, s.UserLine, "who runs the image depends on a build argument without a value", step.Text)
	case !numeric:
		what := "USER " + s.User + " is a name, which Kubernetes cannot tell from root under runAsNonRoot"
		if s.Accounts.User(user) == nil {
			what += "; no step of the file adds that account"
		}
		j.found("user-by-name", step, s.UserLine, what, step.Text)
	}
	if hasGroup && (group == "0" || group == "root") {
		j.found("root-group", step, s.UserLine, "the image runs with the group root: USER "+s.User, step.Text)
	}
}

// nonroot reports whether an image is known to run without root by its name.
func nonroot(i image) bool {
	return strings.Contains(i.Tag, "nonroot") || strings.Contains(i.Name, "chainguard/") || strings.HasPrefix(i.Name, "dhi.io/") || strings.Contains(i.Name, "-unprivileged")
}
