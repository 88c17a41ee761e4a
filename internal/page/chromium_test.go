package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/page"
)

// pictures is where pictures of the page go, for somebody to look at; -page takes them
// of another page than the tests' own.
var (
	pictures = flag.String("pictures", "", "write pictures of the page into this `directory`")
	pageFile = flag.String("page", "", "take the pictures of the page in this `file`")
)

// At a desk and on a telephone, light and dark: nothing to complain of, and nothing to
// scroll sideways.
func TestChromiumLooks(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	name := *pageFile
	if name == "" {
		name = saved(t, twoPlatforms(t))
	}
	background := map[string]string{}
	for _, l := range []look{{}, {dark: true}, {width: 360, height: 740}, {width: 360, height: 740, dark: true}} {
		b.open(name, l)
		b.quiet()
		b.expect("document.documentElement.scrollWidth <= innerWidth", "true")
		key := fmt.Sprintf("%d-%t", l.width, l.dark)
		background[key] = b.eval("getComputedStyle(document.body).backgroundColor")
		for _, at := range []string{"summary", "rules", "packages", "files", "layers", "changes"} {
			if b.eval(fmt.Sprintf("document.getElementById('p0-%s') === null", at)) == "true" {
				continue
			}
			b.eval(fmt.Sprintf("document.getElementById('p0-%s').scrollIntoView()", at))
			if *pictures != "" {
				must(t, os.WriteFile(filepath.Join(*pictures, at+key+".png"), b.picture(), 0o644))
			}
		}
		b.eval("document.querySelectorAll('details').forEach((d) => { d.open = true })")
		b.expect("document.documentElement.scrollWidth <= innerWidth", "true")
	}
	if background["0-false"] == background["0-true"] {
		t.Errorf("light and dark have the same background, %s", background["0-true"])
	}
}

func TestChromiumFilters(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	b.open(saved(t, write(t, page.Options{}, subject(foreign().Read(t), "x"))), look{})
	const rows = "[...document.querySelectorAll('.packages tbody tr')].filter((r) => r.offsetParent).map((r) => r.cells[0].textContent).join(' ')"
	b.expect(rows, `"libtool tool zebra"`)
	b.typeInto(".packages .find", "TOOL")
	b.expect(rows, `"libtool tool"`)
	b.expect("document.querySelector('.packages [role=status]').textContent", `"2 of 3 packages"`)
	b.eval("document.querySelector('.packages .find').select()")
	b.typeInto(".packages .find", "needed by")
	b.expect(rows, `"libtool"`)
	b.open(saved(t, write(t, page.Options{}, subject(foreign().Read(t), "x"))), look{})
	// The column of versions by keyboard: 1.9 comes before 1.10, and then after it.
	b.eval("document.querySelectorAll('.packages thead button')[1].focus()")
	b.keys("Enter")
	b.expect(rows, `"libtool tool zebra"`)
	b.keys("Enter")
	b.expect(rows, `"zebra tool libtool"`)
	b.expect("[...document.querySelectorAll('.packages th[aria-sort]')].map((h) => h.textContent + ' ' + h.getAttribute('aria-sort')).join()", `"Version descending"`)
	b.eval("document.querySelectorAll('.packages thead button')[4].click()")
	b.expect(rows, `"tool zebra libtool"`)

	const shownRules = "[...document.querySelectorAll('.rule')].filter((r) => r.checkVisibility({contentVisibilityAuto: true})).map((r) => r.id.slice(3)).join(' ')"
	all := b.eval(shownRules)
	b.typeInto(".rules .find", "/srv/open")
	b.expect(shownRules, `"world-writable-file"`)
	b.eval("document.querySelector('.rules .find').value = ''; document.querySelector('.rules .find').dispatchEvent(new Event('input'))")
	b.expect(shownRules, all)
	b.eval("document.querySelector('.rules [data-status=not-applicable]').click()")
	if got := b.eval(shownRules); !strings.Contains(got, "signature-missing") || strings.Contains(got, "root-user") {
		t.Errorf("not applicable are %s", got)
	}
	b.expect("document.querySelector('.rules .toggles [aria-pressed=true]').dataset.status", `"not-applicable"`)
	b.eval("document.querySelector('.rules .toggles [aria-pressed=true]').click()")
	b.eval("{ const s = document.querySelector('.severity'); s.value = 'critical'; s.dispatchEvent(new Event('change')) }")
	if got := b.eval(shownRules); strings.Contains(got, "signature-missing") {
		t.Errorf("critical are %s", got)
	}
	b.quiet()
}

// The tree by keyboard, as the tree view pattern of ARIA has it.
func TestChromiumTree(t *testing.T) {
	t.Parallel()
	img := foreign()
	for n := range 700 {
		img.Layers[1] = append(img.Layers[1], file{Path: fmt.Sprintf("/many/%03d", n), Content: "x"})
	}
	b := openBrowser(t)
	b.open(saved(t, write(t, page.Options{}, subject(img.Read(t), "x"))), look{})
	const (
		names = "[...document.querySelectorAll('.item')].map((i) => i.querySelector('.name bdi').textContent).join(' ')"
		at    = "document.activeElement.querySelector('.row').textContent"
	)
	b.expect(names, `"/ etc many srv tmp usr var"`)
	b.expect("document.querySelectorAll('.item[tabindex=\"0\"]').length", "1")
	b.eval("document.querySelector('.files .toggles button:last-child').focus()")
	b.keys("Tab")
	b.expect("document.activeElement.getAttribute('role')", `"treeitem"`)
	b.keys("u")
	b.expect(at, `"usr, directory, mode 0755, owner 0:0, 2.0 kB, from package tool 1.10-1, by the database of dpkg"`)
	b.keys("ArrowRight")
	b.expect("document.activeElement.getAttribute('aria-expanded')", `"true"`)
	b.keys("ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown")
	b.expect(at, `"tool, file, mode 0755, owner 0:0, 2.0 kB, from package tool 1.10-1, by the database of dpkg"`)
	b.expect("document.activeElement.getAttribute('aria-level')", "\"4\"")
	b.keys("ArrowDown")
	b.expect(at, `"up, file, setuid, unexplained, mode 4755, owner 0:0, 2 B, from unknown"`)
	b.expect("document.activeElement.querySelector('.detail').innerText.replace(/\\s+/g, ' ').trim()", `"/usr/bin/up file, layer 2 from unknown"`)
	b.keys("ArrowLeft")
	b.expect(at, `"bin, directory, mode 0755, owner 0:0, 2.0 kB, from package tool 1.10-1, by the database of dpkg"`)
	b.keys("ArrowLeft", "ArrowLeft", "ArrowLeft")
	b.expect(names, `"/ etc many srv tmp usr var"`)
	b.expect("document.querySelectorAll('.detail').length", "1")
	b.keys("Home", "ArrowLeft")
	b.expect(names, `"/"`)
	b.keys("Enter", "m", "ArrowRight", "End", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp")
	b.expect(at, `"show 300 of 400 more"`)
	b.keys("Enter")
	b.expect("document.activeElement.getAttribute('aria-posinset') + ' of ' + document.activeElement.getAttribute('aria-setsize')", `"301 of 700"`)

	// A path is found, and shown where it is.
	b.typeInto(".files .find", "MANY/69")
	b.expect("document.querySelector('.files [role=status]').textContent", `"10 paths"`)
	b.expect("document.querySelector('.tree').checkVisibility()", "false")
	b.eval("[...document.querySelectorAll('.hits button')].find((h) => h.textContent === '/many/699').click()")
	b.expect("document.activeElement.querySelector('.detail code').textContent", `"/many/699"`)
	b.eval("[...document.querySelectorAll('.files .toggles button')].find((f) => f.textContent.startsWith('world-writable')).click()")
	b.expect("[...document.querySelectorAll('.hits button')].map((h) => h.textContent).join(' ')", `"/srv/open /tmp"`)
	b.quiet()
}

// What an image says is text wherever it is shown, and runs nowhere.
func TestChromiumHostile(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	for _, l := range []look{{}, {width: 360, height: 740}, {noScript: true}} {
		b.open(saved(t, hostilePage(t)), l)
		b.eval(`for (const d of document.querySelectorAll("details")) d.open = true`)
		if !l.noScript {
			b.eval(`(async () => {
				for (const choose of document.querySelectorAll("[name=platform]")) {
					choose.click();
					const section = document.getElementById("p" + choose.id.slice(7));
					for (let it; (it = section.querySelector('.item[aria-expanded=false]'));) it.click();
					for (const it of section.querySelectorAll(".item")) it.click();
					for (const name of ["script", "bidi", "__proto__", "tostring", "/d/d/d", "longggg"]) {
						const find = section.querySelector(".files .find");
						find.value = name;
						find.dispatchEvent(new Event("input"));
						if (!section.querySelectorAll(".hits li").length && choose.id === "choose-0") throw new Error(name + " is not found");
						section.querySelector(".hits button")?.click();
					}
					for (const button of section.querySelectorAll("button")) button.click();
				}
			})()`)
		}
		b.expect("window.pwned === undefined", "true")
		b.expect("document.querySelectorAll('img, iframe, object, embed, [onerror], [onload], svg svg').length + document.scripts.length", "1")
		b.expect("document.documentElement.scrollWidth <= innerWidth", "true")
		b.quiet()
	}
}

// Without a script: summary, findings, packages, layers and changes of each platform.
func TestChromiumWithoutScript(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	b.open(saved(t, twoPlatforms(t)), look{noScript: true})
	for _, selector := range []string{"#p0-summary .facts", "#p0-root-user > summary", "#p0-packages table", "#p0-layers table", "#p0-changes .sizes", "#p0-files noscript"} {
		b.expect(fmt.Sprintf("document.querySelector(%q).checkVisibility()", selector), "true")
	}
	b.expect("[...document.querySelectorAll('.tools')].some((t) => t.checkVisibility())", "false")
	b.eval("document.querySelector('#p0-root-user > summary').click()")
	b.expect("document.querySelector('#p0-root-user .findings').innerText.includes('the config’s user is root'.replace('’', \"'\"))", "true")
	b.eval("document.getElementById('choose-1').click()")
	b.expect("document.getElementById('p0').checkVisibility() + ' ' + document.getElementById('p1').checkVisibility()", `"false true"`)
	b.quiet()
}

// On paper are the findings of what is broken, folded or not, and no buttons.
func TestChromiumPrint(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	name := *pageFile
	if name == "" {
		name = saved(t, twoPlatforms(t))
	}
	b.open(name, look{print: true})
	b.expect("[...document.querySelectorAll('.tools, nav, .choose, .tree')].some((t) => t.checkVisibility())", "false")
	pdf := b.pdf()
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Fatal("what is printed is no PDF")
	}
	if *pictures != "" {
		must(t, os.WriteFile(filepath.Join(*pictures, "print.pdf"), pdf, 0o644))
	}
	if *pageFile == "" {
		b.expect("document.querySelector('#p0-root-user .findings').getBoundingClientRect().height > 0", "true")
	}
	b.quiet()
}

// axe is the version of axe-core that looks at the page, and the digest of its script.
const axe, axeSHA256 = "4.14.1", "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

// axe-core, by which accessibility is judged, finds nothing, light and dark, with all
// that folds unfolded.
func TestChromiumAccessibleRealNPM(t *testing.T) {
	t.Parallel()
	script := axeScript(t)
	b := openBrowser(t)
	for _, l := range []look{{}, {dark: true}, {width: 360, height: 740}} {
		b.open(saved(t, twoPlatforms(t)), l)
		b.eval("(() => {" + script + "})()")
		b.eval("document.querySelectorAll('details').forEach((d) => { d.open = true }); document.querySelectorAll('.item[aria-expanded=false]').forEach((i) => i.click())")
		found := b.eval(`axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.map((v) => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + n.failureSummary)})))`)
		var violations []struct {
			ID, Impact, Help string
			Nodes            []string
		}
		must(t, json.Unmarshal([]byte(found), &violations))
		for _, v := range violations {
			t.Errorf("%+v: %s %s: %s\n%s", l, v.Impact, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
		}
	}
}

// axeScript returns axe-core's script out of the package registry of npm, which is kept.
func axeScript(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: needs the network (the npm registry, for axe-core)")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("SKIPPED: needs npm and the network (for axe-core)")
	}
	cache, err := os.UserCacheDir()
	must(t, err)
	dir := filepath.Join(cache, "hardpan-axe-core", axe)
	name := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(name); err != nil {
		must(t, os.MkdirAll(dir, 0o755))
		cmd := exec.Command(npm, "install", "--prefix", dir, "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "axe-core@"+axe)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: needs the npm registry (for axe-core): %s", out)
		}
	}
	text, err := os.ReadFile(name)
	must(t, err)
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != axeSHA256 {
		t.Fatalf("axe-core %s has the digest %x, expected %s", axe, sum, axeSHA256)
	}
	return string(text)
}
