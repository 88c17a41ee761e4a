"""Where there is a voice in a recording, by the energy of short frames.

A frame has a voice where it is well above the recording's own noise, which is
taken to be its quieter frames. Pauses shorter than a breath do not end a stretch.
"""

import shutil
import subprocess
import sys
from array import array
from collections.abc import Iterator

import plainserve

RATE = 16000  # samples a second, mono
FRAME = RATE // 50  # samples: 20 ms
MAX_SECONDS = 600  # of a recording
TIMEOUT = 30  # seconds for ffmpeg
ABOVE_NOISE = 9.0  # in energy: three times the amplitude
SILENCE = 1e-5  # energy of a frame, of at most 1, that never is a voice: -50 dB
PAUSE = 15  # frames: 0.3 s

FFMPEG = shutil.which("ffmpeg")
if FFMPEG is None:
    raise ImportError("there is no ffmpeg to read recordings with")


def decode(recording: bytes) -> array:
    """Return the samples of a recording, 16 bits each. ffmpeg reads it from a pipe and
    may open nothing else, whatever a playlist in it says."""
    command = [
        FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "pipe", "-i", "pipe:0",
        "-vn", "-t", str(MAX_SECONDS), "-ac", "1", "-ar", str(RATE), "-f", "s16le", "pipe:1",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, input=recording, capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise plainserve.Error(422, f"the recording cannot be read in {TIMEOUT} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise plainserve.Error(422, f"ffmpeg cannot read the recording: {said[-1] if said else done.returncode}")
    samples = array("h", done.stdout)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def energies(samples: array) -> list[float]:
    """Return the mean square of each whole frame, from 0 to 1."""
    starts = range(0, len(samples) - FRAME + 1, FRAME)
    return [sum(s * s for s in samples[i : i + FRAME]) / (FRAME * 32768.0**2) for i in starts]


def stretches(energy: list[float]) -> Iterator[tuple[int, int]]:
    """Yield the frames, first and behind the last, of each stretch with a voice."""
    if not energy:
        return
    noise = sorted(energy)[len(energy) // 10]
    threshold = max(SILENCE, noise * ABOVE_NOISE)
    start = last = None
    for i, e in enumerate(energy):
        if e < threshold:
            continue
        if last is not None and i - last > PAUSE:
            yield start, last + 1
            start = None
        start, last = i if start is None else start, i
    if last is not None:
        yield start, last + 1


def speech(request: plainserve.Request) -> plainserve.Reply:
    if not request.body:
        raise plainserve.Error(400, "the body is empty, expected a recording")
    samples = decode(request.body)
    seconds = FRAME / RATE
    found = [{"from": round(a * seconds, 2), "to": round(b * seconds, 2)} for a, b in stretches(energies(samples))]
    return plainserve.reply_json({"seconds": round(len(samples) / RATE, 2), "speech": found})


ROUTES = {("POST", "/v1/speech"): speech}
