package audit

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/check/secrets"
	"github.com/hardpan/hardpan/internal/harden"
)

// find looks for secrets in a text, by gitleaks' rules.
func find(text string) []secrets.Finding {
	d, err := secrets.Default()
	if err != nil {
		return nil // the rules are part of the program, and their own tests read them
	}
	return d.Find("", []byte(text))
}

// shown is the beginning of a secret: enough to find it again and no more.
func shown(value string) string {
	return value[:min(len(value)/4, 4)] + fmt.Sprintf("... (%d characters)", len(value))
}

// secrets judges what a file gives away.
func (j *judge) secrets() {
	for step := range j.steps(false) {
		switch c := step.Command.(type) {
		case *instructions.EnvCommand:
			for _, kv := range c.Env {
				j.secretPair("secret-in-environment", step, "variable", kv.Key, kv.Value)
			}
		case *instructions.ArgCommand:
			for _, a := range c.Args {
				j.secretArgument(step, a)
			}
		case *instructions.LabelCommand:
			for _, kv := range c.Labels {
				j.secretPair("secret-in-metadata", step, "label", strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(kv.Key)), kv.Value)
			}
		case *instructions.CopyCommand:
			j.secretContents(step, c.SourceContents)
		case *instructions.AddCommand:
			j.secretContents(step, c.SourceContents)
			for _, source := range c.SourcePaths {
				j.secretText(step, step.Line, source)
			}
		default:
			j.secretScript(step)
		}
	}
	for _, a := range j.file.Args {
		if harden.SecretVariable(a.Name) && a.Known && !harden.NoSecret(a.Value) {
			from := &dockerfile.Step{Stage: j.file.Stages[0], Line: a.Line, End: a.Line}
			j.found("secret-in-metadata", from, a.Line, "the build argument "+a.Name+" holds a secret", a.Name+"="+shown(a.Value))
		}
	}
}

// secretPair judges one variable or label with its value.
func (j *judge) secretPair(rule string, step *dockerfile.Step, kind, name, value string) {
	if harden.SecretVariable(name) && !harden.NoSecret(value) {
		j.found(rule, step, step.Line, "a "+kind+" of that name holds a secret: "+name, name+"="+shown(value))
		return
	}
	if harden.SecretVariable(name) && strings.HasPrefix(value, "$") && kind == "variable" {
		j.found(rule, step, step.Line, "a build argument becomes part of the image's environment: "+name, name+"="+value)
		return
	}
	for _, f := range find(name + "=" + value) {
		j.found(rule, step, step.Line, fmt.Sprintf("%s %s: %s", kind, name, f.About), f.Shown)
	}
}

func (j *judge) secretArgument(step *dockerfile.Step, a instructions.KeyValuePairOptional) {
	value := a.ValueString()
	switch {
	case harden.SecretVariable(a.Key) && a.Value != nil && !harden.NoSecret(value):
		j.found("secret-in-metadata", step, step.Line, "the build argument "+a.Key+" holds a secret", a.Key+"="+shown(value))
	case harden.SecretVariable(a.Key):
		j.foundAs(harden.Medium, "secret-in-metadata", step, step.Line, "a secret is taken as the build argument "+a.Key+", which the image's history and provenance show", step.Text)
	default:
		j.secretText(step, step.Line, a.Key+"="+value)
	}
}

func (j *judge) secretText(step *dockerfile.Step, line int, text string) {
	for _, f := range find(text) {
		j.found("secret-in-metadata", step, line, step.Name+": "+f.About, f.Shown)
	}
}

func (j *judge) secretContents(step *dockerfile.Step, contents []instructions.SourceContent) {
	for _, c := range contents {
		for _, f := range find(c.Data) {
			j.found("secret-in-file", step, step.Line+f.Line, "the file "+c.Path+": "+f.About, f.Shown)
		}
	}
}

// passwordOption are options that take a password, and addresses with one.
var passwordOption = compiled(`(?i)(?:--(?:password|passwd|token|secret|api-?key)[= ]+|\s(?:-u|--user)\s+[^\s:]+:)([^\s"'@$]{3,})|://[^/\s:@]+:([^\s"'@$/]{3,})@`)

// secretScript judges commands.
func (j *judge) secretScript(step *dockerfile.Step) {
	if step.Script == nil {
		return
	}
	text := step.Script.Text
	if step.Script.Exec != nil {
		text = strings.Join(step.Script.Exec, " ")
	}
	found := find(text)
	for _, f := range found {
		j.found("secret-in-metadata", step, min(step.End, step.Line+f.Line-1), step.Name+": "+f.About, f.Shown)
	}
	if len(found) > 0 {
		return
	}
	for _, c := range step.Commands() {
		if m := passwordOption().FindStringSubmatch(c.String()); m != nil {
			if value := m[1] + m[2]; !harden.NoSecret(value) && !strings.Contains(value, "***") {
				j.found("secret-in-metadata", step, c.Line, "the command "+c.Name+" is given a password", shown(value))
			}
		}
		for _, a := range c.Assigns {
			if harden.SecretVariable(a.Name) && a.Value.Known && !harden.NoSecret(a.Value.Text) {
				j.found("secret-in-metadata", step, c.Line, "the command "+c.Name+" is given a secret in "+a.Name, a.Name+"="+shown(a.Value.Text))
			}
		}
	}
}

// secretNames are base names of files that are made to hold secrets.
var secretNames = strings.Fields(`id_rsa id_dsa id_ecdsa id_ed25519 .netrc _netrc .pgpass .my.cnf .git-credentials .dockercfg .pypirc .htpasswd .s3cfg .vault-token .boto credentials.json credentials
	master.key secring.gpg service-account.json serviceaccount.json client_secret.json terraform.tfstate terraform.tfvars .env .env.local .env.production .env.prod krb5.keytab .npmrc password.txt passwords.txt`)

var secretEndings = []string{".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".tfstate", ".keytab", ".secret"}

// secretSource tells of a file that is copied and is made to hold secrets.
func (j *judge) secretSource(step *dockerfile.Step, source string) {
	base := path.Base(strings.TrimSuffix(source, "/"))
	is := slices.Contains(secretNames, base) || slices.Contains(secretEndings, path.Ext(base)) && base != path.Ext(base) || strings.HasSuffix(source, ".docker/config.json") || base == ".ssh" || base == ".aws" || base == ".gnupg"
	if !is || !j.context.sees(path.Clean(strings.TrimPrefix(source, "/"))) {
		return
	}
	if j.inImage(step) {
		j.found("secret-file", step, step.Line, "a file of that name holds secrets: "+source, step.Text)
	} else {
		j.foundAs(harden.Low, "secret-file", step, step.Line, "a file of that name holds secrets: "+source+"; the stage is thrown away, and its cache is not", step.Text)
	}
}
