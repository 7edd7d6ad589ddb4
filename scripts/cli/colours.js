/**
 * Colours on a terminal alone.
 * @module
 */
import pc from 'picocolors';

/**
 * Picocolors for a stream: without colours where it is no terminal, whatever `CI` sets; `NO_COLOR` turns them off there
 * too.
 * @param {NodeJS.WriteStream} stream
 */
export const colours = (stream) => pc.createColors(stream.isTTY === true && pc.isColorSupported);
