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
	return slices.DeleteFunc(slices.Clone(q.Secrets), func(s facts.Secret) bool { return q.Shipped(s.File) })
}

// gravity is that of a rule of gitleaks: the one for anything that is called a key is
// wrong more often than those that know the form of a token.
func gravity(rule string) harden.Severity {
	if strings.HasPrefix(rule, "generic-") || rule == "hashicorp-tf-password" {
		return harden.Medium
	}
	return harden.High
}

func secretInFile(q *question) string {
	for _, s := range q.openSecrets() {
		message := s.Rule + ": " + s.About
		if !s.Visible {
			message = "in a file that a later layer hides, " + message
		}
		f := at(s.File, message, s.Shown)
		f.Line = s.Line
		q.foundAs(gravity(s.Rule), f)
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
	if secretPlaces.MatchString(name) {
		return harden.Medium, true
	}
	base := path.Base(name)
	if s, ok := secretNames[base]; ok {
		return s, true
	}
	s, ok := secretSuffixes[strings.ToLower(path.Ext(base))]
	return s, ok && base != path.Ext(base)
}

func secretFile(q *question) string {
	ask := func(f *facts.File, hidden bool) {
		s, is := secretFileOf(f.Path)
		if f.Type != facts.Regular || !is || f.Size == 0 || q.Shipped(f) {
			return
		}
		message := "a file of that name holds secrets"
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

var maybeVariable = compiled(`PASSWD|PASSWORD|SECRET|KEY|ACCESS`)

// variable says how bad a variable of that name with that value is.
func variable(name, value string) (harden.Severity, string) {
	switch {
	case harden.SecretVariable(name) && !harden.NoSecret(value):
		return harden.High, "a variable of that name holds a secret"
	case maybeVariable.MatchString(name) && !harden.AboutSecret(name):
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
		for _, a := range argumentsOf(s) {
			name, value, _ := strings.Cut(a, "=")
			if severity, _ := variable(name, strings.Trim(value, `"'`)); severity == harden.High {
				q.found(said(where+": the build argument or variable "+name+" holds a secret", name+"="+shown(value)))
			}
		}
		tell(where, s.CreatedBy)
	}
	health, _, _ := q.health()
	for what, words := range map[string][]string{"the command": q.command(), "the health check": health} {
		tell(what, strings.Join(words, " "))
	}
	return applies
}

// argumentsOf returns the build arguments and variables that a step sets. Those of the
// config's environment are told there.
func argumentsOf(s step) []string {
	if s.instruction == "ARG" {
		return []string{s.text}
	}
	return s.args
}
