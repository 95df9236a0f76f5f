// The isolation of the hub's pages from scripts of users' servers: pure functions.
//
// The owner of a server decides what its pages do in the browser of a visitor, and without subdomains they have the origin of
// the hub. Scripts cannot change the Sec-Fetch headers, by which the browser states what a request is for. Browsers send
// them to https addresses and loopback only: https://w3c.github.io/webappsec-fetch-metadata/

const READABLE = new Set(["empty", "worker", "sharedworker", "serviceworker", "json", "xslt", "webidentity"]);
const FRAMES = new Set(["iframe", "frame", "embed", "object", "fencedframe"]);
const FOR_SCRIPTS = ["api/", "static/", "logo", "health", "metrics", "security/", "user/"];

// Headers of a server's response that hold for the whole origin: logins, reports of requests, other addresses.
const OF_THE_ORIGIN = ["alt-svc", "nel", "report-to", "set-login", "use-as-dictionary", "speculation-rules"];

const OPENER_POLICY = "cross-origin-opener-policy";

/** Why the hub must not answer a request, as a sentence; empty if it may. `hubPath` is the hub's prefix. */
export function findRefusal({ headers, path, hubPath }) {
  const purpose = purposeOf(headers);
  if (purpose === "serviceworker" || headers["service-worker"]) return "The hub has no service worker.";
  if (!path.startsWith(hubPath) || FOR_SCRIPTS.some((each) => path.startsWith(hubPath + each))) return "";
  if (READABLE.has(purpose)) return "A script cannot read this page. Please open it in the browser.";
  if (FRAMES.has(purpose) && headers["sec-fetch-site"] === "same-origin") return "This page cannot be part of another page.";
  return "";
}

/** Whether the hub gets a request without the login: a script of another origin, or one that could read a page. */
export function isAnonymous({ headers, path, hubPath }) {
  if (headers["sec-fetch-mode"] === "navigate") return false;
  if (["same-site", "cross-site"].includes(headers["sec-fetch-site"])) return true;
  return READABLE.has(purposeOf(headers)) && (!path.startsWith(hubPath) || path.startsWith(`${hubPath}user/`));
}

function purposeOf(headers) {
  const mode = headers["sec-fetch-mode"];
  return headers["sec-fetch-dest"] ?? (mode && !["navigate", "websocket"].includes(mode) ? "empty" : "");
}

/** Whether the path of a request is below a route as the browser sees it, not only after decoding. */
export function isBelow(path, prefix) {
  const segments = prefix.split("/");
  return path.split("/").slice(0, segments.length).every((each, index) => decodeURIComponent(each) === segments[index]);
}

/** Separate the hub's pages from the window that opens them, and from the windows that they open. */
export function isolateHub(headers) {
  headers[OPENER_POLICY] = "same-origin";
}

/** Drop what concerns the whole origin, and separate a server's windows from others', unless it has its own origin. */
export function isolateServer(headers, { hasOrigin }) {
  for (const name of OF_THE_ORIGIN) delete headers[name];
  if (!hasOrigin) headers[OPENER_POLICY] = "noopener-allow-popups";
}
