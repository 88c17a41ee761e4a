import random
import unittest

import xorbit


class ParityTest(unittest.TestCase):
    def test_parity(self):
        for blocks, want in [
            ([b""], b""),
            ([b"one"], b"one"),
            ([b"\x0f\xf0", b"\xff\xff"], b"\xf0\x0f"),
            ([b"same", b"same"], bytes(4)),
            ((bytearray(b"ab"), memoryview(b"ab"), b"ab"), b"ab"),
        ]:
            self.assertEqual(xorbit.parity(blocks), want)

    def test_any_block_is_the_parity_of_the_rest(self):
        r = random.Random(1)
        for size in (1, 7, 8, 9, 64, 1000):
            blocks = [r.randbytes(size) for _ in range(5)]
            blocks.append(xorbit.parity(blocks))
            for i, lost in enumerate(blocks):
                self.assertEqual(xorbit.parity(blocks[:i] + blocks[i + 1 :]), lost)

    def test_refuses(self):
        for blocks, error, text in [
            ([], ValueError, "there is no block"),
            ([b"ab", b"abc"], ValueError, "block 2 has 3 bytes, expected 2"),
            (["text"], TypeError, ""),
            ([b"a", 1], TypeError, ""),
            (1, TypeError, "sequence"),
        ]:
            with self.subTest(blocks=blocks), self.assertRaisesRegex(error, text):
                xorbit.parity(blocks)


if __name__ == "__main__":
    unittest.main()
