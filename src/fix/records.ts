/** What the journal records of FIX connections, market data apart (market/client-journal.ts). */

import type { Credential, Entitlements } from '../auth/credential.js';
import { rightsOf } from '../auth/recorded-rights.js';
import { listedOf, RECORDED_TEXT_MAX } from '../protocol/record-limits.js';
import type { Stream } from '../protocol/topics.js';
import type { FixEnd } from '../threads/fix-stats.js';
import type { NewRecord } from '../threads/journal-records.js';
import type { LoggedConnection, LogonRefusal, RefusedConnection } from './access.js';
import { ClientJournal } from './market/client-journal.js';
import { type JournalOptions, ViewJournal } from './market/view-journal.js';
import type { SessionEvent } from './session/contract.js';
import type { FixMessage } from './wire/message.js';
import { MsgType, Tag } from './wire/tags.js';
import { REJECT_TEXTS } from './wire/validation.js';

const ENDPOINT = 'fix';

/** By MsgType. */
const ACTIONS: ReadonlyMap<string, string> = new Map([
  [MsgType.logon, 'logon'],
  [MsgType.logout, 'logout'],
  [MsgType.resendRequest, 'resend_request'],
  [MsgType.sequenceReset, 'sequence_reset'],
]);
/** By SubscriptionRequestType (263). */
const REQUESTS: ReadonlyMap<string, string> = new Map([
  ['0', 'snapshot'],
  ['1', 'subscribe'],
  ['2', 'unsubscribe'],
]);

interface RecordsOptions extends JournalOptions {
  /** The id of a connection, by its number. */
  readonly connectionOf: (connection: number) => string;
  /** The code of a close that a WebSocket would get. */
  readonly codes: Readonly<Record<FixEnd, number>>;
  /** FIX_SEQ_TAGS. */
  readonly hasSeqTags: boolean;
}

export class FixRecords {
  readonly views: ViewJournal;
  readonly #options: RecordsOptions;

  constructor(options: RecordsOptions) {
    this.#options = options;
    this.views = new ViewJournal(options);
  }

  /** The client is logged on. */
  connected({ id, address }: LoggedConnection, credential: Credential, entitlements: Entitlements): void {
    const { tier } = credential;
    const [c, user] = [this.#c(id), userOf(credential)];
    const { worker: w, hasSeqTags } = this.#options;
    const tags = hasSeqTags ? { seq_tags: true as const } : undefined;
    const how = { transport: 'fix', endpoint: ENDPOINT, format: 'fix' } as const;
    this.#record({ k: 'connected', c, w, ...how, address, ...user, tier, ...tags });
    this.authenticated({ id }, credential, entitlements);
    this.#record({ k: 'command', c, action: 'logon' });
  }

  /** The client has these rights from now on. */
  authenticated({ id }: Pick<LoggedConnection, 'id'>, credential: Credential, entitlements: Entitlements): void {
    const { apiKeyId, tier } = credential;
    const by = apiKeyId === undefined ? 'token' : 'api_key';
    const who = { ...userOf(credential), tier, by } as const;
    this.#record({ k: 'authenticated', c: this.#c(id), ...who, ...rightsOf(credential, entitlements) });
  }

  refused({ id, address, credential }: RefusedConnection, { status, code, text: reason }: LogonRefusal): void {
    const user = credential && userOf(credential);
    this.#record({ k: 'refused', c: this.#c(id), what: 'connection', status, code, reason, ...user, address });
  }

  /** What the gateway sent of the session of a client that is logged on. */
  told(connection: number, event: SessionEvent): void {
    const c = this.#c(connection);
    switch (event.is) {
      case 'rejected':
        this.#record(rejectionOf(c, event));
        break;
      case 'asked':
        this.#record({ k: 'resend_asked', c, from: event.from });
        break;
      case 'filled':
        this.#record({ k: 'filled', c, from: event.from, to: event.to, again: event.again });
        break;
      case 'logout':
        this.#record({ k: 'logout', c, reason: event.text });
    }
  }

  ended({ id, buffered }: LoggedConnection & { readonly buffered: number }, kind: FixEnd, reason: string): void {
    const by = kind === 'broken' || kind === 'left' ? 'client' : 'gateway';
    this.#record({ k: 'closed', c: this.#c(id), code: this.#options.codes[kind], reason, by, buffered });
  }

  /** A message of a client that is logged on. */
  received(connection: number, message: FixMessage): void {
    const c = this.#c(connection);
    if (message.type === MsgType.marketDataRequest) this.#record(requestOf(c, message));
    const action = ACTIONS.get(message.type);
    if (action !== undefined) this.#record({ k: 'command', c, action });
  }

  /** The client has received what was handed to its socket before this time, µs since the Unix epoch. */
  confirmed(connection: number, atMicros: number): void {
    this.#record({ k: 'confirmed', c: this.#c(connection), at: Math.round(atMicros) });
  }

  /** @param entitlements in force when they are asked for */
  client(connection: number, entitlements: () => Entitlements): ClientJournal {
    const productsOf = (stream: Stream, symbol: string) => entitlements().productsOf(stream, symbol);
    return new ClientJournal(this.#c(connection), this.views, { ...this.#options, productsOf });
  }

  #c(connection: number): string {
    return this.#options.connectionOf(connection);
  }

  #record(record: NewRecord): void {
    this.#options.outlet.record(record);
  }
}

const userOf = ({ sub }: Credential) => (sub === '' ? undefined : { user: sub });

/** The text of a Reject, and what it refers to. */
function rejectionOf(c: string, { message, rejection }: Extract<SessionEvent, { is: 'rejected' }>): NewRecord {
  const { reason, tag, text = REJECT_TEXTS[reason] } = rejection;
  const of = [`45=${message.seqNum}`, `372=${message.type}`, ...(tag === undefined ? [] : [`371=${tag}`])].join(', ');
  const code = `${Tag.sessionRejectReason}=${reason}`;
  return { k: 'refused', c, what: 'command', code, reason: `${text} (${of})`.slice(0, RECORDED_TEXT_MAX) };
}

/** @param message a MarketDataRequest */
function requestOf(c: string, message: FixMessage): NewRecord {
  const action = REQUESTS.get(message.text(Tag.subscriptionRequestType) ?? '') ?? 'subscribe';
  const symbols = message.tags.flatMap((tag, at) => (tag === Tag.symbol ? [message.utf8At(at)] : []));
  const id = message.text(Tag.mdReqId)?.slice(0, RECORDED_TEXT_MAX) ?? '';
  return { k: 'command', c, action, id, ...listed('symbols', symbols) };
}

function listed<Name extends string>(name: Name, all: readonly string[]) {
  const { first, ...more } = listedOf(all);
  return { [name]: first.map(text => text.slice(0, RECORDED_TEXT_MAX)), ...more } as Record<Name, string[]> & {
    more?: number;
  };
}
