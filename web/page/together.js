// @ts-check
/** A frame may bring a hundred messages: what is done after each of them is done once, after the last. @param {() => void} run */
export function together(run) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      run();
    });
  };
}
