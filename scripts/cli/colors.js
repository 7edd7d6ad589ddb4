/**
 * Colors, only on terminals.
 * @module
 */
import pc from 'picocolors';

/**
 * Picocolors for a stream: without colors if it is not a terminal, even if `CI` is set; `NO_COLOR` disables them on terminals
 * too.
 * @param {NodeJS.WriteStream} stream
 */
export const colors = (stream) => pc.createColors(stream.isTTY === true && pc.isColorSupported);
