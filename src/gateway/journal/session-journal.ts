/** Records who connects, as whom, what clients ask for, what they are known to have received, and how connections end. */

import type { Credential } from '../../auth/credential.js';
import { rightsOf } from '../../auth/recorded-rights.js';
import type { Command } from '../../protocol/commands.js';
import { listedOf, RECORDED_TEXT_MAX } from '../../protocol/record-limits.js';
import type { NewRecord } from '../../threads/journal-records.js';
import type { Session } from '../model/session.js';
import type { DeliveryJournal } from './delivery-journal.js';

/** A connection's confirmations are at least this far apart; the newest one counts. */
export const CONFIRMED_INTERVAL_MS = 1_000;

interface SessionJournalOptions {
  /** Keeps all records of the thread in order. */
  readonly delivery: DeliveryJournal;
  /** Number of this thread. */
  readonly worker: number;
  readonly idOf: (connection: number) => string;
  /** The time of day, µs. */
  readonly nowMicros: () => number;
  /** A monotonic clock. */
  readonly nowMs: () => number;
}

/** A connection whose client answers pings. */
interface Confirmed {
  /** When the last record was written. */
  writtenMs: number;
  /** The newest confirmation, µs; 0: it is written. */
  atMicros: number;
}

/** Who asks to connect, as far as that is known. */
interface Refused {
  readonly id: number;
  readonly address: string;
  /** '' where it is unknown. */
  readonly user: string;
}

/** What the client is told, in the HTTP answer. */
interface Answered {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly product?: string | undefined;
}

export class SessionJournal {
  readonly #options: SessionJournalOptions;
  /** One for each open session that has answered a ping. */
  readonly #confirmed = new Map<Session, Confirmed>();

  constructor(options: SessionJournalOptions) {
    this.#options = options;
  }

  connected(session: Session): void {
    const { id, endpoint, format, address, credential } = session;
    const { sub: user, tier } = credential;
    const { worker } = this.#options;
    const who = user === '' ? { address, tier } : { address, user, tier };
    this.#record({ k: 'connected', c: this.#id(id), w: worker, transport: 'ws', endpoint, format, ...who });
    this.authenticated(session);
  }

  /** The session has this credential from now on. */
  authenticated({ id, credential, entitlements }: Session): void {
    const { sub: user, tier } = credential;
    this.#record({
      k: 'authenticated',
      c: this.#id(id),
      ...(user === '' ? undefined : { user }),
      tier,
      by: kindOf(credential),
      ...rightsOf(credential, entitlements),
    });
  }

  /** A connection is refused. */
  refused({ id, address, user }: Refused, { status, code, message, product }: Answered): void {
    const who = user === '' ? { address } : { address, user };
    this.#record({
      k: 'refused',
      c: this.#id(id),
      what: 'connection',
      status,
      code,
      reason: message.slice(0, RECORDED_TEXT_MAX),
      ...(product && { product }),
      ...who,
    });
  }

  command({ id }: Session, command: Command): void {
    const { first: symbols, ...more } = listedOf(namesOf(command));
    this.#record({
      k: 'command',
      c: this.#id(id),
      action: command.action,
      ...(command.id === undefined ? undefined : { id: String(command.id).slice(0, RECORDED_TEXT_MAX) }),
      ...('stream' in command && command.stream !== undefined
        ? { stream: command.stream.slice(0, RECORDED_TEXT_MAX) }
        : undefined),
      ...(symbols.length > 0 ? { symbols } : undefined),
      ...more,
      ...('class' in command && command.class !== undefined
        ? { class: command.class.slice(0, RECORDED_TEXT_MAX) }
        : undefined),
      ...('since' in command && command.since !== undefined ? { since: command.since } : undefined),
    });
  }

  /** The time that a ping handed over now proves: everything before it, and nothing that follows. */
  handOver(): number {
    const nowMicros = this.#options.nowMicros();
    this.#options.delivery.notBefore(nowMicros);
    return Math.floor(nowMicros) - 1;
  }

  /** The client answered the ping that was handed over then. @param atMicros what `handOver` returned */
  confirmed(session: Session, atMicros: number): void {
    const nowMs = this.#options.nowMs();
    let confirmed = this.#confirmed.get(session);
    if (confirmed === undefined) {
      confirmed = { writtenMs: Number.NEGATIVE_INFINITY, atMicros: 0 };
      this.#confirmed.set(session, confirmed);
    }
    confirmed.atMicros = atMicros;
    if (nowMs - confirmed.writtenMs >= CONFIRMED_INTERVAL_MS) this.#confirm(session, confirmed, nowMs);
  }

  /** Writes confirmations that had to wait. Call each second. */
  flush(): void {
    const nowMs = this.#options.nowMs();
    for (const [session, confirmed] of this.#confirmed) {
      if (nowMs - confirmed.writtenMs >= CONFIRMED_INTERVAL_MS) this.#confirm(session, confirmed, nowMs);
    }
  }

  /** @param buffered bytes that were in user space when it was last looked at */
  closed(session: Session, by: 'gateway' | 'client', code: number, reason: string, buffered: number): void {
    const confirmed = this.#confirmed.get(session);
    if (confirmed !== undefined) this.#confirm(session, confirmed, 0);
    this.#confirmed.delete(session);
    const text = reason.slice(0, RECORDED_TEXT_MAX);
    this.#record({ k: 'closed', c: this.#id(session.id), code, reason: text, by, buffered });
  }

  #confirm(session: Session, confirmed: Confirmed, nowMs: number): void {
    if (confirmed.atMicros === 0) return;
    this.#record({ k: 'confirmed', c: this.#id(session.id), at: confirmed.atMicros });
    confirmed.atMicros = 0;
    confirmed.writtenMs = nowMs;
  }

  #record(record: NewRecord): void {
    this.#options.delivery.record(record);
  }

  #id(connection: number): string {
    return this.#options.idOf(connection);
  }
}

function kindOf({ sub, apiKeyId, authority }: Credential): 'none' | 'api_key' | 'certificate' | 'token' {
  if (sub === '') return 'none';
  if (apiKeyId !== undefined) return 'api_key';
  return authority === undefined ? 'token' : 'certificate';
}

/** The topics, or the room, that a command names. */
function namesOf(command: Command): readonly string[] {
  switch (command.action) {
    case 'subscribe':
    case 'unsubscribe':
    case 'resync':
      return command.symbols ?? command.channels ?? (command.symbol === undefined ? [] : [command.symbol]);
    case 'publish':
      return [command.room];
    default:
      return [];
  }
}
