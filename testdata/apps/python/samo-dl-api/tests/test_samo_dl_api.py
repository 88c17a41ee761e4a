import contextlib
import io
import json
import math
import os
import shutil
import struct
import sys
import tempfile
import unittest
import unittest.mock
import wave
from array import array

import plainserve
from samo_dl_api import __main__ as service

# Where the host has no ffmpeg, a program in its place reads what the tests write, so
# that all but the formats is tested; the image's tests use the real one.
STAND_IN = """#!{python}
import sys, wave
try:
    w = wave.open(sys.stdin.buffer)
except wave.Error as e:
    sys.exit(f"pipe:0: {{e}}")
sys.stdout.buffer.write(w.readframes(w.getnframes()))
"""

if not shutil.which("ffmpeg"):
    _dir = tempfile.TemporaryDirectory()
    with open(f"{_dir.name}/ffmpeg", "w") as f:
        f.write(STAND_IN.format(python=sys.executable))
    os.chmod(f.name, 0o755)
    os.environ["PATH"] = _dir.name + os.pathsep + os.environ["PATH"]

from samo_dl_api import speech  # noqa: E402


def recording(*parts):
    """A recording in WAV: seconds and amplitude (of 1) of each part, a tone of 440 Hz."""
    samples = array("h")
    for seconds, amplitude in parts:
        n = int(seconds * speech.RATE)
        samples.extend(int(32767 * amplitude * math.sin(2 * math.pi * 440 * i / speech.RATE)) for i in range(n))
    file = io.BytesIO()
    with wave.open(file, "wb") as w:
        w.setparams((1, 2, speech.RATE, 0, "NONE", ""))
        w.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


def ask(body):
    try:
        reply = speech.speech(plainserve.Request("/v1/speech", {}, body))
    except plainserve.Error as e:
        return e.status, str(e)
    return reply.status, json.loads(reply.body)


class SpeechTest(unittest.TestCase):
    def test_speech(self):
        for parts, want in [
            ([(1, 0)], []),
            ([(0.5, 0), (1, 0.5), (0.5, 0)], [(0.5, 1.5)]),
            ([(0.5, 0.001), (0.4, 0.5), (0.2, 0.001), (0.4, 0.5), (0.5, 0.001)], [(0.5, 1.5)]),  # a breath
            ([(0.4, 0.5), (1, 0.001), (0.4, 0.5)], [(0, 0.4), (1.4, 1.8)]),
            ([(0.01, 0.5)], []),  # less than a frame
        ]:
            with self.subTest(parts=parts):
                status, got = ask(recording(*parts))
                self.assertEqual(status, 200)
                self.assertEqual([(s["from"], s["to"]) for s in got["speech"]], want)
                self.assertEqual(got["seconds"], round(sum(s for s, _ in parts), 2))

    def test_refuses(self):
        self.assertEqual(ask(b""), (400, "the body is empty, expected a recording"))
        status, text = ask(b"no recording at all")
        self.assertEqual(status, 422)
        self.assertIn("ffmpeg cannot read the recording: ", text)


class FallbackTest(unittest.TestCase):
    def answers(self, name):
        with contextlib.redirect_stderr(io.StringIO()):
            routes = service.routes(*service.load(name))
        request = plainserve.Request("/", {})
        return routes, [routes["GET", p](request) for p in ("/healthz", "/readyz")]

    def test_main_module(self):
        routes, (health, ready) = self.answers("samo_dl_api.speech")
        self.assertIn(("POST", "/v1/speech"), routes)
        self.assertEqual((health.status, ready.status, json.loads(health.body)), (200, 200, {"status": "ok"}))

    def test_no_main_module(self):
        routes, (health, ready) = self.answers("samo_dl_api.nothing")
        self.assertEqual(set(routes), {("GET", "/healthz"), ("GET", "/readyz")})
        self.assertEqual((health.status, ready.status), (200, 503))
        want = {"status": "fallback", "reason": "ModuleNotFoundError: No module named 'samo_dl_api.nothing'"}
        self.assertEqual(json.loads(health.body), want)

    def test_no_ffmpeg(self):
        with unittest.mock.patch.dict(os.environ, PATH="/nonexistent"), unittest.mock.patch.dict(sys.modules):
            del sys.modules["samo_dl_api.speech"]
            _, (health, _) = self.answers("samo_dl_api.speech")
        self.assertEqual(json.loads(health.body)["reason"], "ImportError: there is no ffmpeg to read recordings with")


if __name__ == "__main__":
    unittest.main()
