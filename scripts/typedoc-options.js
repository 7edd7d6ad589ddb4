/**
 * A plug-in of TypeDoc. A destructured parameter has no name in the code: here it is always the options. And what is
 * documented elsewhere needs no comment: a setter whose getter has one, a member of an anonymous type
 * (`{ values, indices }`) whose function or property has one.
 * @module
 */
import { Converter, DeclarationReflection, ReflectionKind } from 'typedoc';

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_PARAMETER, (_context, parameter) => {
    if (parameter.name === '__namedParameters') parameter.name = 'options';
  });
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    const explained = Object.values(project.reflections)
      .filter(isExplainedElsewhere)
      .map((reflection) => reflection.getFriendlyFullName());
    app.options.setValue('intentionallyNotDocumented', [...new Set(explained)]);
  });
}

const MEMBERS = ReflectionKind.Property | ReflectionKind.CallSignature;

/** @param {import('typedoc').Reflection} reflection */
function isExplainedElsewhere(reflection) {
  if (reflection.hasComment() || reflection.parent?.hasComment()) return false;
  if (reflection.kindOf(ReflectionKind.SetSignature)) {
    const { parent } = reflection;
    return parent instanceof DeclarationReflection && parent.getSignature?.hasComment() === true;
  }
  if (!reflection.kindOf(MEMBERS) || reflection.name === '__type') return false;
  if (!isOfAnonymousType(reflection.parent)) return false;
  // What belongs to a parameter is not asked for a comment in the first place.
  for (let owner = reflection.parent; owner; owner = owner.parent) {
    if (owner.kindOf(ReflectionKind.Parameter)) return false;
  }
  return true;
}

/** @param {import('typedoc').Reflection | undefined} reflection */
function isOfAnonymousType(reflection) {
  if (reflection?.kindOf(ReflectionKind.Method)) return isOfAnonymousType(reflection.parent);
  return reflection?.kindOf(ReflectionKind.TypeLiteral) === true;
}
