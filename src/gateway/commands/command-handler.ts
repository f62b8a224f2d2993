/**
 * The client commands of one worker. Every command gets a reply, and replies go out in the order the commands came in.
 */

import { type CommandId, isCommandId } from '../../protocol/command-limits.js';
import { type Command, parseCommand } from '../../protocol/commands.js';
import { commandUnits, exactUnits } from '../../protocol/costs.js';
import { mayHoldLongNumber, parseLong } from '../../protocol/exact-json.js';
import { isNestedDeeper } from '../../protocol/json-depth.js';
import { MsgpackReader } from '../../protocol/msgpack-reader.js';
import type { SessionJournal } from '../journal/session-journal.js';
import type { WorkBudgets } from '../limits/work-budgets.js';
import type { Session } from '../model/session.js';
import type { Handled } from '../sessions/maybe-promise.js';
import type { Reauthentication } from '../sessions/reauthentication.js';
import type { Replies } from '../sessions/replies.js';
import type { ServedTurns } from '../supervision/served-turns.js';
import type { RoomPublishing } from './room-publishing.js';
import type { TopicCommands } from './topic-commands.js';

/** How deep arrays and objects may nest in a client's message: the room message limit plus a margin. */
const NESTING_MAX = 16;
/**
 * Maximum commands of one session in one turn of the loop. The rest of what it sent at once waits, so that nothing
 * published to others in that turn waits for all of it.
 */
export const COMMANDS_PER_TURN = 16;

export interface CommandHandlerOptions {
  readonly topics: TopicCommands;
  readonly rooms: RoomPublishing;
  readonly reauthentication: Reauthentication;
  readonly replies: Replies;
  /** Tracks which session this thread is working for, and runs queued commands in turns of their own. */
  readonly turns: Pick<ServedTurns, 'action' | 'later'>;
  readonly budgets: WorkBudgets;
  /** Maximum names in one list of a command. */
  readonly namesMax: number;
  /** Undefined: nothing is recorded. */
  readonly records?: SessionJournal | undefined;
  readonly onFault: (what: string, cause: unknown) => void;
}

export class CommandHandler {
  readonly #options: CommandHandlerOptions;
  readonly #msgpack = new MsgpackReader();
  readonly #textDecoder = new TextDecoder();
  /** Commands of this turn, by session. */
  readonly #taken = new Map<Session, number>();
  readonly #endTurn = () => this.#taken.clear();

  constructor(options: CommandHandlerOptions) {
    this.#options = options;
  }

  /** Takes one client message. The bytes are valid only during the call. */
  receive(session: Session, bytes: ArrayBuffer, isBinary: boolean): void {
    const { backlog } = session;
    if (backlog.isBusy) {
      if (backlog.push(bytes, isBinary)) return;
      this.#options.replies.fail(session, undefined, 'rate_limited', 'too many commands pending');
      return;
    }
    if (this.#hasHadItsTurn(session) || this.#options.budgets.isIndebted(session)) {
      backlog.begin();
      backlog.push(bytes, isBinary);
      this.#options.turns.later(session, this.#serveNext);
      return;
    }
    const handled = this.#serve(session, bytes, isBinary);
    if (handled === undefined) return;
    backlog.begin();
    this.#serveBehind(session, handled);
  }

  /**
   * The id of a command that is not executed, so that the error can name it; undefined when the command is too long.
   */
  idOf(session: Session, bytes: ArrayBuffer, isBinary: boolean, bytesMax: number): CommandId | undefined {
    if (bytes.byteLength > bytesMax) return undefined;
    const value = this.#decode(session, bytes, isBinary, false);
    if (typeof value !== 'object' || value === null || !('id' in value)) return undefined;
    const { id } = value;
    // A rounded number is not the id the client sent.
    if (typeof id === 'number' && !Number.isSafeInteger(id)) return undefined;
    return isCommandId(id) ? id : undefined;
  }

  #hasHadItsTurn(session: Session): boolean {
    if (this.#taken.size === 0) setImmediate(this.#endTurn);
    const taken = this.#taken.get(session) ?? 0;
    this.#taken.set(session, taken + 1);
    return taken >= COMMANDS_PER_TURN;
  }

  /** Runs one queued command a turn, so that other sessions are not delayed and each command can be interrupted. */
  #serveBehind(session: Session, handled: Promise<void>): void {
    void handled.then(() => {
      if (session.backlog.size > 0) this.#options.turns.later(session, this.#serveNext);
      else session.backlog.end();
    });
  }

  readonly #serveNext = (session: Session): void => {
    const next = session.backlog.shift();
    const handled = next === undefined ? undefined : this.#serve(session, next.bytes, next.isBinary);
    this.#serveBehind(session, handled ?? Promise.resolve());
  };

  /** Answers a failing command with an error; later commands are unaffected. */
  #serve(session: Session, bytes: ArrayBuffer, isBinary: boolean): Handled {
    try {
      return this.#handle(session, bytes, isBinary)?.catch(cause => this.#failed(session, cause));
    } catch (cause) {
      this.#failed(session, cause);
      return undefined;
    }
  }

  #failed(session: Session, cause: unknown): void {
    this.#options.onFault('command failed', cause);
    this.#options.replies.fail(session, undefined, 'internal', 'command failed');
  }

  #handle(session: Session, bytes: ArrayBuffer, isBinary: boolean): Handled {
    const { replies } = this.#options;
    const value = this.#decode(session, bytes, isBinary);
    if (value === undefined) {
      const expected = session.format === 'json' ? 'JSON text' : 'one MessagePack map';
      replies.fail(session, undefined, 'invalid_json', `the message is not ${expected}`);
      return undefined;
    }
    const parsed = parseCommand(value, this.#options.namesMax);
    if (parsed.ok) {
      this.#options.turns.action = parsed.command.action;
      return this.#affordable(session, parsed.command, bytes.byteLength);
    }
    replies.fail(session, parsed.id, parsed.code, parsed.message);
    return undefined;
  }

  /** @param isExact keeps numbers that do not fit a double, at a charge */
  #decode(session: Session, bytes: ArrayBuffer, isBinary: boolean, isExact = true): unknown {
    try {
      if (!isBinary) {
        const text = this.#textDecoder.decode(bytes);
        if (isNestedDeeper(text, NESTING_MAX)) return undefined;
        if (!isExact || !mayHoldLongNumber(text)) return JSON.parse(text);
        this.#options.budgets.charge(session, exactUnits(bytes.byteLength));
        return parseLong(text);
      }
      const view = new Uint8Array(bytes);
      return session.format === 'msgpack' ? this.#msgpack.read(view, 0, view.length) : undefined;
    } catch {
      // Undecodable input is the client's error, not a fault of ours.
      return undefined;
    }
  }

  #affordable(session: Session, command: Command, bytes: number): Handled {
    const { budgets, replies } = this.#options;
    const waitMs = budgets.waitMs(session);
    if (waitMs > 0) {
      replies.rateLimited(session, command.id, 'work budget exhausted', waitMs);
      return undefined;
    }
    budgets.charge(session, commandUnits(command, bytes));
    return this.#execute(session, command);
  }

  #execute(session: Session, command: Command): Handled {
    this.#options.records?.command(session, command);
    const { topics, rooms, reauthentication, replies } = this.#options;
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
        return reauthentication.renew(session, command);
      case 'ping':
        replies.send(session, command.id, { type: 'pong', time: new Date().toISOString() });
        return undefined;
    }
  }
}
