import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DisposedError,
  enableGrad,
  inferenceMode,
  isGradEnabled,
  keep,
  memory,
  NativeError,
  noGrad,
  ones,
  type Tensor,
  tensor,
  tidy,
  untidy,
  zeros,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { root } from '../docs/pages.js';
import { temporaryFolder, writeTree } from '../install/support.js';
import { collectGarbage } from '../support/garbage.js';
import { limit } from '../support/limit.js';
import { itRefuses } from '../support/refusals.js';

const gone = () => {
  const made = zeros([1]);
  made.dispose();
  return made;
};
const count = () => memory().numTensors;
const fails = (): never => {
  throw new Error('on purpose');
};

beforeEach(collectGarbage);

itRefuses([
  ['tidy of no function', () => tidy(3 as never), ArgumentError, 'Expected a function for fn but received 3'],
  ['noGrad of no function', () => noGrad(zeros([1]) as never), ArgumentError, 'Expected a function for fn'],
  ['inferenceMode of nothing', () => inferenceMode(undefined as never), ArgumentError, 'received undefined'],
  [
    'keep of no Tensor',
    () => keep({} as never),
    ArgumentError,
    'Expected a Tensor for input of releaseFromScope',
  ],
  [
    'a result that was disposed inside',
    () => tidy(() => gone().add(1)),
    DisposedError,
    'Expected a live Tensor for input of add',
  ],
]);

describe('tidy', () => {
  it('disposes what was made in it and returns the rest', () => {
    const before = count();
    const made: Tensor[] = [];
    const result = tidy(() => {
      const a = ones([2]);
      const b = a.add(1);
      made.push(a, b);
      return b.mul(2);
    });
    expect(made.map((t) => t.isDisposed)).toEqual([true, true]);
    expect(result.arraySync()).toEqual([4, 4]);
    expect(count()).toBe(before + 1);
    result.dispose();
  });

  it('leaves tensors from outside alone', () => {
    const outside = ones([1]);
    tidy(() => void outside.add(1));
    expect(outside.isDisposed).toBe(false);
  });

  it('keeps tensors in arrays, objects and maps at any depth, cycles included', () => {
    const before = count();
    const result = tidy(() => {
      const cycle: { self?: unknown; t: Tensor } = { t: zeros([1]) };
      cycle.self = cycle;
      zeros([1]).add(1);
      return { list: [[zeros([1])]], map: new Map([['a', zeros([1])]]), cycle, n: 1, none: null };
    });
    expect(count()).toBe(before + 3);
    expect(result.list[0]![0]!.isDisposed).toBe(false);
    expect(result.map.get('a')!.isDisposed).toBe(false);
    expect(result.cycle.t.isDisposed).toBe(false);
  });

  it('passes what it returns to the block around it', () => {
    let inner: Tensor | undefined;
    tidy(() => {
      inner = tidy(() => zeros([1]).add(1));
      expect(inner.isDisposed).toBe(false);
    });
    expect(inner!.isDisposed).toBe(true);
  });

  it('disposes if the function throws, and works afterwards', () => {
    const before = count();
    expect(() =>
      tidy(() => {
        zeros([1]);
        tidy(() => {
          zeros([1]);
          fails();
        });
      }),
    ).toThrow('on purpose');
    expect(count()).toBe(before);
    using after = zeros([1]);
    expect(after.isDisposed).toBe(false);
  });

  it('allows tensors to be disposed in it, also with using', () => {
    const before = count();
    tidy(() => {
      using a = zeros([1]);
      a.add(1).dispose();
    });
    expect(count()).toBe(before);
  });

  it('releases kept tensors and those created in untidy', () => {
    const [kept, apart] = tidy(() => {
      const pair: Tensor[] = [keep(zeros([1])), untidy(() => zeros([1]))];
      return [() => pair[0]!, () => pair[1]!] as const;
    });
    expect(kept().isDisposed).toBe(false);
    expect(apart().isDisposed).toBe(false);
  });

  it('takes async functions', async () => {
    const before = count();
    const made: Tensor[] = [];
    const result = await tidy(async () => {
      const a = ones([2]);
      made.push(a);
      await sleep(1);
      const b = a.add(1);
      made.push(b);
      await b.data();
      expect(made.map((t) => t.isDisposed)).toEqual([false, false]);
      return { sum: b.sum() };
    });
    expect(made.map((t) => t.isDisposed)).toEqual([true, true]);
    expect(result.sum.item()).toBe(4);
    expect(count()).toBe(before + 1);
    result.sum.dispose();
  });

  it('disposes when an async function throws', async () => {
    const before = count();
    const failing = tidy(async () => {
      zeros([1]);
      await sleep(1);
      zeros([1]);
      fails();
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(count()).toBe(before);
  });

  it('does not mix concurrent blocks, nor those outside', async () => {
    const before = count();
    const request = (i: number) =>
      tidy(async () => {
        const parts: Tensor[] = [];
        for (let step = 0; step < 5; step++) {
          parts.push(tensor([i]));
          await sleep((i * 7 + step * 3) % 5);
          expect(parts.every((t) => !t.isDisposed)).toBe(true);
        }
        return parts.reduce((sum, t) => sum.add(t));
      });
    const requests = Array.from({ length: 8 }, (_, i) => request(i));
    const outside = zeros([1]);
    const sums = await Promise.all(requests);
    expect(sums.map((t) => t.item())).toEqual([0, 5, 10, 15, 20, 25, 30, 35]);
    expect(outside.isDisposed).toBe(false);
    expect(count()).toBe(before + 9);
  });

  it('nests async blocks', async () => {
    const before = count();
    await tidy(async () => {
      const inner = await tidy(async () => {
        await sleep(1);
        return zeros([1]).add(1);
      });
      await sleep(1);
      expect(inner.isDisposed).toBe(false);
      expect(count()).toBe(before + 1);
    });
    expect(count()).toBe(before);
  });
});

const leaf = tensor([1, 2], { requiresGrad: true });
const records = () => leaf.mul(2).requiresGrad;

describe('modes', () => {
  it('noGrad records nothing, enableGrad inside it does', () => {
    expect(records()).toBe(true);
    noGrad(() => {
      expect([isGradEnabled(), records()]).toEqual([false, false]);
      enableGrad(() => expect([isGradEnabled(), records()]).toEqual([true, true]));
      expect(records()).toBe(false);
    });
    expect([isGradEnabled(), records()]).toEqual([true, true]);
    expect(noGrad(() => 5)).toBe(5);
  });

  it('ends when the function throws', async () => {
    expect(() => noGrad(fails)).toThrow('on purpose');
    expect(records()).toBe(true);
    expect(() => inferenceMode(fails)).toThrow('on purpose');
    expect(native.isInferenceMode()).toBe(false);
    await expect(noGrad(async () => fails())).rejects.toThrow('on purpose');
    expect(records()).toBe(true);
  });

  it('inferenceMode makes tensors that can never take part in autograd', () => {
    const made = inferenceMode(() => {
      expect(native.isInferenceMode()).toBe(true);
      return ones([1]).add(leaf.index(0));
    });
    expect(native.isInferenceMode()).toBe(false);
    expect(made.requiresGrad).toBe(false);
    expect(() => made.requiresGrad_()).toThrow(NativeError);
  });

  it('noGrad holds across every await, and nowhere else', async () => {
    const inside: boolean[] = [];
    const outside: boolean[] = [];
    const block = noGrad(async () => {
      for (let i = 0; i < 5; i++) {
        inside.push(records());
        await (i % 2 === 0 ? sleep(2) : Promise.resolve());
        inside.push(records());
        await leaf.detach().data();
      }
    });
    for (let i = 0; i < 5; i++) {
      outside.push(records());
      await sleep(1);
    }
    await block;
    outside.push(records());
    expect(inside).toEqual(new Array(10).fill(false));
    expect(outside).toEqual(new Array(6).fill(true));
  });

  it('holds in promises, timers and callbacks that were started inside', async () => {
    const seen = await noGrad(async () => {
      const timer = new Promise<boolean>((resolve) => setTimeout(() => resolve(records()), 1));
      const immediate = new Promise<boolean>((resolve) => setImmediate(() => resolve(records())));
      const tick = new Promise<boolean>((resolve) => process.nextTick(() => resolve(records())));
      return Promise.all([timer, immediate, tick, Promise.resolve().then(records)]);
    });
    expect(seen).toEqual([false, false, false, false]);
    expect(records()).toBe(true);
  });

  it('does not outlive a block whose promise was started in another one', async () => {
    let pending: Promise<void> | undefined;
    noGrad(() => {
      pending = tidy(async () => {
        await sleep(1);
      });
    });
    expect(records()).toBe(true);
    await pending;
    expect(records()).toBe(true);
    await sleep(1);
    expect(records()).toBe(true);
  });

  it('ends with its block for callbacks that run later, whichever blocks are open then', async () => {
    const late = (): Promise<boolean> => {
      let seen: Promise<boolean> | undefined;
      noGrad(() => {
        seen = new Promise((resolve) => setTimeout(() => resolve(records()), 1));
      });
      return seen!;
    };
    expect(await late()).toBe(true);
    // The same while another, independent request has an open block.
    const other = noGrad(() => sleep(10));
    expect(await late()).toBe(true);
    // Inside a block that is still open, the mode of that block.
    expect(
      await noGrad(async () => {
        let seen: Promise<boolean> | undefined;
        enableGrad(() => {
          seen = new Promise((resolve) => setTimeout(() => resolve(records()), 1));
        });
        return seen;
      }),
    ).toBe(false);
    await other;
    let resolve: (value: boolean) => void = () => undefined;
    const left = new Promise<boolean>((done) => {
      resolve = done;
    });
    await noGrad(async () => {
      setTimeout(() => resolve(records()), 5);
    });
    expect(await left).toBe(true);
  });

  it('keeps concurrent requests of different modes apart', async () => {
    const run = async (wanted: boolean, delay: number) => {
      const seen: boolean[] = [];
      for (let i = 0; i < 6; i++) {
        seen.push(records() === wanted);
        await sleep(delay);
      }
      return seen.every(Boolean);
    };
    const results = await Promise.all([
      noGrad(() => run(false, 1)),
      run(true, 2),
      inferenceMode(() => run(false, 2)),
      enableGrad(() => run(true, 1)),
      tidy(() => run(true, 3)),
      noGrad(() => tidy(() => run(false, 2))),
    ]);
    expect(results).toEqual([true, true, true, true, true, true]);
    expect(records()).toBe(true);
  });
});

it('Bun and Deno, which have no working hooks, refuse asynchronous blocks', {
  timeout: limit(60_000),
}, () => {
  const folder = writeTree(temporaryFolder(), {
    'bun.cjs':
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, bun: '1.4.5' } });",
    'program.mjs': `
      import { isGradEnabled, noGrad } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)};
      const inside = noGrad(() => isGradEnabled());
      let error;
      try {
        noGrad(async () => { await null; throw new Error('of no one'); });
      } catch (caught) {
        error = caught;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      console.log(JSON.stringify({ inside, after: isGradEnabled(), name: error?.name, message: error?.message }));`,
  });
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--require', join(folder, 'bun.cjs'), join(folder, 'program.mjs')],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    ...{ inside: false, after: true, name: 'ArgumentError' },
    message: expect.stringMatching(/^Expected a function without await for fn .*: bun 1\.4\.5 has no hooks/),
  });
});

it('memory counts tensors and bytes', () => {
  const before = memory();
  const made = [zeros([1000]), zeros([10], { dtype: 'float64' }), zeros([0])];
  expect(memory()).toMatchObject({ numTensors: before.numTensors + 3, numBytes: before.numBytes + 4080 });
  for (const t of made) t.dispose();
  expect(memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
});
