// How many requests of one browser session, and of one address, may be open at the same time.
//
// Event streams and WebSockets stay open. Without a limit, one client could use up the proxy's file descriptors.

export const PER_SESSION = 300;
export const PER_ADDRESS = 4000;

const open = new Map();

/** Count a request until its response ends; returns whether it is within the limits. */
export function admit(request, response, sessionCookie) {
  const address = addressOf(request);
  const keys = address ? [[`address ${address}`, PER_ADDRESS]] : [];
  if (sessionCookie) keys.push([`session ${sessionCookie}`, PER_SESSION]);
  if (keys.some(([key, limit]) => (open.get(key) ?? 0) >= limit)) return false;
  for (const [key] of keys) open.set(key, (open.get(key) ?? 0) + 1);
  response.once("close", () => keys.forEach(([key]) => release(key)));
  return true;
}

function release(key) {
  const left = open.get(key) - 1;
  if (left) open.set(key, left);
  else open.delete(key);
}

/** The address that connects. A tunnel's client on this machine connects for all users, and reports their addresses. */
function addressOf(request) {
  const peer = request.socket.remoteAddress ?? "";
  const isLocal = peer === "::1" || peer.replace("::ffff:", "").startsWith("127.");
  return isLocal ? request.headers["x-forwarded-for"]?.split(",").pop().trim() : peer;
}
