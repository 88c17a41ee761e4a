package generate

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/certs"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// javaCerts is the keystore of ca-certificates-java, and javaJar the program that
// writes it.
const (
	javaCerts = "/etc/ssl/certs/java/cacerts"
	javaJar   = "/usr/share/ca-certificates-java/ca-certificates-java.jar"
	javaPass  = "changeit"
)

// java is java(1) as the scripts of ca-certificates-java call it: to see whether it
// is there, and to add and remove certificates that its input names.
func java(_ context.Context, p *shell.Proc) (int, error) {
	if p.Look("java") == "" {
		fmt.Fprintln(p.Stderr, "java: not found")
		return 127, nil
	}
	if len(p.Args) == 2 && p.Args[1] == "-version" {
		fmt.Fprintln(p.Stderr, "openjdk version")
		return 0, nil
	}
	at := slices.Index(p.Args, "-jar")
	if at < 0 || at+1 >= len(p.Args) || p.Args[at+1] != javaJar {
		return 0, shell.Unsupported("running java %s", strings.Join(p.Args[1:], " "))
	}
	password := javaPass
	if i := slices.Index(p.Args, "-storepass"); i > 0 && i+1 < len(p.Args) {
		password = p.Args[i+1]
	}
	if err := updateKeystore(p, password); err != nil {
		return fail(p, err)
	}
	return 0, nil
}

func updateKeystore(p *shell.Proc, password string) error {
	input, err := io.ReadAll(p.Stdin)
	if err != nil {
		return err
	}
	trusted := map[string][]byte{}
	if store, err := p.FS.ReadFile(javaCerts); err == nil {
		if trusted, err = certs.Trusted(store, password); err != nil {
			return fmt.Errorf("%s: %w", javaCerts, err)
		}
	}
	var used []string
	for line := range strings.Lines(string(input)) {
		line = strings.TrimSpace(line)
		if len(line) < 2 {
			continue
		}
		alias := "debian:" + strings.ToLower(path.Base(line[1:]))
		switch line[0] {
		case '+':
			text, err := p.FS.ReadFile(line[1:])
			if err != nil {
				fmt.Fprintf(p.Stderr, "Warning: there was a problem reading the certificate file %s.\n", line[1:])
				continue
			}
			der, err := certs.Parse(text)
			if err != nil {
				fmt.Fprintf(p.Stderr, "Warning: there was a problem reading the certificate file %s. Message:\n  %v\n", line[1:], err)
				continue
			}
			word := "Adding"
			if trusted[alias] != nil {
				word = "Replacing"
			}
			fmt.Fprintf(p.Stdout, "%s debian:%s\n", word, path.Base(line[1:]))
			trusted[alias] = der
			used = append(used, line[1:])
		case '-':
			if trusted[alias] != nil {
				fmt.Fprintf(p.Stdout, "Removing debian:%s\n", path.Base(line[1:]))
				delete(trusted, alias)
			}
		default:
			fmt.Fprintf(p.Stderr, "Unknown input: %s\n", line)
		}
	}
	store, err := certs.Keystore(trusted, password)
	if err != nil {
		return err
	}
	from(p, used...)
	if err := p.FS.MkdirAll(path.Dir(javaCerts), 0o755); err != nil {
		return err
	}
	return p.FS.WriteFile(javaCerts, store, 0o644)
}

// keytool is keytool(1), of which the list of aliases is known.
func keytool(_ context.Context, p *shell.Proc) (int, error) {
	if !slices.Contains(p.Args, "-list") {
		return 0, shell.Unsupported("running keytool %s", strings.Join(p.Args[1:], " "))
	}
	name, password := javaCerts, javaPass
	for i := 1; i+1 < len(p.Args); i++ {
		switch p.Args[i] {
		case "-keystore":
			name = p.Args[i+1]
		case "-storepass":
			password = p.Args[i+1]
		}
	}
	store, err := p.FS.ReadFile(p.Path(name))
	if err != nil {
		return fail(p, err)
	}
	trusted, err := certs.Trusted(store, password)
	if err != nil {
		return p.Errorf("%s: %v", name, err)
	}
	for _, alias := range slices.Sorted(maps.Keys(trusted)) {
		if _, err := fmt.Fprintf(p.Stdout, "Alias name: %s\n", alias); err != nil {
			return 1, err
		}
	}
	return 0, nil
}
