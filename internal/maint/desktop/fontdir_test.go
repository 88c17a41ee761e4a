package desktop_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// pcf makes a compiled font that has properties alone, in one order of bytes or the
// other.
func pcf(name string, big bool) string {
	var order binary.AppendByteOrder = binary.LittleEndian
	format := uint32(0)
	if big {
		order, format = binary.BigEndian, 4
	}
	text := "FONTNAME\x00x\x00FONT\x00" + name + "\x00"
	le := func(b []byte, v ...uint32) []byte {
		for _, v := range v {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return b
	}
	b := le([]byte("\x01fcp"), 2, 8, 0, 0, 0, 1, format, 0, 40)
	b = le(b, format)
	b = order.AppendUint32(b, 2)
	for _, prop := range [][2]uint32{{0, 9}, {11, 16}} {
		b = order.AppendUint32(b, prop[0])
		b = append(b, 1)
		b = order.AppendUint32(b, prop[1])
	}
	b = append(b, 0, 0)
	b = order.AppendUint32(b, uint32(len(text)))
	return string(b) + text
}

const bdf = "STARTFONT 2.1\nCOMMENT x\nFONT  -Misc-Fixed-ISO10646-1\nSIZE 1 75 75\nCHARS 0\nENDFONT\n"

// fontFiles are directories of fonts; a content "-> x" is a link.
var fontFiles = map[string]string{
	"f/b.bdf":          bdf,
	"f/a.pcf":          pcf("-Misc-Fixed-ISO10646-1", true),
	"f/c.bdf.gz":       zipped(strings.Replace(bdf, "10646-1", "8859-1", 1)),
	"f/plain.bdf":      strings.Replace(bdf, "10646-1", "8859-1", 1),
	"f/l.pcf":          pcf("-little-a", false),
	"f/b.pcf.gz":       zipped(pcf("-Big-B", true)),
	"f/link.pcf":       "-> l.pcf",
	"f/gone.pcf":       "-> nothing",
	"f/text":           "no font",
	"f/type1.pfa":      "%!PS-AdobeFont-1.0: x\n",
	"f/fonts.scale":    "3\nb.ttf -B-Scaled\na.ttf   -a-With Space\nl.ttf -LITTLE-a\nmore.ttf -more\n",
	"empty/x":          "",
	"e/iso.enc":        "# comment\nSTARTENCODING iso8859-11\nALIAS tis620-0\n\nSIZE 0x80\nALIAS tis-2\nSTARTMAPPING unicode\nALIAS no\n",
	"e/z.enc.gz":       zipped("STARTENCODING Abc-1\nSTARTMAPPING unicode\n"),
	"e/other":          "ALIAS x\nSTARTENCODING y\nSTARTMAPPING unicode\n",
	"e/encodings.dir":  "1\nx y\n",
	"e/large/n.enc":    "STARTENCODING n-0\nSTARTMAPPING unicode\n",
	"f/encodings.dir":  "-> nothing",
	"none/fonts.scale": "many\n",
}

const listing = "mkfontscale -b -s -l -e $PWD/e -e $PWD/e/large/ f; echo $?; mkfontscale -b -s -l none; mkfontscale -b -s -l nowhere; mkfontscale -b -s -l empty; echo $?"

func listOurs(t *testing.T, dir, script string) (map[string]string, error) {
	t.Helper()
	sh := newShell(t)
	if err := sh.FS.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range fontFiles {
		at := dir + "/" + name
		err := sh.FS.MkdirAll(filepath.Dir(at), 0o755)
		if to, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
			err = sh.FS.Symlink(to, at)
		} else if err == nil {
			err = sh.FS.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := sh.Run(t.Context(), shell.Script{Name: "s", Text: "exec 2>/dev/null >" + dir + "/out; cd " + dir + "; " + script, Env: []string{"PATH=/usr/bin:/bin"}})
	left := map[string]string{}
	for _, name := range listed {
		if b, err := sh.FS.ReadFile(dir + "/" + name); err == nil {
			left[name] = strings.ReplaceAll(string(b), dir, "DIR")
		}
	}
	return left, err
}

var listed = []string{"out", "f/fonts.dir", "f/encodings.dir", "none/fonts.dir", "none/encodings.dir", "empty/fonts.dir", "empty/encodings.dir"}

var wantLists = map[string]string{
	"out":             "0\n0\n",
	"f/fonts.dir":     "7\na.pcf -misc-fixed-iso10646-1\na.ttf -a-with space\nb.pcf.gz -big-b\nb.ttf -b-scaled\nc.bdf.gz -misc-fixed-iso8859-1\nl.pcf -little-a\nl.ttf -little-a\n",
	"f/encodings.dir": "5\nAbc-1 DIR/e/z.enc.gz\niso8859-11 DIR/e/iso.enc\nn-0 DIR/e/large/n.enc\ntis-2 DIR/e/iso.enc\ntis620-0 DIR/e/iso.enc\n",
	"none/fonts.dir":  "0\n",
	"empty/fonts.dir": "0\n",
}

func TestMkfontscale(t *testing.T) {
	got, err := listOurs(t, "/w", listing)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(wantLists)) {
		if got[name] != wantLists[name] {
			t.Errorf("%s\ngot\n%s\nwant\n%s", name, got[name], wantLists[name])
		}
	}
	for script, want := range map[string]string{
		"mkfontscale f":                                  "mkfontscale without -b -s -l",
		"mkfontscale -b -s -l f none":                    "mkfontscale of several directories",
		"mkfontscale -b -s -l -a x f":                    "mkfontscale: option -a",
		"echo BZh >f/x.bz2; mkfontscale -b -s -l f":      "finding the name of the font /w/f/x.bz2",
		"printf '\\001fcp' >f/x; mkfontscale -b -s -l f": "finding the name of the font /w/f/x",
	} {
		if _, err := listOurs(t, "/w", script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
}

// As the real mkfontscale lists them.
func TestRealMkfontscale(t *testing.T) {
	if _, err := exec.LookPath("mkfontscale"); err != nil {
		t.Skip("SKIPPED: no mkfontscale on this host: nothing to compare with")
	}
	dir := t.TempDir()
	for name, text := range fontFiles {
		at := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		if to, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
			err = os.Symlink(to, at)
		} else if err == nil {
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("sh", "-c", "exec 2>/dev/null >out; "+listing)
	c.Dir = dir
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range listed {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		if got := strings.ReplaceAll(string(b), dir, "DIR"); got != wantLists[name] {
			t.Errorf("%s: the real program has\n%s\nnot\n%s", name, got, wantLists[name])
		}
	}
}

func FuzzFontFile(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(fontFiles)) {
		f.Add([]byte(fontFiles[name]))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		sh := newShell(t)
		if err := sh.FS.MkdirAll("/f", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := sh.FS.WriteFile("/f/x", content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = sh.Run(t.Context(), shell.Script{Name: "s", Text: "mkfontscale -b -s -l -e /f /f", Env: []string{"PATH=/usr/bin"}})
	})
}
