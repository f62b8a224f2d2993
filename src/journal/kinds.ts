/**
 * Every kind of record that a journal holds: what it means, and its members besides `t` (µs since the Unix epoch, UTC) and `k`.
 * The table in ops/journal.md is made from here. Users and addresses are raw while a record is in memory; the journal thread writes
 * pseudonyms.
 *
 * **Order.** The records of one thread (`w`) are in the order in which things happened. `emit` records collect messages of a view,
 * but those of a topic are written before any record that names the topic, and all of them before one that ends a connection. So a
 * connection was handed: its own `snapshot`, `sent`, `gap` and `stale`, and the `emit`, `gap` and `stale` of a view between its `live`
 * on that view and the `paused`, `unsubscribed` or `closed` that follows. "Handed" means given to the WebSocket library for its
 * socket. `paused` marks what the library may have dropped. What a closing socket still buffers is lost, and so may be what was published
 * in the last turn of the thread's loop before `closed`. `confirmed` proves what reached the client. A thread that dies loses what it has
 * not posted: the last 100 ms. In topics whose frames are arrays (analytics), a run is one frame with all messages
 * after `prev_seq` up to `seq`.
 */
import { z } from 'zod';
import { LISTED_MAX } from '../protocol/record-limits.js';
import { CLASSES, DEPTHS, TIERS } from '../protocol/view-options.js';

/** Longest text of a free member, such as a reason. */
const TEXT_MAX = 1024;

const text = z.string().max(TEXT_MAX);
const count = z.number().int().nonnegative();
const list = z.array(text).max(LISTED_MAX);
/** Id of a connection, as in the header `Millrace-Connection`. */
const connection = z.string();
/** Number of the thread that serves the connection; the FIX thread comes after the gateway threads. */
const thread = count;
const seq = count;
const epoch = z.string();
const micros = z.number().nonnegative();

/** `[prev_seq, seq]`. */
const run = z.tuple([seq, seq]);

/** A view: a topic at a class in a format. Absent members have their default. */
const view = {
  topic: z.string(),
  class: z.enum([...CLASSES, 'event']),
  format: z.enum(['json', 'msgpack', 'fix']),
  /** Default: retail. */
  tier: z.enum(TIERS).optional(),
  /** Levels per side; absent where the topic has no choice of depth. */
  depth: z.literal(DEPTHS).optional(),
  /** The messages carry `ts_sent`. */
  stamped: z.literal(true).optional(),
  /** Trades with both parties. */
  full: z.literal(true).optional(),
  /** How late the messages are: `15m`. Absent: in real time. */
  delay: z.string().optional(),
  /** On a topic of all symbols: the symbol whose sequences these are. */
  symbol: z.string().optional(),
  /** FIX: what a client wants of a book: best levels per side, `b` bids, `o` offers, `w` the whole of it at each change. */
  part: z.string().optional(),
  /** FIX: the MDReqID of a record about one connection, which may follow a topic more than once. */
  id: text.optional(),
};

/** Members that name a view. */
export const VIEW_NAMES: ReadonlySet<string> = new Set(Object.keys(view));

interface Kind<Shape extends z.ZodRawShape> {
  readonly means: string;
  readonly schema: z.ZodObject<Shape, z.core.$strict>;
}

const kind = <Shape extends z.ZodRawShape>(means: string, shape: Shape): Kind<Shape> => ({
  means,
  schema: z.strictObject(shape),
});

export const KINDS = {
  started: kind('The gateway starts.', { node: text, version: text, threads: count }),
  stopped: kind('The gateway stops; no record of this run follows.', { node: text, version: text, threads: count }),
  connected: kind('A connection is accepted. Without `user`, it is anonymous.', {
    c: connection,
    w: thread,
    transport: z.enum(['ws', 'fix']),
    endpoint: text,
    format: view.format,
    address: z.string(),
    user: z.string().optional(),
    tier: z.enum(TIERS),
  }),
  authenticated: kind(
    'Who the client is and what it may see: at the start, and after each new credential. `entitlements` includes what roles and defaults grant; `reserved` is the market data that `POLICY_FILE` keeps for roles that the client lacks.',
    {
      c: connection,
      user: z.string().optional(),
      tier: z.enum(TIERS),
      by: z.enum(['token', 'api_key', 'certificate', 'none']),
      firm: text.optional(),
      professional: z.boolean().optional(),
      use: text.optional(),
      entitlements: list,
      more: count.optional(),
      /** Topics of market data that `POLICY_FILE` withholds, because they require a role that the credential lacks. */
      reserved: list.optional(),
      reserved_more: count.optional(),
      /** µs since the Unix epoch; absent: the credential does not expire. */
      expires_at: micros.optional(),
    },
  ),
  refused: kind(
    'A connection, a command or topics are refused, with the code that the client gets and, for a connection, the reason. For a FIX ' +
      'message, `code` is the field that says why (`373=11`, `380=3`, `281=3`), `id` the MDReqID, and `reason` the text (58).',
    {
      c: connection.optional(),
      what: z.enum(['connection', 'command', 'topic']),
      status: count.optional(),
      code: text,
      id: view.id,
      reason: text.optional(),
      topic: z.string().optional(),
      stream: text.optional(),
      symbols: list.optional(),
      more: count.optional(),
      product: text.optional(),
      user: z.string().optional(),
      address: z.string().optional(),
    },
  ),
  resend_asked: kind(
    'FIX: messages of the client are missing from `from` on; the gateway asks for them (ResendRequest).',
    {
      c: connection,
      from: count,
    },
  ),
  filled: kind(
    'FIX: the client lacks messages `from` to `to`. `again` of them are sent again as they were; the others, market data among them, are ' +
      'filled (SequenceReset), and whole documents follow.',
    { c: connection, from: count, to: count, again: count },
  ),
  logout: kind('FIX: the gateway logs the client out; `reason` is the text (58). `closed` follows.', {
    c: connection,
    reason: text,
  }),
  command: kind('A client’s command. The text of a room message is never recorded.', {
    c: connection,
    action: text,
    id: text.optional(),
    stream: text.optional(),
    symbols: list.optional(),
    more: count.optional(),
    class: text.optional(),
    since: z.strictObject({ epoch, seq }).optional(),
  }),
  subscribed: kind(
    'A subscription begins. `seq` is null if the position is not known yet; a later `live` then has it.',
    {
      c: connection,
      w: thread,
      ...view,
      product: list.optional(),
      more: count.optional(),
      epoch,
      seq: seq.nullable(),
    },
  ),
  unsubscribed: kind('A subscription ends while the connection stays.', {
    c: connection,
    topic: z.string(),
    id: view.id,
  }),
  snapshot: kind(
    'A whole document is sent to this connection alone. Quotes share frames: `more` documents follow in the same frame, and `complete` ' +
      'means that the frame says so.',
    {
      c: connection,
      ...view,
      epoch,
      seq,
      /** The position that the document names as the one before it; absent: its own. */
      prev: seq.optional(),
      more: count.optional(),
      complete: z.literal(true).optional(),
    },
  ),
  live: kind('From here on, each `emit` of this view by the same thread after this position reaches this connection.', {
    c: connection,
    w: thread,
    ...view,
    epoch,
    seq,
  }),
  paused: kind(
    'The view of the topic no longer reaches this connection. `seq` is the last position certainly handed to its socket: anything that ' +
      'the view published after it since `live` may be lost. On a topic of all symbols, a record with `symbol` says it for one symbol.',
    {
      c: connection,
      topic: z.string(),
      symbol: view.symbol,
      id: view.id,
      epoch,
      seq,
      reason: text,
    },
  ),
  sent: kind('Market data sent to this connection alone: catch-up, replays, and what was queued for it.', {
    c: connection,
    ...view,
    epoch,
    runs: z.array(run),
  }),
  gap: kind('Messages `from` to `to` are lost, for one connection or for a whole view, and the clients are told.', {
    c: connection.optional(),
    w: thread.optional(),
    ...view,
    class: view.class.optional(),
    format: view.format.optional(),
    epoch,
    from: seq,
    to: seq,
    reason: text,
  }),
  stale: kind('A connection or a whole view is told that the topic is stale.', {
    c: connection.optional(),
    w: thread.optional(),
    ...view,
    class: view.class.optional(),
    format: view.format.optional(),
    epoch,
    seq,
    reason: text,
  }),
  resumed: kind('A client continues from the position that it names.', {
    c: connection,
    topic: z.string(),
    epoch,
    seq,
  }),
  lagging: kind('The client is behind: by its answers to pings, what it receives is this old.', {
    c: connection,
    age_ms: count,
    topics: count,
  }),
  fresh: kind('The client has caught up.', { c: connection }),
  confirmed: kind(
    'The client answered a ping or a TestRequest, or named a FIX sequence number: it has received what was handed to its socket before `at`.',
    {
      c: connection,
      at: micros,
    },
  ),
  closed: kind(
    'The connection ends; `buffered` bytes had not left the process. Each live topic ends with the last `emit` before this record.',
    {
      c: connection,
      code: count,
      reason: text,
      by: z.enum(['gateway', 'client']),
      buffered: count,
    },
  ),
  ended: kind(
    'A thread died; its connections ended with it and have no `closed`. Another thread with the same number follows.',
    {
      w: thread,
      reason: text,
    },
  ),
  emit: kind(
    'Messages published to a view, and so sent to each connection that is live on it. `t` is the time of the last one.',
    {
      w: thread,
      ...view,
      epoch,
      runs: z.array(run),
      /** Whole documents instead of changes. */
      whole: z.literal(true).optional(),
      /** A run is all messages after `prev_seq` up to `seq`, each one step after the one before it. Absent: a run is one message. */
      stepwise: z.literal(true).optional(),
    },
  ),
  clock: kind('How far the system clock is from UTC, as chrony reports it; null where that is unknown.', {
    source: text,
    offset_us: z.number().nullable(),
    error_us: z.number().nullable(),
  }),
  times: kind(
    'The first record of a segment, if the segment before it has records that are older than its head or newer than this one’s: the clock was set, or they waited for the disk.',
    { from: micros, to: micros },
  ),
  dropped: kind('Records of a thread were lost, because the journal could not take them.', {
    w: thread,
    records: count,
  }),
  alert: kind('An alert of surveillance, with its evidence.', { alert: z.looseObject({}) }),
  admin: kind('What an operator ordered, and its result.', {
    what: text,
    /** How the order came: `admin` for the admin API, a NATS subject, or a signal. */
    by: text.optional(),
    /** A user, as the credential or the order names them. */
    author: z.string().optional(),
    user: z.string().optional(),
    address: z.string().optional(),
    c: connection.optional(),
    topic: z.string().optional(),
    detail: text.optional(),
    result: text,
  }),
} as const;

type KindName = keyof typeof KINDS;

/** The members of a record besides `t` and `k`. */
export type MembersOf<K extends KindName> = z.infer<(typeof KINDS)[K]['schema']>;

/** A record as a producer hands it over: users and addresses are raw, the time is added. */
export type NewRecord = { [K in KindName]: { readonly k: K } & Readonly<MembersOf<K>> }[KindName];

/** How records name a view. */
export type ViewMembers = Pick<MembersOf<'emit'>, keyof typeof view>;
