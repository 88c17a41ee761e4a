package profile

import (
	"fmt"
	"strings"
)

// shells are programs that read commands; an image that has none of them gets one only
// from an intruder.
var shells = []string{"ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "rbash", "sh", "tcsh", "toybox", "yash", "zsh"}

// falcoString quotes a value of a condition.
func falcoString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(s)) + `"`
}

// falco writes rules (falco.org/docs/concepts/rules) that need no other file of rules.
func (p *Profile) falco() ([]byte, error) {
	f := p.Facts
	id := "hardpan_" + strings.ReplaceAll(f.Name, "-", "_")
	repository := repositoryOf(f.Reference)
	in := "container.id != host and container.image.repository = " + falcoString(repository)
	if host, _, ok := strings.Cut(repository, "/"); !ok || !strings.ContainsAny(host, ".:") { // no registry is named
		in = fmt.Sprintf("container.id != host and (container.image.repository = %s or container.image.repository endswith %s)",
			falcoString(repository), falcoString("/"+repository))
	}
	written := "(evt.type in (open, openat, openat2, creat) and evt.is_open_write = true and fd.typechar = 'f' and fd.num >= 0)"
	var places []string
	for _, path := range append([]string{"/dev", "/proc/self", "/proc/thread-self"}, f.Writable...) {
		places = append(places, "fd.name startswith "+falcoString(path+"/"))
	}
	rule := func(name, desc, condition, output, priority string, tags ...string) object {
		return object{
			{"rule", f.Name + ": " + name}, {"desc", desc}, {"condition", condition},
			{"output", output + " (command=%proc.cmdline parent=%proc.pname user=%user.uid container=%container.id image=%container.image.repository)"},
			{"priority", priority}, {"source", "syscall"}, {"tags", append(list{"container", "hardpan"}, stringsOf(tags)...)},
		}
	}
	rules := list{
		object{{"required_engine_version", "0.31.0"}},
		object{{"list", id + "_programs"}, {"items", append(list{}, quoted(f.Programs)...)}},
		object{{"list", id + "_expected"}, {"items", append(list{}, quoted(f.Expected)...)}},
		object{{"list", id + "_shells"}, {"items", stringsOf(shells)}},
		object{{"macro", id + "_container"}, {"condition", "(" + in + ")"}},
		object{{"macro", id + "_started"}, {"condition", "(evt.type in (execve, execveat))"}},
		object{{"macro", id + "_wrote"}, {"condition", written}},
		rule("program that is not of the image", "A program was started that the image does not have.",
			fmt.Sprintf("%[1]s_started and %[1]s_container and not proc.exepath in (%[1]s_programs)", id),
			"Program that the image does not have, %proc.exepath", "CRITICAL", "process", "mitre_execution"),
		rule("unexpected program", "A program of the image was started that neither its command nor its health check is.",
			fmt.Sprintf("%[1]s_started and %[1]s_container and proc.exepath in (%[1]s_programs) and not proc.exepath in (%[1]s_expected)", id),
			"Unexpected program, %proc.exepath", "WARNING", "process", "mitre_execution"),
		rule("shell", "A shell was started.",
			fmt.Sprintf("%[1]s_started and %[1]s_container and proc.name in (%[1]s_shells)", id),
			"Shell, %proc.exepath", "CRITICAL", "shell", "mitre_execution"),
		rule("unexpected write", "A file was opened for writing outside of the directories that the image writes to.",
			fmt.Sprintf("%[1]s_wrote and %[1]s_container and not (%[2]s)", id, strings.Join(places, " or ")),
			"Unexpected write, %fd.name by %proc.exepath", "ERROR", "filesystem", "mitre_persistence"),
	}
	return documents(p.comments("Falco rules; they need no others."), rules)
}

// quoted makes items of a list of names that may have blanks.
func quoted(names []string) list {
	var l list
	for _, n := range names {
		if strings.ContainsAny(n, " \t\"'(),") {
			n = falcoString(n)
		}
		l = append(l, oneLine(n))
	}
	return l
}

// repositoryOf returns a reference without tag and digest.
func repositoryOf(reference string) string {
	repository, _, _ := strings.Cut(reference, "@")
	if slash, colon := strings.LastIndexByte(repository, '/'), strings.LastIndexByte(repository, ':'); colon > slash {
		repository = repository[:colon]
	}
	return repository
}
