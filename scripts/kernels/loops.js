/**
 * The innermost loops of compiled kernels of ARM: what a multiply-add costs in instructions, from the text of objdump.
 * @module
 */

/** @typedef {{ address: number, name: string, args: string }} Instruction */

/**
 * @typedef {object} Loop
 * @property {string} function
 * @property {number} instructions of one pass, without those of loops inside
 * @property {number} multiplies of vectors: FMLA or BFMMLA
 * @property {number} loads
 * @property {number} stores
 * @property {number} stack accesses to the stack: registers that are spilled
 * @property {number} scalars multiply-adds of single numbers
 */

const MULTIPLY = /^(fmla|fmls|bfmmla)$/;
const SCALAR = /^(fmadd|fmsub|fnmadd|fnmsub|fmul)$/;

/**
 * The functions of `objdump -dC --no-show-raw-insn`.
 * @param {string} text
 */
export function functionsOf(text) {
  /** @type {Map<string, Instruction[]>} */
  const functions = new Map();
  /** @type {Instruction[]} */
  let current = [];
  for (const line of text.split('\n')) {
    const start = /^[0-9a-f]+ <(.+)>:$/.exec(line);
    if (start) {
      current = [];
      functions.set((start[1] ?? '').replaceAll(/dyconv::kernels::|\(anonymous namespace\)::/g, ''), current);
      continue;
    }
    const [, address = '', name = '', args = ''] = /^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$/.exec(line) ?? [];
    if (name) current.push({ address: Number.parseInt(address, 16), name, args });
  }
  return functions;
}

/**
 * The first and the last instruction of every loop: a jump back.
 * @param {Instruction[]} code
 */
function boundsOf(code) {
  const at = new Map(code.map(({ address }, index) => [address, index]));
  return code.flatMap(({ address, name, args }, end) => {
    if (!/^(b|b\..*|cbn?z|tbn?z)$/.test(name)) return [];
    const target = Number.parseInt(/([0-9a-f]+) </.exec(args)?.[1] ?? '', 16);
    const begin = at.get(target);
    return begin !== undefined && target <= address ? [{ begin, end }] : [];
  });
}

/**
 * The loops of a function that multiply vectors.
 * @param {string} name
 * @param {Instruction[]} code
 * @returns {Loop[]}
 */
function loopsOf(name, code) {
  const bounds = boundsOf(code);
  return bounds.flatMap(({ begin, end }) => {
    const inside = bounds.filter(
      (other) => other.begin >= begin && other.end <= end && other.end - other.begin < end - begin,
    );
    const own = code.filter(
      (_, i) => i >= begin && i <= end && !inside.some((other) => i >= other.begin && i <= other.end),
    );
    const count = (/** @type {(one: Instruction) => boolean} */ which) => own.filter(which).length;
    const multiplies = count((one) => MULTIPLY.test(one.name) && /\.4s/.test(one.args));
    if (multiplies === 0) return [];
    return [
      {
        function: name,
        instructions: own.length,
        multiplies,
        loads: count((one) => one.name.startsWith('ld')),
        stores: count((one) => one.name.startsWith('st')),
        stack: count((one) => one.args.includes('[sp')),
        scalars: count((one) => SCALAR.test(one.name) && !/\.\d/.test(one.args)),
      },
    ];
  });
}

/**
 * The loop with the most multiplies in the functions whose name begins with `name`, and of those the one with the fewest
 * instructions.
 * @param {Map<string, Instruction[]>} functions
 * @param {string} name
 * @returns {Loop | undefined}
 */
export function hottestLoop(functions, name) {
  const matching = [...functions].filter(([full]) => full.replace(/^void /, '').startsWith(name));
  return matching
    .flatMap(([full, code]) => loopsOf(full, code))
    .sort((a, b) => b.multiplies - a.multiplies || a.instructions - b.instructions)[0];
}
