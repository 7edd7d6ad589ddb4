import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PickleError, readPickle as readAny } from '../../lib/formats/pickle.js';
import { numpyBytes, PickledArray } from '../../lib/formats/pickle-numpy.js';
import { fakeBatch, PickleWriter, pickleBatch } from './fixtures.js';

const readPickle = (bytes: Uint8Array) => readAny(bytes, numpyBytes());

test('reads a batch as Python 2 wrote it', () => {
  const batch = fakeBatch(1, 1200);
  const read = readPickle(pickleBatch(batch)) as Map<string, unknown>;
  expect([...read.keys()]).toEqual(['data', 'labels', 'batch_label', 'filenames']);
  const data = read.get('data') as PickledArray;
  expect(data).toBeInstanceOf(PickledArray);
  expect(data.shape).toEqual([1200, 3072]);
  expect(Buffer.compare(data.data, batch.images)).toBe(0);
  expect(read.get('labels')).toEqual([...batch.labels]);
  expect(read.get('filenames')).toHaveLength(1200);
});

test('reads what Python 3 writes: text keys, encoded bytes, memoized frames', () => {
  // pickle.dumps({'é': (1, 2.5, True, None, -2)}, protocol=4)
  const protocol4 = Buffer.concat([
    Buffer.from([0x80, 4, 0x95, 30, 0, 0, 0, 0, 0, 0, 0, 0x7d, 0x94, 0x8c, 2, 0xc3, 0xa9, 0x94, 0x28]),
    Buffer.from([0x4b, 1, 0x47, 0x40, 4, 0, 0, 0, 0, 0, 0, 0x88, 0x4e, 0x4a, 0xfe, 0xff, 0xff, 0xff]),
    Buffer.from([0x74, 0x94, 0x73, 0x2e]),
  ]);
  expect(readPickle(protocol4)).toEqual(new Map([['é', [1, 2.5, true, null, -2]]]));
  // pickle.dumps(b'\x00\xff', protocol=2)
  const encoded = Buffer.concat([
    Buffer.from([0x80, 2]),
    Buffer.from('c_codecs\nencode\n'),
    Buffer.from([0x58, 3, 0, 0, 0, 0x00, 0xc3, 0xbf, 0x58, 6, 0, 0, 0]),
    Buffer.from('latin1'),
    Buffer.from([0x86, 0x52, 0x2e]),
  ]);
  expect(readPickle(encoded)).toEqual(new Uint8Array([0, 255]));
});

test('reads what protocol 5 writes: numpy on a buffer', () => {
  const golden = new URL('../golden/values/protocol5.pkl', import.meta.url);
  const read = readPickle(readFileSync(golden)) as Map<string, unknown>;
  const data = read.get('data') as PickledArray;
  expect(data.shape).toEqual([2, 3]);
  expect([...data.data]).toEqual([0, 1, 2, 3, 4, 5]);
  expect(read.get('labels')).toEqual([1, 2]);
});

test('refuses every callable that is not data', () => {
  const call = (name: string) => new PickleWriter().text(name).bytes('echo').raw(0x85, 0x52).end();
  for (const name of ['cos\nsystem\n', 'cposix\nsystem\n', 'cbuiltins\neval\n', 'cnumpy\nload\n']) {
    expect(() => readPickle(call(name))).toThrow(PickleError);
    expect(() => readPickle(call(name))).toThrow(/which is not data/);
  }
  // The allowed opcodes work.
  expect(() => readPickle(call('cnumpy\nndarray\n'))).toThrow(/call that is not allowed/);
  expect(() => readPickle(call('c_codecs\nencode\n'))).toThrow(/call that is not allowed/);
  expect(() => readPickle(new PickleWriter().text('cnumpy\nndarray\n').end())).toThrow(PickleError);
});

test('refuses object construction, persistent ids, extensions and unknown opcodes', () => {
  // OBJ, INST, NEWOBJ, PERSID, BINPERSID, EXT1, and a byte that is no opcode
  for (const opcode of [0x6f, 0x69, 0x81, 0x50, 0x51, 0x82, 0xff]) {
    const hostile = new PickleWriter().raw(0x28).int(1).raw(opcode).end();
    expect(() => readPickle(hostile)).toThrow(/opcode 0x[0-9a-f]{2} at byte 5 is not allowed/);
  }
});

test('refuses arrays that are not row-major bytes of their shape', () => {
  const array = (shape: number[], options?: object) =>
    new PickleWriter().array(new Uint8Array(6), shape, options).end();
  expect((readPickle(array([2, 3])) as PickledArray).shape).toEqual([2, 3]);
  expect(() => readPickle(array([2, 4]))).toThrow('an array of shape [2, 4] has 6 bytes');
  expect(() => readPickle(array([2, 3], { dtype: 'f4' }))).toThrow(/array of bytes/);
  expect(() => readPickle(array([2, 3], { fortran: true }))).toThrow(/row-major/);
});

test('a truncated pickle is an error wherever it is cut', () => {
  const whole = pickleBatch(fakeBatch(2, 1));
  const cuts = [0, 1, 2, 3, 5, 30, 100, 200, whole.length - 40, whole.length - 1];
  for (const cut of cuts) expect(() => readPickle(whole.subarray(0, cut))).toThrow(PickleError);
});

test('malformed stacks are errors', () => {
  const writer = () => new PickleWriter();
  expect(() => readPickle(writer().end())).toThrow(/stack is empty/);
  expect(() => readPickle(writer().int(1).int(2).end())).toThrow(/does not end with one value/);
  expect(() => readPickle(writer().raw(0x28).end())).toThrow(PickleError);
  expect(() => readPickle(writer().raw(0x5d, 0x65).end())).toThrow(/mark is missing/);
  expect(() => readPickle(writer().int(1).int(2).raw(0x61).end())).toThrow(/not a list/);
  expect(() => readPickle(writer().raw(0x7d, 0x28).int(1).int(2).raw(0x75).end())).toThrow(PickleError);
  expect(() => readPickle(writer().raw(0x7d, 0x28).bytes('key').raw(0x75).end())).toThrow(/key without/);
  expect(() => readPickle(writer().raw(0x68, 7).end())).toThrow(/does not exist/);
  expect(() => readPickle(Buffer.from([0x80, 6, 0x4e, 0x2e]))).toThrow(/protocol/);
});

test('a key named __proto__ is a key', () => {
  const writer = new PickleWriter();
  const read = readPickle(writer.dict({ ['__proto__']: () => writer.int(1) }).end()) as Map<string, unknown>;
  expect(read.size).toBeLessThanOrEqual(1);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});
