/** Handles of programs for worker threads. */
import { expect, it } from 'vitest';
import { ArgumentError, DisposedError, nn, ones, zeros } from '../../lib/index.js';
import { runProcess } from '../support/program.js';

const made = () => nn.compile(new nn.Linear(3, 2).eval(), zeros([1, 3]));

it('a handle keeps its program until it is disposed', async () => {
  const { stdout, stderr } = await runProcess(`
      const { setFlagsFromString } = await import('node:v8');
      const { runInNewContext } = await import('node:vm');
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc');
      const handle = (() => dyconv.nn.compile(new dyconv.nn.Linear(3, 2).eval(), dyconv.zeros([1, 3])).share())();
      for (let i = 0; i < 3; i++) { gc(); await new Promise((r) => setTimeout(r, 20)); }
      const program = dyconv.nn.Program.fromHandle(handle);
      console.log((await program.run(dyconv.ones([4, 3]))).shape.join());`);
  expect([stdout, stderr]).toEqual(['4,2\n', '']);
});

it('both sides compute with the same program, each until it is disposed', async () => {
  const program = made();
  const other = nn.Program.fromHandle(program.share());
  const x = ones([2, 3]);
  const expected = program.runSync(x).arraySync();
  program.dispose();
  expect((await other.run(x)).arraySync()).toEqual(expected);
  other.dispose();
});

it('a handle of a disposed program, of another process, or with wrong fields is an error', () => {
  const program = made();
  const handle = program.share();
  const settings = { dtype: 'x', optimize: true } as never;
  expect(() => nn.Program.fromHandle({ ...handle, settings })).toThrow(
    'Expected the settings of a handle made by share() for handle.settings',
  );
  expect(() => nn.Program.fromHandle({ ...handle, id: 1.5 })).toThrow('for handle.id but received 1.5');
  expect(() => nn.Program.fromHandle({ ...handle, metadata: { a: 1 } as never })).toThrow(ArgumentError);
  expect(() => nn.Program.fromHandle({ ...handle, process: handle.process + 1 })).toThrow(DisposedError);
  expect(() => nn.Program.fromHandle({ ...handle, id: 1e9 })).toThrow(DisposedError);
  program.dispose();
  expect(() => nn.Program.fromHandle(handle)).toThrow(DisposedError);
});
