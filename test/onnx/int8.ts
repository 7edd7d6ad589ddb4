/** Exports in int8, for tests. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DynamicConv2d,
  type ExportOnnxOptions,
  exportOnnx,
  manualSeed,
  nn,
  randn,
  type Tensor,
} from '../../lib/index.js';
import { withStatistics } from './cases.js';

export const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-int8-'));
/** For `afterAll` of each file that makes files: they share this module in one process. */
export const removeFolder = () => rmSync(folder, { recursive: true, force: true });
let files = 0;
export const newFile = () => {
  mkdirSync(folder, { recursive: true });
  return join(folder, `${files++}.onnx`);
};

/** Exports in int8. */
export const written = async (
  network: Parameters<typeof exportOnnx>[0],
  example: Tensor,
  options: Omit<ExportOnnxOptions, 'precision'>,
) => {
  const file = newFile();
  return { file, ...(await exportOnnx(network, example, file, { ...options, precision: 'int8' })) };
};

/** Static and dynamic convolutions and linear layers. */
export class Net extends nn.Module {
  features = new nn.Sequential(
    new nn.Conv2d(3, 8, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.Conv2d(8, 16, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new DynamicConv2d(16, 12, 3, { padding: 1, numExperts: 3 }),
    new nn.BatchNorm2d(12),
    new nn.ReLU6(),
  );
  classifier = new nn.Sequential(new nn.Linear(12 * 16, 32), new nn.ReLU(), new nn.Linear(32, 5));

  forward(x: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(x).flatten(1));
  }
}

export const makeNet = (): Net => {
  manualSeed(3);
  return withStatistics(new Net().eval());
};
export const images = (count = 16) => randn([count, 3, 8, 8]);
