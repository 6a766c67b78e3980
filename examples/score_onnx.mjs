// Score 8-bit PNG files of the model's own size with an exported model, in Node or, from a canvas, in a browser:
//     npm install onnxruntime-web pngjs
//     node score_onnx.mjs model.onnx IMAGE.png ...
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { PNG } from "pngjs";

function planes({ data }, channels, values) { // data: red, green, blue and alpha of each pixel, as in ImageData
  const found = new Uint8Array(channels * values);
  for (let i = 0; i < values; i++) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    if (alpha !== 255) throw new Error("it is transparent");
    if (channels === 1) found[i] = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16; // as Pillow
    else [red, green, blue].forEach((value, channel) => (found[channel * values + i] = value));
  }
  return found;
}

const [model, ...paths] = process.argv.slice(2);
const session = await ort.InferenceSession.create(readFileSync(model));
const { type, shape } = session.inputMetadata[0];
const [, channels, height, width] = shape;
const names = ["pred_score", "p_value", "pred_label"];
console.log(["image_path", ...names].join(","));
for (const path of paths) {
  const image = PNG.sync.read(readFileSync(path));
  if (type !== "uint8" || image.height !== height || image.width !== width || image.depth > 8)
    throw new Error(`${path} must have 8 bits and ${height} x ${width} pixels, and so must the model's images`);
  const images = new ort.Tensor(type, planes(image, channels, height * width), [1, channels, height, width]);
  const found = await session.run({ images }, names);
  console.log([path, ...names.map((name) => found[name].data[0])].join(","));
}
