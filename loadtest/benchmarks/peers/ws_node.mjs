// Node's `ws`: `send()` for each member; its optional native helpers are used where npm could install them.
import { createRequire } from "node:module";

// From the folder that the benchmark installed it into.
const { WebSocketServer } = createRequire(process.argv[2] + "/")("ws");
const rooms = new Map();
const numbers = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 4096 });

server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket) => {
  const mine = new Set();
  socket.on("message", (frame) => {
    const request = JSON.parse(frame);
    const room = request.room;
    if (request.type === "join") {
      if (!rooms.has(room)) rooms.set(room, new Set());
      rooms.get(room).add(socket);
      mine.add(room);
      socket.send(JSON.stringify({ type: "joined", room }));
      return;
    }
    const seq = (numbers.get(room) ?? 0) + 1;
    numbers.set(room, seq);
    const data = Buffer.from(JSON.stringify({ type: "message", room, seq, text: request.text }));
    for (const member of rooms.get(room)) if (member.readyState === 1) member.send(data, { binary: false });
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const room of mine) rooms.get(room).delete(socket);
  });
});
// The pings of the others, as its documentation says to send them.
setInterval(() => {
  for (const socket of server.clients) socket.ping();
}, 20000);
