/** Contender: the whole pipeline. Publisher process → nats-server → gateway, all on the loopback interface. */
import WebSocket from 'ws';
import { Channel } from '../harness/channel.js';
import type { Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { startNatsServer } from '../harness/nats-server.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import type { ClientPlan } from '../load/messages.js';
import { ProgressSender } from '../pacing/progress.js';
import type { Contender, RunningContender } from './contender.js';
import { deliveryMark, type Format, type FrameSet, frameSetOf, isDelta } from './frames.js';
import { type Layout, oneClientOf, symbolsOf, symbolsOfClient } from './layout.js';
import type { NatsStart, PaceAnswer, PaceCommand, PublishPlan } from './messages.js';
import { DEPTH_LEVELS, TICKS_PER_CYCLE, type TickShape } from './ticks.js';

/** Threads of the gateway; the benchmark's claim is about one gateway worker against one uWS thread. */
export interface GatewayThreads {
  readonly workers: string;
  readonly encoders: string;
}

/** Millrace with so many threads; `env` beyond the benchmark's own settings. */
export function millrace(threads: GatewayThreads, env: Readonly<Record<string, string>> = {}): Contender {
  return { name: 'millrace', start: (children, plan) => startPipeline(children, plan, threads, env) };
}

interface Pipeline extends RunningContender {
  readonly progressPorts: readonly [number];
  readonly publisher: Channel<PaceCommand<NatsStart>, PaceAnswer>;
}

/** nats-server, gateway and publisher for one round. */
export async function startPipeline(
  children: Children,
  plan: PublishPlan,
  threads: GatewayThreads,
  env: Readonly<Record<string, string>> = {},
): Promise<Pipeline> {
  const secret = newSecret();
  const { layout, shape, format, pace } = plan;
  const nats = await startNatsServer(children);
  const gateway = await startGateway(children, {
    FEED: 'nats',
    NATS_URL: nats.url,
    AUTH_JWT_SECRET: secret,
    WORKERS: threads.workers,
    ENCODERS: threads.encoders,
    SYMBOLS: symbolsOf(layout).join(','),
    ...env,
  });
  const child = children.fork('publisher', new URL('./publisher.ts', import.meta.url));
  const publisher = new Channel<PaceCommand<NatsStart>, PaceAnswer>(child);
  const start: NatsStart = { type: 'start', natsUrl: nats.url, layout, shape, format, pace };
  const { progressPort } = await publisher.ask(start, 'started');
  const tokens = await mintTokens(secret, layout.clients);
  return {
    port: gateway.port,
    clients: tokens.map((token, client) => clientPlan(plan, symbolsOfClient(layout, client), token)),
    delivery: deliveryMark(shape, format),
    isStateful: true,
    // Books: the answer to the command and a snapshot of each symbol. Quotes: one snapshot of all.
    firstFrames: shape === 'depth' ? 1 + layout.symbolsPerClient : 1,
    progressPorts: [progressPort],
    processes: [
      { role: 'server', child: gateway.child },
      { role: 'nats-server', child: nats.child },
      { role: 'publisher', child },
    ],
    publisher,
  };
}

/** Quotes by their endpoint; books by a command, since their endpoint serves one symbol. */
function clientPlan({ shape, format }: PublishPlan, symbols: readonly string[], token: string): ClientPlan {
  const common = `class=realtime&format=${format}&token=${token}`;
  if (shape !== 'depth') return { path: `/ws/quotes?symbols=${symbols.join(',')}&${common}` };
  const command = { action: 'subscribe', stream: 'depth', depth: DEPTH_LEVELS, symbols };
  return { path: `/ws?${common}`, command: JSON.stringify(command) };
}

/** Cycles that pass before recording starts: sequence numbers are then as long as in most of a round. */
const CYCLES_BEFORE_RECORDING = 16;
const RECORDING_TIMEOUT_MS = 60_000;
const RECORDING_WINDOW_TICKS = 8;

/**
 * Runs the pipeline with one client that wants every symbol and keeps one cycle of the frames that it gets, so that the
 * peers publish Millrace's own bytes.
 */
export async function recordFrames(
  children: Children,
  layout: Layout,
  { shape, format }: { readonly shape: TickShape; readonly format: Format },
  threads: GatewayThreads,
): Promise<FrameSet> {
  const { universe } = layout;
  const windowUpdates = universe * RECORDING_WINDOW_TICKS;
  const fanout = new Array<number>(universe).fill(1);
  const pace = { windowUpdates, batchUpdates: universe, fanout, stallMs: 1000 };
  const wanted = universe * TICKS_PER_CYCLE * (CYCLES_BEFORE_RECORDING + 1);
  try {
    const pipeline = await startPipeline(children, { layout: oneClientOf(layout), shape, format, pace }, threads);
    const isWanted = (frame: Buffer): boolean => isDelta(frame, shape, format);
    const recording = record(pipeline, { wanted, kept: universe * TICKS_PER_CYCLE, isWanted });
    const frames = await pipeline.processes.reduce((outcome, { child }) => child.during(outcome), recording);
    return frameSetOf(layout, frames, format);
  } finally {
    await children.endAll();
  }
}

interface Recording {
  readonly wanted: number;
  /** How many of the last ones are kept. */
  readonly kept: number;
  isWanted(frame: Buffer): boolean;
}

async function record(pipeline: Pipeline, { wanted, kept, isWanted }: Recording): Promise<Buffer[]> {
  const [client] = pipeline.clients;
  const url = `ws://127.0.0.1:${pipeline.port}${client?.path}`;
  const frames: Buffer[] = [];
  const progress = await ProgressSender.connect(pipeline.progressPorts[0]);
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const timeout = AbortSignal.timeout(RECORDING_TIMEOUT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      let received = 0;
      timeout.onabort = () =>
        reject(new Error(`${received} of ${wanted} frames recorded in ${RECORDING_TIMEOUT_MS} ms`));
      socket.once('error', reject);
      socket.once('close', code => reject(new Error(`the gateway closed the recording client with ${code}`)));
      let early = 0;
      socket.once('open', () => {
        if (client?.command !== undefined) socket.send(client.command);
      });
      socket.on('message', (frame: Buffer) => {
        if (!isWanted(frame)) {
          if (++early === pipeline.firstFrames) pipeline.publisher.ask({ type: 'run' }, 'running').catch(reject);
          return;
        }
        received++;
        progress.send(received);
        if (received > wanted - kept) frames.push(frame);
        if (received === wanted) resolve();
      });
    });
    return frames;
  } finally {
    timeout.onabort = null;
    socket.terminate();
    progress.end();
    await pipeline.publisher.ask({ type: 'stop' }, 'stopped').catch(() => undefined);
  }
}
