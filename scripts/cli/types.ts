/**
 * The types of the tables of options. They are read by the compiler alone: the scripts run as plain JavaScript.
 * @module
 */
import type { RunConfig } from '../../dist/train/index.js';

/** What values an option takes. */
export interface ValueType<T> {
  /** Reads a value from the command line. @throws {InvalidArgumentError} that says what was expected. */
  readonly parse: (text: string) => T;
  /** All values there are, for help and completion. Default: too many to list. */
  readonly choices?: readonly string[];
  /** Whether values are paths, which shells complete. Default: false. */
  readonly isPath?: boolean;
}

type Groups = 'modelOptions' | 'temperature' | 'earlyStopping' | 'keepCheckpoints';
type Members<G extends Groups> = G extends Groups
  ? `${G}.${keyof NonNullable<RunConfig[G]> & string}`
  : never;
/** A field of `config.json`, or a member of an object in it, such as `temperature.start`. */
export type ConfigPath = (keyof RunConfig & string) | Members<Groups>;

interface CommonSpec {
  /** What the option does, for the help. */
  readonly help: string;
  /** Heading in the help that it is listed under. Default: `Options:`. */
  readonly group?: string;
  /** Leaves the option out of help and completion. Default: false. */
  readonly hidden?: boolean;
  /** Where `config.json` of a run keeps the value. Default: nowhere. */
  readonly config?: ConfigPath;
  /**
   * What `--resume` allows. Default: the value that the run was started with. `any`: the option concerns this process
   * alone. `replace`: another value replaces that of the run.
   */
  readonly resume?: 'any' | 'replace';
}

/** An option without a value: false unless given. `negated`: it is spelled `--no-<name>`, and true unless given. */
export interface FlagSpec extends CommonSpec {
  readonly flag: 'plain' | 'negated';
}

/** An option with a value. */
export interface ValueSpec<T> extends CommonSpec {
  readonly type: ValueType<T>;
  /** What the value is called in the help, such as `n`. */
  readonly value: string;
  /** Default: undefined. */
  readonly default?: T;
  /** How the help shows the default where it is not the value itself. */
  readonly shownDefault?: string;
  /** Whether it is an error to leave the option out. Default: false. */
  readonly required?: true;
  /** Whether several values may follow. Default: false. */
  readonly list?: true;
}

/** One option. */
export type OptionSpec = FlagSpec | ValueSpec<unknown>;

/** Options by the names of their values in JavaScript: `batchSize` is `--batch-size`. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Single<S> = S extends { type: ValueType<infer T> } ? T : never;
/** The value of an option. */
export type ValueOf<S> = S extends { flag: string }
  ? boolean
  : S extends { list: true }
    ? Single<S>[] | undefined
    : S extends { default: unknown } | { required: true }
      ? Single<S>
      : Single<S> | undefined;

/** The values of all options of a table. */
export type OptionsOf<T extends OptionTable> = { -readonly [K in keyof T]: ValueOf<T[K]> };

type PathOf<S> = S extends { config: infer P } ? P : never;
type GroupIn<T extends OptionTable> =
  PathOf<T[keyof T]> extends infer P ? (P extends `${infer G}.${string}` ? G : never) : never;
type MemberIn<S, G extends string> = PathOf<S> extends `${G}.${infer M}` ? M : never;
type Filled<V> = undefined extends V ? Exclude<V, undefined> | null : V;

/** The fields of `config.json` that a table of options makes. */
export type ConfigFields<T extends OptionTable> = {
  [K in keyof T as Extract<PathOf<T[K]>, keyof RunConfig>]: Filled<ValueOf<T[K]>>;
} & {
  [G in GroupIn<T>]: { [K in keyof T as MemberIn<T[K], G>]: Exclude<ValueOf<T[K]>, undefined> } | null;
};
