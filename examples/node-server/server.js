#!/usr/bin/env node
// The core of roomproof.v1 on the loopback address: HTTP, handshake, start and stop. The port is the first argument or
// ROOMPROOF_PORT; ROOMPROOF_SETTINGS may hold limits and heartbeat as JSON. SIGTERM drains; SIGUSR2 loses all messages.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

import { Connection } from "./connection.js";
import { Refusal, reader } from "./requests.js";
import { Rooms } from "./rooms.js";
import { settings } from "./settings.js";
import { Users, Windows } from "./users.js";

const PROTOCOL = "roomproof.v1";
const HANDSHAKE_MS = 8000; // LIMIT-5 allows ten seconds
const wanted = JSON.parse(process.env.ROOMPROOF_SETTINGS || "{}");
const { limits, heartbeat, drain_ms, origins, compression, cannotSet } = settings(wanted);
const connections = new Set();
const messages = new Windows(limits.messages);
const here = limits.per_address; // RATE-14
const byAddress = here && { guests: new Windows(here.guests), messages: new Windows(here.messages) };

/** What a connection knows of the rest. */
const service = {
  ...{ limits, heartbeat, read: reader(limits), rooms: new Rooms(limits), users: new Users(limits), draining: false },
  product: { name: "roomproof-node-server", version: "0.1.0" },

  /** The user of a new connection, and its token. Throws Refusal. */
  admit(connection, request) {
    const now = performance.now();
    if (this.draining) throw new Refusal("draining", "the server is stopping");
    const counted = here && request.auth?.scheme !== "resume_guest";
    if (counted && byAddress.guests.wait(connection.address, now) > 0)
      throw new Refusal("too_many_connections", "too many guests from this address");
    const admitted = this.users.identify(connection, request);
    if (counted) byAddress.guests.mark(connection.address, now);
    return admitted;
  },

  /** Count a message against its user, and its address. Throws Refusal (RATE-6). */
  charge({ user, address }, now) {
    const quotas = [[messages, user.id, limits.messages]];
    if (here) quotas.push([byAddress.messages, address, { ...here.messages, scope: "address" }]);
    for (const [windows, key, limit] of quotas) {
      const retry_after_ms = Math.ceil(windows.wait(key, now));
      if (retry_after_ms > 0) throw new Refusal("rate_limited", "too many messages", { retry_after_ms, limit });
    }
    for (const [windows, key] of quotas) windows.mark(key, now);
  },

  forget(connection) {
    if (connection.user) this.users.release(connection);
    connections.delete(connection);
  },
};

const http = createServer({ connectionsCheckingInterval: 500 }, (request, response) => {
  const [status, body] = page(request.url.split("?")[0]);
  response.writeHead(status, { "content-type": "text/plain" }).end(`${body}\n`);
});
http.headersTimeout = http.requestTimeout = HANDSHAKE_MS;

function page(path) {
  if (path === "/healthz") return [200, "ok"];
  if (path === "/readyz") return service.draining ? [503, "draining"] : [200, "ok"];
  if (path === "/metrics") return [200, `connections ${connections.size}`];
  return path === "/ws" ? [426, "a WebSocket, please"] : [404, "not here"];
}

const sockets = new WebSocketServer({
  ...{ noServer: true, clientTracking: false, autoPong: false, maxPayload: limits.frame_bytes, closeTimeout: 3000 },
  perMessageDeflate: compression, // off unless configured; ws applies maxPayload after inflation (LIMIT-4)
  ...{ maxFragments: 0, maxBufferedChunks: 0 }, // 1008 is no code of ours; maxPayload bounds both
  handleProtocols: () => PROTOCOL,
});

http.on("upgrade", (request, socket, head) => {
  const refusal = refused(request);
  if (refusal) {
    socket.on("error", () => {});
    socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  } else
    sockets.handleUpgrade(request, socket, head, (ws) => {
      connections.add(new Connection(ws, socket.remoteAddress, service));
    });
});

/** The status line that refuses this handshake, null for one that is welcome. */
function refused({ url, headers, socket }) {
  if (url.split("?")[0] !== "/ws") return "404 Not Found";
  if (service.draining) return "503 Service Unavailable";
  if (headers.origin !== undefined && !welcome(headers.origin, headers.host)) return "403 Forbidden"; // CONN-3
  const offered = headers["sec-websocket-protocol"];
  const ours = offered === undefined || offered.split(",").some((one) => one.trim() === PROTOCOL);
  if (!ours) return "400 Bad Request"; // CONN-2
  const open = here && [...connections].filter(({ address }) => address === socket.remoteAddress).length;
  return here && open >= here.conns ? "429 Too Many Requests" : null; // RATE-14
}

function welcome(origin, host) {
  if (origins.includes(origin)) return true;
  if (!URL.canParse(origin)) return false; // "null" and the like
  const { protocol, host: from } = new URL(origin);
  return URL.canParse(`${protocol}//${host}`) && from === new URL(`${protocol}//${host}`).host;
}

/** Tell everybody when to go, and see them off one by one over the drain window (DISC-5). */
function drain() {
  if (service.draining) return;
  service.draining = true;
  http.close();
  for (const connection of connections) {
    const notice = { type: "notice", code: "draining", message: "restarting" };
    if (connection.user) connection.send({ ...notice, reconnect_after_ms: Math.round(Math.random() * 5000) });
    setTimeout(() => connection.close(1012), Math.random() * drain_ms);
  }
  setTimeout(() => process.exit(0), drain_ms + 500);
}

setInterval(() => {
  const all = [service.rooms, service.users, messages, ...Object.values(byAddress ?? {})];
  for (const kept of all) kept.sweep(performance.now());
}, 500).unref();

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, drain);
process.on("SIGUSR2", () => service.rooms.lose());
if (cannotSet.length) console.log(JSON.stringify({ cannot_set: cannotSet }));
const port = Number(process.argv[2] ?? process.env.ROOMPROOF_PORT ?? 8765);
http.listen(port, "127.0.0.1", () => console.log(`listening on ws://127.0.0.1:${http.address().port}/ws`));
