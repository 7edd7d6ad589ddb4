import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { isGradEnabled, memory, nn, noGrad, type Tensor, tidy, zeros } from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';

const count = () => memory().numTensors;
const fails = (): never => {
  throw new Error('on purpose');
};

beforeEach(collectGarbage);

describe('what tidy is given back', () => {
  it('keeps tensors in sets, keys, objects of classes and modules', () => {
    class Pair {
      readonly first = zeros([1]);
      readonly second = { deep: [zeros([1])] };
    }
    const before = count();
    const bare = Object.assign(Object.create(null), { t: zeros([1]) }) as { t: Tensor };
    const result = tidy(() => {
      zeros([1]).add(1);
      return {
        set: new Set([zeros([1])]),
        keys: new Map([[zeros([1]), 1]]),
        pair: new Pair(),
        bare: Object.assign(Object.create(null), { t: zeros([1]) }) as typeof bare,
        module: new nn.Sequential(new nn.Linear(2, 2)),
      };
    });
    bare.t.dispose();
    expect(count()).toBe(before + 7);
    expect([...result.set][0]!.isDisposed).toBe(false);
    expect([...result.keys.keys()][0]!.isDisposed).toBe(false);
    expect(result.bare.t.isDisposed).toBe(false);
    expect([...result.module.parameters()].map((parameter) => parameter.isDisposed)).toEqual([false, false]);
  });

  it('ends with any result: getters, traps, chains, sparse and huge arrays', () => {
    const before = count();
    const returned: (() => unknown)[] = [
      () => ({
        get x(): never {
          return fails();
        },
      }),
      () => new Proxy({}, { ownKeys: fails, getOwnPropertyDescriptor: fails }),
      () => Object.defineProperty([1], 0, { get: fails, enumerable: true }),
      () => Object.assign([], { length: 2 ** 32 - 1 }),
      () => new Array(100_000).fill(1),
      () => new Float32Array(10),
      () => {
        let chain: object = { end: zeros([1]) };
        for (let i = 0; i < 100_000; i++) chain = { chain };
        return chain;
      },
      () => Object.defineProperty({}, 'then', { get: fails }),
    ];
    const thrown = returned.map((give) => {
      try {
        tidy(() => {
          zeros([1]);
          return give();
        });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    });
    // Only accesses that JavaScript itself makes: an element, and whether the result is a promise.
    expect(thrown).toEqual(['', '', 'on purpose', '', '', '', '', 'on purpose']);
    collectGarbage();
    expect(count()).toBe(before);
    expect(isGradEnabled()).toBe(true);
  });

  it('counts a block once whose thenable calls back at once and again', async () => {
    const callBack = (resolve: (value: number) => void) => [1, 2, 3].forEach(resolve);
    const eager = Object.defineProperty({}, 'then', { value: callBack });
    const seen: boolean[] = [];
    const open = noGrad(async () => {
      await sleep(5);
      seen.push(isGradEnabled());
    });
    expect(await tidy(() => eager as unknown as Promise<number>)).toBe(1);
    expect(await noGrad(() => eager as unknown as Promise<number>)).toBe(1);
    await open;
    expect([...seen, isGradEnabled()]).toEqual([false, true]);
  });
});
