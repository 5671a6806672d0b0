// The numbers a server states in `welcome` (heartbeat and limits), and how somebody else's choice is laid over them.

const LIMITS = {
  ...{ frame_bytes: 16384, text_bytes: 4096, room_len: 64, name_len: 32 },
  ...{ rooms_per_conn: 64, conns_per_user: 8, history: 100, page: 100 },
  messages: { count: 5, window_ms: 1000, scope: "user" },
  frames: { rate: 50, burst: 200 },
  errors: { count: 100, window_ms: 10000 },
  ...{ dedup_ms: 120000, hello_ms: 10000, presence_max: 500, presence_grace_ms: 5000 },
  ...{ queue_bytes: 2097152, server_frame_bytes: 1048576, room_ttl_ms: 86400000, guest_ttl_ms: 86400000 },
  per_address: null,
};
const HEARTBEAT = { interval_ms: 20000, timeout_ms: 20000 };
const FIXED = new Set(["room_len", "name_len", "server_frame_bytes"]);

/** `heartbeat`, `limits` and the rest as wanted, and the names of what cannot be set here. */
export function settings(wanted = {}) {
  const limits = structuredClone(LIMITS);
  const heartbeat = { ...HEARTBEAT };
  const rest = { drain_ms: 2000, origins: [], compression: false, store: "memory" };
  const cannotSet = [];
  for (const [name, value] of Object.entries(wanted)) {
    if (name === "heartbeat") Object.assign(heartbeat, value);
    else if (FIXED.has(name) || !(name in limits || name in rest) || (name === "store" && value !== "memory"))
      cannotSet.push(name);
    else if (name in rest) rest[name] = value;
    else limits[name] = limits[name]?.constructor === Object ? { ...limits[name], ...value } : value;
  }
  return { limits, heartbeat, ...rest, cannotSet };
}
