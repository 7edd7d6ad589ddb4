import { expect, it } from 'vitest';

/** A call with bad input, and the error it has to be answered with; `message` is a part of the error's. */
export type Refusal = [
  name: string,
  call: () => unknown,
  error: new (message: string) => Error,
  message: string,
];

/** One test a refusal: both the class and the message have to be right. */
export function itRefuses(refusals: readonly Refusal[]): void {
  it.each(refusals)('refuses %s', (_, call, error, message) => {
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  });
}
