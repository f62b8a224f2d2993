/** Unanswered publications into rooms. */
import { errorCodeOf, MillraceError } from './errors.js';
import { isSeq, type ServerFrame } from './outcome.js';
import type { Requests } from './requests.js';

/** Most unanswered publications, over all rooms; further ones are rejected. */
const PENDING_MAX = 256;
const INSTANCE_BYTES = 12;

/** A published message's position in its room. */
export interface Published {
  readonly seq: number;
  readonly epoch: string;
}

interface Pending {
  readonly id: string;
  /** Encoded once: the application may change its data later. */
  readonly encoded: string | Uint8Array;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: MillraceError) => void;
}

/**
 * Publications survive reconnects: they are sent again with the same `id`, by which the gateway recognizes them. So ids
 * are unique over all clients of a user.
 */
export class Publications {
  readonly #requests: Requests;
  readonly #pending = new Set<Pending>();
  readonly #instance = newInstance();
  #count = 0;
  #isOpen = false;

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** Rejects with a `MillraceError`: the gateway's refusal, `too_many_publications`, or `closed`. */
  publish(room: string, data: unknown): Promise<Published> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= PENDING_MAX) {
        throw new MillraceError('too_many_publications', `${PENDING_MAX} publications are unanswered`);
      }
      const id = `${this.#instance}-${++this.#count}`;
      const encoded = this.#requests.encode({ action: 'publish', stream: 'rooms', room, data, id });
      const pending: Pending = { id, encoded, resolve, reject };
      this.#pending.add(pending);
      if (this.#isOpen) this.#send(pending);
    });
  }

  opened(): void {
    this.#isOpen = true;
    for (const pending of this.#pending) this.#send(pending);
  }

  /** @param isTooLong the gateway closed because of a message's length: do not send those messages again. */
  down(isTooLong: boolean): void {
    this.#isOpen = false;
    if (!isTooLong) return;
    const error = new MillraceError(
      'payload_too_large',
      'the gateway closed the connection because of a message this long',
    );
    for (const pending of this.#pending) this.#settle(pending).reject(error);
  }

  closed(error: MillraceError): void {
    for (const pending of this.#pending) this.#settle(pending).reject(error);
  }

  #send(pending: Pending): void {
    const answer = (frame: ServerFrame): boolean => {
      const { seq, epoch, code, message } = frame;
      if (frame.type === 'ack' && isSeq(seq)) this.#settle(pending).resolve({ seq, epoch: String(epoch) });
      else this.#settle(pending).reject(new MillraceError(errorCodeOf(code), String(message)));
      return true;
    };
    this.#requests.post(pending.id, pending.encoded, answer);
  }

  #settle(pending: Pending): Pending {
    this.#pending.delete(pending);
    return pending;
  }
}

function newInstance(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(INSTANCE_BYTES));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}
