/** Client commands of one worker: each is answered, and answered in the order in which it came. */
import { type Command, type CommandId, isCommandId, parseCommand } from '../protocol/commands.js';
import { commandUnits } from '../protocol/costs.js';
import { parseExact } from '../protocol/exact-json.js';
import { isNestedDeeper } from '../protocol/json-depth.js';
import { MsgpackReader } from '../protocol/msgpack-reader.js';
import type { Answers } from './answers.js';
import type { WorkBudgets } from './limits/work-budgets.js';
import type { Renewals } from './renewals.js';
import type { RoomMessages } from './room-messages.js';
import type { Session } from './session.js';
import type { TopicCommands } from './topic-commands.js';

/** Commands that wait while an earlier one of the session waits for the hub. */
export const BACKLOG_MAX = 200;
/** Their bytes. */
export const BACKLOG_BYTES_MAX = 2 * 1024 * 1024;
/** Arrays and objects in each other, in a client's message: what a room message may hold, and a few more. */
const NESTING_MAX = 16;
/** Longest command whose id is read although it is refused. */
const REFUSED_BYTES_MAX = 16 * 1024;

/** Undefined: answered at once. A promise: later commands of the session wait for it. */
export type Handled = undefined | Promise<void>;

export interface CommandHandlerOptions {
  readonly topics: TopicCommands;
  readonly rooms: RoomMessages;
  readonly renewals: Renewals;
  readonly answers: Answers;
  readonly budgets: WorkBudgets;
  /** Names in one list of a command. */
  readonly namesMax: number;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class CommandHandler {
  readonly #options: CommandHandlerOptions;
  readonly #msgpack = new MsgpackReader();
  readonly #textDecoder = new TextDecoder();

  constructor(options: CommandHandlerOptions) {
    this.#options = options;
  }

  /** Takes one client message. The bytes are only valid during the call. */
  receive(session: Session, bytes: ArrayBuffer, isBinary: boolean): void {
    if (session.isBusy) {
      const waiting = session.backlogBytes + bytes.byteLength;
      if (session.backlog.length >= BACKLOG_MAX || waiting > BACKLOG_BYTES_MAX) {
        this.#options.answers.fail(session, undefined, 'rate_limited', 'too many commands are waiting to be answered');
      } else {
        session.backlog.push({ bytes: bytes.slice(0), isBinary });
        session.backlogBytes = waiting;
      }
      return;
    }
    const handled = this.#serve(session, bytes, isBinary);
    if (handled !== undefined) void this.#serveInOrder(session, handled);
  }

  /** The id of a command that is not executed, so that its sender knows which it was; undefined for a long one. */
  idOf(session: Session, bytes: ArrayBuffer, isBinary: boolean): CommandId | undefined {
    if (bytes.byteLength > REFUSED_BYTES_MAX) return undefined;
    const value = this.#decode(session, bytes, isBinary);
    if (typeof value !== 'object' || value === null || !('id' in value)) return undefined;
    return isCommandId(value.id) ? value.id : undefined;
  }

  async #serveInOrder(session: Session, first: Promise<void>): Promise<void> {
    session.isBusy = true;
    await first;
    for (let next = session.backlog.shift(); next !== undefined; next = session.backlog.shift()) {
      session.backlogBytes -= next.bytes.byteLength;
      await this.#serve(session, next.bytes, next.isBinary);
    }
    session.isBusy = false;
  }

  /** Whatever goes wrong with one command is answered, and does not touch the next. */
  #serve(session: Session, bytes: ArrayBuffer, isBinary: boolean): Handled {
    try {
      return this.#handle(session, bytes, isBinary)?.catch(cause => this.#failed(session, cause));
    } catch (cause) {
      this.#failed(session, cause);
      return undefined;
    }
  }

  #failed(session: Session, cause: unknown): void {
    this.#options.onFault('a command failed', cause);
    this.#options.answers.fail(session, undefined, 'internal', 'the command failed');
  }

  #handle(session: Session, bytes: ArrayBuffer, isBinary: boolean): Handled {
    const { answers } = this.#options;
    const value = this.#decode(session, bytes, isBinary);
    if (value === undefined) {
      const expected = session.format === 'json' ? 'JSON text' : 'one MessagePack map';
      answers.fail(session, undefined, 'invalid_json', `the message is not ${expected}`);
      return undefined;
    }
    const parsed = parseCommand(value, this.#options.namesMax);
    if (parsed.ok) return this.#affordable(session, parsed.command, bytes.byteLength);
    answers.fail(session, parsed.id, parsed.code, parsed.message);
    return undefined;
  }

  #decode(session: Session, bytes: ArrayBuffer, isBinary: boolean): unknown {
    try {
      if (!isBinary) {
        const text = this.#textDecoder.decode(bytes);
        return isNestedDeeper(text, NESTING_MAX) ? undefined : parseExact(text);
      }
      const view = new Uint8Array(bytes);
      return session.format === 'msgpack' ? this.#msgpack.read(view, 0, view.length) : undefined;
    } catch {
      // Not decodable is an answer to the client, not a fault.
      return undefined;
    }
  }

  #affordable(session: Session, command: Command, bytes: number): Handled {
    const { budgets, answers } = this.#options;
    const waitMs = budgets.waitMs(session);
    if (waitMs > 0) {
      answers.rateLimited(session, command.id, 'the budget is used up', waitMs);
      return undefined;
    }
    budgets.charge(session, commandUnits(command, bytes));
    return this.#execute(session, command);
  }

  #execute(session: Session, command: Command): Handled {
    const { topics, rooms, renewals, answers } = this.#options;
    switch (command.action) {
      case 'subscribe':
        return topics.subscribe(session, command);
      case 'unsubscribe':
        return topics.unsubscribe(session, command);
      case 'resync':
        return topics.resync(session, command);
      case 'publish':
        rooms.publish(session, command);
        return undefined;
      case 'auth':
        return renewals.renew(session, command);
      case 'ping':
        answers.send(session, command.id, { type: 'pong', time: new Date().toISOString() });
        return undefined;
    }
  }
}
