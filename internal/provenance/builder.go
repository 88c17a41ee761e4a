package provenance

// Builder is who built.
type Builder struct {
	ID         string // a URI, which says what has to be trusted
	Version    string // of hardpan
	Invocation string // URI of the run, "" where there is none
	Repository string // of the spec, as SLSA names it, "git+https://...", "" where it is not known
	Commit     string // of that repository
}

// local is the builder that nobody vouches for but whoever signs (SLSA build level 1).
const local = "https://github.com/hardpan/hardpan/blob/main/docs/provenance.md#local"

// FromEnvironment returns the builder that the variables of a hosted runner describe
// (GitHub's "Variables reference", GitLab's "Predefined CI/CD variables"), and the
// local one where there are none.
func FromEnvironment(getenv func(string) string, version string) Builder {
	b := Builder{ID: local, Version: version}
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		server, repository := getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY")
		b.ID = server + "/" + getenv("GITHUB_WORKFLOW_REF")
		b.Invocation = server + "/" + repository + "/actions/runs/" + getenv("GITHUB_RUN_ID") + "/attempts/" + getenv("GITHUB_RUN_ATTEMPT")
		b.Repository, b.Commit = "git+"+server+"/"+repository+"@"+getenv("GITHUB_REF"), getenv("GITHUB_SHA")
	case getenv("GITLAB_CI") == "true":
		b.ID = getenv("CI_PROJECT_URL") + "/-/runners/" + getenv("CI_RUNNER_ID")
		b.Invocation = getenv("CI_JOB_URL")
		b.Repository, b.Commit = "git+"+getenv("CI_PROJECT_URL"), getenv("CI_COMMIT_SHA")
	}
	return b
}

// source describes the repository that the spec is in.
func (b Builder) source() []descriptor {
	if b.Commit == "" {
		return nil
	}
	return []descriptor{{Name: "source", URI: b.Repository, Digest: map[string]string{"gitCommit": b.Commit}}}
}
