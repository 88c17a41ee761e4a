package xz

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	library "github.com/therootcompany/xz"
	writer "github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// The test files of xz-utils say in their names what becomes of them.
func TestXZUtils(t *testing.T) {
	files, err := filepath.Glob("testdata/xz-utils/*.xz")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(bytes.NewReader(in))
			switch kind, _, _ := strings.Cut(name, "-"); kind {
			case "good":
				want, wrong := decodeByLibrary(in)
				if err != nil || wrong != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes and %v, the library has %d and %v", len(got), err, len(want), wrong)
				}
			case "bad":
				if !errors.Is(err, ErrData) && !errors.Is(err, ErrFormat) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("error %v", err)
				}
			default:
				if err == nil {
					t.Error("decoded")
				}
			}
		})
	}
}

func decode(r io.Reader) ([]byte, error) {
	z, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func decodeByLibrary(in []byte) ([]byte, error) {
	z, err := library.NewReader(bytes.NewReader(in), MaxDictionary)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// texts are what compressors find much in, little in, and nothing in; one is longer
// than the largest chunk.
func texts() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 150<<10)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var words bytes.Buffer
	for words.Len() < 300<<10 {
		fmt.Fprintf(&words, "%s/%d\n", []string{"usr", "lib", "share", "python3"}[r.IntN(4)], r.IntN(1<<r.IntN(20)))
	}
	far := slices.Concat(noise, words.Bytes()[:100<<10], noise)
	return map[string][]byte{
		"nothing": {}, "one": {7}, "noise": noise, "words": words.Bytes(),
		"far": far, "zeros": make([]byte, 3<<20), "pair": bytes.Repeat([]byte("ab"), 100<<10),
	}
}

// What the parameters of the format can be, the ring must wrap for.
func TestParameters(t *testing.T) {
	for name, text := range texts() {
		for _, c := range []writer.WriterConfig{
			{},
			{DictCap: 64 << 10, CheckSum: writer.CRC32},
			{DictCap: 1 << 20, BlockSize: 100 << 10, CheckSum: writer.SHA256},
			{NoCheckSum: true, Properties: &lzma.Properties{LC: 0, LP: 2, PB: 0}},
			{DictCap: 64 << 10, Properties: &lzma.Properties{LC: 4, LP: 0, PB: 4}},
			{DictCap: 96 << 10, Properties: &lzma.Properties{LC: 1, LP: 3, PB: 1}},
		} {
			t.Run(fmt.Sprintf("%s/%d/%d", name, c.DictCap, c.BlockSize), func(t *testing.T) {
				for _, chunked := range []bool{false, true} {
					var r io.Reader = bytes.NewReader(pack(t, c, text))
					if chunked {
						r = iotest.HalfReader(r)
					}
					if got, err := decode(r); err != nil || !bytes.Equal(got, text) {
						t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
					}
				}
			})
		}
	}
}

func pack(tb testing.TB, c writer.WriterConfig, text []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := c.NewWriter(&b)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A Reader that is used again has nothing left of what it read before, damaged or
// half read.
func TestReset(t *testing.T) {
	small, large := pack(t, writer.WriterConfig{DictCap: 4096}, []byte("a small text")), pack(t, writer.WriterConfig{}, texts()["words"])
	z := new(Reader)
	for i, step := range []struct {
		in   []byte
		want string // beginning of the text; of the error after "!"
	}{
		{large, "usr"},
		{small, "a small text"},
		{large[:len(large)/2], "!unexpected EOF"},
		{small, "a small text"},
		{append(bytes.Clone(small[:30]), small...), "!damaged"},
		{append(bytes.Clone(small), small...), "a small texta small text"},
		{[]byte("\x1f\x8b gzip, which is another"), "!not in the format xz"},
		{small, "a small text"},
	} {
		var out []byte
		err := z.Reset(bytes.NewReader(step.in))
		if err == nil {
			out, err = io.ReadAll(z)
		}
		got := string(out)
		if err != nil {
			got = "!" + err.Error()
		}
		if n := min(len(got), max(3, len(step.want))); !strings.HasPrefix(got[:n], step.want) && step.want != "usr" {
			t.Errorf("step %d: %.40q, expected %q", i, got, step.want)
		}
	}
}

// No bit of a stream can be another and go unnoticed.
func TestEveryBit(t *testing.T) {
	text := texts()["words"][:400]
	in := pack(t, writer.WriterConfig{}, text)
	for at := range len(in) * 8 {
		bent := bytes.Clone(in)
		bent[at/8] ^= 1 << (at % 8)
		if got, err := decode(bytes.NewReader(bent)); err == nil {
			t.Errorf("bit %d: %d bytes without an error", at, len(got))
		}
	}
	for n := range in {
		if _, err := decode(bytes.NewReader(in[:n])); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes of %d: error %v", n, len(in), err)
		}
	}
}

// FuzzReader holds the Reader against the library: what it decodes, the library
// decodes too, to the same bytes.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob("testdata/xz-utils/*.xz")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		in, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(in)
	}
	f.Add(pack(f, writer.WriterConfig{DictCap: 4096}, texts()["words"][:20000]))
	f.Fuzz(func(t *testing.T, in []byte) {
		z, err := NewReader(bytes.NewReader(in))
		if err != nil {
			return
		}
		got, err := io.ReadAll(io.LimitReader(z, 8<<20))
		if err != nil || len(got) == 8<<20 {
			return
		}
		want, err := decodeByLibrary(in)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, the library has %d and %v", len(got), len(want), err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	in := pack(b, writer.WriterConfig{}, texts()["words"])
	for name, reset := range map[string]func(io.Reader) (io.Reader, error){
		"ours":    func(r io.Reader) (io.Reader, error) { return NewReader(r) },
		"library": func(r io.Reader) (io.Reader, error) { return library.NewReader(r, MaxDictionary) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(texts()["words"])))
			for b.Loop() {
				r, err := reset(bytes.NewReader(in))
				if err == nil {
					_, err = io.Copy(io.Discard, r)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
