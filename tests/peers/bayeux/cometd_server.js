// The CometD project's own server for node, at /cometd/67.0/. Options: port, then JSON of its own options.

"use strict";

const cometd = require("cometd-nodejs-server");
const peer = require("./peer");

const options = { timeout: 20000, maxInterval: 15000, sweepPeriod: 50, ...JSON.parse(process.argv[3] || "{}") };
const server = cometd.createCometDServer(options);
const sessions = new Set();

server.addListener("sessionAdded", (session) => sessions.add(session));
server.addListener("sessionRemoved", (session, hasExpired) => {
  sessions.delete(session);
  peer.tell(hasExpired ? { expired: session.id } : { left: session.id });
});
server.addListener("subscribed", (channel) => peer.tell({ subscribed: channel.name }));

peer.serve({
  handle: server.handle,
  publish: (channel, data) => server.createServerChannel(channel).publish(null, data),
  forget: () => sessions.forEach((session) => session.disconnect()),
});
