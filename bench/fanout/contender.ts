/** What takes part in the fan-out benchmark. A further peer is one more value of {@link Contender}. */
import type { Channel } from '../harness/channel.js';
import type { Child, Children } from '../harness/children.js';
import type { Preparable } from '../harness/contenders.js';
import type { ClientPlan, Dialect } from '../load/messages.js';
import type { DeliveryMark } from '../load/tally.js';
import type { Pace } from '../pacing/pacer.js';
import type { Format, FrameSet } from './frames.js';
import type { Layout } from './layout.js';
import type { PaceAnswer, PaceCommand } from './messages.js';
import type { TickShape } from './ticks.js';

/** The same for every contender of a run. */
export interface RoundPlan {
  readonly layout: Layout;
  readonly shape: TickShape;
  readonly format: Format;
  readonly pace: Pace;
  /** The bytes that peers publish. */
  readonly frames: FrameSet;
}

export interface Contender extends Preparable {
  /** Starts fresh processes for one round. */
  start(children: Children, plan: RoundPlan): Promise<RunningContender>;
}

/** What a process does in the system under test. `server` is the contender itself, `neighbour` one that works beside it. */
export type Role = 'server' | 'nats-server' | 'publisher' | 'neighbour';

export interface RunningContender {
  readonly port: number;
  readonly clients: readonly ClientPlan[];
  readonly delivery: DeliveryMark;
  /** True: the server sends every client a snapshot first and numbers its deltas; false: it repeats recorded ones. */
  readonly isStateful: boolean;
  /** Frames that every client gets before anything is published; default: one where the server is stateful, else none. */
  readonly firstFrames?: number;
  readonly dialect?: Dialect;
  /** Of every process that is paced by the deliveries. */
  readonly progressPorts: readonly number[];
  readonly processes: readonly { readonly role: Role; readonly child: Child }[];
  /** The process that publishes: only `run` and `stop` are sent to it. */
  readonly publisher: Pick<Channel<PaceCommand<never>, PaceAnswer>, 'ask'>;
}
