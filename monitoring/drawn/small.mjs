// A palette in place of true colours makes a picture of lines and text three times smaller.
//
// Input: a PNG, the codec (upng-js). Output: a PNG. Must not know: what it shows.

const COLORS = 256;

export function small(png, codec) {
  const bytes = png.buffer.slice(png.byteOffset, png.byteOffset + png.length);
  const image = codec.decode(bytes);
  return Buffer.from(codec.encode(codec.toRGBA8(image), image.width, image.height, COLORS));
}
