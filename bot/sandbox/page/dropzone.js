/** Let files be dropped on a part of the page; the paper clip does the same from the keyboard. */
export function takeFiles(node, words, share) {
  let over = 0; // a child is entered before its parent is left
  const hear = (name, step) => node.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over = name === "drop" ? 0 : over + step;
    if (over) node.dataset.drop = words;
    else delete node.dataset.drop;
    if (name === "drop") share([...event.dataTransfer.files]);
  });
  hear("dragenter", 1);
  hear("dragover", 0);
  hear("dragleave", -1);
  hear("drop");
}
