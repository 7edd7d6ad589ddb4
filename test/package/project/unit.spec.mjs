import { tensor } from 'dyconv';
import { expect, test } from 'vitest';

test('multiplies', () => expect(tensor([1, 2]).mul(3).arraySync()).toEqual([3, 6]));
