/** Networks of random layers, each determined by its seed. */
import { cat, manualSeed, nn, randint, randn, type Tensor, tidy } from '../../lib/index.js';
import type { ExportOnnxOptions } from '../../lib/onnx/export.js';
import { withStatistics } from './cases.js';
import { Random } from './random.js';
import { Apply, type Kind, MAKERS } from './random-layers.js';

/** A network to export. */
export interface RandomNetwork {
  readonly network: nn.Module<[Tensor], Tensor | Tensor[]>;
  /** A batch; `more`: rows and columns of images that are added, for networks with a free size. */
  readonly inputs: (batch: number, more?: number) => Tensor[];
  readonly options: ExportOnnxOptions;
}

/** Most elements of a sample between two layers. */
const MAX_ELEMENTS = 4000;

class Network extends nn.Module<[Tensor], Tensor | Tensor[]> {
  readonly layers: nn.ModuleList;
  /** The layer whose result is a second output; -1 for none. */
  readonly #second: number;

  constructor(layers: nn.Module[], second: number) {
    super();
    this.layers = new nn.ModuleList(layers);
    this.#second = second;
  }

  forward(input: Tensor): Tensor | Tensor[] {
    let x = input;
    let second: Tensor | undefined;
    for (const [i, layer] of [...this.layers].entries()) {
      x = layer.forward(x);
      if (i === this.#second) second = x;
    }
    return second === undefined ? x : [x, second];
  }
}

/** Adds layers one after another, and follows the shape of a sample. */
class Builder {
  readonly layers: nn.Module[] = [];
  kind: Kind | 'free';
  shape: readonly number[];
  readonly #random: Random;

  constructor(random: Random, kind: Kind | 'free', shape: readonly number[]) {
    this.#random = random;
    this.kind = kind;
    this.shape = shape;
  }

  push(layer: nn.Module, kind = this.kind): void {
    this.shape = this.#after(layer);
    this.layers.push(layer);
    this.kind = kind;
  }

  /** A layer of the kind that does not make samples too large. */
  make(fits: (shape: readonly number[]) => boolean = () => true): nn.Module | undefined {
    for (let tries = 0; tries < 20; tries++) {
      const layer = this.#random.pick(MAKERS[this.kind])(this.#random, this.shape)?.eval();
      if (layer === undefined) continue;
      const shape = this.#after(layer);
      const count = shape.reduce((product, size) => product * size, 1);
      if (count > 0 && count <= MAX_ELEMENTS && fits(shape)) return layer;
    }
    return undefined;
  }

  /** One more layer, or two side by side. */
  grow(): void {
    const { shape } = this;
    const first = this.make();
    if (first === undefined) return;
    const after = this.#after(first);
    const same = String(after) === String(shape);
    if (same && this.#random.chance(0.5)) {
      this.push(new Apply('added to the input', (x) => x.add(first.forward(x)), { first }));
      return;
    }
    // Two layers that give the same size for one size of images may not for another.
    const joins = (this.kind !== 'free' || same) && this.#random.chance(0.15);
    const second = joins
      ? this.make((other) => String(other.slice(1)) === String(after.slice(1)))
      : undefined;
    if (second === undefined || after.length === 1) this.push(first);
    else
      this.push(
        new Apply('joined', (x) => cat([first.forward(x), second.forward(x)], { dim: 1 }), { first, second }),
      );
  }

  /** To another kind of data. */
  change(): void {
    const { kind } = this;
    if (kind === 'image') this.push(new Apply('rows', (x) => x.flatten(2).transpose(1, 2)), 'sequence');
    else if (kind === 'signal') this.push(new Apply('transposed', (x) => x.transpose(1, 2)), 'sequence');
    else if (kind === 'volume') this.push(new Apply('planes', (x) => x.flatten(1, 2)), 'image');
    else if (kind === 'sequence')
      this.push(new Apply('of the last dimension', (x) => x.permute([0, 2, 1])), 'signal');
  }

  /** To logits. */
  finish(): void {
    if (this.kind === 'free') this.push(new nn.AdaptiveAvgPool2d(1));
    else if (this.kind === 'sequence') this.push(new Apply('mean', (x) => x.mean({ dim: 1 })), 'row');
    this.push(new nn.Flatten(), 'row');
    this.push(new nn.Linear(this.shape[0]!, 5));
  }

  /** The shape of a sample after a layer. */
  #after(layer: nn.Module): readonly number[] {
    return tidy(() =>
      layer
        .eval()
        .forward(randn([2, ...this.shape]))
        .shape.slice(1),
    );
  }
}

const SHAPES: Readonly<Record<Kind | 'free', (random: Random) => number[]>> = {
  free: (random) => [random.integer(1, 8), random.integer(8, 12), random.integer(8, 12)],
  image: (random) => [random.integer(1, 8), random.integer(5, 12), random.integer(5, 12)],
  volume: (random) => [random.integer(1, 6), 5, random.integer(4, 7), random.integer(4, 7)],
  signal: (random) => [random.integer(1, 8), random.integer(6, 20)],
  sequence: (random) => [random.integer(2, 8), random.integer(4, 12)],
  row: (random) => [random.integer(4, 16)],
};

const KINDS: readonly (Kind | 'free')[] = [
  'free',
  'free',
  'image',
  'image',
  'volume',
  'signal',
  'sequence',
  'row',
];
const WORDS = 11;

/** The network of a seed. */
export function randomNetwork(seed: number): RandomNetwork {
  const random = new Random(seed);
  manualSeed(seed);
  const kind = random.pick(KINDS);
  const shape = SHAPES[kind](random);
  const builder = new Builder(random, kind, shape);
  const reads = kind === 'sequence' && random.chance(0.4);
  const count = random.integer(2, 7);
  for (let i = 0; i < count; i++) {
    if (random.chance(0.1)) builder.change();
    else builder.grow();
  }
  if (random.chance(0.7)) builder.finish();
  const { layers } = builder;
  const [length = 1, features = 1] = shape;
  if (reads) layers.unshift(new nn.Embedding(WORDS, features));
  const second = random.chance(0.2) ? random.integer(0, layers.length - 2) : -1;
  const network = withStatistics(new Network(layers, second).eval());
  return {
    network,
    inputs: (batch, more = 0) => {
      if (reads) return [randint(0, WORDS, [batch, length])];
      const grown = shape.map((size, axis) => (kind === 'free' && axis > 0 ? size + axis * more : size));
      return [randn([batch, ...grown])];
    },
    options: { opset: random.integer(17, 22), dynamicSize: kind === 'free' },
  };
}
