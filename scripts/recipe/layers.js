/**
 * What one step of SGD does in every layer of a model.
 * @module
 */
import { manualSeed, noGrad, tidy } from '../../dist/index.js';

/** @import { nn, Tensor } from '../../dist/index.js' */
/** @import { Batch, Loss } from '../../dist/train/index.js' */

/**
 * `input`: root mean square of the layer's input; `share`: size of the update relative to the weights; `alone`: loss of the same
 * batch after an update of this parameter alone.
 * @typedef {{ name: string, input: number | null, weight: number, grad: number, share: number, alone: number }} LayerRow
 */

/**
 * Computes the gradient of a batch, and the loss after updates of single weights; the model is not changed.
 * @param {nn.Module} model
 * @param {Batch} batch
 * @param {{ lr: number, loss: Loss }} options
 */
export function layerTable(model, { images, labels }, { lr, loss: lossFunction }) {
  const inputs = recordInputs(model);
  const forward = () => {
    manualSeed(0); // the same dropout every time
    const logits = model.forward(images);
    return { logits, loss: lossFunction(logits, labels) };
  };
  const lossNow = () => tidy(() => noGrad(() => Number(forward().loss.item())));
  return tidy(() => {
    const { logits, loss } = forward();
    const deviation = Number(logits.std().item());
    loss.backward();
    inputs.stop();
    const parameters = [...model.namedParameters()].filter(([, { grad }]) => grad !== null);
    const norm = (/** @type {Tensor | null} */ tensor) =>
      tensor === null ? 0 : Number(tensor.norm().item());
    const gradNorm = Math.hypot(...parameters.map(([, { grad }]) => norm(grad)));
    const update = (/** @type {(readonly [string, Tensor])[]} */ list, /** @type {number} */ rate) =>
      noGrad(() => {
        for (const [, parameter] of list) if (parameter.grad) parameter.sub_(parameter.grad.mul(rate));
      });
    const lossAfter = (/** @type {(readonly [string, Tensor])[]} */ list) => {
      const before = list.map(([, parameter]) => parameter.detach().clone());
      update(list, lr);
      const value = lossNow();
      noGrad(() =>
        list.forEach(([, parameter], i) => void parameter.copy_(/** @type {Tensor} */ (before[i]))),
      );
      return value;
    };
    const layers = parameters
      .filter(([name]) => name.endsWith('weight'))
      .map(([name, parameter]) => {
        const [weight, grad] = [norm(parameter), norm(parameter.grad)];
        const input = inputs.of.get(name.replace(/\.weight$/, '')) ?? null;
        return {
          name,
          input,
          weight,
          grad,
          share: (lr * grad) / weight,
          alone: lossAfter([[name, parameter]]),
        };
      });
    const result = {
      loss: Number(loss.item()),
      after: lossAfter(parameters),
      logits: deviation,
      gradNorm,
      layers,
    };
    for (const [, parameter] of parameters) parameter.grad = null;
    return result;
  });
}

/** Root mean squares of the inputs of all modules. @param {nn.Module} model */
function recordInputs(model) {
  /** @type {Map<string, number>} */
  const of = new Map();
  const hooks = [...model.namedModules()].map(([name, module]) =>
    module.registerForwardPreHook((_, inputs) => {
      const [input] = /** @type {[Tensor]} */ (inputs);
      const meanSquare = tidy(() => Number(input.detach().square().mean().item()));
      of.set(name, Math.sqrt(meanSquare));
    }),
  );
  return { of, stop: () => hooks.forEach((hook) => void hook.remove()) };
}
