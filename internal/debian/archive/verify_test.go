package archive

import (
	"bytes"
	"crypto"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/store"
)

func TestDebianKeyring(t *testing.T) {
	have := strings.Join(DebianKeyring().Fingerprints(), " ")
	for name, want := range map[string]string{
		"bookworm automatic": "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8",
		"bookworm security":  "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",
		"bookworm stable":    "4D64FEC119C2029067D6E791F8D2585B8783D481",
		"trixie automatic":   "04B54C3CDCA79751B16BC6B5225629DF75B188BD",
		"trixie security":    "5E04A1E3223A19A20706E20F9904613D4CCE68C6",
		"trixie stable":      "41587F7DB8C774BCCF131416762F67A0B2C39DE4",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("%s: %s is not in the embedded keyring", name, want)
		}
	}
	readme, err := os.ReadFile("keys/README")
	if err != nil {
		t.Fatal(err)
	}
	if sum := store.DigestOf(debianKeys).Hex(); !strings.Contains(string(readme), "keyring sha256: "+sum) {
		t.Errorf("keys/README does not describe the embedded file of sha256 %s", sum)
	}
}

func TestReadKeyring(t *testing.T) {
	a, b := newKey(t, archivetest.KeyOptions{}), newKey(t, archivetest.KeyOptions{})
	public := func(k *archivetest.Key, armored bool) string {
		get := k.Public
		if armored {
			get = k.Armored
		}
		out, err := get()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for name, tt := range map[string]struct{ content, want, err string }{
		"binary":           {content: public(a, false), want: a.Fingerprint()},
		"binary, two":      {content: public(a, false) + public(b, false), want: a.Fingerprint() + " " + b.Fingerprint()},
		"armored":          {content: public(a, true), want: a.Fingerprint()},
		"armored, two":     {content: public(a, true) + "\n" + public(b, true), want: a.Fingerprint() + " " + b.Fingerprint()},
		"leading newlines": {content: "\n\n" + public(a, true), want: a.Fingerprint()},
		"empty":            {content: "", err: "cannot read keyring k.gpg: no openpgp certificate in it"},
		"text":             {content: "this is no keyring", err: "cannot read keyring k.gpg: "},
		"another armor":    {content: "-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n", err: "cannot read keyring k.gpg: no openpgp certificate in it"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := ReadKeyring("k.gpg", strings.NewReader(tt.content))
			if tt.err != "" {
				wantError(t, err, nil, tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if have := strings.Join(k.Fingerprints(), " "); have != tt.want {
				t.Errorf("have %s, want %s", have, tt.want)
			}
		})
	}
}

// TestSignedText: only what was signed comes back, as it was signed.
func TestSignedText(t *testing.T) {
	key := newKey(t, archivetest.KeyOptions{})
	ring := keyringOf(t, key)
	for text, want := range map[string]string{
		"Suite: trixie\n":                              "Suite: trixie",
		"Suite: trixie\nSHA256:\n a 1 b\n":             "Suite: trixie\nSHA256:\n a 1 b",
		"- dash\n-----BEGIN PGP SIGNATURE-----\nend\n": "- dash\n-----BEGIN PGP SIGNATURE-----\nend",
		"trailing \t\nblanks\n":                        "trailing\nblanks",
	} {
		signed, err := archivetest.ClearSign([]byte(text), archivetest.Epoch, crypto.SHA512, key)
		if err != nil {
			t.Fatal(err)
		}
		have, signers, err := ring.verifyClearSigned(signed, moment{now: now})
		if err != nil || string(have) != want || len(signers) != 1 {
			t.Errorf("have %q by %v, %v, want %q", have, signers, err, want)
		}
		// The same with the line ends of another system.
		have, _, err = ring.verifyClearSigned(bytes.ReplaceAll(signed, []byte("\n"), []byte("\r\n")), moment{now: now})
		if err != nil || string(have) != want {
			t.Errorf("with \\r\\n: have %q, %v, want %q", have, err, want)
		}
	}
}

// TestGnuPG has the reference implementation sign, with a key that certifies and a
// subkey that signs, as Debian's are.
func TestGnuPG(t *testing.T) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		t.Skip("SKIPPED: needs the program gpg (package gnupg): signatures were not compared with its")
	}
	home, err := os.MkdirTemp("", "gpg") // a short path: gpg-agent's socket is there
	if err != nil {
		t.Fatal(err)
	}
	run := func(stdin string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(gpg, append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", "20250809T000000"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %v: %v: %s", args, err, stderr.String())
		}
		return out
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	run("", "--quick-generate-key", "Fixture <f@example.org>", "ed25519", "cert", "never")
	var primary string
	for line := range strings.Lines(string(run("", "--with-colons", "--list-keys"))) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" && primary == "" {
			primary = fields[9]
		}
	}
	run("", "--quick-add-key", primary, "ed25519", "sign", "never")
	ring, err := ReadKeyring("gnupg", bytes.NewReader(run("", "--armor", "--export")))
	if err != nil {
		t.Fatal(err)
	}
	const text = "Suite: trixie\n- dash\n"
	signed := run(text, "--clear-sign", "--digest-algo", "SHA512")
	have, signers, err := ring.verifyClearSigned(signed, moment{now: now})
	if err != nil || string(have) != strings.TrimSuffix(text, "\n") || len(signers) != 1 || signers[0] != primary {
		t.Errorf("clear-signed: have %q by %v, %v, want by %s", have, signers, err, primary)
	}
	for _, armor := range []string{"--armor", "--no-armor"} {
		if _, err := ring.verifyDetached([]byte(text), run(text, armor, "--detach-sign"), moment{now: now}); err != nil {
			t.Errorf("detached, %s: %v", armor, err)
		}
	}
	sha1 := run(text, "--clear-sign", "--digest-algo", "SHA1", "--weak-digest", "MD5")
	_, _, err = ring.verifyClearSigned(sha1, moment{now: now})
	wantError(t, err, nil, "weak hash SHA-1")

	// The subkey is revoked later: what it signed is no longer good.
	run("key 1\nrevkey\ny\n0\n\ny\nsave\n", "--no-tty", "--command-fd", "0", "--edit-key", primary)
	revoked, err := ReadKeyring("gnupg", bytes.NewReader(run("", "--export")))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = revoked.verifyClearSigned(signed, moment{now: now})
	wantError(t, err, nil, "is revoked")
}

// FuzzInRelease: verification of anything neither panics nor accepts a text that the
// key did not sign.
func FuzzInRelease(f *testing.F) {
	key, err := archivetest.NewKey(archivetest.KeyOptions{})
	if err != nil {
		f.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		f.Fatal(err)
	}
	ring, err := ReadKeyring("fuzz", bytes.NewReader(public))
	if err != nil {
		f.Fatal(err)
	}
	const signedText = "Origin: Debian\nSuite: stable\n- x"
	signed, err := archivetest.ClearSign([]byte(signedText), archivetest.Epoch, 0, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(append(bytes.Clone(signed), signed...))
	f.Add(bytes.Replace(signed, []byte("stable"), []byte("sid"), 1))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, _, err := ring.verifyClearSigned(data, moment{now: now})
		if err == nil && string(text) != signedText {
			t.Errorf("accepted %q, which was never signed", text)
		}
		if err != nil && text != nil {
			t.Error("text returned beside an error")
		}
		ring.verifyDetached([]byte("x"), data, moment{now: now})
		ReadKeyring("fuzz", bytes.NewReader(data))
		parseRelease(data)
	})
}
