package probe

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What is said of the probe in an image and its documents.
const (
	Name    = "hardpan-probe"
	Version = "1.0.0" // that of probe.c
	Licence = "Apache-2.0"
	Path    = "usr/lib/hardpan/probe" // in an image
)

//go:embed bin/amd64 bin/arm64 bin/armhf bin/armel bin/i386 bin/ppc64el bin/riscv64 bin/s390x
var binaries embed.FS

// Binary returns the probe for an architecture by Debian's name of it.
func Binary(arch string) ([]byte, error) {
	b, err := binaries.ReadFile("bin/" + arch)
	if err != nil {
		return nil, fmt.Errorf("there is no health probe for architecture %q", arch)
	}
	return b, nil
}

// HTTP returns the command that asks for the page at url, "http://HOST:PORT/PATH",
// within the timeout of a health check. A status from 200 to 399 is healthy.
func HTTP(url string, check time.Duration) []string { return command(url, check) }

// TCP returns the command that connects to address, "HOST:PORT", within the timeout
// of a health check.
func TCP(address string, check time.Duration) []string { return command("tcp://"+address, check) }

func command(target string, check time.Duration) []string {
	return []string{"/" + Path, "-t", seconds(timeout(check)), target}
}

// defaultTimeout is that of a health check that states none (Docker Engine API,
// HealthConfig).
const defaultTimeout = 30 * time.Second

// timeout returns the probe's own timeout, which is shorter than that of the check, so
// that the probe says what it waited for before a runtime kills it.
func timeout(check time.Duration) time.Duration {
	if check <= 0 {
		check = defaultTimeout
	}
	return check - min(check/10, time.Second)
}

// seconds returns a duration as the probe reads it, such as "4.5".
func seconds(d time.Duration) string {
	s := strconv.FormatFloat(d.Seconds(), 'f', 9, 64)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}
