# SAMO deep-learning API: where there is speech in a recording.
#
# Hardened: packages are pinned to versions that were reviewed, nothing recommended is
# installed, and the service runs without privileges. Run it with limits:
#
#   docker run --memory 512m --cpus 2 -p 8000:8000 samo-dl-api
#
# A reconstruction, from its review, of the file that was reviewed. Its context is the
# directory of this file.
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    SAMO_HOST=0.0.0.0 \
    SAMO_PORT=8000

# Versions with the fixes that Debian has; what it deferred is listed in the review.
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
        ffmpeg=7:5.1.6-0+deb12u1 \
        libaom3=3.6.0-1+deb12u1 \
        curl=7.88.1-10+deb12u12 && \
    apt-get clean && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /app

COPY samo-dl-api/python/ /app/python/
RUN pip install --no-cache-dir --no-index --find-links /app/python --require-hashes -r /app/python/requirements.txt

RUN useradd -m -u 1000 appuser && chown -R appuser:appuser /app
USER appuser

EXPOSE 8000

HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 \
    CMD curl --fail --silent --max-time 5 http://localhost:8000/healthz || exit 1

CMD ["python", "-m", "samo_dl_api"]
