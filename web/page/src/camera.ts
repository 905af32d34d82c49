/** The camera, and clear words where it is not to be had. */

const REASONS: Record<string, string> = {
  NotAllowedError: "The camera was not allowed.",
  NotFoundError: "There is no camera.",
  NotReadableError: "The camera does not start; another program may be using it.",
};

/** The visitor's camera, after the browser has asked. */
export async function openCamera(): Promise<MediaStream> {
  if (!("mediaDevices" in navigator)) {
    throw new Error("The camera needs a page from https or localhost.");
  }
  return navigator.mediaDevices.getUserMedia({ video: true }).catch((error: unknown) => {
    const name = error instanceof DOMException ? error.name : "";
    throw new Error(REASONS[name] ?? "The camera does not start.");
  });
}
