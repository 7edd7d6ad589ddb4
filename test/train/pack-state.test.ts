import { describe, expect, it } from 'vitest';
import { ArgumentError, CheckpointError } from '../../lib/errors.js';
import { tensor } from '../../lib/tensor/create.js';
import { packState, unpackState } from '../../lib/train/pack-state.js';

describe('packState', () => {
  it('takes tensors out and puts them back where they were', () => {
    const [a, b] = [tensor([1, 2]), tensor([3])];
    const state = {
      list: [a, { deep: b }],
      number: 1.5,
      none: null,
      text: 'x',
      yes: true,
      nothing: undefined,
    };
    const packed = packState(state);
    expect(Object.keys(packed.tensors)).toEqual(['list.0', 'list.1.deep']);
    const restored = unpackState(packed, 'file') as typeof state;
    expect(restored.list[0]).toBe(a);
    expect((restored.list[1] as { deep: unknown }).deep).toBe(b);
    expect(restored).toMatchObject({ number: 1.5, none: null, text: 'x', yes: true });
  });

  it('keeps tensors apart whose paths read the same', () => {
    const [a, b] = [tensor([1]), tensor([2])];
    const restored = unpackState(packState({ 'x.y': a, x: { y: b } }), 'file') as Record<string, unknown>;
    expect(restored['x.y']).toBe(a);
    expect((restored.x as Record<string, unknown>).y).toBe(b);
  });

  it('keeps numbers that JSON lacks', () => {
    const state = { low: -Infinity, high: Infinity };
    expect(unpackState(packState(state), 'file')).toEqual(state);
    const list = { values: [Number.NaN] };
    expect(unpackState(packState(list), 'file')).toEqual(list);
  });

  it('refuses what it could not restore', () => {
    expect(() => packState({ deep: { call: () => 1 } })).toThrow(ArgumentError);
    expect(() => packState({ deep: new Map() })).toThrow(/plain data or tensors for deep but received Map/);
  });

  it('names a missing tensor and damaged JSON', () => {
    const { json } = packState({ buffer: tensor([1]) });
    expect(() => unpackState({ json, tensors: {} }, 'last.state')).toThrow(CheckpointError);
    expect(() => unpackState({ json, tensors: {} }, 'last.state')).toThrow(
      /last.state lacks the tensor "buffer"/,
    );
    expect(() => unpackState({ json: '{', tensors: {} }, 'last.state')).toThrow(CheckpointError);
  });
});
