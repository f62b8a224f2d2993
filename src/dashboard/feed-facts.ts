/** What is known of the feed, as facts. */
import type { FeedAnswer } from './api-types.js';
import type { Fact } from './facts.js';
import { ago, bytes, count, milliseconds } from './format.js';

export function feedFacts(feed: FeedAnswer): Fact[] {
  return [
    { term: 'Source', text: feed.name },
    { term: 'State', text: feed.status, tone: feed.status === 'live' ? 'good' : 'bad' },
    { term: 'Last message', text: ago(feed.silent_ms) },
    { term: 'Load', text: feed.load, tone: feed.load === 'normal' ? '' : 'bad' },
    { term: 'Messages', text: count(feed.messages) },
    { term: 'Bytes', text: bytes(feed.bytes) },
    { term: 'Subjects known', text: count(feed.symbols) },
    { term: 'Rejected messages', text: totals(feed.rejected), tone: isEmpty(feed.rejected) ? '' : 'warn' },
    { term: 'Topics held back', text: totals(feed.stale), tone: isEmpty(feed.stale) ? '' : 'bad' },
    { term: 'Gaps of publishers', text: count(feed.gaps), tone: feed.gaps > 0 ? 'warn' : '' },
    { term: 'Duplicates dropped', text: count(feed.duplicates) },
    ...natsFacts(feed),
  ];
}

function natsFacts(feed: FeedAnswer): Fact[] {
  if (feed.name !== 'nats') return [];
  const upstreams = feed.upstreams.map(({ name, active, live, silent_ms: silent }): Fact => {
    const state = `${live ? 'connected' : 'not connected'}${active ? ', read' : ', standby'}`;
    const heard = silent === null ? '' : `, last message ${ago(silent)}`;
    return { term: `NATS ${name}`, text: `${state}${heard}`, tone: live ? '' : 'bad' };
  });
  return [
    { term: 'Round trip to NATS', text: milliseconds(feed.round_trip_ms) },
    { term: 'Waiting for NATS', text: bytes(feed.queued_bytes) },
    { term: 'NATS errors', text: totals(feed.errors), tone: isEmpty(feed.errors) ? '' : 'warn' },
    { term: 'Failovers', text: count(feed.failovers), tone: feed.failovers > 0 ? 'warn' : '' },
    ...upstreams,
  ];
}

const isEmpty = (counts: Readonly<Record<string, number>>) => Object.values(counts).every(total => total === 0);

function totals(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).filter(([, total]) => total > 0);
  return parts.length === 0
    ? '0'
    : parts.map(([name, total]) => `${count(total)} ${name.replaceAll('_', ' ')}`).join(', ');
}
