// Faye's server, at /cometd/67.0/. Option: port.

"use strict";

const faye = require("faye");
const peer = require("./peer");

const bayeux = new faye.NodeAdapter({ mount: "/cometd/67.0/", timeout: 20 });
const sessions = new Set();

bayeux.on("handshake", (session) => sessions.add(session));
bayeux.on("disconnect", (session) => {
  sessions.delete(session);
  peer.tell({ left: session });
});
bayeux.on("subscribe", (session, channel) => peer.tell({ subscribed: channel }));

peer.serve({
  handle: (request, response) => bayeux.handle(request, response),
  publish: (channel, data) => bayeux.getClient().publish(channel, data),
  forget: () => sessions.forEach((session) => bayeux._server._engine.destroyClient(session)),
});
