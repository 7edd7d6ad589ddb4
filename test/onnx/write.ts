/** Writes graphs that no exporter here makes. */

import type { DType, Tensor } from '../../lib/index.js';
import { writeModel } from '../../lib/onnx/file.js';
import type { Dimension, Initializer, Model, Node } from '../../lib/onnx/message.js';

/** A node without what does not matter. */
export const node = (
  operator: string,
  inputs: string[],
  outputs: string[],
  attributes: Node['attributes'] = {},
  name = '',
): Node => ({ name, operator, inputs, outputs, attributes });

export interface Parts {
  nodes: Node[];
  initializers?: Record<string, Tensor>;
  inputs?: Record<string, Dimension[]>;
  outputs?: string[];
  opset?: number;
  dtype?: DType;
  changed?: (initializer: Initializer) => Initializer;
  externalData?: boolean;
}

/** Writes a graph of float32 inputs and outputs, by default from `x` to `y`. */
export async function write(file: string, parts: Parts): Promise<string> {
  const { nodes, initializers = {}, inputs = { x: ['batch', 2, 6, 6] }, outputs = ['y'], opset = 17 } = parts;
  const { dtype = 'float32', changed = (one) => one, externalData } = parts;
  const model: Model = {
    irVersion: 8,
    opset,
    producer: { name: 'test', version: '1' },
    graphName: 'graph',
    nodes,
    initializers: Object.entries(initializers).map(([name, elements]) =>
      changed({ name, dtype: elements.dtype, dims: elements.shape, elements }),
    ),
    inputs: Object.entries(inputs).map(([name, shape]) => ({ name, dtype, shape })),
    outputs: outputs.map((name) => ({ name, dtype, shape: [] })),
    metadata: {},
  };
  await writeModel(file, model, externalData);
  return file;
}
