/**
 * Sends an image that is dropped, pasted or chosen, and draws the answer.
 * @module
 */

/** @typedef {{ model: string, predictions: { name: string, probability: number }[], milliseconds: number }} Answer */

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
const result = element('result', HTMLElement);
const classes = element('classes', HTMLOListElement);
const note = element('note', HTMLParagraphElement);

/** Of the request under way: a newer image replaces it. */
let current = new AbortController();

/** @param {string} text @param {boolean} [isError] */
function say(text, isError = false) {
  status.textContent = text;
  status.classList.toggle('error', isError);
}

/** @param {string} tag @param {string} className @param {string} [text] */
function make(tag, className, text = '') {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/** @param {Answer} answer */
function show({ model, predictions, milliseconds }) {
  classes.replaceChildren(
    ...predictions.map(({ name, probability }) => {
      const percent = `${(100 * probability).toFixed(1)} %`;
      const track = make('div', 'track');
      track.setAttribute('aria-hidden', 'true'); // the number says the same
      const bar = make('div', 'bar');
      bar.style.width = percent.replace(' ', '');
      track.append(bar);
      const row = document.createElement('li');
      row.append(make('span', 'name', name), track, make('span', 'value', percent));
      return row;
    }),
  );
  note.textContent = `${model}, ${milliseconds} ms`;
  result.hidden = false;
}

/** @param {Blob} image */
function showPreview(image) {
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(image);
  preview.alt = image instanceof File ? image.name : 'The pasted image';
  preview.hidden = false;
}

/** @param {Blob} image */
async function classify(image) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  result.hidden = true;
  showPreview(image);
  say('Classifying …');
  try {
    const type = /^image\/(png|jpeg|webp)$/.test(image.type) ? image.type : 'application/octet-stream';
    const response = await fetch('predict', {
      method: 'POST',
      headers: { 'content-type': type },
      body: image,
      signal,
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(explain(answer.message, response.headers.get('retry-after')));
    show(answer);
    const [best] = answer.predictions;
    say(`Most probable: ${best.name}`);
  } catch (error) {
    if (!signal.aborted) say(error instanceof Error ? error.message : String(error), true);
  }
}

/** @param {string} message @param {string | null} seconds */
function explain(message, seconds) {
  return seconds ? `${message}. Try again in ${seconds} s.` : message;
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
