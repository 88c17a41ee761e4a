package harden

import "github.com/hardpan/hardpan/internal/harden/tool"

// byFile is how the files of these rules are found.
const byFile = " found by the names and the content of programs, under other names too, and by links of busybox and toybox"

// toolRules are about programs that help an intruder more than the image.
var toolRules = []Rule{
	{
		ID: "shell-present", Profiles: []Profile{Strict}, Severity: Medium,
		Title:    "no shell",
		Why:      "a shell turns a flaw that runs one command into one that runs any",
		Looks:    "shells," + byFile,
		Fix:      "leave the shell out and call programs directly: exec form in a Dockerfile, a list of words in a spec; debug with a debug variant or an ephemeral container",
		Kinds:    []tool.Kind{tool.Shell},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "package-manager-present", Profiles: []Profile{Strict}, Severity: Medium,
		Title:    "no package manager",
		Why:      "with a package manager an intruder installs what he lacks, and a running container stops being the image",
		Looks:    "package managers of distributions and of languages," + byFile + "; pip, npm and others where an interpreter would import them",
		Fix:      "install in a build stage and copy the result",
		Kinds:    []tool.Kind{tool.PackageManager},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "compiler-present", Profiles: []Profile{Strict}, Severity: Medium,
		Title:    "no compiler or other build tool",
		Why:      "a compiler makes exploits for the very machine they are to run on; a running program needs none",
		Looks:    "compilers, assemblers, linkers, build systems, debuggers and version control," + byFile,
		Fix:      "build in a stage and copy what runs",
		Kinds:    []tool.Kind{tool.Compiler},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381", Dockle: "DKL-LI-0003"},
	},
	{
		ID: "interpreter-present", Severity: Low, // by whole images: which ones are declared no single file says
		Title:    "no interpreter beyond those that the image is for",
		Why:      "an interpreter runs what an intruder brings as well as a shell does",
		Looks:    "interpreters of languages," + byFile + "; that of the entrypoint, those it needs, and those that the spec names are declared",
		Fix:      "leave the interpreter out, or name its package in the spec",
		Kinds:    []tool.Kind{tool.Interpreter},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "network-client-present", Profiles: []Profile{Strict}, Severity: Medium,
		Title:    "no network client",
		Why:      "a network client fetches an intruder's tools and carries the image's data away",
		Looks:    "clients for HTTP, FTP, SSH, Telnet and plain sockets, and scanners," + byFile,
		Fix:      "fetch in a build stage; probe health with the program itself",
		Kinds:    []tool.Kind{tool.NetworkClient},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381", Hadolint: "DL4001"},
	},
	{
		ID: "privilege-tool-present", Profiles: []Profile{Strict}, Severity: Medium,
		Title:    "no program that changes user",
		Why:      "a container runs as one user; sudo and su serve to become another",
		Looks:    "sudo, su, doas, pkexec and the like," + byFile,
		Fix:      "start as the user that is needed; let the orchestrator, not the image, give rights",
		Kinds:    []tool.Kind{tool.Privilege},
		Controls: Controls{CIS: "4.3 4.8 5.26", NIST: "4.1.2", CCI: "CCI-002235", Dockle: "DKL-DI-0001", Hadolint: "DL3004"},
	},
	{
		ID: "remote-access-present", Profiles: []Profile{Strict}, Severity: High,
		Title:    "no server for remote access",
		Why:      "sshd, telnetd and ftpd are doors of their own, with keys and passwords that the image then holds; containers are entered through the runtime",
		Looks:    "servers for SSH, Telnet, FTP, rsh and remote desktops," + byFile,
		Fix:      "leave the server out; use the runtime's exec, and volumes for files",
		Kinds:    []tool.Kind{tool.RemoteAccess},
		Controls: Controls{CIS: "4.3 5.7", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "cache-present", Profiles: []Profile{Strict}, Severity: Low,
		Title:    "no caches, package lists, repositories, logs or temporary files",
		Why:      "what making an image left behind costs each pull, goes stale, and tells how the image was made and by whom",
		Looks:    "files where package managers, version control, loggers and interactive programs leave theirs",
		Fix:      "remove them in the step that makes them, or copy only what runs out of a build stage",
		Kinds:    []tool.Kind{tool.Leftover},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381", Dockle: "DKL-DI-0005 DKL-LI-0003", Hadolint: "DL3009 DL3019 DL3032 DL3036 DL3040 DL3042 DL3060"},
	},
}
