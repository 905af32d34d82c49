/** The canvas as a video. */

/** Record a canvas as WebM; what is returned ends it and gives the file. */
export function record(canvas: HTMLCanvasElement): () => Promise<Blob> {
  if (!("MediaRecorder" in globalThis) || !MediaRecorder.isTypeSupported("video/webm")) {
    throw new Error("This browser records no WebM.");
  }
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: "video/webm" });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const ended = new Promise<Blob>((resolve) => {
    recorder.onstop = () => resolve(new Blob(parts, { type: "video/webm" }));
  });
  recorder.start();
  return () => {
    if (recorder.state !== "inactive") recorder.stop();
    return ended;
  };
}
