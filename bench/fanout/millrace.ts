/** Contender: the whole pipeline. Publisher process → nats-server → gateway, all on the loopback interface. */
import WebSocket from 'ws';
import { Channel } from '../harness/channel.js';
import type { Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { startNatsServer } from '../harness/nats-server.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import { ProgressSender } from '../pacing/progress.js';
import type { Contender, RunningContender } from './contender.js';
import { type FrameSet, frameSetOf, isDelta, QUOTES_DELTA } from './frames.js';
import { type Layout, symbolsOf, symbolsOfClient } from './layout.js';
import type { NatsStart, PaceAnswer, PaceCommand, PublishPlan } from './messages.js';
import { TICKS_PER_CYCLE, type TickShape } from './ticks.js';

/** Threads of the gateway; the benchmark's claim is about one gateway worker against one uWS thread. */
export interface GatewayThreads {
  readonly workers: string;
  readonly encoders: string;
}

/** Millrace with so many threads. */
export function millrace(threads: GatewayThreads): Contender {
  return { name: 'millrace', start: (children, plan) => startPipeline(children, plan, threads) };
}

interface Pipeline extends RunningContender {
  readonly publisher: Channel<PaceCommand<NatsStart>, PaceAnswer>;
}

async function startPipeline(children: Children, plan: PublishPlan, threads: GatewayThreads): Promise<Pipeline> {
  const secret = newSecret();
  const { layout, shape, pace } = plan;
  const nats = await startNatsServer(children);
  const gateway = await startGateway(children, {
    FEED: 'nats',
    NATS_URL: nats.url,
    AUTH_JWT_SECRET: secret,
    WORKERS: threads.workers,
    ENCODERS: threads.encoders,
    SYMBOLS: symbolsOf(layout).join(','),
  });
  const child = children.fork('publisher', new URL('./publisher.ts', import.meta.url));
  const publisher = new Channel<PaceCommand<NatsStart>, PaceAnswer>(child);
  const start: NatsStart = { type: 'start', natsUrl: nats.url, layout, shape, pace };
  const { progressPort } = await publisher.ask(start, 'started');
  const tokens = await mintTokens(secret, layout.clients);
  return {
    port: gateway.port,
    clients: tokens.map((token, client) => ({ path: path(symbolsOfClient(layout, client), token) })),
    delivery: QUOTES_DELTA,
    isStateful: true,
    progressPort,
    processes: [
      { role: 'server', child: gateway.child },
      { role: 'nats-server', child: nats.child },
      { role: 'publisher', child },
    ],
    publisher,
  };
}

function path(symbols: readonly string[], token: string): string {
  return `/ws/quotes?symbols=${symbols.join(',')}&class=realtime&token=${token}`;
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
  shape: TickShape,
  threads: GatewayThreads,
): Promise<FrameSet> {
  const { universe } = layout;
  const single: Layout = { clients: 1, symbolsPerClient: universe, universe };
  const windowUpdates = universe * RECORDING_WINDOW_TICKS;
  const fanout = new Array<number>(universe).fill(1);
  const pace = { windowUpdates, batchUpdates: universe, fanout, stallMs: 1000 };
  const wanted = universe * TICKS_PER_CYCLE * (CYCLES_BEFORE_RECORDING + 1);
  try {
    const pipeline = await startPipeline(children, { layout: single, shape, pace }, threads);
    const recording = record(pipeline, wanted, universe * TICKS_PER_CYCLE);
    const frames = await pipeline.processes.reduce((outcome, { child }) => child.during(outcome), recording);
    return frameSetOf(layout, frames);
  } finally {
    await children.endAll();
  }
}

async function record(pipeline: Pipeline, wanted: number, kept: number): Promise<string[]> {
  const url = `ws://127.0.0.1:${pipeline.port}${pipeline.clients[0]?.path}`;
  const frames: string[] = [];
  const progress = await ProgressSender.connect(pipeline.progressPort);
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const timeout = AbortSignal.timeout(RECORDING_TIMEOUT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      let received = 0;
      timeout.onabort = () =>
        reject(new Error(`${received} of ${wanted} frames recorded in ${RECORDING_TIMEOUT_MS} ms`));
      socket.once('error', reject);
      socket.once('close', code => reject(new Error(`the gateway closed the recording client with ${code}`)));
      socket.once('message', () => pipeline.publisher.ask({ type: 'run' }, 'running').catch(reject));
      socket.on('message', (data: Buffer) => {
        const frame = data.toString('utf8');
        if (!isDelta(frame)) return;
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
