import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder, writeTree } from '../install/support.js';

const GOOD: Record<string, string> = {
  'CMakeLists.txt': 'set(DYCONV_SOURCES\n  cpp/addon.cc\n  cpp/ops/conv.cc # a comment\n)\n',
  'cpp/addon.cc': '#include "bindings/bindings.h"\n#include <node_api.h>\n',
  'cpp/bindings/bindings.h': '#include "ops/conv.h"\n',
  'cpp/ops/conv.h': '#include <ATen/ATen.h>\n',
  'cpp/ops/conv.cc': '#include "kernels/kernel.h"\n#include "ops/conv.h"\n',
  'cpp/kernels/kernel.h': '#include <cstdint>\n',
  'lib/errors.ts': 'export class A {}\n',
  'lib/nn/module.ts': "import type { Tensor } from '../tensor/tensor.js';\n",
  'lib/tensor/tensor.ts': "import { A } from '../errors.js';\nexport type Tensor = A;\n",
  'lib/train/step.ts': "import type { Module } from '../nn/module.js';\n",
  'lib/train/trainer.ts': "import type { Module } from '../nn/module.js';\n",
  'lib/data/set.ts': "import { A } from '../errors.js';\n",
  'lib/data/loader.ts': "import { Tensor } from '../tensor/tensor.js';\n",
  'scripts/layout.js': `
    export const LIB = {
      errors: [],
      tensor: ['errors'],
      data: ['errors'],
      'data/loader': ['tensor'],
      nn: ['types:tensor'],
      train: ['types:nn'],
    };
    export const LAYERS = { tensor: [['core'], ['reduce'], ['tensor']] };
    export const PRIVATE = ['tensor/core'];
    export const RAW = ['napi/hot_path'];
    export const CPP = {
      addon: { uses: ['bindings'] },
      bindings: { uses: ['ops'] },
      napi: { uses: [] },
      ops: { uses: ['kernels'], never: /^node_api\\.h$/, noName: /Napi::\\w+/ },
      kernels: { uses: [], never: /^ATen\\/.*$/ },
    };
  `,
  'scripts/train.js':
    "import { ensureDist } from './dist.js';\nconst x = await import('../dist/index.js');\n",
};

/** Findings for a tree with changes in the given files. */
function findings(changes: Record<string, string>): string[] {
  const tree = writeTree(temporaryFolder(), { ...GOOD, ...changes });
  const script = fileURLToPath(new URL('../../scripts/check-layout.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, tree], { encoding: 'utf8' });
  const lines = stderr.split('\n').filter(Boolean);
  expect(status).toBe(lines.length > 0 ? 1 : 0);
  return lines;
}

it('is content with the designed layout', () => {
  expect(findings({})).toEqual([]);
});

it.each<[string, Record<string, string>, string]>([
  [
    'an import against the arrows',
    { 'lib/tensor/print.ts': "import {\n  page,\n} from '../report/page.js';\n" },
    'lib/tensor/print.ts: tensor must not import report (as a value)',
  ],
  [
    'a re-export against the arrows',
    { 'lib/tensor/index.ts': "export * from '../models/alexnet.js';\n" },
    'lib/tensor/index.ts: tensor must not import models (as a value)',
  ],
  [
    'a value where only types may come from',
    { 'lib/train/trainer.ts': "import { Module } from '../nn/module.js';\n" },
    'lib/train/trainer.ts: train must not import nn (as a value)',
  ],
  [
    'a Tensor in a data set',
    { 'lib/data/cifar.ts': "import { Tensor } from '../tensor/tensor.js';\n" },
    'lib/data/cifar.ts: data must not import tensor (as a value)',
  ],
  [
    'an unknown folder',
    { 'lib/misc/x.ts': '' },
    'lib/misc/x.ts: misc has no row in the table of scripts/layout.js',
  ],
  [
    'an allowed import that is not used',
    { 'lib/data/loader.ts': '' },
    'scripts/layout.js: data/loader uses nothing of tensor',
  ],
  [
    'an import allowed for values of which only types are used',
    { 'lib/data/loader.ts': "import type { Tensor } from '../tensor/tensor.js';\n" },
    'scripts/layout.js: data/loader uses only types of tensor: types:tensor',
  ],
  [
    'a private file of another folder',
    { 'lib/data/loader.ts': "import { Tensor } from '../tensor/core.js';\n", 'lib/tensor/core.ts': '' },
    'lib/data/loader.ts: must not import lib/tensor/core.ts, which is for its own folder',
  ],
  [
    'an import of a layer above',
    {
      'lib/tensor/core.ts': "import { sum } from './reduce.js';\n",
      'lib/tensor/reduce.ts': 'export const sum = 1;\n',
    },
    'lib/tensor/core.ts: must not import reduce.ts, which is in a layer above it',
  ],
  [
    'an import cycle in a folder, partly of types',
    {
      'lib/nn/a.ts': "import type { B } from './b.js';\nimport './module.js';\n",
      'lib/nn/b.ts': "import { C } from './c.js';\n",
      'lib/nn/c.ts': "export { A } from './a.js';\n",
    },
    'lib/nn/a.ts: import cycle: nn/a.ts -> nn/b.ts -> nn/c.ts -> nn/a.ts',
  ],
  [
    'a file that imports itself',
    { 'lib/nn/a.ts': "await import('./a.js');\n" },
    'lib/nn/a.ts: import cycle: nn/a.ts -> nn/a.ts',
  ],
  [
    'a kernel that knows ATen',
    { 'cpp/kernels/kernel.h': '#include <ATen/ATen.h>\n' },
    'cpp/kernels/kernel.h: kernels must not include <ATen/ATen.h>',
  ],
  [
    'an operation that knows Node-API',
    { 'cpp/ops/conv.h': '#include <node_api.h>\n' },
    'cpp/ops/conv.h: ops must not include <node_api.h>',
  ],
  [
    'an operation that uses Node-API by way of the precompiled header',
    { 'cpp/ops/conv.h': 'Napi::Value Convolve(Napi::Value input);\n' },
    'cpp/ops/conv.h: ops must not use Napi::Value',
  ],
  [
    'a call of Node-API beside node-addon-api',
    {
      'cpp/napi/convert.h':
        '// napi_typeof(x)\ninline bool f() { return napi_typeof(e, v, &t) == napi_ok; }\n',
    },
    'cpp/napi/convert.h: must not call napi_typeof: only napi/hot_path call Node-API',
  ],
  [
    'an include against the arrows',
    { 'cpp/ops/conv.h': '#include "bindings/bindings.h"\n' },
    'cpp/ops/conv.h: ops must not include bindings/bindings.h',
  ],
  [
    'an include that depends on the folder of its file',
    { 'cpp/ops/conv.cc': '#include "kernels/kernel.h"\n#include "../ops/conv.h"\n' },
    'cpp/ops/conv.cc: ../ops/conv.h is not a path below cpp/',
  ],
  [
    'an allowed include that is not used',
    { 'cpp/bindings/bindings.h': '' },
    'scripts/layout.js: cpp/bindings includes nothing of ops',
  ],
  [
    'a script that reaches into lib',
    { 'scripts/x.js': "import '../lib/index.js';\n" },
    'scripts/x.js: must not import ../lib/index.js',
  ],
  ['a source that is not built', { 'cpp/ops/pool.cc': '' }, 'cpp/ops/pool.cc: not listed in CMakeLists.txt'],
  [
    'a listed source that does not exist',
    { 'CMakeLists.txt': `${GOOD['CMakeLists.txt']}cpp/ops/gone.cc\n` },
    'CMakeLists.txt: cpp/ops/gone.cc does not exist',
  ],
  [
    'a file that is too long',
    { 'lib/nn/long.ts': '\n'.repeat(401) },
    'lib/nn/long.ts: 401 lines, more than 400',
  ],
])('finds %s', (_what, changes, expected) => {
  expect(findings(changes)).toEqual([expected]);
});

it('finds an import cycle of folders, also where no file is in one', () => {
  const rules = GOOD['scripts/layout.js']!.replace(
    "nn: ['types:tensor']",
    "nn: ['types:tensor', 'types:train']",
  );
  const other = { 'lib/nn/other.ts': "import type { Step } from '../train/step.js';\n" };
  expect(findings({ ...other, 'scripts/layout.js': rules })).toEqual([
    'lib/nn: import cycle: nn -> train -> nn',
  ]);
});
