#!/usr/bin/env node
// configurable-http-proxy with rules about what passes.
//
// - Only the hub receives the headers and cookies of the front door, and the sign-in token among them. Users' servers
//   receive what they need (headers.mjs). No option of the proxy removes a header.
// - A server's response cannot set cookies or a service worker for paths that are not the server's.
// - A path that cannot be decoded is answered with 400. The proxy itself would fail with 500.
// - A proxy that cannot listen ends. The proxy itself logs an error of listen() and keeps running without ever listening
//   again. podman restarts it, for example until a job of a user has left the port.
// - Scripts of servers' pages cannot read the hub's pages, nor windows with pages of the hub (isolation.mjs).
// - With subdomains the hub is on its own host only: a browser that opens it on a server's host is redirected.
// - One browser session, and one address, may have a limited number of open requests (limits.mjs), and
//   connections without a request are limited (connections.mjs).
//
// HTTP requests and WebSockets share the functions that are replaced here.
import { Server } from "node:net";
import ConfigurableProxy from "configurable-http-proxy";
import { limitWaiting } from "./connections.mjs";
import { confineResponse, describeClient, keepServersOwn } from "./headers.mjs";
import { findRefusal, isAnonymous, isBelow, isolateHub, isolateServer } from "./isolation.mjs";
import { admit } from "./limits.mjs";

const { HUBPOD_SUBDOMAIN_HOST } = process.env;
const HUB_HOST = HUBPOD_SUBDOMAIN_HOST ? new URL(HUBPOD_SUBDOMAIN_HOST) : null;
const SESSION_COOKIE = /(?:^|;\s*)jupyterhub-session-id=([^;]*)/;
const { handleProxy, targetForReq } = ConfigurableProxy.prototype;
if (typeof handleProxy !== "function" || typeof targetForReq !== "function") {
  throw new Error("this version of configurable-http-proxy lacks handleProxy or targetForReq, so headers would pass unchecked");
}
const confined = new WeakSet();
const routes = new WeakMap();
const servers = new WeakMap();

ConfigurableProxy.prototype.handleProxy = async function (kind, request, response, ...others) {
  if (!isReadable(request.url)) return refuse(kind, response, 400, "The path of the request is not valid UTF-8.");
  if (!admit(request, response, request.headers.cookie?.match(SESSION_COOKIE)?.[1])) {
    return refuse(kind, response, 429, "Too many requests are open. Please close some pages.");
  }
  if (!confined.has(this.proxy)) {
    confined.add(this.proxy);
    this.proxy.on("proxyRes", (answer, asked) => confine(answer, asked));
    this.proxy.on("proxyReqWs", (sent, asked) => {
      for (const event of ["upgrade", "response"]) sent.prependListener(event, (answer) => confine(answer, asked));
    });
  }
  describeClient(request.headers, { address: request.socket.remoteAddress, isEncrypted: request.socket.encrypted });
  const found = await targetForReq.call(this, request);
  const isHubs = found && new URL(found.target).origin === new URL(this.options.defaultTarget).origin;
  if (isHubs && isBelowHost(request.headers.host)) return sendToHub(kind, request, response);
  const refusal = found && (isHubs ? prepareForHub(request, this.options) : prepareForServer(request, found.prefix));
  if (refusal) return refuse(kind, response, ...refusal);
  routes.set(request, found);
  return handleProxy.call(this, kind, request, response, ...others);
};

ConfigurableProxy.prototype.targetForReq = async function (request) {
  return routes.get(request);
};

/** Prepare a request for a server; returns status and sentence if it is refused. */
function prepareForServer(request, route) {
  const prefix = HUB_HOST ? route.replace(/^\/[^/]+/, "") : route; // with subdomains, a route starts with the host
  if (!isBelow(pathOf(request.url), prefix)) return [400, "The server's part of the path has encoded characters."];
  servers.set(request, prefix);
  keepServersOwn(request.headers, prefix);
  return undefined;
}

/** Prepare a request for the hub; returns status and sentence if it is refused. */
function prepareForHub(request, { errorTarget }) {
  const hubPath = new URL(errorTarget).pathname.replace(/error\/?$/, "");
  const asked = { headers: request.headers, path: pathOf(request.url), hubPath };
  const sentence = findRefusal(asked);
  if (sentence) return [403, sentence];
  if (isAnonymous(asked)) keepServersOwn(request.headers, "");
  return undefined;
}

/** Whether a request has a name of a user's server, with subdomains. The hub must not be on its origin. */
function isBelowHost(host = "") {
  const name = host.toLowerCase().split(":")[0].replace(/\.$/, "");
  return Boolean(HUB_HOST) && name.endsWith(`.${HUB_HOST.hostname}`);
}

/** Redirect a browser from a name of a user's server to the hub, and refuse all other requests. */
function sendToHub(kind, request, response) {
  if (kind === "ws" || !["GET", "HEAD"].includes(request.method)) {
    return refuse(kind, response, 421, "The hub has another address.");
  }
  const { pathname, search } = new URL(request.url, HUB_HOST);
  response.writeHead(302, { Location: HUB_HOST.origin + pathname + search, Connection: "close" });
  return response.end();
}

function confine(answer, request) {
  if (!servers.has(request)) return isolateHub(answer.headers);
  confineResponse(answer.headers, servers.get(request));
  isolateServer(answer.headers, { hasOrigin: Boolean(HUB_HOST) });
}

function pathOf(url) {
  return new URL(url, "http://proxy").pathname;
}

function isReadable(url) {
  try {
    return !decodeURIComponent(pathOf(url)).includes("\0");
  } catch {
    return false;
  }
}

function refuse(kind, response, status, sentence) {
  if (kind === "ws") {
    response.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  } else {
    response.writeHead(status, { "Content-Type": "text/plain", Connection: "close" });
    response.end(`${sentence}\n`);
  }
}

const listen = Server.prototype.listen;
Server.prototype.listen = function (...options) {
  const end = (error) => {
    console.error(`the proxy cannot listen: ${error.message}`);
    process.exit(1);
  };
  this.once("error", end);
  this.once("listening", () => this.off("error", end));
  limitWaiting(this);
  return listen.apply(this, options);
};

process.argv.push("--no-x-forward"); // describeClient does it: the proxy appends "http" to the front door's "https"
await import("configurable-http-proxy/bin/configurable-http-proxy");
