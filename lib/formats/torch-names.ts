/**
 * Names of Python classes and functions in files of PyTorch. None is executed: a name becomes a description, and a call of it an
 * object of an unknown class. Names that only a malicious file has are rejected, to report it.
 * @module
 */
import { Special } from './pickle-values.js';

/** A class or function of the pickle. */
export class Name extends Special {
  readonly kind = 'name';
  constructor(readonly path: string) {
    super();
  }
}

/** Maximum length of the path of a name. */
export const MAX_PATH = 1000;

/** Modules for access to the system. */
const SYSTEM = /^(os|posix|nt|sys|subprocess|socket|shutil|runpy|importlib|ctypes|pty|torch\.hub)(\.|$)/;

/** Functions of `builtins` that run code, read files or change other objects. */
const CODE = new Set([
  '__import__',
  'breakpoint',
  'compile',
  'delattr',
  'eval',
  'exec',
  'execfile',
  'exit',
  'file',
  'globals',
  'help',
  'input',
  'locals',
  'open',
  'quit',
  'raw_input',
  'reload',
  'setattr',
  'vars',
]);

/** Names of Python 2, which protocol 2 also uses in Python 3. */
const MODULES: Readonly<Record<string, string>> = {
  __builtin__: 'builtins',
  exceptions: 'builtins',
  copy_reg: 'copyreg',
};
const BUILTINS: Readonly<Record<string, string>> = { long: 'int', unicode: 'str', xrange: 'range' };

/** The name, with its path in Python 3; undefined if it is rejected. */
export function findName(module: string, name: string): Name | undefined {
  const from = Object.hasOwn(MODULES, module) ? MODULES[module]! : module;
  if (SYSTEM.test(from)) return undefined;
  // Functions such as torch.load; classes and dtypes of torch have other names.
  if (from === 'torch' && /^(load|save|compile|hub|jit|ops|classes)\b/.test(name)) return undefined;
  if (from !== 'builtins') return new Name(`${from}.${name}`);
  if (CODE.has(name.split('.')[0]!)) return undefined;
  return new Name(
    `builtins.${module === '__builtin__' && Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : name}`,
  );
}
