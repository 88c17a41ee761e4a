package check

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hardpan/hardpan/internal/check/facts"
)

// A step is an entry of the history, taken apart.
type step struct {
	facts.Step
	index       int
	instruction string   // "RUN", "COPY", "ADD", ...; "" for what is none
	args        []string // "NAME=value", given to a RUN
	text        string   // of a RUN the shell's line, of others what follows the instruction
	commands    [][]string
}

var (
	classicStep = compiled(`^/bin/sh -c #\(nop\)\s+`)
	shellStart  = compiled(`^(?:/\S*/(?:ba|a|da|k|z)?sh\s+(?:-\w+\s+(?:pipefail\s+)?)*-\w*c|cmd /S /C)\s+`)
	shellWithin = compiled(`(?:^|\s)/\S*/(?:ba|a|da|k|z)?sh\s+-`)
	commandEnd  = compiled(`&&|\|\||[;\n|]`)
)

// stepsOf takes the history apart: what docker build and BuildKit write there, and what
// buildah and kaniko do.
func stepsOf(history []facts.Step) []step {
	var list []step
	for i, h := range history {
		s := step{Step: h, index: i, text: strings.TrimSpace(h.CreatedBy)}
		s.text = strings.TrimSpace(strings.TrimSuffix(s.text, "# buildkit"))
		if classicStep.MatchString(s.text) {
			s.text = classicStep.get().ReplaceAllString(s.text, "")
		} else if shellStart.MatchString(s.text) || strings.HasPrefix(s.text, "|") {
			s.instruction = "RUN"
		}
		if word, rest, _ := strings.Cut(s.text, " "); s.instruction == "" && instructions[word] {
			s.instruction, s.text = word, strings.TrimSpace(rest)
		}
		if s.instruction == "RUN" {
			s.run()
		}
		list = append(list, s)
	}
	return list
}

var instructions = func() map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq("ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR") {
		set[word] = true
	}
	return set
}()

// run takes the line of a RUN apart. Build arguments stand before it: "|2 A=1 B=2 ".
func (s *step) run() {
	if strings.HasPrefix(s.text, "|") {
		words := strings.Fields(s.text)
		n := 0
		fmt.Sscanf(words[0], "|%d", &n)
		rest := strings.TrimSpace(strings.TrimPrefix(s.text, words[0]))
		if at := shellWithin.get().FindStringIndex(rest); at != nil {
			s.args, rest = strings.Fields(rest[:at[0]]), strings.TrimSpace(rest[at[0]:])
		} else if n > 0 && n < len(words) {
			s.args = words[1 : 1+n]
		}
		s.text = rest
	}
	s.text = shellStart.get().ReplaceAllString(s.text, "")
	for _, c := range commandEnd.get().Split(s.text, -1) {
		words := strings.Fields(c)
		for len(words) > 0 && (strings.Contains(words[0], "=") || slices.Contains([]string{"sudo", "exec", "env", "then", "do", "set", "{", "("}, words[0])) && words[0] != "set" {
			words = words[1:]
		}
		if len(words) > 0 {
			s.commands = append(s.commands, words)
		}
	}
}

// has reports whether one command of the step has a program and all the words.
func (s *step) has(program string, words ...string) bool {
	return slices.ContainsFunc(s.commands, func(c []string) bool { return command(c, program, words...) })
}

// command reports whether a command runs a program with all the words. Another may
// run it: time, nice, timeout, a shell, the if before it.
func command(c []string, program string, words ...string) bool {
	rest, ok := behind(c, program)
	for _, w := range words {
		ok = ok && slices.Contains(rest, w)
	}
	return ok
}

// maxPrefix is how many words of a command its program is looked for in.
const maxPrefix = 16

// behind returns what follows the name of a program in a command.
func behind(c []string, program string) (rest []string, ok bool) {
	if slices.Contains([]string{"echo", "printf", "grep", "#"}, c[0]) {
		return nil, false
	}
	for i, w := range c[:min(len(c), maxPrefix)] {
		if w = strings.TrimLeft(w, "({!\"'`$"); w[strings.LastIndexByte(w, '/')+1:] == program {
			return c[i+1:], true
		}
	}
	return nil, false
}

// inSteps asks each RUN of the history.
func (q *question) inSteps(ask func(s *step)) string {
	steps := q.steps()
	if q.Record != nil {
		return "hardpan runs no commands in an image"
	}
	if !slices.ContainsFunc(steps, func(s step) bool { return s.instruction != "" }) {
		return "the history says nothing of how the image was made"
	}
	for i := range steps {
		ask(&steps[i])
	}
	return applies
}

func (s *step) finding(message string) Finding {
	return Finding{Message: fmt.Sprintf("step %d of the history: %s", s.index+1, message), Value: strings.TrimSpace(s.CreatedBy)}
}

func historyAdd(q *question) string {
	return q.inSteps(func(s *step) {
		if s.instruction == "ADD" && s.index != 0 && !strings.Contains(s.text, "--checksum=") {
			q.found(s.finding("ADD"))
		}
	})
}

// managers are package managers: what fetches their lists, and what installs.
var managers = []struct{ program, update, install string }{
	{"apt-get", "update", "install"}, {"apt", "update", "install"}, {"aptitude", "update", "install"}, {"apk", "update", "add"},
	{"yum", "makecache", "install"}, {"dnf", "makecache", "install"}, {"microdnf", "makecache", "install"}, {"zypper", "refresh", "install"}, {"pacman", "-Sy", "-S"},
}

func historyUpdateAlone(q *question) string {
	return q.inSteps(func(s *step) {
		installs := sync.OnceValue(func() bool {
			return slices.ContainsFunc(managers, func(o struct{ program, update, install string }) bool {
				return s.has(o.program, o.install) || s.has(o.program, "upgrade") || s.has(o.program, "dist-upgrade") || s.has(o.program, "build-dep") || s.has(o.program, "full-upgrade")
			})
		})
		for _, m := range managers {
			if s.has(m.program, m.update) && !installs() {
				q.found(s.finding(m.program + " " + m.update + " without an installation"))
			}
		}
	})
}

func historyUpgrade(q *question) string {
	return q.inSteps(func(s *step) {
		for _, c := range s.commands {
			for _, program := range []string{"apt-get", "apt", "aptitude", "apk", "yum", "dnf", "microdnf", "zypper"} {
				for _, word := range []string{"upgrade", "dist-upgrade", "full-upgrade", "safe-upgrade", "dup"} {
					if command(c, program, word) || (program == "yum" || program == "dnf" || program == "microdnf" || program == "zypper") && word == "upgrade" && command(c, program, "update") {
						q.found(s.finding(program + " " + word))
					}
				}
			}
		}
	})
}

func historyCache(q *question) string {
	return q.inSteps(func(s *step) {
		text := s.text
		mounted := strings.Contains(text, "--mount=type=cache")
		removed := func(what string) bool { return mounted || strings.Contains(text, what) }
		if !mounted && s.leaves([]string{"apk"}, []string{"add"}, "--no-cache", "/var/cache/apk") {
			q.found(s.finding("apk add without --no-cache"))
		}
		if !mounted && s.leaves([]string{"apt-get", "apt", "aptitude"}, []string{"update", "install"}, "", "/var/lib/apt") {
			q.found(s.finding("apt-get without removing /var/lib/apt/lists"))
		}
		switch {
		case s.has("yum", "install") && !removed("yum clean all") && !removed("/var/cache/yum"):
			q.found(s.finding("yum install without yum clean all"))
		case s.has("dnf", "install") && !removed("dnf clean all") && !removed("/var/cache/dnf"):
			q.found(s.finding("dnf install without dnf clean all"))
		case s.has("zypper", "install") && !removed("zypper clean") && !removed("zypper -n clean"):
			q.found(s.finding("zypper install without zypper clean"))
		case (s.has("pip", "install") || s.has("pip3", "install")) && !removed("--no-cache-dir") && !noPipCache(q):
			q.found(s.finding("pip install without --no-cache-dir"))
		case s.has("yarn", "install") && !removed("yarn cache clean"):
			q.found(s.finding("yarn install without yarn cache clean"))
		}
	})
}

// leaves reports whether a step leaves behind what a package manager fetched: it has one
// of the verbs, without the option that prevents it, and nothing later removes the
// directory.
func (s *step) leaves(programs, verbs []string, option, dir string) bool {
	left := false
	for _, c := range s.commands {
		for _, p := range programs {
			for _, v := range verbs {
				left = left || command(c, p, v) && (option == "" || !slices.Contains(c, option))
			}
		}
		if rest, ok := behind(c, "rm"); ok || c[0] == "find" && slices.Contains(c, "-delete") {
			left = left && !slices.ContainsFunc(append(rest, c...), func(w string) bool { return strings.HasPrefix(w, dir) })
		}
	}
	return left
}

func noPipCache(q *question) bool {
	v, ok := q.Env("PIP_NO_CACHE_DIR")
	return ok && v != "0" && v != ""
}

var sudoWord = compiled(`(^|[\s;&|(])sudo(\s|$)`)

func historySudo(q *question) string {
	return q.inSteps(func(s *step) {
		if sudoWord.MatchString(s.text) {
			q.found(s.finding("sudo"))
		}
	})
}

var openMode = compiled(`^0?[0-7]?[0-7][0-7][2367]$|^[ugoa]*[oa][ugoa]*[+=][rwxXst]*w|^\+[rxX]*w`)

func historyPermissions(q *question) string {
	return q.inSteps(func(s *step) {
		for _, c := range s.commands {
			if !command(c, "chmod") {
				continue
			}
			for _, word := range c[1:] {
				if openMode.MatchString(word) && !strings.HasPrefix(word, "1") {
					q.found(s.finding("chmod " + word))
					break
				}
			}
		}
	})
}

var (
	fetchPiped = compiled(`(curl|wget|fetch)\b[^;&\n]*\|\s*(sudo\s+)?(env\s+\S+\s+)*(/\S*/)?(ba|da|a|z|k)?sh\b|(curl|wget)\b[^;&\n]*\|\s*(sudo\s+)?(/\S*/)?(python[0-9.]*|perl|ruby|node|php)\b`)
	fetchEval  = compiled("(?:\\b(?:ba|da|a|z)?sh\\b[^;&\\n]*|eval\\s+|source\\s+|\\.\\s+)[\"']?(?:<\\(|\\$\\(|`)\\s*(?:curl|wget)\\b")
	addURL     = compiled(`^(?:--\S+\s+)*https?://\S+\.(?:sh|bash|py|pl)\b`)
)

func pipedInstaller(q *question) string {
	return q.inSteps(func(s *step) {
		switch {
		case s.instruction == "RUN" && (fetchPiped.MatchString(s.text) || fetchEval.MatchString(s.text)):
			q.found(s.finding("a script runs straight off the network"))
		case s.instruction == "ADD" && addURL.MatchString(s.text):
			q.found(s.finding("a script is fetched without a digest"))
		}
	})
}

// unverified are options with which packages or files are not verified.
var unverified = compiled(`--allow-unauthenticated|--allow-insecure-repositories|--force-yes|--no-gpg-check(s)?\b|--nogpgcheck|--allow-untrusted|--no-check-certificate|--no-check-gpg|--trusted-host|--no-verify-ssl|strict-ssl[= ]false|sslverify[= ](0|false)|http\.sslVerify[= ]false|\btrusted=yes\b|Acquire::AllowInsecureRepositories(=|\s+")?(true|1)|APT::Get::AllowUnauthenticated(=|\s+")?(true|1)|Verify-Peer\s*"?=?\s*"?false`)

var insecureCurl = compiled(`\bcurl\b[^;&|\n]*\s(-[a-zA-Z]*k[a-zA-Z]*|--insecure)(\s|$)`)

func packagesUnverified(q *question) string {
	if rec := q.Record; rec != nil {
		for _, a := range rec.Archives {
			if a.InRelease == "" {
				q.found(said("no signed index is recorded of an archive", a.ID))
			}
		}
		return applies
	}
	asked := false
	for f, text := range q.Texts(func(name string) bool {
		return strings.HasPrefix(name, "etc/apt/") || strings.HasSuffix(name, "pip.conf") || strings.HasSuffix(name, "npmrc") || strings.HasSuffix(name, "curlrc") || strings.HasSuffix(name, "wgetrc")
	}) {
		asked = true
		n := 0
		for line := range strings.SplitSeq(string(text), "\n") {
			n++
			trimmed := strings.TrimSpace(line)
			if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "//") {
				continue
			}
			if unverified.MatchString(trimmed) || strings.HasPrefix(trimmed, "trusted-host") || trimmed == "insecure" || strings.HasPrefix(trimmed, "check_certificate = off") || strings.HasPrefix(strings.ToLower(trimmed), "trusted: yes") {
				finding := at(f, "verification is switched off", trimmed)
				finding.Line = n
				q.found(finding)
			}
		}
	}
	why := q.inSteps(func(s *step) {
		if s.instruction != "RUN" {
			return
		}
		if m := unverified.get().FindString(s.text); m != "" {
			q.found(s.finding(m))
		}
		if insecureCurl.MatchString(s.text) {
			q.found(s.finding("curl --insecure"))
		}
	})
	if asked {
		return applies
	}
	return why
}

// installers are commands that install packages, how a version is written there, and
// the options that take a word of their own.
var installers = []struct {
	program, verb string
	pinned        *pattern
	values        []string
}{
	{"apt-get", "install", compiled(`=|/|\.deb$`), []string{"-t", "-o", "-c", "--target-release"}}, {"apt", "install", compiled(`=|/|\.deb$`), []string{"-t", "-o"}},
	{"apk", "add", compiled(`[=~<>]|\.apk$|^\.`), []string{"-t", "--virtual", "-X", "--repository", "-p"}},
	{"pip", "install", compiled(`==|@|\.whl$|\.txt$|^\.|/`), []string{"-r", "-c", "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "--requirement", "--prefix"}},
	{"pip3", "install", compiled(`==|@|\.whl$|\.txt$|^\.|/`), []string{"-r", "-c", "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "--requirement", "--prefix"}},
	{"npm", "install", compiled(`.@|\.tgz$|^\.|/`), []string{"--prefix"}}, {"gem", "install", compiled(`:|\.gem$`), []string{"-v", "--version"}},
	{"yum", "install", compiled(`-[0-9]|\.rpm$|^@`), nil}, {"dnf", "install", compiled(`-[0-9]|\.rpm$|^@`), nil}, {"microdnf", "install", compiled(`-[0-9]`), nil},
	{"zypper", "install", compiled(`[=<>]|-[0-9]`), nil}, {"go", "install", compiled(`@v[0-9]|^\.`), nil},
}

func packagesUnpinned(q *question) string {
	if rec := q.Record; rec != nil {
		for _, p := range rec.Packages {
			if p.SHA256 == "" || p.Version == "" {
				q.found(said("no digest is recorded of a package", p.Name))
			}
		}
		return applies
	}
	return q.inSteps(func(s *step) {
		for _, c := range s.commands {
			for _, in := range installers {
				if loose := unpinned(c, in.program, in.verb, in.pinned, in.values); len(loose) > 0 {
					q.found(s.finding(fmt.Sprintf("%s %s without versions: %s", in.program, in.verb, strings.Join(loose[:min(len(loose), 8)], " "))))
				}
			}
		}
	})
}

// unpinned returns the packages of an installation that have no version.
func unpinned(c []string, program, verb string, pinned *pattern, values []string) []string {
	if !command(c, program, verb) {
		return nil
	}
	var loose []string
	words, _ := behind(c, program)
	words = words[slices.Index(words, verb)+1:]
	for i := 0; i < len(words); i++ {
		w := strings.Trim(words[i], `"'`)
		switch {
		case slices.Contains(values, w):
			if program == "gem" {
				return nil
			}
			i++
		case strings.HasPrefix(w, "-"), w == "\\", strings.HasPrefix(w, "$"), w == "":
		case !pinned.MatchString(w):
			loose = append(loose, w)
		}
	}
	return loose
}
