package text

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/blake2b"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// newBlake2b is the hash of b2sum(1), of 512 bits.
func newBlake2b() hash.Hash {
	h, err := blake2b.New512(nil)
	if err != nil {
		panic(err) // only a key can be wrong
	}
	return h
}

// cksum is cksum(1) with the checksum of POSIX, or with -a that of another command.
func cksum(ctx context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "a:", "algorithm:=a untagged tag")
	if err != nil {
		return 1, err
	}
	algorithm, tagged := "crc", true
	for _, o := range opts {
		switch o.name {
		case "a":
			algorithm = o.value
		default:
			tagged = o.name == "tag"
		}
	}
	if algorithm != "crc" {
		d, ok := digests[strings.Replace(algorithm, "blake2b", "b2", 1)+"sum"]
		if !ok {
			return 1, shell.Unsupported("cksum: algorithm %s", algorithm)
		}
		q := *p
		q.Args = []string{p.Args[0], "--"}
		if tagged {
			q.Args = []string{p.Args[0], "--tag", "--"}
		}
		q.Args = append(q.Args, names...)
		return d.command(ctx, &q)
	}
	return printSums(p, names, func(name string, b []byte) string {
		return fmt.Sprintf("%d %d%s", posixCRC(b), len(b), named(name))
	})
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return " " + name
}

// printSums prints a line for every file; name is "" for the standard input where no
// file was named.
func printSums(p *shell.Proc, names []string, line func(name string, b []byte) string) (int, error) {
	w := buffered(p)
	status, err := each(p, names, func(name string, b []byte) error {
		if len(names) == 0 {
			name = ""
		}
		w.WriteString(line(name, b) + "\n")
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

// posixCRC is the checksum of cksum (XCU cksum).
func posixCRC(b []byte) uint32 {
	crc := uint32(0)
	add := func(c byte) {
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	for _, c := range b {
		add(c)
	}
	for n := len(b); n > 0; n >>= 8 {
		add(byte(n))
	}
	return ^crc
}

// sum is sum(1): BSD's checksum, or System V's with -s.
func sum(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "rs", "sysv=s")
	if err != nil {
		return 1, err
	}
	system5 := false
	for _, o := range opts {
		system5 = o.name == "s"
	}
	return printSums(p, names, func(name string, b []byte) string {
		if system5 {
			s := uint32(0)
			for _, c := range b {
				s += uint32(c)
			}
			s = s&0xffff + s>>16
			return fmt.Sprintf("%d %d%s", s&0xffff+s>>16, (len(b)+511)/512, named(name))
		}
		s := uint32(0)
		for _, c := range b {
			s = (s>>1 + s&1<<15 + uint32(c)) & 0xffff
		}
		return fmt.Sprintf("%05d %5d%s", s, (len(b)+1023)/1024, named(name))
	})
}

// textCoding is base64(1) or base32(1).
type textCoding struct {
	alphabet string
	encode   func([]byte) string
	decode   func(string) ([]byte, error)
}

var textCodings = map[string]textCoding{
	"base64": {
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
		base64.StdEncoding.EncodeToString, base64.StdEncoding.DecodeString,
	},
	"base32": {
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567=",
		base32.StdEncoding.EncodeToString, base32.StdEncoding.DecodeString,
	},
}

func (c textCoding) command(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "diw:", "decode=d ignore-garbage=i wrap:=w")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	wrap := 76
	for _, o := range opts {
		if o.name == "w" {
			if wrap, err = strconv.Atoi(o.value); err != nil || wrap < 0 {
				return p.Errorf("invalid wrap size: '%s'", o.value)
			}
		}
	}
	if len(names) > 1 {
		return p.Errorf("extra operand '%s'", names[1])
	}
	names = append(names, "-")
	b, err := read(p, names[0])
	if err != nil {
		return fail(p, names[0], err)
	}
	if f["d"] {
		return c.decoded(p, string(b), f["i"])
	}
	w := buffered(p)
	text := c.encode(b)
	for wrap > 0 && len(text) > 0 {
		n := min(wrap, len(text))
		w.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	w.WriteString(text)
	return finish(w, 0)
}

func (c textCoding) decoded(p *shell.Proc, text string, ignore bool) (int, error) {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || ignore && !strings.ContainsRune(c.alphabet, r) {
			return -1
		}
		return r
	}, text)
	b, err := c.decode(text)
	if _, err := p.Stdout.Write(b); err != nil {
		return 1, err
	}
	if err != nil {
		return p.Errorf("invalid input")
	}
	return 0, nil
}
