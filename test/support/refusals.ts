import { expect, it } from 'vitest';

/** A call with bad input, and the expected error; `message` is part of its message. */
export type Refusal = [
  name: string,
  call: () => unknown,
  error: new (message: string) => Error,
  message: string,
];

/** One test per row: both the class and the message must be right. */
export function itRefuses(refusals: readonly Refusal[]): void {
  it.each(refusals)('refuses %s', (_, call, error, message) => {
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  });
}
