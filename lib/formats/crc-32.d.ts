/** The part of the package crc-32 that has no types of its own. */
declare module 'crc-32/crc32c.js' {
  const crc32c: {
    /** CRC-32C of bytes, as a signed integer. */
    buf(bytes: Uint8Array): number;
  };
  export default crc32c;
}
