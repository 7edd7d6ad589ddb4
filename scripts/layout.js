/**
 * The rules that scripts/check-layout.js checks: allowed imports and includes.
 * @module
 */

/**
 * "May import", by folder of lib/ (or file without its extension), lowest first. `types:x` allows `import type` only.
 * A row such as `data/loader` is for one file of a folder; for other folders the file is part of its folder.
 * @type {Record<string, string[]>}
 */
export const LIB = {
  errors: [],
  text: [],
  'control-groups': [],
  check: ['errors'],
  files: ['check', 'errors'],
  libtorch: [],
  native: ['control-groups', 'libtorch', 'errors'],
  tensor: ['native', 'check', 'errors'],
  runtime: ['tensor', 'native', 'check', 'errors'],
  formats: ['tensor', 'files', 'check', 'errors'],
  ops: ['tensor', 'check', 'errors'],
  program: ['tensor', 'native', 'formats', 'files', 'check', 'text', 'errors'],
  data: ['control-groups', 'text', 'formats', 'files', 'check', 'errors'],
  'data/bytes': ['native'],
  'data/batches': ['data', 'tensor', 'types:native', 'types:check'],
  'data/loader-options': ['control-groups', 'data', 'types:tensor', 'check', 'errors'],
  'data/pipeline': ['data', 'tensor'],
  'data/memory-batches': ['data', 'types:tensor'],
  'data/collate': ['data', 'tensor', 'check', 'errors'],
  'data/samples': ['data', 'tensor', 'errors'],
  'data/loader': ['data', 'tensor', 'errors'],
  'process-group': ['tensor', 'types:native', 'check', 'errors'],
  optim: ['ops', 'tensor', 'check', 'errors'],
  nn: ['ops', 'process-group', 'program', 'types:native', 'runtime', 'tensor', 'check', 'text', 'errors'],
  onnx: ['nn', 'ops', 'program', 'types:native', 'runtime', 'formats', 'files', 'tensor', 'check', 'errors'],
  'torch-script': ['program', 'types:native', 'files', 'tensor', 'check', 'errors'],
  distributed: ['nn', 'process-group', 'tensor', 'types:native', 'check', 'errors'],
  run: ['ops', 'runtime', 'files', 'types:tensor', 'check', 'errors'],
  models: ['nn', 'tensor', 'check', 'errors'],
  'models/pretrained': ['models', 'nn', 'formats', 'check', 'errors'],
  'models/weights-source': ['formats', 'files', 'libtorch', 'errors'],
  train: [
    'types:nn',
    'distributed',
    'process-group',
    'program',
    'optim',
    'run',
    'runtime',
    'formats',
    'files',
    'ops',
    'tensor',
    'check',
    'errors',
  ],
  report: ['nn', 'types:data', 'types:train', 'run', 'files', 'check', 'text', 'errors'],
  serve: [
    'models',
    'types:nn',
    'program',
    'data',
    'train',
    'run',
    'runtime',
    'formats',
    'tensor',
    'check',
    'errors',
  ],
  install: ['control-groups', 'libtorch', 'native', 'files', 'errors'],
  testing: ['tensor'],
  vitest: ['testing', 'tensor'],
  index: ['*'],
};

/**
 * Layers of the files in a folder of lib/, lowest first. A file may import files of its own layer and of lower ones. Files that
 * are not listed are above all layers.
 * @type {Record<string, string[][]>}
 */
export const LAYERS = {
  native: [['types']],
  tensor: [
    ['dtype', 'handle', 'nested'],
    ['core'],
    ['check', 'context', 'dims', 'print', 'slice'],
    [
      ...[
        'activation',
        'aliases',
        'arithmetic',
        'comparison',
        'cumulative',
        'elementwise',
        'hooks',
        'indexing',
        'interop',
        'join',
      ],
      ...['matrix', 'order', 'properties', 'random', 'reduce', 'scatter', 'shape', 'statistics'],
    ],
    ['tensor'],
  ],
};

/** Files of lib/ that only files of the same folder may import. */
export const PRIVATE = ['tensor/core'];

/** Files of cpp/ that call Node-API directly, which node-addon-api does elsewhere. docs/bindings.md has the reasons. */
export const RAW = ['napi/hot_path', 'napi/js_callback', 'napi/buffers'];

/**
 * "May include", by folder of cpp/, and external headers and names that are forbidden there.
 * @type {Record<string, { uses: string[], never?: RegExp, noName?: RegExp }>}
 */
export const CPP = {
  typed_error: { uses: [] },
  dtype_name: { uses: [] },
  libtorch_release: { uses: [] },
  addon: { uses: ['bindings', 'napi', 'ops', 'program'] },
  pch: { uses: [] },
  bindings: { uses: ['napi', 'distributed', 'ops', 'program', 'kernels', 'typed_error'] },
  napi: { uses: ['program', 'dtype_name', 'typed_error'] },
  distributed: {
    uses: ['ops', 'program', 'dtype_name', 'libtorch_release', 'typed_error'],
    never: /^(napi\.h|node_api\.h|js_native_api.*)$/,
    noName: /\b(?:Napi::\w+|napi_\w+)/,
  },
  // The precompiled header includes napi.h: the name is what shows a use.
  program: {
    uses: ['ops', 'dtype_name', 'typed_error'],
    never: /^(napi\.h|node_api\.h|js_native_api.*)$/,
    noName: /\b(?:Napi::\w+|napi_\w+)/,
  },
  ops: {
    uses: ['kernels', 'dtype_name', 'typed_error'],
    never: /^(napi\.h|node_api\.h|js_native_api.*)$/,
    noName: /\b(?:Napi::\w+|napi_\w+)/,
  },
  kernels: {
    uses: ['typed_error'],
    never: /^(napi\.h|node_api\.h|js_native_api.*|ATen\/.*|c10\/.*|torch\/.*)$/,
  },
};
