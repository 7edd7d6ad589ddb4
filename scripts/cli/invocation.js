/**
 * How a command was called: `node scripts/train.js` in a clone, `npx dyconv train` where dyconv is a dependency. Its help
 * shows what the user can type.
 * @module
 */
let throughBin = false;

/** Scripts whose name is not that of their command. @type {Record<string, string>} */
const COMMAND_NAMES = { install: 'setup' };

/** @type {import('commander').Command[] | null} */
let collected = null;

/** Called by the `dyconv` command, before it hands over. */
export function markBin() {
  throughBin = true;
}

/** A text with commands as they can be typed here. @param {string} text */
export function asInvoked(text) {
  if (!throughBin) return text;
  return text.replace(
    /\bnode scripts\/([\w-]+)\.js/g,
    (_, name) => `npx dyconv ${COMMAND_NAMES[name] ?? name}`,
  );
}

/**
 * The commands that `load` declares, none of which is run: for a list of their options.
 * @param {() => Promise<unknown>} load - Imports scripts.
 * @returns {Promise<import('commander').Command[]>}
 */
export async function collectCommands(load) {
  const commands = /** @type {import('commander').Command[]} */ ([]);
  collected = commands;
  try {
    await load();
  } finally {
    collected = null;
  }
  return commands;
}

/** Whether a command is only declared, not to be run. @param {import('commander').Command} command */
export function isCollected(command) {
  collected?.push(command);
  return collected !== null;
}
