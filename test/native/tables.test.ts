import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { native } from '../../lib/native/index.js';

/** Functions by name: the family, which is the name of the file, and the names of the parameters. */
type Signatures = Record<string, { family: string; parameters: string[] }>;

const familyOf = (file: string) => basename(file, extname(file)).replaceAll('_', '-');

/** The signatures in the add-on's sources: strings such as "add(input, other, alpha)", possibly broken over lines. */
function bound(): Signatures {
  const folder = new URL('../../cpp/bindings/', import.meta.url);
  const found: Signatures = {};
  for (const file of readdirSync(folder)) {
    const text = readFileSync(new URL(file, folder), 'utf8');
    for (const [literals] of text.matchAll(/"[^"\n]*"(?:\s*"[^"\n]*")*/g)) {
      const whole = literals.replace(/"\s*"/g, '').slice(1, -1);
      const [, name, parameters] = /^(\w+)\(([\w, ]*)\)$/.exec(whole) ?? [];
      if (name !== undefined)
        found[name] = { family: familyOf(file), parameters: parameters!.split(', ').filter(Boolean) };
    }
  }
  return found;
}

/** The members of the interface Native, by the compiler, with aliases such as Unary resolved. */
function declared(): Signatures {
  const path = fileURLToPath(new URL('../../lib/native/index.ts', import.meta.url));
  const program = ts.createProgram([path], {
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    strict: true,
    types: ['node'],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path)!;
  const table = source.statements.find(
    (one): one is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(one) && one.name.text === 'Native',
  )!;
  const members = checker.getTypeAtLocation(table).getProperties();
  return Object.fromEntries(
    members.map((member) => {
      const [signature] = checker.getTypeOfSymbolAtLocation(member, table).getCallSignatures();
      const family = familyOf(member.declarations![0]!.getSourceFile().fileName);
      return [member.name, { family, parameters: signature!.parameters.map(({ name }) => name) }];
    }),
  );
}

/** Parameters whose names in C++ are reserved words of JavaScript. */
const RESERVED: Record<string, string> = { var: 'variance' };

describe('the tables of lib/native and cpp/bindings', () => {
  const [here, there] = [declared(), bound()];

  it('have the functions that the add-on exports', () => {
    expect(Object.keys(here).sort()).toEqual(Object.keys(native).sort());
    expect(Object.keys(native).filter((name) => there[name] === undefined)).toEqual([]);
  });

  it.each(Object.keys(here))(
    '%s is in the same family, with the same parameters in the same order',
    (name) => {
      const { family, parameters } = there[name]!;
      expect(here[name]).toEqual({
        family,
        parameters: parameters.map((parameter) => RESERVED[parameter] ?? parameter),
      });
    },
  );
});
