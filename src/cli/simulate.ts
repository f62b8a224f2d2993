import { appendFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Events, headers, type NatsConnection } from 'nats';
import { ConfigError } from '../config/config-error.js';
import { readConfig, type SimulatorConfig } from '../config/environment.js';
import { withoutSecrets } from '../config/url-text.js';
import { ALL_ORDERS } from '../feed/simulator/orders/order-desk.js';
import { SimulatorFeed } from '../feed/simulator/simulator.js';
import { type FeedMessage, type FeedSink, systemClock } from '../feed-contract/feed.js';
import { SubjectPrefix } from '../protocol/subject-prefix.js';
import { ALL_SYMBOLS, isSymbol, MARKET_DATA_KINDS, parseSubject, subjectOf } from '../protocol/topics.js';
import { CommandFailure, reasonOf } from './failure.js';
import { connectOnce, natsConfig, natsOption } from './nats-connection.js';
import { note } from './output.js';

const EXAMPLES = `
Publishes quotes, trades and books of all its symbols on md.> until Ctrl-C, just as the built-in simulator does. Exits with 1
when the connection is lost, so that a supervisor can restart it. A changing book is published whole every five seconds and as
changed levels in between, so a gateway may start at any time. With --orders there is one more symbol, DEMO, whose orders and trades come
from a simulated venue, with patterns of abuse planted now and then.

Examples:
  $ millrace simulate --nats nats://127.0.0.1:4222
  $ millrace simulate --symbols AAPL,BTC/USDT --rate 500
  $ millrace simulate --symbols 1000 --interval 250ms --seed 7
  $ millrace simulate --orders --labels monday.rec.labels`;

/** Most symbols per publisher: the first book of each is published at once. */
const SYMBOLS_MAX = 10_000;
/** Most bytes that the server has not confirmed yet; beyond it the market pauses. */
const UNCONFIRMED_BYTES_MAX = 8 * 1024 * 1024;
/** After this time, the next change of a book is published as a whole book. */
const WHOLE_BOOK_EVERY_MS = 5_000;

/** The value of `--symbols`: how many, or which. */
type Symbols = { readonly count: number } | { readonly names: readonly string[] };

interface SimulateOptions {
  readonly nats: string;
  readonly symbols: Symbols;
  readonly rate: number;
  readonly interval: number;
  readonly seed: number;
  readonly orders?: boolean;
  readonly labels?: string;
}

/** `millrace simulate`: a publisher of simulated market data. */
export function simulateCommand(): Command {
  const { symbols, updatesPerSecond, intervalMs, seed } = readConfig({}).simulator;
  return new Command('simulate')
    .description('publish simulated market data to NATS')
    .addOption(natsOption())
    .addOption(
      new Option('--symbols <symbols>', 'how many, or which: 1000, or AAPL,BTC/USDT')
        .argParser(symbolsArgument)
        .default({ count: symbols }, String(symbols)),
    )
    .addOption(
      new Option('--rate <n>', 'messages a second in total; 0: some symbols move every interval')
        .argParser(setting('SIM_RATE', 'updatesPerSecond'))
        .default(updatesPerSecond),
    )
    .addOption(
      new Option('--interval <duration>', 'how often symbols move at rate 0')
        .argParser(setting('PRICE_UPDATE_INTERVAL', 'intervalMs'))
        .default(intervalMs, `${intervalMs / 1000}s`),
    )
    .addOption(
      new Option('--seed <n>', 'equal seeds, equal markets').argParser(setting('SIM_SEED', 'seed')).default(seed),
    )
    .option('--orders', 'add the symbol DEMO, with the orders of its users')
    .option('--labels <file>', 'append the planted patterns, one JSON object per line')
    .addHelpText('after', EXAMPLES)
    .action(simulate);
}

/**
 * Resolves after SIGINT or SIGTERM.
 * @throws {CommandFailure} if the server refuses, cannot be reached or disconnects.
 */
async function simulate(options: SimulateOptions): Promise<void> {
  const { symbols, rate, interval, seed, nats } = options;
  const config: SimulatorConfig = {
    symbols: 'count' in symbols ? symbols.count : symbols.names.length,
    updatesPerSecond: rate,
    intervalMs: interval,
    seed,
    hasOrders: options.orders === true,
  };
  if (options.labels !== undefined && options.orders !== true) throw new CommandFailure('--labels needs --orders');
  const names = 'names' in symbols ? symbols.names : [];
  const labels = options.labels;
  const feed = new SimulatorFeed({
    config,
    symbols: names,
    clock: systemClock,
    onPlanted: label => {
      if (labels !== undefined) appendFileSync(labels, `${JSON.stringify(label)}\n`);
    },
  });
  const server = natsConfig(nats, process.env);
  const connection = await connectOnce(server);
  const where = withoutSecrets(server.url);
  const prefix = new SubjectPrefix(server.subjectPrefix);
  const publisher = new Publisher(connection, prefix, wanted => wantEverything(feed, wanted));
  const failed = failureOf(connection);
  // A signal counts from the first message on.
  const stopped = interrupted();
  try {
    wantEverything(feed, true);
    await feed.start(publisher);
    const pace = rate > 0 ? `${rate} messages/s` : `a move every ${interval} ms`;
    note(`publishing ${config.symbols} symbols to ${where}, ${pace}; Ctrl-C stops`);
    const reason = await Promise.race([stopped, failed]);
    await feed.stop();
    if (reason !== undefined) throw new CommandFailure(`${where}: ${reason}`);
    await connection.flush();
    note(`${publisher.messages} messages published`);
  } finally {
    await feed.stop();
    await connection.close();
  }
}

/** The simulator's sink: publishes every message to NATS, with `Ts-Event`; pauses the market while the server lags. */
class Publisher implements FeedSink {
  messages = 0;
  readonly #connection: NatsConnection;
  readonly #prefix: SubjectPrefix;
  readonly #want: (wanted: boolean) => void;
  readonly #books = new Books(WHOLE_BOOK_EVERY_MS);
  #unconfirmedBytes = 0;
  #confirming = false;
  #paused = false;

  /** @param want starts and pauses the market. */
  constructor(connection: NatsConnection, prefix: SubjectPrefix, want: (wanted: boolean) => void) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#want = want;
  }

  message({ subject, payload, tsEventMicros }: FeedMessage): void {
    if (this.#connection.isClosed()) return;
    const source = parseSubject(subject);
    // nats.js keeps its input until it is written, and the simulator reuses its memory.
    const bytes = source?.kind === 'books' ? this.#books.next(source.symbol, payload) : new Uint8Array(payload);
    const stamped = headers();
    stamped.set('Ts-Event', String(tsEventMicros));
    this.#connection.publish(this.#prefix.add(subject), bytes, { headers: stamped });
    this.messages++;
    this.#unconfirmedBytes += bytes.length;
    if (!this.#confirming) void this.#confirm();
    if (!this.#paused && this.#unconfirmedBytes > UNCONFIRMED_BYTES_MAX) this.#pause(true);
  }

  status(): void {}

  #pause(paused: boolean): void {
    this.#paused = paused;
    this.#want(!paused);
  }

  /** Makes round trips to the server while something is unconfirmed. */
  async #confirm(): Promise<void> {
    this.#confirming = true;
    try {
      while (this.#unconfirmedBytes > 0) {
        const bytes = this.#unconfirmedBytes;
        await this.#connection.flush();
        this.#unconfirmedBytes -= bytes;
        if (this.#paused) this.#pause(false);
      }
    } catch {
      // The connection is lost; `failureOf` reports why.
    } finally {
      this.#confirming = false;
    }
  }
}

interface PublishedBook {
  readonly symbol: string;
  /** Quantity by price, as published. */
  readonly bids: Map<string, string>;
  readonly asks: Map<string, string>;
  wholeSinceMs: number;
}

interface BookMessage {
  readonly bids: readonly (readonly [string, string])[];
  readonly asks: readonly (readonly [string, string])[];
}

/** The current state of the published books, to publish them whole from time to time. */
class Books {
  readonly #wholeEveryMs: number;
  readonly #books = new Map<string, PublishedBook>();

  constructor(wholeEveryMs: number) {
    this.#wholeEveryMs = wholeEveryMs;
  }

  /** What to publish in place of the simulator's message: the same, or the whole book when it is due. */
  next(symbol: string, payload: Uint8Array): Uint8Array {
    const nowMs = performance.now();
    const message = JSON.parse(Buffer.from(payload).toString('latin1')) as BookMessage;
    let book = this.#books.get(symbol);
    const isFirst = book === undefined;
    if (book === undefined) {
      book = { symbol, bids: new Map(), asks: new Map(), wholeSinceMs: nowMs };
      this.#books.set(symbol, book);
    }
    apply(book.bids, message.bids);
    apply(book.asks, message.asks);
    if (isFirst || nowMs - book.wholeSinceMs < this.#wholeEveryMs) return new Uint8Array(payload);
    book.wholeSinceMs = nowMs;
    return new TextEncoder().encode(
      JSON.stringify({ symbol, bids: [...book.bids], asks: [...book.asks], snapshot: true }),
    );
  }
}

function apply(side: Map<string, string>, levels: BookMessage['bids']): void {
  for (const [price, quantity] of levels) {
    if (quantity === '0') side.delete(price);
    else side.set(price, quantity);
  }
}

function wantEverything(feed: SimulatorFeed, wanted: boolean): void {
  for (const kind of MARKET_DATA_KINDS) feed.follow(subjectOf(kind, ALL_SYMBOLS), wanted);
  feed.follow(ALL_ORDERS, wanted);
}

/** Why publishing has become impossible; pending until then. */
function failureOf(connection: NatsConnection): Promise<string> {
  const refused = async (): Promise<string> => {
    for await (const { type, data, permissionContext } of connection.status()) {
      if (type !== Events.Error) continue;
      return permissionContext === undefined
        ? String(data)
        : `no permission to publish to ${permissionContext.subject}`;
    }
    return new Promise(() => {});
  };
  const lost = async (): Promise<string> => {
    const error = await connection.closed();
    return error instanceof Error ? `connection lost: ${reasonOf(error)}` : 'connection lost';
  };
  return Promise.race([refused(), lost()]);
}

function interrupted(): Promise<undefined> {
  return new Promise(resolve => {
    process.once('SIGINT', () => resolve(undefined));
    process.once('SIGTERM', () => resolve(undefined));
  });
}

function symbolsArgument(text: string): Symbols {
  if (/^\d+$/.test(text)) {
    const count = Number(text);
    if (count >= 1 && count <= SYMBOLS_MAX) return { count };
    throw new InvalidArgumentError(`It must be 1 to ${SYMBOLS_MAX}, or symbols separated by commas.`);
  }
  const names = [...new Set(text.split(',').map(name => name.trim()))];
  const wrong = names.find(name => !isSymbol(name));
  if (wrong !== undefined) throw new InvalidArgumentError(`${JSON.stringify(wrong)} is not a symbol.`);
  if (names.length > SYMBOLS_MAX) throw new InvalidArgumentError(`At most ${SYMBOLS_MAX} symbols.`);
  return { names };
}

/** Parses an option like the gateway's environment variable of the same meaning. */
function setting(variable: string, member: 'updatesPerSecond' | 'intervalMs' | 'seed') {
  return (text: string): number => {
    try {
      return readConfig({ [variable]: text }).simulator[member];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new InvalidArgumentError(`It ${error.message.slice(error.message.indexOf(': ') + 2)}.`);
    }
  };
}
