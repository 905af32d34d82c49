/** The effects that the visitor chooses, and images drawn with them. */

import {
  anonymizer,
  loadSticker,
  makeup,
  makeupNames,
  stickerNames,
  stickers,
  type AnonymizeMethod,
  type Effect,
  type Face,
} from "facedots";
import { byId } from "./dom";

/** The chosen effects: what faces wear, and what hides them. */
interface Choice {
  worn: Effect[];
  cover: Effect | null;
}

let chosen: Choice = { worn: [], cover: null };

/** Whether faces are to be hidden. */
export function isAnonymizing(): boolean {
  return chosen.cover !== null;
}

/** Offer the effects; `changed` is called after each choice, `failed` where a file is missing. */
export function offerEffects(changed: () => void, failed: (error: unknown) => void): void {
  const menu = byId("effects", HTMLFieldSetElement);
  const names = [...makeupNames, ...stickerNames];
  byId("effect-names", HTMLElement).append(...names.map(checkbox));
  let last = 0;
  const choose = async () => {
    const turn = ++last;
    // Faces are hidden at once, whatever becomes of the stickers.
    chosen = { ...chosen, cover: chosenCover() };
    changed();
    const worn = await chosenWear(menu, failed);
    if (turn !== last) return;
    chosen = { ...chosen, worn };
    changed();
  };
  menu.onchange = () => void choose();
  // A browser restores the choices of an earlier visit without an event.
  addEventListener("pageshow", menu.onchange);
}

function checkbox(name: string): HTMLLabelElement {
  const [label, box] = [document.createElement("label"), document.createElement("input")];
  [box.type, box.name] = ["checkbox", name];
  label.append(box, ` ${name.replace("-", " ")}`);
  return label;
}

/** Makeup below stickers; a sticker that cannot be loaded is not chosen any more. */
async function chosenWear(menu: HTMLElement, failed: (error: unknown) => void): Promise<Effect[]> {
  const boxes = menu.querySelectorAll<HTMLInputElement>("input:checked");
  const byName = new Map(Array.from(boxes, (box) => [box.name, box]));
  const loaded = stickerNames.map(async (name) => {
    const box = byName.get(name);
    if (!box) return [];
    return loadSticker(name).then(
      (sticker) => [sticker],
      (error: unknown) => {
        box.checked = false;
        failed(error);
        return [];
      },
    );
  });
  const worn = (await Promise.all(loaded)).flat();
  return [
    ...makeupNames.filter((name) => byName.has(name)).map((name) => makeup(name)),
    ...(worn.length ? [stickers(worn)] : []),
  ];
}

/** Over all that faces wear. */
function chosenCover(): Effect | null {
  const method = byId("anonymize", HTMLSelectElement).value as AnonymizeMethod | "";
  return method ? anonymizer({ method, onNoFace: "cover" }) : null;
}

const buffer = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/**
 * Draw an image, which has the canvas's size, with the chosen effects on its faces. Anonymization
 * hides those in `hidden`, and all of the image where there is none.
 */
export function drawWithEffects(
  context: CanvasRenderingContext2D,
  image: CanvasImageSource,
  faces: readonly Face[],
  hidden: readonly Face[],
): void {
  const { worn, cover } = chosen;
  if ((!worn.length && !cover) || !buffer) {
    context.drawImage(image, 0, 0);
    return;
  }
  const { width, height } = context.canvas;
  Object.assign(buffer.canvas, { width, height });
  buffer.drawImage(image, 0, 0);
  const pixels = buffer.getImageData(0, 0, width, height);
  for (const effect of worn) effect(pixels, faces);
  cover?.(pixels, hidden);
  buffer.putImageData(pixels, 0, 0);
  context.drawImage(buffer.canvas, 0, 0);
}
