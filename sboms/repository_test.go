package sboms

import (
	"testing"

	"github.com/hardpan/hardpan/internal/language"
)

// What is taken for the address of a repository.
func TestRepositoryAddress(t *testing.T) {
	for _, c := range []struct{ said, want string }{
		{"https://github.com/madler/zlib", "https://github.com/madler/zlib"},
		{"https://github.com/unicode-org/icu/releases", "https://github.com/unicode-org/icu"},
		{"git+https://github.com/a/b.git", "https://github.com/a/b.git"},
		{"github:a/b", "https://github.com/a/b"},
		{"scm:git:https://example.org/a.git", "https://example.org/a.git"},
		{"https://user:secret@github.com/a/b?tab=readme#top", "https://github.com/a/b"},
		{"https://gitlab.freedesktop.org/glvnd/libglvnd", "https://gitlab.freedesktop.org/glvnd/libglvnd"},
		{"https://gitlab.com/group/sub/repo/-/releases", "https://gitlab.com/group/sub/repo"},
		{"https://sourceware.org/git/glibc.git", "https://sourceware.org/git/glibc.git"},
		{"git://git.example.org/a.git/tree/x", "git://git.example.org/a.git"},
		// What may be a repository, and may be not.
		{"https://github.com/google", ""},
		{"https://github.com/orgs/google/repositories", ""},
		{"https://github.com", ""},
		{"https://github.io/a/b", ""},
		{"https://code.videolan.org/rist/librist", ""},
		{"http://cgit.freedesktop.org/mesa/glu/", ""},
		{"https://zlib.net/", ""},
		{"git@github.com:a/b.git", ""},
		{"ssh://git@github.com/a/b.git", ""},
		{"file:///srv/a.git", ""},
		{"https://example.org/.git", ""},
		{"see the README", ""},
		{"%", ""},
		{"", ""},
	} {
		if got := repositoryAddress(c.said); got != c.want {
			t.Errorf("%q: %q, want %q", c.said, got, c.want)
		}
	}
}

// Who says where the sources of a package are kept.
func TestRepository(t *testing.T) {
	for _, c := range []struct{ upstream, homepage, want string }{
		{"https://github.com/a/b", "https://github.com/c/d", "https://github.com/a/b"},
		{"<https://github.com/a/b>, and more", "", "https://github.com/a/b"},
		{"https://nodejs.org/ https://github.com/ada-url/ada", "https://example.org", ""},
		{"", "https://github.com/c/d", "https://github.com/c/d"},
	} {
		p := Package{Homepage: c.homepage, Licence: Licence{Upstream: c.upstream}}
		if got := p.repository(); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.upstream, c.homepage, got, c.want)
		}
	}
	for name, want := range map[string]string{
		"github.com/a/b/v2": "https://github.com/a/b", "golang.org/x/text": "https://go.googlesource.com/text", "stdlib": "https://go.googlesource.com/go", "example.org/a/b": "",
	} {
		p := LanguagePackage{Type: language.Golang, Name: name}
		if got := p.repository(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	p := LanguagePackage{Type: language.NPM, Repository: "git+https://github.com/a/b.git", Homepage: "https://github.com/c/d#readme"}
	if got := p.repository(); got != "https://github.com/a/b.git" {
		t.Errorf("npm: %q", got)
	}
}
