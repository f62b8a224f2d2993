/** `subscribe`, `unsubscribe` and `resync`. Each gets one reply for all the topics it names. */

import type { ErrorCode } from '../../protocol/codes.js';
import type { CommandId } from '../../protocol/command-limits.js';
import type { ResyncCommand, SubscribeCommand, UnsubscribeCommand } from '../../protocol/commands.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import { isStateStream, topicOf } from '../../protocol/topics.js';
import { CLASSES, classNumber, DEPTHS } from '../../protocol/view-options.js';
import { depthDetail, slowerClass } from '../../threads/lanes.js';
import { RETRY_AFTER_MS } from '../limits/retry-after.js';
import type { RequestedTopic, Session } from '../model/session.js';
import { shorten } from '../refusal.js';
import { andThen, type Handled } from '../sessions/maybe-promise.js';
import type { Replies } from '../sessions/replies.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import { laneFor } from '../views/view-of.js';
import { mustBeKnown, type Target, targetOf, unknownNames } from './requested-topics.js';
import type { SymbolLookup } from './symbol-lookup.js';

/** A `subscribe` command that is fully checked except for whether its names exist. */
interface Subscribing {
  readonly session: Session;
  readonly command: SubscribeCommand;
  readonly target: Target;
  readonly rateClass: number;
  readonly detail: number;
}

export class TopicCommands {
  /** True under overload: retail clients get no new subscriptions. */
  isShedding = false;
  /** Commands refused because of overload. */
  shed = 0;
  readonly #subscriptions: Subscriptions;
  readonly #symbols: SymbolLookup;
  readonly #answers: Replies;
  readonly #subscriptionsMax: number;

  constructor(options: {
    subscriptions: Subscriptions;
    symbols: SymbolLookup;
    answers: Replies;
    subscriptionsMax: number;
  }) {
    this.#subscriptions = options.subscriptions;
    this.#symbols = options.symbols;
    this.#answers = options.answers;
    this.#subscriptionsMax = options.subscriptionsMax;
  }

  subscribe(session: Session, command: SubscribeCommand): Handled {
    if (this.isShedding && session.tier === 'retail') {
      this.shed++;
      this.#answers.rateLimited(session, command.id, 'gateway overloaded', RETRY_AFTER_MS);
      return undefined;
    }
    const target = this.#target(session, command);
    if (target === undefined) return undefined;
    const rateClass = this.#classOf(session, command);
    const detail = this.#detailOf(session, command);
    if (rateClass === undefined || detail === undefined) return undefined;
    if (target.names.length > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    const subscribing = { session, command, target, rateClass, detail };
    const unknown = mustBeKnown(target) ? this.#symbols.unknown(target.names) : [];
    return andThen(unknown, names => this.#subscribeKnown(subscribing, names)) as Handled;
  }

  unsubscribe(session: Session, command: UnsubscribeCommand): Handled {
    const target = this.#target(session, command);
    if (target === undefined) return undefined;
    if (target.names.length > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    const topics = target.names.map(name => topicOf(target.stream, name));
    for (const topic of topics) this.#subscriptions.unsubscribe(session, topic);
    this.#answers.send(session, command.id, { type: 'unsubscribed', stream: target.stream, topics });
    return undefined;
  }

  resync(session: Session, command: ResyncCommand): Handled {
    const target = this.#target(session, command);
    if (target === undefined) return undefined;
    if (target.names.length > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    const topics = target.names.map(name => topicOf(target.stream, name));
    const missing = this.#subscriptions.resync(session, topics);
    if (missing.length > 0) this.#fail(session, command.id, 'not_subscribed', `not subscribed: ${shorten(missing)}`);
    return undefined;
  }

  #subscribeKnown(subscribing: Subscribing, unknown: readonly string[]): Handled {
    const { session, command, target, rateClass, detail } = subscribing;
    if (session.socket === undefined) return undefined;
    const { stream } = target;
    // A client may name 100,000 symbols: avoid anything quadratic here.
    const unknownSet = new Set(unknown);
    const known = target.names.filter(name => !unknownSet.has(name));
    const allowed = known.filter(name => session.entitlements.maySubscribe(stream, name));
    const lane = laneFor(session, stream, detail, rateClass);
    const wanted = allowed.map(symbol => ({ stream, symbol, lane }));
    const added = wanted.filter(({ symbol }) => !session.subscriptions.has(topicOf(stream, symbol))).length;
    if (session.subscriptions.size + added > this.#subscriptionsMax) return this.#tooMany(session, command.id);
    const refuse = () => this.#refuse(subscribing, unknown, known, allowed);
    if (wanted.length === 0) {
      refuse();
      return undefined;
    }
    if (isStateStream(stream)) {
      this.#subscribeStates(subscribing, wanted, refuse);
      return undefined;
    }
    if (command.since !== undefined && !target.isAll) {
      return this.#resume(subscribing, wanted, command.since, refuse);
    }
    // 'subscribed' on an event stream promises every message from here on, so the views must be live first.
    this.#subscriptions.subscribe(session, wanted);
    return this.#whenLive(session, wanted, () => {
      const live = wanted.filter(({ symbol }) => session.subscriptions.has(topicOf(stream, symbol)));
      const isRecovered = command.since === undefined ? undefined : false;
      if (live.length > 0) this.#subscribed(subscribing, live, isRecovered, this.#positions(session, live));
      refuse();
    });
  }

  #subscribeStates(subscribing: Subscribing, wanted: readonly RequestedTopic[], refuse: () => void): void {
    const { session, command } = subscribing;
    const present = wanted.filter(({ stream, symbol }) => session.subscriptions.has(topicOf(stream, symbol)));
    // For a state topic, the snapshot covers whatever the client missed.
    this.#subscribed(subscribing, wanted, command.since === undefined ? undefined : false);
    refuse();
    this.#subscriptions.subscribe(session, wanted);
    // A client that is told nothing was recovered is promised a snapshot.
    if (command.since === undefined) return;
    const topics = present.map(({ stream, symbol }) => topicOf(stream, symbol));
    this.#subscriptions.resync(session, topics);
  }

  #resume(
    subscribing: Subscribing,
    wanted: readonly RequestedTopic[],
    since: StreamPosition,
    refuse: () => void,
  ): Handled {
    return new Promise(resolve => {
      this.#subscriptions.resumeFrom(subscribing.session, wanted, since, (isRecovered, positions) => {
        this.#subscribed(subscribing, wanted, isRecovered, isRecovered ? undefined : positions);
        refuse();
        resolve();
      });
    });
  }

  #whenLive(session: Session, wanted: readonly RequestedTopic[], run: () => void): Handled {
    const pending: Promise<boolean>[] = [];
    for (const { stream, symbol } of wanted) {
      const view = session.subscriptions.get(topicOf(stream, symbol))?.view;
      if (view === undefined || view.source >= 0) continue;
      pending.push(view.live());
    }
    if (pending.length > 0) return Promise.all(pending).then(run);
    run();
    return undefined;
  }

  /** The positions of event topics; `trades:*` has one position per symbol. */
  #positions(session: Session, wanted: readonly RequestedTopic[]): Map<string, StreamPosition> {
    const positions = new Map<string, StreamPosition>();
    for (const { stream, symbol } of wanted) {
      const topic = topicOf(stream, symbol);
      const view = session.subscriptions.get(topic)?.view;
      const position = view?.seqs.find(view.source);
      if (position !== undefined && position.epoch !== '') {
        positions.set(topic, { epoch: position.epoch, seq: position.newest });
      }
    }
    return positions;
  }

  #subscribed(
    { session, command, target, rateClass }: Subscribing,
    wanted: readonly RequestedTopic[],
    isRecovered: boolean | undefined,
    positions?: ReadonlyMap<string, StreamPosition>,
  ): void {
    const { stream } = target;
    this.#answers.send(session, command.id, {
      type: 'subscribed',
      stream,
      topics: wanted.map(({ symbol }) => topicOf(stream, symbol)),
      ...(isStateStream(stream) ? { class: CLASSES[slowerClass(rateClass, session.conflation.level)] } : undefined),
      ...(isRecovered === undefined ? undefined : { recovered: isRecovered }),
      ...(positions === undefined || positions.size === 0 ? undefined : { positions: Object.fromEntries(positions) }),
    });
  }

  #refuse(
    { session, command, target }: Subscribing,
    unknown: readonly string[],
    known: readonly string[],
    allowed: readonly string[],
  ): void {
    // When other names were served or refused for another reason, the error lists the symbols it applies to.
    const about = (symbols: readonly string[]) => (symbols.length < target.names.length ? { symbols } : undefined);
    if (unknown.length > 0) {
      this.#answers.send(session, command.id, { type: 'error', ...unknownNames(unknown), ...about(unknown) });
    }
    if (allowed.length === known.length) return;
    const allowedSet = new Set(allowed);
    const denied = known.filter(name => !allowedSet.has(name));
    // Some streams require a credential for every topic.
    const code = session.credential.sub === '' ? 'unauthorized' : 'forbidden';
    const message = `not entitled to ${target.stream} of ${shorten(denied)}`;
    this.#answers.send(session, command.id, { type: 'error', code, message, ...about(denied) });
  }

  #target(session: Session, command: SubscribeCommand | UnsubscribeCommand | ResyncCommand): Target | undefined {
    const target = targetOf(session, command);
    if (!('code' in target)) return target;
    this.#fail(session, command.id, target.code, target.message);
    return undefined;
  }

  #classOf(session: Session, command: SubscribeCommand): number | undefined {
    if (command.class === undefined) return session.defaultClass;
    const rateClass = classNumber(command.class);
    if (rateClass === undefined) {
      this.#fail(session, command.id, 'invalid_message', `class: must be one of ${CLASSES.join(', ')}`);
      return undefined;
    }
    if (rateClass >= session.fastestClass) return rateClass;
    const fastest = CLASSES[session.fastestClass];
    this.#fail(session, command.id, 'forbidden', `class: the fastest for this credential is ${fastest}`);
    return undefined;
  }

  #detailOf(session: Session, command: SubscribeCommand): number | undefined {
    const detail = depthDetail(command.depth ?? DEPTHS[0]);
    if (detail === undefined) {
      this.#fail(session, command.id, 'invalid_message', `depth: must be one of ${DEPTHS.join(', ')}`);
    }
    return detail;
  }

  #tooMany(session: Session, id: CommandId | undefined): undefined {
    this.#fail(session, id, 'too_many_subscriptions', `at most ${this.#subscriptionsMax} topics per connection`);
  }

  #fail(session: Session, id: CommandId | undefined, code: ErrorCode, message: string): void {
    this.#answers.fail(session, id, code, message);
  }
}
