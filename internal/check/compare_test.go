package check

import (
	"archive/tar"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hardpan/hardpan/internal/harden"
)

var update = flag.Bool("update", false, "write the tables of the comparison with others")

// theirs are images for what Dockle and docker-bench look at, each with one fault: the
// forms that their code knows, beside those of fixtures.
var theirs = []struct {
	name   string
	change func(*fixture)
}{
	{"USER root:root", user("root:root")},
	{"HEALTHCHECK of an empty object", func(f *fixture) { f.config.Healthcheck = &v1.HealthConfig{} }},
	{"apt update alone, in bash with pipefail", steps("RUN /bin/bash -o pipefail -c apt update # buildkit")},
	{"the same of the classic builder", steps("/bin/bash -o pipefail -c apt-get update")},
	{"apt-get update after time", steps("/bin/sh -c time apt-get update")},
	{"apt-get update within if", steps("RUN /bin/sh -c if true; then apt-get -q update && true; fi # buildkit")},
	{"apt-get update by sudo -E", steps("RUN /bin/sh -c sudo -E apt-get update && sudo -E apt-get install x=1 # buildkit")},
	{"apt-get update, a line later the installation", steps("/bin/sh -c apt-get update", "/bin/sh -c apt-get install -y x=1 && rm -rf /var/lib/apt/lists/*")},
	{"apt-get update && apt-get upgrade", steps("/bin/sh -c apt-get update && apt-get upgrade -y && rm -rf /var/lib/apt/lists/*")},
	{"package lists removed before the installation", steps("/bin/sh -c rm -rf /var/lib/apt/lists/* && apt-get update && apt-get install -y x=1")},
	{"package lists looked at", steps("/bin/sh -c apt-get update && apt-get install -y x=1 && ls /var/lib/apt/lists")},
	{"apt cleaned, the lists left", steps("/bin/sh -c apt-get update && apt-get install -y x=1 && apt-get clean")},
	{"dist-upgrade by apt", steps("/bin/sh -c apt update && apt -y dist-upgrade && rm -rf /var/lib/apt/lists/*")},
	{"apk add behind apk update", steps("RUN /bin/sh -c apk update && apk add tini=1 # buildkit")},
	{"the same after set -eux", steps("RUN /bin/sh -c set -eux; apk add --virtual .build tini=1 # buildkit")},
	{"sudo installed", steps("RUN /bin/sh -c apt-get update && apt-get install -y sudo # buildkit")},
	{"sudo in the middle", steps("RUN /bin/sh -c cd /src && sudo make install # buildkit")},
	{"sudo in a health check", steps(`HEALTHCHECK {Test:[CMD-SHELL sudo true ]}`)},
	{"ADD of a URL", steps("ADD https://example.com/x.tar.gz /x # buildkit")},
	{"ADD of the classic builder", steps("/bin/sh -c #(nop) ADD file:aabb in /x ")},
	{"ADD twice, none of them the first step", func(f *fixture) {
		f.history = []string{"debuerreotype 0.15", "ADD x /x # buildkit", "ADD y /y # buildkit"}
	}},
	{"ENV with a password, by the history", func(f *fixture) {
		env("MYSQL_PASSWORD=hunter2hunter2")(f)
		steps("ENV MYSQL_PASSWORD=hunter2hunter2")(f)
	}},
	{"ENV in lower case", func(f *fixture) { env("api_token=hunter2hunter2")(f); steps("ENV api_token=hunter2hunter2")(f) }},
	{"ENV of a name that has one of the words in it", func(f *fixture) { env("PASSENGER_VERSION=6.0.1")(f); steps("ENV PASSENGER_VERSION=6.0.1")(f) }},
	{"ENV that names a file", func(f *fixture) {
		env("SECRET_FILE=/run/secrets/db")(f)
		steps("ENV SECRET_FILE=/run/secrets/db")(f)
	}},
	{"ENV that a later step took back", steps("ENV OLD_ACCESS=aaaaaaaaaa")},
	{"a password on a command line", steps("RUN /bin/sh -c mysql --password=hunter2hunter2 -e x # buildkit")},
	{"a variable before a command", steps("RUN /bin/sh -c GITHUB_TOKEN=abcdefabcdef make # buildkit")},
	{"a variable in quotes", steps(`RUN /bin/sh -c export "MY_SECRET=abcdefabcdef" && make # buildkit`)},
	{"ARG with a value", steps("ARG DEPLOY_KEY=abcdefabcdef")},
	{"LABEL with a key", steps("LABEL api_key=abcdefabcdef")},
	{"VOLUME /sys", func(f *fixture) { f.config.Volumes = map[string]struct{}{"/sys": {}} }},
	{"VOLUME /dev", func(f *fixture) { f.config.Volumes = map[string]struct{}{"/dev": {}} }},
	{"an empty password in shadow", file("/etc/shadow 640 0:42 root:*:1:::::\\napp::1:::::\\n")},
	{"an entry of NIS in shadow", file("/etc/shadow 640 0:42 root:*:1:::::\\n+::::::::\\n")},
	{"an empty password in master.passwd", file("/etc/master.passwd 600 0:0 root::0:0::0:0:x:/root:/bin/sh\\n")},
	{"a comment in shadow", file("/etc/shadow 640 0:42 # nothing\\nroot:*:1:::::\\n")},
	{"two users of one number", account("x:x:5:5::/:/usr/sbin/nologin\\ny:x:5:6::/:/usr/sbin/nologin\\n")},
	{"two groups of one number", file("/etc/group 644 0:0 root:x:0:\\nshadow:x:42:\\napp:x:1000:\\nlate:x:1000:\\n")},
	{"set-user-id on a script", file("/app/x.sh 4755 0:0 #!/bin/sh\\n")},
	{"set-group-id without execution", file("/app/x 2644 0:0 x")},
	{"set-user-id on a hard link", file("/app/a 4755 0:0 x", "/app/b 4755 0:0 => /app/a")},
}

func init() {
	add := func(name string, change func(*fixture)) {
		theirs = append(theirs, struct {
			name   string
			change func(*fixture)
		}{name, change})
	}
	for _, base := range strings.Fields("credentials.json credential.json credentials credential password.txt id_rsa id_dsa id_ecdsa id_ed25519 secret_token.rb carrierwave.rb omniauth.rb settings.py database.yml credentials.xml .env") {
		add("a file "+base, file("/app/conf/"+base+" 600 0:0 x"))
	}
	for _, ext := range strings.Fields(".secret .ovpn .private_key .cscfg .rdp .mdf .sdf .bek .tpm .fve .jks .psafe3 .agilekeychain .keychain .pcap .gnucache") {
		add("a file x"+ext, file("/app/conf/x"+ext+" 600 0:0 x"))
	}
	add("a file that is only an extension", file("/app/conf/.pcap 600 0:0 x"))
	add("an empty .env", file("/app/.env 600 0:0"))
	add("a link .env", file("/app/conf/.env 777 0:0 -> ../x"))
	add("a hard link id_rsa", file("/app/a 600 0:0 x", "/app/id_rsa 600 0:0 => /app/a"))
	for _, base := range strings.Fields("Dockerfile docker-compose.yml .vimrc .DS_Store") {
		add("a file "+base, file("/app/"+base+" 644 0:0 x"))
	}
	for _, dir := range strings.Fields(".cache .aws .azure .gcp .git .vscode .idea .npm") {
		add("a directory "+dir, file("/app/"+dir+"/x 644 0:0 x"))
	}
	add("an empty file in .cache", file("/app/.cache/x 644 0:0"))
}

// A compared is an image with what all say of it.
type compared struct {
	name   string
	alerts []alert
	report *Report
	panics bool // Dockle does
}

// answers has the rules that answer a number of others: those that the table of rules
// names, of Dockle's or of CIS, whose chapter 4 docker-bench follows.
func answers(number string) (rules []string) {
	for _, r := range harden.Rules {
		if slices.Contains(strings.Fields(r.Controls.Dockle), number) || slices.Contains(strings.Fields(r.Controls.CIS), number) {
			rules = append(rules, r.ID)
		}
	}
	return rules
}

// answered reports whether a finding of ours is about the same as the alert.
func (c *compared) answered(a alert) bool {
	for _, id := range answers(a.number) {
		r := c.report.result(id)
		if r == nil || r.Status != Failed {
			continue
		}
		for _, f := range r.Findings {
			about := clip(strings.TrimSpace(a.about))
			if a.about == "" || strings.Contains(f.Value, about) || strings.Contains(f.Message, about) || f.Path == a.about || strings.HasPrefix(f.Path, a.about+"/") {
				return true
			}
		}
	}
	return false
}

// installs is what makes an update of package lists one that is not alone.
var installs = regexp.MustCompile(`update\b.*(&&|;|\n).*\b(install|upgrade|dist-upgrade|add)\b`)

// falseAlarm says why an alert is none, as far as the alert itself shows it: it has to
// be true of whatever the alert is about, and no word of ours is asked.
func falseAlarm(a alert) string {
	switch a.number {
	case "4.7":
		if installs.MatchString(a.about) {
			return "the step installs too"
		}
		if !regexp.MustCompile(`\b(apt|apt-get|apk|yum|dnf|zypper)\b[^&;|]*\bupdate\b`).MatchString(a.about) {
			return "no package list is updated"
		}
	case "CIS-DI-0007":
		if installs.MatchString(a.about) {
			return "the step upgrades too"
		}
	case "4.9":
		if !regexp.MustCompile(`^(/bin/sh -c #\(nop\) +)?ADD `).MatchString(a.about) {
			return "no ADD, a word that has it"
		}
	}
	return ""
}

// compare asks all of an image.
func compare(t *testing.T, program, name string, f *fixture, env ...string) *compared {
	t.Helper()
	img := f.make(t)
	c := &compared{name: name, report: f.judge(t)}
	c.alerts, c.panics = dockleSays(t, program, []string{"--input", saved(t, img, filepath.Join(t.TempDir(), "image.tar"))}, env...)
	c.alerts = append(c.alerts, benchSays(must[*v1.ConfigFile](t)(img.ConfigFile()), setIDs(t, img))...)
	return c
}

// setIDs is find / -perm /6000 -type f.
func setIDs(t *testing.T, img v1.Image) (list []string) {
	t.Helper()
	r := mutate.Extract(img)
	defer r.Close()
	for members := tar.NewReader(r); ; {
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		if h.Mode&0o6000 != 0 && (h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeLink) {
			list = append(list, "/"+strings.TrimPrefix(h.Name, "/"))
		}
	}
}

// Nothing that Dockle and docker-bench find in the fixtures is missed, and the table of
// docs/comparison.md says what each finds.
func TestDockle(t *testing.T) {
	program := dockle(t)
	var all []*compared
	add := func(name string, change func(*fixture), env ...string) {
		f := sound()
		change(f)
		all = append(all, compare(t, program, name, f, env...))
	}
	add("sound: no fault", func(*fixture) {})
	add("signature-missing: no signature, and DOCKER_CONTENT_TRUST not set", func(f *fixture) { f.options.Attached.Signed = false }, "DOCKER_CONTENT_TRUST=0")
	for _, c := range fixtures {
		for _, want := range sortedKeys(c.bad) {
			add(c.rule+": "+want, c.bad[want])
		}
	}
	for _, c := range theirs {
		add(c.name, c.change)
	}
	all = append(all, latest(t, program))
	fired := map[string]bool{}
	for _, c := range all {
		for _, a := range c.alerts {
			fired[a.number] = true
			if !c.answered(a) && falseAlarm(a) == "" {
				t.Errorf("%s: %s: %s", c.name, a.number, a.text)
			}
		}
	}
	for _, number := range strings.Fields("CIS-DI-0001 CIS-DI-0005 CIS-DI-0006 CIS-DI-0007 CIS-DI-0008 CIS-DI-0009 CIS-DI-0010 DKL-DI-0001 DKL-DI-0002 DKL-DI-0003 DKL-DI-0004 DKL-DI-0005 DKL-DI-0006 DKL-LI-0001 DKL-LI-0002 DKL-LI-0003 4.1 4.6 4.7 4.8 4.9") {
		if !fired[number] {
			t.Errorf("no image makes %s fire", number)
		}
	}
	golden(t, "../../docs/comparison.md", "fixtures", tableOf(all))
}

// latest is an image in a registry, by the tag latest.
func latest(t *testing.T, program string) *compared {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	reference := strings.TrimPrefix(server.URL, "http://") + "/app:latest"
	f := sound()
	if err := remote.Write(must[name.Reference](t)(name.ParseReference(reference)), f.make(t)); err != nil {
		t.Fatal(err)
	}
	f.options.Reference = reference
	c := &compared{name: "mutable-reference: the tag latest, in a registry", report: f.judge(t)}
	c.alerts, c.panics = dockleSays(t, program, []string{"--insecure", reference})
	return c
}

// tableOf has a row for each image. What all say of the first image, which has no
// fault, is told there alone.
func tableOf(all []*compared) string {
	var b strings.Builder
	b.WriteString("| image | Dockle | docker-bench | hardpan |\n|---|---|---|---|\n")
	base := map[string]bool{}
	for i, c := range all {
		var theirs, bench, ours []string
		for _, a := range c.alerts {
			text := a.number
			if why := falseAlarm(a); why != "" && !c.answered(a) {
				text += " (false: " + why + ")"
			}
			list := &bench
			if strings.Contains(a.number, "DI") || strings.Contains(a.number, "LI") {
				list = &theirs
			}
			if i == 0 {
				base[a.number+a.about] = true
			} else if base[a.number+a.about] {
				continue
			}
			if !slices.Contains(*list, text) {
				*list = append(*list, text)
			}
		}
		if c.panics {
			theirs = append(theirs, "(panics)")
		}
		for _, r := range c.report.Results {
			if r.Status == Failed {
				ours = append(ours, "`"+r.Rule+"`")
			}
		}
		slices.Sort(theirs)
		slices.Sort(bench)
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.ReplaceAll(c.name, "|", "\\|"), cell(theirs), cell(bench), cell(ours))
	}
	return b.String()
}

func cell(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}

// golden compares the part of a document between two comments, or writes it.
func golden(t *testing.T, file, part, want string) {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile(file))
	begin, end := "<!-- begin "+part+" -->\n", "<!-- end "+part+" -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ends := strings.Cut(rest, end)
	if !ok || !ends {
		t.Fatalf("%s has no part %s", file, part)
	}
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("%s: the table of %s is not what the tools say; write it anew: go test ./internal/check -run %s -update", file, part, t.Name())
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
