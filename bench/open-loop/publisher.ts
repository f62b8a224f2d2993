/** The open-loop publisher: a process of its own that publishes on NATS at intended times, or as fast as is received. */
import { buildFrames } from '../fanout/frames.js';
import { fanoutOf, type Layout, symbolsOf } from '../fanout/layout.js';
import { quoteAt, TICKS_PER_CYCLE } from '../fanout/ticks.js';
import { serve } from '../harness/channel.js';
import { clockOffsetMicros } from '../harness/clock.js';
import { LatencyHistogram } from '../load/latency-histogram.js';
import { nowMicros } from '../load/latency-inspector.js';
import { type Pace, Pacer } from '../pacing/pacer.js';
import { ProgressReceiver } from '../pacing/progress.js';
import type { OpenLoopAnswer, OpenLoopCommand, OpenLoopPlan } from './messages.js';
import { stampedFrame, WireConnection, type WireMessage, withHeader, withoutHeader, writeStamp } from './nats-wire.js';
import { type Rate, Schedule } from './schedule.js';

/** Most updates written at once, so that the loop takes commands while it is behind. */
const UPDATES_AT_ONCE_MAX = 512;
/** Shorter waits block the thread, which wakes within some 60 µs; a timer may come a millisecond late. */
const BLOCKING_WAIT_MICROS_MAX = 2000;

/** Within the longest text that Millrace takes in one field. */
const PADDING_FIELD_BYTES_MAX = 4000;

class Publisher {
  readonly #connection: WireConnection;
  readonly #layout: Layout;
  /** By symbol, one cycle. */
  readonly #messages: readonly (readonly WireMessage[])[];
  readonly #lateness = new LatencyHistogram();
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  #schedule: Schedule | undefined;
  #pacer: Pacer | undefined;
  /** Deliveries reported so far, and at the pacer's start, from which it counts. */
  #total = 0;
  #received = 0;
  /** Ticks of earlier stretches: a stretch goes on where the one before ended, so that every update is a change. */
  #ticks = 0;

  constructor(connection: WireConnection, plan: OpenLoopPlan) {
    this.#connection = connection;
    this.#layout = plan.layout;
    this.#messages = encode(plan);
  }

  /** One update of every symbol, so that all are known and have data. */
  async seed(): Promise<void> {
    for (const cycle of this.#messages) {
      const last = cycle.at(-1);
      if (last !== undefined) this.#connection.write(stamped(last, nowMicros()));
    }
    await this.#connection.flush();
  }

  run(rate: Rate): void {
    const schedule = new Schedule(rate, nowMicros());
    this.#schedule = schedule;
    const turn = (): void => {
      if (this.#schedule !== schedule) return;
      const now = nowMicros();
      const wait = schedule.untilNext(now);
      if (wait > BLOCKING_WAIT_MICROS_MAX) {
        setTimeout(turn, Math.floor((wait - BLOCKING_WAIT_MICROS_MAX / 2) / 1000));
        return;
      }
      if (wait > 0) Atomics.wait(this.#bell, 0, 0, wait / 1000);
      this.#publishDue(schedule);
      setImmediate(turn);
    };
    turn();
  }

  saturate(pace: Pace): void {
    this.#received = this.#total;
    this.#pacer = new Pacer(pace, (from, count) => this.#publish(from, count, () => nowMicros()));
    this.#pacer.start();
  }

  progress(total: number): void {
    this.#pacer?.progress(total - this.#received);
    this.#total = total;
  }

  mark(): void {
    this.#lateness.take();
  }

  stop(): Extract<OpenLoopAnswer, { type: 'stopped' }> {
    const updates = this.#schedule?.taken ?? this.#pacer?.updates ?? 0;
    this.#ticks += Math.ceil(updates / this.#messages.length);
    this.#schedule = undefined;
    this.#pacer?.stop();
    this.#pacer = undefined;
    const fanout = fanoutOf(this.#layout);
    let owed = Math.floor(updates / fanout.length) * fanout.reduce((sum, clients) => sum + clients, 0);
    for (let i = 0; i < updates % fanout.length; i++) owed += fanout[i] ?? 0;
    return {
      type: 'stopped',
      updates,
      owed,
      lateness: this.#lateness.take(),
      queuedBytes: this.#connection.queuedBytes,
      clockOffsetMicros: clockOffsetMicros(),
    };
  }

  #publishDue(schedule: Schedule): void {
    const from = schedule.taken;
    const count = schedule.take(nowMicros(), UPDATES_AT_ONCE_MAX);
    if (count === 0) return;
    this.#publish(from, count, update => schedule.intendedMicros(update));
    const now = nowMicros();
    for (let update = from; update < from + count; update++) {
      this.#lateness.record(now - schedule.intendedMicros(update));
    }
  }

  /** One write for all of them. Copies: the kernel may take the bytes later. */
  #publish(from: number, count: number, intended: (update: number) => number): void {
    const pieces: Buffer[] = [];
    for (let update = from; update < from + count; update++) {
      const cycle = this.#messages[update % this.#messages.length] ?? [];
      const message = cycle[(this.#ticks + Math.floor(update / this.#messages.length)) % cycle.length];
      if (message !== undefined) pieces.push(stamped(message, intended(update)));
    }
    this.#connection.write(pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces));
  }
}

function stamped(message: WireMessage, micros: number): Buffer {
  const bytes = Buffer.from(message.bytes);
  if (message.eventAt >= 0) writeStamp(bytes, message.eventAt, micros);
  if (message.sentAt >= 0) writeStamp(bytes, message.sentAt, micros);
  return bytes;
}

function encode({ layout, shape, form, paddingBytes }: OpenLoopPlan): WireMessage[][] {
  const symbols = symbolsOf(layout);
  const fields = Math.ceil(paddingBytes / PADDING_FIELD_BYTES_MAX);
  const padding = (tick: number): object =>
    Object.fromEntries(
      Array.from({ length: fields }, (_, field) => [
        `note${field}`,
        String(tick % 10).repeat(Math.round(paddingBytes / fields)),
      ]),
    );
  if (form === 'frames') {
    return buildFrames(layout, shape, 'json').map((cycle, index) =>
      cycle.map(frame => withoutHeader(`md.quotes.${symbols[index]}`, stampedFrame(frame))),
    );
  }
  return symbols.map(symbol =>
    Array.from({ length: TICKS_PER_CYCLE }, (_, tick) =>
      withHeader(`md.quotes.${symbol}`, JSON.stringify({ ...quoteAt(symbol, tick, shape), ...padding(tick) })),
    ),
  );
}

let running: Publisher | undefined;

serve<OpenLoopCommand, OpenLoopAnswer>(async command => {
  if (command.type === 'start') {
    const publisher = new Publisher(await WireConnection.open(command.natsUrl), command);
    // Who hands frames on keeps none, and one that is slow would still have them when its clients come.
    if (command.form === 'quotes') await publisher.seed();
    running = publisher;
    const receiver = await ProgressReceiver.listen(total => publisher.progress(total));
    return { type: 'started', progressPort: receiver.port };
  }
  if (running === undefined) throw new Error(`${command.type} before start`);
  switch (command.type) {
    case 'run':
      running.run(command.rate);
      return { type: 'running' };
    case 'saturate':
      running.saturate(command.pace);
      return { type: 'running' };
    case 'mark':
      running.mark();
      return { type: 'marked' };
    case 'stop':
      return running.stop();
  }
});
