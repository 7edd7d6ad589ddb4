/**
 * How a command was called: `node scripts/train.js` in a clone, `npx dyconv train` where dyconv is a dependency. Its help
 * shows what the user can type.
 * @module
 */
let throughBin = false;

/** Called by the `dyconv` command, before it hands over. */
export function markBin() {
  throughBin = true;
}

/** Whether this process is the `dyconv` command. */
export function isBin() {
  return throughBin;
}

/**
 * @param {string} script - Such as `node scripts/install.js`.
 * @param {string} subcommand - Such as `setup`.
 */
export function rename(script, subcommand) {
  return throughBin ? `npx dyconv ${subcommand}` : script;
}

/** A command line as it can be typed here. @param {string} line */
export function asInvoked(line) {
  return throughBin ? line.replace(/^node scripts\/([\w-]+)\.js/, 'npx dyconv $1') : line;
}
