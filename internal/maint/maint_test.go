package maint_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/tree"
)

const time2025 = 1754697600

// unpacked makes a tree of lines "path", "path/", "path -> target" or
// "path: text", with a mode in brackets where it is not 0644 or 0755. Lines
// that begin with "spec " come from the spec.
func unpacked(t *testing.T, text string) *tree.Tree {
	t.Helper()
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, time2025)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		origin := &tree.Origin{Kind: tree.FromPackage, Package: "test", Version: "1"}
		if rest, ok := strings.CutPrefix(line, "spec "); ok {
			line, origin = rest, &tree.Origin{Kind: tree.FromSpec, Spec: "image.yaml:7"}
		}
		n := &tree.Node{Mode: 0o644, ModTime: time2025, Origin: origin}
		head, text, isFile := strings.Cut(line, ": ")
		if p, mode, ok := strings.Cut(head, " ["); ok {
			m, err := strconv.ParseUint(strings.TrimSuffix(mode, "]"), 8, 32)
			if err != nil {
				t.Fatal(err)
			}
			head, n.Mode = p, uint32(m)
		}
		switch p, to, isLink := strings.Cut(head, " -> "); {
		case isLink:
			n.Path, n.Type, n.Link, n.Mode = p, tree.Symlink, to, 0o777
		case strings.HasSuffix(head, "/"):
			n.Path, n.Type = strings.TrimSuffix(head, "/"), tree.Dir
			if n.Mode == 0o644 {
				n.Mode = 0o755
			}
		default:
			b := []byte(strings.ReplaceAll(text, `\n`, "\n"))
			if !isFile {
				n.Mode = 0o755
			}
			n.Path, n.Size, n.Content = head, int64(len(b)), tree.Bytes(b)
		}
		if err := tr.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// made prints the paths that scripts or the builder made: path, type, mode and
// owner, link or text, and what made it.
func made(tr *tree.Tree) string {
	var b strings.Builder
	for n := range tr.All() {
		if n.Origin.Kind != tree.FromScript && (n.Origin.Kind != tree.FromBuilder || n.Origin.Command == "") {
			continue
		}
		fmt.Fprintf(&b, "%s %s", n.Path, n.Type)
		switch n.Type {
		case tree.Symlink:
			fmt.Fprintf(&b, " -> %s", n.Link)
		default:
			fmt.Fprintf(&b, " %04o %d:%d", n.Mode, n.UID, n.GID)
		}
		if n.Type == tree.File {
			text, _ := tr.ReadFile(n.Path)
			fmt.Fprintf(&b, " %q", text)
		}
		fmt.Fprintf(&b, " | %s: %s\n", n.Origin.Package, n.Origin.Command)
	}
	return b.String()
}

func TestRun(t *testing.T) {
	tests := []struct {
		name     string
		tree     string
		packages map[string]string // name to postinst
		want     string
		skipped  string
	}{{
		name: "a package nobody has seen: alternatives are read off its script",
		tree: `
			usr/bin/mawk [755]
			usr/share/man/man1/mawk.1.gz: page`,
		packages: map[string]string{"mawk": `#!/bin/sh
			if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ]; then
			    update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \
			        --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \
			        --slave /usr/share/man/man1/absent.1.gz absent.1.gz /usr/share/man/man1/absent-mawk.1.gz
			fi`},
		want: `
			etc dir 0755 0:0 | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			etc/alternatives dir 0755 0:0 | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			etc/alternatives/awk symlink -> /usr/bin/mawk | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			etc/alternatives/awk.1.gz symlink -> /usr/share/man/man1/mawk.1.gz | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			usr/bin/awk symlink -> /etc/alternatives/awk | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			usr/share/man/man1/awk.1.gz symlink -> /etc/alternatives/awk.1.gz | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			var dir 0755 0:0 | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			var/lib dir 0755 0:0 | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			var/lib/dpkg dir 0755 0:0 | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			var/lib/dpkg/alternatives dir 0755 0:0 | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
			var/lib/dpkg/alternatives/awk file 0644 0:0 "auto\n/usr/bin/awk\nabsent.1.gz\n/usr/share/man/man1/absent.1.gz\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\n\n/usr/bin/mawk\n5\n/usr/share/man/man1/absent-mawk.1.gz\n/usr/share/man/man1/mawk.1.gz\n\n" | mawk: update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5`,
	}, {
		name: "what the spec put there stays, and upgrades are not followed",
		tree: `
			usr/share/zoneinfo/Etc/UTC: TZif
			spec etc/localtime -> /usr/share/zoneinfo/Europe/Paris
			usr/share/readline/inputrc: set bell-style none\n`,
		packages: map[string]string{
			"tzdata":          "#!/bin/sh\nln -nsf /usr/share/zoneinfo/Etc/UTC \"$DPKG_ROOT/etc/localtime\"\n",
			"readline-common": "#!/bin/sh\nif [ \"$1\" = configure ]; then cp -p /usr/share/readline/inputrc /etc/inputrc; fi\nif [ -n \"$2\" ]; then frobnicate /etc; fi\n",
		},
		want: `etc/inputrc file 0644 0:0 "set bell-style none\n" | readline-common: cp -p /usr/share/readline/inputrc /etc/inputrc`,
	}, {
		name: "here-documents, log files with an owner, a directory that becomes a link",
		tree: `
			etc/
			var/run/
			spec var/run/app/
			var/log/nginx/`,
		packages: map[string]string{
			"base-files":   "#!/bin/sh\nmigrate_directory /var/run /run\n",
			"netbase":      "#!/bin/sh\ncat > /etc/hosts <<-EOF\n\t127.0.0.1\tlocalhost\nEOF\n",
			"nginx-common": "#!/bin/sh\nlogdir=/var/log/nginx\nchown root:adm $logdir\ntouch $logdir/access.log\n",
		},
		want: `
			etc/hosts file 0644 0:0 "127.0.0.1\tlocalhost\n" | netbase: cat > /etc/hosts
			var/log/nginx dir 0755 0:4 | nginx-common: mkdir /var/log/nginx
			var/log/nginx/access.log file 0640 33:4 "" | nginx-common: touch /var/log/nginx/access.log
			var/run symlink -> /run | base-files: ln -s /run /var/run`,
		skipped: "base-files postinst:2: migrate_directory /var/run /run\n",
	}, {
		name: "overrides by the name of an account that a script makes",
		tree: `usr/lib/launch [755]`,
		packages: map[string]string{"bus": `#!/bin/sh
			adduser --system --group --no-create-home bus
			dpkg-statoverride --list /usr/lib/launch >/dev/null || dpkg-statoverride --update --add root bus 4754 /usr/lib/launch`},
		want: `usr/lib/launch file 4754 0:101 "" | bus: dpkg-statoverride root bus 4754 /usr/lib/launch`,
	}, {
		name: "libc without libc-bin, and scripts with effects nobody knows",
		packages: map[string]string{
			"libc6":   "#!/bin/sh\nldconfig\n",
			"mystery": "#!/bin/sh\nif [ \"$RET\" = true ]; then frobnicate --now; fi\n",
			"perlish": "#!/usr/bin/perl\nprint 1;\n",
			"quiet":   "#!/bin/sh\nrm -f /etc/old\ndpkg-maintscript-helper rm_conffile /etc/x 1 -- \"$@\"\nif [ -d /run/systemd/system ]; then frobnicate; fi\n",
			"broken":  "#!/bin/sh\nif true; then\n",
			"awkward": "#!/bin/sh\nupdate-alternatives --install /usr/bin/x x $(frob) 5\n",
		},
		want: `
			etc dir 0755 0:0 | : default /etc/nsswitch.conf
			etc/nsswitch.conf file 0644 0:0 "passwd:         files\ngroup:          files\nshadow:         files\ngshadow:        files\n\nhosts:          files dns\nnetworks:       files\n\nprotocols:      files\nservices:       files\nethers:         files\nrpc:            files\n\nnetgroup:       files\n" | : default /etc/nsswitch.conf`,
		skipped: `awkward postinst:2: frob
broken postinst:0: postinst:2:10: ` + "`then` must be followed by a statement list" + `
mystery postinst:2: frobnicate --now
perlish postinst:0: postinst: interpreter "/usr/bin/perl": not a shell script
`,
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			img := &maint.Image{Tree: unpacked(t, tt.tree), Architecture: "amd64", Time: time2025}
			for _, name := range sortedKeys(tt.packages) {
				img.Packages = append(img.Packages, maint.Package{Name: name, Version: "1", Scripts: map[string]string{"postinst": tt.packages[name]}})
			}
			report, err := maint.Run(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			first := made(img.Tree)
			if got, want := first, dedent(tt.want); got != want {
				t.Errorf("made:\n%s\nwant:\n%s", got, want)
			}
			var skipped strings.Builder
			for _, s := range report.Skipped {
				fmt.Fprintln(&skipped, s)
			}
			if skipped.String() != tt.skipped {
				t.Errorf("skipped:\n%s\nwant:\n%s", skipped.String(), tt.skipped)
			}
			if _, err := maint.Run(t.Context(), img); err != nil {
				t.Fatal(err)
			}
			if again := made(img.Tree); again != first {
				t.Errorf("a second run changed the tree:\n%s\nwas:\n%s", again, first)
			}
		})
	}
}

func dedent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
