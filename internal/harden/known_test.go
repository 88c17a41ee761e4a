package harden

import (
	"strings"
	"testing"
	"time"
)

func TestSecretVariable(t *testing.T) {
	for name, want := range map[string]bool{
		"DB_PASSWORD": true, "PGPASSWORD": true, "TOKEN": true, "api_key": true, "AWS_SECRET_ACCESS_KEY": true, "CREDENTIALS": true, "X_AUTH": true,
		"AWS_ACCESS_KEY_ID": false, "PASSWORD_FILE": false, "SECRET_ROTATION": false, "PWD": false, "OLDPWD": false, "GPG_KEY": false, "PYTHON_GPG_KEYS": false, "AUTHOR": false, "KEYBOARD": false, "PATH": false,
	} {
		if got := SecretVariable(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	for value, want := range map[string]bool{"": true, "true": true, "/run/secrets/x": true, "${TOKEN}": true, "443": true, "***": true, "<fill in>": true, "hunter2": false, "4711": false} {
		if got := NoSecret(value); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
}

func TestEndOfRelease(t *testing.T) {
	for image, want := range map[string]string{
		"debian 12": "debian 12 2028-06-30", "debian bookworm": "debian 12 2028-06-30", "debian 12.5": "debian 12 2028-06-30", "alpine 3.20.1": "alpine 3.20 2026-04-01",
		"debian 99": "debian 99 ", "ubuntu bookworm": "ubuntu bookworm ", "debian ": "debian  ",
	} {
		id, version, _ := strings.Cut(image, " ")
		release, day := EndOfRelease(id, version)
		if got := release + " " + day; got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for day, want := range map[string]bool{"2026-11-21": true, "2026-11-23": false, "": false, "soon": false} {
		if got := Ended(day, now); got != want {
			t.Errorf("%q: %t", day, got)
		}
	}
	for release, day := range lastDays {
		if _, err := time.Parse(time.DateOnly, day); err != nil || !strings.Contains(release, " ") {
			t.Errorf("%q: %v", release, err)
		}
	}
}
