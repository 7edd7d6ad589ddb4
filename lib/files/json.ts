/**
 * JSON from untrusted files.
 * @module
 */
import { CheckpointError, describe } from '../errors.js';

/** Deeper than any record of dyconv, and safe for recursive functions. */
const MAX_DEPTH = 100;

/**
 * Parses the JSON object of a file or a line.
 * @param where - The file, and the line if there are several, for messages.
 * @throws {CheckpointError} for invalid JSON, other values, and objects nested more than 100 levels deep.
 */
export function parseJsonObject(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const found = text.trim() === '' ? 'nothing' : describe(text);
    throw damaged(where, `received ${found}: ${(error as Error).message}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw damaged(where, `received ${describe(value)}`);
  if (depthOf(text) > MAX_DEPTH)
    throw damaged(where, `received one that is nested more than ${MAX_DEPTH} levels deep`);
  return value as Record<string, unknown>;
}

function damaged(where: string, found: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`${where} is damaged: Expected a JSON object but ${found}`, { cause });
}

/** The nesting depth of valid JSON, counted by brackets without recursion. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth);
    else if (token === ']' || token === '}') depth--;
  }
  return deepest;
}
