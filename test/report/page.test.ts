import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Script } from 'node:vm';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/errors.js';
import { page } from '../../lib/report/page.js';
import { comparison } from '../../lib/report/table.js';
import { limit } from '../support/limit.js';
import { chromiumPath, launchChromium } from './support/chromium.js';
import { madeUpRun } from './support/made-up-runs.js';
import { removeFolders, temporaryFolder } from './support/run-folder.js';

const HOSTILE = '<script>window.broken = 1</script><img src=x onerror="window.broken = 2">';

/** An incompressible image, as large as a grid of photographs. */
function noise(): Promise<Buffer> {
  const grain = { type: 'gaussian' as const, mean: 128, sigma: 40 };
  return sharp({ create: { width: 2080, height: 1308, channels: 3, background: '#808080', noise: grain } })
    .png({ compressionLevel: 0 })
    .toBuffer();
}

async function pair() {
  const runs = [
    madeUpRun({ model: 'alexnet', ceiling: 0.89, epochs: 100, seed: 1 }),
    madeUpRun({ epochs: 100, seed: 2 }),
  ];
  for (const run of runs) [run.predictions, run.mistakes] = [await noise(), await noise()];
  return runs;
}

/** Without the scripts, whose bundle mentions namespaces. */
const markup = (html: string) => html.replace(/<script>[\s\S]*?<\/script>/g, '');

let html: string;
beforeAll(async () => {
  html = await page(await pair());
}, limit(60_000));

/** A static and a dynamic run of one epoch, with given validation accuracies over 2,000 images. */
function singles(first: number, second: number) {
  return [first, second].map((accuracy, i) => {
    const run = madeUpRun({
      model: i === 0 ? 'alexnet' : 'alexnet-dy',
      epochs: 1,
      config: { valImages: 2000 },
    });
    run.epochs[0]!.val = { loss: 1, accuracy };
    return run;
  });
}

describe('the page', () => {
  it('stays below 2 MB with two runs of 100 epochs and photographs', () => {
    expect(Buffer.byteLength(html)).toBeLessThan(2e6);
    expect(html.match(/src="data:image\/webp;base64,/g)).toHaveLength(4);
  });

  it('asks for nothing from outside', () => {
    const addresses =
      markup(html).match(/(src|href|action)\s*=\s*["']?[^"'\s>]+|url\([^)]*\)|@import/g) ?? [];
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(address).toMatch(/^(src="data:|href="#|url\(#)/);
    expect(html).toContain("default-src 'none'");
  });

  it('has classic scripts, which are compiled with the package', () => {
    const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text!);
    expect(scripts).toHaveLength(2);
    // A module would not parse: its `export` is an error in a classic script.
    for (const text of scripts) new Script(text);
    expect(scripts[1]).toContain('report-data');
  });

  it('has every section', () => {
    const headings = [...html.matchAll(/<h2>(.*?)</g)].map(([, text]) => text!.trim());
    expect(headings).toEqual([
      'Comparison',
      'Learning curves',
      'Step by step',
      'Experts: alexnet-dy',
      'Schedule',
      'Confusion matrix: alexnet',
      'Confusion matrix: alexnet-dy',
      'Predictions',
      'Surest mistakes',
      'Configuration',
      'Environment',
    ]);
    expect(html).toMatch(
      /alexnet-dy is \d\.\d\d points above alexnet at its best, with 10\.6 % more parameters/,
    );
    expect(html).toMatch(/<noscript><svg/);
  });

  it('has an interval from the number of images where a model has one run alone', () => {
    // 1.96 * sqrt(0.8 * 0.2 / 2000 + 0.81 * 0.19 / 2000) = 2.45 points
    expect(comparison(singles(0.8, 0.81)).findings[0]).toMatch(
      /^alexnet-dy is 1\.00 points above alexnet at its best, .* 95 % interval of the difference from the number of images \(2,000\): \u00b12\.46 points, so it may be chance\. Whether dynamic convolution helps cannot be told from one seed of a model\.$/,
    );
    expect(comparison(singles(0.8, 0.85)).findings[0]).toMatch(
      /\u00b12\.35 points; other seeds may differ by more\. Whether/,
    );
  });

  it('marks runs that are not finished, in sentence, table and card', async () => {
    const runs = singles(0.8, 0.81);
    runs[1]!.config.epochs = 100;
    const { rows, findings } = comparison(runs);
    expect(rows.map(({ finished }) => finished)).toEqual([true, false]);
    expect(findings[0]).toMatch(/alexnet-dy is not finished: 1 of 100 epochs\.$/);
    const text = String(comparison(runs));
    expect(text).toMatch(/ 1 of 100 /);
    expect(text).toMatch(/\nnot finished: alexnet-dy$/);
    expect(await page(runs)).toContain('not finished: 1 of 100 epochs');
    // Early stopping ends a run before its last epoch; it has been evaluated then.
    runs[1]!.config.earlyStopping = { patience: 3, minDelta: 0 };
    expect(comparison(runs).rows[1]!.finished).toBe(true);
  });

  it('says which images chose the best epoch, and gives the accuracy on the test images where others did', async () => {
    const runs = singles(0.8, 0.81);
    expect(await page(runs)).toContain('chosen on the test images themselves');
    expect(String(comparison(runs))).not.toContain('test acc');
    for (const [i, run] of runs.entries()) {
      run.config.valSplit = 0.1;
      run.evaluation = { ...run.evaluation!, checkpoint: 'best', accuracy: 0.5 + i / 4, images: 1000 };
    }
    const { rows } = comparison(runs);
    expect(rows.map(({ testAccuracy, images }) => [testAccuracy?.mean, images])).toEqual([
      [0.5, 1000],
      [0.75, 1000],
    ]);
    expect(comparison(runs).findings[0]).toMatch(
      /^alexnet-dy is 25\.00 points above alexnet on the test images/,
    );
    expect(String(comparison(runs))).toContain('test acc');
    expect(await page(runs)).toContain('chosen on 10 % of the training images');
  });

  it('takes a run that has nothing yet', async () => {
    const run = { ...madeUpRun(), epochs: [], steps: [], evaluation: null, environment: null };
    const empty = await page([run]);
    expect(empty).toContain('No epoch has been finished yet');
    expect(empty).toContain('<h2>Result'); // there is no other run to compare with
  });

  it('escapes every text', async () => {
    const run = madeUpRun({ model: HOSTILE, name: HOSTILE });
    run.config.classes = [HOSTILE];
    run.config.modelOptions = { kind: HOSTILE };
    run.config.dataset = HOSTILE;
    run.environment!.cpu = HOSTILE;
    run.evaluation = {
      ...run.evaluation!,
      classes: [HOSTILE, 'b'],
      confusion: [
        [1, 2],
        [3, 4],
      ],
    };
    const hostile = await page([run], { title: HOSTILE });
    expect(hostile).not.toContain('<script>window');
    expect(hostile).not.toContain('<img src=x');
    expect(hostile).toContain('&lt;script&gt;window.broken');
  });

  it('refuses an empty list', async () => {
    await expect(page([])).rejects.toThrow(ArgumentError);
  });
});

describe.skipIf(!chromiumPath)(
  `in Chromium${chromiumPath ? '' : ' (skipped: no chromium on this machine)'}`,
  { timeout: limit(90_000) },
  () => {
    let browser: Browser;
    const folder = temporaryFolder();
    const artefacts = fileURLToPath(new URL('../../build/test-artefacts', import.meta.url));
    beforeAll(async () => {
      browser = await launchChromium();
      mkdirSync(artefacts, { recursive: true });
    }, limit(60_000));
    afterAll(async () => {
      await browser?.close();
      removeFolders();
    });

    /** Opens a page and collects its messages and requests. */
    async function open(text: string, colorScheme: 'light' | 'dark', width = 1280) {
      const file = join(folder, `${colorScheme}-${width}.html`);
      writeFileSync(file, text);
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
      context.setDefaultTimeout(limit(30_000));
      const tab = await context.newPage();
      const complaints: string[] = [];
      tab.on('console', (message) => complaints.push(message.text()));
      tab.on('pageerror', (error) => complaints.push(error.message));
      tab.on('request', (request) => {
        if (!/^(file|data):/.test(request.url())) complaints.push(`request ${request.url()}`);
      });
      await tab.goto(pathToFileURL(file).href);
      await tab.waitForSelector('[data-chart=curves] svg path', { state: 'attached' });
      return { tab, complaints, close: () => context.close() };
    }

    it.each(['light', 'dark'] as const)('draws every chart, %s', async (scheme) => {
      const { tab, complaints, close } = await open(html, scheme);
      const drawn = await tab.$$eval('[data-chart]', (nodes) =>
        nodes.map((node) => [node.getAttribute('data-chart'), node.querySelectorAll('svg path').length > 10]),
      );
      expect(drawn).toEqual(
        ['curves', 'steps', 'experts1', 'schedule', 'confusion0', 'confusion1'].map((id) => [id, true]),
      );
      const words = await tab.$$eval('[data-chart=curves] svg text', (nodes) =>
        nodes.map((n) => n.textContent),
      );
      expect(words).toEqual(expect.arrayContaining(['Loss', 'Accuracy', 'alexnet-dy validation']));
      await tab.screenshot({ path: join(artefacts, `report-${scheme}.png`), fullPage: true });
      await tab.setViewportSize({ width: 1000, height: 900 });
      // The charts are resized by an observer, some frames after the window.
      const clipped = () =>
        tab.$$eval('.two .scroll', (nodes) => nodes.map((node) => node.scrollWidth - node.clientWidth));
      await expect.poll(clipped, { timeout: limit(10_000) }).toEqual([0, 0, 0, 0]);
      expect(complaints).toEqual([]);
      await close();
    });

    it('shows values under the pointer, and a logarithmic loss on demand', async () => {
      const { tab, complaints, close } = await open(html, 'light');
      const chart = tab.locator('[data-chart=curves]');
      await chart.scrollIntoViewIfNeeded();
      const box = (await chart.boundingBox())!;
      await tab.mouse.move(box.x + 300, box.y + 200);
      const tip = tab.locator('.tip').first();
      await tip.waitFor();
      const text = (await tip.textContent()) ?? '';
      expect(text).toMatch(/Epoch \d+/);
      for (const word of ['Loss', 'Accuracy', 'alexnet-dy validation']) expect(text).toContain(word);
      await tab.locator('[data-log=curves]').click();
      expect(await tab.locator('[data-log=curves]').getAttribute('aria-pressed')).toBe('true');
      expect(complaints).toEqual([]);
      await close();
    });

    it('fits a telephone', async () => {
      const { tab, complaints, close } = await open(html, 'light', 390);
      expect(Number(await tab.evaluate('document.documentElement.scrollWidth'))).toBeLessThanOrEqual(390);
      expect(complaints).toEqual([]);
      await close();
    });

    /** A page of three runs in the font of systems that have none of the fonts before it in the list. */
    let wide: string;
    beforeAll(async () => {
      const runs = [
        madeUpRun({ model: 'alexnet', epochs: 100 }),
        madeUpRun({ epochs: 100, seed: 2 }),
        madeUpRun({ epochs: 100, config: { lr: 0.05 } }),
      ];
      const before = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, ";
      wide = (await page(runs)).replaceAll(before, '');
      expect(wide).not.toContain('Segoe UI');
    });

    it.each([390, 800, 900, 1000, 1280])(
      'keeps the words of charts apart in a wide font, at %d px',
      async (width) => {
        const { tab, close } = await open(wide, 'light', width);
        const overlaps = await tab.$$eval('.chart.lines', (charts) =>
          charts.flatMap((chart) => {
            const frame = chart.getBoundingClientRect();
            // A long legend scrolls, behind a clip path.
            const nodes = [...chart.querySelectorAll('svg text')].filter(
              (node) => !node.closest('[clip-path]'),
            );
            const texts = nodes.map((node) => ({
              text: node.textContent,
              box: node.getBoundingClientRect(),
            }));
            const outside = texts.filter(
              ({ box }) => box.left < frame.left - 1 || box.right > frame.right + 1,
            );
            const crossing = texts.flatMap((a, i) =>
              texts
                .slice(i + 1)
                .filter(
                  (b) =>
                    Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left) > 1 &&
                    Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top) > 3,
                )
                .map((b) => [a.text, b.text]),
            );
            return [...outside.map(({ text }) => [text, 'outside']), ...crossing];
          }),
        );
        if (overlaps.length > 0)
          await tab.screenshot({ path: join(artefacts, `report-${width}.png`), fullPage: true });
        expect(overlaps).toEqual([]);
        await close();
      },
    );

    it('runs no text of a run', async () => {
      const run = madeUpRun({ model: HOSTILE, name: HOSTILE });
      run.evaluation!.classes = run.evaluation!.classes.map((name) => `${HOSTILE} ${name}`);
      const { tab, complaints, close } = await open(await page([run, madeUpRun()]), 'light');
      const chart = tab.locator('[data-chart=curves]');
      await chart.scrollIntoViewIfNeeded();
      const box = (await chart.boundingBox())!;
      await tab.mouse.move(box.x + 300, box.y + 200);
      await tab.locator('.tip').first().waitFor();
      expect(await tab.evaluate(() => (globalThis as { broken?: number }).broken)).toBeUndefined();
      expect(complaints).toEqual([]);
      await close();
    });
  },
);
