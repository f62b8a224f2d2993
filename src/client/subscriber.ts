/** Keeps the gateway's subscriptions equal to the topic table: subscribes, resumes, retries, unsubscribes. */
import type { StreamPosition } from '../protocol/stream-position.js';
import { ALL_SYMBOLS } from '../protocol/topics.js';
import { Backoff } from './backoff.js';
import type { TopicChains } from './chain.js';
import type { WholeClock } from './clock.js';
import { errorCodeOf, MillraceError, type MillraceErrorCode } from './errors.js';
import type { Gap } from './frames.js';
import { isRecord, positionOf, type ServerFrame, texts } from './outcome.js';
import type { Requests } from './requests.js';
import type { Topic, TopicTable } from './topic-table.js';

/** Most names in one command: far fewer than a gateway accepts in one message. */
const NAMES_PER_COMMAND = 500;
/** Delays before a temporary refusal is retried. */
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** Of a symbol that was known before: whoever restarted the gateways may publish it again at any moment. */
const UNKNOWN_RETRY_MAX_MS = 8_000;

/** Refusals of a whole command that may concern only one of its names. */
const UNDIVIDED: ReadonlySet<MillraceErrorCode> = new Set([
  'invalid_message',
  'unknown_channel',
  'too_many_subscriptions',
]);
/** Refusals that say nothing about the topic. */
const MOMENTARY: ReadonlySet<MillraceErrorCode> = new Set(['rate_limited', 'internal', 'unavailable']);

export class Subscriber {
  readonly #table: TopicTable;
  readonly #chains: TopicChains;
  readonly #requests: Requests;
  readonly #clock: WholeClock;
  readonly #backoff: Backoff;
  /** For symbols that the gateway does not know yet. */
  readonly #unknownBackoff: Backoff;
  #isOpen = false;
  #isScheduled = false;
  #retryTimer: unknown;
  /** Delayed retries; dropped with the connection. */
  readonly #later = new Set<unknown>();

  constructor(
    table: TopicTable,
    chains: TopicChains,
    requests: Requests,
    { clock, random }: { readonly clock: WholeClock; readonly random: () => number },
  ) {
    this.#table = table;
    this.#chains = chains;
    this.#requests = requests;
    this.#clock = clock;
    this.#backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
    this.#unknownBackoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: UNKNOWN_RETRY_MAX_MS, random });
  }

  /** A connection is open: subscribes to everything again. */
  opened(): void {
    this.#isOpen = true;
    // Another gateway, perhaps: what the last one refused says nothing about it.
    this.#resetBackoffs();
    this.#flush();
  }

  down(): void {
    this.#isOpen = false;
    this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    for (const timer of this.#later) this.#clock.clearTimeout(timer);
    this.#later.clear();
    this.#table.down();
  }

  /** Subscribes to the topic; those of one turn go out together. */
  want(topic: Topic): void {
    topic.state = 'idle';
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  /** Unsubscribes topics that no stream follows any more. */
  leave(topics: readonly Topic[]): void {
    for (const topic of topics) {
      this.#table.remove(topic);
      this.#chains.forget(topic.wire);
    }
    if (!this.#isOpen) return;
    for (const batch of batches(topics.filter(({ state }) => state === 'live' || state === 'asked'))) {
      this.#unsubscribe(batch);
    }
  }

  /** Runs this later, unless the connection is lost by then. */
  later(delayMs: number, run: () => void): void {
    const timer = this.#clock.setTimeout(() => {
      this.#later.delete(timer);
      run();
    }, delayMs);
    this.#later.add(timer);
  }

  #unsubscribe(batch: readonly Topic[]): void {
    this.#table.leaving(batch, 1);
    this.#requests.ask(commandOf('unsubscribe', batch), frame => {
      if (frame.type !== 'error' || errorCodeOf(frame.code) !== 'rate_limited') {
        this.#table.leaving(batch, -1);
        return true;
      }
      this.later(retryAfterMs(frame), () => {
        this.#table.leaving(batch, -1);
        // Some of them may have been requested again.
        const left = batch.filter(({ wire }) => this.#table.byWire(wire) === undefined);
        for (const part of batches(left)) this.#unsubscribe(part);
      });
      return true;
    });
  }

  /** The gateway ended these: the credential no longer allows them, or it follows too many. */
  lost({ topics, code, message }: ServerFrame): void {
    for (const wire of texts(topics)) {
      const topic = this.#table.byWire(wire);
      if (topic === undefined) continue;
      this.#refuse(topic, new MillraceError(errorCodeOf(code), String(message), { names: [topic.name] }));
    }
  }

  #flush(): void {
    if (!this.#isOpen) return;
    const batched: Topic[] = [];
    for (const topic of this.#table.values()) {
      if (topic.state !== 'idle') continue;
      topic.state = 'asked';
      const since = topic.isState || !topic.wasLive ? undefined : this.#chains.position(topic.wire);
      // Resumed ones first: if all trades were live before, what one symbol missed would arrive after newer trades.
      if (since !== undefined) this.#resume(topic, since);
      else batched.push(topic);
    }
    for (const batch of batches(batched)) this.#ask(batch, commandOf('subscribe', batch), undefined);
  }

  #resume(topic: Topic, since: StreamPosition): void {
    this.#ask([topic], { ...commandOf('subscribe', [topic]), since }, since);
  }

  #ask(topics: readonly Topic[], command: object, since: StreamPosition | undefined): void {
    let open = topics;
    this.#requests.ask(command, frame => {
      if (frame.type === 'subscribed') {
        open = this.#accept(open, frame, since);
        return open.length === 0;
      }
      const code = errorCodeOf(frame.code);
      if (open.length > 1 && open === topics && UNDIVIDED.has(code)) {
        for (const topic of open) this.#ask([topic], commandOf('subscribe', [topic]), since);
        return true;
      }
      // An error without names concerns all that are left.
      const named = new Set(texts(frame.symbols));
      const refused = named.size === 0 ? open : open.filter(({ name }) => named.has(name));
      open = open.filter(topic => !refused.includes(topic));
      for (const topic of refused) this.#refused(topic, code, frame);
      return open.length === 0;
    });
  }

  /** Returns the topics that the gateway did not accept. */
  #accept(asked: readonly Topic[], frame: ServerFrame, since: StreamPosition | undefined): readonly Topic[] {
    const accepted = new Set(texts(frame.topics));
    const open: Topic[] = [];
    this.#resetBackoffs();
    for (const topic of asked) {
      const [own] = accepted;
      // Not the name of another stream: its frames would arrive as orders.
      if (topic.stream === 'orders' && own?.startsWith('orders:') && this.#table.has(topic))
        this.#table.rename(topic, own);
      if (!accepted.has(topic.wire)) {
        open.push(topic);
        continue;
      }
      // Left in the meantime, or requested again.
      if (!this.#table.has(topic) || topic.state !== 'asked') continue;
      const isAgain = topic.wasLive;
      topic.state = 'live';
      topic.wasLive = true;
      topic.heardMicros = this.#clock.monotonicMicros();
      topic.staleAsked = undefined;
      for (const sink of topic.sinks) sink.accepted(topic);
      if (isAgain && !topic.isState && frame.recovered !== true) tellLoss(topic, since, frame);
    }
    return open;
  }

  #refused(topic: Topic, code: MillraceErrorCode, frame: ServerFrame): void {
    if (!this.#table.has(topic) || topic.state !== 'asked') return;
    // After a restart a gateway may not know a symbol before its next message.
    const isRetried = MOMENTARY.has(code) || (topic.wasLive && code === 'invalid_symbol');
    const error = new MillraceError(code, String(frame.message), { names: [topic.name], isRetried });
    if (!isRetried) {
      this.#refuse(topic, error);
      return;
    }
    topic.state = 'refused';
    for (const sink of topic.sinks) sink.refused(topic, error);
    if (this.#retryTimer !== undefined) return;
    const backoff = code === 'invalid_symbol' ? this.#unknownBackoff : this.#backoff;
    const delayMs = Math.max(backoff.nextDelayMs(), retryAfterMs(frame, 0));
    this.#retryTimer = this.#clock.setTimeout(() => this.#retry(), delayMs);
  }

  #refuse(topic: Topic, error: MillraceError): void {
    this.#table.remove(topic);
    this.#chains.forget(topic.wire);
    for (const sink of topic.sinks) sink.refused(topic, error);
  }

  #resetBackoffs(): void {
    this.#backoff.reset();
    this.#unknownBackoff.reset();
  }

  #retry(): void {
    this.#retryTimer = undefined;
    for (const topic of this.#table.values()) if (topic.state === 'refused') topic.state = 'idle';
    this.#flush();
  }
}

/** When a gateway will accept what it refused, ms. */
export function retryAfterMs({ retry_after_ms: ms }: ServerFrame, otherwise = RETRY_BASE_MS): number {
  return typeof ms === 'number' && ms >= 0 ? Math.min(ms, RETRY_MAX_MS) : otherwise;
}

/** Reports what an event topic lost in a reconnect if it was not resumed completely. */
function tellLoss(topic: Topic, since: StreamPosition | undefined, frame: ServerFrame): void {
  const now = isRecord(frame.positions) ? positionOf(frame.positions[topic.wire]) : undefined;
  const isSameEpoch = since !== undefined && now?.epoch === since.epoch && now.seq > since.seq;
  const gap: Gap = {
    topic: topic.wire,
    from: isSameEpoch ? since.seq + 1 : 0,
    to: isSameEpoch ? now.seq : 0,
    reason: 'not_recovered',
    epoch: now?.epoch,
  };
  for (const sink of topic.sinks) sink.gap(gap);
}

/** Splits topics into groups that one command can name. */
function batches(topics: readonly Topic[]): Topic[][] {
  const open = new Map<string, Topic[]>();
  const all: Topic[][] = [];
  for (const topic of topics) {
    const key = `${topic.stream} ${topic.levels} ${topic.name === ALL_SYMBOLS}`;
    let batch = open.get(key);
    if (batch === undefined || batch.length === NAMES_PER_COMMAND) {
      batch = [];
      open.set(key, batch);
      all.push(batch);
    }
    batch.push(topic);
  }
  return all;
}

function commandOf(action: 'subscribe' | 'unsubscribe', [first, ...others]: readonly Topic[]): object {
  if (first === undefined) return { action };
  const { stream, name, levels } = first;
  if (stream === 'orders' || name === ALL_SYMBOLS) return { action, stream };
  const symbols = [name, ...others.map(topic => topic.name)];
  return { action, stream, symbols, ...(levels === undefined ? {} : { depth: levels }) };
}
