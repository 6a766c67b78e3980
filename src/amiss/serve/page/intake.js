// Ways in for images: dropped anywhere, pasted, or chosen; folders are looked through.

const IMAGE = /\.(png|jpe?g|bmp|dib|tiff?|webp)$/i;

const isImage = (file) => file.type.startsWith("image/") || IMAGE.test(file.name);
const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
const partOf = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

/** All files in a folder that was dropped and in those below it, with their paths. */
async function filesIn(folder) {
  const found = [];
  const reader = folder.createReader();
  for (let part = await partOf(reader); part.length; part = await partOf(reader)) {
    for (const entry of part) {
      if (entry.isDirectory) found.push(...await filesIn(entry));
      else found.push({ name: entry.fullPath.replace(/^\//, ""), file: await fileOf(entry) });
    }
  }
  return found;
}

/** What was dropped: files as they are, and the images of folders; `passed` counts what else lay in those. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()); // gone after the first wait
  const folders = entries.filter((entry) => entry?.isDirectory);
  const loose = [...transfer.files].filter((file, i) => !folders.some((folder) => folder.name === file.name && !file.type));
  const within = (await Promise.all(folders.map(filesIn))).flat();
  const images = within.filter(({ file }) => isImage(file));
  return { found: [...loose.map(named), ...images], passed: within.length - images.length };
}

const named = (file) => ({ name: file.name, file });
let pasted = 0;

/** Watch for images. given: told { found: [{ name, file }], passed }. said: told a sentence where there are none. */
export function watch({ chooser, button, veil, given, said }) {
  button.addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    const found = [...chooser.files].map(named);
    chooser.value = ""; // the same file can be chosen again
    given({ found, passed: 0 });
  });

  let depth = 0;
  const over = (by) => {
    depth = Math.max(0, depth + by);
    veil.hidden = depth === 0;
  };
  document.addEventListener("dragenter", () => over(1));
  document.addEventListener("dragleave", () => over(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    over(-depth);
    try {
      const all = await dropped(event.dataTransfer);
      if (all.found.length) given(all);
      else said("What was dropped holds no image file; addresses are not followed. Save the image, and drop the file.");
    } catch {
      said("The folder that was dropped cannot be read.");
    }
  });

  document.addEventListener("paste", (event) => {
    if (event.target.matches("input:not([type=range])")) return;
    const found = [...event.clipboardData.files].map((file) => {
      pasted += 1;
      const ending = file.name.match(/\.\w{1,5}$/)?.[0] ?? "";
      return { name: /^image\.\w+$/.test(file.name) ? `pasted-${pasted}${ending}` : file.name, file };
    });
    if (found.length) given({ found, passed: 0 });
    else said("The clipboard holds no image.");
  });
}
