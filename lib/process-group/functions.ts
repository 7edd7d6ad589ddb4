/**
 * The operations of {@link ProcessGroup} on the default group, or on that of the option `group`.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import type { Tensor } from '../tensor/tensor.js';
import type {
  DestinationOptions,
  ProcessGroup,
  RecvOptions,
  ReduceOptions,
  ReduceToOptions,
  SendOptions,
  SourceOptions,
} from './group.js';
import { groupOf } from './world.js';

/** The group of an operation. */
export interface GroupOption {
  /** Default: the group of {@link initProcessGroup}. */
  group?: ProcessGroup | undefined;
}

const GROUP = optionKeys('group');
const REDUCE = optionKeys('op', 'group');
const REDUCE_TO = optionKeys('op', 'dst', 'group');
const SOURCE = optionKeys('src', 'group');
const DESTINATION = optionKeys('dst', 'group');
const SEND = optionKeys('dst', 'tag', 'group');
const RECV = optionKeys('src', 'tag', 'group');

/** {@link ProcessGroup.allReduce} */
export async function allReduce(tensor: Tensor, options: ReduceOptions & GroupOption = {}): Promise<Tensor> {
  const { group, ...others } = checkOptions(options, REDUCE);
  return groupOf(group).allReduce(tensor, others);
}

/** {@link ProcessGroup.reduce} */
export async function reduce(tensor: Tensor, options: ReduceToOptions & GroupOption = {}): Promise<Tensor> {
  const { group, ...others } = checkOptions(options, REDUCE_TO);
  return groupOf(group).reduce(tensor, others);
}

/** {@link ProcessGroup.broadcast} */
export async function broadcast(tensor: Tensor, options: SourceOptions & GroupOption = {}): Promise<Tensor> {
  const { group, ...others } = checkOptions(options, SOURCE);
  return groupOf(group).broadcast(tensor, others);
}

/** {@link ProcessGroup.allGather} */
export async function allGather(tensor: Tensor, options: GroupOption = {}): Promise<Tensor[]> {
  checkOptions(options, GROUP);
  return groupOf(options.group).allGather(tensor);
}

/** {@link ProcessGroup.gather} */
export async function gather(
  tensor: Tensor,
  options: DestinationOptions & GroupOption = {},
): Promise<Tensor[] | null> {
  const { group, ...others } = checkOptions(options, DESTINATION);
  return groupOf(group).gather(tensor, others);
}

/** {@link ProcessGroup.scatter} */
export async function scatter(
  output: Tensor,
  inputs: readonly Tensor[] | null,
  options: SourceOptions & GroupOption = {},
): Promise<Tensor> {
  const { group, ...others } = checkOptions(options, SOURCE);
  return groupOf(group).scatter(output, inputs, others);
}

/** {@link ProcessGroup.reduceScatter} */
export async function reduceScatter(
  inputs: readonly Tensor[],
  options: ReduceOptions & GroupOption = {},
): Promise<Tensor> {
  const { group, ...others } = checkOptions(options, REDUCE);
  return groupOf(group).reduceScatter(inputs, others);
}

/** {@link ProcessGroup.allToAllSingle} */
export async function allToAllSingle(tensor: Tensor, options: GroupOption = {}): Promise<Tensor> {
  checkOptions(options, GROUP);
  return groupOf(options.group).allToAllSingle(tensor);
}

/** {@link ProcessGroup.barrier} */
export async function barrier(options: GroupOption = {}): Promise<void> {
  checkOptions(options, GROUP);
  await groupOf(options.group).barrier();
}

/** {@link ProcessGroup.send} */
export async function send(tensor: Tensor, options: SendOptions & GroupOption): Promise<void> {
  const { group, ...others } = checkOptions(options, SEND);
  await groupOf(group).send(tensor, others);
}

/** {@link ProcessGroup.recv} */
export async function recv(tensor: Tensor, options: RecvOptions & GroupOption = {}): Promise<number> {
  const { group, ...others } = checkOptions(options, RECV);
  return groupOf(group).recv(tensor, others);
}
