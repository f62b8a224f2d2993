import { beforeEach, describe, expect, it } from 'vitest';
import { ClientTopics } from '../../../src/hub/client-topics.js';
import { PUBLISHED_ROOMS_MAX, PUBLISHED_ROOMS_PER_OWNER_MAX } from '../../../src/hub/events/published-rooms.js';
import { type Subject, SubjectTable } from '../../../src/hub/sources/subject-table.js';

const MAX = 10;
const PER_OWNER_MAX = 4;
const [ALICE, BOB, EVE] = [1, 2, 3];

let table: SubjectTable;
let topics: ClientTopics;
let ended: string[];

beforeEach(() => {
  table = new SubjectTable(1, () => 0);
  ended = [];
  topics = new ClientTopics({
    max: MAX,
    perOwnerMax: PER_OWNER_MAX,
    find: subject => table.find(subject),
    create: (kind, symbol) => table.create(kind, symbol),
    knowsSymbol: symbol => symbol.startsWith('S'),
    endNow: subject => {
      ended.push(subject.symbol);
      drop(subject);
    },
  });
});

function drop(subject: Subject): void {
  topics.release(subject);
  table.drop(subject);
}

/** Follows a room on a lane of a worker; the refusal where there is one. */
function follow(room: string, owner: number, worker = 0, lane = 0): Subject | string {
  const subject = topics.follow(`rooms:${room}`, owner);
  if (typeof subject !== 'string') topics.claim(subject, lane, worker, owner);
  return subject;
}

const made = (subject: Subject | string): Subject => {
  if (typeof subject === 'string') throw new Error(`refused: ${subject}`);
  return subject;
};

describe('J7 topics that a user makes', () => {
  it('J7 are as many as its share, whatever others have; what is there already takes none', () => {
    for (let n = 0; n < PER_OWNER_MAX; n++) made(follow(`a${n}`, ALICE));
    expect(follow('a4', ALICE)).toBe('share');
    expect(made(follow('b0', BOB)).isClientMade).toBe(true);
    expect(made(follow('b0', ALICE, 1)).symbol).toBe('b0');
    expect(topics.counters).toEqual({ refused: 1, shares: 1 });
  });

  it('J7 are refused as too many in all, not as one user’s, when all users together have that many', () => {
    for (let n = 0; n < MAX; n++) made(follow(`r${n}`, 10 + (n % 5)));
    expect(follow('more', EVE)).toBe('full');
    expect(topics.counters).toEqual({ refused: 1, shares: 0 });
  });

  it('J7 are another’s once their maker has left them to it, and the maker’s share is free', () => {
    const rooms = Array.from({ length: PER_OWNER_MAX }, (_, n) => made(follow(`a${n}`, ALICE)));
    for (const room of rooms) topics.claim(room, 0, 1, BOB);
    expect(follow('more', ALICE)).toBe('share');
    for (const room of rooms) topics.unclaim(room, 0, 0);
    expect(made(follow('more', ALICE)).symbol).toBe('more');
    // They count as the other’s now.
    expect(follow('b0', BOB)).toBe('share');
  });

  it('J7 are another’s when a worker says that its lane is, as the maker left that to it', () => {
    const room = made(follow('a0', ALICE));
    for (let n = 1; n < PER_OWNER_MAX; n++) made(follow(`a${n}`, ALICE));
    topics.claim(room, 0, 0, BOB);
    expect(made(follow('a9', ALICE)).symbol).toBe('a9');
  });

  it('J7 stay the last owner’s while they linger, so that leaving and coming again has none twice', () => {
    for (let n = 0; n < PER_OWNER_MAX; n++) topics.unclaim(made(follow(`a${n}`, ALICE)), 0, 0);
    expect(follow('more', ALICE)).toBe('share');
    drop(table.find('rooms.a0') as Subject);
    expect(made(follow('more', ALICE)).symbol).toBe('more');
  });

  it('J7 of a worker that is gone are those of the owners elsewhere', () => {
    const room = made(follow('a0', ALICE, 0));
    topics.claim(room, 5, 1, BOB);
    for (let n = 1; n < PER_OWNER_MAX; n++) made(follow(`a${n}`, ALICE, 1));
    expect(follow('more', ALICE)).toBe('share');
    topics.forgetWorker(0);
    expect(made(follow('more', ALICE, 1)).symbol).toBe('more');
  });

  it('J7 count no more when the feed has them too, nor orders and analytics ever', () => {
    const symbols = Array.from({ length: PER_OWNER_MAX }, (_, n) => made(topics.follow(`trades:S${n}`, ALICE)));
    expect(topics.follow('trades:S9', ALICE)).toBe('share');
    expect(topics.follow('trades:X', ALICE)).toBe('unknown');
    topics.release(symbols[0] as Subject);
    made(topics.follow('trades:S9', ALICE));
    made(topics.follow('orders:alice', ALICE));
    made(topics.follow('analytics:alerts', ALICE));
  });
});

describe('J7 rooms that are published into', () => {
  const publish = (room: string, owner: number) => {
    const subject = topics.publishInto(room, owner);
    if (typeof subject !== 'string') subject.holds++;
    return subject;
  };

  it('J7 take no place of those that are followed', () => {
    for (let n = 0; n < PER_OWNER_MAX + MAX; n++) expect(made(publish(`p${n}`, ALICE)).isClientMade).toBe(false);
    for (let n = 0; n < PER_OWNER_MAX; n++) made(follow(`a${n}`, ALICE));
    made(follow('b0', BOB));
  });

  it('J7 of one user are bounded: the oldest that is done goes; while none is, more are refused, but not to others', () => {
    const first = made(publish('p0', ALICE));
    for (let n = 1; n < PUBLISHED_ROOMS_PER_OWNER_MAX; n++) made(publish(`p${n}`, ALICE));
    expect(publish('more', ALICE)).toBe('share');
    made(publish('b0', BOB));
    first.holds--;
    made(publish('more', ALICE));
    expect(ended).toEqual(['p0']);
  });

  it('J7 of all users are bounded: those of the one with most go first', () => {
    made(publish('b0', BOB)).holds--;
    const owners = Math.ceil(PUBLISHED_ROOMS_MAX / PUBLISHED_ROOMS_PER_OWNER_MAX);
    for (let owner = 10; owner < 10 + owners; owner++) {
      for (let n = 0; n < PUBLISHED_ROOMS_PER_OWNER_MAX; n++) {
        const subject = publish(`p${owner}-${n}`, owner);
        if (typeof subject !== 'string') subject.holds--;
      }
    }
    expect(ended).toEqual(['p10-0']);
    made(publish('e0', EVE));
    expect(ended).toHaveLength(2);
    expect(ended).not.toContain('b0');
  });

  it('J7 are followed topics, with a share, from when somebody follows them', () => {
    const room = made(publish('p0', ALICE));
    expect(follow('p0', BOB)).toBe(room);
    expect(room.isClientMade).toBe(true);
    for (let n = 1; n < PER_OWNER_MAX; n++) made(follow(`b${n}`, BOB));
    made(publish('p1', ALICE));
    expect(follow('p1', BOB)).toBe('share');
  });
});
