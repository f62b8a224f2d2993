import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FeedPosition, PublishOutcome } from '../../../../src/feed-contract/feed.js';
import { failed } from '../../../../src/feed-contract/feed-outcome.js';
import { ANSWERS_MAX, ANSWERS_PER_OWNER_MAX } from '../../../../src/hub/events/answered.js';
import type { PublicationOutcome } from '../../../../src/hub/events/publication-outcome.js';
import { PENDING_MAX, PUBLISH_TIMEOUT_MS, Publications } from '../../../../src/hub/events/publications.js';
import { KEYS_MAX, KEYS_PER_SUBJECT_MAX, RecentKeys } from '../../../../src/hub/events/recent-keys.js';
import type { StreamPosition } from '../../../../src/protocol/stream-position.js';

interface Sent {
  readonly subject: string;
  readonly id: string;
  readonly key: string;
  readonly resolve: (position: FeedPosition | undefined) => void;
  readonly refuse: (detail: string) => void;
}

const sent: Sent[] = [];
let publications: Publications;

beforeEach(() => {
  vi.useFakeTimers();
  sent.length = 0;
  publications = new Publications({
    origin: 'gw1',
    publish: (subject, _payload, id, key) =>
      new Promise<PublishOutcome>(settle => {
        const resolve = (position: FeedPosition | undefined) => settle({ ok: true, position });
        sent.push({ subject, id, key, resolve, refuse: detail => settle(failed('refused', detail)) });
      }),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const ROOM = 'rooms.r1';
const ALICE = 1;
const publish = (key: string, content = key === '' ? '' : 'same', owner = ALICE) =>
  publications.publish({ subject: ROOM, payload: new Uint8Array([1]), key, content, owner });

/** The position that a publication got. */
async function positionOf(answer: Promise<PublicationOutcome>): Promise<StreamPosition> {
  const outcome = await answer;
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.position;
}

/** Why a publication failed. */
async function failureOf(answer: Promise<PublicationOutcome>): Promise<string> {
  const outcome = await answer;
  return outcome.ok ? '' : `${outcome.code}: ${outcome.detail}`;
}

/** The nth message that was handed to the feed. */
function nth(n: number): Sent {
  const found = sent[n];
  if (found === undefined) throw new Error(`only ${sent.length} messages were handed to the feed`);
  return found;
}

describe('R26 publications of clients', () => {
  it('R26 are answered with the place that the feed’s store gives them', async () => {
    const answer = publish('a');
    nth(0).resolve({ epoch: 'js', seq: 7 });
    expect(await positionOf(answer)).toEqual({ epoch: 'js', seq: 7 });
  });

  it('R26 are answered with the place under which they come back', async () => {
    const answer = publish('a');
    nth(0).resolve(undefined);
    publications.arrived(ROOM, 'gw1.999', { epoch: 'e', seq: 1 });
    publications.arrived(ROOM, nth(0).id, { epoch: 'e', seq: 2 });
    expect(await positionOf(answer)).toEqual({ epoch: 'e', seq: 2 });
  });

  it('R26 may come back before the feed says that it took them', async () => {
    const answer = publish('a');
    publications.arrived(ROOM, nth(0).id, { epoch: 'e', seq: 2 });
    nth(0).resolve(undefined);
    expect(await positionOf(answer)).toEqual({ epoch: 'e', seq: 2 });
  });

  it('R26 of one key are published once, and have one answer', async () => {
    const answers = [publish('a'), publish('a'), publish('b')];
    expect(sent.map(({ key }) => key)).toEqual(['a', 'b']);
    nth(0).resolve({ epoch: 'e', seq: 1 });
    nth(1).resolve({ epoch: 'e', seq: 2 });
    expect((await Promise.all(answers.map(positionOf))).map(({ seq }) => seq)).toEqual([1, 1, 2]);
    expect((await positionOf(publish('a'))).seq).toBe(1);
    expect(sent).toHaveLength(2);
  });

  it('R26 without a key are all different', async () => {
    const answers = [publish(''), publish('')];
    nth(0).resolve({ epoch: 'e', seq: 1 });
    nth(1).resolve({ epoch: 'e', seq: 2 });
    expect((await Promise.all(answers.map(positionOf))).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(2);
  });

  it('R26 that do not come back in time have failed, and may be tried again', async () => {
    const answer = publish('a');
    nth(0).resolve(undefined);
    await vi.advanceTimersByTimeAsync(PUBLISH_TIMEOUT_MS);
    expect(await failureOf(answer)).toContain('did not come back in time');
    const again = publish('a');
    nth(1).resolve({ epoch: 'e', seq: 3 });
    expect((await positionOf(again)).seq).toBe(3);
    // The first may come late; nobody waits for it any more.
    publications.arrived(ROOM, nth(0).id, { epoch: 'e', seq: 9 });
    expect((await positionOf(publish('a'))).seq).toBe(3);
  });

  it('R26 that the feed refuses have failed, and may be tried again', async () => {
    const answer = publish('a');
    nth(0).refuse('the user may not publish');
    expect(await failureOf(answer)).toBe('refused: the user may not publish');
    void publish('a');
    expect(sent).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('R26 are refused while too many are under way, and accepted again when one is answered', async () => {
    const answers = Array.from({ length: PENDING_MAX }, (_, i) => publish(`k${i}`));
    expect(await failureOf(publish('one more'))).toContain('overloaded: not published: too many');
    nth(0).resolve({ epoch: 'e', seq: 1 });
    await answers[0];
    const accepted = publish('one more');
    nth(PENDING_MAX).resolve({ epoch: 'e', seq: 2 });
    expect((await positionOf(accepted)).seq).toBe(2);
  });

  /** Publishes under this key on the owner's behalf, and has it answered. */
  async function answered(key: string, owner: number): Promise<void> {
    const answer = publish(key, 'same', owner);
    sent.at(-1)?.resolve({ epoch: 'e', seq: sent.length });
    await answer;
  }
  /** Whether it is published once more: its answer was forgotten. */
  async function isForgotten(key: string, owner: number): Promise<boolean> {
    const before = sent.length;
    const answer = publish(key, 'same', owner);
    if (sent.length === before) return false;
    sent.at(-1)?.resolve({ epoch: 'e', seq: sent.length });
    await answer;
    return true;
  }

  it('R26 answers are remembered up to a limit for each user; the oldest are forgotten first', async () => {
    for (let i = 0; i <= ANSWERS_PER_OWNER_MAX; i++) await answered(`k${i}`, ALICE);
    expect(await isForgotten(`k${ANSWERS_PER_OWNER_MAX}`, ALICE)).toBe(false);
    expect(await isForgotten('k1', ALICE)).toBe(false);
    expect(await isForgotten('k0', ALICE)).toBe(true);
  });

  it('J7 R26 a user who publishes much pushes out no answer of others', async () => {
    await answered('first', ALICE);
    const eve = 2;
    for (let i = 0; i < ANSWERS_MAX + 1; i++) await answered(`eve ${i}`, eve);
    expect(await isForgotten('first', ALICE)).toBe(false);
  });

  it('J7 R26 where all users together have too many, whoever has most loses first', async () => {
    await answered('first', ALICE);
    const publishers = ANSWERS_MAX / ANSWERS_PER_OWNER_MAX;
    for (let owner = 10; owner < 10 + publishers; owner++) {
      for (let i = 0; i < ANSWERS_PER_OWNER_MAX; i++) await answered(`${owner} ${i}`, owner);
    }
    await answered('second', ALICE);
    for (const key of ['first', 'second']) expect(await isForgotten(key, ALICE)).toBe(false);
    expect(await isForgotten('10 0', 10)).toBe(true);
  });

  it('R26 the failure of one that was forgotten does not take the answer of its successor', async () => {
    const first = publish('k');
    for (let i = 0; i < ANSWERS_PER_OWNER_MAX; i++) await answered(`other ${i}`, ALICE);
    await answered('k', ALICE);
    nth(0).refuse('too late');
    expect(await failureOf(first)).toBe('refused: too late');
    expect(await isForgotten('k', ALICE)).toBe(false);
  });

  it('K5: one key stands for one content, under way and once it is answered', async () => {
    const first = publish('a');
    expect(await failureOf(publish('a', 'other'))).toContain('other_content');
    nth(0).resolve({ epoch: 'e', seq: 1 });
    expect((await positionOf(first)).seq).toBe(1);
    expect(await failureOf(publish('a', 'other'))).toContain('already used for another message');
    expect((await positionOf(publish('a'))).seq).toBe(1);
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['the same content', 'same', ''],
    ['other content', 'other', 'already used'],
    ['content that cannot be read any more', '', 'cannot be read'],
  ])('K5: what the store had already under the key is compared: %s', async (_, content, problem) => {
    const answer = publish('a');
    nth(0).resolve({ epoch: 'js', seq: 4, content });
    if (problem === '') expect(await positionOf(answer)).toEqual({ epoch: 'js', seq: 4 });
    else expect(await failureOf(answer)).toContain(problem);
  });

  it('K5: who was refused for other content may publish the first one again', async () => {
    const refused = publish('a', 'other');
    nth(0).resolve({ epoch: 'js', seq: 4, content: 'same' });
    expect(await failureOf(refused)).toContain('other_content');
    const again = publish('a');
    nth(1).resolve({ epoch: 'js', seq: 4, content: 'same' });
    expect(await positionOf(again)).toEqual({ epoch: 'js', seq: 4 });
  });

  it('K6: a message that came under its key before is a repeat, whichever gateway published it', async () => {
    expect(publications.isRepeat(ROOM, 'gw2.1 a same')).toBe(false);
    publications.arrived(ROOM, 'gw2.1 a same', { epoch: 'e', seq: 3 });
    expect(publications.isRepeat(ROOM, 'gw3.1 a same')).toBe(true);
    expect(publications.isRepeat('rooms.r2', 'gw3.1 a same')).toBe(false);
    expect(publications.isRepeat(ROOM, 'gw3.2')).toBe(false);
    // Nothing is published that has come already.
    expect(await positionOf(publish('a'))).toEqual({ epoch: 'e', seq: 3 });
    expect(await failureOf(publish('a', 'other'))).toContain('other_content');
    expect(sent).toEqual([]);
  });

  it('K6: who waits for a message that turns out to be a repeat gets the place of the first, or is told', async () => {
    const [same, other] = [publish('a'), publish('b')];
    for (const n of [0, 1]) nth(n).resolve(undefined);
    publications.arrived(ROOM, 'gw2.1 a same', { epoch: 'e', seq: 3 });
    publications.arrived(ROOM, 'gw2.2 b other', { epoch: 'e', seq: 4 });
    expect(publications.isRepeat(ROOM, nth(0).id)).toBe(true);
    expect(publications.isRepeat(ROOM, nth(1).id)).toBe(true);
    expect(await positionOf(same)).toEqual({ epoch: 'e', seq: 3 });
    expect(await failureOf(other)).toContain('other_content');
  });

  it('K6: one that came too late for its answer is not published again', async () => {
    const answer = publish('a');
    nth(0).resolve(undefined);
    await vi.advanceTimersByTimeAsync(PUBLISH_TIMEOUT_MS);
    expect(await failureOf(answer)).toContain('may have been published; repeat it with the same id');
    publications.arrived(ROOM, nth(0).id, { epoch: 'e', seq: 3 });
    expect(await positionOf(publish('a'))).toEqual({ epoch: 'e', seq: 3 });
    expect(sent).toHaveLength(1);
  });
});

describe('K6: keys that were seen', () => {
  it('K6: are remembered up to a limit for each subject; the oldest are forgotten first', () => {
    const keys = new RecentKeys();
    for (let i = 0; i <= KEYS_PER_SUBJECT_MAX; i++) keys.add('r1', `k${i}`, { epoch: 'e', seq: i, content: 'c' });
    keys.add('r2', 'k0', { epoch: 'e', seq: 1, content: 'c' });
    expect(keys.size).toBe(KEYS_PER_SUBJECT_MAX + 1);
    expect([keys.find('r1', 'k0'), keys.find('r1', 'k1')?.seq, keys.find('r2', 'k0')?.seq]).toEqual([undefined, 1, 1]);
  });

  it('K6: are remembered up to a limit in all; those of silent subjects are forgotten first', () => {
    const keys = new RecentKeys();
    for (let i = 0; i < KEYS_MAX; i++) keys.add(`r${i}`, 'k', { epoch: 'e', seq: i, content: 'c' });
    keys.add('r0', 'k', { epoch: 'e', seq: 5, content: 'c' });
    keys.add('new', 'k', { epoch: 'e', seq: 1, content: 'c' });
    expect(keys.size).toBe(KEYS_MAX);
    expect([keys.find('r0', 'k')?.seq, keys.find('r1', 'k'), keys.find('r2', 'k')?.seq]).toEqual([5, undefined, 2]);
  });
});
