import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { models, type nn, noGrad, type Tensor, tensor, tidy } from '../../lib/index.js';
import { filled, golden, values } from '../golden/hash.js';
import { limit } from '../support/limit.js';

interface State {
  parameters: number;
  tensors: number;
  state: string;
}

type Gradients = Record<string, [norm: number, projection: number]>;

interface Network extends State {
  seed: number;
  logits: number[][];
  logitError: number;
  gradients: Gradients;
  gradientError: number;
  trainingGradients: Gradients;
}

const { networks, states } = golden<{
  networks: Record<string, Network>;
  states: Record<string, State>;
}>('zoo');

/** The options of the generator's variants, in our spelling. Dropout is off in training mode. */
const VARIANTS: Record<string, models.ModelOptions> = {
  'resnext50_32x4d dilated': { replaceStrideWithDilation: [false, true, true] },
  efficientnet_b0: { stochasticDepthProb: 0 },
  convnext_tiny: { stochasticDepthProb: 0 },
  vit_b_16: { imageSize: 64, representationSize: 24 },
  'mobilenet_v2 narrow': { widthMult: 0.35 },
  'mobilenet_v3_small narrow': { widthMult: 0.5, reducedTail: true, dilated: true },
};
const DROPOUT = /^(mobilenet|vgg|torchvision_alexnet|efficientnet|squeezenet)/;

/** The largest network has 86 million parameters. */
const TIME = limit(180_000);

/** Error of float32 that is allowed besides 4 times PyTorch's own. */
const ROUNDING = 2e-7;

function create(title: string): nn.Module {
  const [name = ''] = title.split(' ');
  return models.create(name, {
    numClasses: 10,
    ...VARIANTS[title],
    ...(DROPOUT.test(name) ? { dropout: 0 } : {}),
  });
}

/** fill() of make_models.py. */
function fill(model: nn.Module): void {
  const state = model.stateDict();
  noGrad(() =>
    tidy(() => {
      Object.keys(state)
        .sort()
        .forEach((key, i) => {
          const { shape } = state[key]!;
          if (key.endsWith('num_batches_tracked')) return;
          const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
          if (key.endsWith('running_var')) state[key]!.copy_(filled(shape, i + 1, 0.5).add(1));
          else if (key.endsWith('layer_scale')) state[key]!.copy_(filled(shape, i + 1, 0.5));
          else if (shape.length >= 2 && !key.endsWith('bias'))
            state[key]!.copy_(filled(shape, i + 1, Math.sqrt(24 / fanIn)));
          else state[key]!.copy_(filled(shape, i + 1, 0.2).add(key.endsWith('weight') ? 1 : 0));
        });
    }),
  );
}

/** describe_state() of make_models.py. */
function describeState(model: nn.Module): State {
  const state = Object.entries(model.stateDict());
  const lines = state
    .map(([key, { shape }]) => `${key} [${shape.join(', ')}]`)
    .sort()
    .join('\n');
  return {
    parameters: [...model.parameters()].reduce((sum, { numel }) => sum + numel, 0),
    tensors: state.length,
    state: createHash('sha256').update(lines).digest('hex'),
  };
}

/** gradient_error() of make_models.py. */
function gradientError(model: nn.Module, expected: Gradients): number {
  const floor = 1e-3 * Math.hypot(...Object.values(expected).map(([norm]) => norm));
  const largest = Math.max(...[...model.parameters()].map(({ numel }) => numel));
  const vector = tensor(values(largest, 7), { dtype: 'float64' });
  const errors = [...model.namedParameters()].map(([key, parameter]) =>
    tidy(() => {
      const gradient = (parameter.grad as Tensor).to({ dtype: 'float64' }).flatten();
      const projection = Number(gradient.dot(vector.narrow(0, 0, gradient.numel)).item());
      const [norm, wanted] = expected[key]!;
      return (projection - wanted) / Math.max(norm, floor);
    }),
  );
  return Math.hypot(...errors) / Math.sqrt(errors.length);
}

/** gradients() of make_models.py. */
function backward(model: nn.Module, images: Tensor): void {
  model.zeroGrad();
  const logits = model.forward(images);
  logits
    .mul(filled([...logits.shape], 3, 1, 'float32').to({ dtype: logits.dtype }))
    .sum()
    .backward();
}

describe.each(Object.entries(networks))('%s beside torchvision', (title, wanted) => {
  const build = () => {
    const model = create(title);
    fill(model);
    return model;
  };
  const images = () => filled([2, 3, 64, 64], wanted.seed, 4);

  it('has the same parameters and state', () => {
    const { parameters, tensors, state } = wanted;
    expect(describeState(create(title))).toEqual({ parameters, tensors, state });
  });

  it(
    'is as exact as PyTorch in float32: logits and gradients',
    () => {
      const model = build().eval();
      const exact = tensor(wanted.logits, { dtype: 'float64' });
      const logits = noGrad(() => model.forward(images())).to({ dtype: 'float64' });
      const error = Number(logits.sub(exact).abs().amax().div(exact.abs().amax()).item());
      expect(error).toBeLessThanOrEqual(4 * wanted.logitError + ROUNDING);
      backward(model, images().narrow(0, 0, 1));
      expect(gradientError(model, wanted.gradients)).toBeLessThanOrEqual(4 * wanted.gradientError + ROUNDING);
    },
    TIME,
  );

  it(
    'has the same gradients in training mode, in float64',
    () => {
      const model = build().to({ dtype: 'float64' });
      backward(model, images().to({ dtype: 'float64' }));
      expect(gradientError(model, wanted.trainingGradients)).toBeLessThanOrEqual(1e-8);
    },
    TIME,
  );
});

it.each(Object.entries(states))('%s has the state of torchvision, of 1000 classes', (name, wanted) => {
  expect(describeState(models.create(name))).toEqual(wanted);
});
