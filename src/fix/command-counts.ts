/** What each FIX client asks for, for surveillance: how many messages, and which topics it subscribes to and leaves. */
import { BoundedMap } from '../protocol/bounded-map.js';
import { ClientCounting, TOPICS_MAX } from '../threads/client-counting.js';
import type { ClientReport } from '../threads/surveillance-messages.js';
import type { LoggedConnection } from './access.js';
import { readRequest, streamsOf } from './market/request.js';
import type { FixMessage } from './wire/message.js';
import { MsgType, Tag } from './wire/tags.js';

/** Requests whose topics are remembered until they are withdrawn; beyond, the oldest are forgotten. */
const REQUESTS_MAX = 20_000;
const UNSUBSCRIBE = '2';

interface CommandCountsOptions {
  /** The id of a connection, by its number. */
  readonly connectionOf: (connection: number) => string;
  readonly post: (report: ClientReport) => void;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
}

export class FixCommandCounts {
  readonly #counting: ClientCounting<LoggedConnection>;
  /** Topics by connection and MDReqID: what withdraws a request names only that. */
  readonly #requests = new BoundedMap<string, readonly string[]>(REQUESTS_MAX);

  constructor({ connectionOf, post, nowMicros }: CommandCountsOptions) {
    const clientOf = ({ id, credential }: LoggedConnection) => ({
      connection: connectionOf(id),
      user: credential?.sub ?? '',
    });
    this.#counting = new ClientCounting({ clientOf, post, nowMicros });
  }

  /** A message of the application. */
  take(client: LoggedConnection, message: FixMessage): void {
    const counts = this.#counting.command(client);
    if (counts === undefined || message.type !== MsgType.marketDataRequest) return;
    const key = `${client.id} ${message.text(Tag.mdReqId) ?? ''}`;
    if (message.text(Tag.subscriptionRequestType) === UNSUBSCRIBE) {
      note(counts.unsubscribed, this.#requests.get(key) ?? []);
      this.#requests.delete(key);
      return;
    }
    const read = readRequest(message);
    // A snapshot subscribes to nothing.
    if (read.is !== 'request' || read.request.isSnapshot) return;
    const { symbols } = read.request;
    const streams = streamsOf(read.request);
    const topics = symbols.flatMap(symbol => streams.map(stream => `${stream}:${symbol}`)).slice(0, TOPICS_MAX);
    this.#requests.set(key, topics);
    note(counts.subscribed, topics);
  }
}

function note(all: string[], topics: readonly string[]): void {
  for (const topic of topics) {
    if (all.length >= TOPICS_MAX) return;
    all.push(topic);
  }
}
