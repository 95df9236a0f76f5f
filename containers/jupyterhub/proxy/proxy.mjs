#!/usr/bin/env node
// configurable-http-proxy with one more rule: only the hub receives the sign-in token.
//
// The front door adds X-Auth-Id-Token to every request. The proxy would forward it to users' servers, too, whose owners
// could log in with the token of a visitor. No option of the proxy removes a header. HTTP requests and WebSockets share the
// function that finds their route, so this function removes the header, unless the route leads to the hub. A request
// without a route is not forwarded.
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

await import("configurable-http-proxy/bin/configurable-http-proxy");
