package facts

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
)

// A layer is a bomb where it is both large and dense.
func TestDense(t *testing.T) {
	for _, c := range []struct {
		name         string
		stored, read int64
		want         error
	}{
		{"large and dense", bombSize/bombRatio - 10, bombSize, oci.ErrTooLarge},
		{"large", bombSize / 3, bombSize, nil},
		{"dense", 10, 1 << 20, nil},
		{"of no known size", 0, bombSize, nil},
	} {
		d := &dense{io.NopCloser(bytes.NewReader(make([]byte, 100))), c.stored, c.read}
		if _, err := io.ReadAll(d); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
