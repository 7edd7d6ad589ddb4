/** export.js writes the network of a run, and compares the file with the run. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadProgram, loadSafetensors, loadTorchScript, type Tensor, zeros } from '../../lib/index.js';
import { putPictures } from '../data/pictures.js';
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

  it('writes programs, in int8 too, and checks them', async () => {
    const options = ['--run', run, '--format', 'program', '--check-images', '40', '--json'];
    const plain = command('export', ...options, '--out', 'dy.dyc');
    expect([plain.status, plain.stderr]).toEqual([0, '']);
    const { check } = JSON.parse(plain.stdout);
    expect(check).toMatchObject({ by: 'loadProgram', images: 40, same: 40 });
    expect(check.difference).toBeLessThan(1e-4);
    const int8 = ['--precision', 'int8', '--calibration', '64'];
    const quantized = command('export', ...options, ...int8, '--out', 'dy-8.dyc');
    const { difference, same } = JSON.parse(quantized.stdout).check;
    expect(difference).toBeGreaterThan(1e-4);
    expect(difference).toBeLessThan(0.1);
    // A network of a few steps is undecided on some images.
    expect(quantized.status).toBe(same >= 38 ? 0 : 1);
    const program = await loadProgram(join(folder, 'dy-8.dyc'));
    expect(program.settings.dtype).toBe('int8');
    expect(JSON.parse(program.metadata.classes!)).toHaveLength(10);
    const half = command('export', ...options, '--precision', 'float16', '--out', 'x.dyc');
    expect(half).toMatchObject({
      status: 1,
      stderr: 'error: Expected --precision float32 or int8 with --format program but received float16\n',
    });
  });

  it.skipIf(!hasOnnxruntime)('checks int8 by onnxruntime (needs onnxruntime-node)', () => {
    const options = ['--run', run, '--out', 'checked-8.onnx', '--precision', 'int8', '--calibration', '64'];
    const { stdout, status } = command('export', ...options, '--onnxruntime', onnxruntimeFolder, '--json');
    const { check } = JSON.parse(stdout);
    expect(check.images).toBe(100);
    expect(check.difference).toBeGreaterThan(1e-4);
    expect(check.difference).toBeLessThan(0.1);
    // A network of a few steps is undecided on some images.
    expect(status).toBe(check.same >= 95 ? 0 : 1);
  });

  it('writes TorchScript that computes as the run does, with the attention of the layers', async () => {
    const options = ['--run', run, '--format', 'torchscript', '--out', 'dy.pt', '--attention', '--json'];
    const { status, stdout, stderr } = command('export', ...options);
    expect([status, stderr]).toEqual([0, '']);
    const { check, bytes } = JSON.parse(stdout);
    expect(bytes).toBe(statSync(join(folder, 'dy.pt')).size);
    expect(check).toMatchObject({ images: 100, same: 100, accuracy: check.runAccuracy });
    expect(check.by).toBe("libtorch's TorchScript interpreter");
    expect(check.difference).toBeLessThan(1e-5);
    using program = await loadTorchScript<[Tensor, Record<string, Tensor>]>(join(folder, 'dy.pt'));
    const [logits, attentions] = program.runSync(zeros([3, 3, 128, 128]));
    expect(logits.shape).toEqual([3, 10]);
    const layers = ['features.8', 'features.11', 'features.14'];
    expect(Object.keys(attentions)).toEqual(layers.map((layer) => `${layer}.attention`));
    expect(JSON.parse(program.metadata.image_shape!)).toEqual([3, 28, 28]);
  });

  it('gives the attention of the layers in an ONNX file', () => {
    const { status, stdout, stderr } = command(
      'export',
      ...['--run', run, '--out', 'attention.onnx', '--attention', '--no-check'],
    );
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain(
      'image [batch, 3, 128, 128] -> logits [batch, 10], features.8.attention [batch, 2], ',
    );
  });

  const refused = (...options: string[]) => {
    const before = readdirSync(folder);
    const { status, stdout, stderr } = command('export', ...options);
    expect(stdout).toBe('');
    expect(readdirSync(folder)).toEqual(before);
    return { status, stderr };
  };

  it.each([
    ['--opset', '18', 'safetensors', 'onnx'],
    ['--precision', 'float16', 'torchscript', 'onnx or program'],
    ['--dynamic-size', '', 'safetensors', 'onnx or torchscript'],
    ['--attention', '', 'safetensors', 'onnx or torchscript'],
  ])('refuses %s %s for %s', (option, value, format, formats) => {
    const options = [option, value].filter((text) => text !== '');
    expect(refused('--run', run, '--format', format, '--out', 'x', ...options)).toEqual({
      status: 1,
      stderr: `error: Expected --format ${formats} with ${option} but received ${format}\n`,
    });
  });

  it.each([
    ['--check-images', '7'],
    ['--onnxruntime', '.'],
  ])('refuses %s with --no-check', (option, value) => {
    expect(refused('--run', run, '--out', 'x', '--no-check', option, value)).toEqual({
      status: 1,
      stderr: `error: Expected no ${option} with --no-check, which leaves the check out\n`,
    });
  });

  it('refuses a folder without onnxruntime-node, or with one that cannot be loaded, before the export', () => {
    const empty = mkdtempSync(join(tmpdir(), 'dyconv-no-onnxruntime-'));
    const broken = join(empty, 'node_modules', 'onnxruntime-node');
    const onnxruntime = ['--run', run, '--out', 'x.onnx', '--onnxruntime', empty];
    try {
      expect(refused(...onnxruntime)).toEqual({
        status: 1,
        stderr: `error: Expected a folder with onnxruntime-node for --onnxruntime but ${empty} has none: npm install onnxruntime-node\n`,
      });
      mkdirSync(broken, { recursive: true });
      writeFileSync(join(broken, 'index.js'), "require('./missing-binary.node');");
      expect(refused(...onnxruntime)).toEqual({
        status: 1,
        stderr: `error: Cannot load onnxruntime-node of ${empty}: Cannot find module './missing-binary.node'\n`,
      });
    } finally {
      rmSync(empty, { recursive: true });
    }
  });

  it('says how many images it used where the set has fewer than asked for', {
    timeout: limit(120_000),
  }, async () => {
    const names = Array.from({ length: 20 }, (_, i) => `${i % 2 === 0 ? 'cat' : 'dog'}/${i}.png`);
    await putPictures(join(folder, 'few'), names);
    const small = ['--model', 'alexnet-dy', '--epochs', '1', '--batch-size', '4', '--threads', '1'];
    const trained = ['--dataset', 'folder', '--data-dir', 'few', ...small, '--out', 'few-run'];
    expect(command('train', ...trained).status).toBe(0);
    const options = ['--run', 'few-run', '--format', 'program', '--precision', 'int8'];
    const many = ['--calibration', '50', '--check-images', '60'];
    const { stdout } = command('export', ...options, ...many, '--out', 'few.dyc');
    expect(stdout).toContain(', with all 16 training images instead of 50\n');
    expect(stdout).toContain('\nchecked by loadProgram on all 4 test images instead of 60: accuracy ');
    const exact = ['--calibration', '16', '--check-images', '4', '--out', 'few-json.dyc', '--json'];
    const { calibrationImages, check } = JSON.parse(command('export', ...options, ...exact).stdout);
    expect([calibrationImages, check.images]).toEqual([16, 4]);
  });

  it('refuses a missing run, an unknown format and a missing folder', () => {
    const missing = refused('--run', 'nowhere', '--out', 'x');
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/^error: .*nowhere.*\n$/);
    const format = refused('--run', run, '--format', 'tflite', '--out', 'x');
    expect(format.stderr).toMatch(/^error: option '--format <name>' argument 'tflite' .*onnx.*torchscript/);
    const place = refused('--run', run, '--out', join('nowhere', 'x.onnx'));
    expect(place).toEqual({
      status: 1,
      stderr: `error: Cannot write ${join('nowhere', 'x.onnx')}: no such folder\n`,
    });
    expect(refused('--run', run, '--out', run).stderr).toBe(`error: Cannot write ${run}: it is a folder\n`);
  });

  it('keeps an existing file without --force, and one that it cannot replace', () => {
    writeFileSync(join(folder, 'kept.onnx'), 'before');
    expect(refused('--run', run, '--out', 'kept.onnx')).toEqual({
      status: 1,
      stderr:
        'error: Expected a file that does not exist for --out but received kept.onnx. Use --force to overwrite it.\n',
    });
    const opset = refused(...['--run', run, '--out', 'kept.onnx', '--opset', '99', '--no-check', '--force']);
    expect(opset.status).toBe(1);
    expect(opset.stderr).toMatch(/^error: Expected an integer from 13 to 22 for opset but received 99/);
    expect(readFileSync(join(folder, 'kept.onnx'), 'utf8')).toBe('before');
    const forced = command('export', '--run', run, '--out', 'kept.onnx', '--no-check', '--force');
    expect([forced.status, forced.stderr]).toEqual([0, '']);
    expect(statSync(join(folder, 'kept.onnx')).size).toBeGreaterThan(1e6);
  });
});
