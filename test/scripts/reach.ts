/**
 * Helpers for the tests that every option reaches what it configures: they record the library calls of a
 * command and mock slow ones. A command runs in this process, as `node scripts/<name>.js` does.
 */
import type { EventEmitter } from 'node:events';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it, vi } from 'vitest';
import { root } from './support.js';

/** Arguments of all calls, by the name of the function. */
export type Calls = Map<string, unknown[][]>;
export type Options = Record<string, unknown>;

/** Functions and classes that record their arguments, and then do their work or that of the mock. */
export function recorder(calls: Calls) {
  const note = (name: string, args: unknown[]) =>
    void calls.set(name, [...(calls.get(name) ?? []), structuredArguments(args)]);
  // biome-ignore lint/suspicious/noExplicitAny: a function or class of the library, whatever its type
  type Callable = any;
  const spy = (name: string, target: Callable, standIn?: (...args: Callable[]) => unknown) =>
    new Proxy(target ?? (() => {}), {
      apply(fn, self, args) {
        note(name, args);
        return standIn ? standIn(...args) : Reflect.apply(fn, self, args);
      },
      construct(type, args, as) {
        note(name, args);
        return standIn ? (standIn(...args) as object) : Reflect.construct(type, args, as);
      },
    });
  return { note, spy };
}

/** Options are often changed after the call: plain objects are copied. */
function structuredArguments(args: unknown[]): unknown[] {
  const isPlain = (value: unknown) =>
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return args.map((arg) => (isPlain(arg) ? { ...(arg as object) } : arg));
}

/** The output and the exit code of a command. */
export interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

const EVENTS: [EventEmitter, string][] = [
  [process, 'exit'],
  [process, 'SIGINT'],
  [process, 'SIGTERM'],
  [process.stdout, 'error'],
  [process.stderr, 'error'],
];
let runs = 0;

/** Runs a script with a command line in this process. */
export async function run(name: string, args: readonly string[]): Promise<Ended> {
  const { argv, exitCode } = process;
  const listeners = EVENTS.map(([emitter, event]) => new Set(emitter.listeners(event)));
  const printed = { stdout: '', stderr: '' };
  const into = (stream: 'stdout' | 'stderr', end: string) => (text: unknown) => {
    printed[stream] += `${text}${end}`;
    return true;
  };
  const spies = [
    vi.spyOn(console, 'log').mockImplementation(into('stdout', '\n')),
    vi.spyOn(console, 'error').mockImplementation(into('stderr', '\n')),
    vi.spyOn(process.stdout, 'write').mockImplementation(into('stdout', '')),
    vi.spyOn(process.stderr, 'write').mockImplementation(into('stderr', '')),
  ];
  const path = join(root, 'scripts', `${name}.js`);
  process.argv = [process.execPath, path, ...args];
  process.exitCode = 0;
  try {
    await import(`${path}?run=${++runs}`);
    return { status: Number(process.exitCode), ...printed };
  } finally {
    for (const one of spies) one.mockRestore();
    process.argv = argv;
    process.exitCode = exitCode;
    for (const [i, [emitter, event]] of EVENTS.entries()) {
      for (const listener of emitter.listeners(event)) {
        if (!listeners[i]!.has(listener)) emitter.off(event, listener as () => void);
      }
    }
  }
}

/**
 * The argument of an option, where its effect is found, the expected value, and other options that it needs for
 * an effect.
 */
export interface Case {
  args?: string[];
  with?: string[];
  found: (ended: Ended) => unknown;
  expected: unknown;
}

/** The arguments of {@link testOptions}. */
export interface OptionTests {
  /** The command and, for a benchmark, its name. */
  command: [name: string, sub?: string];
  /** Its script. Default: the name of the command. */
  script?: string;
  /** Options that the command always needs. */
  base?: readonly string[];
  calls: Calls;
  cases: Record<string, Case>;
}

/**
 * Tests that every option of a command has a case, and that each reaches what it configures: the value found
 * there is the expected one with the option, and another one without it.
 */
export function testOptions({ command, script, base = [], calls, cases }: OptionTests): void {
  const [name, ...sub] = command;
  it('has a case for every option', async () => {
    const { options } = await commandOf(name, ...sub);
    expect(Object.keys(cases).sort()).toEqual(options.map(({ long }) => long!.slice(2)).sort());
  });

  it.each(Object.entries(cases))('--%s', async (flag, { args = [], with: others = [], found, expected }) => {
    const line = [...sub, ...base, ...others] as string[];
    calls.clear();
    const before = found(await run(script ?? name, line));
    const { options } = await commandOf(name, ...sub);
    // An option with a single choice has no effect until there is a second.
    if (options.find(({ long }) => long === `--${flag}`)?.argChoices?.length === 1)
      expect(before).toEqual(expected);
    else expect(before, 'without the option').not.toEqual(expected);
    calls.clear();
    const ended = await run(script ?? name, [...line, `--${flag}`, ...args]);
    expect(found(ended), ended.stderr).toEqual(expected);
    expect(ended.status, ended.stderr).toBe(0);
  });
}

/** A command as it is defined. */
export async function commandOf(name: string, sub?: string): Promise<Command> {
  const { loadCommand } = await import(join(root, 'scripts/cli/commands.js'));
  const command: Command = await loadCommand(name);
  const found = sub === undefined ? command : command.commands.find((one) => one.name() === sub);
  if (!found) throw new Error(`no command ${name} ${sub ?? ''}`);
  return found;
}

/** The text on stdout as JSON, or its last line; undefined if neither is JSON. */
export function json({ stdout }: Ended): Options | undefined {
  for (const text of [stdout, stdout.trim().split('\n').at(-1) ?? '']) {
    try {
      return JSON.parse(text) as Options;
    } catch {
      // Text for people.
    }
  }
  return undefined;
}
