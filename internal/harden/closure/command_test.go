package closure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree/treetest"
)

func TestCheckCommand(t *testing.T) {
	app := User{UID: 1000, GID: 1000, Groups: []uint32{2000}}
	for _, test := range []struct {
		name    string
		tree    string
		owners  string // "path uid:gid ..."
		command string
		user    User
		env     map[string]string
		want    string
	}{
		{"nothing missing", libc + "/usr/bin/check " + program, "", "/usr/bin/check -q", app, nil, ""},
		{"found in PATH", "/usr/bin/check elf amd64 static", "", "check", app, nil, ""},
		{"the entrypoint is another matter", "/usr/bin/check elf amd64 static", "", "check", app, map[string]string{"ENTRYPOINT": "/none"}, ""},
		{"no shell", libc, "", "sh -c true", app, nil,
			"error sh is the command, but no directory of PATH has it: " + DefaultPath},
		{"missing", libc, "", "/usr/bin/curl", app, nil,
			"error /usr/bin/curl is the command, but no path of the image"},
		{"interpreter missing", `/check file 0755 "#!/bin/sh\n"`, "", "/check", app, nil,
			"error /check needs the interpreter /bin/sh, which no path of the image has: /check -> /bin/sh"},
		{"library missing", libc + "/usr/bin/check " + program + ",libx.so.1", "", "check", app, nil,
			"error /usr/bin/check needs libx.so.1, which no path of the image has: /usr/bin/check -> libx.so.1"},
		{"program of nobody else", "/check elf 0700 amd64 static", "", "/check", app, nil,
			"error /check is the command, but cannot be executed by user 1000:1000 (mode 0700, owner 0:0)"},
		{"program of the user", "/check elf 0500 amd64 static", "check 1000:0", "/check", app, nil, ""},
		{"program of the group", "/check elf 0050 amd64 static", "check 0:1000", "/check", app, nil, ""},
		{"program of a further group", "/check elf 0010 amd64 static", "check 0:2000", "/check", app, nil, ""},
		{"the owner's bits are the user's", "/check elf 0077 amd64 static", "check 1000:0", "/check", app, nil,
			"error /check is the command, but cannot be executed by user 1000:1000 (mode 0077, owner 1000:0)"},
		{"the group's bits are the user's", "/check elf 0705 amd64 static", "check 0:2000", "/check", app, nil,
			"error /check is the command, but cannot be executed by user 1000:1000 (mode 0705, owner 0:2000)"},
		{"root may all", "/opt dir 0700\n/opt/check elf 0100 amd64 static", "opt 5:5", "/opt/check", User{}, nil, ""},
		{"but for a program that nobody may", "/check elf 0600 amd64 static", "", "/check", User{}, nil,
			"error /check is the command, but is not executable (mode 0600)"},
		{"a directory in the way", "/opt dir 0755\n/opt/x dir 0750\n/opt/x/check elf amd64 static", "", "/opt/x/check", app, nil,
			"error /opt/x/check is the command, but lies below /opt/x, which user 1000:1000 cannot search (mode 0750, owner 0:0)"},
		{"a directory of the group", "/opt dir 0710\n/opt/check elf amd64 static", "opt 0:2000", "/opt/check", app, nil, ""},
		{"a directory behind a link", "/check symlink opt/../srv/y/check\n/opt dir 0755\n/srv dir 0700\n/srv/y dir 0755\n/srv/y/check elf amd64 static", "", "/check", app, nil,
			"error /check is the command, but lies below /srv, which user 1000:1000 cannot search (mode 0700, owner 0:0)"},
		{"a directory that a link leads through", "/check symlink opt/../srv/check\n/opt dir 0700\n/srv dir 0755\n/srv/check elf amd64 static", "", "/check", app, nil,
			"error /check is the command, but lies below /opt, which user 1000:1000 cannot search (mode 0700, owner 0:0)"},
		{"the root itself", "/check elf amd64 static", ". 0:0 0700", "/check", app, nil,
			"error /check is the command, but lies below /, which user 1000:1000 cannot search (mode 0700, owner 0:0)"},
		{"PATH goes past what is denied", "/a dir 0700\n/a/check elf amd64 static\n/b/check elf 0700 amd64 static\n/c/check elf amd64 static", "", "check", app,
			map[string]string{"PATH": "/a:/b:/c"}, ""},
		{"PATH has only what is denied", "/a dir 0700\n/a/check elf amd64 static\n/b/check elf 0700 amd64 static", "", "check", app,
			map[string]string{"PATH": "/a:/b"}, "error check is the command, but /a/check in PATH lies below /a, which user 1000:1000 cannot search (mode 0700, owner 0:0)"},
		{"a script that its interpreter cannot read", "/check file 0711 \"#!/run\\n\"\n/run elf amd64 static", "", "/check", app, nil,
			"error /check is the command, but cannot be read by user 1000:1000 (mode 0711, owner 0:0)"},
		{"an interpreter that is denied", "/check file 0755 \"#!/run\\n\"\n/run elf 0750 amd64 static", "", "/check", app, nil,
			"error /check needs the interpreter /run, which cannot be executed by user 1000:1000 (mode 0750, owner 0:0): /check -> /run"},
		{"a dynamic linker that is denied", libc + "/check " + program, "usr/lib/x86_64-linux-gnu/ld.so.2 0:0 0744", "/check", app, nil,
			"error /check needs the dynamic linker /lib64/ld.so.2, which cannot be executed by user 1000:1000 (mode 0744, owner 0:0): /check -> /lib64/ld.so.2"},
		{"a library that is denied", libc + "/check " + program, "usr/lib/x86_64-linux-gnu/libc.so.6 0:0 0711", "/check", app, nil,
			"error /check needs libc.so.6, which cannot be read by user 1000:1000 (mode 0711, owner 0:0): /check -> libc.so.6"},
		{"env's program", "/usr/bin/env elf amd64 static\n/usr/bin/x elf 0700 amd64 static", "", "env x", app, nil,
			"error /usr/bin/env needs the interpreter x, but /usr/bin/x in PATH cannot be executed by user 1000:1000 (mode 0700, owner 0:0): /usr/bin/env -> x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			image := treetest.New(t, test.tree)
			for words := strings.Fields(test.owners); len(words) > 0; {
				n := image.Lookup(words[0])
				if _, err := fmt.Sscanf(words[1], "%d:%d", &n.UID, &n.GID); err != nil {
					t.Fatal(err)
				}
				if words = words[2:]; len(words) > 0 && strings.HasPrefix(words[0], "0") {
					fmt.Sscanf(words[0], "%o", &n.Mode)
					words = words[1:]
				}
			}
			o := Options{Env: test.env, Entrypoint: strings.Fields(test.env["ENTRYPOINT"])}
			problems, err := CheckCommand(image, "amd64", Command{strings.Fields(test.command), "the command", test.user}, o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, p.Severity.String()+" "+p.Error())
			}
			if s := strings.Join(got, "\n"); s != test.want {
				t.Errorf("problems\n%s\nwant\n%s", s, test.want)
			}
		})
	}
}

func TestDeniedHint(t *testing.T) {
	image := treetest.New(t, "/check elf 0700 amd64 static")
	problems, err := CheckCommand(image, "amd64", Command{Args: []string{"/check"}, User: User{UID: 1, GID: 1}}, Options{})
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Hint(), "type permissions") {
		t.Errorf("problems %v (error %v), expected one that says how to change the mode", problems, err)
	}
}
