import { expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { optionalTypes, refusals } from './undefined-options.js';

it('options may be undefined under exactOptionalPropertyTypes', { timeout: limit(120_000) }, () => {
  const types = optionalTypes();
  // One of each kind: a named type, a function, a constructor, a method, nested options.
  const kinds = [
    'dyconv.nn.ConvLayerOptions',
    '(typeof dyconv.functional.maxPool2d extends',
    '(typeof dyconv.optim.lr.StepLR extends',
    '(dyconv.Tensor["sum"] extends',
    'Options<dyconv.train.TrainerOptions>["clip"]',
  ];
  for (const kind of kinds)
    expect(
      types.some((name) => name.startsWith(kind)),
      kind,
    ).toBe(true);
  const found = refusals(['Control', ...types]);
  // The control is a property without `| undefined`, for which the compiler must report an error.
  expect(found[0]).toMatch(/^Control: .*'undefined' is not assignable to type 'number'/s);
  expect(found.slice(1)).toEqual([]);
});
