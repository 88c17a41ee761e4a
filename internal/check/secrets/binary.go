package secrets

import (
	"bytes"
	"regexp"
	"slices"
	"sync"
)

// anchors begin secrets that no other string begins with: what is no text is searched
// only around these, since words like "key" are in every program.
var anchors = bytes.Fields([]byte(`AKIA ASIA ABIA ACCA ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glptt- GR1348941 xoxb- xoxp- xoxe- xoxe. xoxa- xoxr- xapp- hooks.slack.com
	sk_live_ rk_live_ AIza npm_ pypi-AgEI dop_v1_ doo_v1_ dor_v1_ shpat_ shpss_ shpca_ shppa_ sk-ant- T3BlbkFJ AGE-SECRET-KEY-1 hvs. hvb. eyJhbGciOi PMAK- dp.pt. lin_api_ pul-
	rubygems_ glsa_ glc_ sq0atp- sq0csp- EAAAE -----BEGIN`))

// The table of a search for many words at once (Wu and Manber, 1994): by the last two
// of the first four bytes of an anchor, how far on they may lie.
const (
	leastAnchor = 4
	pairs       = 1 << 16
)

var (
	shifts = func() (t [pairs]uint8) {
		for i := range t {
			t[i] = leastAnchor - 1
		}
		for _, a := range anchors {
			for n := range leastAnchor - 1 {
				at := pair(a[n:])
				t[at] = min(t[at], uint8(leastAnchor-2-n))
			}
		}
		return t
	}()
	anchorsBy = func() map[int][][]byte {
		m := map[int][][]byte{}
		for _, a := range anchors {
			m[pair(a[leastAnchor-2:])] = append(m[pair(a[leastAnchor-2:])], a)
		}
		return m
	}()
)

func pair(b []byte) int { return int(b[0])<<8 | int(b[1]) }

// Bounds of the text around an anchor, in bytes, and of how often one file is searched
// around one. A file with more of them is made of them.
const (
	before      = 128
	behind      = 8 << 10
	maxSearches = 128
)

// keyBlock is a private key that has a body. Programs that read keys have its first line.
var keyBlock = regexp.MustCompile(`-----BEGIN[ A-Z0-9]*PRIVATE KEY(?: BLOCK)?-----(?:\\n|\\r|\s)+(?:[A-Za-z0-9-]+: [^\n]*\s+)*[A-Za-z0-9+/=\s\\]{64}`)

// inBinary returns what looks like a secret in content that is no text, such as a
// program or a database: only secrets of a form that nothing else has. It searches
// around no more anchors than searches says, and takes off those that it did.
func (d *Detector) inBinary(content []byte, searches *int) []Finding {
	var found []Finding
	end := 0 // of the text that was searched last
	for i := leastAnchor - 2; i+1 < len(content) && *searches > 0; {
		shift := shifts[uint16(content[i])<<8|uint16(content[i+1])]
		if shift > 0 {
			i += int(shift)
			continue
		}
		at := i - (leastAnchor - 2)
		i++
		if at < end || !slices.ContainsFunc(anchorsBy[pair(content[i-1:])], func(a []byte) bool { return bytes.HasPrefix(content[at:], a) }) {
			continue
		}
		from, to := at, at
		for from > max(end, at-before) && isPrintable(content[from-1]) {
			from--
		}
		for to < min(len(content), at+behind) && isPrintable(content[to]) {
			to++
		}
		end = to
		*searches--
		found = append(found, d.around(content[from:to])...)
	}
	return found
}

// around searches the text around an anchor.
func (d *Detector) around(text []byte) []Finding {
	var found []Finding
	block := sync.OnceValue(func() bool {
		at := bytes.Index(text, []byte("-----BEGIN"))
		return at >= 0 && keyBlock.Match(text[at:min(len(text), at+1<<10)])
	})
	for _, f := range d.Find("", text) {
		if f.Rule == generic || f.Rule == "private-key" && !block() {
			continue
		}
		f.Line = 0
		found = append(found, f)
	}
	return found
}
