/** The element of the page with this id. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`no element ${id}`);
  return element;
}

/** Say something in a live region; screen readers would read out the same text again. */
export function announce(region: HTMLElement, text: string): void {
  if (region.textContent !== text) region.textContent = text;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
