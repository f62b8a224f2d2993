/** What the journal records of FIX connections, market data apart (market/client-journal.ts). */

import type { Credential, Entitlements } from '../auth/credential.js';
import { declaredOf } from '../auth/declared-use.js';
import { listedOf } from '../protocol/record-limits.js';
import type { Stream } from '../protocol/topics.js';
import type { FixEnd } from '../threads/fix-stats.js';
import type { NewRecord } from '../threads/journal-records.js';
import type { LoggedConnection } from './access.js';
import { ClientJournal } from './market/client-journal.js';
import { type JournalOptions, ViewJournal } from './market/view-journal.js';
import type { FixMessage } from './wire/message.js';
import { MsgType, Tag } from './wire/tags.js';

const ENDPOINT = 'fix';
const TEXT_MAX = 256;

/** By MsgType. */
const ACTIONS: ReadonlyMap<string, string> = new Map([
  [MsgType.logon, 'logon'],
  [MsgType.logout, 'logout'],
  [MsgType.resendRequest, 'resend_request'],
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
  connected({ id, address }: LoggedConnection, credential: Credential, { granted }: Entitlements): void {
    const { tier } = credential;
    const [c, user] = [this.#c(id), userOf(credential)];
    const { worker: w, hasSeqTags } = this.#options;
    const tags = hasSeqTags ? { seq_tags: true as const } : undefined;
    const how = { transport: 'fix', endpoint: ENDPOINT, format: 'fix' } as const;
    this.#record({ k: 'connected', c, w, ...how, address, ...user, tier, ...tags });
    this.#record({ k: 'authenticated', c, ...user, tier, ...rightsOf(credential, granted) });
    this.#record({ k: 'command', c, action: 'logon' });
  }

  refused({ id, address, credential }: LoggedConnection): void {
    const user = credential && userOf(credential);
    const code = String(this.#options.codes.refused);
    this.#record({ k: 'refused', c: this.#c(id), what: 'connection', code, ...user, address });
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

function rightsOf(credential: Credential, granted: readonly string[]) {
  const { apiKeyId, expiresAtMs } = credential;
  return {
    by: apiKeyId === undefined ? 'token' : 'api_key',
    ...declaredOf(credential),
    ...listed('entitlements', granted),
    ...(Number.isFinite(expiresAtMs) ? { expires_at: expiresAtMs * 1000 } : undefined),
  } as const;
}

/** @param message a MarketDataRequest */
function requestOf(c: string, message: FixMessage): NewRecord {
  const action = REQUESTS.get(message.text(Tag.subscriptionRequestType) ?? '') ?? 'subscribe';
  const symbols = message.tags.flatMap((tag, at) => (tag === Tag.symbol ? [message.utf8At(at)] : []));
  const id = message.text(Tag.mdReqId)?.slice(0, TEXT_MAX) ?? '';
  return { k: 'command', c, action, id, ...listed('symbols', symbols) };
}

function listed<Name extends string>(name: Name, all: readonly string[]) {
  const { first, ...more } = listedOf(all);
  return { [name]: first.map(text => text.slice(0, TEXT_MAX)), ...more } as Record<Name, string[]> & { more?: number };
}
