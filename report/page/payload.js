"use strict";
// Unpacks what Python packed (report/encode.py): gzip in base64, JSON, and arrays in binary inside the JSON.

const ARRAYS = {
  uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array,
};

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function unpack(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function reviveArrays(_key, value) {
  if (value !== null && typeof value === "object" && "base64" in value && "dtype" in value) {
    return new ARRAYS[value.dtype](bytesOf(value.base64).buffer);
  }
  return value;
}

const packedText = (id) => document.getElementById(id).textContent;
const readPayload = async (id) => JSON.parse(await unpack(packedText(id)), reviveArrays);

// Libraries are unpacked into ordinary scripts, in the order of their elements.
async function loadLibraries() {
  for (const element of document.querySelectorAll("script[data-library]")) {
    const script = document.createElement("script");
    script.textContent = await unpack(element.textContent);
    document.head.append(script);
  }
}
