import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock

import plainserve
from plainserve import http as served


class Running:
    """A service on free ports, for the length of a with block."""

    def __init__(self, routes):
        self.service = plainserve.Service(routes, "127.0.0.1", 0, "127.0.0.1", 0)

    def __enter__(self):
        self.thread = threading.Thread(target=self.service.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.service.stop()
        self.thread.join()

    def ask(self, method, path, body=None, address=None, headers={}):
        c = http.client.HTTPConnection(*(address or self.service.address), timeout=10)
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            return r.status, r.read().decode()
        finally:
            c.close()


def echo(request):
    return plainserve.reply_json({"body": request.body.decode(), "query": request.query})


def broken(request):
    raise ZeroDivisionError("a mistake")


ROUTES = {("POST", "/echo"): echo, ("GET", "/healthz"): lambda r: plainserve.Reply(b"ok\n"), ("GET", "/broken"): broken}


class ServiceTest(unittest.TestCase):
    def test_answers(self):
        with Running(ROUTES) as s:
            for method, path, body, headers, status, text in [
                ("GET", "/healthz", None, {}, 200, "ok\n"),
                ("HEAD", "/healthz", None, {}, 200, ""),
                ("POST", "/echo?a=1&b=%20", "x", {}, 200, '{"body": "x", "query": {"a": "1", "b": " "}}\n'),
                ("GET", "/nothing", None, {}, 404, '{"error": "there is no /nothing"}\n'),
                ("POST", "/healthz", "", {}, 405, '{"error": "/healthz does not take POST"}\n'),
                ("GET", "/broken", None, {}, 500, '{"error": "internal error"}\n'),
                ("POST", "/echo", None, {"Content-Length": "x"}, 400, '{"error": "Content-Length is not a number"}\n'),
                ("POST", "/echo", None, {"Content-Length": str(served.MAX_BODY + 1)}, 413, '{"error": "the body is longer than 8388608 bytes"}\n'),
                ("POST", "/echo", None, {"Transfer-Encoding": "chunked"}, 411, '{"error": "a request with a body needs its Content-Length"}\n'),
                ("PUT", "/echo", None, {}, 501, None),
            ]:
                with self.subTest(method=method, path=path):
                    got = s.ask(method, path, body, headers=headers)
                    self.assertEqual(got[0], status)
                    if text is not None:
                        self.assertEqual(got[1], text)

    def test_metrics_are_on_their_own_port(self):
        with Running(ROUTES) as s:
            s.ask("GET", "/healthz")
            s.ask("GET", "/any/address/that/a/scanner/tries")
            self.assertEqual(s.ask("GET", "/metrics")[0], 404)
            # A request counts once it is answered, which its asker may know first.
            for _ in range(100):
                status, text = s.ask("GET", "/metrics", address=s.service.metrics_address)
                if text.count("} 2\n"):
                    break
                time.sleep(0.02)
            self.assertEqual(status, 200)
            self.assertIn('http_requests_total{method="GET",route="/healthz",status="200"} 1\n', text)
            # What is no route makes no series: scanners would fill the memory.
            self.assertIn('http_requests_total{method="GET",route="",status="404"} 2\n', text)
            self.assertRegex(text, r"(?m)^process_max_resident_bytes [1-9]")

    def test_a_stop_finishes_what_has_begun(self):
        begun, go_on = threading.Event(), threading.Event()

        def slow(request):
            begun.set()
            go_on.wait(10)
            return plainserve.Reply(b"finished")

        got = []
        s = Running({("GET", "/slow"): slow})
        with s:
            asking = threading.Thread(target=lambda: got.append(s.ask("GET", "/slow")))
            asking.start()
            self.assertTrue(begun.wait(10))
            s.service.stop()
            with self.assertRaises(OSError):  # takes no more, or resets what it had not taken
                while True:
                    s.ask("GET", "/slow")
                    self.fail("answered after the stop")
            go_on.set()
            asking.join()
        self.assertEqual(got, [(200, "finished")])

    def test_too_many_at_a_time(self):
        go_on = threading.Event()
        begun = threading.Semaphore(0)

        def slow(request):
            begun.release()
            go_on.wait(10)
            return plainserve.Reply(b"")

        with Running({("GET", "/slow"): slow}) as s:
            asking = [threading.Thread(target=s.ask, args=("GET", "/slow")) for _ in range(served.MAX_REQUESTS)]
            for t in asking:
                t.start()
            for t in asking:
                self.assertTrue(begun.acquire(timeout=10))
            self.assertEqual(s.ask("GET", "/slow")[0], 503)
            go_on.set()
            for t in asking:
                t.join()

    def test_a_short_body(self):
        with Running(ROUTES) as s, socket.create_connection(s.service.address, timeout=10) as c:
            c.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
            c.shutdown(socket.SHUT_WR)
            self.assertIn(b" 400 ", c.makefile("rb").readline())

    def test_ends_on_sigterm(self):
        code = "import plainserve; plainserve.Service({}, '127.0.0.1', 0, '127.0.0.1', 0).run()"
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=env) as p:
            self.assertRegex(p.stderr.readline(), r"^serving on 127\.0\.0\.1:\d+, metrics on 127\.0\.0\.1:\d+\n$")
            p.send_signal(signal.SIGTERM)
            self.assertEqual(p.communicate(timeout=10)[1], "stopped\n")
            self.assertEqual(p.returncode, 0)


class EnvironmentTest(unittest.TestCase):
    def test_from_environment(self):
        for env, want in [({}, {}), ({"X_PORT": "0", "X_METRICS_HOST": "::1"}, {"port": 0, "metrics_host": "::1"})]:
            with unittest.mock.patch.dict(os.environ, env):
                self.assertEqual(plainserve.from_environment("X"), want)
        for bad in ["-1", "65536", "http", ""]:
            with unittest.mock.patch.dict(os.environ, {"X_PORT": bad}), self.assertRaisesRegex(SystemExit, "X_PORT"):
                plainserve.from_environment("X")


class MetricsTest(unittest.TestCase):
    def test_text(self):
        m = plainserve.Metrics()
        m.counter("b_total", "Things.")
        m.gauge("a", "A value.", lambda: 1.5)
        m.add("b_total", path='a"\\\n')
        m.add("b_total", 2, path="x")
        self.assertEqual(
            m.text(),
            "# HELP a A value.\n# TYPE a gauge\na 1.5\n"
            "# HELP b_total Things.\n# TYPE b_total counter\n"
            'b_total{path="a\\"\\\\\\n"} 1\nb_total{path="x"} 2\n',
        )


if __name__ == "__main__":
    unittest.main()
