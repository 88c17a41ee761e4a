package closure

import (
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree/treetest"
)

// The images that the project ships, made of real packages with all that these
// depend on, pass the check; each fails it, with the chain, when a package with a
// needed file is taken out.
func TestRealArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: needs the network")
	}
	archive := treetest.OpenArchive(t, "trixie", "amd64")
	const jre = "/usr/lib/jvm/java-21-openjdk-amd64/bin/java"
	for _, test := range []struct {
		name       string
		packages   string
		entrypoint string
		warnings   []string          // what is missing in them
		without    map[string]string // a package: the start of the first problem
	}{
		{"static", "base-files tzdata ca-certificates", "", nil, nil},
		{"base", "base-files libc6 libc-bin", "getconf", nil, map[string]string{
			"libc6": "/usr/bin/getconf needs the dynamic linker /lib64/ld-linux-x86-64.so.2, which no path of the image has",
		}},
		{"cc", "base-files libstdc++6", "", nil, map[string]string{
			"libgcc-s1": "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.33 needs libgcc_s.so.1, which no path of the image has",
		}},
		{"python", "base-files python3.13", "python3.13", nil, map[string]string{
			"zlib1g":             "/usr/bin/python3.13 needs libz.so.1, which no path of the image has: /usr/bin/python3.13 -> libz.so.1",
			"libssl3t64":         "/usr/lib/python3.13/lib-dynload/_hashlib.cpython-313-x86_64-linux-gnu.so needs libcrypto.so.3, which no path",
			"libsqlite3-0":       "/usr/lib/python3.13/lib-dynload/_sqlite3.cpython-313-x86_64-linux-gnu.so needs libsqlite3.so.0, which no path",
			"python3.13-minimal": "python3.13 is the entrypoint, but no directory of PATH has it: " + DefaultPath,
		}},
		{"node", "base-files nodejs", "node", nil, map[string]string{
			"libuv1t64": "/usr/bin/node needs libuv.so.1, which no path of the image has: /usr/bin/node -> ",
			"libicu76":  "/usr/bin/node needs libicu",
		}},
		{"openjdk", "base-files openjdk-21-jre-headless", jre, []string{"libjvm.so", "libharfbuzz.so.0", "libfreetype.so.6", "libasound.so.2"}, map[string]string{
			"zlib1g": jre + " needs libz.so.1, which no path of the image has: " + jre + " -> ",
		}},
		{"postgresql-client", "base-files postgresql-client-17", "psql", nil, map[string]string{
			"libpq5":    "/usr/lib/postgresql/17/bin/clusterdb needs libpq.so.5",
			"perl-base": "/usr/bin/psql needs the interpreter /usr/bin/perl, which no path of the image has: /usr/bin/psql -> /usr/bin/perl",
		}},
		{"nginx", "base-files nginx libnginx-mod-stream libnginx-mod-http-perl", "nginx -g daemon", nil, map[string]string{
			"libpcre2-8-0": "/usr/sbin/nginx needs libpcre2-8.so.0, which no path of the image has: /usr/sbin/nginx -> libpcre2-8.so.0",
			"libssl3t64":   "/usr/sbin/nginx needs libssl.so.3, which no path of the image has: /usr/sbin/nginx -> libssl.so.3",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			packages := strings.Fields(test.packages)
			root := archive.Unpack(t, archive.Closure(t, packages...)...)
			image := treetest.Load(t, root, nil)
			recommended := archive.Recommends(t, packages[len(packages)-1])
			options := Options{
				Entrypoint: strings.Fields(test.entrypoint),
				Recommends: func(string) []string { return recommended },
			}
			problems, err := Check(image, "amd64", options)
			if err != nil {
				t.Fatal(err)
			}
			var warnings []string
			for _, p := range problems {
				if p.Severity == Error {
					t.Error(p)
				}
				warnings = append(warnings, p.Missing())
			}
			if got, want := strings.Join(warnings, " "), strings.Join(test.warnings, " "); got != want {
				t.Errorf("warnings of %s, want %s", got, want)
			}
			t.Logf("%d paths, %d warnings", image.Len(), len(warnings))
			for pkg, want := range test.without {
				broken := treetest.Load(t, root, nil)
				for _, name := range archive.Files(t, pkg) {
					broken.Remove(name)
				}
				problems, err := Check(broken, "amd64", options)
				if err != nil {
					t.Fatal(err)
				}
				if len(problems) == 0 || problems[0].Severity != Error || !strings.HasPrefix(problems[0].Error(), want) {
					t.Errorf("without %s: problems %v, want first %s", pkg, problems, want)
				}
			}
		})
	}
}
