/** The page in Chromium, where the machine has one. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportOnnx, nn, zeros } from 'dyconv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectedAnswer, picture, trainRun } from './support/run.js';
import { build, dropOn, folder, hasChromium, launch, open, serve, skipped } from './support/site.js';

/** @import { Browser } from 'playwright-core' */

/** Screenshots, to look at. */
const artefacts = join(folder, 'build', 'test-artefacts');

/** The largest difference of two lists. @param {number[]} a @param {number[]} b */
const difference = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - Number(b[i]))));

describe.skipIf(!hasChromium)(`the page${skipped}`, () => {
  /** @type {Awaited<ReturnType<typeof trainRun>>} */
  let run;
  /** @type {string} */
  let site;
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {Browser} */
  let browser;
  /** The page, for all tests: opening it takes seconds. @type {Awaited<ReturnType<typeof open>>} */
  let opened;

  beforeAll(async () => {
    await mkdir(artefacts, { recursive: true });
    site = await mkdtemp(join(tmpdir(), 'dyconv-site-'));
    run = await trainRun();
    await build('--run', run.path, '--out', site);
    [server, browser] = await Promise.all([serve(site), launch()]);
    opened = await open(browser, server.url);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await run?.remove();
    await rm(site, { recursive: true });
  });

  // Decoders of JPEG differ, and sharp lets those of JPEG and WebP scale.
  it.each([
    { format: 'png', width: 300, height: 200, tolerance: 1e-4 },
    { format: 'png', width: 28, height: 28, tolerance: 1e-4 },
    { format: 'webp', width: 28, height: 28, tolerance: 1e-4 },
    { format: 'webp', width: 50, height: 41, tolerance: 2e-2 },
    { format: 'jpeg', width: 50, height: 41, tolerance: 2e-2 },
    { format: 'jpeg', width: 300, height: 200, tolerance: 5e-2 },
  ])(
    'gives the answer and the attentions of dyconv for a $format, $width x $height',
    async ({ format, width, height, tolerance }) => {
      const bytes = await picture(/** @type {'png'} */ (format), { width, height });
      const expected = await expectedAnswer(run.path, bytes);
      await opened.drop(`a.${format}`, `image/${format}`, bytes);
      const { classes, layers, shares } = await opened.answer();
      for (const { name, value } of classes) {
        const { probability } = expected.classes.find((one) => one.name === name) ?? { probability: -1 };
        expect(Math.abs(value - probability)).toBeLessThan(tolerance);
      }
      const order = classes.map(({ value }) => value);
      expect(order).toHaveLength(5);
      expect(order).toEqual(order.toSorted((a, b) => b - a));
      expect(layers).toEqual(['features.8', 'features.11', 'features.14']);
      expect(layers).toEqual(expected.attention.map(({ layer }) => layer));
      for (const [i, rows] of shares.entries()) {
        const values = rows.map(({ value }) => value);
        expect(rows.map(({ name }) => name)).toEqual(['1', '2']);
        expect(difference(values, expected.attention[i]?.shares ?? [])).toBeLessThan(tolerance);
      }
      for (const { value, text, width } of [...classes, ...shares.flat()]) {
        expect(text).toBe(`${(100 * value).toFixed(1)} %`);
        expect(width).toBe(`${Number.parseFloat(text)}%`);
      }
      expect(opened.complaints).toEqual([]);
    },
  );

  it.each(/** @type {const} */ (['dark', 'light']))('says what it found, %s', async (colorScheme) => {
    const { page, complaints, drop, answer } = opened;
    await page.emulateMedia({ colorScheme });
    await drop('waves.png', 'image/png', await picture('png', { width: 320, height: 200 }));
    const { classes } = await answer();
    expect(await page.textContent('#status')).toBe(`Most probable: ${classes[0]?.name}`);
    expect(await page.textContent('#note')).toMatch(/^alexnet-dy, \d+ ms$/);
    expect(await page.getAttribute('#preview', 'alt')).toBe('waves.png');
    await page.waitForTimeout(400); // the bars have grown
    await page.screenshot({ path: join(artefacts, `browser-${colorScheme}.png`), fullPage: true });
    expect(complaints).toEqual([]);
  });

  it('fits a telephone, and takes files by the keyboard', async () => {
    const { page, answer } = opened;
    await page.setViewportSize({ width: 360, height: 900 });
    // Before the keys: the browser has to be told that no dialog is wanted, which takes a moment.
    const chosen = page.waitForEvent('filechooser');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('file');
    await page.keyboard.press('Enter');
    const buffer = await picture('png', { width: 40, height: 30, channels: 4 });
    await (await chosen).setFiles({ name: 'clear.png', mimeType: 'image/png', buffer });
    await page.waitForSelector('#preview[alt="clear.png"]');
    const { classes } = await answer();
    const expected = await expectedAnswer(run.path, buffer);
    // Transparency on black; the rounding differs.
    expect(classes[0]?.value).toBeCloseTo(Number(expected.classes[0]?.probability), 1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await page.screenshot({ path: join(artefacts, 'browser-telephone.png'), fullPage: true });
  });

  it('shows the answer to the last of several images', async () => {
    const { page, drop, answer } = opened;
    const last = await picture('png', { width: 50, height: 50 });
    await drop('first.png', 'image/png', await picture('png', { width: 500, height: 400 }));
    await drop('second.png', 'image/png', last);
    const { classes } = await answer();
    const expected = await expectedAnswer(run.path, last);
    expect(classes[0]?.value).toBeCloseTo(Number(expected.classes[0]?.probability), 4);
    expect(await page.getAttribute('#preview', 'alt')).toBe('second.png');
  });

  it('says in a sentence what is wrong with an image, and goes on with the next', async () => {
    const { page, drop, answer } = opened;
    const status = () => page.textContent('#status.error', { timeout: 30_000 });
    const sentence =
      'Expected an image that the browser can read but received a damaged file or another format';
    const whole = await picture('png', { width: 60, height: 40 });
    await drop('note.txt', 'text/plain', Buffer.from('hello'));
    expect(await status()).toBe(sentence);
    expect(await page.isVisible('#result')).toBe(false);
    await drop('', '');
    expect(await status()).toBe('Expected an image file');
    await drop('half.png', 'image/png', whole.subarray(0, 30));
    await expect.poll(status).toBe(sentence);
    await drop('a.png', 'image/png', whole);
    expect((await answer()).classes).toHaveLength(5);
    expect(await page.$eval('#status', ({ className }) => className)).toBe('');
  });

  it('says in a sentence what is wrong with its model', async () => {
    const file = join(site, 'other.onnx');
    /** @param {Record<string, string>} [metadata] */
    const exported = async (metadata = {}) => {
      await exportOnnx(new nn.Conv2d(3, 2, 8).eval(), zeros([1, 3, 8, 8]), file, { metadata });
      return readFile(file);
    };
    const damaged = 'Expected an ONNX model but model.onnx is damaged or is another file';
    /** @type {[status: number, body: Buffer, text: string][]} */
    const cases = [
      [404, Buffer.alloc(0), 'Expected the model but the server answered 404'],
      [200, Buffer.from('<html>'), damaged],
      [200, (await exported()).subarray(0, 900), damaged],
      [
        200,
        await exported(),
        'Expected model, classes, image_shape, resize, mean, std in the metadata of the model',
      ],
      [200, await exported({ mean: 'half' }), 'Expected JSON for mean in the metadata of the model'],
    ];
    const page = await browser.newPage();
    for (const [status, body, text] of cases) {
      await page.unrouteAll();
      await page.route('**/model.onnx', (route) => route.fulfill({ status, body }));
      await page.goto(server.url);
      expect(await page.textContent('#status.error', { timeout: 30_000 })).toBe(text);
      await dropOn(page, 'a.png', 'image/png', await picture('png', { width: 20, height: 20 }));
      await expect.poll(() => page.textContent('#status.error')).toBe(text);
      expect(await page.isVisible('#result')).toBe(false);
    }
    await page.close();
  });
});

describe('build.js', () => {
  it('makes a page of random weights, over one that is there', async () => {
    const out = await mkdtemp(join(tmpdir(), 'dyconv-site-'));
    await writeFile(join(out, 'page.js'), 'old');
    expect(await build('--out', out)).toMatch(/: the page and model\.onnx \(\d+\.\d MB\)\n$/);
    expect(await readFile(join(out, 'page.js'), 'utf8')).not.toBe('old');
    expect(await readFile(join(out, 'index.html'), 'utf8')).toContain('Content-Security-Policy');
    await rm(out, { recursive: true });
  });

  it('says in a line what is wrong', async () => {
    const failure = (/** @type {string[]} */ ...args) =>
      build(...args).catch(({ code, stderr }) => ({ code, stderr }));
    expect(await failure('--run', folder)).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^error: .*config\.json.*\n$/),
    });
    expect(await failure('--rum', 'x')).toEqual({
      code: 1,
      stderr: "error: unknown option '--rum'\n(Did you mean --run?)\n",
    });
    expect(await failure('--checkpoint', 'last')).toEqual({
      code: 1,
      stderr: 'error: --checkpoint needs --run, whose checkpoint it names\n',
    });
    expect(await failure('page')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: .+\n$/) });
  });
});
