package dockerfile

import (
	"fmt"
	"strings"
	"testing"
)

// describe shows what a file was read as: steps with their commands, accounts, and the
// files of the final stage.
func describe(f *File) string {
	var b strings.Builder
	for _, s := range f.Stages {
		parent := ""
		if s.Parent != nil {
			parent = " on " + s.Parent.Label()
		}
		fmt.Fprintf(&b, "stage %s: %s%s\n", s.Label(), s.Image, parent)
		for _, step := range s.Steps {
			for _, c := range step.Commands() {
				fmt.Fprintf(&b, "%d %s", c.Line, strings.Join(append(append([]string{}, c.Through...), c.Name), ">"))
				for _, a := range c.Args {
					mark := ""
					if !a.Known {
						mark = "?"
					}
					fmt.Fprintf(&b, " %s%s", a.Text, mark)
				}
				if c.Into != nil {
					fmt.Fprintf(&b, " | %s", c.Into.Name)
				}
				if c.Sometimes {
					b.WriteString(" (sometimes)")
				}
				if c.Dir != "" {
					fmt.Fprintf(&b, " in %s", c.Dir)
				}
				b.WriteString("\n")
			}
			if step.Script != nil && step.Script.Unread != "" {
				fmt.Fprintf(&b, "%d unread: %s\n", step.Line, step.Script.Unread)
			}
		}
	}
	final := f.Final()
	for _, g := range final.Accounts.Groups {
		fmt.Fprintf(&b, "group %s %d\n", g.Name, g.GID)
	}
	for _, u := range final.Accounts.Users {
		fmt.Fprintf(&b, "user %s %d:%s %s %s locked=%v\n", u.Name, u.UID, u.Group, u.Home, u.Shell, u.Locked)
	}
	for _, n := range final.Tree.All() {
		mode := "?"
		if n.ModeKnown {
			mode = fmt.Sprintf("%04o", n.Mode)
		}
		fmt.Fprintf(&b, "%s %s %s:%s\n", n.Path, mode, n.Owner, n.Group)
	}
	return strings.TrimSpace(b.String())
}

// TestParse holds what files are read as.
func TestParse(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"arguments, stages on stages, lines of continued steps", `
			ARG V=12
			FROM debian:$V AS base
			ARG NAME=tree EMPTY
			RUN apt-get update && \
			    # a comment
			    apt-get install -y $NAME=${VERSION:-1} $EMPTY \
			    && true
			FROM BASE
			RUN echo done`, `
			stage base: debian:12
			4 apt-get update
			6 apt-get install -y tree=1 $EMPTY?
			7 true
			stage 1: BASE on base
			9 echo done`},
		{"prefixes, pipes, branches, scripts in scripts", `
			FROM a
			RUN sudo -u x env A=1 make -j || exit 1; if a; then b; fi
			RUN bash -lc 'curl x | sh' && timeout 5 x; cd /src && make
			RUN ["sh", "-c", "a && b"]`, `
			stage 0: a
			2 sudo>env>make -j
			2 exit 1 (sometimes)
			2 a (sometimes)
			2 b (sometimes)
			3 bash -lc curl x | sh
			3 bash>curl x | sh
			3 bash>sh
			3 timeout>x
			3 cd /src
			3 make in /src
			4 sh -c a && b
			4 sh>a
			4 sh>b`},
		{"heredocs", `
			FROM a
			RUN <<ONE
			a
			b | c
			ONE
			RUN python3 <<TWO
			import os
			TWO
			RUN <<THREE
			#!/usr/bin/python3
			import os
			THREE`, `
			stage 0: a
			3 a
			4 b | c
			4 c
			6 python3
			9 unread: a program in another language: #!/usr/bin/python3`},
		{"accounts of Debian and of busybox", `
			FROM a
			RUN groupadd -r -g 500 g && useradd -rmu 501 -g g -s /bin/sh a; usermod -L -s /usr/sbin/nologin a
			RUN addgroup -S h && adduser -S -D -H -u 502 -G h -h /srv b; adduser --disabled-password --gecos "" --uid 503 c`, `
			stage 0: a
			2 groupadd -r -g 500 g
			2 useradd -rmu 501 -g g -s /bin/sh a
			2 usermod -L -s /usr/sbin/nologin a
			3 addgroup -S h
			3 adduser -S -D -H -u 502 -G h -h /srv b
			3 adduser --disabled-password --gecos  --uid 503 c
			group g 500
			group h -1
			group c 503
			user a 501:g /home/a /usr/sbin/nologin locked=true
			user b 502:h /srv  locked=true
			user c 503:c /home/c  locked=true
			/home/a ? a:g
			/home/c ? c:c`},
		{"modes and owners through steps and stages", `
			FROM a AS one
			RUN umask 027 && mkdir -p /x/{y,z} && chmod u=rwx,go= /x/y && touch /x/f && chown -R me:us /x && install -d -m 1777 -o o -g g /t
			FROM b
			WORKDIR /w
			COPY --from=one --chown=7:8 /x /new
			COPY --chmod=640 f /w/
			RUN chmod o+w f && rm -rf /new/z`, `
			stage one: a
			2 umask 027
			2 mkdir -p /x/y /x/z
			2 chmod u=rwx,go= /x/y
			2 touch /x/f
			2 chown -R me:us /x
			2 install -d -m 1777 -o o -g g /t
			stage 1: b
			7 chmod o+w f in /w
			7 rm -rf /new/z in /w
			/new 0750 7:8
			/new/f 0640 7:8
			/new/y 0700 7:8
			/w 0755 :
			/w/f 0642 :`},
		{"another shell, and Windows", "\n# escape=`\nFROM a\nSHELL [\"pwsh\", \"-c\"]\nRUN x `\n  y\nFROM mcr.microsoft.com/windows/servercore\nRUN dir C:\\", `
			stage 0: a
			4 unread: a command for pwsh
			stage 1: mcr.microsoft.com/windows/servercore
			7 unread: a command of Windows`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Parse("Dockerfile", []byte(trim(test.file)+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(f); got != trim(test.want) {
				t.Errorf("found:\n%s\nexpected:\n%s", got, trim(test.want))
			}
		})
	}
}

// trim removes the indentation of a test's text.
func trim(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(s, "\n\t\t\t", "\n")), "\n\t\t\t", "\n")
}

// TestPackaging holds what calls of package managers are read as.
func TestPackaging(t *testing.T) {
	for command, want := range map[string]string{
		"apt-get -qq -y --no-install-recommends install -t x a=1:2-3 b/y ./c.deb": "apt install a=1:2-3 b= ./c.deb!",
		"apt-get purge -y --auto-remove":                                          "apt remove",
		"apk add --no-cache --virtual v a~=1 b":                                   "apk install a=1 b=",
		"python3 -m pip install -r r.txt a==1 'b[x]>=2' ./c":                      "pip install a=1 b= ./c! files r.txt",
		"pip3 install --find-links d --no-index e":                                "pip install e=",
		"npm ci":                        "npm install lock",
		"npm i -g @x/y@1.2.3 z":         "npm install @x/y=1.2.3 z=",
		"dnf -y install a-1.2-3 b":      "dnf install a=1.2-3 b=",
		"zypper --non-interactive in a": "zypper install a=",
		"gem install a:1 b":             "gem install a=1 b=",
		"go install x/y@latest z@v1":    "go install x/y= z=v1",
		"yarn":                          "npm install",
		"make install":                  "",
	} {
		f, err := Parse("Dockerfile", []byte("FROM a\nRUN "+command+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if p, ok := f.Final().Steps[0].Commands()[0].Packaging(); ok {
			got = p.Manager + " " + p.Verb
			for _, pkg := range p.Packages {
				switch {
				case pkg.Local:
					got += " " + pkg.Text + "!"
				default:
					got += " " + pkg.Name + "=" + pkg.Version
				}
			}
			for _, file := range p.Files {
				got += " files " + file
			}
			if p.Lock {
				got += " lock"
			}
		}
		if got != want {
			t.Errorf("%s is %q, expected %q", command, got, want)
		}
	}
}

// TestMode holds modes as chmod(1) reads them.
func TestMode(t *testing.T) {
	for _, test := range []struct {
		mode         string
		before, want uint32
		ok           bool
	}{
		{"755", 0, 0o755, true}, {"04755", 0, 0o4755, true}, {"u+s", 0o755, 0o4755, true}, {"go-w", 0o777, 0o755, true}, {"a=rX", 0o700, 0o555, true},
		{"o=", 0o755, 0o750, true}, {"g=u", 0o750, 0o770, true}, {"+x", 0o644, 0o755, true}, {"u=rwx,go=rx", 0, 0o755, true}, {"+t", 0o777, 0o1777, true},
		{"x", 0o644, 0o644, false}, {"999", 0o644, 0o644, false}, {"", 0o644, 0o644, false}, {"u~x", 0o644, 0o644, false},
	} {
		if got, ok := applyMode(test.mode, test.before, false); got != test.want || ok != test.ok {
			t.Errorf("%q of %04o is %04o %v, expected %04o %v", test.mode, test.before, got, ok, test.want, test.ok)
		}
	}
}
