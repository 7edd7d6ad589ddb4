/**
 * Every public function, method and constructor that takes an object of options, read from the TypeScript
 * sources: its path, and the kinds of its arguments.
 */
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** A call that takes options. */
export interface OptionsCall {
  /** Names starting at the package's index, such as `['functional', 'conv2d']`. */
  path: string[];
  /** How it is called. */
  kind: 'function' | 'constructor' | 'method' | 'static';
  /** Kinds of the arguments before the options. */
  before: string[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Lists the calls. */
export function publicOptionsCalls(): OptionsCall[] {
  const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const index = `${root}lib/index.ts`;
  const program = ts.createProgram([index], options);
  const checker = program.getTypeChecker();
  const found: OptionsCall[] = [];
  const seen = new Set<ts.Symbol>();
  const members = new Set<ts.Declaration>();

  const add = (path: string[], kind: OptionsCall['kind'], signatures: readonly ts.Signature[]) => {
    for (const signature of signatures) {
      const parameters = signature.getParameters();
      const at = parameters.findIndex((parameter) => takesOptions(checker, parameter));
      if (at < 0) continue;
      const before = parameters.slice(0, at).map((parameter) => kindOf(checker, parameter));
      if (!found.some((call) => call.path.join() === path.join())) found.push({ path, kind, before });
    }
  };
  const visit = (symbol: ts.Symbol, path: string[]) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    if (target.flags & ts.SymbolFlags.ValueModule && !(target.flags & ts.SymbolFlags.Function)) {
      for (const member of checker.getExportsOfModule(target)) visit(member, [...path, member.name]);
      return;
    }
    if (!(target.flags & ts.SymbolFlags.Value) || seen.has(target)) return;
    seen.add(target);
    const declaration = target.valueDeclaration!;
    const type = checker.getTypeOfSymbolAtLocation(target, declaration);
    add(path, 'function', type.getCallSignatures());
    const isAbstract = (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Abstract) !== 0;
    if (!isAbstract && path.at(-1) !== 'Tensor') add(path, 'constructor', type.getConstructSignatures());
    if (target.flags & ts.SymbolFlags.Class) {
      for (const member of checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(target)))
        method(member, [...path, member.name], 'method');
    }
    // Objects with functions, such as cuda, and static methods.
    for (const member of checker.getPropertiesOfType(type)) method(member, [...path, member.name], 'static');
  };
  const method = (member: ts.Symbol, path: string[], kind: OptionsCall['kind']) => {
    const declaration = member.valueDeclaration;
    // Once for a class and its subclasses.
    if (!declaration || members.has(declaration)) return;
    members.add(declaration);
    if (declaration.getSourceFile().fileName.includes('node_modules')) return;
    if (ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected))
      return;
    if (ts.isPrivateIdentifier((declaration as ts.MethodDeclaration).name ?? declaration)) return;
    add(path, kind, checker.getTypeOfSymbolAtLocation(member, declaration).getCallSignatures());
  };
  for (const symbol of checker.getExportsOfModule(
    checker.getSymbolAtLocation(program.getSourceFile(index)!)!,
  ))
    visit(symbol, [symbol.name]);
  return found;
}

function typeOf(checker: ts.TypeChecker, parameter: ts.Symbol): ts.Type {
  return checker.getNonNullableType(
    checker.getTypeOfSymbolAtLocation(parameter, parameter.valueDeclaration!),
  );
}

const NAMES = /^(options|flags|description)$/;

function takesOptions(checker: ts.TypeChecker, parameter: ts.Symbol): boolean {
  const { symbol, aliasSymbol } = typeOf(checker, parameter);
  const type = aliasSymbol?.name ?? symbol?.name ?? '';
  // JavaScript's options of errors, and states, which have other keys too.
  if (/^ErrorOptions$|State$/.test(type)) return false;
  return NAMES.test(parameter.name) || /Options$/.test(type);
}

function kindOf(checker: ts.TypeChecker, parameter: ts.Symbol): string {
  const type = typeOf(checker, parameter);
  const text = checker.typeToString(type);
  if (parameter.valueDeclaration && (parameter.valueDeclaration as ts.ParameterDeclaration).dotDotDotToken)
    return `...${text}`;
  if (type.getCallSignatures().length > 0) return 'function';
  return text;
}
