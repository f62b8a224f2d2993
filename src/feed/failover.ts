/**
 * Two upstreams that carry the same messages, both connected from the start: one is read, the other stands by.
 * `FailoverPolicy` decides which one is read. Messages that the publisher numbers count from whichever upstream
 * delivers them first (`Arbiter`), so a switch, or a late upstream, leaves no hole in them. Unnumbered messages come
 * from the active upstream only, and a switch begins a new epoch for them.
 *
 * Two JetStream streams have separate numberings, so a switch between them always begins a new epoch.
 */

import { Arbiter } from './arbitration.js';
import { textOf } from './error-text.js';
import { BACKUP, FailoverPolicy, otherOf, PRIMARY, type UpstreamIndex } from './failover-policy.js';
import { FailoverLine, type LineOwner } from './failover-line.js';
import type {
  Clock,
  Feed,
  FeedMessage,
  FeedPosition,
  FeedSink,
  UpstreamStats,
  FeedStatus,
  PublishOutcome,
  StoredOutcome,
  StoredRange,
} from './feed.js';
import { type FeedOutcome, failed } from './feed-outcome.js';
import { HeldMessages } from './held-messages.js';

/** Checks per `staleAfterMs`; they determine how precisely a switch is timed. */
const CHECKS = 16;
/** A check this many times later than due means that the process slept, which says nothing about the upstreams. */
const LATE_CHECKS_MAX = 2;

export interface FailoverFeedOptions {
  readonly name: Feed['name'];
  readonly openPrimary: () => Feed;
  readonly openBackup: () => Feed;
  readonly staleAfterMs: number;
  readonly clock: Clock;
}

export class FailoverFeed implements Feed {
  readonly name: Feed['name'];
  readonly #options: FailoverFeedOptions;
  readonly #lines: readonly [FailoverLine, FailoverLine];
  readonly #policy: FailoverPolicy;
  readonly #arbiter: Arbiter;
  readonly #held = new HeldMessages();
  #isHolding = false;
  #active: UpstreamIndex = PRIMARY;
  #status: FeedStatus | undefined;
  /** Undefined before the start and after the stop: nothing reaches it then. */
  #sink: FeedSink | undefined;
  #timer: unknown;
  #checkedMicros = 0;
  #failovers = 0;
  #duplicates = 0;

  constructor(options: FailoverFeedOptions) {
    const { clock, openPrimary, openBackup } = options;
    this.name = options.name;
    this.#options = options;
    this.#policy = new FailoverPolicy(options.staleAfterMs);
    const owner: LineOwner = {
      message: (line, message) => this.#received(line, message),
      status: (line, detail) => this.#onStatus(line, detail),
      control: (subject, payload, respond) => this.#sink?.control?.(subject, payload, respond),
      notice: (what, detail) => this.#sink?.notice?.(what, detail),
    };
    this.#lines = [
      new FailoverLine({ name: 'primary', index: PRIMARY, open: openPrimary, owner, clock }),
      new FailoverLine({ name: 'backup', index: BACKUP, open: openBackup, owner, clock }),
    ];
    this.#arbiter = new Arbiter({
      nowMs: () => clock.monotonicMicros() / 1000,
      isLive: line => this.#lines[line].isLive,
      deliver: message => this.#sink?.message(message),
    });
  }

  /** Starts with the backup if only that is reachable. @throws {Error} if neither is. */
  async start(sink: FeedSink): Promise<void> {
    const [primary, backup] = this.#lines;
    this.#sink = sink;
    try {
      await primary.start();
    } catch (error) {
      await this.#startWithout(error, backup);
      primary.keepTrying();
      this.#watch();
      return;
    }
    try {
      await backup.start();
    } catch (error) {
      sink.notice?.('the backup upstream cannot be read', textOf(error));
      backup.keepTrying();
    }
    this.#watch();
  }

  get stats(): UpstreamStats {
    const nowMicros = this.#options.clock.monotonicMicros();
    return {
      active: this.#line.name,
      failovers: this.#failovers,
      duplicates: this.#duplicates,
      upstreams: this.#lines.map(({ name, isLive, lastMessageMicros }) => {
        return { name, isLive, silentMs: lastMessageMicros === 0 ? undefined : (nowMicros - lastMessageMicros) / 1000 };
      }),
    };
  }

  /** Subscribes at both upstreams, so that the standby has the messages when it takes over. */
  interest(subject: string, wanted: boolean): Promise<FeedOutcome> | undefined {
    if (!wanted) this.#arbiter.forget(subject);
    this.#lines[otherOf(this.#active)].interest(subject, wanted);
    return this.#line.interest(subject, wanted);
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    this.#line.feed?.deadLetter(subject, payload, reason);
  }

  async publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<PublishOutcome> {
    const { feed } = this.#line;
    if (feed?.publish === undefined) return failed('unreachable', 'not published: NATS cannot be reached');
    return feed.publish(subject, payload, mark, key);
  }

  get headersIgnored(): number {
    return this.#lines.reduce((sum, { feed }) => sum + (feed?.headersIgnored ?? 0), 0);
  }

  position(subject: string): FeedPosition | undefined {
    return this.#line.feed?.position?.(subject);
  }

  async stored(range: StoredRange): Promise<StoredOutcome> {
    const outcome = await this.#line.feed?.stored?.(range);
    return outcome ?? failed('not_stored', 'the upstream keeps no messages');
  }

  behind(): number {
    return this.#line.feed?.behind?.() ?? 0;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#options.clock.clearTimeout(this.#timer);
    await Promise.all(this.#lines.map(line => line.stop()));
  }

  get #line(): FailoverLine {
    return this.#lines[this.#active];
  }

  async #startWithout(primaryError: unknown, backup: FailoverLine): Promise<void> {
    // Set first, so that messages of the backup count from its start.
    this.#active = BACKUP;
    this.#failovers++;
    this.#sink?.notice?.('the primary upstream cannot be read', textOf(primaryError));
    try {
      await backup.start();
    } catch (error) {
      this.#sink = undefined;
      const cause = new AggregateError([primaryError, error], 'neither upstream can be read');
      throw new Error(`${textOf(primaryError)}; nor the backup: ${textOf(error)}`, { cause });
    }
  }

  #received(line: FailoverLine, m: FeedMessage): void {
    const arbitration = this.#arbiter.received(line.index, m, line === this.#line);
    if (arbitration === 'duplicate') this.#duplicates++;
    else if (arbitration === 'pass' && this.#isHolding) this.#held.add(m);
  }

  #onStatus(line: FailoverLine, detail: string): void {
    if (line.isLive) this.#arbiter.reconnected(line.index);
    else this.#arbiter.maintain();
    if (line !== this.#line) {
      this.#sink?.notice?.(`the ${line.name} upstream is ${line.isLive ? 'live' : 'lost'}`, detail);
      return;
    }
    // The other upstream may now deliver what this one turns out to have missed.
    if (!line.isLive) this.#isHolding = true;
    this.#say(`${line.name}: ${detail}`);
  }

  #say(detail: string): void {
    const ifLive = this.#active === PRIMARY ? 'live' : 'failover';
    this.#status = this.#line.isLive ? ifLive : 'stale';
    this.#sink?.status(this.#status, detail);
  }

  #watch(): void {
    const { clock, staleAfterMs } = this.#options;
    this.#checkedMicros = clock.monotonicMicros();
    this.#timer = clock.setTimeout(() => this.#check(), staleAfterMs / CHECKS);
  }

  #check(): void {
    if (this.#sink === undefined) return;
    const { clock, staleAfterMs } = this.#options;
    const nowMicros = clock.monotonicMicros();
    const awakeMs = Math.min((nowMicros - this.#checkedMicros) / 1000, (LATE_CHECKS_MAX * staleAfterMs) / CHECKS);
    const [primary, backup] = this.#lines;
    const reason = this.#policy.check(this.#active, awakeMs, primary.check(nowMicros), backup.check(nowMicros));
    if (reason !== '') this.#switch(reason);
    this.#isHolding = !this.#policy.isDelivering(this.#active);
    if (!this.#isHolding) this.#held.clear();
    this.#arbiter.maintain();
    this.#watch();
  }

  #switch(reason: string): void {
    const left = this.#line.name;
    this.#active = otherOf(this.#active);
    if (this.#active === BACKUP) this.#failovers++;
    // Before the messages: for unnumbered subjects they begin a new epoch.
    this.#say(`reading from the ${this.#line.name}; the ${left}: ${reason}`);
    for (const message of this.#held.takeAll()) {
      if (this.#arbiter.takeHeld(this.#active, message) === 'duplicate') this.#duplicates++;
    }
    this.#arbiter.maintain();
  }
}
