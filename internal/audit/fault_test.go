package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// day is the one that files of tests are judged on.
var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// sound is a Dockerfile without any finding, into which faults are put at line 11.
const sound = `FROM debian:bookworm-slim@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa AS base
LABEL org.opencontainers.image.title="server" \
      org.opencontainers.image.version="1.0" \
      org.opencontainers.image.source="https://example.com/server" \
      org.opencontainers.image.vendor="Example" \
      org.opencontainers.image.revision="0123456" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.created="2026-01-02T03:04:05Z"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /app
%s
EXPOSE 8000
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=5s CMD ["/app/server", "--health"]
ENTRYPOINT ["/app/server"]
`

// write makes a directory with a Dockerfile and other files, given as name and content.
func write(t *testing.T, dockerfile string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "Dockerfile")
	if err := os.WriteFile(name, []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// found returns the findings of a file, one on each line: "line severity rule".
func found(t *testing.T, name string) string {
	t.Helper()
	r, err := File(context.Background(), name, Options{Now: day})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%d %s %s\n", f.Line, f.Severity, f.Rule)
	}
	return strings.TrimSpace(b.String())
}

// TestOneFault puts one fault into a sound Dockerfile and holds all findings that come of
// it.
func TestOneFault(t *testing.T) {
	for _, test := range []struct{ name, fault, want string }{
		{"nothing", "", ""},
		{"remove without names", "RUN apt-get remove -y --purge && apt-get autoremove -y", "11 medium remove-without-names"},
		{"purge without names in sudo", "RUN sudo apt-get purge -y", "11 medium history-sudo\n11 medium remove-without-names"},
		{"autoremove asks for nothing", "RUN apt-get -y autoremove", ""},
		{"removed by name in another layer", "RUN apt-get update && apt-get install -y --no-install-recommends tree=2.1.0-1 && rm -rf /var/lib/apt/lists/*\nRUN apt-get purge -y tree", "12 low deleted-content"},
		{"removed by name in its own layer", "RUN apt-get update && apt-get install -y --no-install-recommends gcc=4:12.2.0-3 && make && apt-get purge -y gcc && rm -rf /var/lib/apt/lists/*", ""},
		{"a copied file removed later", "COPY big.tar /tmp/big.tar\nRUN tar xf /tmp/big.tar -C /app && rm /tmp/big.tar", "12 low deleted-content"},
		{"logs open by default", "RUN mkdir -p /app/logs", "11 medium log-directory-open"},
		{"logs opened by chmod", "RUN mkdir -p /app/logs\nRUN chmod 755 /app/logs", "12 medium log-directory-open"},
		{"logs closed", "RUN mkdir -p /app/logs && chown -R 1000:1000 /app && chmod -R o-rwx /app/logs", ""},
		{"logs closed by a umask", "RUN umask 027 && mkdir -p /app/logs", ""},
		{"logs made by install", "RUN install -d -m 0755 /var/log/server", "11 medium log-directory-open"},
		{"secrets open", "RUN mkdir -m 750 /app/secrets", "11 medium secret-directory-open"},
		{"everybody writes", "RUN chmod -R 777 /app", "11 medium history-permissions"},
		{"everybody writes by letters", "RUN chmod a+rwx /app", "11 medium history-permissions"},
		{"everybody writes what is copied", "COPY --chmod=666 f /app/f", "11 medium history-permissions"},
		{"a set-id bit", "RUN chmod u+s /app/server", "11 high privilege-bits"},
		{"a capability", "RUN setcap cap_net_bind_service=+ep /app/server", "11 high privilege-bits"},
		{"the system given away", "RUN chown -R 1000:1000 /usr/local", "11 high system-writable"},
		{"code of its user", "COPY --chown=1000:1000 server /app/", "11 low code-writable"},
		{"apt-get without versions", "RUN apt-get update && apt-get install -y --no-install-recommends tree && rm -rf /var/lib/apt/lists/*", "11 low packages-unpinned"},
		{"apt-get with recommends", "RUN apt-get update && apt-get install -y tree=2.1.0-1 && rm -rf /var/lib/apt/lists/*", "11 low recommends-installed"},
		{"lists left", "RUN apt-get update && apt-get install -y --no-install-recommends tree=2.1.0-1", "11 low history-cache"},
		{"lists in a cache mount", "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y --no-install-recommends tree=2.1.0-1", ""},
		{"apt", "RUN apt update && apt install -y --no-install-recommends tree=2.1.0-1 && rm -rf /var/lib/apt/lists/*", "11 info apt-interactive"},
		{"no -y", "RUN apt-get update && apt-get install --no-install-recommends tree=2.1.0-1 && rm -rf /var/lib/apt/lists/*", "11 info apt-interactive"},
		{"update alone", "RUN apt-get update", "11 low history-update-alone"},
		{"upgrade", "RUN apt-get update && apt-get -y dist-upgrade", "11 low history-upgrade"},
		{"a curl in the image", "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10 && rm -rf /var/lib/apt/lists/*", "11 medium network-client-present"},
		{"an sshd in the image", "RUN apt-get update && apt-get install -y --no-install-recommends openssh-server=1:9.2 && rm -rf /var/lib/apt/lists/*", "11 high remote-access-present"},
		{"unverified packages", "RUN apt-get update && apt-get install -y --no-install-recommends --allow-unauthenticated tree=2.1.0-1 && rm -rf /var/lib/apt/lists/*", "11 high packages-unverified"},
		{"a trusted source", "RUN echo 'deb [trusted=yes] http://example.com/ ./' > /etc/apt/sources.list.d/x.list", "11 high packages-unverified"},
		{"curl -k", "RUN curl -fsSLko /dev/null https://example.com/", "11 high packages-unverified"},
		{"pip without versions", "RUN pip install --no-cache-dir flask", "11 low packages-unpinned"},
		{"pip with its cache", "RUN pip install flask==3.0.0", "11 low history-cache"},
		{"pip without hashes of a file that is not there", "RUN pip install --no-cache-dir -r requirements.txt", ""},
		{"npm without versions", "RUN npm install -g express", "11 low packages-unpinned"},
		{"npm ci", "RUN npm ci", ""},
		{"go install latest", "RUN go install example.com/x@latest", "11 low packages-unpinned"},
		{"gem without version", "RUN gem install rails", "11 low packages-unpinned"},
		{"apk", "RUN apk add tree", "11 low packages-unpinned\n11 low history-cache"},
		{"dnf", "RUN dnf install -y tree-1.8.0 && dnf clean all", ""},
		{"curl | sh", "RUN curl -fsSL https://example.com/install.sh | sh", "11 high piped-installer"},
		{"curl | sudo bash", "RUN curl https://example.com/i | sudo -E bash -s -- -y", "11 high piped-installer\n11 medium history-sudo"},
		{"sh -c of curl", `RUN sh -c "$(curl -fsSL https://example.com/install.sh)"`, "11 high piped-installer"},
		{"bash of a process", "RUN bash <(wget -qO- https://example.com/i.sh)", "11 high piped-installer"},
		{"fetched, then run", "RUN curl -fsSLo /tmp/i.sh https://example.com/i.sh && bash /tmp/i.sh", "11 high piped-installer"},
		{"fetched and not verified", "RUN curl -fsSLo /app/f https://example.com/f", "11 medium download-unverified"},
		{"fetched into tar", "RUN curl -fsSL https://example.com/f.tgz | tar xz -C /app", "11 medium download-unverified"},
		{"fetched and verified", `RUN curl -fsSLo /app/f https://example.com/f && echo "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b  /app/f" | sha256sum -c`, ""},
		{"git clone of a branch", "RUN git clone https://example.com/x.git", "11 low packages-unpinned"},
		{"git clone of a commit", "RUN git clone https://example.com/x.git && git -C x checkout 0123456789012345678901234567890123456789", ""},
		{"ADD of an address", "ADD https://example.com/f /app/f", "11 medium add-url"},
		{"ADD with a checksum", "ADD --checksum=sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b https://example.com/f /app/f", ""},
		{"ADD of a repository", "ADD https://example.com/x.git#main /app/x", "11 medium add-url"},
		{"ADD of a file", "ADD f /app/f", "11 low history-add"},
		{"ADD of an archive", "ADD f.tar.gz /app/", ""},
		{"COPY of everything", "COPY . .", "11 low copy-everything"},
		{"COPY of a key", "COPY id_rsa /app/", "11 medium secret-file"},
		{"COPY of a whole image", "COPY --from=base2 / /", "11 low stage-unknown\n11 low copy-filesystem"},
		{"COPY from an image", "COPY --from=docker.io/library/nginx:1.27 /etc/nginx/nginx.conf /app/", "11 low stage-unknown"},
		{"COPY from itself", "COPY --from=base /a /b", "11 low stage-unknown"},
		{"a secret in ENV", "ENV DB_PASSWORD=hunter2hunter2", "11 high secret-in-environment"},
		{"a path of a secret in ENV", "ENV DB_PASSWORD_FILE=/run/secrets/db", ""},
		{"a secret in ARG", "ARG NPM_TOKEN", "11 medium secret-in-metadata"},
		{"a secret's default in ARG", "ARG API_KEY=0a1b2c3d4e5f", "11 high secret-in-metadata"},
		{"a token by its look", "ENV GH=ghp_0123456789abcdefghijABCDEFGHIJ012345", "11 high secret-in-environment"},
		{"a password of a command", "RUN mysql --password=hunter2hunter2 -e 'select 1'", "11 high secret-in-metadata"},
		{"a secret by a mount", "RUN --mount=type=secret,id=token,env=TOKEN make", ""},
		{"protection off", "ENV NODE_TLS_REJECT_UNAUTHORIZED=0", "11 high environment-insecure"},
		{"code loaded from elsewhere", "ENV LD_PRELOAD=/tmp/x.so", "11 medium environment-loader"},
		{"a relative PATH", "ENV PATH=.:/usr/bin", "11 medium environment-loader"},
		{"a port of root", "EXPOSE 80", "11 medium privileged-port"},
		{"an administrative port", "EXPOSE 22/tcp", "11 high admin-port"},
		{"a port of metrics", "EXPOSE 9090", "11 low extra-port"},
		{"a port of a debugger", "EXPOSE 5005", "11 low extra-port"},
		{"no port", "EXPOSE 70000", "11 low port-invalid"},
		{"a volume on the system", `VOLUME ["/etc"]`, "11 high volume-system-path"},
		{"a volume of data", "VOLUME /app/data", ""},
		{"two CMD", "CMD [\"a\"]\nCMD [\"b\"]", "11 low instruction-overridden"},
		{"CMD in shell form", "CMD server --port 8000", "11 low shell-entrypoint"},
		{"MAINTAINER", "MAINTAINER somebody", "11 info maintainer-deprecated"},
		{"cd", "RUN cd /app && make", "11 info cd-in-run"},
		{"a relative WORKDIR on one that is known", "WORKDIR data", ""},
		{"another sh", "RUN ln -sf /bin/bash /bin/sh", "11 low shell-replaced"},
		{"a pipe without pipefail", "SHELL [\"/bin/sh\", \"-c\"]\nRUN find /app | sort", "12 low pipefail-missing"},
		{"ENV of itself", "ENV A=1 B=$A-x", "11 low env-self-reference"},
		{"no such variable", "COPY $WHERE /app/", "11 info variable-unset"},
		{"of no use", "RUN service nginx start", "11 info command-useless"},
		{"ONBUILD", "ONBUILD RUN make", "11 info onbuild-hidden"},
		{"ONBUILD of a fault", "ONBUILD RUN curl https://example.com/i | sh", "11 high piped-installer\n11 info onbuild-hidden"},
		{"privileges", "RUN --security=insecure make", "11 high build-privileged"},
		{"the builder's network", "RUN --network=host make", "11 high build-privileged"},
		{"told to look away", "# hadolint ignore=DL3008\nRUN make", "11 info ignore-pragma"},
		{"a label in a wrong form", `LABEL org.opencontainers.image.url="nowhere"`, "11 low labels-invalid"},
		{"a login shell", "RUN useradd -u 1000 -s /bin/bash app", "11 low login-shell"},
		{"a second root", "RUN useradd -o -u 0 toor", "11 critical zero-id"},
		{"a password", "RUN echo 'app:hunter2hunter2' | chpasswd", "11 high password-hash"},
		{"no password", "RUN passwd -d app", "11 critical empty-password"},
		{"a large number", "RUN useradd -u 1000000 app", "11 low user-id-high"},
		{"in a heredoc, on its line", "RUN <<EOF\nset -e\ncurl https://example.com/i | sh\nEOF", "13 high piped-installer"},
		{"in a continued line, on its line", "RUN true && \\\n    # a comment\n    true && \\\n    chmod 777 /app", "14 medium history-permissions"},
		{"a secret in a heredoc file", "COPY <<EOF /app/conf\nx=1\ntoken = ghp_0123456789abcdefghijABCDEFGHIJ012345\nEOF", "13 high secret-in-file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := fmt.Sprintf(sound, test.fault)
			if got := found(t, write(t, text, ".dockerignore", ".git\n.env\nsecrets\n.dockerignore\nid_rsa.none\nid_rsa*x\n"+hidden(test.fault))); got != test.want {
				t.Errorf("%s\nfound:\n%s\nexpected:\n%s", test.fault, got, test.want)
			}
		})
	}
}

// hidden has .dockerignore hide keys where the fault is not about them.
func hidden(fault string) string {
	if strings.Contains(fault, "id_rsa") {
		return ""
	}
	return "id_rsa\n"
}
