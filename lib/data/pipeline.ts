/**
 * Executes a transform on images that are read one by one: the plans for the add-on, and the stages before them.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { tidy } from '../tensor/context.js';
import { augmentPacked, type BatchFormat, type BatchPlan, withFormat } from './batches.js';
import { applyStep, type ByteStep } from './pixels/apply.js';
import type { ByteImage } from './pixels/image.js';
import { type Plan, planFor, planOf } from './plan.js';
import { Random } from './random.js';
import { stagesOf } from './stages.js';
import type { Transform } from './transform-types.js';

/** What the random numbers of images depend on, besides their keys. */
export interface StageRequest {
  seed: number;
  epoch: number;
  threads: number;
}

/** An image with the number on which its random choices depend. */
interface Keyed {
  image: ByteImage;
  key: number;
}

/** The plans of a transform for images of any size, each made and checked once. */
export class SamplePlans {
  readonly #transform: Transform | undefined;
  readonly #format: BatchFormat;
  readonly #bySize = new Map<string, Plan>();
  readonly #common = new Map<string, BatchPlan>();

  /** @param transform - One that the add-on executes. */
  constructor(transform: Transform | undefined, format: BatchFormat) {
    this.#transform = transform;
    this.#format = format;
  }

  /** The plan of images of one size. @throws ArgumentError when the transform does not fit them. */
  for(shape: ByteImage['shape']): Plan {
    return memoized(this.#bySize, shape, () => planFor(this.#transform, shape));
  }

  /** One plan for images of any size that the transform brings to `size`. */
  common(channels: number, size: Plan['size']): BatchPlan {
    // Sizes of 0 mean the size of each image.
    const make = () => withFormat({ ...planOf(this.#transform, [channels, 0, 0]), size }, this.#format);
    return memoized(this.#common, [channels, ...size], make);
  }
}

/** A transform of any steps, for images that are read one by one. */
export class Pipeline {
  /** undefined: only scaled to [0, 1]. */
  readonly transform: Transform | undefined;
  /** The plans of the last stage, which makes the batch. */
  readonly last: SamplePlans;
  /** Images of a batch made of each image. */
  readonly crops: number;
  readonly #stages: readonly (ByteStep | SamplePlans)[];

  constructor(transform: Transform | undefined, format: BatchFormat) {
    const { stages, last, crops } = stagesOf(transform);
    this.transform = transform;
    this.last = new SamplePlans(last, format);
    this.crops = crops;
    this.#stages = stages.map((stage) =>
      'bytes' in stage ? stage.bytes : new SamplePlans(stage.planned, {}),
    );
  }

  /** Whether there are stages before the last one. */
  get isStaged(): boolean {
    return this.#stages.length > 0;
  }

  /**
   * The images before the last stage, in order; `crops` of each.
   * @param keys - The random choices for each image depend on its key.
   */
  async prepare(
    images: readonly ByteImage[],
    keys: readonly number[],
    request: StageRequest,
  ): Promise<ByteImage[]> {
    let all: Keyed[] = images.map((image, i) => ({ image, key: keys[i]! }));
    for (const [place, stage] of this.#stages.entries()) {
      if (stage instanceof SamplePlans) {
        all = await planned(all, stage, { ...request, seed: stageSeed(request.seed, place) });
        continue;
      }
      const next: Keyed[] = [];
      for (const { image, key } of all) {
        const random = new Random(request.seed, request.epoch, key, SALT + place);
        for (const made of applyStep(image, stage, random)) next.push({ image: made, key });
        // An image takes milliseconds: timers and signals come between them.
        await nextTurn();
      }
      all = next;
    }
    return all.map(({ image }) => image);
  }

  /** The seed of the last stage. */
  lastSeed(seed: number): number {
    return stageSeed(seed, this.#stages.length);
  }
}

/** Distinguishes the generators of steps from others that use the seed and the epoch. */
const SALT = 0x73746570;

/** The first stage has the seed of the loader, so that transforms of one stage are what they are without stages. */
function stageSeed(seed: number, place: number): number {
  return place === 0 ? seed : new Random(seed, SALT, place).uint32();
}

/** Executes a stage by the add-on: images that have one size afterwards are made together. */
async function planned(all: readonly Keyed[], plans: SamplePlans, request: StageRequest): Promise<Keyed[]> {
  const groups = new Map<string, number[]>();
  for (const [i, { image }] of all.entries()) {
    const key = [image.shape[0], ...plans.for(image.shape).size].join();
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  const made: Keyed[] = [...all];
  for (const places of groups.values()) {
    const images = places.map((place) => all[place]!.image);
    const keys = places.map((place) => all[place]!.key);
    const [channels] = images[0]!.shape;
    const { size } = plans.for(images[0]!.shape);
    const batch = await augmentPacked(images, keys, plans.common(channels, size), request);
    // A plan without normalization gives values of 0 to 1.
    const bytes = tidy(() => batch.mul(255).round().to({ dtype: 'uint8' }).dataSync({ dtype: 'uint8' }));
    batch.dispose();
    const length = channels * size[0] * size[1];
    for (const [i, place] of places.entries()) {
      const image = {
        bytes: bytes.subarray(i * length, (i + 1) * length),
        shape: [channels, ...size] as const,
      };
      made[place] = { image, key: keys[i]! };
    }
  }
  return made;
}

/** More sizes than this are of a set whose images all differ: keeping them would not pay. */
const MAX_PLANS = 1000;

function memoized<T>(known: Map<string, T>, sizes: readonly number[], make: () => T): T {
  const key = sizes.join();
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    if (known.size < MAX_PLANS) known.set(key, value);
  }
  return value;
}
