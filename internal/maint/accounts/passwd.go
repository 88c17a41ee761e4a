package accounts

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

var (
	passwd = tool("a|all d|delete e|expire k|keep-tokens i|inactive= l|lock n|mindays= q|quiet S|status u|unlock w|warndays= x|maxdays= s|stdin"+rootOptions, badUsage, (*job).changePasswd)
	chage  = tool("d|lastday= E|expiredate= I|inactive= l|list m|mindays= M|maxdays= W|warndays= i|iso8601"+rootOptions, badUsage, (*job).chage)
	chsh   = tool("s|shell= R|root=", 1, (*job).chsh)
	chfn   = tool("f|full-name= r|room= w|work-phone= h|home-phone= o|other= R|root= u|extrausers", badUsage, (*job).chfn)

	chpasswd = tool("e|encrypted c|crypt-method= m|md5 s|sha-rounds="+rootOptions, 1, (*job).chpasswd)
	chgpass  = tool("e|encrypted c|crypt-method= m|md5 s|sha-rounds="+rootOptions, 1, (*job).chpasswd)
)

// shadowFields are the fields of shadow(5) that options set.
var shadowFields = map[string]int{"lastday": 2, "mindays": 3, "maxdays": 4, "warndays": 5, "inactive": 6, "expiredate": 7}

// changePasswd is passwd(1), without the question for a password.
func (j *job) changePasswd(context.Context) error {
	name := "root"
	if len(j.Operands) > 0 {
		name = j.Operands[0]
	}
	u, s := j.passwd.get(name), j.shadow.get(name)
	if u == nil {
		return j.refuse(1, "user '%s' does not exist", name)
	}
	if j.Has("status") {
		return j.showStatus(u, s)
	}
	if j.Last("delete", "expire", "lock", "unlock", "inactive", "mindays", "warndays", "maxdays") == "" {
		return shell.Unsupported("passwd: asking for a password")
	}
	if s == nil {
		return shell.Unsupported("passwd: an account without a line in /etc/shadow")
	}
	if j.Has("delete") {
		s[1] = ""
	}
	if j.Has("expire") {
		s[2] = "0"
	}
	if j.Has("lock") && !strings.HasPrefix(s[1], "!") {
		s[1] = "!" + s[1]
	}
	if j.Has("unlock") {
		rest, locked := strings.CutPrefix(s[1], "!")
		if locked && rest == "" {
			j.status = 3
			j.warn("passwd: unlocking the password would result in a passwordless account.\nYou should set a password with usermod -p to unlock the password of this account.")
			return nil
		}
		s[1] = rest
	}
	if ok, err := j.setAging(s); !ok || err != nil {
		return err
	}
	j.shadow.put(s)
	if err := lock(j.FS); err != nil || j.Has("quiet") {
		return err
	}
	return j.say("passwd: password changed.")
}

// showStatus is passwd -S.
func (j *job) showStatus(u, s []string) error {
	if s == nil {
		return j.say("%s %s", u[0], passwordState(u[1]))
	}
	for i := 3; i < 7; i++ {
		if s[i] == "" {
			s[i] = "-1"
		}
	}
	return j.say("%s %s %s %s %s %s %s", u[0], passwordState(s[1]), dateOf(s[2], "2006-01-02"), s[3], s[4], s[5], s[6])
}

func passwordState(hash string) string {
	switch {
	case hash == "":
		return "NP"
	case hash[0] == '!' || hash[0] == '*':
		return "L"
	}
	return "P"
}

func dateOf(days, layout string) string {
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil {
		return "never"
	}
	return time.Unix(n*86400, 0).UTC().Format(layout)
}

// setAging sets the fields that the options name.
func (j *job) setAging(s []string) (bool, error) {
	for _, o := range j.Options {
		field, ok := shadowFields[o.Name]
		if !ok {
			continue
		}
		v := o.Value
		if field == 2 || field == 7 {
			if v, ok = expiry(v); !ok {
				return false, j.refuse(badUsage, "invalid date '%s'", o.Value)
			}
		} else if n, err := strconv.Atoi(v); err != nil || n < -1 {
			return false, j.refuse(badUsage, "invalid numeric argument '%s'", v)
		}
		if v == "-1" {
			v = ""
		}
		s[field] = v
	}
	return true, nil
}

// chage is chage(1).
func (j *job) chage(context.Context) error {
	name, ok := j.one()
	if !ok {
		return nil
	}
	if j.passwd.get(name) == nil {
		return j.refuse(1, "user '%s' does not exist in /etc/passwd", name)
	}
	s := j.shadow.get(name)
	if s == nil {
		return shell.Unsupported("chage: an account without a line in /etc/shadow")
	}
	if j.Has("list") {
		return j.showAging(s)
	}
	if ok, err := j.setAging(s); !ok || err != nil {
		return err
	}
	j.shadow.put(s)
	return lock(j.FS)
}

// showAging is chage -l.
func (j *job) showAging(s []string) error {
	layout := "Jan 02, 2006"
	if j.Has("iso8601") {
		layout = "2006-01-02"
	}
	last, never := dateOf(s[2], layout), "never"
	if s[2] == "0" {
		last, never = "password must be changed", "password must be changed"
	}
	expires, inactive := never, never
	if day, err := strconv.Atoi(s[2]); err == nil && day > 0 {
		if days, err := strconv.Atoi(s[4]); err == nil && days < 10000 {
			expires = dateOf(strconv.Itoa(day+days), layout)
			if more, err := strconv.Atoi(s[6]); err == nil {
				inactive = dateOf(strconv.Itoa(day+days+more), layout)
			}
		}
	}
	for _, l := range []struct{ label, value string }{
		{"Last password change\t\t\t\t\t: ", last}, {"Password expires\t\t\t\t\t: ", expires}, {"Password inactive\t\t\t\t\t: ", inactive},
		{"Account expires\t\t\t\t\t\t: ", dateOf(s[7], layout)}, {"Minimum number of days between password change\t\t: ", orElse(s[3], "-1")},
		{"Maximum number of days between password change\t\t: ", orElse(s[4], "-1")}, {"Number of days of warning before password expires\t: ", orElse(s[5], "-1")},
	} {
		if err := j.say("%s%s", l.label, l.value); err != nil {
			return err
		}
	}
	return nil
}

// chsh is chsh(1).
func (j *job) chsh(context.Context) error {
	name := "root"
	if len(j.Operands) > 0 {
		name = j.Operands[0]
	}
	u := j.passwd.get(name)
	if u == nil {
		return j.refuse(1, "user '%s' does not exist", name)
	}
	if !j.Has("shell") {
		return shell.Unsupported("chsh: asking for a shell")
	}
	to := j.Value("shell")
	if strings.ContainsAny(to, ":,=\n") {
		return j.refuse(1, "Invalid entry: %s", to)
	}
	if b, err := j.FS.ReadFile("/etc/shells"); to != "" && (err != nil || !strings.Contains("\n"+string(b)+"\n", "\n"+to+"\n")) {
		j.warn("chsh: Warning: %s is an invalid shell", to)
	}
	if to != "" && !j.FS.Exists(to) {
		j.warn("chsh: Warning: %s does not exist", to)
	}
	u[6] = to
	j.passwd.put(u)
	return lock(j.FS)
}

// chfn is chfn(1), without questions.
func (j *job) chfn(context.Context) error {
	name := "root"
	if len(j.Operands) > 0 {
		name = j.Operands[0]
	}
	u := j.passwd.get(name)
	if u == nil {
		return j.refuse(1, "user '%s' does not exist", name)
	}
	if len(j.Options) == 0 {
		return shell.Unsupported("chfn: asking for the fields")
	}
	v := strings.SplitN(u[4], ",", 5)
	for len(v) < 5 {
		v = append(v, "")
	}
	for i, option := range []string{"full-name", "room", "work-phone", "home-phone", "other"} {
		if j.Has(option) {
			what := strings.ReplaceAll(strings.TrimPrefix(option, "full-"), "-", " ")
			if strings.ContainsAny(j.Value(option), ":=\n") || option != "other" && strings.Contains(j.Value(option), ",") {
				return j.refuse(1, "invalid %s: '%s'", what, j.Value(option))
			}
			v[i] = j.Value(option)
		}
	}
	u[4] = strings.TrimRight(strings.Join(v, ","), ",")
	if v[4] == "" {
		u[4] = strings.Join(v[:4], ",")
	}
	j.passwd.put(u)
	return lock(j.FS)
}

// chpasswd is chpasswd(8) and chgpasswd(8) for hashes; making one needs chance.
func (j *job) chpasswd(context.Context) error {
	table, shadow, what := j.passwd, j.shadow, "user"
	if j.Args[0] == "chgpasswd" {
		table, shadow, what = j.group, j.gshadow, "group"
	}
	if !j.Has("encrypted") {
		return shell.Unsupported("%s: hashing a password, for its salt is random,", j.Args[0])
	}
	lines := bufio.NewScanner(j.Stdin)
	for n := 1; lines.Scan(); n++ {
		name, hash, ok := strings.Cut(lines.Text(), ":")
		if !ok || strings.Contains(hash, ":") {
			j.status = 1
			j.warn("%s: line %d: missing new password", j.Args[0], n)
			continue
		}
		entry := table.get(name)
		if entry == nil {
			j.status = 1
			j.warn("%s: line %d: %s '%s' does not exist", j.Args[0], n, what, name)
			continue
		}
		if s := shadow.get(name); s != nil {
			s[1] = hash
			if what == "user" {
				s[2] = j.day()
			}
			shadow.put(s)
		} else {
			entry[1] = hash
			table.put(entry)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if j.status != 0 {
		j.warn("%s: error detected, changes ignored", j.Args[0])
	}
	return lock(j.FS)
}
