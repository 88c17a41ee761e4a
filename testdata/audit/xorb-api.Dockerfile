# syntax=docker/dockerfile:1
#
# XORB API: parity of blocks over HTTP.
#
# Production image, in two stages. The first one compiles what has to be compiled, the
# second one runs it as a user without privileges.
#
# A reconstruction, from its audit, of the file that was audited. Its context is the
# directory of this file.

# ---------------------------------------------------------------------------
# Stage 1: build
# ---------------------------------------------------------------------------
FROM python:3.12-slim@sha256:2f4b9a4a0e3dc1ecb8ba8a0a1f07a3f5c0f96a6b04e37b6e2e0d4b1b1b1f7a55 AS builder

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# Pinned, so that a build is what it was.
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential=12.9 \
        curl=7.88.1-10+deb12u6 \
        git=1:2.39.2-1.1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build

# The requirements are locked: each has its version and its hash.
COPY xorb-api/python/ /build/python/

RUN python -m venv /opt/venv

ENV PATH="/opt/venv/bin:$PATH"

RUN pip install --no-cache-dir --no-index --find-links /build/python --require-hashes \
        -r /build/python/requirements.txt

# ---------------------------------------------------------------------------
# Stage 2: runtime
# ---------------------------------------------------------------------------
FROM python:3.12-slim@sha256:2f4b9a4a0e3dc1ecb8ba8a0a1f07a3f5c0f96a6b04e37b6e2e0d4b1b1b1f7a55 AS runtime

LABEL org.opencontainers.image.title="xorb-api" \
      org.opencontainers.image.description="Parity of blocks over HTTP" \
      org.opencontainers.image.version="1.0" \
      org.opencontainers.image.vendor="XORB" \
      org.opencontainers.image.licenses="Apache-2.0" \
      security.non-root="true" \
      security.capabilities="none" \
      security.no-new-privileges="true"

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH="/opt/venv/bin:$PATH" \
    LANG=C.UTF-8 \
    XORB_HOST=0.0.0.0 \
    XORB_PORT=8000 \
    XORB_METRICS_PORT=9090

# The clients of what the API talks to.
RUN apt-get update && apt-get install -y --no-install-recommends \
        postgresql-client \
        redis-tools \
    && rm -rf /var/lib/apt/lists/*

# A user of its own, which nobody logs in as.
RUN groupadd -r -g 1000 xorb; \
    useradd -r -g xorb -u 1000 -m -s /bin/bash xorb; \
    usermod -L xorb

WORKDIR /app

# What the first stage has made.
COPY --from=builder /opt/venv /opt/venv

# How the runtime asks for health.
COPY xorb-api/healthcheck.sh /usr/local/bin/healthcheck.sh
RUN chmod 755 /usr/local/bin/healthcheck.sh

# Directories that the API writes, and one for secrets that are mounted.
RUN mkdir -p /app/logs /app/data /app/tmp /app/secrets && \
    chown -R xorb:xorb /app && \
    chmod 750 /app && \
    chmod 750 /app/data /app/tmp && \
    chmod 700 /app/secrets

# Nothing that built anything stays.
RUN apt-get remove -y --purge && \
    apt-get autoremove -y && \
    rm -rf /tmp/* /var/tmp/* /root/.cache

USER xorb:xorb

# The API, and its metrics.
EXPOSE 8000 9090

VOLUME ["/app/data", "/app/logs"]

STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 \
    CMD /usr/local/bin/healthcheck.sh

CMD ["python", "-m", "xorb_api"]
