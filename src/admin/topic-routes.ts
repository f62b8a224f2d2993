/** Topics: who follows them, how much they get, and their current documents. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import type { Subject } from '../hub/sources/subject-table.js';
import { topicParts } from '../protocol/topic-parts.js';
import {
  isName,
  isStateStream,
  isStream,
  STREAMS,
  type Stream,
  sourceKindOf,
  subjectOf,
  topicOf,
} from '../protocol/topics.js';
import { Best } from '../threads/best.js';
import { type Answer, failure, json, jsonText } from './answers.js';
import { type ApiParts, namesOf } from './api.js';
import { cursor, cursorOf, limit } from './page.js';
import { type Route, read } from './route.js';

/** Topics examined in one turn of the loop, which is the hub's: about 1 ms. */
const EXAMINED_PER_TURN = 5_000;
const PREFIX_LENGTH_MAX = 256;
/** The document's thread waits for its encoder. */
const DOCUMENT_MS_MAX = 2_500;
/** Threads that are asked for it, one after the other. */
const DOCUMENT_THREADS_MAX = 2;
const SORTS = ['subscribers', 'rate', 'name'] as const;

const query = z.strictObject({
  prefix: z.string().max(PREFIX_LENGTH_MAX).default(''),
  stream: z.enum(STREAMS, `must be one of ${STREAMS.join(', ')}`).optional(),
  condition: z.literal('stale', 'must be stale').optional(),
  sort: z.enum(SORTS, `must be one of ${SORTS.join(', ')}`).default('subscribers'),
  order: z.enum(['desc', 'asc'], 'must be one of desc, asc').optional(),
  limit,
  after: cursor(z.tuple([z.number(), z.string()])).optional(),
});

interface Listed {
  /** Its value in the order, and its name, which decides between equals. */
  readonly key: readonly [value: number, topic: string];
  readonly subject: Subject;
  readonly stream: Stream;
}

export function topicRoutes(parts: ApiParts): Route[] {
  return [
    read('/topics', { query }, ({ query: asked }) => list(parts, asked)),
    read('/topics/*', {}, ({ id }) => detail(parts, id)),
  ];
}

async function list(parts: ApiParts, asked: z.infer<typeof query>): Promise<Answer> {
  const { counts, silent } = await subscribersOf(parts);
  const { hub } = parts.parts();
  const isDescending = (asked.order ?? (asked.sort === 'name' ? 'asc' : 'desc')) === 'desc';
  const compare = (a: Listed['key'], b: Listed['key']) => {
    const byName = a[1] < b[1] ? -1 : Number(a[1] > b[1]);
    if (asked.sort === 'name') return isDescending ? -byName : byName;
    return (isDescending ? b[0] - a[0] : a[0] - b[0]) || byName;
  };
  const best = new Best<Listed>(asked.limit, (a, b) => compare(a.key, b.key));
  let [total, behind, examined] = [0, 0, 0];
  for (const subject of hub.table) {
    if (++examined % EXAMINED_PER_TURN === 0) await nextTurn();
    if (asked.condition === 'stale' && hub.holds.reasonOf(subject) === undefined) continue;
    for (const stream of streamsOf(subject)) {
      const topic = topicOf(stream, subject.symbol);
      if ((asked.stream !== undefined && stream !== asked.stream) || !topic.startsWith(asked.prefix)) continue;
      total++;
      const key = [valueIn(asked.sort, parts, subject, stream, counts), topic] as const;
      if (asked.after !== undefined && compare(key, asked.after) <= 0) continue;
      behind++;
      best.add({ key, subject, stream });
    }
  }
  const last = best.items.at(-1);
  const hasMore = behind > best.items.length;
  return json({
    topics: best.items.map(({ subject, stream }) => rowOf(parts, subject, stream, counts)),
    total,
    has_more: hasMore,
    next: hasMore && last !== undefined ? cursorOf(last.key) : null,
    silent_threads: namesOf(silent),
  });
}

async function detail(parts: ApiParts, topic: string): Promise<Answer> {
  const [stream = '', name = ''] = topicParts(topic);
  if (!isStream(stream)) return failure('invalid', `a topic is stream:name, with a stream of ${STREAMS.join(', ')}`);
  const isAll = topic === 'trades:*';
  const kind = sourceKindOf(stream);
  if (!isAll && !isName(kind, name)) return failure('invalid', 'no topic has this name');
  const { hub } = parts.parts();
  const subject = isAll ? hub.table.allTrades : hub.table.find(subjectOf(kind, name));
  if (subject === undefined) return failure('not_found', 'no such topic');
  const { counts, silent } = await subscribersOf(parts);
  const document = isStateStream(stream) ? await documentOf(parts, stream, name) : null;
  const { epoch, seq, shard } = subject;
  const error = document === undefined ? 'timeout' : null;
  const members = JSON.stringify({
    ...rowOf(parts, subject, stream, counts),
    epoch,
    seq,
    shard,
    document_error: error,
    silent_threads: namesOf(silent),
  });
  // As it is: parsing it would round long numbers.
  return jsonText(`${members.slice(0, -1)},"document":${document ?? 'null'}}`);
}

/** JSON text; null: there is no data yet; undefined: no thread answers in time. */
async function documentOf({ questions }: ApiParts, stream: Stream, symbol: string): Promise<string | null | undefined> {
  for (let worker = 0; worker < Math.min(questions.workers, DOCUMENT_THREADS_MAX); worker++) {
    const answered = await questions.ask(worker, 'document', { stream, symbol }, DOCUMENT_MS_MAX);
    if (answered?.answer !== undefined) return answered.answer;
  }
  return undefined;
}

/** Subscribers of all views, by source and stream. */
async function subscribersOf({ questions }: ApiParts) {
  const { answers, silent } = await questions.all('subscribers', {});
  const counts = new Map<number, number>();
  let examined = 0;
  for (const { answer } of answers) {
    for (let at = 0; at < answer.length; at += 2) {
      if (++examined % EXAMINED_PER_TURN === 0) await nextTurn();
      const view = answer[at] ?? 0;
      counts.set(view, (counts.get(view) ?? 0) + (answer[at + 1] ?? 0));
    }
  }
  return { counts, silent };
}

function streamsOf({ kind }: Subject): readonly Stream[] {
  return kind === 'books' ? ['orderbook', 'depth'] : [kind];
}

const countOf = (counts: ReadonlyMap<number, number>, { id }: Subject, stream: Stream): number =>
  counts.get(id * STREAMS.length + STREAMS.indexOf(stream)) ?? 0;

function valueIn(
  sort: (typeof SORTS)[number],
  { rates }: ApiParts,
  subject: Subject,
  stream: Stream,
  counts: ReadonlyMap<number, number>,
): number {
  if (sort === 'subscribers') return countOf(counts, subject, stream);
  return sort === 'rate' ? (rates.of(subject).rate ?? 0) : 0;
}

function rowOf({ rates, parts }: ApiParts, subject: Subject, stream: Stream, counts: ReadonlyMap<number, number>) {
  const stale = parts().hub.holds.reasonOf(subject) ?? null;
  const { symbol } = subject;
  const { rate, seenAtMs } = rates.of(subject);
  return {
    topic: topicOf(stream, symbol),
    stream,
    name: symbol,
    subscribers: countOf(counts, subject, stream),
    rate,
    state: stale !== null ? 'stale' : seenAtMs === null ? 'silent' : 'live',
    stale,
    last_message_ms: seenAtMs === null ? null : Math.max(0, Math.round(performance.now() - seenAtMs)),
  };
}
