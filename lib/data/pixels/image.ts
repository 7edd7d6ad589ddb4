/**
 * Images as bytes, which the steps of this folder read and make. No function changes the bytes it gets.
 * @module
 */
import { ShapeError } from '../../errors.js';

/** An image of bytes with its size. */
export interface ByteImage {
  /** [C, H, W], row-major. */
  bytes: Uint8Array;
  shape: readonly [channels: number, height: number, width: number];
}

/** A new image; its bytes are zero. */
export function blank(channels: number, height: number, width: number): ByteImage {
  return { bytes: new Uint8Array(channels * height * width), shape: [channels, height, width] };
}

/** The image with each byte replaced by the result of `map`. */
export function mapBytes({ bytes, shape }: ByteImage, map: (value: number) => number): ByteImage {
  const table = Uint8Array.from({ length: 256 }, (_, value) => map(value));
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = table[bytes[i]!]!;
  return { bytes: out, shape };
}

/** @throws ShapeError unless the image has 1 or 3 channels. */
export function checkColour({ shape: [channels] }: ByteImage, step: string): void {
  if (channels !== 1 && channels !== 3)
    throw new ShapeError(`Expected images of 1 or 3 channels for ${step} but received ${channels}`);
}

/** Rounds halves to the even number, as libtorch does. */
export function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** A value as a byte, rounded. */
export function toByte(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : roundEven(value);
}

/** A value as a byte, its fraction cut off. */
export function cutToByte(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
}
