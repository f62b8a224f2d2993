/**
 * Two upstreams that carry the same messages, both connected from the start: one is read, the other stands by.
 * `FailoverPolicy` decides which one is read. Messages that the publisher numbers count from whichever upstream
 * delivers them first (`Arbiter`), so a switch, or a late upstream, leaves no hole in them. Unnumbered messages come
 * from the active upstream only, and a switch begins a new epoch for them.
 *
 * Two JetStream streams have separate numberings, so a switch between them always begins a new epoch.
 */

import type {
  Clock,
  Feed,
  FeedHealth,
  FeedMessage,
  FeedSink,
  FeedStatus,
  PositionOutcome,
  PublishOutcome,
  StoredOutcome,
  StoredRange,
  UpstreamStats,
} from '../feed-contract/feed.js';
import type { FeedErrors } from '../feed-contract/feed-errors.js';
import {
  DONE,
  type FeedFailure,
  type FeedOutcome,
  failed,
  NOT_PUBLISHED,
  NOT_RUNNING,
} from '../feed-contract/feed-outcome.js';
import { Arbiter } from './arbitration.js';
import { FailoverLine, type LineOwner } from './failover-line.js';
import { BACKUP, FailoverPolicy, otherOf, PRIMARY, type UpstreamIndex } from './failover-policy.js';
import { HeldMessages } from './held-messages.js';

/** Checks per `staleAfterMs`; they determine how precisely a switch is timed. */
const CHECKS = 16;
/** A check this many times later than due means that the process slept, which says nothing about the upstreams. */
const LATE_CHECKS_MAX = 2;

interface FailoverFeedOptions {
  readonly name: Feed['name'];
  readonly openPrimary: () => Feed;
  readonly openBackup: () => Feed;
  readonly staleAfterMs: number;
  /** Of both. */
  readonly errors: FeedErrors;
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
      gap: (line, subject) => {
        if (line === this.#line) this.#sink?.gap?.(subject);
      },
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

  /** Starts with the backup if only that can be read. */
  async start(sink: FeedSink): Promise<FeedOutcome> {
    const [primary, backup] = this.#lines;
    this.#sink = sink;
    const outcome = await primary.start();
    if (!outcome.ok) return this.#startWithout(outcome);
    const standby = await backup.start();
    if (!standby.ok) {
      sink.notice?.('the backup upstream cannot be read', standby.detail);
      backup.keepTrying();
    }
    return this.#watch();
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

  /** Follows at both upstreams, so that the standby has the messages when it takes over. */
  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome> {
    if (!wanted) this.#arbiter.forget(subject);
    void this.#lines[otherOf(this.#active)].follow(subject, wanted);
    return this.#line.follow(subject, wanted);
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    this.#line.feed?.deadLetter(subject, payload, reason);
  }

  async publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<PublishOutcome> {
    return this.#line.feed?.publish(subject, payload, mark, key) ?? NOT_PUBLISHED;
  }

  position(subject: string): PositionOutcome {
    return this.#line.feed?.position(subject) ?? NOT_RUNNING;
  }

  async stored(range: StoredRange): Promise<StoredOutcome> {
    return this.#line.feed?.stored(range) ?? NOT_RUNNING;
  }

  /** Of the connection that is read; headers and errors of both. */
  get health(): FeedHealth {
    const healths = this.#lines.flatMap(({ feed }) => feed?.health ?? []);
    const active = this.#line.feed?.health;
    return {
      behind: active?.behind ?? 0,
      roundTripMs: active?.roundTripMs,
      queuedBytes: active?.queuedBytes ?? 0,
      headersIgnored: healths.reduce((sum, { headersIgnored }) => sum + headersIgnored, 0),
      errors: this.#options.errors.counts,
      ...this.#options.errors.recoveries,
    };
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    this.#options.clock.clearTimeout(this.#timer);
    await Promise.all(this.#lines.map(line => line.stop()));
  }

  get #line(): FailoverLine {
    return this.#lines[this.#active];
  }

  async #startWithout(withoutPrimary: FeedFailure): Promise<FeedOutcome> {
    const [primary, backup] = this.#lines;
    // Set first, so that messages of the backup count from its start.
    this.#active = BACKUP;
    this.#failovers++;
    this.#sink?.notice?.('the primary upstream cannot be read', withoutPrimary.detail);
    const outcome = await backup.start();
    if (!outcome.ok) {
      await this.stop();
      return failed(withoutPrimary.code, `${withoutPrimary.detail}; nor the backup: ${outcome.detail}`);
    }
    primary.keepTrying();
    return this.#watch();
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

  #watch(): FeedOutcome {
    if (this.#sink === undefined) return NOT_RUNNING;
    const { clock, staleAfterMs } = this.#options;
    this.#checkedMicros = clock.monotonicMicros();
    this.#timer = clock.setTimeout(() => this.#check(), staleAfterMs / CHECKS);
    return DONE;
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
