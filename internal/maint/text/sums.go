package text

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// digest is a command that prints checksums of files.
type digest struct {
	tag  string // in the output of --tag
	make func() hash.Hash
}

var digests = map[string]digest{
	"md5sum":    {"MD5", md5.New},
	"sha1sum":   {"SHA1", sha1.New},
	"sha224sum": {"SHA224", sha256.New224},
	"sha256sum": {"SHA256", sha256.New},
	"sha384sum": {"SHA384", sha512.New384},
	"sha512sum": {"SHA512", sha512.New},
	"b2sum":     {"BLAKE2b", newBlake2b},
}

// command is md5sum(1) and the like.
func (d digest) command(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "bctwz", "binary=b check=c tag text=t zero=z quiet status strict warn=w ignore-missing")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	if f["c"] {
		return d.check(p, names, f)
	}
	w := buffered(p)
	status, err := each(p, names, func(name string, b []byte) error {
		w.WriteString(d.line(name, b, f))
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

func (d digest) sum(b []byte) string {
	h := d.make()
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// line returns the line for one file.
func (d digest) line(name string, b []byte, f map[string]bool) string {
	escape, end := "", "\n"
	if f["z"] {
		end = "\x00"
	} else if escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name); escaped != name {
		name, escape = escaped, `\`
	}
	if f["tag"] {
		return fmt.Sprintf("%s%s (%s) = %s%s", escape, d.tag, name, d.sum(b), end)
	}
	sign := " "
	if f["b"] {
		sign = "*"
	}
	return escape + d.sum(b) + " " + sign + name + end
}

// check reads lists of checksums and compares them with the files.
func (d digest) check(p *shell.Proc, lists []string, f map[string]bool) (int, error) {
	w := buffered(p)
	bad := false
	status, err := each(p, lists, func(list string, b []byte) error {
		read, mismatched, missing, malformed, matched := 0, 0, 0, 0, 0
		lines, _ := splitLines(b, '\n')
		for _, line := range lines {
			if len(line) == 0 || line[0] == '#' {
				continue
			}
			want, name, ok := d.parse(strings.TrimSuffix(string(line), "\r"))
			if !ok {
				malformed++
				continue
			}
			read++
			result, err := d.compare(p, name, want, f)
			if err != nil {
				return err
			}
			switch result {
			case "":
				continue
			case "OK":
				matched++
				if f["quiet"] {
					continue
				}
			case "FAILED":
				mismatched++
			default:
				missing++
			}
			if !f["status"] {
				fmt.Fprintf(w, "%s: %s\n", name, result)
			}
		}
		if read == 0 {
			bad = true
			_, err := p.Errorf("%s: no properly formatted checksum lines found", list)
			return err
		}
		bad = bad || mismatched > 0 || missing > 0 || f["strict"] && malformed > 0 || f["ignore-missing"] && matched == 0
		if !f["status"] {
			return warnings(p, malformed, missing, mismatched)
		}
		return nil
	})
	if err != nil {
		return 1, err
	}
	if bad {
		status = 1
	}
	return finish(w, status)
}

func warnings(p *shell.Proc, malformed, missing, mismatched int) error {
	for _, c := range []struct {
		count     int
		one, many string
	}{
		{malformed, "line is improperly formatted", "lines are improperly formatted"},
		{missing, "listed file could not be read", "listed files could not be read"},
		{mismatched, "computed checksum did NOT match", "computed checksums did NOT match"},
	} {
		text := c.many
		if c.count == 1 {
			text = c.one
		}
		if c.count == 0 {
			continue
		}
		if _, err := p.Errorf("WARNING: %d %s", c.count, text); err != nil {
			return err
		}
	}
	return nil
}

// parse reads a line of a list, of either form.
func (d digest) parse(line string) (sum, name string, ok bool) {
	line, escaped := strings.CutPrefix(strings.TrimLeft(line, " \t"), `\`)
	size := d.make().Size() * 2
	if rest, tagged := strings.CutPrefix(line, d.tag+" ("); tagged {
		i := strings.LastIndex(rest, ") = ")
		if i < 0 {
			return "", "", false
		}
		name, sum = rest[:i], rest[i+4:]
	} else {
		if len(line) < size+3 || line[size] != ' ' || line[size+1] != ' ' && line[size+1] != '*' {
			return "", "", false
		}
		sum, name = line[:size], line[size+2:]
	}
	if _, err := hex.DecodeString(sum); err != nil || len(sum) != size {
		return "", "", false
	}
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	return strings.ToLower(sum), name, true
}

// compare returns what is printed for a file, "" for one that is left out.
func (d digest) compare(p *shell.Proc, name, want string, f map[string]bool) (string, error) {
	b, err := read(p, name)
	if err != nil {
		if f["ignore-missing"] && fatal(err) == nil {
			return "", nil
		}
		_, err := fail(p, name, err)
		return "FAILED open or read", err
	}
	if d.sum(b) != want {
		return "FAILED", nil
	}
	return "OK", nil
}
