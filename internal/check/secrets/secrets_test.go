package secrets

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Secrets that nobody has, in parts, so that no scanner finds this file.
var (
	aws    = "AKIA" + "QX4BIYZPFD7T2NMO"
	github = "ghp_" + "x7Kq2mVb9Lw4Zt8Rn3Yc6Hd1Js5Gf0Pa2QeU"
	pem    = "-----BEGIN EC PRIVATE" + " KEY-----\n" + strings.Repeat("MHcCAQEEIBqk3Zb8vX1yN5tRw7QpLm2cJf9\n", 4) + "-----END EC PRIVATE" + " KEY-----\n"
)

func TestFind(t *testing.T) {
	d, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	filler := strings.Repeat("some text that is nothing, key and token and password\n", 2000)
	for _, c := range []struct{ name, text, want string }{
		{"", "aws = " + aws + "\n", "aws-access-token:1"},
		{"app/x", "one\ntwo\ntoken: " + github + "\n", "github-pat:3"},
		{"app/key", pem, "private-key:1"},
		{"app/key", "\n\n" + pem, "private-key:3"},
		{"", "api_key = \"q8Zr4Tn1Vx7Lm3Wk9Pb2Yc6\"\n", "generic-api-key:1"},
		{"", filler + "aws = " + aws + "\n" + filler, "aws-access-token:2001"},
		{"", filler + "db_password: q8Zr4Tn1Vx7Lm3Wk9Pb2Yc6\n" + filler, "generic-api-key:2001"},
		{"", aws + "\n" + aws + "\n", "aws-access-token:1 aws-access-token:2"},
		// What belongs to the rules' control of false positives.
		{"", "aws = AKIAIOSFODNN7EXAMPLE\n", ""},
		{"", "api_key = \"${API_KEY}\"\n", ""},
		{"", "api_key = \"aaaaaaaaaaaaaaaaaaaaaaaa\"\n", ""},
		{"", "aws = " + aws + " # gitleaks:allow\n", ""},
		{"", "password is a word, and key = value\n", ""},
		{"", "", ""},
		{"", strings.Repeat("\n", 10), ""},
	} {
		var got []string
		for _, f := range d.Find(c.name, []byte(c.text)) {
			got = append(got, fmt.Sprintf("%s:%d", f.Rule, f.Line))
			if strings.Contains(f.Shown, aws[:12]) || len(f.Shown) > 40 || f.secret != "" {
				t.Errorf("%s shows %q", f.Rule, f.Shown)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%.60q: %q, want %q", c.text, got, c.want)
		}
	}
	for name, want := range map[string]bool{"app/package-lock.json": true, "app/node_modules/x/y.js": true, "app/x.png": true, "etc/passwd": false} {
		if d.Ignores(name) != want {
			t.Errorf("%s is ignored: %t", name, !want)
		}
	}
}

// What the rules' expressions are known to be is so of this version of gitleaks; a new
// one asks for a look at those that are searched for in whole texts.
func TestRules(t *testing.T) {
	d, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	var whole []string
	for i := range d.ordered {
		if r := &d.ordered[i]; !r.around {
			whole = append(whole, r.RuleID)
		}
	}
	slices.Sort(whole)
	if want := "airtable-personnal-access-token authress-service-client-access-key cloudflare-origin-ca-key facebook-access-token pkcs12-file sourcegraph-access-token"; strings.Join(whole, " ") != want || d.Rules() != 222 {
		t.Errorf("%d rules, searched for in whole texts: %s", d.Rules(), strings.Join(whole, " "))
	}
}

// FuzzFind holds that a text in pieces of windows has what the whole text has: what is
// found depends on no text far from it.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"aws = " + aws, pem, "api_key = \"q8Zr4Tn1Vx7Lm3Wk9Pb2Yc6\"", "token:" + github, "\xff\xfekey=\x00", "password\r\n=\r\n'q8Zr4Tn1Vx7Lm3Wk9Pb2Yc6'"} {
		f.Add(seed)
	}
	d, err := Default()
	if err != nil {
		f.Fatal(err)
	}
	far := strings.Repeat("- \n", 20<<10)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		text = "\n" + text + "\n"
		near, apart := d.Find("", []byte(text)), d.Find("", []byte(far+text+far))
		if len(near) != len(apart) {
			t.Fatalf("alone %v, far apart %v", near, apart)
		}
		for i := range near {
			if near[i].Rule != apart[i].Rule || near[i].Line+(20<<10) != apart[i].Line {
				t.Fatalf("alone %v, far apart %v", near, apart)
			}
		}
	})
}
