"""Parity of blocks over HTTP: what protects them against the loss of any one.

POST /v1/parity   {"blocks": [base64, ...]}          the parity of the blocks
POST /v1/recover  {"blocks": [base64 | null, ...]}   the one block that is null, of blocks and parity
GET  /healthz

XORB_HOST, XORB_PORT, XORB_METRICS_HOST and XORB_METRICS_PORT say where it listens.
"""

import base64
import binascii

import plainserve
import xorbit

MAX_BLOCKS = 256


def health(request: plainserve.Request) -> plainserve.Reply:
    """Healthy is what can do the work."""
    works = xorbit.parity([b"\x0f", b"\xf0"]) == b"\xff"
    return plainserve.reply_json({"status": "ok" if works else "broken"}, 200 if works else 503)


def parity(request: plainserve.Request) -> plainserve.Reply:
    blocks = _blocks(request)
    if None in blocks:
        raise plainserve.Error(422, f"block {blocks.index(None) + 1} is null; /v1/recover finds a lost block")
    return _reply("parity", blocks)


def recover(request: plainserve.Request) -> plainserve.Reply:
    blocks = _blocks(request)
    if blocks.count(None) != 1:
        raise plainserve.Error(422, f"{blocks.count(None)} blocks are null, expected one: parity makes up for one loss")
    return _reply("block", [b for b in blocks if b is not None])


def _reply(name: str, blocks: list[bytes]) -> plainserve.Reply:
    try:
        found = xorbit.parity(blocks)
    except ValueError as e:
        raise plainserve.Error(422, str(e)) from None
    return plainserve.reply_json({name: base64.b64encode(found).decode()})


def _blocks(request: plainserve.Request) -> list[bytes | None]:
    match request.json():
        case {"blocks": [_, *_] as blocks} if len(blocks) <= MAX_BLOCKS:
            return [_decode(i, b) for i, b in enumerate(blocks, 1)]
    raise plainserve.Error(422, f"expected an object with a list of 1 to {MAX_BLOCKS} blocks in base64")


def _decode(i: int, block: object) -> bytes | None:
    try:
        return None if block is None else base64.b64decode(block, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise plainserve.Error(422, f"block {i} is not base64") from None


ROUTES = {("GET", "/healthz"): health, ("POST", "/v1/parity"): parity, ("POST", "/v1/recover"): recover}


def main() -> None:
    plainserve.Service(ROUTES, **plainserve.from_environment("XORB")).run()
