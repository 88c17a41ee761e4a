package keyless

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	// tokenVariable is where GitLab's id_tokens, and others, put a token for sigstore
	// (GitLab, Use Sigstore for keyless signing and verification).
	tokenVariable = "SIGSTORE_ID_TOKEN"
	// githubURL and githubToken are where GitHub Actions gives tokens to jobs that have
	// the permission "id-token: write" (GitHub, OpenID Connect reference).
	githubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

	audience = "sigstore" // whom a token is for

	maxToken     = 64 << 10
	tokenTimeout = 30 * time.Second
)

// ErrNoToken is wrapped by the error about a place that has no identity.
var ErrNoToken = errors.New("no identity token: none is in a file, in " + tokenVariable + ", or to be had from GitHub Actions")

// TokenFrom returns what reads an identity token: from the file, unless its name is "";
// else from SIGSTORE_ID_TOKEN; else from GitHub Actions. There is no other way, and so
// nothing that waits for a person.
func TokenFrom(file string, getenv func(string) string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		token, err := readToken(ctx, file, getenv)
		if err != nil {
			return "", err
		}
		token = strings.TrimSpace(token)
		if len(strings.Split(token, ".")) != 3 || strings.ContainsAny(token, " \t\r\n") {
			return "", errors.New("the identity token is not a JWT: expected three parts with dots between")
		}
		return token, nil
	}
}

func readToken(ctx context.Context, file string, getenv func(string) string) (string, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("cannot read the identity token: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxToken))
		if err != nil {
			return "", fmt.Errorf("cannot read the identity token: %w", err)
		}
		return string(b), nil
	}
	if token := getenv(tokenVariable); token != "" {
		return token, nil
	}
	address, bearer := getenv(githubURL), getenv(githubToken)
	if address == "" || bearer == "" {
		return "", hinted{ErrNoToken, "name a file with --identity-token; in GitHub Actions give the job id-token: write, in GitLab an id_tokens entry " + tokenVariable}
	}
	token, err := fromGitHub(ctx, address, bearer)
	if err != nil {
		return "", redact(fmt.Errorf("cannot get an identity token from GitHub Actions: %w", err), bearer)
	}
	return token, nil
}

func fromGitHub(ctx context.Context, address, bearer string) (string, error) {
	if err := checkURL(address); err != nil {
		return "", err
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	ctx, stop := context.WithTimeout(ctx, tokenTimeout)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the address is that of the job, and of no use
		}
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answered with status %s", resp.Status)
	}
	var answer struct{ Value string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxToken)).Decode(&answer); err != nil || answer.Value == "" {
		return "", errors.New("its answer has no token")
	}
	return answer.Value, nil
}
