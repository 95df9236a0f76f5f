#!/usr/bin/env node
// configurable-http-proxy with one rule more: the sign-in token is for the hub.
//
// The front door puts X-Auth-Id-Token into every request, and the proxy passes all headers on, to people's servers too,
// where whoever owns the server could read a visitor's token and log in with it. No option of the proxy drops a header.
// Its route for a request is the one place that requests and WebSockets share, so the header is dropped there, unless
// the route leads to the hub. A request that has no route goes nowhere.
import ConfigurableProxy from "configurable-http-proxy";

const TOKEN_HEADER = "x-auth-id-token";
const findTarget = ConfigurableProxy.prototype.targetForReq;
if (typeof findTarget !== "function") {
  throw new Error("this configurable-http-proxy finds its routes in another way: the sign-in token would reach servers");
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
