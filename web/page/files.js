// @ts-check
/** Ways to choose files: the button, pasting, and dropping. */

/**
 * @param {{ button: HTMLButtonElement, input: HTMLInputElement, text: HTMLTextAreaElement, room: HTMLElement }} where
 * @param {(files: File[]) => void} take
 */
export function takeFiles({ button, input, text, room }, take) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    // The same file may be chosen again.
    input.value = "";
  });
  text.addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData ?? new DataTransfer();
    // A table is copied as text and as a picture of it.
    if (files.length === 0 || types.includes("text/plain")) return;
    event.preventDefault();
    take([...files]);
  });
  const hasFiles = (/** @type {DragEvent} */ { dataTransfer }) => dataTransfer?.types.includes("Files") ?? false;
  room.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    room.classList.add("dropping");
  });
  room.addEventListener("dragleave", ({ relatedTarget }) => {
    const isInside = relatedTarget instanceof Node && room.contains(relatedTarget);
    room.classList.toggle("dropping", isInside && room.classList.contains("dropping"));
  });
  room.addEventListener("drop", (event) => {
    room.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    take([...(event.dataTransfer?.files ?? [])]);
  });
}
