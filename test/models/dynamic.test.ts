import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DynamicConv2d, manualSeed, models, type nn, noGrad, randn, report, tidy } from '../../lib/index.js';

/** A row of scripts/cli/paper-counts.js with the counts of the network. */
interface Row {
  model: string;
  options: Record<string, unknown>;
  parameters: [printed: string, source: string];
  multiplyAdds: [printed: string, source: string];
  counted: { parameters: number; multiplyAdds: number };
}

const { agrees, paperCounts, paperTable } = (await import(
  new URL('../../scripts/cli/paper-counts.js', import.meta.url).href
)) as {
  agrees(value: number, printed: string): boolean;
  paperCounts(library: object): Row[];
  paperTable(rows: Row[]): string;
};

/** Rows and columns whose numbers are not within 1 % of the paper's, with the numbers here in millions. docs/models.md has the reasons. */
const OTHERS: Readonly<Record<string, number>> = {
  'mobilenet_v2_dy 0.35 parameters': 2.687,
  'mobilenet_v3_small_dy preprint multiplyAdds': 69.32,
  'resnet10 parameters': 5.419,
  'resnet18 parameters': 11.69,
};

/** Millions of parameters and multiply-adds of networks that are not in the paper. */
const COUNTS = [
  ['mobilenet_v3_small', {}, '2.54', '56.5'],
  ['mobilenet_v3_small_dy', {}, '4.38', '59.5'],
  ['resnet10_dy', { filter: (_: unknown, key: string) => key !== 'conv1' }, '20.22', '909.6'],
  ['resnet18_dy', { filter: (_: unknown, key: string) => key !== 'conv1' }, '45.47', '1860.0'],
] as const;

const page = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');

describe('counts of docs/models.md', () => {
  const rows = tidy(() => paperCounts({ models, report }));

  it.each(rows.map((row) => [row.model, row.options, row] as const))('%s %o', (_, __, row) => {
    for (const column of ['parameters', 'multiplyAdds'] as const) {
      const name = [row.model, ...Object.values(row.options).filter((value) => value !== 1), column].join(
        ' ',
      );
      const [value, [printed]] = [row.counted[column], row[column]];
      if (name in OTHERS) expect(value / OTHERS[name]!).toBeCloseTo(1, 3);
      expect(agrees(value, printed), `${name}: ${value} for ${printed}`).toBe(!(name in OTHERS));
    }
  });

  it('are in the table as the command prints it', () => {
    expect(rows).toHaveLength(14);
    expect(page).toContain(paperTable(rows));
  });

  it.each(COUNTS)('%s %o', (name, options, parameters, multiplyAdds) => {
    tidy(() => {
      const { trainable, flops } = report.summary(models.create(name, options), [1, 3, 224, 224]);
      expect((trainable / 1e6).toFixed(2)).toBe(parameters);
      expect((flops / 2e6).toFixed(1)).toBe(multiplyAdds);
    });
  });

  it('agree with a printed number within 1 % and its rounding', () => {
    expect([0.949, 0.95, 1.05, 1.07].map((value) => agrees(value, '1.0'))).toEqual([true, true, true, false]);
    expect([98, 98.6, 101.4, 101.6].map((value) => agrees(value, '100'))).toEqual([false, true, true, false]);
  });

  it.each(['resnet18', 'mobilenet_v2', 'mobilenet_v3_small'])('%s_dy has 4 kernels and a routing', (name) => {
    const count = (model: nn.Module) => [...model.parameters()].reduce((sum, { numel }) => sum + numel, 0);
    const dynamic = models.create(`${name}_dy`);
    const added = [...dynamic.modules()].map((module) => {
      if (!((module as unknown) instanceof DynamicConv2d)) return 0;
      const { weight, inChannels } = module as unknown as DynamicConv2d;
      const hidden = Math.floor(inChannels / 4);
      return (3 / 4) * weight.numel + hidden * (inChannels + 1) + 4 * (hidden + 1);
    });
    const wanted = added.reduce((a, b) => a + b, count(models.create(name)));
    expect(count(dynamic)).toBe(wanted);
  });
});

describe('dynamic networks', () => {
  const staticLayers = (name: string) =>
    [...models.create(name).namedModules()]
      .filter(([, module]) => module.constructor.name === 'Conv2d')
      .map(([key]) => key)
      .filter((key) => !key.includes('routing'));

  const dynamicLayers = (name: string, options: models.ModelOptions = {}) =>
    [...models.create(name, options).namedModules()]
      .filter(([, module]) => (module as unknown) instanceof DynamicConv2d)
      .map(([key]) => key);

  it('have other dynamic layers by filter, which ordinary networks ignore', () => {
    const filter = (_: nn.StaticLayer, key: string) => key.endsWith('downsample.0');
    expect(dynamicLayers('resnet10_dy', { filter })).toHaveLength(3);
    expect(dynamicLayers('resnet10', { filter })).toEqual([]);
  });

  it("have torchvision's keys and shapes but for the hidden units, in the variant of the preprint", () => {
    const shapes = (variant: models.MobileNetV3SmallVariant) =>
      Object.entries(models.mobilenetV3Small({ variant, widthMult: 0.5 }).stateDict()).map(
        ([key, { shape }]) => `${key} ${shape.join()}`,
      );
    const published = shapes('published');
    const others = shapes('preprint').filter((entry) => !published.includes(entry));
    expect(others).toEqual([
      'classifier.0.weight 640,288',
      'classifier.0.bias 640',
      'classifier.3.weight 1000,640',
    ]);
    expect(() => models.create('mobilenet_v3_small', { variant: 'final' as never })).toThrow(
      "Expected one of 'published', 'preprint' for variant but received 'final'",
    );
    expect(() => models.create('mobilenet_v3_large', { variant: 'preprint' })).toThrow(/variant/);
  });

  it('have ordinary convolutions in the first layers, the last of MobileNetV2, and squeeze and excitation', () => {
    expect(dynamicLayers('resnet18_dy')).toEqual(
      ['layer3.0', 'layer3.1', 'layer4.0', 'layer4.1'].flatMap((block) => [
        `${block}.conv1`,
        `${block}.conv2`,
      ]),
    );
    expect(staticLayers('mobilenet_v2_dy')).toEqual(['features.0.0', 'features.18.0']);
    const small = staticLayers('mobilenet_v3_small_dy');
    expect(small).toHaveLength(1 + 2 * 9);
    expect(small.slice(0, 3)).toEqual(['features.0.0', 'features.1.block.1.fc1', 'features.1.block.1.fc2']);
  });

  it('take the options of their routing', () => {
    const model = models.create('resnet10_dy', { numExperts: 3, reduction: 8, temperature: 5 });
    const layers = [...model.modules()].filter((module) => (module as unknown) instanceof DynamicConv2d);
    expect(layers).toHaveLength(4);
    const layer = layers[0] as unknown as DynamicConv2d;
    expect([layer.numExperts, layer.temperature]).toEqual([3, 5]);
    expect(layer.routing.stateDict()['net.0.weight']?.shape).toEqual([16, 128, 1, 1]);
  });

  it('start with kernels that differ, as spread as those of the ordinary network', () => {
    const state = models.create('mobilenet_v2_dy', { widthMult: 0.5 }).stateDict();
    const experts = state['features.10.conv.2.weight']!;
    const [, outputs = 0] = experts.shape;
    expect(Number(experts.std().item())).toBeCloseTo(Math.sqrt(2 / outputs), 2);
    expect(experts.select(0, 0).sub(experts.select(0, 1)).abs().amax().item()).toBeGreaterThan(0.01);
  });

  it('are trained: every expert and every routing gets a gradient', () => {
    // With other seeds, all units of a hidden layer may start below 0: the smallest layers have two.
    manualSeed(2);
    const model = models.create('mobilenet_v3_small_dy', { numClasses: 4, widthMult: 0.5 });
    model
      .forward(randn([4, 3, 64, 64]))
      .square()
      .sum()
      .backward();
    const without = noGrad(() =>
      [...model.namedParameters()].filter(([, { grad }]) => !grad || Number(grad.abs().amax().item()) === 0),
    );
    expect(without.map(([key]) => key)).toEqual([]);
  });
});
