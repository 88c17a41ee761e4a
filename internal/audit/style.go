package audit

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// style judges how the instructions are written, where that decides what they do.
func (j *judge) style() {
	workdir := map[*dockerfile.Stage]bool{}
	for step := range j.steps(false) {
		s := step.Stage
		if s.Windows {
			continue
		}
		switch c := step.Command.(type) {
		case *instructions.MaintainerCommand:
			j.found("maintainer-deprecated", step, step.Line, "MAINTAINER is deprecated", step.Text)
		case *instructions.OnbuildCommand:
			j.found("onbuild-hidden", step, step.Line, "the step runs in the builds that stand on this image", step.Text)
		case *instructions.WorkdirCommand:
			if !workdir[s] && s.Parent == nil && !strings.HasPrefix(c.Path, "/") && !strings.HasPrefix(c.Path, "$") && !windowsPath(c.Path) {
				j.found("workdir-relative", step, step.Line, "WORKDIR "+c.Path+" is relative to what the base says", step.Text)
			}
			workdir[s] = true
		case *instructions.CopyCommand:
			j.relativeCopy(step, c.DestPath, workdir)
		case *instructions.EnvCommand:
			j.selfReference(step, c)
		case *instructions.RunCommand:
			j.privileged(step, c)
		}
		j.unset(step)
	}
	for _, line := range j.file.Ignored {
		j.report.add(finding{rule: "ignore-pragma", line: line, found: "a comment tells hadolint to look away; it is not obeyed here"})
	}
	for _, r := range j.file.Odd {
		j.report.add(finding{rule: "syntax-doubtful", line: r.Line, found: r.Text})
	}
}

func (j *judge) relativeCopy(step *dockerfile.Step, dest string, workdir map[*dockerfile.Stage]bool) {
	for _, s := range step.Stage.Chain() {
		if workdir[s] {
			return
		}
	}
	if !strings.HasPrefix(dest, "/") && !strings.HasPrefix(dest, "$") && !windowsPath(dest) && !step.OnBuild {
		j.found("workdir-relative", step, step.Line, "COPY to "+dest+", and no WORKDIR says what that is relative to", step.Text)
	}
}

func (j *judge) selfReference(step *dockerfile.Step, c *instructions.EnvCommand) {
	for _, name := range step.Unknown {
		if slices.ContainsFunc(c.Env, func(kv instructions.KeyValuePair) bool { return kv.Key == name }) && name != "PATH" {
			j.found("env-self-reference", step, step.Line, name+" is used in the ENV that sets it", step.Text)
		}
	}
}

func (j *judge) privileged(step *dockerfile.Step, c *instructions.RunCommand) {
	if instructions.GetSecurity(c) == instructions.SecurityInsecure {
		j.found("build-privileged", step, step.Line, "the step runs with the builder's privileges", step.Text)
	}
	if instructions.GetNetwork(c) == instructions.NetworkHost {
		j.found("build-privileged", step, step.Line, "the step runs in the builder's network", step.Text)
	}
	for _, m := range instructions.GetMounts(c) {
		if m.From == "" || m.Type != instructions.MountTypeBind {
			continue
		}
		j.copiesFrom(step, m.From)
	}
}

// platformArgs are the variables that the builder itself sets (Dockerfile reference,
// Automatic platform ARGs in the global scope, and Predefined ARGs).
var platformArgs = strings.Fields("TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT TARGETSTAGE HTTP_PROXY http_proxy HTTPS_PROXY https_proxy FTP_PROXY ftp_proxy NO_PROXY no_proxy ALL_PROXY all_proxy SOURCE_DATE_EPOCH PATH HOME HOSTNAME TERM")

func (j *judge) unset(step *dockerfile.Step) {
	var names []string
	for _, n := range step.Unknown {
		_, isArg := step.Stage.Args.Get(n)
		if !slices.Contains(platformArgs, n) && !isArg {
			names = append(names, n)
		}
	}
	if len(names) > 0 && step.Name != "ENV" && !step.OnBuild {
		j.found("variable-unset", step, step.Line, "no ARG or ENV of the file sets "+strings.Join(names, ", "), step.Text)
	}
}

// shells judges the scripts of RUN.
func (j *judge) shells() {
	for step := range j.steps(false) {
		if step.Name != "RUN" || step.Script == nil {
			continue
		}
		commands := step.Commands()
		j.pipes(step, commands)
		if len(commands) > 0 && commands[0].Name == "cd" && len(step.Script.Statements) > 0 && len(step.Script.Statements[0].Commands) == 1 {
			what := "the step begins with cd"
			if len(commands) == 1 {
				what = "cd alone has no effect on what follows"
			}
			j.found("cd-in-run", step, commands[0].Line, what, step.Text)
		}
		for _, c := range commands {
			if c.Name == "ln" && len(c.Args) > 1 && c.Args[len(c.Args)-1].Text == "/bin/sh" {
				j.found("shell-replaced", step, c.Line, "/bin/sh becomes another shell", c.String())
			}
		}
	}
}

// pipes tells of a pipe of which only the last failure counts. A pipe out of echo or
// printf cannot fail in its beginning.
func (j *judge) pipes(step *dockerfile.Step, commands []*dockerfile.Command) {
	if step.Script.Exec != nil || strings.Contains(strings.Join(step.Script.Shell, " "), "pipefail") || strings.Contains(step.Script.Text, "pipefail") {
		return
	}
	if len(step.Script.Shell) > 1 && strings.Contains(step.Script.Shell[1], "o") && strings.Contains(strings.Join(step.Script.Shell, " "), "-eo") {
		return
	}
	for _, c := range commands {
		if c.Into != nil && !slices.Contains([]string{"echo", "printf", "true", "yes", "cat", "ls"}, c.Name) {
			j.found("pipefail-missing", step, c.Line, fmt.Sprintf("a failure of %s before the pipe is not noticed", c.Name), c.String()+" | "+c.Into.String())
			return
		}
	}
}

// useless are commands that make no sense in a build.
var useless = []string{"ssh", "vim", "vi", "nano", "emacs", "shutdown", "reboot", "service", "systemctl", "ps", "free", "top", "htop", "kill", "killall", "mount", "umount", "ifconfig", "iptables"}

// commands judges what RUN calls.
func (j *judge) commands() {
	for step, c := range j.run(false) {
		if slices.Contains(c.Through, "sudo") || c.Name == "sudo" {
			j.found("history-sudo", step, c.Line, "sudo in a build, which is root already or should not be", c.String())
		}
		if slices.Contains(useless, c.Name) && !strings.Contains(c.Program().Text, "$") && path.Base(c.Program().Text) == c.Name {
			j.found("command-useless", step, c.Line, c.Name+" has no sense in a build", c.String())
		}
	}
}

// notJudged says what the file alone does not show.
func (j *judge) notJudged() {
	say := func(line int, subject, text string) {
		j.report.NotJudged = append(j.report.NotJudged, Remark{Subject: subject, Text: text, Line: line})
	}
	for _, s := range j.file.Stages {
		if s.Windows {
			say(s.Line, "Windows", "the stage is one of Windows: its commands and accounts are not judged")
		}
		if len(s.Unknown) > 0 {
			say(s.Line, "FROM", "the base is said when the image is built: "+strings.Join(s.Unknown, ", ")+" has no value here")
		}
	}
	for step := range j.steps(false) {
		if step.Script != nil && step.Script.Unread != "" && !step.Stage.Windows {
			say(step.Line, step.Name, "not judged: "+step.Script.Unread)
		}
	}
	if base := j.file.Final().Base(); base.Image != "scratch" { // in which nothing is
		say(base.Line, "base image", "what is in "+base.Image+" is not known here: hardpan check judges an image itself")
	}
	say(0, "vulnerabilities", "known vulnerabilities of packages are not looked up")
}
