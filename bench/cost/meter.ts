/** Sends one kind of message over and over, and reads what each of the gateway's threads used for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AnswerCounts } from '../attack/answer-inspector.js';
import { AttackConnection } from '../attack/attack-connection.js';
import type { AttackPlan } from '../attack/messages.js';
import { type Payload, prepare } from '../attack/payloads.js';
import { type CpuSample, sampleCpu } from '../harness/cpu.js';
import { mintToken } from '../harness/tokens.js';
import type { LoadSocketContext } from '../load/load-socket.js';
import { Tally } from '../load/tally.js';
import { type MessageKind, TOKEN_BLANK } from './kinds.js';

/** What one message of a kind costs the gateway, and what it brings its sender. */
export interface MessageCost {
  readonly name: string;
  /** Served: sent, less what was refused by `rate_limited`. */
  readonly messages: number;
  readonly rateLimited: number;
  /** Its sender was told to wait, or closed for it, before the end. */
  readonly isCharged: boolean;
  /** Bytes of frames and of what came back for them. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** CPU time: of all threads, and of the one that had most to do. */
  readonly micros: number;
  readonly busiestMicros: number;
  /** Share of its time that the busiest thread spent on this one connection, sent as fast as it was allowed. */
  readonly busiestShare: number;
}

interface MeteredGateway {
  readonly port: number;
  readonly pid: number;
  readonly secret: string;
}

export interface MeterTimes {
  /** How long a kind is sent. */
  readonly seconds: number;
  /** How long one that costs too much is, unless it is charged before. */
  readonly secondsMax: number;
}

/** The most that an uncharged message may cost any thread per kB sent, and return per byte. */
export const UNCHARGED_MILLIS_PER_KB_MAX = 2;
export const UNCHARGED_BYTES_OUT_PER_IN_MAX = 50;

/** Below the messages a second that are allowed whatever they cost. */
const PER_SECOND = 800;
const UNANSWERED_MAX = 16;
const TICK_MS = 2;
const IDLE_MS = 200;
const QUIET_MS = 150;
const QUIET_WITHIN_MS = 20_000;
const READ_BUFFER_BYTES = 256 * 1024;
const MICROS = 1e6;

/** ms of the busiest thread per kB sent; a message counts as one kB at least, as it has a cost of its own. */
export function millisPerKilobyte({ busiestMicros, bytesIn }: MessageCost): number {
  return busiestMicros / 1000 / Math.max(1, bytesIn / 1000);
}

export function bytesOutPerIn({ bytesOut, bytesIn }: MessageCost): number {
  return bytesOut / bytesIn;
}

/** True for what costs more than a message may for which nothing is charged. */
export function isDear(cost: MessageCost): boolean {
  return millisPerKilobyte(cost) > UNCHARGED_MILLIS_PER_KB_MAX || bytesOutPerIn(cost) > UNCHARGED_BYTES_OUT_PER_IN_MAX;
}

/** @param index of the kind: each has a user and an address of its own */
export async function costOf(
  kind: MessageKind,
  index: number,
  gateway: MeteredGateway,
  { seconds, secondsMax }: MeterTimes,
): Promise<MessageCost> {
  const client = new MeterClient(gateway.port, await planOf(kind, index, gateway.secret));
  try {
    await client.open();
    await client.quiet();
    const idleBefore = await idleShares(gateway.pid);
    const served = await serve(client, gateway.pid, seconds);
    // The first one may have met the end of what came before.
    const idle = lesser(idleBefore, await idleShares(gateway.pid));
    const cost = costFrom(kind, served, idle);
    // What is dear may have a budget that is not used up yet.
    const mayBeCharged = isDear(cost) && !cost.isCharged;
    return mayBeCharged ? costFrom(kind, await serve(client, gateway.pid, secondsMax), idle) : cost;
  } finally {
    client.end();
  }
}

/** What the client counted before and after it sent, and what the gateway's threads used for it. */
interface Served {
  readonly before: ReturnType<MeterClient['counts']>;
  readonly after: ReturnType<MeterClient['counts']>;
  readonly spent: ThreadTimes;
}

async function serve(client: MeterClient, pid: number, seconds: number): Promise<Served> {
  const before = client.counts();
  const spent = await sampled(pid, async () => {
    await client.send(seconds);
    await client.quiet();
  });
  return { before, after: client.counts(), spent };
}

/** Share of its time that each thread uses while nothing is sent. */
async function idleShares(pid: number): Promise<ReadonlyMap<number, number>> {
  const { byThread, elapsed } = await sampled(pid, () => sleep(IDLE_MS));
  return new Map([...byThread].map(([tid, ran]) => [tid, ran / elapsed]));
}

const lesser = (a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): ReadonlyMap<number, number> =>
  new Map([...b].map(([tid, share]) => [tid, Math.min(share, a.get(tid) ?? share)]));

function costFrom(
  { name }: MessageKind,
  { before, after, spent }: Served,
  idle: ReadonlyMap<number, number>,
): MessageCost {
  const messages = Math.max(1, after.sent - before.sent - (after.rateLimited - before.rateLimited));
  const own = [...spent.byThread].map(([tid, ran]) => ran - (idle.get(tid) ?? 0) * spent.elapsed);
  const all = own.reduce((sum, ran) => sum + Math.max(0, ran), 0);
  const busiest = Math.max(0, ...own);
  return {
    name,
    messages,
    rateLimited: after.rateLimited - before.rateLimited,
    isCharged: after.rateLimited > 0 || after.isClosed,
    bytesIn: (after.sentBytes - before.sentBytes) / (after.sent - before.sent),
    bytesOut: (after.receivedBytes - before.receivedBytes) / messages,
    micros: (all / messages) * MICROS,
    busiestMicros: (busiest / messages) * MICROS,
    busiestShare: busiest / spent.elapsed,
  };
}

interface ThreadTimes {
  /** Seconds of CPU by thread, and of the clock. */
  readonly byThread: ReadonlyMap<number, number>;
  readonly elapsed: number;
}

async function sampled(pid: number, work: () => Promise<unknown>): Promise<ThreadTimes> {
  const before = sampleCpu(pid);
  await work();
  const after = sampleCpu(pid);
  const ran = (sample: CpuSample, tid: number): number => sample.threads.get(tid)?.ran ?? 0;
  const byThread = new Map([...after.threads.keys()].map(tid => [tid, ran(after, tid) - ran(before, tid)]));
  return { byThread, elapsed: (after.atMs - before.atMs) / 1000 };
}

async function planOf(kind: MessageKind, index: number, secret: string): Promise<AttackPlan & { perSecond: number }> {
  const token = kind.by === 'anonymous' ? '' : await mintToken(secret, `cost-${index}`, kind.by);
  const query = [kind.format === undefined ? '' : `format=${kind.format}`, token === '' ? '' : `token=${token}`];
  const withToken = (payload: Payload): Payload =>
    payload.kind === 'text' ? { ...payload, text: payload.text.replace(TOKEN_BLANK, token) } : payload;
  return {
    connections: 1,
    addresses: [`127.1.${index + 1}.1`],
    paths: [`/ws?${query.filter(part => part !== '').join('&')}`],
    prelude: kind.prelude ?? [],
    messages: kind.cycle.map(withToken),
    perSecond: kind.perSecond ?? PER_SECOND,
    unansweredMax: kind.isAnswered === false ? undefined : UNANSWERED_MAX,
    sinceBack: kind.sinceBack,
  };
}

/** One connection in this process; what it uses itself is not counted. */
class MeterClient implements LoadSocketContext {
  readonly host = '127.0.0.1';
  readonly tally = new Tally(undefined);
  readonly inspector = undefined;
  readonly buffer = new Uint8Array(READ_BUFFER_BYTES);
  readonly #plan: AttackPlan;
  readonly #connection: AttackConnection;
  readonly #answers = new AnswerCounts();
  #sent = 0;
  #sentBytes = 0;
  #isClosed = false;

  constructor(
    readonly port: number,
    plan: AttackPlan,
  ) {
    this.#plan = plan;
    const { prelude, messages } = plan;
    this.#connection = new AttackConnection(0, {
      plan,
      prelude: prelude.map(prepare),
      messages: messages.map(prepare),
      context: this,
      counts: this.#answers,
    });
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  lost(): void {
    this.#isClosed = true;
    this.#connection.lost();
  }

  counts() {
    return {
      sent: this.#sent,
      sentBytes: this.#sentBytes,
      receivedBytes: this.tally.wireBytes,
      rateLimited: this.#answers.refused.rate_limited ?? 0,
      isClosed: this.#isClosed,
    };
  }

  /** Sends for so long, at its rate, and waits where it is told to. Whole cycles, so that the next begins as this one did. */
  async send(seconds: number): Promise<void> {
    const startedMs = performance.now();
    const { perSecond, messages } = this.#plan;
    let due = 0;
    let elapsed = 0;
    while (elapsed < seconds && !this.#isClosed) {
      await sleep(TICK_MS);
      elapsed = (performance.now() - startedMs) / 1000;
      for (; due < elapsed * perSecond; due++) this.#sendOne();
    }
    while (this.#sent % messages.length !== 0 && !this.#isClosed) {
      this.#sendOne();
      await sleep(TICK_MS);
    }
  }

  /** Resolves once nothing has come for a while. */
  async quiet(): Promise<void> {
    const deadline = performance.now() + QUIET_WITHIN_MS;
    let bytes = -1;
    while (bytes !== this.tally.wireBytes && performance.now() < deadline) {
      bytes = this.tally.wireBytes;
      await sleep(QUIET_MS);
    }
  }

  end(): void {
    this.#connection.end();
  }

  #sendOne(): void {
    if (!this.#connection.canSend(performance.now())) return;
    this.#sentBytes += this.#connection.send(this.#sent++);
  }
}
