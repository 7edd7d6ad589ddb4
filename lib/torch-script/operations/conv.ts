/**
 * Convolutions.
 * @module
 */
import type { DType } from '../../tensor/dtype.js';
import { type Code, DTYPE_CODES } from '../script.js';
import type { Step, Translations } from '../step.js';
import { calls } from './call.js';

const cast = (code: Code, from: DType, to: DType): Code =>
  from === to ? code : `torch.to(${code}, ${DTYPE_CODES[to]})`;

/**
 * The experts' sum weighted by the attention, and a convolution with it, sample by sample. One convolution of all samples as groups takes
 * up to 14 times as long on CPUs, and one with the outputs of all experts up to 50 times. The empty batch at the front gives the shape of the
 * result where there is no sample.
 */
function dynamicConv2d(step: Step): Code {
  const [, ...kernel] = step.sizes(1);
  const attention = step.let(cast('$2', step.dtype(2), step.dtype(0)));
  const experts = step.let('torch.flatten($1, 1)');
  const bias = step.isNull(3) ? undefined : step.let(`torch.matmul(${attention}, $3)`);
  const convolved = (x: Code, weight: Code, sum: Code) =>
    `torch.conv2d(${x}, ${weight}, ${sum}, $4, $5, $6, $7)`;
  const parts = step.let(`[${convolved('$0[0:0]', '$1[0]', 'None')}]`);
  const mixed = `torch.reshape(torch.matmul(${attention}[_i], ${experts}), [${kernel.join(', ')}])`;
  const one = convolved('$0[_i:_i + 1]', mixed, bias === undefined ? 'None' : `${bias}[_i]`);
  step.script.lines.push(
    `for _i in range(torch.size(${step.fill('$0')}, 0)):`,
    `  ${parts}.append(${step.fill(one)})`,
  );
  return `torch.cat(${parts})`;
}

/** Pooling, two linear maps, and a softmax with temperature or a sigmoid: [B, C, H, W] -> [B, K]. See cpp/ops/dynamic_conv/routing.cc. */
function routing(step: Step): Code {
  // As there: numbers of 16 bits are computed in float32.
  const computed: DType = step.dtype(0) === 'float64' ? 'float64' : 'float32';
  const layer = (x: Code, weight: number): Code => {
    const matrix = cast(step.fill(`torch.flatten($${weight}, 1)`), step.dtype(weight), computed);
    const bias = step.isNull(weight + 1)
      ? 'None'
      : cast(step.fill(`$${weight + 1}`), step.dtype(weight + 1), computed);
    return `torch.linear(${x}, ${matrix}, ${bias})`;
  };
  const pooled = step.let(`torch.mean($0, [2, 3], dtype=${DTYPE_CODES[computed]})`);
  const hidden = step.let(`torch.relu(${layer(pooled, 1)})`);
  const logits = step.let(layer(hidden, 3));
  // The largest is subtracted before the division, which could overflow.
  const result =
    step.text(6) === 'softmax'
      ? step.fill(`torch.softmax(torch.div(torch.sub(${logits}, torch.amax(${logits}, [1], True)), $5), 1)`)
      : step.fill(`torch.sigmoid(torch.div(${logits}, $5))`);
  return cast(result, computed, step.resultDType);
}

export const CONV: Translations = {
  ...calls(['conv1d', 'conv2d', 'conv3d'], '$0, $1, $2, $3, $4, $5, $6'),
  ...calls(['convTranspose1d', 'convTranspose2d', 'convTranspose3d'], '$0, $1, $2, $3, $4, $5, $6, $7'),
  im2col: 'torch.im2col($0, $1, $2, $3, $4)',
  col2im: 'torch.col2im($0, $1, $2, $3, $4, $5)',
  dynamicConv2d,
  routing,
};
