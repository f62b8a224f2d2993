/** The replies to `subscribe`: what is subscribed, and what is refused for which reason. */
import type { CommandId } from '../../protocol/command-limits.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import { isStateStream, type Stream, topicOf } from '../../protocol/topics.js';
import { CLASSES } from '../../protocol/view-options.js';
import { slowerClass } from '../../threads/lanes.js';
import type { RequestedTopic, Session } from '../model/session.js';
import { denialsOf } from '../refusal.js';
import type { Replies } from '../sessions/replies.js';
import { delayText } from '../views/view-of.js';
import { unknownNames } from './requested-topics.js';

/** What a command asked for. */
interface Asked {
  readonly session: Session;
  readonly id: CommandId | undefined;
  readonly stream: Stream;
}

interface Served extends Asked {
  readonly rateClass: number;
  /** Undefined: the command named no position. */
  readonly isRecovered: boolean | undefined;
  /** Of event topics: where they begin. */
  readonly positions?: ReadonlyMap<string, StreamPosition> | undefined;
}

export class TopicReplies {
  readonly #replies: Replies;

  constructor(replies: Replies) {
    this.#replies = replies;
  }

  /** One reply for all topics of the same delay; almost always, that is all of them. */
  subscribed(served: Served, requested: readonly RequestedTopic[]): void {
    const byDelay = new Map<number, string[]>();
    for (const topic of requested) {
      const delayMs = served.session.delayMsOf(topic.stream, topic.symbol);
      const text = topicOf(topic.stream, topic.symbol);
      const others = byDelay.get(delayMs);
      if (others === undefined) byDelay.set(delayMs, [text]);
      else others.push(text);
    }
    for (const [delayMs, topics] of byDelay) this.#send(served, topics, delayMs);
  }

  #send(
    { session, id, stream, rateClass, isRecovered, positions }: Served,
    topics: readonly string[],
    delayMs: number,
  ): void {
    const ofThese = topics.flatMap(topic => {
      const position = positions?.get(topic);
      return position === undefined ? [] : [[topic, position] as const];
    });
    this.#replies.send(session, id, {
      type: 'subscribed',
      stream,
      topics,
      ...(isStateStream(stream) ? { class: CLASSES[slowerClass(rateClass, session.conflation.level)] } : undefined),
      ...(delayMs === 0 ? undefined : { delay: delayText(delayMs) }),
      ...(isRecovered === undefined ? undefined : { recovered: isRecovered }),
      ...(ofThese.length === 0 ? undefined : { positions: Object.fromEntries(ofThese) }),
    });
  }

  /**
   * An error that concerns all names of a command lists none of them.
   * @param asked how many names the command has
   */
  unknown({ session, id, stream }: Asked, names: readonly string[], asked: number): void {
    if (names.length === 0) return;
    const error = { type: 'error', ...unknownNames(names), ...about(names, asked) };
    this.#replies.send(session, id, error, { stream, names });
  }

  /** One error for each product that the denied names belong to, and one for the rest. @see unknown */
  denied({ session, id, stream }: Asked, names: readonly string[], asked: number): void {
    // Some streams require a credential for every topic.
    const code = session.credential.sub === '' ? 'unauthorized' : 'forbidden';
    for (const denial of denialsOf(session.entitlements, stream, names)) {
      const product = denial.product === undefined ? undefined : { product: denial.product };
      const error = { type: 'error', code, message: denial.message, ...product, ...about(denial.names, asked) };
      this.#replies.send(session, id, error, { stream, names: denial.names });
    }
  }
}

function about(symbols: readonly string[], asked: number): { readonly symbols: readonly string[] } | undefined {
  return symbols.length < asked ? { symbols } : undefined;
}
