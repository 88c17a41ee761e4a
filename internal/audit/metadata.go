package audit

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

const standardLabel = "org.opencontainers.image."

var (
	labelKey    = compiled(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)
	placeholder = compiled(`^\{\{.*\}\}$|^<[^>]*>$|(?i)^(todo|tbd|fixme|changeme|unknown)$`)
)

// labelProblem says what is wrong with a label's form, "" for nothing.
func labelProblem(key, value string) string {
	name, _ := strings.CutPrefix(key, standardLabel)
	switch {
	case !labelKey.match(key):
		return "has a key that is not of the form of a reversed domain"
	case strings.TrimSpace(value) == "":
		return "is empty"
	case strings.Contains(value, "$"):
		return "" // filled in by a build argument
	case placeholder.match(value):
		return "was never filled in"
	case key == standardLabel+"created":
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return "is no date by RFC 3339"
		}
	case strings.HasPrefix(key, standardLabel) && slices.Contains([]string{"url", "documentation", "source"}, name):
		if u, err := url.Parse(value); err != nil || u.Scheme == "" || u.Host == "" {
			return "is no URL"
		}
	}
	return ""
}

var (
	promisesUser = compiled(`(?i)(no|non)[-_.]?root|rootless`)
	yes          = compiled(`(?i)^(true|yes|1|on|enabled)$`)
)

// labels judges LABEL.
func (j *judge) labels() {
	all := map[string]*dockerfile.Step{}
	for step := range j.steps(true) {
		c, ok := step.Command.(*instructions.LabelCommand)
		if !ok {
			continue
		}
		for _, kv := range c.Labels {
			all[kv.Key] = step
			if problem := labelProblem(kv.Key, kv.Value); problem != "" {
				j.found("labels-invalid", step, step.Line, "label "+kv.Key+" "+problem, kv.Key+"="+kv.Value)
			}
			if promisesUser.match(kv.Key) && yes.match(kv.Value) && j.breaks("root-user") {
				j.found("labels-untrue", step, step.Line, "label "+kv.Key+" is not true: the image runs as root", kv.Key+"="+kv.Value)
			}
		}
	}
	var missing []string
	for _, name := range harden.WantedLabels {
		if all[standardLabel+name] == nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return
	}
	s := j.file.Final()
	from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
	j.found("labels-missing", from, s.Line, "labels "+standardLabel+"* are missing: "+strings.Join(missing, " "), "")
}

// breaks reports whether a finding of the rule is in the report already.
func (j *judge) breaks(rule string) bool {
	return slices.ContainsFunc(j.report.Findings, func(f Finding) bool { return f.Rule == rule })
}

// switchedOff are variables that switch off a protection, and the values that do.
var switchedOff = map[string]pattern{
	"PYTHONHTTPSVERIFY": compiled(`^0$`), "NODE_TLS_REJECT_UNAUTHORIZED": compiled(`^0$`), "GIT_SSL_NO_VERIFY": compiled(`(?i)^(1|true|yes)$`), "NPM_CONFIG_STRICT_SSL": compiled(`(?i)^false$`), "GOINSECURE": compiled(`.`),
	"GONOSUMDB": compiled(`^\*$`), "GOFLAGS": compiled(`-insecure`), "GONOSUMCHECK": compiled(`.`), "GOSUMDB": compiled(`^off$`), "PIP_TRUSTED_HOST": compiled(`.`), "APT_ALLOW_UNAUTHENTICATED": compiled(`.`), "YARN_STRICT_SSL": compiled(`(?i)^false$`),
	"OPENSSL_CONF": compiled(`^/dev/null$`), "DOCKER_CONTENT_TRUST": compiled(`^0$`), "COMPOSER_DISABLE_TLS": compiled(`^1$`), "CURL_INSECURE": compiled(`.`), "ANSIBLE_HOST_KEY_CHECKING": compiled(`(?i)^false$`),
}

// loaders are variables that say where code is loaded from.
var loaders = []string{"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "BASH_ENV", "ENV", "PERL5LIB", "RUBYLIB", "NODE_OPTIONS"}

// environmentProblem says what a variable does that it should not: the rule that it
// breaks and why, "" for none.
func environmentProblem(name, value string) (rule, what string) {
	if p, ok := switchedOff[name]; ok && p.match(value) {
		return "environment-insecure", name + " switches a protection off"
	}
	switch {
	case name == "PATH":
		for dir := range strings.SplitSeq(value, ":") {
			if dir == "" || dir == "." || !strings.HasPrefix(dir, "/") && !strings.HasPrefix(dir, "$") && !windowsPath(dir) {
				return "environment-loader", "PATH has an empty or relative directory"
			}
			if dir == "/tmp" || strings.HasPrefix(dir, "/tmp/") {
				return "environment-loader", "PATH has a directory that everybody may write: " + dir
			}
		}
	case slices.Contains([]string{"LD_PRELOAD", "LD_AUDIT", "BASH_ENV"}, name) && value != "":
		return "environment-loader", name + " loads code into every program"
	case slices.Contains(loaders, name) && slices.ContainsFunc(strings.Split(value, ":"), func(dir string) bool {
		return dir == "" && value != "" || dir == "." || strings.HasPrefix(dir, "/tmp") || strings.HasPrefix(dir, "./")
	}):
		return "environment-loader", name + " names a directory that somebody may write"
	}
	return "", ""
}

func windowsPath(p string) bool { return len(p) > 1 && p[1] == ':' || strings.Contains(p, `\`) }

// environment judges ENV.
func (j *judge) environment() {
	for step := range j.steps(true) {
		c, ok := step.Command.(*instructions.EnvCommand)
		if !ok || step.Stage.Windows {
			continue
		}
		for _, kv := range c.Env {
			if rule, what := environmentProblem(kv.Key, kv.Value); rule != "" {
				j.found(rule, step, step.Line, what, kv.Key+"="+kv.Value)
			}
		}
	}
}
