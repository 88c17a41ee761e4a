import base64
import json
import unittest

import plainserve
import xorb_api


def ask(handle, body):
    try:
        reply = handle(plainserve.Request("/", {}, body if isinstance(body, bytes) else json.dumps(body).encode()))
    except plainserve.Error as e:
        return e.status, str(e)
    return reply.status, json.loads(reply.body)


def b64(*blocks):
    return {"blocks": [None if b is None else base64.b64encode(b).decode() for b in blocks]}


class XorbTest(unittest.TestCase):
    def test_health(self):
        self.assertEqual(ask(xorb_api.health, b""), (200, {"status": "ok"}))

    def test_parity_and_recovery(self):
        status, got = ask(xorb_api.parity, b64(b"first", b"other", b"third"))
        self.assertEqual(status, 200)
        parity = base64.b64decode(got["parity"])
        status, got = ask(xorb_api.recover, b64(b"first", None, b"third", parity))
        self.assertEqual((status, base64.b64decode(got["block"])), (200, b"other"))

    def test_refuses(self):
        for handle, body, status, text in [
            (xorb_api.parity, b"{", 400, "not JSON"),
            (xorb_api.parity, b"\xff", 400, "not JSON"),
            (xorb_api.parity, [], 422, "expected an object"),
            (xorb_api.parity, {"blocks": []}, 422, "1 to 256"),
            (xorb_api.parity, {"blocks": [""] * 257}, 422, "1 to 256"),
            (xorb_api.parity, {"blocks": ["%"]}, 422, "block 1 is not base64"),
            (xorb_api.parity, {"blocks": ["", 1]}, 422, "block 2 is not base64"),
            (xorb_api.parity, b64(b"a", None), 422, "block 2 is null"),
            (xorb_api.parity, b64(b"a", b"ab"), 422, "block 2 has 2 bytes"),
            (xorb_api.recover, b64(b"a", b"b"), 422, "0 blocks are null"),
            (xorb_api.recover, b64(None), 422, "there is no block"),
            (xorb_api.recover, b64(None, None, b"a"), 422, "2 blocks are null"),
        ]:
            with self.subTest(body=body):
                got = ask(handle, body)
                self.assertEqual(got[0], status)
                self.assertIn(text, got[1])


if __name__ == "__main__":
    unittest.main()
