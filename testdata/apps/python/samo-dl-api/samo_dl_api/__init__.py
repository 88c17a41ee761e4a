"""Where there is speech in a recording, over HTTP.

POST /v1/speech  a recording in any format that ffmpeg reads    the stretches of it with a voice
GET  /healthz    200 while the process serves; its status is "ok" or "fallback"
GET  /readyz     200 while it does its work, 503 in the fallback mode

The work is in samo_dl_api.speech. Where that cannot be loaded, the service runs
all the same, so that whoever watches it is told why: see samo_dl_api.__main__.

SAMO_HOST, SAMO_PORT, SAMO_METRICS_HOST and SAMO_METRICS_PORT say where it listens.
"""
