/**
 * The source of a TorchScript function under construction, and the tensors that it reads.
 * @module
 */
import type { StoredSize } from '../native/compile.js';
import { ExportTarget } from '../program/export-step.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** An expression of TorchScript. */
export type Code = string;

/** The numbers of dtypes in TorchScript, those of c10::ScalarType. */
export const DTYPE_CODES: Readonly<Record<DType, number>> = {
  ...{ uint8: 0, int8: 1, int16: 2, int32: 3, int64: 4, float16: 5, float32: 6, float64: 7 },
  ...{ bool: 11, bfloat16: 15 },
};

/** Words that cannot be names of variables or attributes. */
const KEYWORDS: ReadonlySet<string> = new Set([
  ...['False', 'None', 'True', 'and', 'as', 'assert', 'async', 'await', 'break', 'class', 'continue', 'def'],
  ...['del', 'elif', 'else', 'except', 'finally', 'for', 'from', 'global', 'if', 'import', 'in', 'inf', 'is'],
  ...['lambda', 'nan', 'nonlocal', 'not', 'or', 'pass', 'raise', 'return', 'self', 'torch', 'try', 'while'],
  ...['with', 'yield'],
]);

/** Whether a text can be the name of a variable or attribute. */
export const isName = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text) && !KEYWORDS.has(text);

/** A text as a literal. */
export function quoted(text: string): Code {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `"${escaped}"`;
}

/** A number as a literal of type float: with all digits, and with a point or an exponent. */
export function floatLiteral(value: number): Code {
  if (!Number.isFinite(value)) return `float("${Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'}")`;
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** A script that grows. */
export class Script extends ExportTarget {
  readonly format = 'TorchScript';
  /** Statements of the body, in order. */
  readonly lines: string[] = [];
  /** The tensors that the script reads, by the path of their attribute. */
  readonly tensors = new Map<string, Tensor>();
  /** Whether the batch size is known, which sizes may depend on. */
  hasBatch = false;
  #temporaries = 0;

  /** Gives an expression a name, so that it is computed once. */
  let(code: Code): Code {
    const name = `_t${this.#temporaries++}`;
    this.lines.push(`${name} = ${code}`);
    return name;
  }

  /** Reads the batch size from the first dimension of an input. */
  readBatch(input: Code): void {
    this.lines.push(`_batch = torch.size(${input}, 0)`);
    this.hasBatch = true;
  }

  /** A size, which may depend on the batch size. */
  size(size: StoredSize): Code {
    if (typeof size === 'number') return String(size);
    const [factor, offset] = size;
    if (factor === 0) return String(offset);
    if (!this.hasBatch) this.fail('depends on the batch size, but no input has it as its first dimension');
    const rows = factor === 1 ? '_batch' : `${factor} * _batch`;
    const code = offset === 0 ? rows : `${rows} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
    return code === '_batch' ? code : `(${code})`;
  }

  /** The elements of a tensor that is the same in every run, which must not change until the file is written. */
  attribute(path: string, tensor: Tensor): Code {
    this.tensors.set(path, tensor);
    return path
      .split('.')
      .reduce(
        (owner, name) => (isName(name) ? `${owner}.${name}` : `getattr(${owner}, ${quoted(name)})`),
        'self',
      );
  }

  /** The source of `forward`. */
  source(inputs: readonly string[]): string {
    const signature = ['self', ...inputs.map((name) => `${name}: Tensor`)].join(', ');
    return [`def forward(${signature}):`, ...this.lines.map((line) => `  ${line}`), ''].join('\n');
  }
}
