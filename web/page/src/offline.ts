/** The page without a network: its service worker, and what it must see. */

/**
 * Resolves once the service worker sees what this page loads, or where the browser has none: files
 * that are loaded earlier are not kept.
 */
export async function keepOffline(): Promise<void> {
  // Absent without https or localhost, whatever the types say.
  if (!("serviceWorker" in navigator)) return;
  const registered = navigator.serviceWorker.register("./service-worker.js").catch(() => null);
  // A newer one that is being installed is for later visits.
  if (navigator.serviceWorker.controller) return;
  const worker = (await registered)?.installing;
  if (!worker) return;
  await new Promise<void>((resolve) => {
    worker.addEventListener("statechange", () => {
      if (["activated", "redundant"].includes(worker.state)) resolve();
    });
  });
}
