package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/check/secrets"
	"github.com/hardpan/hardpan/internal/harden"
)

// openSecrets are those that no package shipped for everybody to see.
func (q *question) openSecrets() []facts.Secret {
	return slices.DeleteFunc(slices.Clone(q.Secrets), func(s facts.Secret) bool { return q.Shipped(s.File) || published(s.Path) })
}

// published reports whether a file is what an archive of packages says of them to
// everybody: it has digests, and words such as key beside them.
func published(name string) bool {
	return slices.ContainsFunc([]string{"var/lib/apt/lists/", "var/lib/dpkg/status", "var/lib/dpkg/available", "var/lib/dpkg/info/", "lib/apk/db/", "usr/lib/apk/db/"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// gravity is that of what a rule found: the one for anything that is called a key is
// wrong more often than those that know the form of a token, and so is one that takes any
// digest for a token.
func gravity(s secrets.Finding) harden.Severity {
	rule := s.Rule
	if rule == "sourcegraph-access-token" && !strings.HasPrefix(s.Shown, "sgp_") {
		return harden.Medium
	}
	if strings.HasPrefix(rule, "generic-") || rule == "hashicorp-tf-password" || strings.HasSuffix(rule, "-store") || rule == "keepass-database" {
		return harden.Medium
	}
	return harden.High
}

func secretInFile(q *question) string {
	for _, s := range q.openSecrets() {
		message := s.Rule + ": " + s.About
		if s.Member != "" {
			message = "in " + s.Member + " within it, " + message
		}
		if !s.Visible {
			message = "in a file that a later layer hides, " + message
		}
		f := at(s.File, message, s.Shown)
		f.Line = s.Line
		q.foundAs(gravity(s.Finding), f)
	}
	return applies
}

// secretNames are base names of files made to hold secrets, and how bad that is: keys
// and stores of credentials are there for one end, the others may hold anything.
var secretNames = func() map[string]harden.Severity {
	names := map[string]harden.Severity{}
	for severity, list := range map[harden.Severity]string{
		harden.Medium: `id_rsa id_dsa id_ecdsa id_ed25519 id_ecdsa_sk id_ed25519_sk id_xmss identity.pem .netrc _netrc .pgpass .my.cnf .mylogin.cnf .git-credentials .dockercfg .pypirc .htpasswd .s3cfg .vault-token
			.boto credentials.json credential.json credentials credential password.txt passwords.txt credentials.xml secret_token.rb master.key hudson.util.Secret secring.gpg wallet.dat
			accessTokens.json service-account.json serviceaccount.json client_secret.json terraform.tfstate terraform.tfvars .env .env.local .env.production .env.prod .remote-sync.json .esmtprc
			krb5.keytab .htdigest logins.json signons.sqlite key3.db key4.db dump.sql`,
		harden.Info: `carrierwave.rb omniauth.rb settings.py database.yml secrets.yml secrets.yaml secrets.json .npmrc .env.example .env.sample`,
	} {
		for name := range strings.FieldsSeq(list) {
			names[name] = severity
		}
	}
	return names
}()

// secretSuffixes are the ends of names of key stores and the like.
var secretSuffixes = map[string]harden.Severity{
	".secret": harden.Medium, ".ovpn": harden.Medium, ".private_key": harden.Medium, ".jks": harden.Medium, ".p12": harden.Medium, ".pfx": harden.Medium, ".keystore": harden.Medium, ".kdbx": harden.Medium, ".kdb": harden.Medium,
	".keytab": harden.Medium, ".psafe3": harden.Medium, ".agilekeychain": harden.Medium, ".keychain": harden.Medium, ".ppk": harden.Medium, ".bek": harden.Medium, ".fve": harden.Medium, ".tfstate": harden.Medium,
	".cscfg": harden.Info, ".rdp": harden.Info, ".mdf": harden.Info, ".sdf": harden.Info, ".tpm": harden.Info, ".pcap": harden.Info, ".gnucache": harden.Info, ".gnucash": harden.Info, ".pkcs12": harden.Medium,
}

// secretPlaces are whole paths, by their ends.
var secretPlaces = compiled(`(^|/)(\.docker/config\.json|\.aws/credentials|\.kube/config|\.azure/(accessTokens|azureProfile)\.json|\.config/gcloud/(credentials\.db|application_default_credentials\.json|access_tokens\.db)|\.gnupg/.*\.(gpg|key|kbx)|\.ssh/(authorized_keys|identity)|\.config/gh/hosts\.yml|\.terraform\.d/credentials\.tfrc\.json|\.m2/settings-security\.xml|\.cargo/credentials(\.toml)?|\.gem/credentials|\.composer/auth\.json)$|^etc/ssh/ssh_host_[a-z0-9]+_key$|^(var/)?run/secrets/|^etc/krb5\.keytab$|^etc/ssl/private/.*\.(key|pem)$`)

// secretFileOf says how bad a file is by its name, and whether it is of the kind.
func secretFileOf(name string) (harden.Severity, bool) {
	if name == "" {
		return 0, false
	}
	// Most paths are none of these places, which costs less to see than to match.
	hidden := name[0] == '.' || strings.Contains(name, "/.")
	if (hidden || strings.HasPrefix(name, "etc/") || strings.Contains(name, "run/secrets/")) && secretPlaces.MatchString(name) {
		return harden.Medium, true
	}
	base := path.Base(name)
	if s, ok := secretNames[base]; ok {
		return s, true
	}
	s, ok := secretSuffixes[strings.ToLower(path.Ext(base))]
	if base == path.Ext(base) {
		s = harden.Info
	}
	return s, ok
}

func secretFile(q *question) string {
	ask := func(f *facts.File, hidden bool) {
		s, is := secretFileOf(f.Path)
		if f.Type == facts.Directory || !is || q.Shipped(f) {
			return
		}
		message := "a file of that name holds secrets"
		if f.Type != facts.Regular && f.Type != facts.Hardlink || f.Size == 0 {
			s, message = harden.Info, "a file of that name is made to hold secrets; this one is empty or a link"
		}
		if hidden {
			message += "; a later layer hides it, and does not take it away"
		}
		q.foundAs(s, at(f, message, path.Base(f.Path)))
	}
	for f := range q.All() {
		ask(f, false)
	}
	for _, h := range q.Hidden {
		ask(h.File, true)
	}
	return applies
}

var (
	maybeVariable = compiled(`(?i)PASS|SECRET|KEY|ACCESS|TOKEN`)
	keyVariables  = []string{"GPG_KEY", "GPG_KEYS"} // of a signature that is verified: public
	openWord      = compiled(`[$` + "`" + `]`)
)

// variable says how bad a variable of that name with that value is.
func variable(name, value string) (harden.Severity, string) {
	switch {
	case slices.Contains(keyVariables, name):
	case harden.SecretVariable(name) && !harden.NoSecret(value):
		return harden.High, "a variable of that name holds a secret"
	case maybeVariable.MatchString(name):
		return harden.Info, "a variable of that name may hold a secret"
	}
	return 0, ""
}

func shown(value string) string {
	return value[:min(len(value)/4, 4)] + "... (" + fmt.Sprint(len(value)) + " characters)"
}

func secretInEnvironment(q *question) string {
	if len(q.Config.Env) == 0 {
		return "the config has no environment"
	}
	for _, e := range q.Config.Env {
		name, value, _ := strings.Cut(e, "=")
		if s, message := variable(name, value); message != "" {
			q.foundAs(s, said(message, name+"="+shown(value)))
			if s == harden.High {
				continue
			}
		}
		for _, f := range find(e) {
			q.found(said(fmt.Sprintf("variable %s, %s: %s", name, f.Rule, f.About), f.Shown))
		}
	}
	return applies
}

// find looks for secrets in a text of the config.
func find(text string) []secrets.Finding {
	d, err := secrets.Default()
	if err != nil {
		return nil // no image is read without them
	}
	return d.Find("", []byte(text))
}

func secretInMetadata(q *question) string {
	tell := func(where, text string) {
		for _, f := range find(text) {
			q.found(said(fmt.Sprintf("%s, %s: %s", where, f.Rule, f.About), f.Shown))
		}
	}
	labels := q.labels()
	for _, key := range sortedKeys(labels) {
		if s, message := variable(strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key)), labels[key]); s == harden.High {
			q.found(said("label "+key+": "+strings.Replace(message, "variable", "label", 1), shown(labels[key])))
			continue
		}
		tell("label "+key, key+"="+labels[key])
	}
	for _, s := range q.steps() {
		where := fmt.Sprintf("step %d of the history", s.index+1)
		q.words(s, where)
		tell(where, s.CreatedBy)
	}
	health, _, _ := q.health()
	for what, words := range map[string][]string{"the command": q.command(), "the health check": health} {
		tell(what, strings.Join(words, " "))
	}
	return applies
}

// words judges each NAME=VALUE that a step of the history has, but for the variables
// of the environment, which are told there. The name of a build argument says what its
// value is; what a command is given may be anything that is called so.
func (q *question) words(s step, where string) {
	told := map[string]bool{}
	judge := func(word, what string, most harden.Severity) {
		name, value, ok := strings.Cut(word, "=")
		value = strings.Trim(value, `"'`)
		if have, set := q.Env(name); !ok || value == "" || told[name] || set && have == value {
			return
		}
		severity, message := variable(strings.TrimLeft(name, "-"), value)
		if message == "" {
			return
		}
		if told[name] = true; openWord.MatchString(value) {
			severity = harden.Info
		}
		if severity = min(severity, most); severity > harden.Info {
			q.foundAs(severity, said(where+": the "+what+" "+name+" holds a secret", name+"="+shown(value)))
		} else {
			q.foundAs(severity, said(where+": the "+what+" "+name+" may hold a secret", name+"="+shown(value)))
		}
	}
	if s.instruction == "ARG" || s.instruction == "ENV" {
		judge(s.text, "build argument or variable", harden.High)
	}
	for _, a := range s.args {
		judge(a, "build argument or variable", harden.High)
	}
	for _, w := range strings.FieldsFunc(s.CreatedBy, func(r rune) bool { return strings.ContainsRune(" \t\n\"';&|()#", r) }) {
		judge(w, "word", harden.Medium)
	}
}
