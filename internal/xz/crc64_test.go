package xz

import (
	"bytes"
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

// TestCRC: pieces of any size have the sum that hash/crc64 says.
func TestCRC(t *testing.T) {
	text := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	for _, size := range []int{1, 7, lane, 2*lane - 1, 2 * lane, 2*lane + 1, 5*lane + 3, len(text)} {
		have, want := &crc{}, crc64.New(ecma)
		for rest := text; len(rest) > 0; {
			n := min(size, len(rest))
			have.Write(rest[:n])
			want.Write(rest[:n])
			rest = rest[n:]
			if !bytes.Equal(have.Sum(nil), want.Sum(nil)) {
				t.Fatalf("pieces of %d bytes: %x after %d bytes, want %x", size, have.Sum(nil), len(text)-len(rest), want.Sum(nil))
			}
		}
	}
}
