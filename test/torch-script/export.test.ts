/** What exportTorchScript writes, what the file refuses, and errors. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  DynamicConv2d,
  type ExportTorchScriptOptions,
  exportTorchScript,
  linalg,
  loadProgram,
  loadTorchScript,
  nn,
  ones,
  randn,
  ShapeError,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { hasModule, python, runPython } from '../support/python.js';
import { deviation } from '../support/values.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-export-script-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);
const hasTorch = hasModule('torch');

class Small extends nn.Module<[Tensor], Tensor> {
  conv = new nn.Sequential(new nn.Conv2d(3, 4, 3, { padding: 1, bias: false }), new nn.BatchNorm2d(4));
  fc = new nn.Linear(4, 2);

  forward(x: Tensor): Tensor {
    return this.fc.forward(
      this.conv
        .forward(x)
        .relu()
        .mean({ dim: [2, 3] }),
    );
  }
}

class Experts extends nn.Module<[Tensor], Tensor> {
  first = new DynamicConv2d(3, 4, 3, { numExperts: 3 });
  second = new DynamicConv2d(4, 2, 1, { numExperts: 2 });

  forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x)).mean({ dim: [2, 3] });
  }
}

const image = () => ones([1, 3, 6, 6]);

describe('exportTorchScript', () => {
  it('writes plain operations of libtorch, and tensors under their keys', async () => {
    const { source, inputs, tensors, bytes, file } = await exportTorchScript(
      new Small().eval(),
      image(),
      path('small.pt'),
      { inputNames: ['image'] },
    );
    expect([inputs, tensors, file]).toEqual([['image'], 7, path('small.pt')]);
    expect(bytes).toBe(statSync(file).size);
    expect(source.replace(/_\d+/g, '_')).toBe(
      `def forward(self, image: Tensor):
  assert torch.size(image)[1:] == [3, 6, 6], "Expected shape [batch, 3, 6, 6] for image but received {}".format(torch.size(image))
  _batch = torch.size(image, 0)
  _ = torch.conv2d(image, getattr(self.conv, "0").weight, None, [1, 1], [1, 1], [1, 1], 1)
  _ = torch.batch_norm(_, getattr(self.conv, "1").weight, getattr(self.conv, "1").bias, getattr(self.conv, "1").running_mean, getattr(self.conv, "1").running_var, False, 0.1, 0.00001, False)
  _ = torch.relu(_)
  _ = torch.mean(_, [2, 3], False, dtype=None)
  _ = torch.linear(_, self.fc.weight, self.fc.bias)
  return _
`,
    );
    using program = await loadTorchScript(file);
    expect(program.signature).toBe('Small.forward(image: Tensor) -> Tensor');
    expect(Object.keys(program.stateDict()).sort()).toEqual([
      ...['conv.0.weight', 'conv.1.bias', 'conv.1.running_mean', 'conv.1.running_var', 'conv.1.weight'],
      ...['fc.bias', 'fc.weight'],
    ]);
  });

  it('refuses inputs of other shapes than those that were recorded', async () => {
    await exportTorchScript(new Small().eval(), image(), path('fixed.pt'));
    using program = await loadTorchScript(path('fixed.pt'));
    expect(program.runSync(zeros([5, 3, 6, 6])).shape).toEqual([5, 2]);
    for (const shape of [
      [1, 3, 6, 7],
      [1, 4, 6, 6],
      [3, 6, 6],
    ])
      expect(() => program.runSync(zeros(shape))).toThrow(
        `Expected shape [batch, 3, 6, 6] for input but received [${shape.join(', ')}]`,
      );
    await exportTorchScript(new Small().eval(), image(), path('one.pt'), { dynamicBatch: false });
    using one = await loadTorchScript(path('one.pt'));
    expect(() => one.runSync(zeros([2, 3, 6, 6]))).toThrow('Expected shape [1, 3, 6, 6] for input');
    await exportTorchScript(new Small().eval(), image(), path('free.pt'), { dynamicSize: true });
    using free = await loadTorchScript(path('free.pt'));
    expect(free.runSync(zeros([2, 3, 9, 5])).shape).toEqual([2, 2]);
    expect(() => free.runSync(zeros([2, 4, 9, 5]))).toThrow('Expected shape [batch, 3, height, width]');
  });

  it('refuses inputs of different batch sizes', async () => {
    const network = (a: Tensor, b: Tensor) => a.add(b.reshape([b.shape[0]!, -1]));
    await exportTorchScript(network, [ones([2, 3]), ones([2, 3])], path('two.pt'));
    using program = await loadTorchScript(path('two.pt'));
    expect(program.inputs.map(({ name }) => name)).toEqual(['input_0', 'input_1']);
    expect(program.runSync([ones([4, 3]), ones([4, 3])]).shape).toEqual([4, 3]);
    expect(() => program.runSync([ones([4, 3]), ones([1, 3])])).toThrow(
      'Expected shape [batch, 3] for input_1',
    );
  });

  it('gives the attention of dynamic convolutions beside the output', async () => {
    const network = new Experts().eval();
    const x = randn([3, 3, 6, 6]);
    await exportTorchScript(network, x, path('attention.pt'), { attention: true });
    using program = await loadTorchScript<[Tensor, Record<string, Tensor>]>(path('attention.pt'));
    const [output, attentions] = program.runSync(x);
    expect(deviation(output, network.forward(x))).toBeLessThan(1e-5);
    expect(Object.keys(attentions)).toEqual(['first.attention', 'second.attention']);
    expect(deviation(attentions['first.attention']!, network.first.attention(x))).toBeLessThan(1e-5);
    await expect(
      exportTorchScript(new Small().eval(), image(), path('none.pt'), { attention: true }),
    ).rejects.toThrow('Expected a network with dynamic convolutions for attention');
  });

  it('gives arrays as tuples and objects as dictionaries', async () => {
    const network = (x: Tensor) => [x.add(1), { a: [x.mul(2), 3, 'text'], b: [x, 4, 'more'] }, null];
    await exportTorchScript(network, ones([2, 3]), path('nested.pt'));
    using program = await loadTorchScript<[Tensor, Record<string, [Tensor, number, string]>, null]>(
      path('nested.pt'),
    );
    expect(program.signature).toContain('-> Tuple[Tensor, Dict[str, Tuple[Tensor, int, str]], NoneType]');
    const [sum, { a, b }, nothing] = program.runSync(ones([1, 3]));
    expect(sum.arraySync()).toEqual([[2, 2, 2]]);
    expect([a![0].arraySync(), a![1], a![2], b![1], nothing]).toEqual([[[2, 2, 2]], 3, 'text', 4, null]);
    await expect(
      exportTorchScript((x: Tensor) => ({ logits: x, parts: [x, x] }), ones([2, 3]), path('mixed.pt')),
    ).rejects.toThrow(
      'Expected an object with values of one type as an output, which is a dictionary in TorchScript, but received Tensor and Tuple[Tensor, Tensor]',
    );
  });

  it('stores no more of a tensor than its elements', async () => {
    const shared = randn([1000, 100]);
    const weight = shared.narrow(0, 0, 3);
    const { bytes } = await exportTorchScript((x: Tensor) => x.matmul(weight), ones([2, 3]), path('view.pt'));
    expect(bytes).toBeLessThan(20_000);
  });

  it('writes programs, with the metadata that they have', async () => {
    using compiled = nn.compile(new Experts().eval(), image());
    await compiled.save(path('net.dyconv'), { metadata: { classes: '["a", "b"]' } });
    using program = await loadProgram(path('net.dyconv'));
    const { bytes } = await exportTorchScript(program, image(), path('program.pt'));
    expect(statSync(path('program.pt')).size).toBe(bytes);
    using script = await loadTorchScript(path('program.pt'));
    expect(script.metadata).toEqual({ classes: '["a", "b"]' });
    const x = randn([2, 3, 6, 6]);
    expect(deviation(script.runSync(x), program.runSync(x))).toBeLessThan(1e-5);
  });

  it.skipIf(!hasTorch)(
    `is a module that PyTorch freezes, trains and prints (needs torch in ${python})`,
    async () => {
      await exportTorchScript(new Experts().eval(), image(), path('python.pt'), { metadata: { a: 'b' } });
      const printed = runPython(
        `
import json, sys, torch
extra = {'metadata.json': ''}
module = torch.jit.load(sys.argv[1], _extra_files=extra)
x = torch.rand(4, 3, 6, 6)
expected = module(x)
expected.sum().backward()
frozen = torch.jit.freeze(module)
print(json.dumps([
    json.loads(extra['metadata.json']),
    [name for name, p in module.named_parameters() if p.grad is None],
    float((torch.jit.optimize_for_inference(frozen)(x) - expected).abs().max()) < 1e-5,
    module.training, len(module.state_dict()),
]))
`,
        path('python.pt'),
      );
      expect(JSON.parse(printed)).toEqual([{ a: 'b' }, [], true, false, expect.any(Number)]);
    },
  );
});

class Inverse extends nn.Module<[Tensor], Tensor> {
  forward(x: Tensor): Tensor {
    return linalg.inv(x);
  }
}

describe('exportTorchScript: errors', () => {
  const save = (options: object, file = path('refused.pt')) =>
    exportTorchScript(new Small().eval(), image(), file, options as ExportTorchScriptOptions);

  it('names the layer of what it has no form of', async () => {
    const network = new nn.Sequential(new nn.Linear(3, 3), new Inverse()).eval();
    await expect(exportTorchScript(network, randn([2, 3, 3]), path('refused.pt'))).rejects.toThrow(
      /^Expected a network that TorchScript can express but inv\(\) of 1 \(Inverse\) has no equivalent in TorchScript$/,
    );
  });

  it('names a line that depends on the size of images', async () => {
    const network = (x: Tensor) => x.reshape([-1, 3, x.shape[2]! * x.shape[3]!]);
    await expect(
      exportTorchScript(network, image(), path('refused.pt'), { dynamicSize: true }),
    ).rejects.toThrow(
      /^Expected a network that works for all sizes of images for dynamicSize but the line `_\d+ = torch\.reshape\(input, \[-1, 3, 36\]\)` differs between 6x6 and 38x70$/,
    );
    using constant = ones([6]);
    const added = (x: Tensor) => x.mean({ dim: 2 }).add(x.shape[3] === 6 ? constant : 0);
    await expect(
      exportTorchScript(added, image(), path('refused.pt'), { dynamicSize: true }),
    ).rejects.toThrow(ArgumentError);
  });

  it.each([
    [{ inputNames: ['a', 'b'] }, 'Expected 1 name for inputNames but received 2'],
    [
      { inputNames: ['class'] },
      "Expected the name of a variable in Python for inputNames[0] but received 'class'",
    ],
    [{ inputNames: ['_batch'] }, 'Expected the name of a variable in Python for inputNames[0]'],
    [{ inputNames: 'image' }, 'Expected an array of strings for inputNames'],
    [{ dynamicBatch: 1 }, 'Expected a boolean for dynamicBatch'],
    [{ attention: 'yes' }, 'Expected a boolean for attention'],
    [{ metadata: { a: 1 } }, "Expected a string for metadata['a']"],
    [{ opset: 17 }, 'opset'],
  ])('%j', async (options, message) => {
    const error = await save(options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toContain(message);
    expect(existsSync(path('refused.pt'))).toBe(false);
  });

  it('says how it is called when the example is missing', async () => {
    const call = exportTorchScript as (...args: unknown[]) => Promise<unknown>;
    await expect(call(new Small().eval(), 'net.pt')).rejects.toThrow(
      "for example but received 'net.pt' (string): call exportTorchScript(network, example, file), also for a program",
    );
  });

  it('refuses a module in training mode, and an example of another shape than a program has', async () => {
    await expect(exportTorchScript(new Small(), image(), path('refused.pt'))).rejects.toThrow('call eval()');
    using program = nn.compile(new Small().eval(), image());
    await expect(exportTorchScript(program, ones([1, 3, 7, 7]), path('refused.pt'))).rejects.toThrow(
      ShapeError,
    );
    await expect(
      exportTorchScript(program, image(), path('refused.pt'), { dynamicSize: true }),
    ).rejects.toThrow('Expected a module for dynamicSize');
  });

  it('leaves an existing file as it was, and nothing beside it', async () => {
    const before = readdirSync(folder);
    for (const [file, message] of [
      [join(folder, 'missing', 'x.pt'), 'no such folder'],
      [folder, 'it is a folder'],
      ...(existsSync('/dev/full') ? ([['/dev/full', 'the disk is full']] as const) : []),
    ] as const) {
      const error = await save({}, file).catch((reason: unknown) => reason);
      expect(error, file).toBeInstanceOf(CheckpointError);
      expect((error as Error).message).toContain(message);
    }
    writeFileSync(path('kept.pt'), 'before');
    await expect(save({ attention: true }, path('kept.pt'))).rejects.toThrow(ArgumentError);
    expect(readFileSync(path('kept.pt'), 'utf8')).toBe('before');
    expect(readdirSync(folder).sort()).toEqual([...before, 'kept.pt'].sort());
  });
});
