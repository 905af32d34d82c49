/** The effects that the visitor chooses. */

import {
  loadSticker,
  makeupNames,
  stickerNames,
  type AnonymizeMethod,
  type AnonymizeOptions,
  type Look,
} from "facedots";
import { byId } from "./dom";

let chosen: Look = {};

/** The chosen effects; null without any. */
export function chosenLook(): Look | null {
  const { makeup, stickers, anonymize } = chosen;
  return makeup?.length || stickers?.length || anonymize ? chosen : null;
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
    chosen = { ...chosen, anonymize: chosenCover() };
    changed();
    const worn = await chosenWear(menu, failed);
    if (turn !== last) return;
    chosen = { ...chosen, ...worn };
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

/** Makeup and stickers; a sticker that cannot be loaded is not chosen any more. */
async function chosenWear(menu: HTMLElement, failed: (error: unknown) => void): Promise<Look> {
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
  return {
    makeup: makeupNames.filter((name) => byName.has(name)),
    stickers: (await Promise.all(loaded)).flat(),
  };
}

function chosenCover(): AnonymizeOptions | undefined {
  const method = byId("anonymize", HTMLSelectElement).value as AnonymizeMethod | "";
  return method ? { method, onNoFace: "cover" } : undefined;
}
