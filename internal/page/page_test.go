package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/hardpan/hardpan/internal/page"
)

// document is a page as a browser reads it.
type document struct{ *html.Node }

func parse(t testing.TB, text []byte) document {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(text))
	must(t, err)
	return document{root}
}

// all returns the elements of that name, "" for any.
func (d document) all(name string) (list []document) {
	for n := range d.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			list = append(list, document{n})
		}
	}
	return list
}

func (d document) attr(name string) string {
	for _, a := range d.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what is between the tags, with single spaces.
func (d document) text() string {
	var b strings.Builder
	for n := range d.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (d document) id(t testing.TB, id string) document {
	t.Helper()
	for _, e := range d.all("") {
		if e.attr("id") == id {
			return e
		}
	}
	t.Fatalf("nothing has the id %q", id)
	return d
}

// What the page says, without a script.
func TestPage(t *testing.T) {
	t.Parallel()
	d := parse(t, twoPlatforms(t))
	for id, want := range map[string][]string{
		"p0-summary": {"critical 0 high 2 medium 1", "waived 1 passed 42", "Size 720 B to pull, 2.4 kB unpacked", "Contents 1 package, 12 paths, 2 layers", "Distribution Debian 13", "Created 2026-11-01, 21 days ago", "Built by hardpan, tool 1, hardening profile strict",
			"Runs as 0:0 (root)", `Entrypoint ["/usr/bin/tool", "--serve"]`, "API_TOKEN=hun... (14 characters)", "org.opencontainers.image.title=tool"},
		"p0-root-user":           {"high", "broken:", "runs as a user without privileges", "the config's user is root root", "Why ", "Looks at ", "Fix ", "CIS Docker 4.1", "NIST SP 800-190 4.1.2", "DISA CCI-002235", "Dockle CIS-DI-0001"},
		"p0-world-writable-file": {"/srv/open", "layer 2"},
		"p0-privilege-bits":      {"waived", "/usr/bin/up", "Waived: up has to be (until 2999-12-31, from record)"},
		"p0-signature-missing":   {"n/a", "nothing can lie beside this kind of archive, or nobody looked"},
		"p0-packages":            {"tool 1.10-1 amd64 toolbox 1.10 2.0 kB 1 the spec names it", "From the record of the build."},
		"p0-layers":              {"1 tool ", "2 COPY . /"},
		"p0-changes": {"Changes since registry.example.com/tool:0", "Rules newly failing 2 world-writable-file", "passed → failed", "removed libtool 1.9-1", "added /srv/open file, 0666, 0:0, 4 B", "changed /usr/bin/tool content 3 -> 2000 bytes",
			"added layer 2", "linux/arm64 is only in the new image"},
		"p1-changes": {"registry.example.com/tool:0 has nothing for linux/arm64."},
	} {
		text := d.id(t, id).text()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%s", id, w, text)
			}
		}
	}
	if text := d.all("header")[0].text(); !strings.Contains(text, "Failed linux/amd64: ") || strings.Contains(text, "hunter2") {
		t.Errorf("the header says %s", text)
	}
	if bytes.Contains(twoPlatforms(t), []byte("hunter2hunter2")) {
		t.Error("a secret is on the page")
	}
}

// An image of somebody else: its database explains what it can, and the rest is unknown.
func TestForeignImage(t *testing.T) {
	t.Parallel()
	d := parse(t, write(t, page.Options{}, subject(foreign().Read(t), "tool.tar")))
	text := d.id(t, "p0-packages").text()
	for _, want := range []string{"libtool 1.9-1 amd64 libtool 0 B 0 needed by tool", "tool 1.10-1 amd64 toolbox 1.10 2.0 kB 1", "zebra 3 all zebra", "From the database of dpkg in the image."} {
		if !strings.Contains(text, want) {
			t.Errorf("packages lack %q:\n%s", want, text)
		}
	}
	if text := d.all("header")[0].text(); !strings.Contains(text, "No gate") {
		t.Errorf("the header says %s", text)
	}
	if len(d.all("fieldset")) > 0 || strings.Contains(d.all("nav")[0].text(), "Changes") {
		t.Error("one platform and no previous image have a switch or changes")
	}
}

// Passed is one thing, and not applicable another.
func TestStatuses(t *testing.T) {
	t.Parallel()
	s := subject(foreign().Read(t), "x")
	d := parse(t, write(t, page.Options{}, s))
	for _, r := range s.Report.Results {
		e := d.id(t, "p0-"+r.Rule)
		group := e.Parent
		if got := (document{group}).attr("data-status"); got != string(r.Status) {
			t.Errorf("%s, which %s, stands among those that %s", r.Rule, r.Status, got)
		}
		if n := strings.Count(e.text(), "layer "); len(r.Findings) > 0 && n > 2*len(r.Findings) {
			t.Errorf("%s has %d findings, the page more", r.Rule, len(r.Findings))
		}
		if got := len(e.all("li")); got != len(r.Findings) {
			t.Errorf("%s has %d findings, the page %d", r.Rule, len(r.Findings), got)
		}
	}
}

// The frame that a screen reader goes by.
func TestStructure(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		d := parse(t, text)
		ids := map[string]bool{}
		level := 0
		for _, e := range d.all("") {
			if id := e.attr("id"); id != "" {
				if ids[id] {
					t.Errorf("%s: the id %q is there twice", name, id)
				}
				ids[id] = true
			}
			if len(e.Data) == 2 && e.Data[0] == 'h' && e.Data[1] >= '1' && e.Data[1] <= '6' {
				if now := int(e.Data[1] - '0'); now > level+1 {
					t.Errorf("%s: %s follows h%d: %s", name, e.Data, level, e.text())
				} else {
					level = now
				}
			}
		}
		for _, e := range d.all("") {
			if to := e.attr("aria-labelledby"); to != "" && !ids[to] {
				t.Errorf("%s: aria-labelledby names %q, which is not there", name, to)
			}
			if to, ok := strings.CutPrefix(e.attr("href"), "#"); ok && e.Data == "a" && !ids[to] {
				t.Errorf("%s: a link leads to %q, which is not there", name, to)
			}
		}
		for what, n := range map[string]int{"main": 1, "header": 1, "footer": 1, "h1": 1, "title": 1} {
			if got := len(d.all(what)); got != n {
				t.Errorf("%s: %d elements %s, expected %d", name, got, what, n)
			}
		}
		for _, e := range slices.Concat(d.all("input"), d.all("select")) {
			if e.attr("aria-label") == "" && !strings.Contains(string(text), `for="`+e.attr("id")+`"`) {
				t.Errorf("%s: a field has no label: %v", name, e.Attr)
			}
		}
		for _, e := range d.all("th") {
			if e.attr("scope") == "" {
				t.Errorf("%s: a header of a table has no scope: %s", name, e.text())
			}
		}
	}
}

// The policy names the page's one script and style and lets nothing else run, load or
// send; and nothing that an image says is markup.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		d := parse(t, text)
		script, style := d.all("script"), d.all("style")
		if len(script) != 1 || len(style) != 1 {
			t.Fatalf("%s: %d scripts and %d styles, expected one of each", name, len(script), len(style))
		}
		hash := func(e document) string {
			sum := sha256.Sum256([]byte(e.FirstChild.Data))
			return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		want := fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; img-src data:; base-uri 'none'; form-action 'none'", hash(script[0]), hash(style[0]))
		if got := d.all("meta")[1].attr("content"); got != want {
			t.Errorf("%s: the policy is\n%s\nexpected\n%s", name, got, want)
		}
		known := strings.Fields("html head meta title link style body a header div p svg path h1 h2 h3 h4 strong fieldset legend span input label main section nav ul li dl dt dd details summary code rect" +
			" button select option noscript table thead tbody tr th td footer script del ins")
		for _, e := range d.all("") {
			if !slices.Contains(known, e.Data) {
				t.Errorf("%s: an element %s", name, e.Data)
			}
			for _, a := range e.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcdoc", a.Key == "action":
					t.Errorf("%s: an attribute %s=%q", name, a.Key, a.Val)
				case a.Key == "href" && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "data:image/svg+xml,"):
					t.Errorf("%s: a link to %q", name, a.Val)
				}
			}
		}
	}
}

func pages(t testing.TB) map[string][]byte {
	return map[string][]byte{"foreign": write(t, page.Options{}, subject(foreign().Read(t), "x")), "two platforms": twoPlatforms(t), "hostile": hostilePage(t)}
}

// What does not print is shown as an escape, and turns no text around.
func TestUnprintable(t *testing.T) {
	t.Parallel()
	text := string(hostilePage(t))
	for _, bad := range []string{"\u202e", "\x1b", "\xff"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{`/bidi\u202egpj.exe`, `/bytes\xff\xfe\x1b[31m\n`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// The same reports give the same bytes.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	if !bytes.Equal(writeHostile(t), hostilePage(t)) {
		t.Error("two pages of the same images differ")
	}
}

func TestNothingToWrite(t *testing.T) {
	t.Parallel()
	if err := page.Write(&bytes.Buffer{}, nil, page.Options{}); err == nil {
		t.Error("a page about nothing was written")
	}
}

// Many paths: 12,000 in two platforms are far below the 1.5 MB that a page may weigh.
func TestWeight(t *testing.T) {
	t.Parallel()
	i := foreign()
	for n := range 6000 {
		i.Layers[1] = append(i.Layers[1], file{Path: fmt.Sprintf("/usr/share/zone%d/file-%x", n%97, sha256.Sum256([]byte{byte(n), byte(n >> 8)}))[:60]})
	}
	text := write(t, page.Options{}, subject(i.Read(t), "x"), subject(i.Read(t), "x"))
	t.Logf("12,000 paths: %d kB", len(text)/1000)
	if len(text) > 1_500_000 {
		t.Errorf("the page weighs %d bytes", len(text))
	}
}
