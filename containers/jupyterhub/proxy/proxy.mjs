#!/usr/bin/env node
// configurable-http-proxy with two more rules: only the hub receives the sign-in token, and a proxy that cannot listen ends.
//
// The proxy logs an error of listen() and keeps running without ever listening again. It exits instead, so that podman
// restarts it, for example until a job of a user has left the port.
//
// The front door adds X-Auth-Id-Token to every request. The proxy would forward it to users' servers, too, whose owners
// could log in with the token of a visitor. No option of the proxy removes a header. HTTP requests and WebSockets share the
// function that finds their route, so this function removes the header, unless the route leads to the hub. A request
// without a route is not forwarded.
import { Server } from "node:net";
import ConfigurableProxy from "configurable-http-proxy";

const TOKEN_HEADER = "x-auth-id-token";
const findTarget = ConfigurableProxy.prototype.targetForReq;
if (typeof findTarget !== "function") {
  throw new Error("this version of configurable-http-proxy lacks targetForReq, so the sign-in token would reach users' servers");
}

ConfigurableProxy.prototype.targetForReq = async function (request) {
  const found = await findTarget.call(this, request);
  const hub = new URL(this.options.defaultTarget).origin;
  if (!found || new URL(found.target).origin !== hub) {
    delete request.headers[TOKEN_HEADER];
  }
  return found;
};

const listen = Server.prototype.listen;
Server.prototype.listen = function (...options) {
  const end = (error) => {
    console.error(`the proxy cannot listen: ${error.message}`);
    process.exit(1);
  };
  this.once("error", end);
  this.once("listening", () => this.off("error", end));
  return listen.apply(this, options);
};

await import("configurable-http-proxy/bin/configurable-http-proxy");
