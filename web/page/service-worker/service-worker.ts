/**
 * Keeps the page for a visit without a network: the page itself from the first visit on, networks
 * and images from their first use on.
 */

declare const self: ServiceWorkerGlobalScope;
/** The paths of the page's files; the build fills them in. */
declare const __FILES__: string[];
/** Of the content of all files: a change installs anew. */
declare const __VERSION__: string;

const FILES = new Set(__FILES__);
const CACHE = `facedots-${__VERSION__}`;
const isPage = (file: string) => /\.(css|html|js|svg|webmanifest)$/.test(file);
/** Its name has a hash of the content. */
const isFixed = (file: string) => file.startsWith("assets/");

self.addEventListener("install", (event) => {
  event.waitUntil(keepPage());
});
self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([dropOldCaches(), self.clients.claim()]));
});
self.addEventListener("fetch", (event) => {
  const file = fileOf(event.request.url);
  if (event.request.method === "GET" && FILES.has(file)) event.respondWith(answer(event, file));
});

/** The path of a URL below the page's, or nothing elsewhere. */
function fileOf(url: string): string {
  const { origin, pathname } = new URL(url);
  const { scope } = self.registration;
  const path = origin + pathname;
  return path.startsWith(scope) ? path.slice(scope.length) || "index.html" : "";
}

async function keepPage(): Promise<void> {
  const cache = await caches.open(CACHE);
  const keep = async (file: string) => {
    const known = isFixed(file) ? await caches.match(file) : undefined;
    if (known) await cache.put(file, known);
    else if (isPage(file)) await cache.add(request(file));
  };
  await Promise.all(Array.from(FILES, keep));
}

function request(file: string): Request {
  return new Request(file, { cache: isFixed(file) ? "force-cache" : "no-cache" });
}

async function dropOldCaches(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith("facedots-"));
  await Promise.all(old.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
}

/** A file as it was kept, or else from the network, and kept. */
async function answer(event: FetchEvent, file: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  const known = await cache.match(file);
  if (known) return known;
  const response = await fetch(event.request);
  if (response.ok) event.waitUntil(cache.put(file, response.clone()));
  return response;
}

export {};
