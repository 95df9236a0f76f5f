// The headers that pass between browsers and users' servers: pure functions.
//
// A front door adds headers and cookies of its own to each request. The owner of a server could act with them as the user
// who visits the server, so that only the headers of these lists pass to a server.

const PASSED = new Set(
  `accept accept-charset accept-encoding accept-language access-control-request-headers access-control-request-method
  cache-control connection content-disposition content-encoding content-language content-length content-range content-type
  date depth destination dnt expect host if if-match if-modified-since if-none-match if-range if-unmodified-since
  keep-alive last-event-id lock-token origin overwrite pragma prefer priority proxy-connection range referer te timeout
  traceparent tracestate trailer transfer-encoding tus-resumable upgrade upgrade-insecure-requests user-agent via
  x-csrf-token x-csrftoken x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-requested-with
  x-xsrf-token x-xsrftoken`.split(/\s+/),
);
const PASSED_PREFIXES = ["sec-", "upload-", "x-jupyter", "x-dask-", "x-rstudio-", "x-shiny-", "x-vscode-"];

// Tokens of JupyterHub and of Jupyter's servers are hexadecimal digits. A front door's Authorization is Basic, Negotiate,
// or a bearer token with other characters.
const HUB_TOKEN = /^(?:token|bearer)\s+[0-9a-f]{32,128}$/i;

// Besides the server's own login: its XSRF token, the session's id, and the cookies of RStudio and code-server.
const SERVERS_COOKIES = new Set(
  `_xsrf jupyterhub-session-id code-server-session persist-auth rs-csrf-token user-id user-list-id vscode-tkn
  vscode-secret-key-path vscode-cli-secret-half`.split(/\s+/),
);

// Headers of a response that would change what the browser does with pages outside the server's own path.
const DROPPED_OF_RESPONSES = ["service-worker-allowed", "clear-site-data", "strict-transport-security", "public-key-pins"];

/** Keep the request headers that a user's server may have; `prefix` is the path of the server. */
export function keepServersOwn(headers, prefix) {
  for (const name of Object.keys(headers)) {
    if (!passes(name, headers[name])) delete headers[name];
  }
  if (headers.cookie === undefined) return;
  const cookies = headers.cookie.split(";").filter((cookie) => isServers(nameOf(cookie), prefix));
  if (cookies.length) headers.cookie = cookies.map((cookie) => cookie.trim()).join("; ");
  else delete headers.cookie;
}

function passes(name, value) {
  if (name === "authorization") return HUB_TOKEN.test(value);
  return name === "cookie" || PASSED.has(name) || PASSED_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** The name of a cookie, as browsers and servers read it. */
function nameOf(cookie) {
  return cookie.split("=", 1)[0].trim().toLowerCase();
}

/** Whether a cookie is the login of this server, or one that servers need. */
function isServers(name, prefix) {
  const login = `jupyterhub-user-${prefix.split("/user/").pop().split("/")[0].toLowerCase()}`;
  return SERVERS_COOKIES.has(name) || name === login || name.startsWith(`${login}-`);
}

/** Confine a server's response to the server: no service worker and no cookie for other paths. */
export function confineResponse(headers, prefix) {
  for (const name of DROPPED_OF_RESPONSES) delete headers[name];
  if (headers["set-cookie"]) headers["set-cookie"] = headers["set-cookie"].map((cookie) => confine(cookie, prefix));
}

/** Limit a cookie to the server's host and path. */
function confine(cookie, prefix) {
  const [pair, ...attributes] = cookie.split(";").map((part) => part.trim());
  const path = attributes.filter((each) => /^path\s*=/i.test(each)).map((each) => each.slice(each.indexOf("=") + 1).trim()).pop();
  const own = path?.startsWith(`${prefix}/`) && !/(^|\/)\.\.?(\/|$)/.test(path) ? path : `${prefix}/`;
  return [pair, ...attributes.filter((each) => !/^(path|domain)\s*(=|$)/i.test(each)), `Path=${own}`].join("; ");
}

/** Set what the hub and servers learn about the client: the address that connects, and the protocol of the browser. */
export function describeClient(headers, { address, isEncrypted }) {
  for (const name of ["x-real-ip", "x-scheme", "x-client-ip", "true-client-ip", "forwarded", "client-ip"]) delete headers[name];
  const protocol = headers["x-forwarded-proto"]?.split(",").pop().trim().toLowerCase();
  headers["x-forwarded-proto"] = isEncrypted || protocol === "https" ? "https" : "http";
  headers["x-forwarded-for"] = [headers["x-forwarded-for"], address].filter(Boolean).join(", ");
  headers["x-forwarded-host"] ??= headers.host ?? "";
}
