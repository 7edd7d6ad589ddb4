import { describe, expect, it } from 'vitest';
import { html, Markup } from '../../lib/report/html.js';

const HOSTILE = `<script>"&'</script>`;

describe('html', () => {
  it('escapes every value, in text and in attributes', () => {
    const escaped = '&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;';
    expect(String(html`<b title="${HOSTILE}">${HOSTILE}</b>`)).toBe(`<b title="${escaped}">${escaped}</b>`);
  });

  it('takes its own results as they are, in lists too', () => {
    const items = ['a<', 'b'].map((text) => html`<li>${text}</li>`);
    expect(String(html`<ul>${items}${[[html`<hr>`]]}</ul>`)).toBe('<ul><li>a&lt;</li><li>b</li><hr></ul>');
  });

  it('leaves out what is not there, and writes numbers', () => {
    expect(String(html`[${null}${undefined}${false}${''}${0}${-1.5}${Number.NaN}]`)).toBe('[0-1.5NaN]');
  });

  it('escapes what only looks like markup', () => {
    // A string as JSON could contain it, and that hono/html would not escape.
    const forged = Object.assign([HOSTILE], { isEscaped: true, toString: () => HOSTILE });
    expect(String(html`${forged}`)).not.toContain('<');
    const object = { isEscaped: true, toString: () => HOSTILE } as unknown as string;
    expect(String(html`${object}`)).not.toContain('<');
  });

  it('drops characters that XML cannot hold, and keeps all others', () => {
    expect(String(html`${'a\u0000b\u001b\ufffec\n\t\u00e9\u{1f600}'}`)).toBe('abc\n\t\u00e9\u{1f600}');
  });

  it('accepts trusted text if it is marked as such', () => {
    expect(String(html`<style>${new Markup('a>b{}')}</style>`)).toBe('<style>a>b{}</style>');
  });

  it('keeps backslashes of a template and of values', () => {
    expect(String(html`\\n${'\\u0041'}`)).toBe('\\n\\u0041');
  });
});
