/**
 * The names of the networks, in a separate file so that a command line can be checked without loading libtorch.
 * @module
 */

/** Height and width of the images that each network was designed for. */
export const IMAGE_SIZES = {
  alexnet: 128,
  'alexnet-dy': 128,
  'alexnet-wide': 128,
  resnet10: 224,
  resnet18: 224,
  resnet34: 224,
  resnet50: 224,
  resnet101: 224,
  resnet152: 224,
  resnext50_32x4d: 224,
  resnext101_32x8d: 224,
  resnext101_64x4d: 224,
  wide_resnet50_2: 224,
  wide_resnet101_2: 224,
  mobilenet_v2: 224,
  mobilenet_v3_small: 224,
  mobilenet_v3_large: 224,
  torchvision_alexnet: 224,
  vgg11: 224,
  vgg11_bn: 224,
  vgg13: 224,
  vgg13_bn: 224,
  vgg16: 224,
  vgg16_bn: 224,
  vgg19: 224,
  vgg19_bn: 224,
  squeezenet1_0: 224,
  squeezenet1_1: 224,
  densenet121: 224,
  efficientnet_b0: 224,
  convnext_tiny: 224,
  vit_b_16: 224,
  resnet10_dy: 224,
  resnet18_dy: 224,
  mobilenet_v2_dy: 224,
  mobilenet_v3_small_dy: 224,
} as const;

/** A name for {@link create}. */
export type ModelName = keyof typeof IMAGE_SIZES;

/** Names for {@link create} and `--model`. */
export const MODEL_NAMES = Object.keys(IMAGE_SIZES) as ModelName[];
