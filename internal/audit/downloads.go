package audit

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// fetches reports whether a command downloads.
func fetches(c *dockerfile.Command) bool {
	return slices.Contains([]string{"curl", "wget", "fetch", "aria2c", "lwp-download"}, c.Name)
}

// interprets reports whether a command runs what it reads.
func interprets(c *dockerfile.Command) bool {
	n := c.Name
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh", "ksh", "perl", "ruby", "node", "php", "source", ".", "eval"}, n) || strings.HasPrefix(n, "python")
}

// passes reports whether a command hands on what it reads.
func passes(c *dockerfile.Command) bool {
	return slices.Contains([]string{"tee", "cat", "sed", "gunzip", "zcat", "gzip", "xz", "bunzip2", "bzip2", "zstd", "tr", "base64", "pv"}, c.Name)
}

// verifies reports whether a command compares a digest or a signature.
func verifies(c *dockerfile.Command) bool {
	switch c.Name {
	case "sha256sum", "sha512sum", "sha384sum", "sha1sum", "shasum", "b2sum", "cosign", "minisign", "signify", "gpgv", "slsa-verifier", "rekor-cli", "sq":
		return true
	case "gpg", "gpg2":
		return c.Has("--verify")
	case "openssl":
		return strings.Contains(c.String(), "dgst") || strings.Contains(c.String(), "-verify")
	case "git":
		return strings.Contains(c.String(), "verify-tag") || strings.Contains(c.String(), "verify-commit")
	}
	return false
}

// downloaded returns the file that a command downloads to.
func downloaded(c *dockerfile.Command) (string, bool) {
	if !fetches(c) {
		return "", false
	}
	for _, w := range c.Writes {
		if w.Text != "/dev/null" {
			return w.Text, true
		}
	}
	out := ""
	if c.Name == "curl" {
		out = c.Option("-o", "--output")
		if out == "" {
			out = lastOfCluster(c, 'o')
		}
		if out == "" && c.Has("-O", "--remote-name") {
			out = path.Base(address(c))
		}
	} else {
		out = c.Option("-O", "--output-document", "-o")
		if out == "" {
			out = lastOfCluster(c, 'O')
		}
		if out == "" {
			out = path.Base(address(c))
		}
		if slices.ContainsFunc(c.Args, func(w dockerfile.Word) bool { return strings.HasPrefix(w.Text, "-") && strings.HasSuffix(w.Text, "O-") }) {
			out = "-"
		}
	}
	if out == "" || out == "-" || out == "/dev/null" || out == "." {
		return "", false
	}
	return absolute(c.Dir, out), true
}

// lastOfCluster returns the word after options written together of which the last takes
// one, such as -fsSLo FILE.
func lastOfCluster(c *dockerfile.Command, letter byte) string {
	for i, w := range c.Args {
		if t := w.Text; len(t) > 2 && t[0] == '-' && t[1] != '-' && t[len(t)-1] == letter && i+1 < len(c.Args) {
			return c.Args[i+1].Text
		}
	}
	return ""
}

// address returns the address that a command fetches.
func address(c *dockerfile.Command) string {
	for _, w := range c.Args {
		if isAddress(w.Text) || strings.HasPrefix(w.Text, "$") {
			return w.Text
		}
	}
	return ""
}

func isAddress(s string) bool {
	for _, scheme := range []string{"http://", "https://", "ftp://", "git://", "git@", "ssh://"} {
		if strings.HasPrefix(s, scheme) {
			return true
		}
	}
	return false
}

// downloads judges what RUN takes from the network beside packages.
func (j *judge) downloads() {
	for step := range j.steps(false) {
		if step.Name != "RUN" {
			continue
		}
		commands := step.Commands()
		verified := slices.ContainsFunc(commands, verifies)
		for _, c := range commands {
			switch {
			case interprets(c) && slices.ContainsFunc(c.Args, func(w dockerfile.Word) bool { return slices.ContainsFunc(w.Runs, fetches) }):
				j.found("piped-installer", step, c.Line, c.Name+" runs what it fetches at that moment", c.String())
			case fetches(c):
				j.download(step, c, commands, verified)
			case c.Name == "git" && len(c.Args) > 0 && slices.Contains(c.Texts(), "clone"):
				j.clone(step, c, commands)
			}
		}
	}
}

func (j *judge) download(step *dockerfile.Step, c *dockerfile.Command, commands []*dockerfile.Command, verified bool) {
	into := c.Into
	for into != nil && passes(into) {
		into = into.Into
	}
	out, writes := downloaded(c)
	switch {
	case into != nil && interprets(into):
		j.found("piped-installer", step, c.Line, "what "+c.Name+" fetches is run by "+into.Name+" at once", c.String()+" | "+into.String())
	case verified:
	case writes && slices.ContainsFunc(commands, func(later *dockerfile.Command) bool { return runsFile(later, out) }):
		j.found("piped-installer", step, c.Line, "a script is fetched and run, and nothing verifies it", c.String())
	case writes || into != nil && slices.Contains([]string{"tar", "bsdtar", "unzip", "apt-key", "gpg", "dpkg", "cpio"}, into.Name):
		what := "what is fetched is compared with no digest or signature"
		if strings.HasPrefix(address(c), "http://") || strings.HasPrefix(address(c), "ftp://") {
			what += ", and comes in the clear"
		}
		j.found("download-unverified", step, c.Line, what, c.String())
	}
}

// runsFile reports whether a command runs the file as a script or a program.
func runsFile(c *dockerfile.Command, file string) bool {
	if same(absolute(c.Dir, c.Program().Text), file) && strings.Contains(c.Program().Text, "/") {
		return true
	}
	return interprets(c) && slices.ContainsFunc(c.Args, func(w dockerfile.Word) bool { return same(absolute(c.Dir, w.Text), file) })
}

func same(a, b string) bool {
	return strings.ReplaceAll(a, "/./", "/") == strings.ReplaceAll(b, "/./", "/")
}

var commit = compiled(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// clone judges git clone: what a branch has today is not what it had yesterday.
func (j *judge) clone(step *dockerfile.Step, c *dockerfile.Command, commands []*dockerfile.Command) {
	if c.Option("-b", "--branch", "--revision") != "" {
		return
	}
	for _, other := range commands {
		if other.Name == "git" && slices.ContainsFunc(other.Args, func(w dockerfile.Word) bool {
			return commit.match(w.Text) || !w.Known || strings.HasPrefix(w.Text, "v") || strings.HasPrefix(w.Text, "tags/")
		}) && other != c {
			return
		}
	}
	j.found("packages-unpinned", step, c.Line, "git clone takes what the branch has that day", c.String())
}

var archive = compiled(`\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz|zst|lz4?|Z)|gz|bz2|xz)$|[*?$]`)

// adds judges ADD.
func (j *judge) adds() {
	for step := range j.steps(false) {
		c, ok := step.Command.(*instructions.AddCommand)
		if !ok {
			continue
		}
		for _, source := range c.SourcePaths {
			switch {
			case isAddress(source):
				j.addAddress(step, c, source)
			case !archive.match(source):
				j.found("history-add", step, step.Line, "ADD of a file that COPY copies as well", step.Text)
			}
		}
	}
}

func (j *judge) addAddress(step *dockerfile.Step, c *instructions.AddCommand, source string) {
	if c.Checksum != "" {
		return
	}
	repository, ref, isRef := strings.Cut(source, "#")
	if strings.HasSuffix(repository, ".git") || strings.HasPrefix(source, "git@") || strings.HasPrefix(source, "git://") {
		ref, _, _ = strings.Cut(ref, ":")
		if !isRef || !commit.match(ref) {
			j.found("add-url", step, step.Line, "ADD of a repository without a commit", source)
		}
		return
	}
	what := "ADD of an address without --checksum"
	if strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "ftp://") {
		what += ", in the clear"
	}
	j.found("add-url", step, step.Line, what, source)
}
