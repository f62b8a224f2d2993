/** R70 R73 From the journal and what publishers sent come the messages that FIX clients got of any part of a book. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deliveries } from '../../../src/journal/deliveries.js';
import type { PastFeed } from '../../../src/reconstruct/past-feed.js';
import { Reconstruction } from '../../../src/reconstruct/reconstruction.js';
import { FixBooksMarket, fixBooksStep, runStep } from '../../support/fix-books-market.js';
import { sharedFields } from '../../support/fix-wire.js';
import { RecordedJournal } from '../../support/journal/recorded.js';

const RUNS = Number(process.env.MILLRACE_PROPERTY_RUNS ?? 60);
const DELIVERIES_MAX = 100_000;

function feedOf(published: readonly string[]): PastFeed {
  return {
    name: 'the model',
    remedy: '',
    numberingOf: epoch => epoch,
    unknownEpoch: () => '',
    mayHaveLost: () => false,
    async *messages() {
      for (const [i, text] of published.entries()) {
        const payload = Buffer.from(text);
        yield { subject: 'md.books.A', payload, tsEventMicros: 0, seq: i + 1, numbering: 'e1', contiguous: true };
      }
    },
  };
}

/** The messages of one topic that a client got, without what is the session's own. */
function gotOf(messages: readonly string[], topic: string, topicOf: (id: string) => string): string[] {
  return messages
    .filter(message => (/\|262=(r\d+)\|/.exec(message)?.[1] ?? '') !== '' || message.includes(`=${topic} is held back`))
    .filter(message => {
      const [, id] = /\|262=(r\d+)\|/.exec(message) ?? [];
      return id === undefined || topicOf(id) === topic;
    })
    .map(sharedFields);
}

async function told(journal: RecordedJournal, market: FixBooksMarket, c: string, topic: string): Promise<string[]> {
  const deliveries = new Deliveries(c, topic, DELIVERIES_MAX);
  const line = Buffer.alloc(0);
  deliveries.take({ t: 0, record: { k: 'connected', c, w: 0, transport: 'fix', seq_tags: true }, line });
  for (const record of journal.records) deliveries.take({ t: record.t, record, line });
  const lines: string[] = [];
  const feed = feedOf(market.published);
  for await (const { frame, missing } of new Reconstruction({
    deliveries: deliveries.takeSettled(true),
    feed,
    nameOf: () => 'A',
  }).run()) {
    lines.push(missing ?? frame?.toString('latin1').replaceAll('\x01', '|') ?? '');
  }
  return lines;
}

/** Each subscription's messages are in order; announcements name none. */
function byId(messages: readonly string[]): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const message of messages) {
    const id = /\|262=(r\d+)\|/.exec(message)?.[1] ?? '';
    all.set(id, [...(all.get(id) ?? []), message]);
  }
  return all;
}

describe('R70 R73 what FIX clients got of a book', () => {
  it('R70 R73 is told field by field, whatever part they want, and however it was sent', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fixBooksStep, { minLength: 20, maxLength: 80 }), async steps => {
        const journal = new RecordedJournal();
        const market = new FixBooksMarket(journal.outlet);
        for (const step of steps) runStep(market, step);
        market.settle();
        for (const { market: data } of market.clients) data.close(false);
        for (const [i, { got, levels }] of market.clients.entries()) {
          const topicOf = (id: string) => (levels.get(id) === 1 ? 'orderbook:A' : 'depth:A');
          for (const topic of ['orderbook:A', 'depth:A']) {
            const expected = byId(gotOf(got, topic, topicOf));
            expect(byId(await told(journal, market, `c${i}`, topic))).toEqual(expected);
            for (const messages of expected.values()) compared += messages.length;
          }
        }
        journal.close();
      }),
      { numRuns: RUNS },
    );
    expect(compared).toBeGreaterThan(RUNS);
  }, 120_000);
});
