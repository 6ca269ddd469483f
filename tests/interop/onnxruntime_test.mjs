// The proof of onnxruntime_test.py in Node, for machines without PyPI: at the default optimization level no code differs, at the
// output and at every quantized tensor. Usage: as there; NODE_PATH has onnxruntime-node.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const ort = createRequire(path.join(process.env.NODE_PATH, "x.js"))("onnxruntime-node");
const arrayTypes = { "<f4": Float32Array, "|i1": Int8Array, "|u1": Uint8Array, "<i4": Int32Array };

/// A .npy file, version 1.0, in C order.
function parseNpy(buffer) {
  const length = buffer.readUInt16LE(8);
  const header = buffer.toString("latin1", 10, 10 + length);
  const shape = header.match(/'shape': \(([^)]*)\)/)[1].split(",").filter((part) => part.trim()).map(Number);
  const Type = arrayTypes[header.match(/'descr': '([^']*)'/)[1]];
  const bytes = buffer.subarray(10 + length);
  return { shape, data: new Type(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) };
}

/// A .npz file whose entries are stored, as bitgrad writes it: { name: array }.
function parseNpz(buffer) {
  const arrays = {};
  for (let at = 0; buffer.readUInt32LE(at) === 0x04034b50; ) {
    const size = buffer.readUInt32LE(at + 18), name = buffer.readUInt16LE(at + 26), extra = buffer.readUInt16LE(at + 28);
    const start = at + 30 + name + extra;
    arrays[buffer.toString("utf8", at + 30, at + 30 + name).replace(/\.npy$/, "")] = parseNpy(buffer.subarray(start, start + size));
    at = start + size;
  }
  return arrays;
}

/// NHWC to NCHW for images; f is applied to every element.
function nchw({ shape, data }, Type, f = (value) => value) {
  const result = new Type(data.length);
  if (shape.length !== 4) {
    data.forEach((value, i) => (result[i] = f(value)));
    return { shape, data: result };
  }
  const [n, h, w, c] = shape;
  let at = 0;
  for (let i = 0; i < n; ++i)
    for (let k = 0; k < c; ++k)
      for (let p = 0; p < h * w; ++p) result[at++] = f(data[(i * h * w + p) * c + k]);
  return { shape: [n, c, h, w], data: result };
}

function rows({ shape, data }, begin, end) {
  const size = data.length / shape[0];
  return { shape: [end - begin, ...shape.slice(1)], data: data.subarray(begin * size, end * size) };
}

async function check(folder, bitgrad, scratch, inputs, limit) {
  const at = (name) => path.join(scratch, name);
  const run = (...command) => execFileSync(bitgrad, command, { stdio: ["ignore", "ignore", "inherit"] });
  for (const engine of ["float", "integer"])
    run("infer", folder, "--engine", engine, "--input", inputs, "--output", at(`${engine}.npy`), "--codes", at(`${engine}.npz`));
  for (const kind of ["npy", "npz"])
    if (!fs.readFileSync(at(`float.${kind}`)).equals(fs.readFileSync(at(`integer.${kind}`))))
      throw new Error(`${folder}: the two engines of bitgrad have different ${kind === "npy" ? "outputs" : "codes"}`);
  run("export", folder, "--onnx", at("codes.onnx"), "--codes");
  run("export", folder, "--onnx", at("plain.onnx"));  // the file that users get
  const graph = JSON.parse(fs.readFileSync(path.join(folder, "graph/graph.json"), "utf8"));
  const arrays = parseNpz(fs.readFileSync(at("integer.npz")));
  const expected = {};
  for (const { name, grid } of graph.tensors) if (grid) expected[name + "/codes"] = nchw(arrays[name], Uint8Array, (code) => code - grid.lo);
  expected[graph.output] = nchw(parseNpy(fs.readFileSync(at("integer.npy"))), Float32Array);
  const images = parseNpy(fs.readFileSync(inputs));
  const x = nchw(images, Float32Array, images.data instanceof Uint8Array ? (value) => Math.fround(value / 255) : undefined);

  const result = { compared: 0, differing: 0, first: "" };
  await compare(at("codes.onnx"), graph.input, x, expected, limit, result);
  await compare(at("plain.onnx"), graph.input, x, { [graph.output]: expected[graph.output] }, limit, result);
  return result;
}

/// Counts what a file's outputs have in common with those that are expected, all of them.
async function compare(file, inputName, x, expected, limit, result) {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3 });
  const count = Math.min(limit, x.shape[0]);
  for (let begin = 0; begin < count; begin += 250) {
    const end = Math.min(begin + 250, count);
    const input = rows(x, begin, end);
    const outputs = await session.run({ [inputName]: new ort.Tensor("float32", input.data, input.shape) });
    if (Object.keys(outputs).length !== Object.keys(expected).length) throw new Error(`${file}: ${Object.keys(outputs).length} outputs`);
    for (const [name, value] of Object.entries(expected)) {
      const wanted = rows(value, begin, end).data, found = outputs[name].data;
      if (found.length !== wanted.length) throw new Error(`${file}: ${name} has ${found.length} elements, expected ${wanted.length}`);
      result.compared += wanted.length;
      for (let i = 0; i < wanted.length; ++i)
        if (found[i] !== wanted[i]) {
          result.first ||= name;
          ++result.differing;
        }
    }
  }
}

const [graphs, bitgrad, scratch, ...rest] = process.argv.slice(2);
const option = (name, otherwise) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : otherwise);
const starts = option("--cases", "").split(","), images = Number(option("--images", Infinity));
fs.rmSync(scratch, { recursive: true, force: true });
fs.mkdirSync(scratch, { recursive: true });
let failures = 0, compared = 0;
try {
  for (const name of fs.readFileSync(path.join(graphs, "cases.txt"), "utf8").split("\n").filter(Boolean)) {
    if (!starts.some((start) => name.startsWith(start))) continue;
    const own = path.join(graphs, name, "x.npy");
    const result = await check(path.join(graphs, name), bitgrad, scratch, fs.existsSync(own) ? own : path.join(graphs, "x.npy"), images);
    console.log(`${name.padEnd(18)} ${result.compared} codes and outputs compared, ${result.differing} differ${result.first && `, first at ${result.first}`}`);
    failures += result.differing > 0;
    compared += result.compared;
  }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
console.log(`${failures} failures`);
process.exit(failures || !compared ? 1 : 0);
