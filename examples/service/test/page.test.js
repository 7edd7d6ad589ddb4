/** The page in Chromium, where the machine has one. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { image, startService, trainRun } from './support/service.js';

/** @import { Browser, Page } from 'playwright-core' */
/** @import { Service } from './support/service.js' */

const CANDIDATES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const executablePath = CANDIDATES.find((path) => path && existsSync(path));

/** Screenshots, to look at. */
const artefacts = fileURLToPath(new URL('../build/test-artefacts/', import.meta.url));

describe.skipIf(!executablePath)(
  `the page${executablePath ? '' : ' (skipped: no chromium on this machine)'}`,
  () => {
    /** @type {Awaited<ReturnType<typeof trainRun>>} */
    let run;
    /** @type {Service} */
    let service;
    /** @type {Browser} */
    let browser;

    beforeAll(async () => {
      await mkdir(artefacts, { recursive: true });
      run = await trainRun();
      service = await startService({ RUN_DIR: run.path, MAX_BYTES: '100000' });
      await service.ready();
      browser = await chromium.launch({
        executablePath: String(executablePath),
        args: ['--no-sandbox', '--disable-gpu'],
      });
    }, 120_000);

    afterAll(async () => {
      await browser?.close();
      await service?.stop();
      await run?.remove();
    });

    /**
     * Opens the page and gathers what it complains about and asks for from elsewhere.
     * @param {{ path?: string, colorScheme?: 'light' | 'dark', width?: number }} [options]
     */
    async function open({ path = '/', colorScheme = 'light', width = 900 } = {}) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
      const page = await context.newPage();
      /** @type {string[]} */
      const complaints = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith(service.url) && !/^(data|blob):/.test(request.url()))
          complaints.push(request.url());
      });
      await page.goto(`${service.url}${path}`);
      return { page, complaints, close: () => context.close() };
    }

    /** Drops files on the page. @param {Page} page @param {[name: string, type: string, bytes: Buffer][]} files */
    async function drop(page, files) {
      const contents = files.map(([name, type, bytes]) => [name, type, bytes.toString('base64')]);
      const dataTransfer = await page.evaluateHandle((list) => {
        const transfer = new DataTransfer();
        for (const [name = '', type = '', base64 = ''] of list) {
          const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
          transfer.items.add(new File([bytes], name, { type }));
        }
        return transfer;
      }, contents);
      await page.dispatchEvent('body', 'dragover', { dataTransfer });
      await page.dispatchEvent('#drop', 'drop', { dataTransfer });
    }

    /** The rows of the answer: name, percentage, width of the bar. @param {Page} page */
    async function rows(page) {
      await page.waitForSelector('#result li');
      return page.$$eval('#classes li', (list) =>
        list.map((row) => {
          const text = (/** @type {string} */ selector) => row.querySelector(selector)?.textContent ?? '';
          const bar = row.querySelector('.bar');
          return {
            name: text('.name'),
            value: text('.value'),
            width: bar instanceof HTMLElement ? bar.style.width : '',
          };
        }),
      );
    }

    it.each(/** @type {const} */ (['light', 'dark']))(
      'shows the answer to a dropped image, %s',
      async (colorScheme) => {
        const { page, complaints, close } = await open({ colorScheme });
        await drop(page, [['shoe.png', 'image/png', await image('png', { width: 300, height: 200 })]]);
        const list = await rows(page);
        expect(list).toHaveLength(5);
        for (const { name, value, width } of list) {
          expect(name).not.toBe('');
          expect(value).toMatch(/^\d+\.\d %$/);
          expect(Number.parseFloat(width)).toBe(Number.parseFloat(value));
        }
        const values = list.map(({ value }) => Number.parseFloat(value));
        expect(values).toEqual(values.toSorted((a, b) => b - a));
        expect(await page.textContent('#status')).toBe(`Most probable: ${list[0]?.name}`);
        expect(await page.textContent('#note')).toMatch(/^alexnet-dy, [\d.]+ ms$/);
        expect(await page.getAttribute('#preview', 'alt')).toBe('shoe.png');
        const background = await page.evaluate(
          () => getComputedStyle(document.documentElement).backgroundColor,
        );
        expect(background).toBe(colorScheme === 'light' ? 'rgb(246, 247, 249)' : 'rgb(18, 22, 29)');
        await page.waitForTimeout(400); // the bars have grown
        await page.screenshot({ path: `${artefacts}service-${colorScheme}.png`, fullPage: true });
        expect(complaints).toEqual([]);
        await close();
      },
    );

    it('is used with the keyboard alone', async () => {
      const { page, complaints, close } = await open();
      // Before the keys: the browser has to be told that no dialog is wanted, which takes a moment.
      const chosen = page.waitForEvent('filechooser');
      await page.keyboard.press('Tab');
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('file');
      const outline = await page.$eval('#drop', (label) => getComputedStyle(label).outlineStyle);
      expect(outline).toBe('solid');
      await page.keyboard.press('Enter');
      const chooser = await chosen;
      await chooser.setFiles({ name: 'a.webp', mimeType: 'image/webp', buffer: await image('webp') });
      expect(await rows(page)).toHaveLength(5);
      expect(complaints).toEqual([]);
      await close();
    });

    it('says what is wrong, and recovers with the next image', async () => {
      const { page, close } = await open();
      await drop(page, [['note.txt', 'text/plain', Buffer.from('hello')]]);
      await page.waitForSelector('#status.error');
      expect(await page.textContent('#status')).toBe(
        'Expected a PNG, JPEG or WebP image but received a file of another type',
      );
      expect(await page.isVisible('#result')).toBe(false);
      await drop(page, [['large.png', 'image/png', Buffer.alloc(100_001)]]);
      await expect.poll(() => page.textContent('#status')).toMatch(/too large/i);
      await drop(page, []);
      await expect.poll(() => page.textContent('#status')).toBe('Expected an image file');
      await drop(page, [['a.jpg', 'image/jpeg', await image('jpeg')]]);
      expect(await rows(page)).toHaveLength(5);
      expect(await page.$eval('#status', ({ className }) => className)).toBe('');
      await close();
    });

    it('shows the answer to the last of several images', async () => {
      const { page, close } = await open();
      await page.route('**/predict', async (route) => {
        const type = route.request().headers()['content-type'];
        const name = type === 'image/png' ? 'first' : '<b>second</b>';
        if (name === 'first') await new Promise((resolve) => setTimeout(resolve, 300));
        await route
          .fulfill({ json: { model: 'm', predictions: [{ name, probability: 1 }], milliseconds: 1 } })
          .catch(() => {}); // the page has given up the first
      });
      await drop(page, [['first.png', 'image/png', await image('png')]]);
      await drop(page, [['second.jpg', 'image/jpeg', await image('jpeg')]]);
      expect(await rows(page)).toEqual([{ name: '<b>second</b>', value: '100.0 %', width: '100%' }]);
      await page.waitForTimeout(500);
      expect(await page.textContent('#status')).toBe('Most probable: <b>second</b>');
      await close();
    });

    it('fits a telephone', async () => {
      const { page, complaints, close } = await open({ width: 360 });
      await drop(page, [['a.png', 'image/png', await image('png', { width: 900, height: 300 })]]);
      await rows(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
      await page.screenshot({ path: `${artefacts}service-telephone.png`, fullPage: true });
      expect(complaints).toEqual([]);
      await close();
    });

    it('has an API description that loads nothing from elsewhere', async () => {
      const { page, complaints, close } = await open({ path: '/docs' });
      await page.waitForSelector('.opblock');
      expect(await page.$$eval('.opblock-summary-path', (list) => list.length)).toBe(4);
      expect(complaints).toEqual([]);
      await close();
    });
  },
);
