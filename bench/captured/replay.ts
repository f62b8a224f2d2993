/** Publishes a capture over NATS, and holds what the gateway's clients get against what the exchange said. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, headers, type MsgHdrs, type NatsConnection } from 'nats';
import { FORMATS } from '../../src/protocol/view-options.js';
import { CaptureReader, type LineKind, linesOf } from './capture.js';
import { type ChecksumCounts, Expectations } from './expectations.js';
import { Mapping, type Publication } from './mapping.js';
import type { MarketEvent } from './market-event.js';
import { type TopicState, Watcher } from './watcher.js';

/** Messages between two looks at how far the server is. */
const WINDOW_MESSAGES = 256;
const PROGRESS_EVERY = 32 * WINDOW_MESSAGES;
/** A run is over when clients hold everything, or when nothing has come for so long. */
const SILENCE_MS = 5_000;
const SUBSCRIBED_WITHIN_MS = 30_000;
const LOOK_MS = 20;
const STREAMS = { book: 'depth', trade: 'trades', quote: 'quotes', checksum: '' } as const;

interface ReplayOptions {
  readonly file: string;
  readonly natsUrl: string;
  /** `ws://host:port` of a gateway that reads from there, and that knows every symbol (`SYMBOLS=*`). */
  readonly gatewayUrl: string;
  /** Of an institutional user, so that clients are sent every change. */
  readonly token: string;
  /** The text of the gateway's `/metrics`. */
  readonly metrics: () => Promise<string>;
  readonly progress?: (text: string) => void;
}

interface FormatReport {
  readonly format: string;
  readonly topics: Readonly<Record<TopicState, number>>;
  readonly positions: { readonly equal: number; readonly different: number };
}

export interface CaptureReport {
  readonly lines: Readonly<Record<LineKind, number>>;
  readonly shapes: ReadonlyMap<string, number>;
  /** What the mapped lines say. */
  readonly events: Readonly<Record<MarketEvent['kind'], number>>;
  readonly published: number;
  /** Messages that the gateway refused, by its reason. */
  readonly refused: ReadonlyMap<string, number>;
  readonly checksums: Readonly<ChecksumCounts>;
  readonly formats: readonly FormatReport[];
  /** The first things that are not as they must be. */
  readonly problems: readonly string[];
}

/** @throws {Error} when NATS or the gateway cannot be used. */
export async function replayCapture(options: ReplayOptions): Promise<CaptureReport> {
  const expected = new Expectations();
  const topics = await topicsOf(options.file);
  const connection = await connect({ servers: options.natsUrl });
  const watchers: Watcher[] = [];
  try {
    for (const format of FORMATS) {
      watchers.push(await Watcher.connect(options.gatewayUrl, options.token, format, expected));
    }
    for (const topic of topics) expected.topics.set(topic, { at: new Map(), last: 0 });
    const asked = watchers.map(watcher => watcher.subscribe(topics));
    const isAnswered = () => watchers.every((watcher, i) => watcher.answered >= (asked[i] ?? 0));
    const deadlineMs = performance.now() + SUBSCRIBED_WITHIN_MS;
    while (!isAnswered()) {
      if (performance.now() > deadlineMs) throw new Error('the gateway does not answer the subscriptions');
      await sleep(LOOK_MS);
    }
    const before = refusedIn(await options.metrics());
    const counts = await publishAll(options, connection, expected);
    await settled(watchers, topics);
    const refused = refusedIn(await options.metrics());
    for (const [reason, count] of before) refused.set(reason, (refused.get(reason) ?? 0) - count);
    for (const [reason, count] of refused) if (count === 0) refused.delete(reason);
    return {
      ...counts,
      refused,
      checksums: expected.checksums,
      formats: watchers.map(watcher => formatReport(watcher, topics)),
      problems: [
        ...expected.wrong.map(text => `checksum of ${text} is not that of the book`),
        ...watchers.flatMap(({ problems }) => problems),
      ],
    };
  } finally {
    for (const watcher of watchers) watcher.close();
    await connection.close();
  }
}

/** True when nothing is wrong: no checksum, no position, no topic. */
export function isRight({ checksums, formats }: CaptureReport): boolean {
  return (
    checksums.wrong === 0 && formats.every(({ topics, positions }) => topics.different + positions.different === 0)
  );
}

async function topicsOf(file: string): Promise<ReadonlySet<string>> {
  const reader = new CaptureReader();
  const topics = new Set<string>();
  for await (const line of linesOf(file)) {
    for (const { kind, symbol } of reader.read(line).events) {
      if (kind !== 'checksum') topics.add(`${STREAMS[kind]}:${symbol}`);
    }
  }
  return topics;
}

async function publishAll({ file, progress }: ReplayOptions, connection: NatsConnection, expected: Expectations) {
  const reader = new CaptureReader();
  const mapping = new Mapping();
  const epoch = `captured-${Date.now().toString(36)}`;
  const lines: Record<LineKind, number> = { mapped: 0, silent: 0, unknown: 0, 'not JSON': 0 };
  const events: Record<MarketEvent['kind'], number> = { book: 0, checksum: 0, trade: 0, quote: 0 };
  const shapes = new Map<string, number>();
  let published = 0;
  for await (const line of linesOf(file)) {
    const { kind, shape, events: said, receivedMicros } = reader.read(line);
    lines[kind]++;
    if (shape !== '') shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
    for (const event of said) {
      events[event.kind]++;
      const publication = mapping.publicationOf(event, receivedMicros);
      expected.take(event, publication?.seq);
      if (publication === undefined) continue;
      connection.publish(publication.subject, publication.payload, { headers: headersOf(publication, epoch) });
      if (++published % WINDOW_MESSAGES !== 0) continue;
      await connection.flush();
      if (published % PROGRESS_EVERY === 0) progress?.(`${published} messages`);
      // The clients are in this process, too.
      await new Promise(resolve => setImmediate(resolve));
    }
  }
  await connection.flush();
  return { lines, events, shapes, published };
}

function headersOf({ seq, tsEventMicros }: Publication, epoch: string): MsgHdrs {
  const given = headers();
  given.set('Seq', String(seq));
  given.set('Epoch', epoch);
  if (tsEventMicros !== undefined) given.set('Ts-Event', String(Math.round(tsEventMicros)));
  return given;
}

async function settled(watchers: readonly Watcher[], topics: ReadonlySet<string>): Promise<void> {
  const isDone = () => watchers.every(w => [...topics].every(topic => w.stateOf(topic) !== 'different'));
  const frames = () => watchers.reduce((sum, watcher) => sum + watcher.frames, 0);
  let seen = frames();
  let heardMs = performance.now();
  while (!isDone() && performance.now() - heardMs < SILENCE_MS) {
    await sleep(LOOK_MS);
    if (frames() === seen) continue;
    seen = frames();
    heardMs = performance.now();
  }
}

function refusedIn(metrics: string): Map<string, number> {
  const refused = new Map<string, number>();
  for (const [, reason = '', count] of metrics.matchAll(/^millrace_feed_rejected_total\{reason="([^"]+)"\} (\d+)/gm)) {
    refused.set(reason, Number(count));
  }
  return refused;
}

function formatReport(watcher: Watcher, topics: ReadonlySet<string>): FormatReport {
  const states: Record<TopicState, number> = { equal: 0, 'held back': 0, unknown: 0, different: 0 };
  for (const topic of topics) states[watcher.stateOf(topic)]++;
  return { format: watcher.format, topics: states, positions: watcher.positions };
}
