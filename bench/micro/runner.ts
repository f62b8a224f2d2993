/** The process in which operations are measured: compiled, and with nothing else in it, as an encoder's thread is. */
import { Bench } from 'tinybench';
import { serve } from '../harness/channel.js';
import { encoderCases } from './encoder-cases.js';
import { fixCases } from './fix-cases.js';
import { gatewayCases } from './gateway-cases.js';
import type { MicroCase } from './micro-case.js';

export type MicroCommand =
  | { readonly type: 'list' }
  | { readonly type: 'measure'; readonly name: string; readonly seconds: number; readonly warmupSeconds: number };

export type MicroAnswer =
  | { readonly type: 'listed'; readonly names: readonly string[] }
  /** Means of one operation, ns. */
  | { readonly type: 'measured'; readonly nanos: number; readonly referenceNanos: number };

type Measure = Extract<MicroCommand, { type: 'measure' }>;

/** Reading the clock takes as long as a short operation, so a sample is several of them. */
const OPERATIONS_A_SAMPLE = 10;

const cases = [...encoderCases(), ...fixCases(), ...(await gatewayCases())];

serve<MicroCommand, MicroAnswer>(async command => {
  if (command.type === 'list') return { type: 'listed', names: cases.map(({ name }) => name) };
  const one = cases.find(({ name }) => name === command.name);
  if (one === undefined) throw new Error(`there is no operation '${command.name}'`);
  return await measure(one, command);
});

/** Both of a pair one after the other, so that a slow moment of the machine hits both. */
async function measure({ name, run, reference }: MicroCase, { seconds, warmupSeconds }: Measure): Promise<MicroAnswer> {
  const bench = new Bench({ time: seconds * 1000, warmupTime: warmupSeconds * 1000, throws: true });
  bench.add(name, repeated(run)).add('reference', repeated(reference));
  const [own, other] = await bench.run();
  return { type: 'measured', nanos: nanosOf(own), referenceNanos: nanosOf(other) };
}

function repeated(operation: () => unknown): () => Promise<void> | void {
  if (operation() instanceof Promise) {
    return async () => {
      for (let i = 0; i < OPERATIONS_A_SAMPLE; i++) await operation();
    };
  }
  return () => {
    for (let i = 0; i < OPERATIONS_A_SAMPLE; i++) operation();
  };
}

function nanosOf(task: Bench['tasks'][number] | undefined): number {
  const result = task?.result;
  if (result === undefined || !('latency' in result)) throw new Error(`${task?.name ?? 'a task'} was not measured`);
  return (result.latency.mean * 1e6) / OPERATIONS_A_SAMPLE;
}
