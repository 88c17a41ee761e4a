package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func dumpSources(sources []Source) string {
	var b strings.Builder
	for _, s := range sources {
		fmt.Fprintf(&b, "%d %s %s %s %s", s.Line, strings.Join(s.Types, ","), strings.Join(s.URIs, ","), strings.Join(s.Suites, ","), strings.Join(s.Components, ","))
		if len(s.Architectures) > 0 {
			b.WriteString(" arch=" + strings.Join(s.Architectures, ","))
		}
		if s.SignedBy != "" {
			fmt.Fprintf(&b, " signed-by=%.30s", s.SignedBy)
		}
		if s.Trusted {
			b.WriteString(" trusted")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestParseSources(t *testing.T) {
	for name, tt := range map[string]struct{ text, want, err string }{
		"as the installer writes it": {
			text: "Types: deb deb-src\nURIs: http://mirror.example.org/debian/\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
			want: "1 deb,deb-src http://mirror.example.org/debian/ bookworm,bookworm-updates main signed-by=/usr/share/keyrings/debian-arc\n",
		},
		"two entries, one disabled": {
			text: "# comment\nTypes: deb\nURIs: http://a/debian\nSuites: sid\nComponents: main\nEnabled: no\n\nEnabled: yes\nTypes: deb\nURIs: http://b/debian\n http://c/debian\nSuites: sid\nComponents: main contrib\nArchitectures: amd64 arm64\nTrusted: yes\n",
			want: "8 deb http://b/debian,http://c/debian sid main,contrib arch=amd64,arm64 trusted\n",
		},
		"embedded key": {
			text: "Types: deb\nURIs: http://a/x\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n",
			want: "1 deb http://a/x s main signed-by=-----BEGIN PGP PUBLIC KEY BLOC\n",
		},
		"nothing":            {text: "\n\n# only a comment\n"},
		"no uris":            {text: "Types: deb\nSuites: sid\n", err: "line 1: entry without Types, URIs or Suites"},
		"not a control file": {text: "deb http://a/debian sid main\n", err: "line 1: found"},
	} {
		t.Run(name, func(t *testing.T) {
			sources, err := ParseSources(strings.NewReader(tt.text))
			compareSources(t, sources, err, tt.want, tt.err)
		})
	}
}

func TestParseSourcesList(t *testing.T) {
	for name, tt := range map[string]struct{ text, want, err string }{
		"plain": {
			text: "deb http://mirror.example.org/debian bookworm main contrib\ndeb-src http://mirror.example.org/debian bookworm main # trailing\n",
			want: "1 deb http://mirror.example.org/debian bookworm main,contrib\n2 deb-src http://mirror.example.org/debian bookworm main\n",
		},
		"options": {
			text: "deb [ arch=amd64,arm64 signed-by=/k.gpg trusted=yes lang=de ]\thttp://a/debian  sid\tmain\ndeb [arch+=i386] http://b/debian sid main\n",
			want: "1 deb http://a/debian sid main arch=amd64,arm64 signed-by=/k.gpg trusted\n2 deb http://b/debian sid main arch=i386\n",
		},
		"comments and blanks": {text: "\n  # deb http://x/ y z\n\t\n"},
		"flat":                {text: "deb http://a/repo ./\n", want: "1 deb http://a/repo ./ \n"},
		"cdrom":               {text: "deb cdrom:[Debian GNU/Linux 12]/ bookworm main\n", want: "1 deb cdrom:[Debian GNU/Linux 12]/ bookworm main\n"},
		"bad lines beside good ones": {
			text: "rpm http://a b\ndeb [arch=amd64 http://a/debian sid main\ndeb http://a/debian\ndeb [arch] http://a/debian sid\ndeb http://a/debian sid main\n",
			want: "5 deb http://a/debian sid main\n",
			err:  "line 1: found \"rpm\", expected deb or deb-src\nline 2: options without closing ]\nline 3: entry without uri and suite\nline 4: option \"arch\": want name=value",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sources, err := ParseSourcesList(strings.NewReader(tt.text))
			compareSources(t, sources, err, tt.want, tt.err)
		})
	}
}

func compareSources(t *testing.T, sources []Source, err error, want, wantErr string) {
	t.Helper()
	if have := dumpSources(sources); have != want {
		t.Errorf("have\n%swant\n%s", have, want)
	}
	switch {
	case err == nil && wantErr != "":
		t.Errorf("no error, want %s", wantErr)
	case err != nil && (wantErr == "" || !strings.Contains(err.Error(), wantErr)):
		t.Errorf("error: have %v, want %q", err, wantErr)
	}
}

func TestFindMirrors(t *testing.T) {
	deb822 := func(uri, suites, more string) string {
		return fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n%s\n", uri, suites, more)
	}
	const debianKey = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
	const noSources = "debian's primary mirror: no apt sources for debian on this machine"
	for name, tt := range map[string]struct {
		files            map[string]string
		options          MirrorOptions
		debian, security string // "URI why"
	}{
		"nothing on the machine": {
			debian:   PrimaryMirror + " " + noSources,
			security: PrimarySecurityMirror + " " + noSources,
		},
		"deb822 for another release": {
			files: map[string]string{"sources.list.d/debian.sources": deb822("http://m.example/debian/", "bookworm bookworm-updates", debianKey) + "\n" +
				deb822("http://m.example/debian-security", "bookworm-security", debianKey)},
			debian:   "http://m.example/debian apt sources: sources.list.d/debian.sources:1",
			security: "http://m.example/debian-security apt sources: sources.list.d/debian.sources:7",
		},
		"one line": {
			files: map[string]string{"sources.list": "deb cdrom:[x y]/ bookworm main\n" +
				"deb mirror+file:/etc/apt/mirrors.txt trixie main\n" +
				"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://m.example/mirror.example.org trixie main\n" +
				"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://m.example/sec trixie-security main\n"},
			debian:   "https://m.example/mirror.example.org apt sources: sources.list:3",
			security: "https://m.example/sec apt sources: sources.list:4",
		},
		"others that look like debian": {
			files: map[string]string{
				"sources.list.d/1.list": "deb https://download.docker.com/linux/debian bookworm stable\n" +
					"deb [signed-by=/etc/apt/keyrings/mariadb.gpg] https://mirror.mariadb.org/repo/11/debian bookworm main\n" +
					"deb https://apt.example/other bookworm main\n" +
					"deb https://pg.example/pub/repos/apt bookworm-pgdg main\n",
				"sources.list.d/2.sources": deb822("http://m.example/debian", "bookworm", ""),
			},
			debian:   "http://m.example/debian apt sources: sources.list.d/2.sources:1",
			security: PrimarySecurityMirror + " debian's primary mirror: no apt source for security updates",
		},
		"disabled, sources only, other endings": {
			files: map[string]string{
				"sources.list.d/1.sources":          deb822("http://off.example/debian", "bookworm", "Enabled: no"),
				"sources.list.d/2.list.save":        "deb http://save.example/debian bookworm main\n",
				"sources.list.d/3.sources":          "Types: deb-src\nURIs: http://src.example/debian\nSuites: bookworm\nComponents: main\n",
				"sources.list.d/4.sources.disabled": deb822("http://dis.example/debian", "bookworm", ""),
			},
			debian:   PrimaryMirror + " " + noSources,
			security: PrimarySecurityMirror + " " + noSources,
		},
		"all suites at one uri": {
			files:    map[string]string{"sources.list.d/a.sources": deb822("https://m.example/repo", "trixie trixie-updates trixie-security", "")},
			debian:   "https://m.example/repo apt sources: sources.list.d/a.sources:1",
			security: "https://m.example/repo apt sources: sources.list.d/a.sources:1",
		},
		"given": {
			files:    map[string]string{"sources.list": "deb http://m.example/debian bookworm main\n"},
			options:  MirrorOptions{Mirror: "https://given.example/debian"},
			debian:   "https://given.example/debian given",
			security: "https://given.example/debian-security beside the mirror given",
		},
		"given, of the past": {
			options:  MirrorOptions{Mirror: "https://given.example/archive/debian/20250809T000000Z"},
			debian:   "https://given.example/archive/debian/20250809T000000Z given",
			security: "https://given.example/archive/debian-security/20250809T000000Z beside the mirror given",
		},
		"given, one for both": {
			options:  MirrorOptions{Mirror: "http://127.0.0.1:8080"},
			debian:   "http://127.0.0.1:8080 given",
			security: "http://127.0.0.1:8080 beside the mirror given",
		},
		"given apart": {
			files:    map[string]string{"sources.list": "deb http://m.example/debian bookworm main\n"},
			options:  MirrorOptions{SecurityMirror: "https://given.example/sec"},
			debian:   "http://m.example/debian apt sources: sources.list:1",
			security: "https://given.example/sec given",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			tt.options.AptDir = dir
			m, err := FindMirrors(tt.options)
			if err != nil {
				t.Fatal(err)
			}
			for have, want := range map[Mirror]string{m.Debian: tt.debian, m.Security: tt.security} {
				if s := have.URI + " " + strings.ReplaceAll(have.Why, dir+"/", ""); s != want {
					t.Errorf("have %s\nwant %s", s, want)
				}
			}
		})
	}
}

func TestFindMirrorsRefuses(t *testing.T) {
	for _, uri := range []string{"mirror.example.org", "ftp://x/debian", "file://host/debian", "http:///debian"} {
		_, err := FindMirrors(MirrorOptions{Mirror: uri, AptDir: "/nonexistent"})
		wantError(t, err, nil, "cannot use mirror: ", uri)
	}
}

func TestDebianSuites(t *testing.T) {
	for codename, want := range map[string]string{
		"trixie":   "debian/trixie debian/trixie-updates debian/trixie-security",
		"bookworm": "debian/bookworm debian/bookworm-updates debian/bookworm-security",
		"sid":      "debian/sid",
	} {
		repos, err := DebianSuites(codename)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range repos {
			ids = append(ids, r.ID)
		}
		if have := strings.Join(ids, " "); have != want {
			t.Errorf("%s: have %s, want %s", codename, have, want)
		}
	}
	_, err := DebianSuites("trixi")
	wantError(t, err, nil, "debian/trixi: not a known release of debian, expected one of bookworm, forky, sid, trixie")
}

// FuzzSources: neither parser panics, and what they return is usable.
func FuzzSources(f *testing.F) {
	for _, seed := range []string{
		"Types: deb\nURIs: http://mirror.example.org/debian\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN\n .\n",
		"deb [ arch=amd64 signed-by=/k.gpg ] http://a/debian sid main # x\n",
		"deb cdrom:[a b]/ sid main\n", "deb [", "deb", "Types", ": x", " x", "Enabled: no\n\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		control, _ := ParseSources(strings.NewReader(text))
		lines, _ := ParseSourcesList(strings.NewReader(text))
		for _, s := range append(control, lines...) {
			if len(s.Types) == 0 || len(s.URIs) == 0 || len(s.Suites) == 0 || s.Line < 1 {
				t.Errorf("half an entry: %+v", s)
			}
		}
		for _, security := range []bool{false, true} {
			if m := aptMirror(append(control, lines...), security); m.URI != "" {
				if _, err := parseBase(m.URI); err != nil {
					t.Errorf("chose %q: %v", m.URI, err)
				}
			}
		}
	})
}
