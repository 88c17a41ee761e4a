"use strict";
// GET /1994 answers MCMXCIV. With --ask the program asks a service for its health.

const http = require("node:http");
const { roman } = require("numerals");

const port = Number(process.env.PORT || 8080);

if (process.argv.includes("--ask")) {
  const failed = (why) => {
    console.error(String(why));
    process.exitCode = 1;
  };
  http
    .get({ host: "127.0.0.1", port, path: "/healthz", timeout: 5000 }, (res) => {
      res.resume();
      if (res.statusCode !== 200) failed(`the service answers ${res.statusCode}`);
    })
    .on("timeout", function () { this.destroy(new Error("no answer in 5 s")); })
    .on("error", failed);
} else {
  const server = http.createServer((req, res) => {
    const send = (status, text) => res.writeHead(status, { "Content-Type": "text/plain" }).end(text + "\n");
    if (req.url === "/healthz") return send(200, "ok");
    try {
      send(200, roman(Number(req.url.slice(1))));
    } catch (e) {
      send(e instanceof RangeError ? 400 : 500, e.message);
    }
  });
  server.listen(port);
  process.on("SIGTERM", () => server.close());
}
