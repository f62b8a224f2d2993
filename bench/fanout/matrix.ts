/** Which sizes are measured: clients × topics × format, each a row of the report. */
import { type BenchOptions, UsageError } from '../suite.js';
import { FORMATS, type Format } from './frames.js';
import { checkLayout, type Layout } from './layout.js';

export interface Row extends Layout {
  readonly format: Format;
  readonly windowUpdates: number;
  readonly batchUpdates: number;
  /** Contenders of this row; undefined: all. */
  readonly only?: readonly string[];
}

const CLIENTS = [200, 1000, 5000];
const TOPICS = [1, 20, 200];
const WINDOW_UPDATES_MAX = 2500;
const BATCH_UPDATES = 50;
/** Deliveries under way: a slow server must be able to work them off within seconds. */
const WINDOW_DELIVERIES_MAX = 500_000;
const BATCHES_IN_WINDOW = 10;
/** Peers that come near: the larger rows of the usual run leave the slower ones to `--full`. */
const FAST = ['millrace', 'bare-uws-beside', 'bare-uws', 'nats-websocket'];

/** A row's name in tables, plots and `--compare`. */
export function rowName({ clients, symbolsPerClient, universe, format }: Row): string {
  const topics = symbolsPerClient === universe ? String(universe) : `${symbolsPerClient} of ${universe}`;
  return `${clients} clients × ${topics} topics, ${format}`;
}

/**
 * The rows to measure: one in the sizes of the command line where it names any, else all of them with `--full`, else a
 * part that shows each dimension.
 * @throws {UsageError} for sizes that cannot be.
 */
export function rowsOf(options: BenchOptions): Row[] {
  const { clients, symbols, symbolsPerClient, windowUpdates, batchUpdates, format } = options;
  const named = [clients, symbols, symbolsPerClient, windowUpdates, batchUpdates, format];
  if (options.quick || named.some(value => value !== undefined)) return [oneRow(options)];
  if (options.full) {
    return FORMATS.flatMap(each => CLIENTS.flatMap(some => TOPICS.map(topics => row(some, topics, each))));
  }
  return [
    row(1000, 20, 'json'),
    { ...row(200, 1, 'msgpack'), only: FAST },
    { ...row(1000, 200, 'msgpack'), only: FAST },
    { ...row(5000, 20, 'json'), only: FAST },
  ];
}

function row(clients: number, topics: number, format: Format): Row {
  return { clients, symbolsPerClient: topics, universe: topics, format, ...paceOf(clients) };
}

/** The same for every contender of a row; fewer updates are under way where each is for more clients. */
function paceOf(subscribers: number): Pick<Row, 'windowUpdates' | 'batchUpdates'> {
  const windowUpdates = Math.max(BATCHES_IN_WINDOW, Math.min(WINDOW_UPDATES_MAX, WINDOW_DELIVERIES_MAX / subscribers));
  const whole = Math.floor(windowUpdates);
  return { windowUpdates: whole, batchUpdates: Math.min(BATCH_UPDATES, Math.floor(whole / BATCHES_IN_WINDOW)) };
}

const ONE = { clients: 1000, clientsQuick: 100, symbols: 20 };

function oneRow(options: BenchOptions): Row {
  const clients = options.clients ?? (options.quick ? ONE.clientsQuick : ONE.clients);
  const universe = options.symbols ?? ONE.symbols;
  const symbolsPerClient = options.symbolsPerClient ?? Math.min(ONE.symbols, universe);
  const pace = paceOf(clients);
  const windowUpdates = options.windowUpdates ?? pace.windowUpdates;
  const batchUpdates = options.batchUpdates ?? Math.min(pace.batchUpdates, windowUpdates);
  if (batchUpdates > windowUpdates) throw new UsageError('--batch must not be larger than --window');
  const layout = checked({ clients, symbolsPerClient, universe });
  return { ...layout, format: formatOf(options.format), windowUpdates, batchUpdates };
}

function checked(layout: Layout): Layout {
  try {
    return checkLayout(layout);
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function formatOf(text: string | undefined): Format {
  const format = FORMATS.find(known => known === (text ?? 'json'));
  if (format === undefined) throw new UsageError(`--format ${text}: must be json or msgpack`);
  return format;
}
