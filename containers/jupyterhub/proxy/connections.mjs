// How many connections may wait without a request, and the answers to what is not a request.
//
// A connection that sends nothing, or its headers slowly, costs a file descriptor. Above the limit the one that has waited
// longest is closed. A client that sends its request at once is therefore served, however many connections others open.
import { Server as HttpServer } from "node:http";

export const MAX_WAITING = 1000;

const TOO_LARGE = "The headers have more than 32 KiB. Please delete the cookies of this site in your browser, and log in again.";
const ANSWERS = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", TOO_LARGE],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["413 Payload Too Large", "The request is too large."],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "The request was not complete in time."],
};

/** Apply the limit to a server that is about to listen. */
export function limitWaiting(server) {
  if (!(server instanceof HttpServer)) return;
  const waiting = new Set(); // a set keeps the order of insertion
  server.on("connection", (socket) => {
    wait(waiting, socket);
    socket.once("close", () => waiting.delete(socket));
  });
  server.prependListener("request", ({ socket }, response) => {
    waiting.delete(socket);
    response.once("close", () => socket.destroyed || wait(waiting, socket));
  });
  server.prependListener("upgrade", ({ socket }) => waiting.delete(socket));
  server.on("clientError", (error, socket) => (waiting.has(socket) ? answer(error, socket) : socket.destroy()));
}

function wait(waiting, socket) {
  waiting.add(socket);
  if (waiting.size <= MAX_WAITING) return;
  const [longest] = waiting;
  waiting.delete(longest);
  longest.destroy();
}

/** Answer bytes that are not a request. Without a listener, Node.js answers without a sentence. */
function answer(error, socket) {
  if (!socket.writable) return socket.destroy();
  const [status, sentence] = ANSWERS[error.code] ?? ["400 Bad Request", "This is not a request of HTTP."];
  const head = ["Connection: close", "Content-Type: text/plain", `Content-Length: ${sentence.length + 1}`];
  socket.end(`HTTP/1.1 ${status}\r\n${head.join("\r\n")}\r\n\r\n${sentence}\n`);
}
