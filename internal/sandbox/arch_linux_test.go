package sandbox

import (
	"errors"
	"runtime"
	"testing"
)

// TestEmulates reads entries as the kernel prints them.
func TestEmulates(t *testing.T) {
	const (
		arm64 = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: POCF\noffset 0\n" +
			"magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
		s390x = "enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: F\noffset 0\n" +
			"magic 7f454c4602020100000000000000000000020016\nmask ffffffffffffff00fffffffffffffffffffeffff\n"
	)
	head := map[string][]byte{
		"arm64": []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"),
		"pie":   []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\xb7\x00"),
		"s390x": []byte("\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16"),
	}
	for _, c := range []struct {
		entry, program string
		want           bool
	}{
		{arm64, "arm64", true},
		{arm64, "pie", true},
		{arm64, "s390x", false},
		{s390x, "s390x", true},
		{s390x, "arm64", false},
		{"disabled" + arm64[len("enabled"):], "arm64", false},
		{"enabled\ninterpreter /usr/bin/qemu\nflags: OC\noffset 0\nmagic 7f454c46\n", "arm64", false}, // found in the image or not at all
		{"enabled\ninterpreter /usr/bin/jexec\nflags: F\noffset 0\nmagic 504b0304\n", "arm64", false},
		{"enabled\ninterpreter /x\nflags: F\nextension .exe\n", "arm64", false},
		{"enabled\n", "arm64", false}, // the file status
		{"", "arm64", false},
	} {
		if got := emulates(c.entry, head[c.program]); got != c.want {
			t.Errorf("%q for %s: %v, want %v", c.entry, c.program, got, c.want)
		}
	}
}

// The host runs its own programs, and none of an architecture that there is not.
func TestRuns(t *testing.T) {
	if err := Runs(runtime.GOARCH); err != nil {
		t.Error(err)
	}
	if err := Runs("pdp11"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("pdp11: %v", err)
	}
}
