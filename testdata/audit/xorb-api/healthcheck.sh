#!/bin/bash
# Exits 0 where the API answers, within the time that HEALTHCHECK leaves.
set -euo pipefail
python - <<'PY'
import sys, urllib.request
try:
    with urllib.request.urlopen("http://127.0.0.1:8000/healthz", timeout=8) as reply:
        sys.exit(0 if reply.status == 200 else 1)
except OSError as e:
    print(e, file=sys.stderr)
    sys.exit(1)
PY
