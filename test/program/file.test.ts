import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../lib/formats/safetensors.js';
import {
  ArgumentError,
  CheckpointError,
  DyconvError,
  DynamicConv2d,
  functional as F,
  loadProgram,
  loadSafetensors,
  models,
  nn,
  ones,
  randn,
  saveSafetensors,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-program-'));
afterAll(() => rm(folder, { recursive: true }));
const file = (name: string) => join(folder, name);

describe('files of programs', () => {
  it('hold steps and weights', async () => {
    const model = models.create('alexnet-dy', { numClasses: 10 }).eval();
    const program = nn.compile(model, zeros([1, 3, 128, 128]));
    await program.save(file('net.dyc'), { metadata: { classes: '["a"]' } });
    const loaded = await loadProgram(file('net.dyc'));
    expect(loaded.metadata).toEqual({ classes: '["a"]' });
    expect(loaded.toString()).toBe(program.toString());
    const x = randn([3, 3, 128, 128]);
    expect(loaded.runSync(x).arraySync()).toEqual(program.runSync(x).arraySync());
    expect(Object.keys(await loadSafetensors(file('net.dyc')))).toEqual(
      expect.arrayContaining(Object.keys(model.stateDict())),
    );
    // Its weights are its own.
    loaded.loadStateDict(
      Object.fromEntries(
        Object.entries(loaded.stateDict()).map(([key, t]) => [
          key,
          key.startsWith('classifier.6') ? t.mul(0) : t,
        ]),
      ),
    );
    expect(Number(loaded.runSync(x).abs().sum().item())).toBe(0);
    expect(Number(program.runSync(x).abs().sum().item())).toBeGreaterThan(0);
    await loaded.save(file('again.dyc'));
    expect((await loadProgram(file('again.dyc'))).metadata).toEqual({ classes: '["a"]' });
  });

  it.each([
    ['a string', 'an object with strings for metadata'],
    [3, 'an object with strings for metadata'],
    [null, 'an object with strings for metadata'],
    [['a'], 'an object with strings for metadata'],
    [{ epoch: 3 }, "a string for metadata['epoch'] but received 3 (number)"],
    [{ format: 'x' }, 'other keys than format'],
  ])('refuse metadata that are not strings: %s', async (metadata, message) => {
    const program = nn.compile((x: Tensor) => x.neg(), zeros([1]));
    const saved = program.save(file('bad-metadata.dyc'), { metadata: metadata as never });
    await expect(saved).rejects.toThrow(ArgumentError);
    await expect(saved).rejects.toThrow(`Expected ${message}`);
    await expect(program.save(file('bad-metadata.dyc'), null as never)).rejects.toThrow('for options');
  });

  it('hold constants, numbers of every kind, and several outputs', async () => {
    const constant = tensor([1.5, 2.5]);
    const forward = (x: Tensor) => ({
      a: x.mul(constant).clamp({ min: Number.NEGATIVE_INFINITY, max: 1e30 }),
      n: x.shape[0]!,
      b: [x.add(0.1).nanToNum(), x.sum()],
    });
    const program = nn.compile(forward, zeros([1, 2]));
    await program.save(file('values.dyc'));
    const loaded = await loadProgram<ReturnType<typeof forward>>(file('values.dyc'));
    const x = tensor([
      [1, Number.NaN],
      [3, -4],
    ]);
    const [expected, received] = [forward(x), loaded.runSync(x)];
    expect(received.n).toBe(2);
    expect(received.a.arraySync()).toEqual(expected.a.arraySync());
    expect(received.b[0]!.arraySync()).toEqual(expected.b[0]!.arraySync());
  });

  it('remember bfloat16', async () => {
    const program = nn.compile(new nn.Linear(4, 3).eval(), zeros([1, 4]), { dtype: 'bfloat16' });
    await program.save(file('bf16.dyc'));
    const loaded = await loadProgram(file('bf16.dyc'));
    const x = randn([2, 4]);
    expect(loaded.runSync(x).arraySync()).toEqual(program.runSync(x).arraySync());
  });
});

describe('damaged and hostile files', () => {
  it('are CheckpointErrors', async () => {
    const program = nn.compile((x: Tensor) => x.mul(ones([2])).relu(), zeros([1, 2]));
    await program.save(file('good.dyc'));
    const { tensors, metadata } = await readSafetensors(file('good.dyc'));
    const graph = JSON.parse(metadata.program!);
    const write = async (change: Record<string, string>) => {
      await saveSafetensors(file('bad.dyc'), tensors, { metadata: { ...metadata, ...change } });
      return loadProgram(file('bad.dyc')).then(
        () => 'loaded',
        (error: unknown) => {
          expect(error).toBeInstanceOf(CheckpointError);
          return (error as Error).message;
        },
      );
    };
    expect(await write({})).toBe('loaded');
    expect(await write({ format: 'x' })).toContain('is not a program');
    expect(await write({ version: '2' })).toContain('is a program of version 2');
    expect(await write({ program: '{' })).toContain('is damaged: its program are not JSON');
    expect(await write({ settings: '{}' })).toContain('settings are not those of a program');
    expect(await write({ tensors: '["other"]' })).toContain('tensors that its steps use are missing');
    expect(await write({ program: '{}' })).toContain("a field 'dynamicBatch' is missing");
    const changed = (change: (copy: typeof graph) => void) => {
      const copy = structuredClone(graph);
      change(copy);
      return write({ program: JSON.stringify(copy) });
    };
    expect(
      await changed((g) => {
        g.steps[0].operation = 'mapFile';
      }),
    ).toContain("received 'mapFile'");
    expect(
      await changed((g) => {
        g.steps[0].operation = '__proto__';
      }),
    ).toContain("received '__proto__'");
    expect(
      await changed((g) => {
        g.steps.reverse();
      }),
    ).toContain('Expected a slot that has a value');
    expect(
      await changed((g) => {
        g.steps[0].arguments = [];
      }),
    ).toContain('arguments for');
    expect(
      await changed((g) => {
        g.steps[0].arguments[0] = { slot: 99 };
      }),
    ).toContain('Expected a slot from 0 to');
    expect(
      await changed((g) => {
        g.steps[0].arguments[0] = { slot: -1 };
      }),
    ).toContain('Expected a slot from 0 to');
    expect(
      await changed((g) => {
        g.steps[0].arguments[0] = 'text';
      }),
    ).toContain('is damaged');
    expect(
      await changed((g) => {
        g.steps[0].results = [0, 0];
      }),
    ).toContain('Expected a new slot');
    expect(
      await changed((g) => {
        g.inputs = [g.inputs[0], g.inputs[0]];
      }),
    ).toContain('Expected a new input');
    expect(
      await changed((g) => {
        g.output = { slot: 1e9 };
      }),
    ).toContain('Expected a slot from 0 to');
    expect(
      await changed((g) => {
        g.slots[0].device = 'nonsense';
      }),
    ).toContain('is damaged');
    let nested: unknown = 1;
    for (let i = 0; i < 20; i++) nested = [nested];
    expect(
      await changed((g) => {
        g.output = nested;
      }),
    ).toContain('nested at most');
  });

  it('refuse windows that no convolution has, when they are run', async () => {
    const x = zeros([2, 4, 8, 8]);
    const kinds = {
      conv2d: [new nn.Conv2d(4, 8, 3, { padding: 1 }), 3],
      dynamicConv2d: [new DynamicConv2d(4, 8, 3, { padding: 1 }), 4],
      convTranspose2d: [new nn.ConvTranspose2d(4, 8, 3), 3],
      maxPool2d: [new nn.MaxPool2d(3), 2],
      avgPool2d: [new nn.AvgPool2d(3), 2],
    } as const;
    for (const [operation, [layer, stride]] of Object.entries(kinds)) {
      await nn.compile(layer.eval(), x).save(file('windows.dyc'));
      const { tensors, metadata } = await readSafetensors(file('windows.dyc'));
      const run = async (argument: number, value: unknown) => {
        const graph = JSON.parse(metadata.program!);
        graph.steps.find((step: { operation: string }) => step.operation === operation).arguments[argument] =
          value;
        await saveSafetensors(file('bad.dyc'), tensors, {
          metadata: { ...metadata, program: JSON.stringify(graph) },
        });
        return (await loadProgram(file('bad.dyc'))).runSync(x);
      };
      for (const value of [
        [1, 0],
        [0, 1],
        [-(2 ** 31) - 1, 1],
        [1, { batch: [-1, 0] }],
      ])
        await expect(run(stride, value), `${operation} ${JSON.stringify(value)}`).rejects.toThrow(
          DyconvError,
        );
      await expect(run(stride + 1, [0, -1])).rejects.toThrow(DyconvError);
    }
  });

  it('refuse steps with another number of arguments, whatever the passes make of them', async () => {
    const model = new nn.Sequential(
      new nn.Conv2d(4, 8, 3, { padding: 1 }),
      new nn.MaxPool2d(3),
      new nn.Conv2d(8, 8, 1),
    );
    await nn.compile(model.eval(), zeros([2, 4, 8, 8])).save(file('few.dyc'));
    const { tensors, metadata } = await readSafetensors(file('few.dyc'));
    const graph = JSON.parse(metadata.program!);
    for (const step of graph.steps) {
      const { arguments: given } = step;
      for (const count of [0, 1, 3, given.length - 1]) {
        step.arguments = given.slice(0, Math.min(count, given.length - 1));
        await saveSafetensors(file('bad.dyc'), tensors, {
          metadata: { ...metadata, program: JSON.stringify(graph) },
        });
        await expect(loadProgram(file('bad.dyc'))).rejects.toThrow(`arguments for ${step.operation}(`);
      }
      step.arguments = given;
    }
  });

  it('refuse operations of passes, which trust what was packed', async () => {
    const program = nn.compile(new nn.Linear(64, 64).eval(), zeros([1, 64]));
    await program.save(file('fused.dyc'));
    const { tensors, metadata } = await readSafetensors(file('fused.dyc'));
    const graph = JSON.parse(metadata.program!);
    const [step] = graph.steps;
    for (const [operation, args] of [
      ['fusedLinear', [step.arguments[0], [64, 64], 'none', null, step.arguments[2], step.arguments[2]]],
      ['packConv', [step.arguments[1]]],
      ['quantize', [step.arguments[0], [{ number: '0.1' }, 0]]],
    ]) {
      graph.steps[0] = { ...step, operation, arguments: args };
      await saveSafetensors(file('bad.dyc'), tensors, {
        metadata: { ...metadata, program: JSON.stringify(graph) },
      });
      await expect(loadProgram(file('bad.dyc'))).rejects.toThrow(
        `Expected an operation of programs but received '${operation}'`,
      );
    }
  });

  it('load at once, whatever the sizes of the input', async () => {
    await nn.compile(new nn.Conv2d(4, 8, 3).eval(), zeros([1, 4, 8, 8])).save(file('size.dyc'));
    const { tensors, metadata } = await readSafetensors(file('size.dyc'));
    for (const width of [2 ** 31 - 1, 2 ** 53 - 1]) {
      const graph = JSON.parse(metadata.program!);
      graph.slots[graph.inputs[0]].sizes[3] = width;
      await saveSafetensors(file('bad.dyc'), tensors, {
        metadata: { ...metadata, program: JSON.stringify(graph) },
      });
      const program = await loadProgram(file('bad.dyc'));
      expect(() => program.runSync(zeros([1, 4, 8, 8]))).toThrow(`Expected [B, 4, 8, ${width}] for input`);
    }
  });

  it('whose tensors have other sizes than the layers', async () => {
    const dynamic = new DynamicConv2d(8, 32, 3, { padding: 1, numExperts: 4 }).eval();
    const cases: [nn.Module, number[], string, number[]][] = [
      [new nn.Conv2d(4, 8, 3).eval(), [1, 4, 8, 8], 'weight', []],
      [new nn.Conv2d(4, 8, 3).eval(), [1, 4, 8, 8], 'weight', [8, 4]],
      [new nn.Conv2d(4, 8, 3).eval(), [1, 4, 8, 8], 'bias', [1]],
      [new nn.Linear(16, 8).eval(), [1, 16], 'weight', [2, 16]],
      [new nn.Linear(16, 8).eval(), [1, 16], 'bias', [3]],
      [dynamic, [1, 8, 9, 9], 'weight', []],
      [dynamic, [1, 8, 9, 9], 'weight', [4, 32]],
      [dynamic, [1, 8, 9, 9], 'bias', [1]],
      [dynamic, [1, 8, 9, 9], 'bias', [4, 1]],
    ];
    for (const [module, shape, key, sizes] of cases) {
      await nn.compile(module, zeros(shape)).save(file('sizes.dyc'));
      const { tensors, metadata } = await readSafetensors(file('sizes.dyc'));
      const changed = { ...tensors, [key]: ones(sizes) };
      await saveSafetensors(file('bad.dyc'), changed, { metadata });
      const run = async () => (await loadProgram(file('bad.dyc'))).runSync(ones(shape));
      await expect(run(), `${key} ${sizes}`).rejects.toThrow(DyconvError);
    }
  });

  it('whose computed weights have other sizes than the file says', async () => {
    class Positive extends nn.Module {
      readonly weight = new nn.Parameter(ones([1, 1]));
      forward(x: Tensor): Tensor {
        return F.linear(x, this.weight.relu());
      }
    }
    await nn.compile(new Positive().eval(), zeros([1, 1])).save(file('computed.dyc'));
    const { tensors, metadata } = await readSafetensors(file('computed.dyc'));
    const graph = JSON.parse(metadata.program!);
    const relu = graph.steps.find(({ operation }: { operation: string }) => operation === 'relu');
    graph.slots[relu.results[0]].sizes = [4096, 4096];
    graph.slots[graph.inputs[0]].sizes[1] = 4096;
    await saveSafetensors(file('bad.dyc'), tensors, {
      metadata: { ...metadata, program: JSON.stringify(graph) },
    });
    const run = async () => (await loadProgram(file('bad.dyc'))).runSync(ones([2, 4096]));
    await expect(run()).rejects.toThrow(DyconvError);
  });

  it('with a dropout that gives nothing', async () => {
    await nn.compile(new nn.ReLU().eval(), zeros([1, 4])).save(file('dropout.dyc'));
    const { tensors, metadata } = await readSafetensors(file('dropout.dyc'));
    const graph = JSON.parse(metadata.program!);
    const [step] = graph.steps;
    for (const results of [[null], [], [null, ...step.results]]) {
      graph.steps[0] = {
        ...step,
        operation: 'dropout',
        arguments: [step.arguments[0], { number: '0.5' }, false],
        results,
      };
      await saveSafetensors(file('bad.dyc'), tensors, {
        metadata: { ...metadata, program: JSON.stringify(graph) },
      });
      const run = async () => (await loadProgram(file('bad.dyc'))).runSync(ones([2, 4]));
      await expect(run(), JSON.stringify(results)).rejects.toThrow(DyconvError);
    }
  });

  it('a truncated file, another file, no file', async () => {
    const bytes = readFileSync(file('good.dyc'));
    writeFileSync(file('short.dyc'), bytes.subarray(0, bytes.length - 4));
    await expect(loadProgram(file('short.dyc'))).rejects.toThrow(CheckpointError);
    await saveSafetensors(file('weights.safetensors'), { a: ones([2]) });
    await expect(loadProgram(file('weights.safetensors'))).rejects.toThrow('is not a program');
    await expect(loadProgram(file('none.dyc'))).rejects.toThrow('no such file');
  });
});
