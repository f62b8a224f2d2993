/** `publish`: a client's message to a room, by way of the feed, so that every gateway has it in the same place. */
import { createHash } from 'node:crypto';
import type { ErrorCode } from '../protocol/codes.js';
import type { CommandId, PublishCommand } from '../protocol/commands.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { isCarriable } from '../protocol/plain.js';
import type { FromWorker, ToWorker } from '../protocol/thread-messages.js';
import { isSymbol, topicOf } from '../protocol/topics.js';
import type { Answers } from './answers.js';
import type { Session } from './session.js';

/** Publications of this worker waiting for their place; beyond it they are refused. */
export const PENDING_MAX = 5_000;
/** Longest message, in bytes of JSON: what encoders take. */
export const MESSAGE_BYTES_MAX = 256 * 1024;

interface Pending {
  readonly session: Session;
  readonly id: CommandId | undefined;
  readonly topic: string;
}

export class RoomMessages {
  readonly #answers: Answers;
  readonly #post: (message: FromWorker) => void;
  readonly #pending = new Map<number, Pending>();
  #last = 0;

  constructor(answers: Answers, post: (message: FromWorker) => void) {
    this.#answers = answers;
    this.#post = post;
  }

  /** Answered with `ack` when the message has its place; later commands do not wait for that. */
  publish(session: Session, { id, stream, room, data }: PublishCommand): void {
    // It waited for an earlier command, and meanwhile its sender's credential may have ended.
    if (session.socket === undefined) return;
    const { sub } = session.credential;
    const message = { type: 'room_message', room, from: sub, data, timestamp: new Date().toISOString() };
    const problem = problemOf(session, stream, room, data);
    const payload = problem === undefined ? Buffer.from(stringifyExact(message)) : NOTHING;
    const refused = problem ?? this.#refusalOf(payload);
    if (refused !== undefined) {
      this.#answers.fail(session, id, ...refused);
      return;
    }
    const request = ++this.#last;
    this.#pending.set(request, { session, id, topic: topicOf('rooms', room) });
    // One user's message with one id is one message, however often it is sent, and over whichever connection.
    const key = id === undefined ? '' : hashOf(stringifyExact([sub, room, id]));
    const content = id === undefined ? '' : hashOf(stringifyExact(data));
    this.#post({ type: 'publish', id: request, room, payload: new Uint8Array(payload), key, content });
  }

  /** The hub's answer. */
  published(answer: Extract<ToWorker, { type: 'published' }>): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (pending === undefined || pending.session.socket === undefined) return;
    const { session, id, topic } = pending;
    if ('failure' in answer) {
      this.#answers.fail(session, id, answer.code, answer.failure);
      return;
    }
    const { epoch, seq } = answer;
    this.#answers.send(session, id, { type: 'ack', topic, epoch, seq });
  }

  #refusalOf(payload: Uint8Array): Problem | undefined {
    if (payload.length > MESSAGE_BYTES_MAX) return ['payload_too_large', `at most ${MESSAGE_BYTES_MAX} bytes`];
    if (this.#pending.size >= PENDING_MAX) return ['rate_limited', 'too many messages are being published'];
    return undefined;
  }
}

type Problem = readonly [code: ErrorCode, message: string];

const NOTHING = new Uint8Array(0);

/** Any text may be a client's id, but not part of a header. */
const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Why this session cannot publish that, whatever its length. */
function problemOf(session: Session, stream: string, room: string, data: unknown): Problem | undefined {
  if (stream !== 'rooms') return ['unknown_stream', 'clients publish to rooms only'];
  if (session.credential.sub === '') return ['unauthorized', 'rooms: a credential is required'];
  if (!isSymbol(room))
    return [
      'invalid_message',
      'room: 1 to 128 bytes of UTF-8 without blanks, control characters, * and >, no empty part between dots',
    ];
  if (!session.entitlements.maySubscribe('rooms', room)) return ['forbidden', `not entitled to room ${room}`];
  if (data !== undefined && isCarriable(data)) return undefined;
  return ['invalid_message', 'data: must be plain JSON, at most 8 levels deep'];
}
