/** export.js writes the network of a run, and compares the file with the run. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSafetensors } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { readOnnx } from '../support/onnx.js';
import { hasOnnxruntime, onnxruntimeFolder } from '../support/onnxruntime.js';
import { command, folder, small } from './support.js';

const run = join(folder, 'exported');

beforeAll(() => {
  expect(command('train', ...small(run)).status).toBe(0);
}, limit(120_000));

describe('export.js', () => {
  it.skipIf(!hasOnnxruntime)(
    'writes a file that onnxruntime computes as the run does (needs onnxruntime-node)',
    () => {
      const options = ['--run', run, '--out', 'dy.onnx', '--onnxruntime', onnxruntimeFolder, '--json'];
      const { status, stdout, stderr } = command('export', ...options);
      expect([status, stderr]).toEqual([0, '']);
      const { check, bytes, ...result } = JSON.parse(stdout);
      expect(result).toMatchObject({ model: 'alexnet-dy', checkpoint: 'best', file: 'dy.onnx' });
      expect(bytes).toBe(statSync(join(folder, 'dy.onnx')).size);
      expect(check).toMatchObject({ images: 100, same: 100, accuracy: check.runAccuracy });
      expect(check.by).toMatch(/^onnxruntime 1\./);
      expect(check.difference).toBeLessThan(1e-5);
    },
  );

  it('says that an ONNX file was not checked without onnxruntime, and why', () => {
    const { status, stdout, stderr } = command(
      'export',
      '--run',
      run,
      '--out',
      'plain.onnx',
      '--dynamic-size',
    );
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: Expected a network that works for all sizes of images/);
    expect(existsSync(join(folder, 'plain.onnx'))).toBe(false);
    const again = command('export', '--run', run, '--out', 'plain.onnx');
    expect([again.status, again.stderr]).toEqual([0, '']);
    expect(again.stdout).toMatch(/^alexnet-dy \(best\) in plain.onnx: 33\.\d MB in /);
    expect(again.stdout).toContain('image [batch, 3, 128, 128] -> logits [batch, 10]\n');
    expect(again.stdout).toMatch(
      /\nnot checked: onnxruntime-node is not installed: npm install onnxruntime-node/,
    );
    const { metadata } = readOnnx(join(folder, 'plain.onnx'));
    expect(JSON.parse(metadata.classes!)).toHaveLength(10);
    expect(JSON.parse(metadata.image_shape!)).toEqual([3, 28, 28]);
    expect(JSON.parse(metadata.resize!)).toBe(128);
  });

  it('writes weights, and checks them by loading', async () => {
    const options = ['--run', run, '--format', 'safetensors', '--out', 'dy.safetensors'];
    const { status, stdout, stderr } = command('export', ...options, '--check-images', '20');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /checked by loading it again on 20 test images: accuracy (\S+), of the run \1; 20 with the same class; largest difference of a logit 0\.0e\+0 /,
    );
    const [state, own] = await Promise.all(
      [join(folder, 'dy.safetensors'), join(run, 'best.safetensors')].map((path) => loadSafetensors(path)),
    );
    expect(Object.keys(state!)).toEqual(Object.keys(own!));
  });

  it('writes int8, calibrated on training images', () => {
    const int8 = ['--run', run, '--precision', 'int8', '--calibration', '24'];
    const { status, stdout, stderr } = command('export', ...int8, '--out', 'dy-8.onnx', '--no-check');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^alexnet-dy \(best\) in dy-8\.onnx: 8\.\d MB in /);
    expect(stdout).toContain(
      '\nint8, with 24 training images: features.4, features.8, features.11, features.14, classifier.0, classifier.3\n',
    );
    const sameAgain = command('export', ...int8, '--out', 'again.onnx', '--no-check', '--percentile', '100');
    expect(sameAgain.status).toBe(0);
    const [first, second] = ['dy-8.onnx', 'again.onnx'].map((file) => readFileSync(join(folder, file)));
    expect(second!.equals(first!)).toBe(true);
    const wrong = command('export', '--run', run, '--out', 'x', '--calibration', '5');
    expect(wrong.stderr).toBe('error: Expected --precision int8 with --calibration but received float32\n');
    expect(wrong.status).toBe(1);
  });

  it.skipIf(!hasOnnxruntime)('checks int8 by onnxruntime (needs onnxruntime-node)', () => {
    const options = ['--run', run, '--out', 'dy-8.onnx', '--precision', 'int8', '--calibration', '64'];
    const { stdout, status } = command('export', ...options, '--onnxruntime', onnxruntimeFolder, '--json');
    const { check } = JSON.parse(stdout);
    expect(check.images).toBe(100);
    expect(check.difference).toBeGreaterThan(1e-4);
    expect(check.difference).toBeLessThan(0.1);
    // A network of a few steps is undecided on some images.
    expect(status).toBe(check.same >= 95 ? 0 : 1);
  });

  it('refuses options of the other format, and keeps a file that it cannot replace', () => {
    const wrong = command('export', '--run', run, '--format', 'safetensors', '--out', 'x', '--opset', '18');
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toBe('error: Expected --format onnx with --opset but received safetensors\n');
    writeFileSync(join(folder, 'kept.onnx'), 'before');
    const opset = command('export', '--run', run, '--out', 'kept.onnx', '--opset', '99', '--no-check');
    expect(opset.status).toBe(1);
    expect(opset.stderr).toMatch(/^error: Expected an integer from 13 to 22 for opset but received 99/);
    expect(readFileSync(join(folder, 'kept.onnx'), 'utf8')).toBe('before');
  });
});
