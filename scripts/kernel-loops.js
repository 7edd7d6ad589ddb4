#!/usr/bin/env node
/**
 * The inner loops of the kernels for ARM, as the compiler made them: instructions per multiply-add of vectors, loads, and
 * registers that are spilled. On another machine the kernels are cross-compiled; nothing is run.
 * node scripts/kernel-loops.js --json
 * Exit code 1 if a loop spills, multiplies single numbers, or has more instructions than it should.
 * @module
 */
import { requirePackages } from './cli/start.js';
import { builtObjects, crossObjects, FAMILIES, requireTools, run } from './kernels/families.js';
import { functionsOf, hottestLoop } from './kernels/loops.js';

requirePackages();
const { parseScript } = await import('./cli/command.js');

/**
 * Where a kernel spends its time: function, file, multiply-adds of numbers by one instruction, and the most instructions per
 * multiply-add of vectors, which is what gcc 12 makes and a little more.
 * @type {{ name: string, file: string, what: string, multiplies: number, numbers: number, most: number }[]}
 */
const LOOPS = [
  { name: 'neon::GemmTile<6, 4>', file: 'gemm', what: 'products', multiplies: 24, numbers: 4, most: 1.65 },
  {
    name: 'neon::MixGemmTile<1, 6, 4, false, true>',
    file: 'gemm',
    what: 'products while mixing, few pixels',
    multiplies: 24,
    numbers: 4,
    most: 1.9,
  },
  {
    name: 'neon::MixGemmTile<2, 3, 4, true, true>',
    file: 'gemm',
    what: 'products while mixing, two samples',
    multiplies: 24,
    numbers: 4,
    most: 3.8,
  },
  {
    name: 'neon::MultiplyBlock<4>',
    file: 'nhwc_conv',
    what: 'packed convolution',
    multiplies: 24,
    numbers: 4,
    most: 1.65,
  },
  {
    name: 'neon::OuterTile<6, 4>',
    file: 'dynamic_conv_grad_weight',
    what: 'weight gradient',
    multiplies: 24,
    numbers: 4,
    most: 1.95,
  },
  {
    name: 'neon::WeightUnit<4>',
    file: 'dynamic_conv_grad_weight',
    what: 'folding of four samples',
    multiplies: 64,
    numbers: 4,
    most: 1.95,
  },
  {
    name: 'neon::DepthwiseConvForward',
    file: 'depthwise_conv',
    what: 'depthwise convolution',
    multiplies: 8,
    numbers: 4,
    most: 2.8,
  },
  {
    name: 'neon::Bf16Tile<6, 4>',
    file: 'dynamic_conv_bf16',
    what: 'products of bfloat16',
    multiplies: 24,
    numbers: 16,
    most: 2.1,
  },
];

const { options } = parseScript({
  script: 'kernel-loops.js',
  description: 'Counts the instructions of the inner loops of the kernels for ARM.',
  options: { json: { flag: 'plain', help: 'print JSON, a line a loop' } },
});

const family = 'arm64';
const { cross, ...own } = FAMILIES[family];
const isas = Object.keys(own.isas);
const foreign = process.arch !== family;
if (foreign) requireTools(family, cross);
const objects = foreign ? crossObjects(family, isas, cross) : builtObjects(isas);
const objdump = foreign ? cross.objdump : 'objdump';

for (const { name, file, what, multiplies, numbers, most } of LOOPS) {
  const object = objects.find((path) => path.endsWith(`/cpu/${file}.cc.o`));
  const functions = functionsOf(object ? run(objdump, ['-dC', '--no-show-raw-insn', object]) : '');
  const loop = hottestLoop(functions, name);
  const per = loop ? loop.instructions / loop.multiplies : Number.NaN;
  const problems = [
    ...(loop?.multiplies === multiplies ? [] : [`${multiplies} multiply-adds expected`]),
    ...(loop?.stack === 0 ? [] : ['registers are spilled']),
    ...(loop?.scalars === 0 ? [] : ['single numbers are multiplied']),
    ...(per <= most ? [] : [`more than ${most} instructions per multiply-add`]),
  ];
  if (problems.length > 0) process.exitCode = 1;
  const found = { ...loop, function: name, what, per, perNumber: per / numbers, problems };
  console.log(options.json ? JSON.stringify(found) : line(found));
}

/** @param {Partial<import('./kernels/loops.js').Loop> & { function: string, what: string, per: number, problems: string[] }} loop */
function line({ function: name, what, instructions, multiplies, loads, stores, per, problems }) {
  const counts = `${instructions} instructions, ${multiplies} multiply-adds, ${loads} loads, ${stores} stores`;
  const verdict = problems.length > 0 ? ` -- ${problems.join(', ')}` : '';
  return `${name} (${what}): ${counts}, ${per.toFixed(2)} per multiply-add${verdict}`;
}
