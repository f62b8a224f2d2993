/** Commands and their answers, matched by `id`. Outlives connections, but drops pending commands with each one. */
import type { Codec } from './codec.js';
import type { MillraceError } from './errors.js';
import type { ServerFrame } from './outcome.js';

/**
 * Most unanswered commands. A gateway keeps a bounded backlog per connection, so it would refuse thousands of
 * subscriptions sent at once.
 */
const IN_FLIGHT_MAX = 32;

const ANSWERS: ReadonlySet<unknown> = new Set(['subscribed', 'unsubscribed', 'ack', 'error']);

interface Request {
  readonly id: string;
  readonly encoded: string | Uint8Array;
  /** Returns true if no further answer is expected. */
  readonly answer: (frame: ServerFrame) => boolean;
  isAnswered: boolean;
}

export class Requests {
  readonly #codec: Codec;
  readonly #send: (data: string | Uint8Array) => void;
  readonly #onFault: (error: MillraceError) => void;
  /** Commands that wait for their turn. Bounded by the number of topics and of publications. */
  #queue: Request[] = [];
  readonly #sent = new Map<string, Request>();
  #inFlight = 0;
  #lastId = 0;

  /**
   * @param onFault called if a command of the client's own cannot be encoded: the MessagePack library given does not
   *   work.
   */
  constructor(codec: Codec, send: (data: string | Uint8Array) => void, onFault: (error: MillraceError) => void) {
    this.#codec = codec;
    this.#send = send;
    this.#onFault = onFault;
  }

  /**
   * Sends the command in its turn; only while the connection is open. `answer` receives its answers and returns true
   * for the last one: a command about several topics may be answered by `subscribed` and by errors.
   */
  ask(command: object, answer: Request['answer']): void {
    const id = String(++this.#lastId);
    try {
      this.post(id, this.encode({ ...command, id }), answer);
    } catch (error) {
      this.#onFault(error as MillraceError);
    }
  }

  /** Like `ask`, with the caller's `id` already in the encoded command. */
  post(id: string, encoded: string | Uint8Array, answer: Request['answer']): void {
    this.#queue.push({ id, encoded, answer, isAnswered: false });
    this.#pump();
  }

  /** @throws {MillraceError} `invalid_message` if the command cannot be encoded. */
  encode(command: object): string | Uint8Array {
    return this.#codec.encode(command);
  }

  /** Sends a command without an answer at once. */
  tell(command: object): void {
    try {
      this.#send(this.encode(command));
    } catch (error) {
      this.#onFault(error as MillraceError);
    }
  }

  /** True if the frame answers a command. */
  receive(frame: ServerFrame): boolean {
    if (!ANSWERS.has(frame.type) || typeof frame.id !== 'string') return false;
    const request = this.#sent.get(frame.id);
    if (request === undefined) return false;
    if (!request.isAnswered) this.#inFlight--;
    request.isAnswered = true;
    if (request.answer(frame)) this.#sent.delete(request.id);
    this.#pump();
    return true;
  }

  /** The connection is lost: no answers will arrive. */
  clear(): void {
    this.#queue = [];
    this.#sent.clear();
    this.#inFlight = 0;
  }

  #pump(): void {
    while (this.#inFlight < IN_FLIGHT_MAX) {
      const request = this.#queue.shift();
      if (request === undefined) return;
      this.#inFlight++;
      this.#sent.set(request.id, request);
      this.#send(request.encoded);
    }
  }
}
