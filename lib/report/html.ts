/**
 * HTML and SVG from templates. Every value is escaped when it is put in, so a name of a run or a class cannot become markup.
 *
 * Our own rather than a package: hono/html, the best kept one, comes with a whole web framework (3.8 MB), gives promises
 * where a value may be one, and takes any object with `isEscaped: true` for markup, which a record read from JSON could be.
 * @module
 */

/** Markup: the result of {@link html}. */
export class Markup {
  readonly #text: string;

  /** @param text - Not escaped: only for text that this package itself creates. */
  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** Values in a template. Lists are joined; null, undefined and false are left out. */
export type Content = Markup | string | number | null | undefined | false | readonly Content[];

/**
 * A template tag: `` html`<b title="${name}">${name}</b>` ``. Attributes must be quoted.
 * @returns Markup, which is inserted unescaped into other templates.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(String.raw({ raw: strings }, ...values.map(markupOf)));
}

function markupOf(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (content instanceof Markup) return content.toString();
  if (Array.isArray(content)) return content.map(markupOf).join('');
  return escaped(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML, XML and their attributes. Characters that XML cannot hold are dropped. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters XML forbids
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
      .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
  );
}
