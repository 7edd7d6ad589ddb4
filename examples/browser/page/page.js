/**
 * Classifies an image that is dropped, pasted or chosen, and draws the answer.
 * @module
 */
import { Model } from './model.js';
import { decode, toInput } from './picture.js';

/** @import { Answer } from './model.js' */

/** Number of classes that are shown. */
const TOP = 5;

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
function element(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`Expected an element #${id}`);
}

const drop = element('drop', HTMLLabelElement);
const file = element('file', HTMLInputElement);
const preview = element('preview', HTMLImageElement);
const status = element('status', HTMLParagraphElement);
const result = element('result', HTMLDivElement);
const classes = element('classes', HTMLOListElement);
const attention = element('attention', HTMLElement);
const layers = element('layers', HTMLElement);
const note = element('note', HTMLParagraphElement);

/** @param {string} text @param {boolean} [isError] */
function say(text, isError = false) {
  status.textContent = text;
  status.classList.toggle('error', isError);
}

/** @param {unknown} error */
function sayError(error) {
  say(error instanceof Error ? error.message : String(error), true);
}

/** @param {string} tag @param {string} className @param {string} [text] */
function make(tag, className, text = '') {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/** A name, a bar and a number. @param {string} name @param {number} share 0 to 1 */
function makeRow(name, share) {
  const percent = `${(100 * share).toFixed(1)} %`;
  const track = make('div', 'track');
  track.setAttribute('aria-hidden', 'true'); // the number says the same
  const bar = make('div', 'bar');
  bar.style.width = percent.replace(' ', '');
  track.append(bar);
  const value = document.createElement('data');
  value.className = 'value';
  value.value = String(share);
  value.textContent = percent;
  const row = make('li', 'row');
  row.append(make('span', 'name', name), track, value);
  return row;
}

/** The classes, the most probable first. @param {Model} model @param {Answer} answer */
function ranked({ metadata }, { probabilities }) {
  return probabilities
    .map((probability, i) => ({ name: metadata.classes[i] ?? String(i), probability }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, TOP);
}

/** @param {Model} model @param {Answer} answer @param {number} milliseconds */
function show(model, answer, milliseconds) {
  const best = ranked(model, answer);
  classes.replaceChildren(...best.map(({ name, probability }) => makeRow(name, probability)));
  layers.replaceChildren(
    ...answer.attention.flatMap(({ layer, shares }) => {
      const kernels = make('ol', 'kernels');
      kernels.append(...shares.map((share, kernel) => makeRow(String(kernel + 1), share)));
      const description = document.createElement('dd');
      description.append(kernels);
      return [make('dt', 'layer', layer), description];
    }),
  );
  attention.hidden = answer.attention.length === 0;
  note.textContent = `${model.metadata.model}, ${milliseconds.toFixed(0)} ms`;
  result.hidden = false;
  say(`Most probable: ${best[0]?.name}`);
}

/** @param {Blob} image */
function showPreview(image) {
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(image);
  preview.alt = image instanceof File ? image.name : 'The pasted image';
  preview.hidden = false;
}

const loading = Model.load(new URL('model.onnx', document.baseURI).href);

/** Counts the images: only the answer to the last is shown. */
let last = 0;
/** Answers are computed one after the other. @type {Promise<unknown>} */
let turn = loading.then(
  () => {
    if (last === 0) say('Ready');
  },
  () => {},
);

/** @param {Blob} image */
async function classify(image) {
  const own = ++last;
  result.hidden = true;
  preview.hidden = true;
  say('Classifying …');
  const before = turn;
  let done = () => {};
  turn = new Promise((resolve) => {
    done = () => resolve(undefined);
  });
  try {
    await before;
    if (own !== last) return;
    const model = await loading;
    const planes = await decode(image);
    if (own !== last) return;
    showPreview(image);
    const start = performance.now();
    const answer = await model.run(toInput(planes, model.size, model.metadata));
    if (own === last) show(model, answer, performance.now() - start);
  } catch (error) {
    if (own === last) sayError(error);
  } finally {
    done();
  }
}

/** @param {FileList | null | undefined} files */
function take(files) {
  const [first] = files ?? [];
  if (first) void classify(first);
}

file.addEventListener('change', () => {
  take(file.files);
  file.value = ''; // so that the same file can be chosen again
});
for (const name of ['dragenter', 'dragover'])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
document.addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) drop.classList.remove('over');
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  const files = event.dataTransfer?.files;
  if (files?.length) take(files);
  else say('Expected an image file', true);
});
document.addEventListener('paste', (event) => take(event.clipboardData?.files));

loading.catch(sayError);
