package text_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// files writes the directory /w of a tree as text: type, mode, owner, name, content.
func files(t testing.TB, fs *rootfs.FS) string {
	t.Helper()
	var b strings.Builder
	for n := range fs.Tree.All() {
		name, ok := strings.CutPrefix(n.Path, "w/")
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "%v %04o %d:%d %s", n.Type, n.Mode, n.UID, n.GID, name)
		switch n.Type {
		case tree.File:
			content, err := fs.Tree.ReadFile(n.Path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " %q", content)
		case tree.Symlink:
			fmt.Fprintf(&b, " -> %s", n.Link)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// What commands leave in the tree.
func TestEffects(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"in place keeps mode and owner", `sed -i s/a/b/ conf`, "file 0640 5:7 conf \"b=1\\n\"\nsymlink 0777 0:0 link -> conf\n"},
		{"in place, unchanged", `sed -i s/x/y/ conf`, "file 0640 5:7 conf \"a=1\\n\"\nsymlink 0777 0:0 link -> conf\n"},
		{"a link that is edited becomes a file", `sed -i s/a/b/ link`, "file 0640 5:7 conf \"a=1\\n\"\nfile 0640 5:7 link \"b=1\\n\"\n"},
		{"or is followed", `sed -i --follow-symlinks s/a/b/ link`, "file 0640 5:7 conf \"b=1\\n\"\nsymlink 0777 0:0 link -> conf\n"},
		{"a backup", `sed -i.bak s/a/b/ conf`, "file 0640 5:7 conf \"b=1\\n\"\nfile 0640 5:7 conf.bak \"a=1\\n\"\nsymlink 0777 0:0 link -> conf\n"},
		{"a backup with another name", `sed -i'old_*' s/a/b/ conf`, "file 0640 5:7 conf \"b=1\\n\"\nsymlink 0777 0:0 link -> conf\nfile 0640 5:7 old_conf \"a=1\\n\"\n"},
		{"files of the command w", `umask 077; sed -n 's/=1/=2/w out' conf`, "file 0640 5:7 conf \"a=1\\n\"\nsymlink 0777 0:0 link -> conf\nfile 0600 0:0 out \"a=2\\n\"\n"},
		{"files of tee", `echo x | tee -a conf new >/dev/null`, "file 0640 5:7 conf \"a=1\\nx\\n\"\nsymlink 0777 0:0 link -> conf\nfile 0644 0:0 new \"x\\n\"\n"},
		{"the output of sort", `printf '2\n1\n' >>conf; sort -o conf conf`, "file 0640 5:7 conf \"1\\n2\\na=1\\n\"\nsymlink 0777 0:0 link -> conf\n"},
		{"files of awk", `awk '{print > "one"; print $1 >> "conf"}' conf`, "file 0640 5:7 conf \"a=1\\na=1\\n\"\nsymlink 0777 0:0 link -> conf\nfile 0644 0:0 one \"a=1\\n\"\n"},
		{"packing and unpacking", `gzip -9n conf; gunzip conf.gz`, "file 0640 5:7 conf \"a=1\\n\"\nsymlink 0777 0:0 link -> conf\n"},
		{"env leaves nothing behind", `A=1 env B=2 C=3 sh -c 'echo $A$B$C >x'; echo "$B" >>x`, "file 0640 5:7 conf \"a=1\\n\"\nsymlink 0777 0:0 link -> conf\nfile 0644 0:0 x \"123\\n\\n\"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sh := newShell(t)
			for _, err := range []error{
				sh.FS.WriteFile("/w/conf", []byte("a=1\n"), 0o640), sh.FS.Chown("/w/conf", 5, 7, true), sh.FS.Symlink("conf", "/w/link"),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if out, err := runIn(t, sh, tt.script); err != nil || out != "" {
				t.Fatalf("%v, printed %q", err, out)
			}
			if got := files(t, sh.FS); got != tt.want {
				t.Errorf("the tree is\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// A script that needs what is not provided ends with an error that says what.
func TestUnsupported(t *testing.T) {
	tests := []struct{ script, want string }{
		{`sed --debug p`, "sed: option --debug"},
		{`sort --random-sort`, "sort: option --random-sort"},
		{`sort -R`, "sort: option -R"},
		{`grep -P '(?=x)' /dev/null`, `grep: the Perl expression "(?=x)"`},
		{`date -d 'first monday of next year'`, `date: the date "first monday of next year"`},
		{`date -s 12:00`, "date: option -s"},
		{`shuf -e a b`, "the command shuf"},
		{`chroot /w true`, "chroot into /w"},
		{`yes >file`, "yes into a file"},
		{`hostname new`, `hostname: option or operand of ["hostname" "new"]`},
		{`uname -m`, "uname: the machine of an image without a C library"},
		{`cat /proc/cpuinfo`, "reading /proc/cpuinfo, which is the running machine's,"},
		{`awk 'BEGIN { while ((getline x < "/dev/urandom") > 0) print x }'`, "reading /dev/urandom, which is the running machine's,"},
		{`head -c 8 /dev/urandom`, "reading /dev/urandom, which is the running machine's,"},
		{`echo a | xargs -p echo`, "xargs: option -p"},
		{`awk --lint 1`, "awk: option --lint"},
	}
	for _, tt := range tests {
		_, err := run(t, tt.script)
		if e, ok := errors.AsType[*shell.UnsupportedError](err); !ok || e.Need != tt.want {
			t.Errorf("%s: %v, want %s", tt.script, err, tt.want)
		}
	}
}

// What does not end, or grows without end, is stopped.
func TestLimits(t *testing.T) {
	for _, script := range []string{
		`echo x | sed ':a;s/x/y/;s/y/x/;ba'`,
		`echo xxxxxxxxxxxxxxxx | sed ':a;G;h;ba'`,
		`awk 'BEGIN { while (1) i++ }'`,
		`awk 'BEGIN { while (1) a[i++] }'`,
		`awk 'BEGIN { s = "x"; while (1) s = s s }'`,
		`awk 'function f() { return f() } BEGIN { f() }'`,
		`awk 'BEGIN { printf "%2000000s", "x" }'`,
		`seq 1 100000000000`,
	} {
		sh := newShell(t)
		sh.Limits = shell.Limits{Steps: 1000, Output: 1 << 20}
		_, err := runIn(t, sh, script)
		if _, ok := errors.AsType[*shell.LimitError](err); !ok {
			t.Errorf("%s: %v, want a limit", script, err)
		}
	}
}

// The answers about the machine are those of the image.
func TestMachine(t *testing.T) {
	sh := newShell(t)
	for _, err := range []error{
		sh.FS.MkdirAll("/lib", 0o755), sh.FS.WriteFile("/lib/ld-linux-aarch64.so.1", nil, 0o755),
		sh.FS.MkdirAll("/usr/lib/locale/C.utf8", 0o755), sh.FS.WriteFile("/usr/lib/locale/C.utf8/LC_CTYPE", nil, 0o644),
		sh.FS.WriteFile("/etc/os-release", []byte("PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\nID=debian\n"), 0o644),
		sh.FS.WriteFile("/usr/bin/tool", nil, 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := runIn(t, sh, `
		uname -srm; uname -n; arch; nproc; hostname; getconf LONG_BIT; date; date +%s; locale -a; lsb_release -sic; lsb_release -d
		which tool nothing; echo $?; tty; awk 'BEGIN { print systime(), strftime("%F", 0, 1), rand() == rand(), srand(5), srand() }'
		awk 'BEGIN { a["z"]; a["a"]; a["m"]; for (k in a) printf "%s ", k; print "" }'`)
	want := "Linux 6.12.0 aarch64\nlocalhost\naarch64\n1\nlocalhost\n64\nWed Jan  1 00:00:00 UTC 2025\n1735689600\n" +
		"C\nC.utf8\nPOSIX\nDebian\ntrixie\nDescription:\tDebian GNU/Linux 13 (trixie)\n/usr/bin/tool\n1\nnot a tty\n" +
		"1735689600 1970-01-01 0 0 5\nz a m \n"
	if err != nil || out != want {
		t.Errorf("%v\nprinted %q\nwant    %q", err, out, want)
	}
}

// A time zone is read from the image.
func TestTimeZone(t *testing.T) {
	out, err := run(t, `TZ=Nowhere/Else date -d @0 +%H%Z; date -u -d '2024-03-01 -1 day' +%F; date -r . +%s 2>/dev/null; date -d "$(LC_ALL=C TZ=UTC0 date)" +%s`)
	if want := "00UTC\n2024-02-29\n0\n1735689600\n"; err != nil || out != want {
		t.Errorf("%v, printed %q, want %q", err, out, want)
	}
}

// Commands never panic and always end, whatever they are asked.
func FuzzCommands(f *testing.F) {
	names := []string{
		"sed", "awk", "grep", "egrep", "expr", "tr", "cut", "sort", "date", "seq", "head", "tail", "printf", "od", "xxd", "numfmt", "join",
		"fold", "unexpand", "expand", "nl", "paste", "comm", "diff", "cmp", "uniq", "wc", "xargs", "env", "base64", "md5sum", "tsort", "cat",
		"hexdump", "strings", "cksum", "which", "getconf", "basename", "dirname", "timeout", "gunzip", "unxz",
	}
	for i, args := range []string{
		"s/\\(a\\)b*/\\U\\1/gp;$!N;P;D", "{x[$1]++; print > \"/dev/stdout\"} END {for (k in x) printf \"%5.2f\", k}", "-e a -A1", "^(a|b)+$",
		"( 1 + 2 ) : .*", "a-z [:upper:]", "-d: -f1,3-", "-t: -k2,2nr -u", "+%Y-%j -d@0", "-w 1 .5 3", "-n -2", "-c +3", "%05d%b x",
	} {
		f.Add(byte(i), args, "a b\nb:c\n\xff\x00x")
	}
	f.Fuzz(func(t *testing.T, which byte, args, input string) {
		if len(args) > 200 || len(input) > 500 {
			return
		}
		sh := newShell(t)
		sh.Limits = shell.Limits{Steps: 1000, Output: 1 << 20}
		if err := sh.FS.WriteFile("/w/in", []byte(input), 0o644); err != nil {
			t.Fatal(err)
		}
		words := []string{names[int(which)%len(names)]}
		if words[0] == "sed" || words[0] == "awk" {
			words = append(words, "--", args) // a script is one word
		} else {
			words = append(words, strings.Fields(args)...)
		}
		for i, word := range words {
			words[i] = "'" + strings.NewReplacer("'", `'\''`, "\x00", "").Replace(word) + "'"
		}
		_, _ = runIn(t, sh, strings.Join(words, " ")+" <in")
	})
}
