// Thumbnails of files, and maps in the colours of amiss's other pages.

const INFERNO = [
  [0, 0, 4], [11, 7, 36], [33, 12, 74], [61, 9, 101], [87, 16, 110], [113, 25, 110], [138, 34, 106], [163, 44, 97],
  [188, 55, 84], [210, 70, 68], [228, 90, 49], [241, 115, 29], [249, 142, 9], [252, 172, 17], [249, 203, 53],
  [242, 234, 105], [252, 255, 164],
]; // the anchors of amiss.explain.showing, even in lightness
const PLACES = ["upper left", "top", "upper right", "left", "middle", "right", "lower left", "bottom", "lower right"];
const SIDE = 112;

/** The colour at a place in [0, 1]. */
function colour(place) {
  const at = place * (INFERNO.length - 1);
  const low = Math.min(INFERNO.length - 2, Math.floor(at));
  return INFERNO[low].map((value, i) => Math.round(value + (at - low) * (INFERNO[low + 1][i] - value)));
}

function canvas(width, height, pixelAt) {
  const made = document.createElement("canvas");
  Object.assign(made, { width, height });
  const context = made.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set(pixelAt(i), 4 * i);
  context.putImageData(image, 0, 0);
  return made;
}

/** Values of a map as /explain answers it, in rows. */
export function valuesOf(map) {
  const bytes = Uint8Array.from(atob(map.values), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: map.width * map.height }, (_, i) => view.getFloat32(4 * i, true));
}

/** A canvas of a map. see: places that hold little let the picture below shine through. */
export function heat(map, { see = false } = {}) {
  const values = valuesOf(map);
  return canvas(map.width, map.height, (i) => {
    const place = map.high > 0 ? Math.min(1, Math.max(0, values[i] / map.high)) : 0;
    return [...colour(place), see ? Math.round(255 * place ** 0.5) : 255];
  });
}

/** Where a map is brightest on the whole: the ninth with the largest mean, in words. */
export function brightest(map) {
  const values = valuesOf(map);
  const ninths = PLACES.map(() => ({ sum: 0, n: 0 }));
  values.forEach((value, i) => {
    const row = Math.floor((3 * Math.floor(i / map.width)) / map.height);
    const ninth = ninths[3 * row + Math.floor((3 * (i % map.width)) / map.width)];
    ninth.sum += value;
    ninth.n += 1;
  });
  const means = ninths.map(({ sum, n }) => (n ? sum / n : -Infinity));
  return PLACES[means.indexOf(Math.max(...means))];
}

/** The colours from nothing to much. */
export const legend = () => canvas(160, 1, (i) => [...colour(i / 159), 255]);

/** A small picture of an image file as an address, or null for one that this browser cannot show, such as a TIFF. */
export async function thumbnail(file) {
  try {
    const whole = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(whole.width, whole.height));
    const small = document.createElement("canvas");
    small.width = Math.max(1, Math.round(whole.width * scale));
    small.height = Math.max(1, Math.round(whole.height * scale));
    const context = small.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(whole, 0, 0, small.width, small.height);
    whole.close();
    const blob = await new Promise((resolve) => small.toBlob(resolve));
    return blob && URL.createObjectURL(blob);
  } catch {
    return null;
  }
}
