// What both peers need and no Bayeux server has: a token endpoint, a gate for its tokens, commands, news.
//
// Commands come on stdin and news goes to stdout, as lines of JSON. The end of stdin ends the program.
//   {"publish": channel, "data": [...]}   one message each, in their order
//   {"forget": true}                      every session is unknown from now on
//   {"expire": true}                      the tokens handed out so far are refused from now on
//   {"closed": true|false}                the token endpoint answers 503
// News: {"listening": port}, {"subscribed": channel}, {"token": n}, {"cookies": [names]} of each exchange,
// {"left": session}, {"expired": session}, {"done": true} after each command.

"use strict";

const http = require("node:http");
const readline = require("node:readline");

const tokens = { handedOut: 0, expired: 0, isClosed: false };

function tell(news) {
  process.stdout.write(JSON.stringify(news) + "\n");
}

function answer(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

function handToken(request, response) {
  request.resume();
  if (tokens.isClosed) {
    response.writeHead(503, { "Content-Type": "text/html" });
    response.end("<html><body>Down for maintenance</body></html>");
    return;
  }
  tokens.handedOut += 1;
  tell({ token: tokens.handedOut });
  answer(response, 200, {
    access_token: `token-${tokens.handedOut}`,
    instance_url: `http://${request.headers.host}`,
    token_type: "Bearer",
  });
}

function isGood(authorization) {
  const said = /^Bearer token-(\d+)$/.exec(authorization || "");
  return said !== null && Number(said[1]) > tokens.expired;
}

function cookieNames(header) {
  return (header || "").split(";").map((pair) => pair.split("=")[0].trim()).filter(Boolean);
}

// `peer`: handle(request, response), publish(channel, data), forget().
function serve(peer) {
  const server = http.createServer((request, response) => {
    if (request.url === "/services/oauth2/token") {
      handToken(request, response);
    } else if (request.url !== "/cometd/67.0/") {
      answer(response, 404, [{ errorCode: "NOT_FOUND", message: "The requested resource does not exist" }]);
    } else if (!isGood(request.headers.authorization)) {
      request.resume();
      answer(response, 401, [{ errorCode: "INVALID_SESSION_ID", message: "Session expired or invalid" }]);
    } else {
      tell({ cookies: cookieNames(request.headers.cookie) });
      peer.handle(request, response);
    }
  });
  server.listen(Number(process.argv[2] || 0), "127.0.0.1", () => tell({ listening: server.address().port }));
  const commands = readline.createInterface({ input: process.stdin });
  commands.on("close", () => process.exit(0));
  commands.on("line", (line) => {
    const command = JSON.parse(line);
    if (command.publish) command.data.forEach((data) => peer.publish(command.publish, data));
    if (command.forget) peer.forget();
    if (command.expire) tokens.expired = tokens.handedOut;
    if ("closed" in command) tokens.isClosed = command.closed;
    tell({ done: true });
  });
}

module.exports = { serve, tell };
