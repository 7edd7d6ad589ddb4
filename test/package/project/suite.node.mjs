import assert from 'node:assert/strict';
import test from 'node:test';
import { tensor } from 'dyconv';

test('adds', () => assert.deepEqual(tensor([1, 2]).add(1).arraySync(), [2, 3]));
