/**
 * A program for `exactOptionalPropertyTypes`: it passes `undefined` for everything optional, in every exported
 * type and in every options argument of the package's functions, constructors and methods. The list comes from
 * the compiled declarations, so new options are included.
 */
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));
const INDEX = `${root}dist/index.d.ts`;
const CONSUMER = `${root}dist/consumer.ts`;

const COMPILER_OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.Node16,
  moduleResolution: ts.ModuleResolutionKind.Node16,
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
};

const HEAD = `import type * as dyconv from './index.js';
type OptionalKeys<T> = { [K in keyof T]-?: {} extends Pick<T, K> ? (string extends K ? never : K) : never }[Exclude<keyof T, 'toString'>];
type WithUndefined<T> = T extends object
  ? [OptionalKeys<T>] extends [never] ? T : Omit<T, OptionalKeys<T>> & { [K in OptionalKeys<T>]: undefined }
  : never;
type Options<T> = Extract<T, object>;
export interface Control { given?: number }
`;

/** A type of the package with optional properties, and the code that uses it. */
type Name = string;

/** Lists every type of the package that callers may create without some properties. */
export function optionalTypes(): Name[] {
  const program = ts.createProgram([INDEX], COMPILER_OPTIONS);
  const checker = program.getTypeChecker();
  const found = new Set<Name>();
  const seen = new Set<ts.Symbol>();

  const addType = (type: ts.Type, name: Name, depth = 0) => {
    const parts = type.isUnion() ? type.types : [type];
    const objects = parts.filter((part) => isPlainObject(checker, part));
    const properties = objects.flatMap((part) => checker.getPropertiesOfType(part));
    if (properties.some((property) => property.flags & ts.SymbolFlags.Optional)) found.add(name);
    if (objects.length !== 1 || depth === 2) return;
    for (const property of properties)
      addType(
        checker.getTypeOfSymbol(property),
        `Options<${name}>[${JSON.stringify(property.name)}]`,
        depth + 1,
      );
  };
  const addCalls = (signatures: readonly ts.Signature[], name: Name, isNew = false) => {
    const overloads = signatures.map((_, i) => `${isNew ? 'new ' : ''}(...args: infer A${i}): unknown`);
    // Only this form supports abstract classes, and only the other one overloads.
    const isSingle = isNew && signatures.length === 1;
    const pattern = isSingle ? 'abstract new (...args: infer A0) => unknown' : `{ ${overloads.join('; ')} }`;
    signatures.forEach((signature, i) => {
      signature.getParameters().forEach((parameter, at) => {
        const type = checker.getTypeOfSymbol(parameter);
        addType(type, `(${name} extends ${pattern} ? A${i} : never)[${at}]`);
      });
    });
  };
  const addMembers = (type: ts.Type, name: Name) => {
    for (const member of checker.getPropertiesOfType(type)) {
      const { valueDeclaration: declaration } = member;
      if (!declaration?.getSourceFile().fileName.startsWith(`${root}dist/`)) continue;
      const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
      if (ts.getCombinedModifierFlags(declaration) & hidden || member.name.startsWith('__')) continue;
      if (member.name === 'prototype') continue;
      addCalls(
        checker.getTypeOfSymbol(member).getCallSignatures(),
        `${name}[${JSON.stringify(member.name)}]`,
      );
    }
  };
  const visit = (symbol: ts.Symbol, name: Name) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    if (seen.has(target)) return;
    seen.add(target);
    if (target.flags & ts.SymbolFlags.ValueModule) {
      for (const member of checker.getExportsOfModule(target)) visit(member, `${name}.${member.name}`);
      return;
    }
    if (target.flags & ts.SymbolFlags.Value) {
      const type = checker.getTypeOfSymbol(target);
      addCalls(type.getCallSignatures(), `typeof ${name}`);
      addCalls(type.getConstructSignatures(), `typeof ${name}`, true);
      addMembers(type, `(typeof ${name})`);
    }
    if (target.flags & ts.SymbolFlags.Type && !needsArguments(target)) {
      const type = checker.getDeclaredTypeOfSymbol(target);
      if (target.flags & ts.SymbolFlags.Class) addMembers(type, name);
      else addType(type, name);
    }
  };
  const index = checker.getSymbolAtLocation(program.getSourceFile(INDEX)!)!;
  for (const symbol of checker.getExportsOfModule(index)) visit(symbol, `dyconv.${symbol.name}`);
  return [...found];
}

/** Objects that callers write: no classes, arrays or functions, and none of the types of the language. */
function isPlainObject(checker: ts.TypeChecker, type: ts.Type): boolean {
  if (
    !(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) ||
    type.getCallSignatures().length > 0
  )
    return false;
  if (checker.isArrayLikeType(type) || type.isClass()) return false;
  const [declaration] = type.symbol?.declarations ?? [];
  if (declaration && ts.isClassDeclaration(declaration)) return false;
  return checker
    .getPropertiesOfType(type)
    .some((property) => property.declarations?.[0]?.getSourceFile().fileName.startsWith(`${root}dist/`));
}

/** Whether a type has parameters without a default, which a caller would have to specify. */
function needsArguments({ declarations = [] }: ts.Symbol): boolean {
  return declarations.some((declaration) =>
    ((declaration as ts.InterfaceDeclaration).typeParameters ?? []).some((parameter) => !parameter.default),
  );
}

/** The names among `types` that reject `undefined`, each with the compiler's message. */
export function refusals(types: readonly Name[]): string[] {
  const lines = types.map((name, i) => `export const f${i} = (x: WithUndefined<${name}>): ${name} => x;`);
  const source = HEAD + lines.join('\n');
  const host = ts.createCompilerHost(COMPILER_OPTIONS);
  const { fileExists, getSourceFile, readFile } = host;
  host.fileExists = (path) => path === CONSUMER || fileExists(path);
  host.readFile = (path) => (path === CONSUMER ? source : readFile(path));
  host.getSourceFile = (path, target, ...rest) =>
    path === CONSUMER ? ts.createSourceFile(path, source, target) : getSourceFile(path, target, ...rest);
  const program = ts.createProgram([CONSUMER], COMPILER_OPTIONS, host);
  const first = HEAD.split('\n').length - 1;
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n');
    if (file?.fileName !== CONSUMER) return text;
    return `${types[file.getLineAndCharacterOfPosition(start).line - first]}: ${text}`;
  });
}
