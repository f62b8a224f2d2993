/**
 * `publish`: sends a client's message to a room by way of the feed, so that every gateway sees it at the same
 * position.
 */
import { createHash } from 'node:crypto';
import type { ErrorCode } from '../../protocol/codes.js';
import type { CommandId } from '../../protocol/command-limits.js';
import type { PublishCommand } from '../../protocol/commands.js';
import { NESTING_MAX } from '../../protocol/content-limits.js';
import { ROOM_OPENED_UNITS } from '../../protocol/costs.js';
import { stringifyExact } from '../../protocol/exact-json.js';
import { isCarriable } from '../../protocol/plain.js';
import { isSymbol, topicOf } from '../../protocol/topics.js';
import type { FromWorker, ToWorker } from '../../threads/thread-messages.js';
import type { PublishedBytes } from '../limits/published-bytes.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { WorkBudgets } from '../limits/work-budgets.js';
import type { Session } from '../model/session.js';
import type { Replies } from '../sessions/replies.js';

/** Maximum publications of this worker that await their position; further ones are refused. */
export const PENDING_MAX = 5_000;
/** When a refused client may retry. */
const RETRY_AFTER_MS = 1_000;

interface RoomPublishingOptions {
  readonly replies: Replies;
  readonly post: (message: FromWorker) => void;
  /** Longest message, in bytes of the JSON that the room receives. */
  readonly messageBytesMax: number;
  readonly published: PublishedBytes;
  readonly budgets: WorkBudgets;
}

interface Pending {
  readonly session: Session;
  readonly id: CommandId | undefined;
  readonly topic: string;
}

export class RoomPublishing {
  /** Messages refused because their user published too many bytes. */
  readonly counters = { overRate: 0 };
  readonly #options: RoomPublishingOptions;
  readonly #pending = new Map<number, Pending>();
  #last = 0;

  constructor(options: RoomPublishingOptions) {
    this.#options = options;
  }

  /** Replies with `ack` once the message has its position. Later commands do not wait for it. */
  publish(session: Session, { id, stream, room, data }: PublishCommand): void {
    // The credential may have expired while this command was queued.
    if (session.socket === undefined) return;
    const { sub } = session.credential;
    const message = { type: 'room_message', room, from: sub, data, timestamp: new Date().toISOString() };
    const problem = problemOf(session, stream, room, data);
    const payload = problem === undefined ? Buffer.from(stringifyExact(message)) : NOTHING;
    const refused = problem ?? this.#refusalOf(payload, sub);
    if (refused !== undefined) {
      const [code, why, retryAfterMs] = refused;
      this.#fail({ session, id, topic: '' }, code, why, retryAfterMs);
      return;
    }
    const request = ++this.#last;
    this.#pending.set(request, { session, id, topic: topicOf('rooms', room) });
    // A user's message id identifies one message, however often and over whichever connection it is sent.
    const key = id === undefined ? '' : hashOf(stringifyExact([sub, room, id]));
    const content = id === undefined ? '' : hashOf(stringifyExact(data));
    const { owner } = session;
    const bytes = new Uint8Array(payload);
    this.#options.post({ type: 'publish', id: request, room, payload: bytes, key, content, owner });
  }

  /** Handles the hub's answer. */
  published(answer: Extract<ToWorker, { type: 'published' }>): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (pending !== undefined && answer.isOpened) this.#options.budgets.charge(pending.session, ROOM_OPENED_UNITS);
    if (pending === undefined || pending.session.socket === undefined) return;
    if ('failure' in answer) {
      this.#fail(pending, answer.code, answer.failure, answer.retryAfterMs);
      return;
    }
    const { epoch, seq } = answer;
    this.#options.replies.send(pending.session, pending.id, { type: 'ack', topic: pending.topic, epoch, seq });
  }

  #fail({ session, id }: Pending, code: ErrorCode, message: string, retryAfterMs: number | undefined): void {
    const when = retryAfterMs === undefined ? undefined : { retry_after_ms: retryAfterMs };
    this.#options.replies.send(session, id, { type: 'error', code, message, ...when });
  }

  #refusalOf(payload: Uint8Array, user: string): Problem | undefined {
    const { messageBytesMax, published } = this.#options;
    if (payload.length > messageBytesMax) return ['payload_too_large', `at most ${messageBytesMax} bytes`];
    if (this.#pending.size >= PENDING_MAX) {
      return ['rate_limited', 'too many publications pending', RETRY_AFTER_MS];
    }
    const waitMs = published.take(user, payload.length, sharedNowMs());
    if (waitMs === 0) return undefined;
    this.counters.overRate++;
    return ['rate_limited', 'this user publishes too many bytes per second', waitMs];
  }
}

type Problem = readonly [code: ErrorCode, message: string, retryAfterMs?: number];

const NOTHING = new Uint8Array(0);

/** A client's id may be any text, which a header cannot carry. */
const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Why this session may not publish the message, apart from its length. */
function problemOf(session: Session, stream: string, room: string, data: unknown): Problem | undefined {
  if (stream !== 'rooms') return ['unknown_stream', 'clients publish to rooms only'];
  if (session.credential.sub === '') return ['unauthorized', 'rooms: a credential is required'];
  if (!isSymbol(room))
    return [
      'invalid_message',
      'room: 1 to 128 bytes of UTF-8; no spaces, control characters, * or >, no empty part between dots',
    ];
  if (!session.entitlements.maySubscribe('rooms', room)) return ['forbidden', `not entitled to room ${room}`];
  if (data !== undefined && isCarriable(data)) return undefined;
  return ['invalid_message', `data: must be plain JSON, at most ${NESTING_MAX} levels deep`];
}
