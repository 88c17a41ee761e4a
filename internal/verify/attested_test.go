package verify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/sboms"
)

// TestSeveral: of several documents of a type each is asked, in whatever order the
// registry has them.
func TestSeveral(t *testing.T) {
	is := image()
	spdx, err := sboms.SPDX(is)
	if err != nil {
		t.Fatal(err)
	}
	less := image()
	less.Files = less.Files[:1]
	other, err := sboms.SPDX(less)
	if err != nil {
		t.Fatal(err)
	}
	rec := &record.Record{Name: "a", Spec: "sha256:" + digits("5"), Tests: []record.Test{{Name: "one"}}}
	passed := []byte(`{"result": "PASSED", "passedTests": ["one"], "configuration": [{"digest": {"sha256": "` + digits("5") + `"}}]}`)
	failed := []byte(`{"result": "FAILED", "failedTests": ["one"]}`)
	x := policed(t)
	said := x.attested[0][provenance.Type][0]
	first, firstLock := build(t, "1")
	second, secondLock := build(t, "2")
	elsewhere := []byte(strings.Replace(string(said), "github.com/example/images/.github", "github.com/mallory/images/.github", 1))
	p, err := policy(t, t.TempDir(), `builders: [{id: "https://github.com/example/*"}]`)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		said       attested
		ask        func(attested) sign.Question
	}{
		{"the same SBOM", "2 files", attested{sboms.SPDXType: {spdx, spdx}}, func(a attested) sign.Question { return must(t)(described(is, nil, a)) }},
		{"an SBOM with less", "is in the image and not in the document", attested{sboms.SPDXType: {spdx, other}}, func(a attested) sign.Question { return must(t)(described(is, nil, a)) }},
		{"tests that failed", `the result is "FAILED"`, attested{provenance.TestResultType: {passed, failed}}, func(a attested) sign.Question {
			return a.each(provenance.TestResultType, func(d []byte) sign.Question { return tested(d, rec) })
		}},
		{"provenance of two builds with a lock each", "made from the attested lock", attested{provenance.Type: {first, second}, provenance.LockType: {firstLock, secondLock}}, attested.origin},
		{"provenance without its lock", "does not fit the lock", attested{provenance.Type: {first, second}, provenance.LockType: {firstLock}}, attested.origin},
		{"another builder", "is no builder of the policy", attested{provenance.Type: {said, elsewhere}}, func(a attested) sign.Question {
			x := policed(t)
			x.attested[0] = a
			list, err := x.judge(t.Context(), &Options{Policy: p}, nil, nil)
			if err != nil || len(list) != 1 {
				t.Fatalf("%v, %v", list, err)
			}
			return list[0]
		}},
	} {
		for range 2 {
			q := test.ask(test.said)
			if yes := strings.HasPrefix(test.want, "2 files") || strings.HasPrefix(test.want, "made"); q.OK != yes || !strings.Contains(q.Answer, test.want) {
				t.Errorf("%s: %v %q, want %q", test.name, q.OK, q.Answer, test.want)
			}
			for _, documents := range test.said {
				slices.Reverse(documents)
			}
		}
	}
}

// build returns the provenance and the lock of a build from an archive with that digest.
func build(t *testing.T, digit string) (said, locked []byte) {
	t.Helper()
	archives := []lock.Archive{{ID: "debian/trixie", Suite: "trixie", InRelease: "sha256:" + digits(digit), Date: time.Unix(1, 0).UTC()}}
	l := &lock.Lock{LockVersion: lock.Version, Request: lock.Request{Distro: "debian/trixie", Platforms: []string{"linux/amd64"}}, Archives: archives}
	locked, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	said, err = provenance.Predicate([]*record.Record{{Name: "a", Version: "1", Platform: "linux/amd64", Archives: archives}}, string(store.DigestOf(locked)), provenance.Builder{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return said, locked
}

func must(t *testing.T) func(sign.Question, error) sign.Question {
	return func(q sign.Question, err error) sign.Question {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
}

// TestAttestedOf: what is said twice counts once, what is refused or of another image
// does not.
func TestAttestedOf(t *testing.T) {
	one, two := sign.Subject{Name: "linux/amd64", Digest: "sha256:1"}, sign.Subject{Name: "linux/arm64", Digest: "sha256:2"}
	about := func(s sign.Subject, predicate string) sign.Question {
		return sign.Question{Subject: s, Type: check.ResultType, Predicate: []byte(predicate)}
	}
	r := &sign.Report{Questions: []sign.Question{about(one, "a"), about(two, "b"), about(one, "c"), about(one, "a"), {Subject: one, Type: check.ResultType}}}
	if got := attestedOf(r, one)[check.ResultType]; len(got) != 2 || string(got[0])+string(got[1]) != "ac" {
		t.Errorf("%q", got)
	}
}
